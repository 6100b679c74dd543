// arch-extract-escape: a worker like arch-extract whose "documents" are names of ways out, which it tries. Test code only (escape_test.cc).
// With --unsealed it never enters the sandbox: then the same attempts must succeed, or they would prove nothing.
//
// A document is NAME or NAME ARGUMENT; the answer's text is "out" or "kept: ERRNO".
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <map>
#include <new>
#include <thread>
#include <vector>

#include "tools/arch-extract/worker.h"
#if defined(ARCH_OCR)
#include "tools/arch-ocr/ocr.h"
#endif

namespace {

using Attempt = long (*)(const std::string& argument);  // < 0 with errno: kept

// As if code of an attacker ran: plain system calls, no library in between.
long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
  return syscall(number, a, b, c, d, e, f);
}
long at(const std::string& text) { return reinterpret_cast<long>(text.c_str()); }

// A child that only ends; its own number when it came to be.
long child() {
  const long pid = call(SYS_fork);
  if (pid == 0) call(SYS_exit_group, 0);
  if (pid > 0) waitpid(static_cast<pid_t>(pid), nullptr, 0);
  return pid;
}

const std::map<std::string, Attempt>& attempts() {
  static const std::map<std::string, Attempt> all = {
      // ── files ──
      {"read-file", [](const std::string&) { return call(SYS_openat, AT_FDCWD, at("/etc/passwd"), O_RDONLY); }},
      {"read-file-by-old-call", [](const std::string&) { return call(SYS_open, at("/etc/passwd"), O_RDONLY); }},
      {"read-file-by-new-call",
       [](const std::string&) {
         uint64_t how[3] = {O_RDONLY, 0, 0};
         return call(SYS_openat2, AT_FDCWD, at("/etc/passwd"), reinterpret_cast<long>(how), sizeof how);
       }},
      {"write-file",
       [](const std::string& path) { return call(SYS_openat, AT_FDCWD, at(path), O_WRONLY | O_CREAT, 0600); }},
      {"list-directory",
       [](const std::string&) { return call(SYS_openat, AT_FDCWD, at("/"), O_RDONLY | O_DIRECTORY); }},
      {"make-directory", [](const std::string& path) { return call(SYS_mkdirat, AT_FDCWD, at(path + ".d"), 0700); }},
      {"remove-file", [](const std::string& path) { return call(SYS_unlinkat, AT_FDCWD, at(path + ".victim"), 0); }},
      {"rename-file",
       [](const std::string& path) {
         return call(SYS_renameat2, AT_FDCWD, at(path + ".victim2"), AT_FDCWD, at(path + ".moved"), 0);
       }},
      {"make-link",
       [](const std::string& path) { return call(SYS_symlinkat, at("/etc/passwd"), AT_FDCWD, at(path + ".link")); }},
      {"look-at-file",
       [](const std::string&) {
         struct stat info {};
         return call(SYS_newfstatat, AT_FDCWD, at("/etc/passwd"), reinterpret_cast<long>(&info), 0);
       }},
      {"read-link",
       [](const std::string&) {
         char target[64];
         return call(SYS_readlinkat, AT_FDCWD, at("/proc/self/exe"), reinterpret_cast<long>(target), sizeof target);
       }},
      {"open-own-pipe-anew",
       [](const std::string&) { return call(SYS_openat, AT_FDCWD, at("/proc/self/fd/1"), O_WRONLY); }},
      {"write-own-memory-file",
       [](const std::string&) { return call(SYS_openat, AT_FDCWD, at("/proc/self/mem"), O_RDWR); }},
      {"change-directory", [](const std::string&) { return call(SYS_chdir, at("/")); }},
      {"watch-files", [](const std::string&) { return call(SYS_inotify_init1, 0); }},
      // ── descriptors ──
      {"file-of-memory", [](const std::string&) { return call(SYS_memfd_create, at("x"), 0); }},
      {"copy-descriptor", [](const std::string&) { return call(SYS_dup, 1); }},
      {"copy-descriptor-over", [](const std::string&) { return call(SYS_dup2, 1, 100); }},
      {"make-pipe",
       [](const std::string&) {
         int ends[2];
         return call(SYS_pipe2, reinterpret_cast<long>(ends), 0);
       }},
      {"use-a-leaked-descriptor",
       [](const std::string& number) { return call(SYS_write, std::atol(number.c_str()), at("x"), 1); }},
      // ── network and other processes ──
      {"internet-socket", [](const std::string&) { return call(SYS_socket, AF_INET, SOCK_STREAM, 0); }},
      {"unix-socket", [](const std::string&) { return call(SYS_socket, AF_UNIX, SOCK_STREAM, 0); }},
      {"netlink-socket", [](const std::string&) { return call(SYS_socket, AF_NETLINK, SOCK_RAW, 0); }},
      {"pair-of-sockets",
       [](const std::string&) {
         int ends[2];
         return call(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, reinterpret_cast<long>(ends));
       }},
      {"run-program",
       [](const std::string& path) {
         char* words[] = {const_cast<char*>(path.c_str()), nullptr};
         return call(SYS_execve, at(path), reinterpret_cast<long>(words), 0);
       }},
      {"fork", [](const std::string&) { return child(); }},
      {"fork-many",
       [](const std::string&) {
         long made = 0;
         for (int i = 0; i < 20; ++i) made = child() > 0 ? made + 1 : made;
         errno = EPERM;
         return made > 0 ? made : -1;
       }},
      {"start-thread",
       [](const std::string&) {
         try {
           std::thread([] {}).join();
           return 0L;
         } catch (const std::system_error& error) {
           errno = error.code().value();
           return -1L;
         }
       }},
      {"signal-parent", [](const std::string&) { return call(SYS_kill, getppid(), 0); }},
      {"signal-parents-thread", [](const std::string&) { return call(SYS_tgkill, getppid(), getppid(), 0); }},
      {"trace-parent",
       [](const std::string& pid) {
         const long target = std::atol(pid.c_str());
         const long seized = call(SYS_ptrace, PTRACE_SEIZE, target, 0, 0);
         if (seized == 0) {  // let go again, or its next signal stops it for ever
           call(SYS_ptrace, PTRACE_INTERRUPT, target, 0, 0);
           waitpid(static_cast<pid_t>(target), nullptr, __WALL);
           call(SYS_ptrace, PTRACE_DETACH, target, 0, 0);
         }
         return seized;
       }},
      {"read-parents-memory",
       [](const std::string& pid_and_address) {
         char buffer[8];
         char* behind = nullptr;
         const long pid = std::strtol(pid_and_address.c_str(), &behind, 10);
         iovec here{buffer, sizeof buffer},
             there{reinterpret_cast<void*>(std::strtoul(behind, nullptr, 16)), sizeof buffer};
         return call(SYS_process_vm_readv, pid, reinterpret_cast<long>(&here), 1, reinterpret_cast<long>(&there), 1,
                     0);
       }},
      {"handle-of-process", [](const std::string&) { return call(SYS_pidfd_open, getppid(), 0); }},
      {"shared-memory", [](const std::string&) { return call(SYS_shmget, IPC_PRIVATE, 4096, IPC_CREAT | 0600); }},
      // ── memory ──
      {"gigabyte",
       [](const std::string&) {
         return call(SYS_mmap, 0, 1L << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
       }},
      {"grow-to-a-gigabyte",
       [](const std::string&) {
         const long small = call(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
         return small < 0 ? small : call(SYS_mremap, small, 4096, 1L << 30, MREMAP_MAYMOVE);
       }},
      {"executable-memory",
       [](const std::string&) {
         return call(SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
       }},
      {"make-memory-executable",
       [](const std::string&) {
         const long page = call(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
         return page < 0 ? page : call(SYS_mprotect, page, 4096, PROT_READ | PROT_EXEC);
       }},
      {"lock-memory",
       [](const std::string&) {
         static char page[4096];
         return call(SYS_mlock, reinterpret_cast<long>(page), sizeof page);
       }},
      // ── its own fetters ──
      {"raise-limit",
       [](const std::string&) {
         rlimit limit{};
         getrlimit(RLIMIT_NOFILE, &limit);
         limit.rlim_cur = limit.rlim_max;
         return call(SYS_setrlimit, RLIMIT_NOFILE, reinterpret_cast<long>(&limit));
       }},
      {"become-dumpable", [](const std::string&) { return call(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0); }},
      {"catch-signal",
       [](const std::string&) {
         struct sigaction action {};
         action.sa_handler = SIG_IGN;
         return static_cast<long>(sigaction(SIGALRM, &action, nullptr));
       }},
      {"change-personality", [](const std::string&) { return call(SYS_personality, 0xffffffff); }},
      {"new-namespace", [](const std::string&) { return call(SYS_unshare, CLONE_FS); }},
      {"wait-for-events", [](const std::string&) { return call(SYS_eventfd2, 0, 0); }},
      {"name-of-host",
       [](const std::string&) {
         char name[512];
         return call(SYS_uname, reinterpret_cast<long>(name));
       }},
  };
  return all;
}

arch::document::DocumentText attempt(std::span<const std::byte> bytes, const arch::document::Hint&,
                                     const arch::document::Limits&) {
  const std::string words(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const size_t blank = std::min(words.find(' '), words.size());
  const std::string argument = blank < words.size() ? words.substr(blank + 1) : std::string();
  arch::document::DocumentText out;
  out.status = arch::document::Status::kRead;
  out.tool = "escape";
  if (words == "names") {
    for (const auto& one : attempts()) out.text += one.first + '\n';
    return out;
  }
  // ── what needs the pool to end it ──
  if (words == "hang")
    for (volatile int forever = 1; forever != 0;) {
    }
  if (words == "flood")
    while (write(STDOUT_FILENO, words.data(), words.size()) > 0) {
    }
  if (words == "crash") {
    volatile int* volatile nowhere = nullptr;
    *nowhere = 1;
  }
  if (words == "abort") std::abort();
  if (words == "recurse") {
    struct Deep {
      static int down(volatile char* before) {  // NOLINT: this is the point
        volatile char here[4096];
        here[0] = before[0];
        if (here[0] == 1) return 0;  // never
        return down(here) + here[0];
      }
    };
    volatile char first[1] = {0};
    out.text = std::to_string(Deep::down(first));
  }
  if (words == "swallow") {
    std::vector<std::string> pieces;
    while (true) pieces.emplace_back(1u << 20, 'x');
  }
  if (words == "big-answer") {
    out.text.assign(24u << 20, 'x');
    return out;
  }
  const auto found = attempts().find(words.substr(0, blank));
  if (found == attempts().end()) {
    out.text = "no such attempt";
    return out;
  }
  errno = 0;
  const long result = found->second(argument);
  out.text = result >= 0 ? "out" : std::string("kept: ") + strerrorname_np(errno);
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  arch::extract_worker::Options options;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--unsealed") == 0) options.seal = false;
    if (std::strncmp(argv[i], "--memory-bytes=", 15) == 0)
      options.memory_bytes = std::strtoull(argv[i] + 15, nullptr, 10);
  }
  options.read = attempt;
#if defined(ARCH_OCR)
  // All that tesseract brings is there and was used before the seal.
  arch::ocr::Reader reader;
  if (!reader.load("eng")) return 1;
  options.warm_up = [&reader] { reader.warm_up(); };
#endif
  return arch::extract_worker::run_worker(options);
}
