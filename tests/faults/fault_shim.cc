// LD_PRELOAD library: counts what a program changes under one directory, and lets the Nth such call fail, or be the last thing
// the program does. The program is the one that is installed: no hook is compiled into it, and what RocksDB and Xapian do
// counts like our own calls.
//
//   ARCH_FAULT_ROOT    only files below this directory count
//   ARCH_FAULT_LOG     a file that gets a line "N OP PATH" for each step (opened at the start, before any sandbox)
//   ARCH_FAULT_OPS     kinds that count, comma-separated: create write sync rename unlink allocate truncate mkdir link open
//                      (default: all but open)
//   ARCH_FAULT_PATH    only steps whose path contains this
//   ARCH_FAULT_AT      the step, from 1; 0 or unset: none
//   ARCH_FAULT_DO      kill (SIGKILL before the call), short (a write does half and then says ENOSPC), EIO, ENOSPC …
//   ARCH_FAULT_REPEAT  ever: that step and every later one
//   ARCH_FAULT_MALLOC  the allocation that is refused, from 1; with ARCH_FAULT_REPEAT=ever every later one too
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
}

namespace {

constexpr size_t kPath = 256;
constexpr size_t kDescriptors = 1024;
std::array<std::array<char, kPath>, kDescriptors> paths;  // of descriptors below the root; empty: another file

const char* root = nullptr;
const char* wanted_path = nullptr;
const char* wanted_ops = nullptr;
int log_descriptor = -1;
uint64_t fail_at = 0, malloc_at = 0;
bool ever = false, do_kill = false, do_short = false;
int do_errno = 0;
std::atomic<uint64_t> steps{0}, allocations{0};
std::atomic<bool> ready{false};

uint64_t number(const char* name) {
  const char* text = getenv(name);
  return text == nullptr ? 0 : strtoull(text, nullptr, 10);
}

__attribute__((constructor)) void begin() {
  root = getenv("ARCH_FAULT_ROOT");
  wanted_path = getenv("ARCH_FAULT_PATH");
  wanted_ops = getenv("ARCH_FAULT_OPS");
  fail_at = number("ARCH_FAULT_AT");
  malloc_at = number("ARCH_FAULT_MALLOC");
  const char* repeat = getenv("ARCH_FAULT_REPEAT");
  ever = repeat != nullptr && strcmp(repeat, "ever") == 0;
  const char* what = getenv("ARCH_FAULT_DO");
  do_kill = what != nullptr && strcmp(what, "kill") == 0;
  do_short = what != nullptr && strcmp(what, "short") == 0;
  do_errno = what != nullptr && strcmp(what, "EIO") == 0 ? EIO : ENOSPC;
  if (const char* log = getenv("ARCH_FAULT_LOG"))
    log_descriptor =
        static_cast<int>(syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  ready = true;
}

template <class Function>
Function next(Function, const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}
#define NEXT(function)                                   \
  static const auto real = next(&::function, #function); \
  static_cast<void>(real)

bool below_root(const char* path) {
  return root != nullptr && path != nullptr && strncmp(path, root, strlen(root)) == 0;
}

bool counts(const char* op) {
  if (wanted_ops == nullptr) return strcmp(op, "open") != 0;
  const char* found = strstr(wanted_ops, op);
  const size_t size = strlen(op);
  return found != nullptr && (found == wanted_ops || found[-1] == ',') && (found[size] == ',' || found[size] == '\0');
}

enum class Verdict { kGo, kFail, kShort };

Verdict step(const char* op, const char* path) {
  if (!ready || !below_root(path) || !counts(op)) return Verdict::kGo;
  if (wanted_path != nullptr && strstr(path, wanted_path) == nullptr) return Verdict::kGo;
  const uint64_t mine = ++steps;
  const bool hit = fail_at != 0 && (mine == fail_at || (ever && mine > fail_at));
  if (log_descriptor >= 0) {
    std::array<char, kPath + 64> line;
    const int size = snprintf(line.data(), line.size(), "%llu %s %s%s\n", static_cast<unsigned long long>(mine), op,
                              path[strlen(root)] == '\0' ? "/" : path + strlen(root), hit ? " *" : "");
    if (size > 0) syscall(SYS_write, log_descriptor, line.data(), static_cast<size_t>(size));
  }
  if (!hit) return Verdict::kGo;
  if (do_kill) {
    syscall(SYS_tgkill, getpid(), static_cast<int>(syscall(SYS_gettid)), SIGKILL);
    for (;;) pause();
  }
  if (do_short && strcmp(op, "write") == 0) return Verdict::kShort;
  errno = do_errno;
  return Verdict::kFail;
}

const char* path_of(int descriptor) {
  if (descriptor < 0 || static_cast<size_t>(descriptor) >= kDescriptors) return nullptr;
  const char* path = paths[static_cast<size_t>(descriptor)].data();
  return *path == '\0' ? nullptr : path;
}

void remember(int descriptor, const char* path) {
  if (descriptor < 0 || static_cast<size_t>(descriptor) >= kDescriptors) return;
  char* slot = paths[static_cast<size_t>(descriptor)].data();
  if (below_root(path))
    snprintf(slot, kPath, "%s", path);
  else
    *slot = '\0';
}

bool refused() {
  if (!ready || malloc_at == 0) return false;
  const uint64_t mine = ++allocations;
  if (mine != malloc_at && !(ever && mine > malloc_at)) return false;
  errno = ENOMEM;
  return true;
}

int opened(int descriptor, const char* path) {
  remember(descriptor, path);
  return descriptor;
}

const char* open_op(int flags) { return (flags & O_CREAT) != 0 ? "create" : "open"; }

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  if (step(open_op(flags), path) != Verdict::kGo) return -1;
  return opened(static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, flags, mode)), path);
}
int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  if (step(open_op(flags), path) != Verdict::kGo) return -1;
  return opened(static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, flags, mode)), path);
}
int close(int descriptor) {
  NEXT(close);
  if (descriptor >= 0 && static_cast<size_t>(descriptor) < kDescriptors)
    paths[static_cast<size_t>(descriptor)][0] = '\0';
  return real(descriptor);
}

