// What a part of a query finds: a set of messages, or everything but a set. Pure.
#pragma once

#include "query/index/number_set.h"

namespace arch::search {

using index::Numbers;
using index::NumberSet;

/// A set, or everything but a set: so that NOT needs no set of all messages before the end.
struct Set {
  NumberSet numbers;
  bool complement = false;
};
Set both(Set a, Set b);    ///< AND
Set either(Set a, Set b);  ///< OR

}  // namespace arch::search
