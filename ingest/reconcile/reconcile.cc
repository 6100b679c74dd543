#include "ingest/reconcile/reconcile.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/journal/archive_file.h"
#include "engine/mime/trace.h"

namespace arch::reconcile {
namespace {

// The milter hands a mail over a little before its first line is in the log, a clock may have been set meanwhile, and the
// same queue id does not come back within that.
constexpr UnixNs kBefore = 600 * kNsPerSecond;
constexpr UnixNs kBehind = 3600 * kNsPerSecond;
constexpr uint64_t kTellEvery = 50'000;  // lines

class Judge {
 public:
  Judge(Evidence& evidence, const Options& options, Report* report)
      : evidence_(evidence), options_(options), report_(report) {}

  void mail(LoggedMail&& mail) {
    if (!error_.has_value() || mail.first < options_.since || mail.probe) return;
    if (auto judged = judge(std::move(mail)); !judged) error_ = tl::unexpected<Error>(judged.error());
  }

  Result<void> finish() {
    ARCH_TRY_VOID(error_);
    // One captured notice shows that this set-up captures them.
    for (Finding& notice : notices_) count(std::move(notice), notices_captured_);
    if (!notices_captured_) report_->notices_not_captured = uncaptured_;
    std::stable_sort(report_->exceptions.begin(), report_->exceptions.end(),
                     [](const Finding& a, const Finding& b) { return a.time < b.time; });
    return {};
  }

  const Result<void>& error() const { return error_; }

 private:
  Result<bool> held(const LoggedMail& mail, Finding* finding) {
    for (const std::string& mark : mail.marks) {
      ARCH_TRY(bool there, evidence_.holds_digest(mark));
      if (!there) {
        finding->reason = Reason::kLost;
        finding->detail = "arch:" + mark;
        return false;
      }
    }
    if (!mail.marks.empty()) return true;
    for (const std::string& id : mail.queue_ids) {
      ARCH_TRY(bool there, evidence_.holds_queue_id(id, mail.first - kBefore, mail.last + kBehind));
      if (there) return true;
    }
    return false;
  }

  Result<void> judge(LoggedMail&& mail) {
    Finding finding{mail.queue_id, mail.first, mail.sender, mail.message_id, Reason::kArchived, {}};
    if (!mail.taken) {
      if (mail.refused.empty()) {
        ++report_->given_up;
        return {};
      }
      ++report_->refused;
      finding.reason = Reason::kRefused;
      finding.detail = mail.refused;
      except(std::move(finding));
      return {};
    }
    ARCH_TRY(bool there, held(mail, &finding));
    const bool notice = mail.origin == LoggedMail::Origin::kPostfix;
    if (there) {
      notices_captured_ = notices_captured_ || notice;
      ++report_->accepted;
      ++report_->archived;
      if (options_.each) options_.each(finding);
      // Captured one way, and on its way the other: worth a line, nothing is missing.
      if (!mail.copy_trouble.empty() && (mail.in_queue || mail.copy_lost)) {
        finding.reason = Reason::kCopyDeferred;
        finding.detail = mail.copy_trouble + "; held by the milter's copy";
        except(std::move(finding), false);
      }
      return {};
    }
    if (finding.reason != Reason::kLost) {
      if (mail.in_queue && !mail.copy_lost) {
        finding.reason = mail.on_hold                 ? Reason::kOnHold
                         : !mail.copy_trouble.empty() ? Reason::kCopyDeferred
                                                      : Reason::kQueued;
        finding.detail = mail.copy_trouble;
      } else {
        finding.reason = mail.copy_lost ? Reason::kCopyLost : mail.deleted ? Reason::kDeleted : Reason::kMissing;
        finding.detail = mail.copy_trouble;
        if (finding.detail.empty() && !mail.message_id.empty())
          finding.detail = "message-id=<" + mail.message_id + ">";
      }
    }
    if (notice && (finding.reason == Reason::kMissing || finding.reason == Reason::kQueued ||
                   finding.reason == Reason::kOnHold)) {
      ++uncaptured_;
      if (notices_.size() < Report::kMaxExceptions) notices_.push_back(std::move(finding));
      return {};
    }
    count(std::move(finding), true);
    return {};
  }

