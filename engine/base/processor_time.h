// What a limit counts that a busy machine must not shorten.
#pragma once

#include <time.h>

#include <chrono>

namespace arch {

/// What the processor has spent on the calling thread.
inline std::chrono::nanoseconds processor_time() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace arch
