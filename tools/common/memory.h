// What a program that packs and indexes asks of the C library's allocator.
#pragma once

namespace arch::tool {

/// Blocks of a megabyte and more go back to the system when they are freed, and threads share a few heaps. Left to itself,
/// glibc keeps what hundreds of short compression threads have used: half again as much as is in use. First thing in main().
void return_memory_when_freed();

}  // namespace arch::tool
