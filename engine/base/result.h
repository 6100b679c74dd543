// Expected failures are values. This header alone names tl::expected (CC0; the interface of std::expected).
//
// Result<T> carries a T or an Error. It is [[nodiscard]], which tl::expected is not: a forgotten result is the bug to
// fear in a store. Exceptions of libraries end in the .cc file that made the call, at one converter per library.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace arch {

/// Says what the caller can do next, not which library was unhappy.
enum class Code : uint8_t {
  kNotFound = 1,  ///< no such message, blob, segment; no alarm
  kExists = 2,    ///< already there; a content-addressed write counts it as success
  kInvalid = 3,   ///< the input is malformed; the same input fails again
  kTooLarge = 4,  ///< over a limit of limits.h; nothing was written
  kTryAgain = 5,  ///< busy, locked, index moved on: the same call may succeed later
  kFull = 6,      ///< no space in file, reserve or disk; reading goes on
  kIo = 7,        ///< the device refused; the object that reported it is dead
  kCorrupt = 8,   ///< stored bytes contradict their checksum: alarm, keep, never "fix"
  kTooNew = 9,    ///< a newer format than this program knows; nothing was guessed
  kUsage = 10,    ///< the command line or configuration is wrong
  kDenied = 11,   ///< the operating system refused for lack of permission
};

/// `what` says what happened to which object; `hint`, when not empty, what the operator can do about it.
struct Error {
  Code code = Code::kInvalid;
  std::string what;
  std::string hint;
  int sys_errno = 0;  ///< errno of the failed call, 0 when there was none
};

template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

inline tl::unexpected<Error> fail(Code code, std::string what, std::string hint = {}, int sys_errno = 0) {
  return tl::unexpected<Error>(Error{code, std::move(what), std::move(hint), sys_errno});
}

/// Builds the error of a failed system call: "WHAT: strerror". ENOSPC and EDQUOT become kFull, ENOENT kNotFound, EEXIST
/// kExists, EACCES and EPERM kDenied, everything else kIo.
tl::unexpected<Error> fail_errno(int error_number, std::string what);

/// "not-found", "io" …: stable names for JSON and logs.
std::string_view code_name(Code code);

/// One line for people: what, then the hint after an em dash when there is one.
std::string describe(const Error& error);

namespace internal {
[[noreturn]] void check_failed(const char* file, int line, const char* condition);
}

}  // namespace arch

#define ARCH_CONCAT_INNER(a, b) a##b
#define ARCH_CONCAT(a, b) ARCH_CONCAT_INNER(a, b)

/// ARCH_TRY(auto x, expression): declares x from the value, or returns the error from the enclosing function.
#define ARCH_TRY(declaration, expression)                                                        \
  auto ARCH_CONCAT(arch_try_, __LINE__) = (expression);                                          \
  if (!ARCH_CONCAT(arch_try_, __LINE__))                                                         \
    return ::tl::unexpected<::arch::Error>(std::move(ARCH_CONCAT(arch_try_, __LINE__)).error()); \
  declaration = std::move(*ARCH_CONCAT(arch_try_, __LINE__))

/// The same for Result<void>, or where the value is not wanted.
#define ARCH_TRY_VOID(expression)                                                                     \
  do {                                                                                                \
    auto arch_try_result = (expression);                                                              \
    if (!arch_try_result) return ::tl::unexpected<::arch::Error>(std::move(arch_try_result).error()); \
  } while (false)

/// A broken invariant is a bug: aborts in every build.
#define ARCH_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::arch::internal::check_failed(__FILE__, __LINE__, #condition))
