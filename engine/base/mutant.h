// Marks what a promise rests on, so that a test build can take it away: each sync, each comparison, each mark, by name.
//
// In every other build the macros are their second argument. With -DARCH_MUTANTS=ON the environment variable ARCH_MUTANT names the
// one that is left out in this process; tests/faults/mutants.py takes them in turn and shows which test fails
// (docs/durability.md).
#pragma once

#ifdef ARCH_MUTANTS
#include <cstdlib>
#include <cstring>

namespace arch {
inline bool is_mutated(const char* name) {
  static const char* const mutant = std::getenv("ARCH_MUTANT");
  return mutant != nullptr && std::strcmp(mutant, name) == 0;
}
}  // namespace arch

/// A call that gives Result<T>: left out, it succeeds with a default T and has done nothing.
#define ARCH_STEP(name, call) (::arch::is_mutated(name) ? decltype(call){} : (call))
/// A condition that is true when something is wrong: left out, it never is.
#define ARCH_WRONG(name, condition) (!::arch::is_mutated(name) && (condition))
/// A statement: left out, it is not run.
#define ARCH_MARK(name, statement)            \
  do {                                        \
    if (!::arch::is_mutated(name)) statement; \
  } while (false)
#else
#define ARCH_STEP(name, call) (call)
#define ARCH_WRONG(name, condition) (condition)
#define ARCH_MARK(name, statement) statement
#endif
