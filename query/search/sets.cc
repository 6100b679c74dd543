#include "query/search/sets.h"

#include <algorithm>
#include <iterator>

namespace arch::search {
namespace {

constexpr size_t kLeapFactor = 16;

// First place in [at, end) whose value is not below `value`, by doubling steps.
Numbers::const_iterator leap(Numbers::const_iterator at, Numbers::const_iterator end, uint64_t value) {
  std::ptrdiff_t step = 1;
  while (end - at > step && at[step] < value) {
    at += step;
    step *= 2;
  }
  return std::lower_bound(at, end - at > step ? at + step + 1 : end, value);
}

}  // namespace

Numbers intersect(const Numbers& a, const Numbers& b) {
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

Numbers subtract(const Numbers& from, const Numbers& what) {
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

Numbers unite(const Numbers& a, const Numbers& b) {
  if (a.empty()) return b;
  if (b.empty()) return a;
  Numbers out;
  out.reserve(a.size() + b.size());
  std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

Numbers unite(std::vector<Numbers> lists) {
  if (lists.empty()) return {};
  if (lists.size() == 1) return std::move(lists[0]);
  if (lists.size() == 2) return unite(lists[0], lists[1]);
  Numbers out;
  size_t size = 0;
  for (const Numbers& list : lists) size += list.size();
  out.reserve(size);
  for (Numbers& list : lists) {
    out.insert(out.end(), list.begin(), list.end());
    Numbers().swap(list);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

Set both(Set a, Set b) {
  if (a.complement && b.complement) return {unite(a.numbers, b.numbers), true};
  if (a.complement) return {subtract(b.numbers, a.numbers), false};
  if (b.complement) return {subtract(a.numbers, b.numbers), false};
  return {intersect(a.numbers, b.numbers), false};
}

Set either(Set a, Set b) {
  if (a.complement && b.complement) return {intersect(a.numbers, b.numbers), true};
  if (a.complement) return {subtract(a.numbers, b.numbers), true};
  if (b.complement) return {subtract(b.numbers, a.numbers), true};
  return {unite(a.numbers, b.numbers), false};
}

}  // namespace arch::search