  void count(Finding&& finding, bool counts) {
    if (!counts) return;
    ++report_->accepted;
    ++(is_missing(finding.reason) ? report_->missing : report_->waiting);
    except(std::move(finding));
  }

  void except(Finding&& finding, bool tell = true) {
    if (tell && options_.each) options_.each(finding);
    ++report_->exceptions_total;
    if (report_->exceptions.size() < Report::kMaxExceptions) report_->exceptions.push_back(std::move(finding));
  }

  Evidence& evidence_;
  const Options& options_;
  Report* report_;
  Result<void> error_;
  bool notices_captured_ = false;
  uint64_t uncaptured_ = 0;
  std::vector<Finding> notices_;
};

}  // namespace

std::string_view reason_text(Reason reason) {
  switch (reason) {
    case Reason::kArchived:
      return "archived";
    case Reason::kRefused:
      return "refused before the queue";
    case Reason::kQueued:
      return "still queued";
    case Reason::kOnHold:
      return "on hold";
    case Reason::kCopyDeferred:
      return "always_bcc copy deferred";
    case Reason::kCopyLost:
      return "missing: always_bcc copy given up";
    case Reason::kDeleted:
      return "missing: deleted from the queue";
    case Reason::kMissing:
      return "missing";
    case Reason::kLost:
      return "missing: acknowledged, and not held";
  }
  return "";
}

std::string_view reason_name(Reason reason) {
  switch (reason) {
    case Reason::kArchived:
      return "archived";
    case Reason::kRefused:
      return "refused";
    case Reason::kQueued:
      return "queued";
    case Reason::kOnHold:
      return "on-hold";
    case Reason::kCopyDeferred:
      return "copy-deferred";
    case Reason::kCopyLost:
      return "copy-lost";
    case Reason::kDeleted:
      return "deleted";
    case Reason::kMissing:
      return "missing";
    case Reason::kLost:
      return "lost";
  }
  return "";
}

ArchiveEvidence::ArchiveEvidence(const Archive& archive) : archive_(archive) {}

Result<bool> ArchiveEvidence::in_catalog(const std::string& mark) const {
  ARCH_TRY(DigestPrefix prefix, DigestPrefix::parse(mark));
  auto digest = archive_.resolve(prefix);
  if (digest) return true;
  if (digest.error().code == Code::kInvalid) return true;  // several begin so
  if (digest.error().code == Code::kNotFound) return false;
  return tl::unexpected<Error>(std::move(digest).error());
}

Result<bool> ArchiveEvidence::in_catalog(const std::string& queue_id, UnixNs from, UnixNs to) const {
  ARCH_TRY(std::vector<uint64_t> sequences, archive_.by_queue_id(queue_id));
  for (uint64_t sequence : sequences) {
    ARCH_TRY(DeliveryInfo info, archive_.delivery(sequence));
    if (info.delivery.captured >= from && info.delivery.captured <= to) return true;
  }
  return false;
}

Result<bool> ArchiveEvidence::holds_digest(const std::string& mark) {
  ARCH_TRY(bool there, in_catalog(mark));
  if (there) return true;
  ARCH_TRY_VOID(read_journal());
  if (waiting_marks_.count(mark) != 0) return true;
  return in_catalog(mark);  // applied meanwhile
}

Result<bool> ArchiveEvidence::holds_queue_id(const std::string& queue_id, UnixNs from, UnixNs to) {
  ARCH_TRY(bool there, in_catalog(queue_id, from, to));
  if (there) return true;
  ARCH_TRY_VOID(read_journal());
  auto [begin, end] = waiting_ids_.equal_range(queue_id);
  for (auto it = begin; it != end; ++it)
    if (it->second >= from && it->second <= to) return true;
  return in_catalog(queue_id, from, to);
}

// What the engine has not applied (it may not even be running) is in the archive all the same.
Result<void> ArchiveEvidence::read_journal() {
  if (journal_read_) return {};
  journal_read_ = true;
  ARCH_TRY_VOID(archive_.refresh());
  ARCH_TRY(ArchiveStatus status, archive_.status());
  if (status.pending_bytes == 0) return {};
  ARCH_TRY(auto files, list_journal(Fs::real(), journal_directory(archive_.directory())));
  for (const JournalFileInfo& file : files) {
    auto reader = JournalReader::open(Fs::real(), file.path);
    if (!reader) {
      if (reader.error().code == Code::kNotFound) continue;  // packed meanwhile
      return tl::unexpected<Error>(std::move(reader).error());
    }
    (*reader)->set_live(file.state == JournalState::kOpen);
    uint64_t offset = 0;
    JournalReader::Record record;
    std::string message;
    for (;;) {
      ARCH_TRY(bool got, (*reader)->next(&offset, &record, &message, nullptr));
      if (!got) break;
      waiting_marks_.insert(record.header.digest.hex().substr(0, 16));
      std::string queue_id = record.delivery.queue_id;
      if (queue_id.empty()) queue_id = mime::queue_id_of(mime::parse(message), record.delivery.mta_host);
      if (!queue_id.empty()) waiting_ids_.emplace(std::move(queue_id), record.delivery.captured);
    }
  }
  return archive_.refresh();
}

Result<Report> reconcile(LogSource& log, Evidence& evidence, const Options& options) {
  Report report;
  Judge judge(evidence, options, &report);
  PostfixLog postfix(options.archive_recipient, [&](LoggedMail&& mail) { judge.mail(std::move(mail)); });
  LineParser parser(options.now);
  std::string line;
  for (uint64_t lines = 1;; ++lines) {
    ARCH_TRY(bool got, log.next(&line));
    if (!got) break;
    if (lines % kTellEvery == 0) {
      if (options.stop && options.stop()) return fail(Code::kTryAgain, "stopped");
      if (options.progress) options.progress(lines);
    }
    auto parsed = parser.parse(line);
    if (!parsed) continue;
    if (report.from == 0 || parsed->time < report.from) report.from = parsed->time;
    report.to = std::max(report.to, parsed->time);
    postfix.add(*parsed);
    ARCH_TRY_VOID(judge.error());
  }
  postfix.finish();
  report.lines = postfix.lines();
  report.rejected = postfix.rejected_without_queue_id();
  ARCH_TRY_VOID(judge.finish());
  if (report.lines == 0)
    return fail(Code::kInvalid, "no line of Postfix in the log",
                "is it the log that Postfix writes (maillog_file, syslog)?");
  return report;
}

std::string summary_line(const Report& report) {
  return std::to_string(report.accepted) + " accepted, " + std::to_string(report.archived) + " archived, " +
         std::to_string(report.missing) + " missing";
}

std::string exception_line(const Finding& finding) {
  std::string out = finding.queue_id + "  " + format_rfc3339(finding.time) + "  <" + finding.sender + ">  ";
  out += reason_text(finding.reason);
  if (!finding.detail.empty()) out += " (" + finding.detail + ")";
  return out;
}

std::string report_json(const Report& report, size_t most) {
  nlohmann::ordered_json out = {{"schema", "reconcile/1"},
                                {"from", format_rfc3339(report.from)},
                                {"to", format_rfc3339(report.to)},
                                {"lines", report.lines},
                                {"accepted", report.accepted},
                                {"archived", report.archived},
                                {"missing", report.missing},
                                {"waiting", report.waiting},
                                {"refused", report.refused},
                                {"rejected", report.rejected},
                                {"given_up", report.given_up},
                                {"notices_not_captured", report.notices_not_captured},
                                {"exceptions_total", report.exceptions_total},
                                {"exceptions", nlohmann::ordered_json::array()}};
  for (const Finding& finding : report.exceptions) {
    if (out["exceptions"].size() == most) break;
    out["exceptions"].push_back({{"queue_id", finding.queue_id},
                                 {"time", format_rfc3339(finding.time)},
                                 {"sender", finding.sender},
                                 {"message_id", finding.message_id},
                                 {"reason", reason_name(finding.reason)},
                                 {"detail", finding.detail}});
  }
  return out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace arch::reconcile
