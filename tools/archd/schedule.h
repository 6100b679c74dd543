// Periodic work of the daemon: named jobs, one at a time on one thread, beside the engine. When each ran last stands in
// ARCHIVE/state/schedule.json, for those that run once an hour or less often: after a restart nothing runs too early, and what
// was missed while the daemon was down runs once.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "engine/base/clock.h"
#include "engine/io/fs.h"

namespace arch::daemon {

/// What is due when. One thread; `clock` outlives it.
class Schedule {
 public:
  /// A damaged or missing file: nothing ran so far.
  Schedule(Fs& fs, Clock& clock, std::string archive_directory);
  /// The first run is due at once, or `interval` after the last one that is on record.
  void add(const std::string& name, UnixNs interval);
  /// The job that has been due for the longest time.
  std::optional<std::string> due() const;
  /// It ran now; the next time is due after `next_in`, or after its interval. Errors: kFull, kIo, kDenied (remembered in memory
  /// all the same).
  Result<void> ran(const std::string& name, std::optional<UnixNs> next_in);

 private:
  struct Job {
    std::string name;
    UnixNs interval;
    UnixNs next;
  };
  Clock& clock_;
  const std::string path_;
  std::map<std::string, UnixNs> last_;
  std::vector<Job> jobs_;
};

/// Runs jobs until it is destroyed.
class Scheduler {
 public:
  /// `stop` is to be asked by long work. The result: when to run again, if not after the interval. An error is logged once, and
  /// the job is due again after an hour (or its interval, when that is shorter).
  using Work = std::function<Result<std::optional<UnixNs>>(const std::function<bool()>& stop)>;

  explicit Scheduler(const std::string& archive_directory);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;
  void add(const std::string& name, UnixNs interval, Work work);  ///< before start()
  void start();

 private:
  void run();
  Schedule schedule_;
  struct Named {
    UnixNs interval;
    Work work;
    std::string last_error;
  };
  std::map<std::string, Named> work_;
  std::stop_source stop_;
  std::thread thread_;
};

}  // namespace arch::daemon
