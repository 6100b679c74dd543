#include "query/index/attempt.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/bytes.h"

namespace arch::index {

Result<std::unique_ptr<Attempt>> Attempt::open(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0) return fail_errno(errno, "cannot open " + path);
  std::unique_ptr<Attempt> out(new Attempt(path, fd));
  std::string bytes(17, '\0');
  ssize_t got = ::pread(fd, bytes.data(), bytes.size(), 0);
  if (got < 0) return fail_errno(errno, "cannot read " + path);
  if (got == 16) {
    out->suspect_ = from_be64(bytes);
    out->suspect_tries_ = from_be64(std::string_view(bytes).substr(8));
  }
  return out;
}

Attempt::~Attempt() { ::close(fd_); }

Result<void> Attempt::write(uint64_t sequence, uint64_t tries) {
  std::string bytes = be64(sequence) + be64(tries);
  ssize_t written = ::pwrite(fd_, bytes.data(), bytes.size(), 0);
  if (written != static_cast<ssize_t>(bytes.size()))
    return fail_errno(written < 0 ? errno : ENOSPC, "cannot write " + path_);
  return {};
}

Result<bool> Attempt::begin(uint64_t sequence) {
  uint64_t tries = sequence == suspect_ ? suspect_tries_ : 0;
  if (tries >= kTries) return false;
  ARCH_TRY_VOID(write(sequence, tries + 1));
  return true;
}

Result<void> Attempt::end() {
  // The suspect stays remembered while this process lives: a batch cut off by an error comes again.
  return suspect_tries_ >= kTries ? write(suspect_, suspect_tries_) : write(0, 0);
}

}  // namespace arch::index
