// Reads every segment whole once in 30 days, slowly, beside everything else.
#pragma once

#include <functional>
#include <string>
#include <thread>

#include "engine/base/clock.h"

namespace arch::daemon {

/// Its own thread from start to stop. What it finds goes to the log and to ARCHIVE/state/verified, where `archctl status`
/// reads it.
class Scrubber {
 public:
  explicit Scrubber(std::string archive_directory);
  ~Scrubber();  ///< ends within a block's reading
  Scrubber(const Scrubber&) = delete;
  Scrubber& operator=(const Scrubber&) = delete;

 private:
  void run();
  bool stopping() const;
  const std::string archive_;
  std::stop_source stop_;
  std::thread thread_;
};

/// Reads the segment that was verified longest ago, when that is due. Its number, or 0 when none was due. Errors: kIo, kDenied,
/// kFull (remembering), kTryAgain (`stop`).
Result<uint32_t> scrub_one(const std::string& archive_directory, UnixNs now, uint64_t bytes_per_second,
                           const std::function<bool()>& stop);

}  // namespace arch::daemon
