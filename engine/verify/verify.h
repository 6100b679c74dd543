// Reads an archive and says whether it holds what it claims. Never writes, never repairs, takes no lock.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/io/fs.h"

namespace arch {

struct VerifyOptions {
  bool data = true;                ///< compare each SHA-256; false: structure and checksums only
  std::vector<uint32_t> segments;  ///< empty: all, and the journal
  UnixNs since = 0;                ///< only segments born then or later
  std::set<uint32_t>
      passed_over;  ///< read already, by a run that was stopped: only their place in the chain is looked at
  uint64_t bytes_per_second = 0;  ///< reads no faster than this; 0: as fast as it can
  std::function<bool()> stop;     ///< true: the run ends with kTryAgain at the next block
  /// After each segment that was read to its end.
  std::function<void(uint32_t number, const Digest& footer_digest, bool sound)> checked;
};
struct VerifyFault {
  std::string file;
  uint64_t offset = 0;
  Digest digest;  ///< zero when not one message's or blob's
  std::string what;
};
struct VerifyReport {
  std::vector<VerifyFault> faults;  ///< damage
  std::vector<VerifyFault> notes;   ///< torn batches nobody was told about, leftovers in tmp/
  std::vector<VerifyFault> unread;  ///< what the device or the permissions did not give: nothing can be said of it
  uint64_t segments = 0, journal_files = 0, messages = 0, deliveries = 0, blobs = 0, bytes = 0;
};
struct VerifyProgress {
  uint64_t bytes_done = 0, bytes_total = 0;
};

/// Checks archive.toml, every segment (chain of footer digests and gapless numbers included) and every journal file.
/// Errors: only what keeps it from checking at all (kNotFound, kIo, kDenied), and kTryAgain when it was stopped; what it
/// finds, and files it cannot read, are in the report.
Result<VerifyReport> verify_archive(Fs& fs, const std::string& directory, const VerifyOptions& options,
                                    const std::function<void(const VerifyProgress&)>& progress);

}  // namespace arch
