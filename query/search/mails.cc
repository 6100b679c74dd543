#include "query/search/mails.h"

#include <algorithm>

namespace arch::search {
namespace {

Result<NumberSet> unseen_of(const index::IndexReader* reader, const NumberSet& set) {
  if (reader == nullptr) return set;
  if (reader->contains_all_to(set.highest())) return NumberSet();
  ARCH_TRY(NumberSet known, reader->all());
  return subtract(set, known);
}

// By the keys of all: only what is asked for by its name is found before the index has seen it, and that is little.
Result<void> collapse_by_key(const Archive& archive, const NumberSet& messages, Mails* mails) {
  ARCH_TRY(const std::vector<MessageInfo> infos, archive.infos(messages.list()));
  std::unordered_map<uint64_t, uint64_t> first;
  for (const MessageInfo& info : infos) {
    const auto [known, fresh] = first.try_emplace(info.mail_key, info.number);
    if (!fresh) mails->hidden.push_back({info.number, known->second});
  }
  return {};
}

}  // namespace

Result<DateOf> dates_of(const Archive& archive, const index::IndexReader* reader, const NumberSet& set) {
  DateOf out;
  ARCH_TRY(const NumberSet unseen, unseen_of(reader, set));
  if (reader != nullptr) {
    ARCH_TRY(out.known, reader->dates());
  }
  if (unseen.empty()) return out;
  ARCH_TRY(const std::vector<MessageInfo> infos, archive.infos(unseen.list()));
  for (const MessageInfo& info : infos)
    out.unseen[info.number] = static_cast<uint32_t>(std::clamp<int64_t>(info.date / kNsPerSecond, 0, UINT32_MAX));
  return out;
}

Result<Mails> mails_of(const Archive& archive, const index::IndexReader* reader, const NumberSet& messages) {
  Mails mails;
  ARCH_TRY(mails.date, dates_of(archive, reader, messages));
  if (!mails.date.unseen.empty()) {
    ARCH_TRY_VOID(collapse_by_key(archive, messages, &mails));
  } else if (reader != nullptr) {
    ARCH_TRY(const std::vector<index::Copy> copies, reader->copies(messages));
    std::unordered_map<uint64_t, uint64_t> shown;  // first message of the mail -> the first that matches
    for (const index::Copy& copy : copies) {
      const auto [known, fresh] =
          shown.try_emplace(copy.first, messages.contains(copy.first) ? copy.first : copy.number);
      if (known->second != copy.number) mails.hidden.push_back({copy.number, known->second});
    }
  }
  Numbers hidden;
  hidden.reserve(mails.hidden.size());
  for (const Mails::Hidden& each : mails.hidden) hidden.push_back(each.number);
  mails.shown = subtract(messages, hidden);
  return mails;
}

}  // namespace arch::search
