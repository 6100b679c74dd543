// Where Postfix's log lies: files (rotated and compressed ones too), standard input, the systemd journal.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/result.h"

namespace arch::reconcile {

/// Lines one after the other. One thread.
class LogSource {
 public:
  virtual ~LogSource() = default;
  /// The next line without its end; false at the end. A line over kLineBytes is cut there, the rest of it passed over.
  /// Errors: kIo, kCorrupt (a compressed file), kNotFound.
  virtual Result<bool> next(std::string* line) = 0;

  static constexpr size_t kLineBytes = 64u << 10;
};

/// "-" (standard input), "journal" (journalctl, everything of the facility mail), "journal:UNIT" (of that unit, which may be a
/// container), or files, plain or gzip, read in the order of their first time stamps. `since`: what is older may be left out
/// (journalctl is asked for no more). Errors: kNotFound, kDenied, kIo; kUsage (a source that is neither).
Result<std::unique_ptr<LogSource>> open_log(const std::vector<std::string>& names, UnixNs since, UnixNs now);

/// A log as the configuration names it, with its rotated forms that were written after `since`: PATH, PATH.1, PATH.2.gz,
/// PATH-20261124.gz …. "journal…" stays as it is. Errors: kNotFound, kDenied, kIo.
Result<std::vector<std::string>> with_rotated(const std::string& name, UnixNs since);

}  // namespace arch::reconcile
