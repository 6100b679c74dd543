#include "tools/common/memory.h"

#include <malloc.h>

namespace arch::tool {

void return_memory_when_freed() {
  // Given explicitly, the threshold no longer grows with the blocks that are freed (mallopt(3)). Refusal costs memory only.
  constexpr int kMiB = 1 << 20;
  static_cast<void>(mallopt(M_MMAP_THRESHOLD, 4 * kMiB));
  static_cast<void>(mallopt(M_TRIM_THRESHOLD, 4 * kMiB));
  static_cast<void>(mallopt(M_ARENA_MAX, 4));
}

}  // namespace arch::tool
