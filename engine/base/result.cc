#include "engine/base/result.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace arch {

namespace {

Code code_of_errno(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      return Code::kFull;
    case ENOENT:
      return Code::kNotFound;
    case EEXIST:
      return Code::kExists;
    case EACCES:
    case EPERM:
    case EROFS:
      return Code::kDenied;
    case EWOULDBLOCK:
      return Code::kTryAgain;
    default:
      return Code::kIo;
  }
}

}  // namespace

tl::unexpected<Error> fail_errno(int error_number, std::string what) {
  what += ": ";
  what += std::strerror(error_number);
  return fail(code_of_errno(error_number), std::move(what), {}, error_number);
}

std::string_view code_name(Code code) {
  switch (code) {
    case Code::kNotFound:
      return "not-found";
    case Code::kExists:
      return "exists";
    case Code::kInvalid:
      return "invalid";
    case Code::kTooLarge:
      return "too-large";
    case Code::kTryAgain:
      return "try-again";
    case Code::kFull:
      return "full";
    case Code::kIo:
      return "io";
    case Code::kCorrupt:
      return "corrupt";
    case Code::kTooNew:
      return "too-new";
    case Code::kUsage:
      return "usage";
    case Code::kDenied:
      return "denied";
  }
  return "unknown";
}

std::string describe(const Error& error) {
  if (error.hint.empty()) return error.what;
  return error.what + " — " + error.hint;
}

namespace internal {

void check_failed(const char* file, int line, const char* condition) {
  std::fprintf(stderr, "%s:%d: invariant broken: %s\n", file, line, condition);
  std::abort();
}

}  // namespace internal
}  // namespace arch
