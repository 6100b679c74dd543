// LD_PRELOAD library: every fdatasync and fsync takes BENCH_SYNC_DELAY_US microseconds longer, as on a disk that is slower than
// this machine's. What a group commit gains shows only there: on a fast disk nobody waits for anybody.
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

namespace {

long delay_us = 0;

// Before any sandbox is entered; afterwards the environment is still there, but there is no reason to ask it each time.
__attribute__((constructor)) void begin() {
  if (const char* text = getenv("BENCH_SYNC_DELAY_US")) delay_us = strtol(text, nullptr, 10);
}

int slow(const char* name, int descriptor) {
  using Sync = int (*)(int);
  const auto real = reinterpret_cast<Sync>(dlsym(RTLD_NEXT, name));
  const timespec delay{delay_us / 1'000'000, delay_us % 1'000'000 * 1'000};
  if (delay_us > 0) nanosleep(&delay, nullptr);
  return real(descriptor);
}

}  // namespace

extern "C" {
__attribute__((visibility("default"))) int fdatasync(int descriptor) { return slow("fdatasync", descriptor); }
__attribute__((visibility("default"))) int fsync(int descriptor) { return slow("fsync", descriptor); }
}
