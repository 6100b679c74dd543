#include "query/index/number_set.h"

#include <algorithm>
#include <utility>

namespace arch::index {
namespace {

constexpr size_t kLeapFactor = 16;
// One bit a number costs what a list does when one of 64 is in; a list of few is walked faster.
constexpr uint64_t kDenseFrom = 512, kDenseShare = 64;

bool wants_bits(uint64_t count, uint64_t highest) { return count >= kDenseFrom && count >= highest / kDenseShare; }

// First place in [at, end) whose value is not below `value`, by doubling steps.
Numbers::const_iterator leap(Numbers::const_iterator at, Numbers::const_iterator end, uint64_t value) {
  std::ptrdiff_t step = 1;
  while (end - at > step && at[step] < value) {
    at += step;
    step *= 2;
  }
  return std::lower_bound(at, end - at > step ? at + step + 1 : end, value);
}

Numbers intersect_lists(const Numbers& a, const Numbers& b) {
  const Numbers& small = a.size() <= b.size() ? a : b;
  const Numbers& large = a.size() <= b.size() ? b : a;
  Numbers out;
  if (large.size() / kLeapFactor < small.size()) {
    std::set_intersection(small.begin(), small.end(), large.begin(), large.end(), std::back_inserter(out));
    return out;
  }
  auto at = large.begin();
  for (uint64_t number : small) {
    at = leap(at, large.end(), number);
    if (at == large.end()) break;
    if (*at == number) out.push_back(number);
  }
  return out;
}

Numbers subtract_lists(const Numbers& from, const Numbers& what) {
  Numbers out;
  if (what.size() / kLeapFactor < from.size()) {
    std::set_difference(from.begin(), from.end(), what.begin(), what.end(), std::back_inserter(out));
    return out;
  }
  auto at = what.begin();
  for (uint64_t number : from) {
    at = leap(at, what.end(), number);
    if (at == what.end() || *at != number) out.push_back(number);
  }
  return out;
}

// Without the instruction, which not every processor of this architecture has, a count is a call and some twenty operations a word: of
// a set of a million numbers a good part of what combining it costs.
uint64_t count_of(const std::vector<uint64_t>& words) {
  uint64_t count = 0;
  for (const uint64_t word : words) count += static_cast<uint64_t>(std::popcount(word));
  return count;
}
#ifdef __x86_64__
__attribute__((target("popcnt"))) uint64_t count_by_instruction(const std::vector<uint64_t>& words) {
  uint64_t count = 0;
  for (const uint64_t word : words) count += static_cast<uint64_t>(__builtin_popcountll(word));
  return count;
}
const bool kHasPopcnt = __builtin_cpu_supports("popcnt") != 0;
#endif

}  // namespace

NumberSet::NumberSet(Numbers rising) : list_(std::move(rising)), count_(list_.size()) { settle(); }

NumberSet NumberSet::range(uint64_t first, uint64_t last) {
  NumberSet out;
  if (last < first) return out;
  out.bits_.assign(last / 64 + 1, ~uint64_t{0});
  for (size_t i = 0; i < first / 64; ++i) out.bits_[i] = 0;
  out.bits_[first / 64] &= ~uint64_t{0} << (first % 64);
  out.bits_.back() &= ~uint64_t{0} >> (63 - last % 64);
  out.count_ = last - first + 1;
  out.settle();
  return out;
}

NumberSet NumberSet::of_bits(std::vector<uint64_t> words) {
  NumberSet out;
  out.bits_ = std::move(words);
  out.count_bits();
  out.settle();
  return out;
}

bool NumberSet::contains(uint64_t number) const {
  return dense() ? bit(number) : std::binary_search(list_.begin(), list_.end(), number);
}

uint64_t NumberSet::highest() const {
  if (empty()) return 0;
  if (!dense()) return list_.back();
  return (bits_.size() - 1) * 64 + 63 - static_cast<uint64_t>(std::countl_zero(bits_.back()));
}

Numbers NumberSet::list() const {
  if (!dense()) return list_;
  Numbers out;
  out.reserve(count_);
  for (size_t i = 0; i < bits_.size(); ++i)
    for (uint64_t word = bits_[i]; word != 0; word &= word - 1)
      out.push_back(i * 64 + static_cast<uint64_t>(std::countr_zero(word)));
  return out;
}

void NumberSet::set_bits(const Numbers& numbers) {
  for (uint64_t number : numbers) {
    if (number / 64 >= bits_.size()) bits_.resize(number / 64 + 1);
    bits_[number / 64] |= uint64_t{1} << (number % 64);
  }
}

void NumberSet::count_bits() {
  while (!bits_.empty() && bits_.back() == 0) bits_.pop_back();
#ifdef __x86_64__
  if (kHasPopcnt) {
    count_ = count_by_instruction(bits_);
    return;
  }
#endif
  count_ = count_of(bits_);
}

void NumberSet::make_dense() {
  if (dense()) return;
  Numbers from = std::move(list_);
  list_ = {};
  if (!from.empty()) bits_.resize(from.back() / 64 + 1);
  set_bits(from);
}

void NumberSet::settle() {
  if (wants_bits(count_, highest())) return make_dense();
  if (!dense()) return;
  list_ = list();
  bits_ = {};
}

void NumberSet::add(const Numbers& more) {
  if (more.empty()) return;
  if (dense()) {
    set_bits(more);
    count_bits();
    return settle();
  }
  const auto known = static_cast<std::ptrdiff_t>(list_.size());
  list_.insert(list_.end(), more.begin(), more.end());
  std::sort(list_.begin() + known, list_.end());
  std::inplace_merge(list_.begin(), list_.begin() + known, list_.end());
  list_.erase(std::unique(list_.begin(), list_.end()), list_.end());
  count_ = list_.size();
  settle();
}

void NumberSet::remove_above(uint64_t last) {
  if (last >= highest()) return;
  if (!dense()) {
    list_.erase(std::upper_bound(list_.begin(), list_.end(), last), list_.end());
    count_ = list_.size();
    return settle();
  }
  bits_.resize(last / 64 + 1);
  bits_.back() &= ~uint64_t{0} >> (63 - last % 64);
  count_bits();
  settle();
}

NumberSet intersect(const NumberSet& a, const NumberSet& b) {
  if (!a.dense() && !b.dense()) return intersect_lists(a.list_, b.list_);
  NumberSet out;
  if (a.dense() && b.dense()) {
    out.bits_.resize(std::min(a.bits_.size(), b.bits_.size()));
    for (size_t i = 0; i < out.bits_.size(); ++i) out.bits_[i] = a.bits_[i] & b.bits_[i];
    out.count_bits();
    out.settle();
    return out;
  }
  const NumberSet& sparse = a.dense() ? b : a;
  const NumberSet& bits = a.dense() ? a : b;
  Numbers kept;
  for (uint64_t number : sparse.list_)
    if (bits.bit(number)) kept.push_back(number);
  return kept;
}

NumberSet subtract(const NumberSet& from, const NumberSet& what) {
  if (from.empty() || what.empty()) return from;
  if (!from.dense()) {
    if (!what.dense()) return subtract_lists(from.list_, what.list_);
    Numbers kept;
    for (uint64_t number : from.list_)
      if (!what.bit(number)) kept.push_back(number);
    return kept;
  }
  NumberSet out = from;
  if (what.dense()) {
    for (size_t i = 0; i < std::min(out.bits_.size(), what.bits_.size()); ++i) out.bits_[i] &= ~what.bits_[i];
  } else {
    for (uint64_t number : what.list_)
      if (number / 64 < out.bits_.size()) out.bits_[number / 64] &= ~(uint64_t{1} << (number % 64));
  }
  out.count_bits();
  out.settle();
  return out;
}

NumberSet unite(std::vector<NumberSet> sets) {
  std::erase_if(sets, [](const NumberSet& set) { return set.empty(); });
  if (sets.empty()) return {};
  if (sets.size() == 1) return std::move(sets[0]);
  uint64_t count = 0;
  uint64_t highest = 0;
  bool dense = false;
  for (const NumberSet& set : sets) {
    count += set.count_;
    highest = std::max(highest, set.highest());
    dense = dense || set.dense();
  }
  if (!dense && !wants_bits(count, highest)) {
    Numbers all;
    all.reserve(count);
    for (NumberSet& set : sets) all.insert(all.end(), set.list_.begin(), set.list_.end());
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
  }
  NumberSet out;
  out.bits_.resize(highest / 64 + 1);
  for (const NumberSet& set : sets) {
    for (size_t i = 0; i < set.bits_.size(); ++i) out.bits_[i] |= set.bits_[i];
    out.set_bits(set.list_);
  }
  out.count_bits();
  out.settle();
  return out;
}

NumberSet unite(const NumberSet& a, const NumberSet& b) {
  std::vector<NumberSet> both;
  both.push_back(a);
  both.push_back(b);
  return unite(std::move(both));
}

// Both are settled, so that equal sets have one form.
bool operator==(const NumberSet& a, const NumberSet& b) { return a.list_ == b.list_ && a.bits_ == b.bits_; }

}  // namespace arch::index
