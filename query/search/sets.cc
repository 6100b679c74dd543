#include "query/search/sets.h"

namespace arch::search {

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
