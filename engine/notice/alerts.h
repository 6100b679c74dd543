// What an operator has to be told: raised and cleared by whoever finds it, kept in ARCHIVE/state/alerts.json, so that a restart
// neither forgets nor repeats it.
//
// An alert has a key. Raising it again while it stands changes its text and no more; a mail is due once when it is raised or
// becomes more severe, then again each `repeat`. A mail that could not be sent is due again after an hour.
//
// Threads   Any thread. One process writes (the engine's); others read with read_alerts().
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/clock.h"
#include "engine/io/fs.h"

namespace arch {

enum class Severity : uint8_t { kWarning = 1, kCritical = 2 };
std::string_view severity_name(Severity severity);  ///< "warning", "critical"

/// What people read, in both languages. Subjects are one line.
struct NoticeText {
  std::string subject_fr, body_fr, subject_en, body_en;
  bool operator==(const NoticeText&) const = default;
};

struct Alert {
  std::string key;  ///< "reconcile-missing", "capacity-80" …: lower case, digits, "-"
  Severity severity = Severity::kWarning;
  NoticeText text;
  UnixNs repeat = 7 * kNsPerDay;  ///< a mail again after this long; 0: never

  // Kept by the book:
  UnixNs raised = 0;     ///< since when it stands
  UnixNs told = 0;       ///< the last mail that was sent; 0: none so far
  UnixNs next_mail = 0;  ///< when one is due; 0: none is
  std::string failure;   ///< why the last try to send one failed; empty: it did not
};

/// Without the file: none. Errors: kIo, kDenied, kCorrupt (the file is not what AlertBook writes).
Result<std::vector<Alert>> read_alerts(Fs& fs, const std::string& archive_directory);

class AlertBook {
 public:
  /// Reads what stands. A damaged file counts as none: what still holds is raised again. `clock` outlives it. Errors: kIo, kDenied.
  static Result<std::unique_ptr<AlertBook>> open(Fs& fs, Clock& clock, const std::string& archive_directory);

  /// Durable when it returns. True when it was not raised before, or less severe. Errors: kFull, kIo, kDenied: it then stands in
  /// memory, and a later change writes it.
  Result<bool> raise(Alert alert);
  /// True when it stood.
  Result<bool> clear(const std::string& key);
  /// Clears every alert whose key begins so, but for `keep`.
  Result<void> clear_others(std::string_view prefix, std::string_view keep);

  std::vector<Alert> standing() const;  ///< most severe first, then oldest first
  std::vector<Alert> due() const;       ///< whose mail is due now
  Result<void> sent(const std::string& key);
  Result<void> not_sent(const std::string& key, const std::string& why);

 private:
  AlertBook(Clock& clock, std::string archive_directory) : clock_(clock), directory_(std::move(archive_directory)) {}
  Result<void> save();
  Clock& clock_;
  const std::string directory_;
  mutable std::mutex mutex_;
  std::vector<Alert> alerts_;
};

}  // namespace arch
