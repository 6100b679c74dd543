#include "tools/arch-extract/worker.h"

#include <malloc.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sysexits.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <new>

#include "engine/base/background.h"
#include "query/document/wire.h"
#include "tools/arch-extract/sandbox.h"

namespace arch::extract_worker {

namespace {

namespace wire = document::wire;

// The worker ends before its parent ends it, so that what was read by then is not lost.
constexpr double kOwnShare = 0.8;

// False at the end of the pipe.
bool read_all(char* to, size_t size) {
  while (size > 0) {
    const ssize_t got = ::read(STDIN_FILENO, to, size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    to += got;
    size -= static_cast<size_t>(got);
  }
  return true;
}

bool write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

bool answer(wire::Kind kind, const std::string& payload) {
  return write_all(wire::header(kind, payload.size())) && write_all(payload);
}

// Should the parent be gone, nobody else ends a document that hangs: SIGPROF does.
void alarm_in(std::chrono::milliseconds time) {
  itimerval timer{};
  timer.it_value.tv_sec = static_cast<time_t>(time.count() / 1'000);
  timer.it_value.tv_usec = static_cast<suseconds_t>(time.count() % 1'000 * 1'000);
  ::setitimer(ITIMER_PROF, &timer, nullptr);
}

// Whoever else wants the processor or the disk has it first.
void go_last() {
  constexpr int kOfProcess = 1, kIdleClass = 3 << 13;  // ioprio_set(2)
  give_way();
  static_cast<void>(::syscall(SYS_ioprio_set, kOfProcess, 0, kIdleClass));
}

}  // namespace

int run_worker(const Options& options) {
  if (isatty(STDIN_FILENO)) return EX_SOFTWARE;
  std::set_new_handler([] { _exit(wire::kExitMemory); });
  std::signal(SIGPIPE, SIG_IGN);
  if (options.warm_up) options.warm_up();
  if (options.background) go_last();
  const Sealed sealed = options.seal ? seal(options.memory_bytes) : Sealed{false, "not sealed: a test"};
  if (options.sealed) options.sealed();
  if (!answer(wire::Kind::kHello, wire::encode(wire::Hello{sealed.sealed, sealed.gaps, options.version}))) return 0;

  std::string head(wire::kHeaderBytes, '\0'), payload;
  while (read_all(head.data(), head.size())) {
    const auto size = wire::parse_header(head, wire::Kind::kRequest, uint64_t{1} << 40);
    if (!size) return EX_USAGE;
    payload.resize(*size);
    if (!read_all(payload.data(), payload.size())) return 0;
    auto request = wire::parse_request(payload);
    if (!request) return EX_USAGE;
    alarm_in(request->limits.time + std::chrono::milliseconds(2'000));
    request->limits.time = std::chrono::milliseconds(
        static_cast<int64_t>(static_cast<double>(request->limits.time.count()) * kOwnShare));
    const document::DocumentText text = options.read(
        std::as_bytes(std::span(request->bytes.data(), request->bytes.size())), request->hint, request->limits);
    if (!answer(wire::Kind::kResponse, wire::encode(text))) return 0;
    alarm_in(std::chrono::milliseconds(0));
    // A large document must not make the next one's limit smaller.
    payload = std::string();
    malloc_trim(0);
  }
  return 0;
}

}  // namespace arch::extract_worker