ssize_t write(int descriptor, const void* bytes, size_t size) {
  NEXT(write);
  switch (step("write", path_of(descriptor))) {
    case Verdict::kFail:
      return -1;
    case Verdict::kShort:
      return size > 1 ? real(descriptor, bytes, size / 2) : -1;
    case Verdict::kGo:
      break;
  }
  return real(descriptor, bytes, size);
}
ssize_t pwrite(int descriptor, const void* bytes, size_t size, off_t offset) {
  NEXT(pwrite);
  switch (step("write", path_of(descriptor))) {
    case Verdict::kFail:
      return -1;
    case Verdict::kShort:
      return size > 1 ? real(descriptor, bytes, size / 2, offset) : -1;
    case Verdict::kGo:
      break;
  }
  return real(descriptor, bytes, size, offset);
}
ssize_t pwritev(int descriptor, const iovec* parts, int count, off_t offset) {
  NEXT(pwritev);
  switch (step("write", path_of(descriptor))) {
    case Verdict::kFail:
      return -1;
    case Verdict::kShort: {
      iovec half = parts[0];
      half.iov_len = half.iov_len > 1 ? half.iov_len / 2 : half.iov_len;
      return real(descriptor, &half, 1, offset);
    }
    case Verdict::kGo:
      break;
  }
  return real(descriptor, parts, count, offset);
}
int fsync(int descriptor) {
  NEXT(fsync);
  return step("sync", path_of(descriptor)) == Verdict::kGo ? real(descriptor) : -1;
}
int fdatasync(int descriptor) {
  NEXT(fdatasync);
  return step("sync", path_of(descriptor)) == Verdict::kGo ? real(descriptor) : -1;
}
int sync_file_range(int descriptor, off64_t offset, off64_t size, unsigned flags) {
  NEXT(sync_file_range);
  return real(descriptor, offset, size, flags);
}
int fallocate(int descriptor, int mode, off_t offset, off_t size) {
  NEXT(fallocate);
  return step("allocate", path_of(descriptor)) == Verdict::kGo ? real(descriptor, mode, offset, size) : -1;
}
int posix_fallocate(int descriptor, off_t offset, off_t size) {
  NEXT(posix_fallocate);
  return step("allocate", path_of(descriptor)) == Verdict::kGo ? real(descriptor, offset, size) : do_errno;
}
int ftruncate(int descriptor, off_t size) noexcept {
  NEXT(ftruncate);
  return step("truncate", path_of(descriptor)) == Verdict::kGo ? real(descriptor, size) : -1;
}
int rename(const char* from, const char* to) noexcept {
  NEXT(rename);
  return step("rename", to) == Verdict::kGo ? real(from, to) : -1;
}
int renameat2(int from_directory, const char* from, int to_directory, const char* to, unsigned flags) noexcept {
  NEXT(renameat2);
  return step("rename", to) == Verdict::kGo ? real(from_directory, from, to_directory, to, flags) : -1;
}
int link(const char* from, const char* to) noexcept {
  NEXT(link);
  return step("link", to) == Verdict::kGo ? real(from, to) : -1;
}
int unlink(const char* path) noexcept {
  NEXT(unlink);
  return step("unlink", path) == Verdict::kGo ? real(path) : -1;
}
int mkdir(const char* path, mode_t mode) noexcept {
  NEXT(mkdir);
  return step("mkdir", path) == Verdict::kGo ? real(path, mode) : -1;
}

void* malloc(size_t size) { return refused() ? nullptr : __libc_malloc(size); }
void* calloc(size_t count, size_t size) { return refused() ? nullptr : __libc_calloc(count, size); }
void* realloc(void* block, size_t size) { return refused() ? nullptr : __libc_realloc(block, size); }

}  // extern "C"
