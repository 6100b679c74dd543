#include "tools/arch-extract/sandbox.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace arch::extract_worker {

namespace {

// <linux/landlock.h> of Debian 12 (6.1) ends at the third version of the interface; newer rights by number.
struct RulesetAttribute {
  uint64_t files;
  uint64_t network;  // from version 4 on
  uint64_t scopes;   // from version 6 on
};
constexpr uint64_t kAllFileRights[] = {0, 0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff, 0xffff};  // by version, from 1
constexpr uint64_t kBindAndConnectTcp = 3, kAbstractSocketsAndSignals = 3;

[[maybe_unused]] constexpr rlim_t kCpuSeconds = 3'600;  // of a worker's whole life, should its parent be gone
[[maybe_unused]] constexpr uid_t kNobody = 65'534;

[[maybe_unused]] std::string because(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

// Every right is taken and none is given back for any path.
[[maybe_unused]] std::string restrict_files() {
  const long version = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 1) return because("no Landlock");
  const RulesetAttribute attribute{kAllFileRights[version < 6 ? version : 6], version >= 4 ? kBindAndConnectTcp : 0,
                                   version >= 6 ? kAbstractSocketsAndSignals : 0};
  const size_t size = version >= 6 ? sizeof attribute : version >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
  const int ruleset = static_cast<int>(syscall(SYS_landlock_create_ruleset, &attribute, size, 0));
  if (ruleset < 0) return because("no Landlock");
  std::string problem;
  if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) problem = because("no Landlock");
  close(ruleset);
  return problem;
}

// Bytes of address space; 0 when /proc does not say.
[[maybe_unused]] uint64_t own_size() {
  unsigned long long pages = 0;
  if (FILE* statm = std::fopen("/proc/self/statm", "re")) {
    if (std::fscanf(statm, "%llu", &pages) != 1) pages = 0;
    std::fclose(statm);
  }
  return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

[[maybe_unused]] std::string restrict_resources(uint64_t size, uint64_t memory_bytes) {
  if (size == 0) return "its own size cannot be read";
  const rlim_t memory = size + memory_bytes;
  const struct {
    __rlimit_resource_t resource;
    rlim_t value;
  } limits[] = {{RLIMIT_AS, memory}, {RLIMIT_CPU, kCpuSeconds}, {RLIMIT_NPROC, 0},   {RLIMIT_FSIZE, 0},
                {RLIMIT_NOFILE, 3},  {RLIMIT_CORE, 0},          {RLIMIT_MEMLOCK, 0}, {RLIMIT_MSGQUEUE, 0}};
  for (const auto& limit : limits) {
    const rlimit both{limit.value, limit.value};
    if (setrlimit(limit.resource, &both) != 0) return because("resources are not limited");
  }
  return {};
}

// As another user than root a worker meets the kernel's own permissions before ours.
[[maybe_unused]] std::string give_up_root() {
  if (geteuid() != 0) return {};
  if (setgroups(0, nullptr) != 0 || setresgid(kNobody, kNobody, kNobody) != 0 ||
      setresuid(kNobody, kNobody, kNobody) != 0)
    return because("root is not given up");
  return {};
}

[[maybe_unused]] std::string restrict_calls() {
  // What is not listed fails with EPERM: a library that asks for it goes on without. What only an intruder does is the end.
  // clang-format off
  static const char* const kAllowed[] = {
      "read", "write", "readv", "writev", "close", "lseek", "brk", "munmap", "mremap", "madvise", "futex",
      "clock_gettime", "clock_getres", "gettimeofday", "time", "getrandom", "setitimer", "rt_sigprocmask", "rt_sigreturn",
      "restart_syscall", "sched_yield", "getpid", "gettid", "fstat", "exit", "exit_group",
  };
  static const char* const kDeadly[] = {
      "execve", "execveat", "fork", "vfork", "clone", "clone3", "ptrace", "process_vm_readv", "process_vm_writev", "socket",
      "socketpair", "connect", "bind", "kill", "tkill", "bpf", "userfaultfd", "io_uring_setup", "perf_event_open", "keyctl",
      "add_key", "mount", "umount2", "pivot_root", "chroot", "unshare", "setns", "init_module", "finit_module", "kexec_load",
      "memfd_create", "modify_ldt", "pidfd_open", "pidfd_getfd", "pidfd_send_signal", "setuid", "setresuid",
  };
  // clang-format on
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (filter == nullptr) return "system calls are not restricted (seccomp): no memory";
  int error = 0;
  const auto call_of = [](const char* name) { return seccomp_syscall_resolve_name(name); };
  for (const char* name : kAllowed)
    if (error == 0 && call_of(name) != __NR_SCMP_ERROR)
      error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call_of(name), 0);
  for (const char* name : kDeadly)
    if (error == 0 && call_of(name) != __NR_SCMP_ERROR)
      error = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, call_of(name), 0);
  // Memory of its own and never executable; abort() for itself alone.
  if (error == 0)
    error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
                             SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS));
  if (error == 0)
    error =
        seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  if (error == 0)
    error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                             SCMP_A0(SCMP_CMP_EQ, static_cast<uint64_t>(getpid())));
  if (error == 0) error = seccomp_load(filter);
  seccomp_release(filter);
  return error == 0 ? "" : std::string("system calls are not restricted (seccomp): ") + std::strerror(-error);
}

}  // namespace

Sealed seal(uint64_t memory_bytes) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  // The sanitizers' run time opens /proc and takes terabytes of address space.
  static_cast<void>(memory_bytes);
  return {false, "no sandbox in a build with sanitizers"};
#else
  Sealed out;
  if (syscall(SYS_close_range, 3u, ~0u, 0u) != 0)
    for (int descriptor = 3; descriptor < 1'024; ++descriptor) close(descriptor);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    out.gaps = because("no sandbox");
    return out;
  }
  const uint64_t size = own_size();
  const std::string files = restrict_files();
  const std::string root = give_up_root();
  const std::string resources = restrict_resources(size, memory_bytes);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);  // a change of user may have set it
  const std::string calls = restrict_calls();
  out.sealed = resources.empty() && calls.empty();
  for (const std::string& gap : {files, root, resources, calls})
    if (!gap.empty()) out.gaps += (out.gaps.empty() ? "" : "; ") + gap;
  return out;
#endif
}

}  // namespace arch::extract_worker
