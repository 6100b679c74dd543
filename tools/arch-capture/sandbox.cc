#include "tools/arch-capture/sandbox.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace arch::capture {

namespace {

// <linux/landlock.h> of Debian 12 (6.1) ends at the third version of the interface; newer rights by number.
struct RulesetAttribute {
  uint64_t files;
  uint64_t network;  // from version 4 on
};
constexpr uint64_t kAllFileRights[] = {0, 0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff};  // by version, from 1
constexpr uint64_t kTruncate = uint64_t{1} << 14;
constexpr uint64_t kBindAndConnectTcp = 3;

std::string because(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

std::string restrict_files(const std::string& journal_directory) {
  long version = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 1) return because("files are not restricted (Landlock)");
  RulesetAttribute attribute{kAllFileRights[version < 5 ? version : 5], version >= 4 ? kBindAndConnectTcp : 0};
  size_t size = version >= 4 ? sizeof attribute : sizeof attribute.files;
  int ruleset = static_cast<int>(syscall(SYS_landlock_create_ruleset, &attribute, size, 0));
  if (ruleset < 0) return because("files are not restricted (Landlock)");
  std::string problem;
  landlock_path_beneath_attr rule{};
  rule.parent_fd = open(journal_directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  rule.allowed_access = (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
                         LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | kTruncate) &
                        attribute.files;
  if (rule.parent_fd < 0 || syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0 ||
      syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
    problem = because("files are not restricted (Landlock)");
  if (rule.parent_fd >= 0) close(rule.parent_fd);
  close(ruleset);
  return problem;
}

std::string restrict_calls() {
  // Anything else fails with EPERM: an unforeseen call of a library is an error, not the end of capture. Starting or
  // tracing a program is the end: only an intruder does it.
  // clang-format off
  static const char* const kAllowed[] = {
      "accept4", "access", "brk", "clock_gettime", "clock_nanosleep", "clone", "clone3", "close", "dup",
      "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_wait", "eventfd2", "exit", "exit_group", "faccessat",
      "faccessat2", "fallocate", "fchmod", "fcntl", "fdatasync", "flock", "fstat", "fstatfs", "fsync", "ftruncate",
      "futex", "getdents64", "getpid", "getrandom", "getsockname", "getsockopt", "gettid", "gettimeofday", "link",
      "linkat", "lseek", "madvise", "mmap", "mprotect", "mremap", "munmap", "nanosleep", "newfstatat", "open",
      "openat", "ppoll", "poll", "pread64", "preadv", "prlimit64", "pwrite64", "pwritev", "pwritev2", "read", "readv",
      "recvfrom", "recvmsg", "rename", "renameat", "renameat2", "restart_syscall", "rseq", "rt_sigaction",
      "rt_sigprocmask", "rt_sigreturn", "sched_getaffinity", "sched_yield", "sendmsg", "sendto", "set_robust_list",
      "setsockopt", "shutdown", "sigaltstack", "stat", "statfs", "statx", "sysinfo", "tgkill", "uname", "unlink",
      "unlinkat", "write", "writev",
  };
  // clang-format on
  static const char* const kDeadly[] = {"execve", "execveat", "ptrace", "process_vm_writev"};
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (filter == nullptr) return "system calls are not restricted (seccomp): no memory";
  int error = 0;
  auto add = [&](uint32_t action, const char* name) {
    int call = seccomp_syscall_resolve_name(name);
    if (call != __NR_SCMP_ERROR && error == 0) error = seccomp_rule_add(filter, action, call, 0);
  };
  for (const char* name : kAllowed) add(SCMP_ACT_ALLOW, name);
  for (const char* name : kDeadly) add(SCMP_ACT_KILL_PROCESS, name);
  if (error == 0) error = seccomp_load(filter);
  seccomp_release(filter);
  return error == 0 ? "" : std::string("system calls are not restricted (seccomp): ") + std::strerror(-error);
}

}  // namespace

std::string enter_sandbox(const std::string& journal_directory) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  // The sanitizers' run time opens /proc and traces its own process.
  static_cast<void>(&restrict_files);
  static_cast<void>(&restrict_calls);
  static_cast<void>(journal_directory);
  return "no sandbox in a build with sanitizers";
#else
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return because("no sandbox");
  std::string files = restrict_files(journal_directory);
  std::string calls = restrict_calls();
  return files + (files.empty() || calls.empty() ? "" : "; ") + calls;
#endif
}

}  // namespace arch::capture
