#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "engine/base/clock.h"
#include "tools/arch-capture/notify.h"
#include "tools/archd/daemon.h"
#include "tools/archd/log.h"

namespace arch::daemon {
namespace {

constexpr UnixNs kFirstPause = kNsPerSecond / 2, kLongestPause = 60 * kNsPerSecond;
constexpr UnixNs kSteady = 60 * kNsPerSecond;        // a process that ran this long begins anew with a short pause
constexpr UnixNs kStopWait = 60 * kNsPerSecond;      // for a process to end by itself
constexpr UnixNs kBindPatience = 15 * kNsPerSecond;  // a predecessor may still be draining on our address

UnixNs now() { return Clock::system().now(); }

/// One process that is kept running.
class Child {
 public:
  Child(std::string name, std::vector<std::string> command) : name_(std::move(name)), command_(std::move(command)) {}
  ~Child() {
    if (output_ >= 0) ::close(output_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Errors: what fork or pipe refuse.
  Result<void> start(const sigset_t& original_mask) {
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return fail_errno(errno, "pipe");
    std::vector<char*> argv;
    for (std::string& word : command_) argv.push_back(word.data());
    argv.push_back(nullptr);
    const pid_t parent = ::getpid();
    pid_t pid = ::fork();
    if (pid < 0) {
      auto error = fail_errno(errno, "fork");
      ::close(pipe[0]);
      ::close(pipe[1]);
      return error;
    }
    if (pid == 0) {
      // When this process is killed, what it started ends in good order, so that a new one finds address and archive free.
      ::prctl(PR_SET_PDEATHSIG, SIGTERM);
      if (::getppid() != parent) ::_exit(EX_OSERR);
      ::sigprocmask(SIG_SETMASK, &original_mask, nullptr);
      ::setpgid(0, 0);  // Ctrl-C reaches only the supervisor, which ends the two in order
      ::dup2(pipe[1], STDOUT_FILENO);
      ::unsetenv("NOTIFY_SOCKET");
      ::execvp(argv[0], argv.data());
      ::dprintf(STDERR_FILENO, "archd: cannot start %s: %s\n", argv[0], std::strerror(errno));
      ::_exit(EX_UNAVAILABLE);
    }
    ::close(pipe[1]);
    if (output_ >= 0) ::close(output_);
    output_ = pipe[0];
    pid_ = pid;
    started_ = now();
    first_start_ = first_start_ == 0 ? started_ : first_start_;
    line_.clear();
    return {};
  }

  /// Reads the child's stdout; the line that begins with "ready " makes it ready.
  void read_output() {
    std::array<char, 512> buffer{};
    ssize_t got = ::read(output_, buffer.data(), buffer.size());
    if (got <= 0) {
      ::close(output_);
      output_ = -1;
      return;
    }
    line_.append(buffer.data(), static_cast<size_t>(got));
    for (size_t end; (end = line_.find('\n')) != std::string::npos; line_.erase(0, end + 1))
      if (line_.compare(0, 6, "ready ") == 0) ready_ = line_.substr(6, end - 6);
    if (line_.size() > 4096) line_.clear();
  }

  /// The process has ended; the next start is due at due().
  void ended(int status) {
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    pause_ = now() - started_ > kSteady ? kFirstPause : std::min(std::max(pause_ * 2, kFirstPause), kLongestPause);
    due_ = now() + pause_;
    pid_ = -1;
  }
  void terminate(int signal) {
    if (pid_ > 0) ::kill(pid_, signal);
  }

  /// Ends in good order and is started at once, with this command.
  void begin_anew(std::vector<std::string> command) {
    command_ = std::move(command);
    ready_.clear();
    first_start_ = 0;
    due_ = 0;
    anew_ = pid_ > 0;
    terminate(SIGTERM);
  }
  /// The end that begin_anew() asked for: told once.
  bool take_anew() { return std::exchange(anew_, false); }

  bool running() const { return pid_ > 0; }
  const std::vector<std::string>& command() const { return command_; }
  pid_t pid() const { return pid_; }
  int output() const { return output_; }
  bool was_ready() const { return !ready_.empty(); }
  const std::string& ready() const { return ready_; }
  const std::string& name() const { return name_; }
  int status() const { return status_; }
  UnixNs due() const { return due_; }
  UnixNs pause() const { return pause_; }
  UnixNs first_start() const { return first_start_; }

 private:
  const std::string name_;
  std::vector<std::string> command_;
  pid_t pid_ = -1;
  int output_ = -1;
  std::string line_, ready_;
  int status_ = 0;
  UnixNs started_ = 0, first_start_ = 0, due_ = 0, pause_ = 0;
  bool anew_ = false;
};

std::string own_path() {
  std::array<char, PATH_MAX> buffer{};
  ssize_t size = ::readlink("/proc/self/exe", buffer.data(), buffer.size() - 1);
  return size > 0 ? std::string(buffer.data(), static_cast<size_t>(size)) : "archd";
}

/// Beside this program, else wherever PATH has it.
std::string capture_path(const std::string& own) {
  size_t slash = own.rfind('/');
  std::string beside = slash == std::string::npos ? "" : own.substr(0, slash + 1) + "arch-capture";
  return !beside.empty() && ::access(beside.c_str(), X_OK) == 0 ? beside : "arch-capture";
}

std::vector<std::string> capture_command(const Flags& flags) {
  const config::Config& c = flags.configuration;
  std::vector<std::string> command = {capture_path(own_path()), "--archive=" + flags.archive,
                                      "--message-limit=" + std::to_string(c.message_bytes),
                                      "--reserve=" + std::to_string(c.reserve_bytes),
                                      "--max-connections=" + std::to_string(c.capture_max_connections)};
  for (const std::string& address : flags.lmtp) command.push_back("--lmtp=" + address);
  for (const std::string& address : flags.smtp) command.push_back("--smtp=" + address);
  for (const std::string& address : flags.milter) command.push_back("--milter=" + address);
  for (const std::string& network : c.capture_peers) command.push_back("--peer=" + network);
  for (const std::string& pattern : c.capture_accept_rcpt) command.push_back("--accept-rcpt=" + pattern);
  command.push_back("--max-rcpt=" + std::to_string(c.capture_max_rcpt));
  if (c.capture_reject_bare_newline) command.push_back("--reject-bare-newline");
  if (c.capture_reject_oversize) command.push_back("--reject-oversize");
  if (c.log_json) command.push_back("--log-json");
  command.push_back("--log-level=" + c.log_level);
  return command;
}

class Supervisor {
 public:
  explicit Supervisor(const Flags& flags)
      : flags_(flags),
        managed_(flags.configuration.capture_managed),
        engine_("engine", engine_command(flags)),
        capture_("arch-capture", capture_command(flags)) {}

  int run() {
    sigset_t signals;
    sigemptyset(&signals);
    for (int signal : {SIGTERM, SIGINT, SIGCHLD, SIGHUP}) sigaddset(&signals, signal);
    sigprocmask(SIG_BLOCK, &signals, &original_mask_);
    signals_ = ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals_ < 0) {
      log("error", std::string("signalfd: ") + std::strerror(errno));
      return EX_OSERR;
    }
    start(engine_);
    while (!finished_) step();
    ::close(signals_);
    return result_;
  }

 private:
  static std::vector<std::string> engine_command(const Flags& flags) {
    std::vector<std::string> command = {own_path(), "--archive=" + flags.archive, "engine"};
    if (!flags.config.empty()) command.insert(command.begin() + 1, "--config=" + flags.config);
    for (const std::string& address : flags.http) command.push_back("--http=" + address);
    if (flags.http.empty()) command.push_back("--http=none");
    return command;
  }
  void start(Child& child) {
    auto started = child.start(original_mask_);
    if (!started) log("error", "starting " + child.name() + ": " + describe(started.error()));
  }

  void step() {
    std::array<pollfd, 3> fds = {pollfd{signals_, POLLIN, 0}, pollfd{engine_.output(), POLLIN, 0},
                                 pollfd{capture_.output(), POLLIN, 0}};
    if (::poll(fds.data(), fds.size(), 200) < 0 && errno != EINTR) {
      log("error", std::string("poll: ") + std::strerror(errno));
      result_ = EX_OSERR;
      begin_stop();
    }
    if (fds[1].revents != 0) engine_.read_output();
    if (fds[2].revents != 0) capture_.read_output();
    read_signals();
    reap(engine_);
    reap(capture_);
    if (stopping_) {
      go_on_stopping();
    } else {
      keep_running();
    }
    manager_.alive();
  }

  void read_signals() {
    signalfd_siginfo info{};
    while (::read(signals_, &info, sizeof info) == static_cast<ssize_t>(sizeof info))
      if (info.ssi_signo == SIGHUP)
        reload();
      else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
        begin_stop();
  }

  // The engine starts in well under two seconds, and no mail waits for it; capture is left alone where nothing changed for it,
  // since Postfix would have to come again.
  void reload() {
    if (stopping_) return;
    auto fresh = flags_.again();
    if (!fresh) {
      log("error", "the configuration is not taken over, what ran goes on: " + describe(fresh.error()));
      return;
    }
    if (fresh->archive != flags_.archive) {
      log("error", "archive.data_dir cannot change while archd runs, what ran goes on: stop and start it");
      return;
    }
    fresh->again = flags_.again;
    flags_ = *fresh;
    set_log(flags_.configuration.log_json, flags_.configuration.log_level);
    log("info", "configuration read anew");
    manager_.say("RELOADING=1");
    engine_.begin_anew(engine_command(flags_));
    if (managed_ && capture_command(flags_) != capture_.command()) capture_.begin_anew(capture_command(flags_));
    if (flags_.configuration.capture_managed != managed_)
      log("warn", "capture.managed changes only when archd is started again");
    announced_ = false;
    reloading_ = true;
  }

  void reap(Child& child) {
    int status = 0;
    if (!child.running() || ::waitpid(child.pid(), &status, WNOHANG) != child.pid()) return;
    child.ended(status);
    if (stopping_) return;
    if (child.take_anew()) {
      start(child);
      return;
    }
    // What an operator has to mend first is not tried again before the first success.
    bool hopeless = !child.was_ready() && is_hopeless(child);
    if (hopeless) {
      log("error", child.name() + " cannot start (exit status " + std::to_string(child.status()) + ")");
      result_ = child.status();
      begin_stop();
      return;
    }
    log("error", child.name() + " ended with status " + std::to_string(child.status()) + "; started again in " +
                     std::to_string(child.pause() / 1'000'000) + " ms");
  }

  static bool is_hopeless(const Child& child) {
    if (child.status() == EX_CANTCREAT || child.status() == EX_TEMPFAIL)
      return now() - child.first_start() > kBindPatience;
    for (int status : {EX_USAGE, EX_DATAERR, EX_NOINPUT, EX_UNAVAILABLE, EX_NOPERM, EX_CONFIG})
      if (child.status() == status) return true;
    return false;
  }

  void keep_running() {
    if (!engine_.running() && now() >= engine_.due()) start(engine_);
    // Capture waits for the engine's first word only so that two archd on one archive are told apart by one message.
    bool may_start = engine_.was_ready() || now() - engine_.first_start() > kBindPatience;
    if (managed_ && may_start && !capture_.running() && now() >= capture_.due()) start(capture_);
    const bool mail_is_taken = managed_ ? capture_.was_ready() : engine_.was_ready();
    if (!announced_ && mail_is_taken && (!reloading_ || engine_.was_ready())) {
      // The engine says "engine http=ADDRESS", or is not there yet: mail is taken without it.
      std::string line = managed_ ? capture_.ready() : "engine";
      if (engine_.was_ready() && engine_.ready().rfind("engine ", 0) == 0) line += engine_.ready().substr(6);
      std::printf("ready %s\n", line.c_str());
      std::fflush(stdout);
      log("info", "ready " + line);
      manager_.say("READY=1\nSTATUS=" + line);
      announced_ = true;
      reloading_ = false;
    }
  }

  void begin_stop() {
    if (stopping_) return;
    stopping_ = true;
    stop_deadline_ = now() + kStopWait;
    manager_.say("STOPPING=1");
    capture_.terminate(SIGTERM);
  }

  void go_on_stopping() {
    if (capture_.running()) {
      if (now() > stop_deadline_) capture_.terminate(SIGKILL);
      return;
    }
    if (!engine_told_) {
      engine_told_ = true;
      stop_deadline_ = now() + kStopWait;
      engine_.terminate(SIGTERM);
    }
    if (engine_.running()) {
      if (now() > stop_deadline_) engine_.terminate(SIGKILL);
      return;
    }
    finished_ = true;
    log("info", "stopped");
  }

  Flags flags_;
  const bool managed_;
  Child engine_, capture_;
  capture::ServiceManager manager_;
  sigset_t original_mask_{};
  int signals_ = -1;
  bool announced_ = false, reloading_ = false, stopping_ = false, engine_told_ = false, finished_ = false;
  UnixNs stop_deadline_ = 0;
  int result_ = 0;
};

}  // namespace

int run_supervisor(const Flags& flags) { return Supervisor(flags).run(); }

int run_capture(const Flags& flags) {
  std::vector<std::string> command = capture_command(flags);
  std::vector<char*> argv;
  for (std::string& word : command) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  log("error", "cannot start " + command[0] + ": " + std::strerror(errno));
  return EX_UNAVAILABLE;
}

}  // namespace arch::daemon
