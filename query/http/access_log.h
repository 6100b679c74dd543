// Who looked at what: an append-only log, one JSON object a line, each with the SHA-256 of the line before it, so that a line
// that was changed or taken out shows. ARCHIVE/state/access/YYYY-MM.log.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "engine/base/clock.h"
#include "engine/base/result.h"

namespace arch::http {

struct Access {
  std::string who;        ///< a login, "token:NAME", "local"
  bool verified = false;  ///< the way it came vouches for `who`
  std::string surface;    ///< "http", "mcp"
  std::string action;  ///< "search", "view", "raw", "download", "preview", "thread", "count", "export", "refused" …
  std::string object;  ///< a query, an id
  std::string detail;  ///< a reason, an outcome
};

class AccessLog {
 public:
  /// Goes on behind the last line that is there, whoever wrote it: several processes may write (archd, `archctl mcp`). A line
  /// that a power cut tore is closed and stays, and the chain goes on over it. Errors: kIo, kDenied, kFull.
  static Result<std::unique_ptr<AccessLog>> open(const std::string& archive_directory);
  ~AccessLog();
  /// On disk, synced, when it returns. Any thread. Errors: kFull, kIo: then what was asked for must not be shown.
  Result<void> write(UnixNs now, const Access& access);

 private:
  explicit AccessLog(std::string directory) : directory_(std::move(directory)) {}
  Result<void> open_month(const std::string& month);
  Result<void> go_on();
  const std::string directory_;
  std::mutex mutex_;
  std::string month_, previous_;
  uint64_t sequence_ = 0, size_ = UINT64_MAX;
  int fd_ = -1, lock_ = -1;
};

/// Every line in order; `sound` is false where the chain breaks: the line before was changed, or lines are missing. Stops when
/// `each` says false. Errors: kNotFound (no log), kIo, kDenied.
Result<void> read_access_log(const std::string& archive_directory,
                             const std::function<bool(const std::string& line, bool sound)>& each);

}  // namespace arch::http
