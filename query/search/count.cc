// Facets: how the mails of an answer spread over the values of one property.
#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <unordered_map>

#include "engine/base/ascii.h"
#include "query/index/terms.h"
#include "query/language/dates.h"
#include "query/language/timezone.h"
#include "query/search/chunks.h"
#include "query/search/searcher_state.h"

namespace arch::search {
namespace {

constexpr std::array<std::pair<std::string_view, uint64_t>, 6> kSizes = {{{"under 10K", 10ull << 10},
                                                                          {"10K-100K", 100ull << 10},
                                                                          {"100K-1M", 1ull << 20},
                                                                          {"1M-10M", 10ull << 20},
                                                                          {"10M-100M", 100ull << 20},
                                                                          {"over 100M", UINT64_MAX}}};

/// Values of one mail, each once.
using Values = std::set<std::string>;

std::string domain_of(const std::string& address) {
  const size_t at = address.rfind('@');
  return at == std::string::npos || at + 1 == address.size() ? std::string() : address.substr(at + 1);
}

class Counter {
 public:
  void add(const Values& values) {
    if (values.empty()) ++missing_;
    for (const std::string& value : values) ++counts_[value];
  }
  void merge(const Counter& other) {
    missing_ += other.missing_;
    for (const auto& [value, count] : other.counts_) counts_[value] += count;
  }
  /// In order of the values, or by count; at most `limit`.
  void fill(CountAnswer* answer, size_t limit, bool by_value) const {
    answer->missing = missing_;
    std::vector<CountAnswer::Bucket> all;
    for (const auto& [value, count] : counts_) all.push_back({value, count});
    std::sort(all.begin(), all.end(), [by_value](const auto& a, const auto& b) {
      if (!by_value && a.count != b.count) return a.count > b.count;
      return a.key < b.key;
    });
    for (size_t i = limit; i < all.size(); ++i) answer->other += all[i].count;
    if (all.size() > limit) all.resize(limit);
    answer->buckets = std::move(all);
  }

