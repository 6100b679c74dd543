// The proof that nothing is missing: what Postfix took on, by its log, beside what the archive holds.
//
// docs/reconcile.md says what counts as taken on and what each reason means.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/archive.h"
#include "engine/base/result.h"
#include "ingest/reconcile/log_source.h"
#include "ingest/reconcile/postfix_log.h"

namespace arch::reconcile {

/// What the archive holds, asked for one mail at a time.
class Evidence {
 public:
  virtual ~Evidence() = default;
  /// A message whose digest begins with these 16 hex digits.
  virtual Result<bool> holds_digest(const std::string& mark) = 0;
  /// A delivery with this queue id, captured between `from` and `to`.
  virtual Result<bool> holds_queue_id(const std::string& queue_id, UnixNs from, UnixNs to) = 0;
};

/// Asks an archive, and, for what it does not know yet, the journal that waits to be applied. `archive` outlives it.
class ArchiveEvidence : public Evidence {
 public:
  explicit ArchiveEvidence(const Archive& archive);
  Result<bool> holds_digest(const std::string& mark) override;
  Result<bool> holds_queue_id(const std::string& queue_id, UnixNs from, UnixNs to) override;

 private:
  Result<void> read_journal();
  Result<bool> in_catalog(const std::string& mark) const;
  Result<bool> in_catalog(const std::string& queue_id, UnixNs from, UnixNs to) const;
  const Archive& archive_;
  bool journal_read_ = false;
  std::unordered_set<std::string> waiting_marks_;
  std::unordered_multimap<std::string, UnixNs> waiting_ids_;
};

enum class Reason : uint8_t {
  kArchived,      ///< no exception
  kRefused,       ///< a milter, a rule or a limit refused it at the end of its data: nobody has it
  kQueued,        ///< in the queue, and not archived so far
  kOnHold,        ///< the same, in the hold queue
  kCopyDeferred,  ///< the copy to the archive is tried again
  // missing:
  kCopyLost,  ///< the copy to the archive was bounced or expired
  kDeleted,   ///< removed by postsuper -d before it was archived
  kMissing,   ///< left the queue, and no way of capture saw it
  kLost,      ///< the archive acknowledged it and does not hold it
};
/// "missing", "still queued" …
std::string_view reason_text(Reason reason);
std::string_view reason_name(Reason reason);  ///< "missing", "queued" …: stable, for JSON
inline bool is_missing(Reason reason) { return reason >= Reason::kCopyLost; }

struct Finding {
  std::string queue_id;
  UnixNs time = 0;
  std::string sender, message_id;
  Reason reason = Reason::kArchived;
  std::string detail;  ///< what Postfix said, or which message the archive does not hold
};

struct Report {
  UnixNs from = 0, to = 0;  ///< first and last line of Postfix's
  uint64_t lines = 0;       ///< of Postfix's daemons
  uint64_t accepted = 0, archived = 0, missing = 0;
  uint64_t waiting = 0;   ///< accepted, in the queue, not archived so far
  uint64_t refused = 0;   ///< with a queue id; not accepted
  uint64_t rejected = 0;  ///< before there was a queue id
  uint64_t given_up = 0;  ///< begun by a client, not ended
  /// Bounces and other mail of Postfix's own that is not archived, in a set-up that captures none of it: not accepted.
  uint64_t notices_not_captured = 0;
  std::vector<Finding> exceptions;  ///< by time; at most kMaxExceptions
  uint64_t exceptions_total = 0;

  static constexpr size_t kMaxExceptions = 10'000;
};

struct Options {
  UnixNs since = 0;  ///< mail whose first line is older is left out
  UnixNs now = 0;
  std::string archive_recipient = "archive@archive.invalid";  ///< docs/postfix.md
  std::function<bool()> stop;                                 ///< asked now and then
  std::function<void(uint64_t lines)> progress;               ///< lines of the log read so far
  std::function<void(const Finding&)> each;  ///< every mail that was taken on or refused, archived ones too
};

/// Reads the log to its end. Errors: kInvalid (no line of Postfix in it), kTryAgain (stopped), those of source and evidence.
Result<Report> reconcile(LogSource& log, Evidence& evidence, const Options& options);

/// "11204 accepted, 11204 archived, 0 missing"
std::string summary_line(const Report& report);
/// One line of an exception, tab-free: queue id, time (UTC), sender, reason, detail.
std::string exception_line(const Finding& finding);
/// schema reconcile/1 (docs/reconcile.md); of the exceptions at most `most`.
std::string report_json(const Report& report, size_t most = Report::kMaxExceptions);

}  // namespace arch::reconcile
