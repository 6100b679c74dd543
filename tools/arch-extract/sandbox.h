// What a worker may still do once it reads documents: compute, take memory up to a limit, read and write the pipes it has.
#pragma once

#include <cstdint>
#include <string>

namespace arch::extract_worker {

struct Sealed {
  bool sealed = false;  ///< system calls and resources are restricted: without that no document may be read
  std::string gaps;     ///< what could not be enforced, one line; empty when all holds
};

/// Once, before the first document, in a process of one thread. Cannot be undone. From here on: no file is opened, not even for reading
/// (seccomp knows no open; Landlock allows no path), no socket, no other process or program, no signal to others, no executable memory;
/// `memory_bytes` more of address space than now; root, if we had it, is given up.
Sealed seal(uint64_t memory_bytes);

}  // namespace arch::extract_worker
