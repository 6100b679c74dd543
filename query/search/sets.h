// Operations on rising lists of numbers without repeats. Pure.
#pragma once

#include <cstdint>
#include <vector>

namespace arch::search {

using Numbers = std::vector<uint64_t>;

/// Steps through the longer list in leaps when the other is much shorter.
Numbers intersect(const Numbers& a, const Numbers& b);
Numbers subtract(const Numbers& from, const Numbers& what);
Numbers unite(const Numbers& a, const Numbers& b);
/// All of them at once: sorts when there are many.
Numbers unite(std::vector<Numbers> lists);

/// A list, or everything but a list: so that NOT needs no list of all messages before the end.
struct Set {
  Numbers numbers;
  bool complement = false;
};
Set both(Set a, Set b);    ///< AND
Set either(Set a, Set b);  ///< OR

}  // namespace arch::search
