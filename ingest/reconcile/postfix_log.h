// What Postfix took on and what became of it, by its log: lines in, mails out, each once, when nothing more is to be
// expected of it.
//
// A mail is all queue files that carried it: a content filter hands it back under a second queue id, local(8) forwards it
// under another one, postsuper requeues it under a third. It counts as taken on once the queue manager has it: what is
// refused or given up before never was anyone's mail.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "engine/base/clock.h"
#include "ingest/reconcile/postfix_line.h"

namespace arch::reconcile {

struct LoggedMail {
  enum class Origin : uint8_t {
    kClient,   ///< over SMTP
    kLocal,    ///< sendmail(1), by pickup
    kPostfix,  ///< made by Postfix: bounces, delivery reports, notices to the postmaster
  };
  std::string queue_id;                ///< the first one
  std::vector<std::string> queue_ids;  ///< all of them
  Origin origin = Origin::kPostfix;
  UnixNs first = 0, last = 0;      ///< of its lines
  std::string sender, message_id;  ///< without <>; empty when unknown or null
  bool taken = false;              ///< the queue manager had it, or it is on hold
  bool in_queue = false;           ///< not removed when the log ended
  bool on_hold = false;
  std::string refused;  ///< why it never was taken: what Postfix said; "" with !taken: given up by the client
  std::vector<std::string> marks;  ///< what the archive answered for its copies: first 16 digits of the digest
  /// Of a copy to the archive that is not there (yet): what Postfix said last. `lost`: it will not try again.
  std::string copy_trouble;
  bool copy_lost = false;
  bool deleted = false;  ///< by postsuper -d
  bool probe = false;    ///< address verification: nobody's mail
};

class PostfixLog {
 public:
  /// `settled` gets each mail once. `archive_recipient`: whose copies go to the archive; others are learnt from what the
  /// archive answered.
  PostfixLog(std::string archive_recipient, std::function<void(LoggedMail&&)> settled);
  ~PostfixLog();
  PostfixLog(const PostfixLog&) = delete;
  PostfixLog& operator=(const PostfixLog&) = delete;

  /// Lines in the order of the log. A mail whose first lines are older than the log is left out.
  void add(const PostfixLine& line);
  /// Settles everything that is left: it is in the queue.
  void finish();

  uint64_t lines() const { return lines_; }
  uint64_t rejected_without_queue_id() const { return noqueue_; }
  /// Mails that had to be settled early because too many were open at once (kMaxOpen): as if the log had ended for them.
  uint64_t settled_early() const { return settled_early_; }

  static constexpr size_t kMaxOpen = 200'000;

 private:
  struct Open;
  using Place = std::list<std::unique_ptr<Open>>::iterator;
  Open* find(std::string_view queue_id);
  Open* begin(const PostfixLine& line, LoggedMail::Origin origin);
  void join(Open* into, Open* other);
  void by_smtpd(const PostfixLine& line);
  void by_cleanup(const PostfixLine& line);
  void by_qmgr(const PostfixLine& line);
  void by_delivery(const PostfixLine& line);
  void removed(const PostfixLine& line);
  void settle(Open* mail);
  void settle_old(UnixNs now);

  std::string archive_recipient_;
  std::unordered_set<std::string> archive_recipients_;
  std::function<void(LoggedMail&&)> settled_;
  std::list<std::unique_ptr<Open>> open_;             ///< oldest first
  std::unordered_map<std::string, Open*> by_id_;      ///< of open mails
  std::unordered_map<uint64_t, Open*> by_serial_;     ///< of open mails
  std::deque<std::pair<UnixNs, uint64_t>> finished_;  ///< removed at that time, by serial
  uint64_t serial_ = 0;
  uint64_t lines_ = 0, noqueue_ = 0, settled_early_ = 0;
};

}  // namespace arch::reconcile
