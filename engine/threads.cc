#include "engine/threads.h"

#include <algorithm>
#include <map>

#include "engine/archive_state.h"
#include "engine/base/ascii.h"
#include "engine/mime/subject.h"

namespace arch {
namespace {

constexpr size_t kReferences = 32;            // that are followed: the first, and the last ones
constexpr UnixNs kWindow = 30 * kNsPerDay;    // between mails that only the subject joins
constexpr UnixNs kClockSlip = kNsPerDay;      // by which an answer may be older than what it answers
constexpr uint64_t kSubjectNumbers = 20'000;  // messages back in which a subject is looked for …
constexpr size_t kSubjectCandidates = 100;    // … and how many of them are compared
constexpr size_t kSubjectBytes = 3;           // shorter ones say nothing

std::string join_key(uint64_t label) { return "j" + be64(label); }
std::string named_key(const std::string& id_key) { return "n" + id_key; }
// Subjects of all messages, and once more of those that answer something and do not say what.
std::string subject_key(char kind, uint32_t hash) { return std::string(1, kind) + be64(hash).substr(4); }
uint32_t subject_hash(const std::string& base) { return static_cast<uint32_t>(checksum64(as_bytes(base))); }

bool names(const std::vector<mime::Address>& people, const mime::Address& person) {
  return !person.address.empty() && std::any_of(people.begin(), people.end(), [&](const mime::Address& each) {
    return ascii_lower(each.address) == ascii_lower(person.address);
  });
}

// `reply` answers, by its subject, something like `other`: who wrote it had the other, and writes to who wrote that (or again
// to those it went to).
bool may_answer(const MessageInfo& reply, const MessageInfo& other) {
  if (other.date > reply.date + kClockSlip || reply.date - other.date > kWindow) return false;
  if (reply.from.empty() || other.from.empty()) return false;
  const mime::Address &author = reply.from.front(), &writer = other.from.front();
  const bool had_it = names(other.to, author) || names(other.cc, author) || names({writer}, author);
  const bool goes_back = names(reply.to, writer) || names(reply.cc, writer);
  if (names({writer}, author)) {  // writes again: to somebody of before
    return std::any_of(reply.to.begin(), reply.to.end(),
                       [&](const mime::Address& each) { return names(other.to, each) || names(other.cc, each); });
  }
  return had_it && goes_back;
}

}  // namespace

Result<uint64_t> resolve_thread(const Catalog& catalog, uint64_t label) {
  for (;;) {
    ARCH_TRY(auto row, catalog.get(Column::kThreading, join_key(label)));
    if (!row || row->size() != 8 || from_be64(*row) == label) return label;
    label = from_be64(*row);
  }
}

Result<void> resolve_threads(const Catalog& catalog, std::vector<uint64_t>* labels) {
  // Joins are few: most labels have no row, and one walk passes over all of them.
  std::map<uint64_t, uint64_t> roots;
  for (const uint64_t label : *labels) roots.emplace(label, label);
  std::vector<std::string> keys;
  for (const auto& [label, root] : roots) keys.push_back(join_key(label));
  std::vector<std::pair<uint64_t, uint64_t>> joined;
  auto each = roots.begin();
  size_t at = 0;
  ARCH_TRY_VOID(catalog.get_rising(Column::kThreading, keys, [&](size_t index, std::string_view row) {
    for (; at < index; ++at) ++each;
    if (row.size() == 8) joined.emplace_back(each->first, from_be64(row));
    return true;
  }));
  for (const auto& [label, next] : joined) {
    ARCH_TRY(roots[label], resolve_thread(catalog, next));
  }
  for (uint64_t& label : *labels) label = roots[label];
  return {};
}

Result<uint64_t> ThreadStep::resolve(uint64_t label) const {
  for (;;) {
    auto pending = joins_.find(label);
    if (pending != joins_.end()) {
      label = pending->second;
      continue;
    }
    ARCH_TRY(uint64_t root, resolve_thread(catalog_, label));
    if (root == label) return label;
    label = root;
  }
}

Result<uint64_t> ThreadStep::known_by_id(const std::string& key) const {
  auto pending = ids_.find(key);
  if (pending != ids_.end()) return pending->second;
  uint64_t number = 0;
  ARCH_TRY_VOID(catalog_.scan(Column::kMessageId, key, key, [&](std::string_view row, std::string_view) {
    number = from_be64(row.substr(8));
    return false;
  }));
  if (number != 0) {
    ARCH_TRY(MessageInfo info, info_(number));
    return info.thread;
  }
  auto named = named_.find(key);
  if (named != named_.end()) return named->second;
  ARCH_TRY(auto row, catalog_.get(Column::kThreading, named_key(key)));
  return row && row->size() == 8 ? from_be64(*row) : 0;
}

void ThreadStep::add(uint64_t label, uint64_t number) {
  batch_.put(Column::kThread, be64(label) + be64(number), {});
  members_[label].push_back(number);
}

// Of the catalog and of this step; at most `most`.
Result<std::vector<uint64_t>> ThreadStep::members(uint64_t label, size_t most) const {
  std::vector<uint64_t> numbers;
  ARCH_TRY_VOID(catalog_.scan(Column::kThread, be64(label), be64(label), [&](std::string_view key, std::string_view) {
    numbers.push_back(from_be64(key.substr(8)));
    return numbers.size() < most;
  }));
  auto pending = members_.find(label);
  if (pending != members_.end()) numbers.insert(numbers.end(), pending->second.begin(), pending->second.end());
  return numbers;
}

// Both are roots. What is moved is the smaller one, so that a long thread costs no more than a short one.
Result<uint64_t> ThreadStep::joined(uint64_t one, uint64_t other) {
  if (one == other) return one;
  uint64_t winner = one, loser = other;
  std::vector<uint64_t> moved;
  for (size_t most = 8;; most *= 8) {
    ARCH_TRY(std::vector<uint64_t> of_one, members(one, most));
    ARCH_TRY(std::vector<uint64_t> of_other, members(other, most));
    if (of_one.size() >= most && of_other.size() >= most) continue;
    const bool one_wins = of_one.size() != of_other.size() ? of_one.size() > of_other.size() : one < other;
    winner = one_wins ? one : other;
    loser = one_wins ? other : one;
    moved = one_wins ? std::move(of_other) : std::move(of_one);
    break;
  }
  for (uint64_t number : moved) {
    batch_.remove(Column::kThread, be64(loser) + be64(number));
    add(winner, number);
  }
  members_.erase(loser);
  joins_[loser] = winner;
  batch_.put(Column::kThreading, join_key(loser), be64(winner));
  return winner;
}

// Labels of the threads that only the subject tells to be this one's.
Result<std::vector<uint64_t>> ThreadStep::by_subject(const MessageInfo& message, bool has_references) {
  std::vector<uint64_t> labels;
  const mime::BaseSubject base = mime::base_subject(message.subject);
  if (base.text.size() < kSubjectBytes) return labels;
  const uint32_t hash = subject_hash(base.text);
  const bool orphan = base.reply && !has_references;
  auto consider = [&](const MessageInfo& other, bool other_is_orphan) {
    if (mime::base_subject(other.subject).text != base.text) return;
    if ((orphan && may_answer(message, other)) || (other_is_orphan && may_answer(other, message)))
      labels.push_back(other.thread);
  };
  auto look = [&](char kind, bool orphans) -> Result<void> {
    const std::string key = subject_key(kind, hash);
    const uint64_t from = message.number > kSubjectNumbers ? message.number - kSubjectNumbers : 0;
    std::vector<uint64_t> numbers;
    ARCH_TRY_VOID(
        catalog_.scan(Column::kThreading, key + be64(from), key, [&](std::string_view row, std::string_view) {
          numbers.push_back(from_be64(row.substr(5)));
          return numbers.size() < kSubjectCandidates;
        }));
    for (uint64_t number : numbers) {
      ARCH_TRY(MessageInfo other, info_(number));
      consider(other, orphans);
    }
    return {};
  };
  ARCH_TRY_VOID(look('o', true));
  if (orphan) ARCH_TRY_VOID(look('s', false));
  size_t compared = 0;
  for (auto [each, last] = subjects_.equal_range(hash); each != last && compared < kSubjectCandidates;
       ++each, ++compared)
    consider(each->second.info, each->second.orphan);

  batch_.put(Column::kThreading, subject_key('s', hash) + be64(message.number), {});
  if (orphan) batch_.put(Column::kThreading, subject_key('o', hash) + be64(message.number), {});
  subjects_.emplace(hash, Subject{message, orphan});
  return labels;
}

Result<uint64_t> ThreadStep::place(const MessageInfo& message, const std::vector<std::string>& references) {
  std::vector<std::string> keys;
  for (size_t i = 0; i < references.size(); ++i)
    if (i == 0 || i + kReferences > references.size()) keys.push_back(message_id_key(references[i]));
  // The message itself: it may have been named before, and a copy of it may be here.
  const std::string own =
      message.message_id.empty() ? mail_key_key(message.mail_key) : message_id_key(message.message_id);
  std::vector<uint64_t> labels;
  std::vector<std::string> unknown;
  for (const std::string& key : keys) {
    ARCH_TRY(uint64_t label, known_by_id(key));
    if (label != 0) {
      labels.push_back(label);
    } else if (key != own) {
      unknown.push_back(key);
    }
  }
  ARCH_TRY(uint64_t own_label, known_by_id(own));
  if (own_label != 0) labels.push_back(own_label);
  const size_t subject_place = subjects_.size();
  ARCH_TRY(std::vector<uint64_t> alike, by_subject(message, !references.empty()));
  labels.insert(labels.end(), alike.begin(), alike.end());

  uint64_t thread = 0;
  for (uint64_t label : labels) {
    ARCH_TRY(uint64_t root, resolve(label));
    if (thread == 0) {
      thread = root;
    } else {
      ARCH_TRY(thread, joined(thread, root));
    }
  }
  if (thread == 0) {
    thread = checksum64(message.message_id.empty() ? as_bytes(message.digest.view()) : as_bytes(message.message_id));
    thread = std::max<uint64_t>(thread, 1);
    ARCH_TRY(thread, resolve(thread));  // a label of that name may have been joined to another
  }
  add(thread, message.number);
  ids_.emplace(own, thread);
  for (const std::string& key : unknown) {
    named_.emplace(key, thread);
    batch_.put(Column::kThreading, named_key(key), be64(thread));
  }
  if (subjects_.size() != subject_place)
    for (auto [each, last] = subjects_.equal_range(subject_hash(mime::base_subject(message.subject).text));
         each != last; ++each)
      if (each->second.info.number == message.number) each->second.info.thread = thread;
  return thread;
}

}  // namespace arch
