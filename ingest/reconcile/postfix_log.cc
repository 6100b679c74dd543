#include "ingest/reconcile/postfix_log.h"

#include <algorithm>

#include "engine/base/ascii.h"

namespace arch::reconcile {
namespace {

// Lines of one mail come from several processes: the last ones may stand a little behind "removed".
constexpr UnixNs kLinger = 600 * kNsPerSecond;
constexpr size_t kTextBytes = 300;  // of what is kept of a line
constexpr size_t kMarksKept = 64;   // of one mail
constexpr size_t kIdsKept = 64;
constexpr size_t kRecipientsKept = 1000;

bool starts(std::string_view text, std::string_view with) { return text.substr(0, with.size()) == with; }

// "status=sent (250 2.0.0 <a@b> archived arch:0123456789abcdef)": the sixteen digits.
std::string_view mark_of(std::string_view text) {
  constexpr std::string_view kBefore = " archived arch:";
  size_t at = text.find(kBefore);
  if (at == std::string_view::npos) return {};
  std::string_view mark = text.substr(at + kBefore.size(), 16);
  const bool good = mark.size() == 16 && std::all_of(mark.begin(), mark.end(), [](char c) {
                      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                    });
  return good ? mark : std::string_view();
}

}  // namespace

struct PostfixLog::Open {
  LoggedMail mail;
  std::unordered_set<std::string> in_queue;  ///< its queue files that are not removed
  Place place;
  uint64_t serial = 0;
};

PostfixLog::PostfixLog(std::string archive_recipient, std::function<void(LoggedMail&&)> settled)
    : archive_recipient_(ascii_lower(archive_recipient)), settled_(std::move(settled)) {}
PostfixLog::~PostfixLog() = default;

PostfixLog::Open* PostfixLog::find(std::string_view queue_id) {
  auto found = by_id_.find(std::string(queue_id));
  return found == by_id_.end() ? nullptr : found->second;
}

PostfixLog::Open* PostfixLog::begin(const PostfixLine& line, LoggedMail::Origin origin) {
  // Short queue ids recur: the id's former mail is over, or goes on under another id.
  if (Open* former = find(line.queue_id)) {
    former->in_queue.erase(std::string(line.queue_id));
    if (former->in_queue.empty()) {
      settle(former);
    } else {
      by_id_.erase(std::string(line.queue_id));
    }
  }
  if (open_.size() >= kMaxOpen) {
    ++settled_early_;
    settle(open_.front().get());
  }
  auto made = std::make_unique<Open>();
  Open* mail = made.get();
  mail->mail.queue_id = std::string(line.queue_id);
  mail->mail.queue_ids.emplace_back(line.queue_id);
  mail->mail.origin = origin;
  mail->mail.first = mail->mail.last = line.time;
  mail->in_queue.insert(std::string(line.queue_id));
  mail->place = open_.insert(open_.end(), std::move(made));
  mail->serial = ++serial_;
  by_serial_[mail->serial] = mail;
  by_id_[std::string(line.queue_id)] = mail;
  return mail;
}

void PostfixLog::join(Open* into, Open* other) {
  if (into == other) return;
  if (other->mail.first < into->mail.first) std::swap(into, other);
  LoggedMail &to = into->mail, &from = other->mail;
  for (const std::string& id : from.queue_ids) {
    if (to.queue_ids.size() < kIdsKept) to.queue_ids.push_back(id);
    if (auto known = by_id_.find(id); known != by_id_.end() && known->second == other) known->second = into;
  }
  for (std::string& mark : from.marks)
    if (to.marks.size() < kMarksKept) to.marks.push_back(std::move(mark));
  into->in_queue.merge(other->in_queue);
  to.last = std::max(to.last, from.last);
  to.taken = to.taken || from.taken;
  to.on_hold = to.on_hold || from.on_hold;
  to.deleted = to.deleted || from.deleted;
  if (to.sender.empty()) to.sender = std::move(from.sender);
  if (to.message_id.empty()) to.message_id = std::move(from.message_id);
  if (to.copy_trouble.empty()) to.copy_trouble = std::move(from.copy_trouble);
  to.copy_lost = to.copy_lost || from.copy_lost;
  by_serial_.erase(other->serial);
  open_.erase(other->place);
}

void PostfixLog::add(const PostfixLine& line) {
  ++lines_;
  settle_old(line.time);
  if (line.queue_id.empty()) {
    if (starts(line.text, "NOQUEUE: reject") || starts(line.text, "NOQUEUE: milter-reject")) ++noqueue_;
    return;
  }
  if (line.program == "smtpd" || line.program == "pickup") {
    by_smtpd(line);
  } else if (line.program == "cleanup") {
    by_cleanup(line);
  } else if (line.program == "qmgr" || line.program == "nqmgr") {
    by_qmgr(line);
  } else if (line.program == "postsuper") {
    if (Open* mail = find(line.queue_id); mail != nullptr && starts(line.text, "removed")) {
      mail->mail.deleted = true;
      removed(line);
    }
  } else if (line.program != "bounce") {
    by_delivery(line);
  }
  if (Open* mail = find(line.queue_id)) mail->mail.last = std::max(mail->mail.last, line.time);
}

void PostfixLog::by_smtpd(const PostfixLine& line) {
  if (starts(line.text, "client=")) {
    Open* mail = begin(line, LoggedMail::Origin::kClient);
    // A content filter handed it back (XFORWARD IDENT).
    if (std::string_view before = field_of(line.text, "orig_queue_id"); is_queue_id(before)) {
      if (Open* first = find(before)) {
        join(first, mail);
      } else {
        mail->mail.queue_ids.emplace_back(before);
      }
    }
  } else if (line.program == "pickup" && starts(line.text, "uid=")) {
    std::string_view before = field_of(line.text, "orig_id");  // requeued
    Open* first = is_queue_id(before) && before != line.queue_id ? find(before) : nullptr;
    Open* mail = begin(line, LoggedMail::Origin::kLocal);
    mail->mail.sender = std::string(field_of(line.text, "from").substr(0, kTextBytes));
    if (first != nullptr) {
      first->in_queue.erase(std::string(before));
      join(first, mail);
    }
  } else if (starts(line.text, "milter-reject: END-OF-MESSAGE")) {
    if (Open* mail = find(line.queue_id)) mail->mail.refused = std::string(line.text.substr(0, kTextBytes));
  }
}

void PostfixLog::by_cleanup(const PostfixLine& line) {
  Open* mail = find(line.queue_id);
  if (starts(line.text, "message-id=")) {
    if (mail == nullptr || mail->in_queue.count(std::string(line.queue_id)) == 0)
      mail = begin(line, LoggedMail::Origin::kPostfix);
    if (mail->mail.message_id.empty())
      mail->mail.message_id = std::string(field_of(line.text, "message-id").substr(0, kTextBytes));
    return;
  }
  if (mail == nullptr) return;
  if (starts(line.text, "milter-reject: END-OF-MESSAGE") || starts(line.text, "reject: ") ||
      starts(line.text, "discard: ") || starts(line.text, "milter-discard: ")) {
    mail->mail.refused = std::string(line.text.substr(0, kTextBytes));
  } else if (starts(line.text, "hold: ") || starts(line.text, "milter-hold: ")) {
    mail->mail.on_hold = mail->mail.taken = true;
  }
}

void PostfixLog::by_qmgr(const PostfixLine& line) {
  if (starts(line.text, "removed")) return removed(line);
  Open* mail = find(line.queue_id);
  if (mail == nullptr || !starts(line.text, "from=<")) return;
  mail->mail.taken = true;
  if (line.text.find("status=expired") != std::string_view::npos) {
    // The copy to the archive asked for no notice: it is gone, and nobody was told.
    if (!mail->mail.copy_trouble.empty()) mail->mail.copy_lost = true;
    return;
  }
  if (line.text.find("status=force-expired") != std::string_view::npos) mail->mail.copy_lost = true;
  mail->mail.on_hold = false;
  if (mail->mail.sender.empty()) mail->mail.sender = std::string(field_of(line.text, "from").substr(0, kTextBytes));
}

void PostfixLog::by_delivery(const PostfixLine& line) {
  Open* mail = find(line.queue_id);
  if (mail == nullptr || !starts(line.text, "to=<")) return;
  const std::string_view status = field_of(line.text, "status");
  if (status == "sent") {
    if (std::string_view mark = mark_of(line.text); !mark.empty()) {
      if (mail->mail.marks.size() < kMarksKept) mail->mail.marks.emplace_back(mark);
      mail->mail.copy_trouble.clear();
      if (archive_recipients_.size() < kRecipientsKept)
        archive_recipients_.insert(ascii_lower(field_of(line.text, "to")));
      return;
    }
    // Handed to a filter that handed it back, or forwarded: the same mail under another id.
    for (std::string_view before : {std::string_view("queued as "), std::string_view("(forwarded as ")}) {
      size_t at = line.text.rfind(before);
      if (at == std::string_view::npos) continue;
      std::string_view id = line.text.substr(at + before.size());
      id = id.substr(0, id.find_first_of(") "));
      Open* other = find(id);
      // A queue id of another machine may read like one of ours: the mail is the same only if it says so.
      if (other != nullptr && other != mail && other->mail.message_id == mail->mail.message_id &&
          other->mail.first >= mail->mail.first)
        join(mail, other);
    }
    return;
  }
  if (status == "deliverable" || status == "undeliverable") {
    mail->mail.probe = true;
    return;
  }
  const std::string to = ascii_lower(field_of(line.text, "to"));
  if (to != archive_recipient_ && archive_recipients_.count(to) == 0) return;
  size_t at = line.text.find("status=");
  mail->mail.copy_trouble = std::string(line.text.substr(at == std::string_view::npos ? 0 : at + 7, kTextBytes));
  if (status == "bounced" || status == "expired") mail->mail.copy_lost = true;
}

void PostfixLog::removed(const PostfixLine& line) {
  Open* mail = find(line.queue_id);
  if (mail == nullptr) return;
  mail->in_queue.erase(std::string(line.queue_id));
  if (mail->in_queue.empty()) finished_.emplace_back(line.time, mail->serial);
}

void PostfixLog::settle_old(UnixNs now) {
  while (!finished_.empty() && now - finished_.front().first > kLinger) {
    auto mail = by_serial_.find(finished_.front().second);
    finished_.pop_front();
    if (mail != by_serial_.end() && mail->second->in_queue.empty()) settle(mail->second);
  }
}

void PostfixLog::settle(Open* mail) {
  for (const std::string& id : mail->mail.queue_ids)
    if (auto known = by_id_.find(id); known != by_id_.end() && known->second == mail) by_id_.erase(known);
  mail->mail.in_queue = !mail->in_queue.empty();
  LoggedMail out = std::move(mail->mail);
  by_serial_.erase(mail->serial);
  open_.erase(mail->place);
  settled_(std::move(out));
}

void PostfixLog::finish() {
  while (!open_.empty()) settle(open_.front().get());
  finished_.clear();
}

}  // namespace arch::reconcile
