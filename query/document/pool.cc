#include "query/document/pool.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <mutex>

#include "query/document/wire.h"

namespace arch::document {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kGrace{500};  // behind Limits::time: the worker itself ends earlier and says what it has
constexpr size_t kHelloBytes = 64u << 10;

struct Worker {
  pid_t pid = -1;
  int to = -1, from = -1;
  uint64_t served = 0;

  bool running() const { return pid > 0; }
};

// What became of an exchange with a worker.
enum class End : uint8_t { kAnswered, kGone, kTime, kNonsense };

int left_ms(Clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left + 1, 0, INT_MAX));
}

// write() that raises no SIGPIPE, whatever the program does with that signal: it is held back for this thread and taken off.
ssize_t quiet_write(int descriptor, const char* bytes, size_t size) {
  sigset_t pipe_signal, before, pending;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  sigpending(&pending);
  const bool pending_already = sigismember(&pending, SIGPIPE) == 1;
  pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  const ssize_t written = ::write(descriptor, bytes, size);
  const int error = errno;
  if (written < 0 && error == EPIPE && !pending_already) {
    const timespec now{};
    while (sigtimedwait(&pipe_signal, nullptr, &now) < 0 && errno == EINTR) {
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return written;
}

End send_all(const Worker& worker, std::string_view bytes, Clock::time_point deadline) {
  while (!bytes.empty()) {
    pollfd ready[] = {{worker.to, POLLOUT, 0}, {worker.from, POLLIN, 0}};
    const int count = ::poll(ready, 2, left_ms(deadline));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return End::kGone;
    if (Clock::now() >= deadline) return End::kTime;
    if ((ready[1].revents & POLLIN) != 0) return End::kNonsense;  // answers what it has not heard
    if (ready[0].revents == 0) continue;
    const ssize_t written = quiet_write(worker.to, bytes.data(), bytes.size());
    if (written < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (written < 0) return End::kGone;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return End::kAnswered;
}

End receive(const Worker& worker, size_t size, Clock::time_point deadline, std::string* out) {
  out->clear();
  while (out->size() < size) {
    pollfd ready{worker.from, POLLIN, 0};
    const int count = ::poll(&ready, 1, left_ms(deadline));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return End::kGone;
    if (Clock::now() >= deadline) return End::kTime;
    if (count == 0) continue;
    // Room grows with what comes, not with what a length promises.
    const size_t used = out->size(), more = std::min<size_t>(size - used, 1u << 20);
    out->resize(used + more);
    const ssize_t got = ::read(worker.from, out->data() + used, more);
    out->resize(used + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got <= 0) return End::kGone;
  }
  return End::kAnswered;
}

End receive_frame(const Worker& worker, wire::Kind kind, uint64_t most, Clock::time_point deadline,
                  std::string* payload) {
  std::string head;
  if (const End end = receive(worker, wire::kHeaderBytes, deadline, &head); end != End::kAnswered) return end;
  const auto size = wire::parse_header(head, kind, most);
  if (!size) return End::kNonsense;
  return receive(worker, *size, deadline, payload);
}

std::string ended_by(int status) {
  if (WIFSIGNALED(status)) {
    const char* name = sigabbrev_np(WTERMSIG(status));
    return "its reader was ended by SIG" + (name == nullptr ? std::to_string(WTERMSIG(status)) : std::string(name));
  }
  return "its reader ended with status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

struct Pool::State {
  Options options;
  std::string readers_version, gaps;

  mutable std::mutex mutex;
  std::condition_variable changed;
  std::vector<Worker> idle;  // guarded by mutex; a worker in use belongs to the thread in read()
  std::vector<pid_t> busy;   // guarded by mutex: whom stop() ends
  size_t in_use = 0;         // guarded by mutex: places taken by read()
  size_t calls = 0;          // guarded by mutex: threads in read()
  bool stopping = false;     // guarded by mutex
  Stats stats;               // guarded by mutex

  Result<Worker> spawn();
  Result<void> greet(const Worker& worker);
  int end(Worker* worker, bool kill);
  Result<DocumentText> read_with(Worker* worker, std::span<const std::byte> bytes, const Hint& hint);
  bool is_stopping() const {
    const std::lock_guard lock(mutex);
    return stopping;
  }
};

Result<Worker> Pool::State::spawn() {
  int request[2], response[2];
  if (::pipe2(request, O_CLOEXEC) != 0) return fail_errno(errno, "a pipe to a worker");
  if (::pipe2(response, O_CLOEXEC) != 0) {
    const int error = errno;
    ::close(request[0]);
    ::close(request[1]);
    return fail_errno(error, "a pipe from a worker");
  }
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, request[0], 0);
  posix_spawn_file_actions_adddup2(&files, response[1], 1);
  posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);  // a terminal's interrupt is for the parent
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  std::vector<std::string> words = {options.program, "--memory-bytes=" + std::to_string(options.limits.memory_bytes)};
  words.insert(words.end(), options.arguments.begin(), options.arguments.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  // Nothing of the parent's environment is a worker's business; its memory allocator must not keep what a document took; times in
  // archives must not make it look for a time zone's file; a library that wants threads (tesseract's OpenMP) gets none.
  char locale[] = "LC_ALL=C.UTF-8", zone[] = "TZ=UTC0", trim[] = "MALLOC_TRIM_THRESHOLD_=1048576",
       arenas[] = "MALLOC_ARENA_MAX=1", threads[] = "OMP_THREAD_LIMIT=1";
  char* environment[] = {locale, zone, trim, arenas, threads, nullptr};
  Worker worker;
  const int error =
      posix_spawnp(&worker.pid, options.program.c_str(), &files, &attributes, arguments.data(), environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  ::close(request[0]);
  ::close(response[1]);
  worker.to = request[1];
  worker.from = response[0];
  if (error != 0) {
    ::close(worker.to);
    ::close(worker.from);
    return fail_errno(error, "start " + options.program);
  }
  ::fcntl(worker.to, F_SETFL, O_NONBLOCK);
  ::fcntl(worker.from, F_SETFL, O_NONBLOCK);
  {
    const std::lock_guard lock(mutex);
    ++stats.started;
    busy.push_back(worker.pid);
  }
  if (auto greeted = greet(worker); !greeted) {
    end(&worker, true);
    return tl::unexpected<Error>(greeted.error());
  }
  return worker;
}

Result<void> Pool::State::greet(const Worker& worker) {
  std::string payload;
  const End ended = receive_frame(worker, wire::Kind::kHello, kHelloBytes, Clock::now() + options.start, &payload);
  if (ended != End::kAnswered)
    return fail(Code::kIo, options.program + " does not greet",
                ended == End::kGone ? "run it by hand: it says why" : "");
  ARCH_TRY(wire::Hello hello, wire::parse_hello(payload));
  if (options.require_sandbox && !hello.sealed)
    return fail(Code::kDenied, options.program + " runs without a sandbox: " + hello.gaps);
  const std::lock_guard lock(mutex);
  if (readers_version.empty()) {  // the first, in start(): read without a lock afterwards
    readers_version = std::move(hello.readers_version);
    gaps = std::move(hello.gaps);
  }
  return {};
}

// Reaps it, killed or not; returns its wait status, 0 when that cannot be had.
int Pool::State::end(Worker* worker, bool kill) {
  if (!worker->running()) return 0;
  {
    // Before it is reaped: stop() must not meet a process id that is another's by then.
    const std::lock_guard lock(mutex);
    busy.erase(std::remove(busy.begin(), busy.end(), worker->pid), busy.end());
  }
  ::close(worker->to);
  ::close(worker->from);
  if (kill) ::kill(worker->pid, SIGKILL);
  int status = 0;
  rusage usage{};
  // One that has closed its end but does not go is killed; a killed one goes at once.
  for (int tries = 0; tries < 5'000; ++tries) {
    const pid_t got = ::wait4(worker->pid, &status, WNOHANG, &usage);
    if (got == worker->pid || (got < 0 && errno != EINTR)) break;
    if (tries == 1'000) ::kill(worker->pid, SIGKILL);
    ::usleep(1'000);
  }
  {
    const std::lock_guard lock(mutex);
    stats.peak_rss_bytes = std::max(stats.peak_rss_bytes, static_cast<uint64_t>(usage.ru_maxrss) * 1'024);
  }
  *worker = Worker();
  return status;
}

Result<DocumentText> Pool::State::read_with(Worker* worker, std::span<const std::byte> bytes, const Hint& hint) {
  DocumentText out;
  for (int attempt = 0;; ++attempt) {
    if (worker->running() && worker->served >= options.documents_per_worker) end(worker, false);
    if (!worker->running()) {
      ARCH_TRY(*worker, spawn());
    }
    const bool fresh = worker->served == 0;
    const Clock::time_point deadline = Clock::now() + options.limits.time * options.patience + kGrace;
    const std::string head = wire::encode_head(hint, options.limits, bytes.size());
    End ended = send_all(*worker, wire::header(wire::Kind::kRequest, head.size() + bytes.size()) + head, deadline);
    if (ended == End::kAnswered)
      ended = send_all(*worker, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, deadline);
    std::string payload;
    // Also when it could not be sent: a worker that ended has perhaps said why.
    if (ended == End::kAnswered)
      ended = receive_frame(*worker, wire::Kind::kResponse, wire::most_response_bytes(options.limits), deadline,
                            &payload);
    if (ended == End::kAnswered) {
      auto parsed = wire::parse_response(payload, options.limits);
      if (parsed) {
        ++worker->served;
        return std::move(*parsed);
      }
      ended = End::kNonsense;
    }
    const int status = end(worker, ended != End::kGone);
    if (is_stopping()) return fail(Code::kTryAgain, "the readers of documents are being stopped");
    out = DocumentText();
    const std::lock_guard lock(mutex);
    if (ended == End::kTime || (ended == End::kGone && WIFSIGNALED(status) &&
                                (WTERMSIG(status) == SIGALRM || WTERMSIG(status) == SIGPROF))) {
      ++stats.timeouts;
      out.status = Status::kOverLimit;
      out.why = "the time is over";
      return out;
    }
    if (ended == End::kGone && WIFEXITED(status) && WEXITSTATUS(status) == wire::kExitMemory) {
      ++stats.out_of_memory;
      out.status = Status::kOverLimit;
      out.why = "it takes more memory than the limit";
    } else {
      ++stats.crashes;
      out.status = Status::kCrashed;
      out.why = ended == End::kNonsense ? "its reader gave an answer that is none" : ended_by(status);
    }
    if (fresh || attempt > 0) return out;
    ++stats.repeated;
  }
}

Pool::Pool() : state_(std::make_unique<State>()) {}

Result<std::unique_ptr<Pool>> Pool::start(Options options) {
  std::unique_ptr<Pool> pool(new Pool());
  pool->state_->options = std::move(options);
  pool->state_->options.workers = std::max<size_t>(pool->state_->options.workers, 1);
  ARCH_TRY(Worker first, pool->state_->spawn());
  pool->state_->idle.push_back(first);
  return pool;
}

Pool::~Pool() {
  stop();
  std::unique_lock lock(state_->mutex);
  state_->changed.wait(lock, [this] { return state_->calls == 0; });
}

Result<DocumentText> Pool::read(std::span<const std::byte> bytes, const Hint& hint) {
  State& state = *state_;
  if (bytes.size() > state.options.limits.document_bytes) {
    DocumentText out;
    out.status = Status::kOverLimit;
    out.why = "larger than the limit";
    return out;
  }
  Worker worker;
  {
    std::unique_lock lock(state.mutex);
    ++state.calls;
    const bool free = state.changed.wait_for(lock, state.options.wait,
                                             [&] { return state.stopping || state.in_use < state.options.workers; });
    if (!free || state.stopping) {
      --state.calls;
      state.changed.notify_all();
      return fail(Code::kTryAgain,
                  free ? "the readers of documents are being stopped" : "no reader of documents is free");
    }
    ++state.in_use;
    ++state.stats.documents;
    if (!state.idle.empty()) {
      worker = state.idle.back();
      state.idle.pop_back();
      state.busy.push_back(worker.pid);
    }
  }
  auto result = state.read_with(&worker, bytes, hint);
  bool keep = false;
  {
    const std::lock_guard lock(state.mutex);
    keep = worker.running() && !state.stopping;
    if (keep) {
      state.busy.erase(std::remove(state.busy.begin(), state.busy.end(), worker.pid), state.busy.end());
      state.idle.push_back(worker);
    }
  }
  if (!keep) state.end(&worker, true);
  {
    const std::lock_guard lock(state.mutex);
    --state.in_use;
    --state.calls;
    state.changed.notify_all();
  }
  return result;
}

void Pool::stop() {
  std::vector<Worker> idle;
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    idle.swap(state_->idle);
    for (const pid_t pid : state_->busy) ::kill(pid, SIGKILL);
    state_->changed.notify_all();
  }
  for (Worker& worker : idle) state_->end(&worker, false);
}

Pool::Stats Pool::stats() const {
  const std::lock_guard lock(state_->mutex);
  return state_->stats;
}
const std::string& Pool::readers_version() const { return state_->readers_version; }
const std::string& Pool::sandbox_gaps() const { return state_->gaps; }

std::string worker_program(const std::string& name) {
  std::string own(PATH_MAX, '\0');
  const ssize_t size = ::readlink("/proc/self/exe", own.data(), own.size());
  own.resize(static_cast<size_t>(std::max<ssize_t>(size, 0)));
  const size_t slash = own.rfind('/');
  if (slash == std::string::npos) return name;
  const std::string folder = own.substr(0, slash + 1);
  // Programs that archctl becomes are installed in PREFIX/libexec/arch, it and the workers in PREFIX/bin.
  for (const std::string& place : {folder + name, folder + "../../bin/" + name})
    if (::access(place.c_str(), X_OK) == 0) return place;
  return name;
}

}  // namespace arch::document