 private:
  std::unordered_map<std::string, uint64_t> counts_;
  uint64_t missing_ = 0;
};

Result<void> add_recipients(const Archive& archive, const MessageInfo& info, bool domains, Values* values) {
  auto add = [&](const std::string& address) {
    std::string value = domains ? domain_of(ascii_lower(address)) : ascii_lower(address);
    if (!value.empty()) values->insert(std::move(value));
  };
  for (const auto* list : {&info.to, &info.cc, &info.bcc})
    for (const mime::Address& person : *list) add(person.address);
  for (uint64_t sequence : info.deliveries) {
    ARCH_TRY(DeliveryInfo delivery, archive.delivery(sequence));
    if (is_archive_copy(delivery.delivery)) continue;
    for (const Recipient& each : delivery.delivery.rcpt) add(each.address);
  }
  return {};
}

Result<Values> values_of(const Archive& archive, const MessageInfo& info, std::string_view by) {
  Values values;
  if (by == "from" || by == "from_domain") {
    for (const mime::Address& person : info.from) {
      const std::string address = ascii_lower(person.address);
      std::string value = by == "from" ? address : domain_of(address);
      if (!value.empty()) values.insert(std::move(value));
    }
  } else if (by == "rcpt" || by == "rcpt_domain") {
    ARCH_TRY_VOID(add_recipients(archive, info, by == "rcpt_domain", &values));
  } else if (by == "direction") {
    if (info.direction != Direction::kUnknown) values.insert(std::string(direction_name(info.direction)));
  } else if (by == "attachment_type") {
    for (const MessageInfo::Attachment& each : info.attachments) values.insert(ascii_lower(each.media_type));
  } else {  // size_class
    for (size_t i = 0; i < kSizes.size(); ++i)
      if (info.size < kSizes[i].second) {
        values.insert(std::to_string(i));
        break;
      }
  }
  return values;
}

}  // namespace

const std::vector<std::string_view>& count_keys() {
  static const std::vector<std::string_view> keys = {
      "year", "month",           "day",      "from",      "from_domain", "rcpt", "rcpt_domain", "direction",
      "list", "attachment_type", "language", "size_class"};
  return keys;
}

void count_periods(const Mails& mails, const std::string& timezone, size_t letters, size_t limit,
                   CountAnswer* answer) {
  auto zone = query::Timezone::load(timezone);
  const query::Timezone used = zone ? std::move(*zone) : query::Timezone();
  // Quarters of an hour first: where a day begins is asked once for each.
  std::unordered_map<uint32_t, uint64_t> quarters;
  for (uint64_t number : mails.shown) ++quarters[mails.date(number) / 900];
  std::map<int64_t, uint64_t> days;
  for (const auto& [quarter, count] : quarters) days[used.day_of(int64_t{quarter} * 900)] += count;
  std::map<std::string, uint64_t> periods;
  for (const auto& [day, count] : days) periods[query::format_day(day).substr(0, letters)] += count;
  size_t skipped = periods.size() > limit ? periods.size() - limit : 0;
  for (const auto& [period, count] : periods) {
    if (skipped > 0) {
      --skipped;
      answer->other += count;
    } else {
      answer->buckets.push_back({period, count});
    }
  }
}

Result<CountAnswer> Searcher::count(const Request& request, const std::string& asked_by, size_t limit) {
  // What the operators of the query language are called, beside the names that answers give.
  static const std::map<std::string, std::string, std::less<>> kSynonyms = {
      {"to", "rcpt"}, {"domain", "from_domain"}, {"type", "attachment_type"}};
  const auto synonym = kSynonyms.find(asked_by);
  const std::string& by = synonym == kSynonyms.end() ? asked_by : synonym->second;
  if (std::find(count_keys().begin(), count_keys().end(), by) == count_keys().end()) {
    std::string known;
    for (std::string_view key : count_keys()) known += (known.empty() ? "" : ", ") + std::string(key);
    return fail(Code::kUsage, "there is nothing called \"" + by + "\" to count by", "known: " + known);
  }
  State& s = *state_;
  ARCH_TRY(std::unique_ptr<State::Found> found, s.find(request));
  ARCH_TRY(const Mails mails, mails_of(s.archive, s.reader.get(), found->messages));
  CountAnswer answer;
  answer.by = by;
  answer.total = mails.shown.size();
  answer.as_of = found->as_of;
  answer.index = found->index;
  answer.interpreted = found->query.interpreted;
  answer.notices = std::move(found->query.notices);
  answer.notices.insert(answer.notices.end(), found->evaluation->notices().begin(),
                        found->evaluation->notices().end());

  Counter counter;
  if (by == "year" || by == "month" || by == "day") {
    count_periods(mails, request.context.timezone, by == "year" ? 4 : by == "month" ? 7 : 10, limit, &answer);
    return answer;
  }
  if (by == "list" || by == "language") {
    NumberSet missing = mails.shown;
    std::vector<CountAnswer::Bucket> all;
    const std::string prefix = by == "list" ? std::string(index::kList) + " " : std::string(index::kLanguage);
    std::vector<std::string> terms;
    if (s.reader)
      ARCH_TRY_VOID(s.reader->vocabulary(prefix, [&](const std::string& term, uint64_t) {
        terms.push_back(term);
        return true;
      }));
    for (const std::string& term : terms) {
      ARCH_TRY(NumberSet holders, s.reader->postings(term));
      holders = intersect(holders, mails.shown);
      if (holders.empty()) continue;
      all.push_back({term.substr(prefix.size()), holders.size()});
      missing = subtract(missing, holders);
    }
    std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.count > b.count; });
    for (size_t i = limit; i < all.size(); ++i) answer.other += all[i].count;
    if (all.size() > limit) all.resize(limit);
    answer.buckets = std::move(all);
    answer.missing = missing.size();
    return answer;
  }
  const Numbers numbers = mails.shown.list();
  std::mutex mutex;
  ARCH_TRY_VOID(in_chunks(numbers.size(), [&](size_t begin, size_t end) -> Result<void> {
    ARCH_TRY(std::vector<MessageInfo> infos, s.archive.infos({numbers.begin() + static_cast<std::ptrdiff_t>(begin),
                                                              numbers.begin() + static_cast<std::ptrdiff_t>(end)}));
    Counter some;
    for (const MessageInfo& info : infos) {
      ARCH_TRY(Values values, values_of(s.archive, info, by));
      some.add(values);
    }
    std::lock_guard lock(mutex);
    counter.merge(some);
    return {};
  }));
  counter.fill(&answer, limit, by == "size_class");
  if (by == "size_class")
    for (CountAnswer::Bucket& bucket : answer.buckets) bucket.key = kSizes[std::stoul(bucket.key)].first;
  return answer;
}

}  // namespace arch::search
