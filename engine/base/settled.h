// Whether a file's time tells one state of it from the next.
#pragma once

#include <sys/stat.h>

#include "engine/base/clock.h"

namespace arch {

/// False when it was changed just now: a second change within the same tick of the file system's clock could not be told.
inline bool has_settled(const struct stat& status) {
  return Clock::system().now() - (status.st_mtim.tv_sec * kNsPerSecond + status.st_mtim.tv_nsec) >= kNsPerSecond;
}

}  // namespace arch
