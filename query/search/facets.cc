#include "query/search/facets.h"

#include <algorithm>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>

#include "engine/base/ascii.h"

namespace arch::search {
namespace {

constexpr uint32_t kNone = 0;

/// Texts by number; 0 is none.
class Names {
 public:
  uint32_t of(const std::string& name) {
    if (name.empty()) return kNone;
    const auto [at, fresh] = numbers_.emplace(name, static_cast<uint32_t>(names_.size() + 1));
    if (fresh) names_.push_back(name);
    return at->second;
  }
  const std::string& name(uint32_t number) const { return names_[number - 1]; }
  size_t size() const { return names_.size() + 1; }

 private:
  std::unordered_map<std::string, uint32_t> numbers_;
  std::vector<std::string> names_;
};

/// Sets of numbers by number; 0 is the empty one. Mails share them: a company's mail has few different ones.
class Sets {
 public:
  uint32_t of(std::vector<uint32_t> members) {
    std::sort(members.begin(), members.end());
    members.erase(std::unique(members.begin(), members.end()), members.end());
    if (members.empty()) return kNone;
    std::string key(reinterpret_cast<const char*>(members.data()), members.size() * sizeof(uint32_t));
    const auto [at, fresh] = numbers_.emplace(std::move(key), static_cast<uint32_t>(sets_.size() + 1));
    if (fresh) sets_.push_back(std::move(members));
    return at->second;
  }
  const std::vector<uint32_t>& members(uint32_t number) const { return sets_[number - 1]; }
  size_t size() const { return sets_.size() + 1; }

 private:
  std::unordered_map<std::string, uint32_t> numbers_;
  std::vector<std::vector<uint32_t>> sets_;
};

struct Row {
  uint32_t from = kNone, types = kNone;  // sets
  uint8_t direction = static_cast<uint8_t>(Direction::kUnknown);
};

CountAnswer answer_of(const char* by, const Names& names, const std::vector<uint64_t>& counts, uint64_t missing,
                      uint64_t total, size_t limit) {
  CountAnswer answer;
  answer.by = by;
  answer.total = total;
  answer.missing = missing;
  for (uint32_t i = 1; i < counts.size(); ++i)
    if (counts[i] > 0) answer.buckets.push_back({names.name(i), counts[i]});
  const auto better = [](const auto& a, const auto& b) {
    return a.count != b.count ? a.count > b.count : a.key < b.key;
  };
  if (answer.buckets.size() > limit) {
    std::partial_sort(answer.buckets.begin(), answer.buckets.begin() + static_cast<std::ptrdiff_t>(limit),
                      answer.buckets.end(), better);
    for (size_t i = limit; i < answer.buckets.size(); ++i) answer.other += answer.buckets[i].count;
    answer.buckets.resize(limit);
  } else {
    std::sort(answer.buckets.begin(), answer.buckets.end(), better);
  }
  return answer;
}

}  // namespace

struct FacetTable::State {
  explicit State(const Archive& given) : archive(given) {}
  const Archive& archive;
  std::mutex refreshing;
  mutable std::shared_mutex mutex;  // of what follows
  std::string numbering;
  uint64_t sequence = 0;  // deliveries read
  Names addresses, types;
  Sets address_sets, type_sets;
  std::vector<Row> rows;  // by message number

  void put(const MessageInfo& info) {
    Row row;
    std::vector<uint32_t> members;
    for (const mime::Address& person : info.from)
      if (const uint32_t name = addresses.of(ascii_lower(person.address)); name != kNone) members.push_back(name);
    row.from = address_sets.of(std::move(members));
    members.clear();
    for (const MessageInfo::Attachment& each : info.attachments)
      if (const uint32_t name = types.of(ascii_lower(each.media_type)); name != kNone) members.push_back(name);
    row.types = type_sets.of(std::move(members));
    row.direction = static_cast<uint8_t>(info.direction);
    if (rows.size() <= info.number) rows.resize(static_cast<size_t>(info.number) + 1);
    rows[static_cast<size_t>(info.number)] = row;
  }
};

FacetTable::FacetTable(const Archive& archive) : state_(std::make_unique<State>(archive)) {}
FacetTable::~FacetTable() = default;

Result<bool> FacetTable::refresh(uint64_t most) {
  State& s = *state_;
  const std::lock_guard one_at_a_time(s.refreshing);
  ARCH_TRY(const std::string numbering, s.archive.numbering());
  if (numbering != s.numbering) {  // the catalog was made anew
    const std::unique_lock lock(s.mutex);
    s.rows.clear();
    s.sequence = 0;
    s.numbering = numbering;
  }
  ARCH_TRY(const ArchiveStatus status, s.archive.status());
  if (status.last_sequence <= s.sequence) return true;
  // A further delivery may tell more of a mail that is known, such as which way it went.
  std::vector<uint64_t> numbers;
  uint64_t reached = s.sequence;
  ARCH_TRY_VOID(s.archive.for_each_delivery(s.sequence + 1, [&](const DeliveryInfo& delivery) {
    if (numbers.size() >= most) return false;
    numbers.push_back(delivery.message);
    reached = delivery.sequence;
    return true;
  }));
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  ARCH_TRY(const std::vector<MessageInfo> infos, s.archive.infos(numbers));
  const std::unique_lock lock(s.mutex);
  for (const MessageInfo& info : infos) s.put(info);
  s.sequence = reached;
  return reached >= status.last_sequence;
}

std::vector<CountAnswer> FacetTable::count(const std::vector<uint64_t>& numbers, size_t limit) const {
  const State& s = *state_;
  const std::shared_lock lock(s.mutex);
  std::vector<uint64_t> by_from(s.address_sets.size(), 0), by_types(s.type_sets.size(), 0);
  std::vector<uint64_t> by_direction(256, 0);
  for (uint64_t number : numbers) {
    const Row row = number < s.rows.size() ? s.rows[static_cast<size_t>(number)] : Row{};
    ++by_from[row.from];
    ++by_types[row.types];
    ++by_direction[row.direction];
  }
  const auto spread = [](const std::vector<uint64_t>& by_set, const Sets& sets, size_t names) {
    std::vector<uint64_t> out(names, 0);
    for (uint32_t i = 1; i < by_set.size(); ++i)
      if (by_set[i] > 0)
        for (uint32_t member : sets.members(i)) out[member] += by_set[i];
    return out;
  };
  std::vector<CountAnswer> out;
  out.push_back(answer_of("from", s.addresses, spread(by_from, s.address_sets, s.addresses.size()), by_from[kNone],
                          numbers.size(), limit));
  CountAnswer direction;
  direction.by = "direction";
  direction.total = numbers.size();
  direction.missing = by_direction[static_cast<size_t>(Direction::kUnknown)];
  for (Direction each : {Direction::kIncoming, Direction::kInternal, Direction::kOutgoing})  // by name
    if (const uint64_t count = by_direction[static_cast<size_t>(each)]; count > 0)
      direction.buckets.push_back({std::string(direction_name(each)), count});
  std::stable_sort(direction.buckets.begin(), direction.buckets.end(),
                   [](const auto& x, const auto& y) { return x.count > y.count; });
  out.push_back(std::move(direction));
  out.push_back(answer_of("attachment_type", s.types, spread(by_types, s.type_sets, s.types.size()), by_types[kNone],
                          numbers.size(), limit));
  return out;
}

}  // namespace arch::search
