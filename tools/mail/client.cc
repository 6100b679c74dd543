#include "tools/mail/client.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

extern char** environ;

namespace arch::mail {
namespace {

constexpr int kReplySeconds = 60;
constexpr std::chrono::seconds kProgramTime{60};

class Connection {
 public:
  Connection() = default;
  ~Connection() {
    if (fd_ >= 0) ::close(fd_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Result<void> connect(const std::string& address) {
    if (address.rfind("unix:", 0) == 0) {
      sockaddr_un name{};
      name.sun_family = AF_UNIX;
      std::string path = address.substr(5);
      if (path.empty() || path.size() >= sizeof name.sun_path)
        return fail(Code::kUsage, "\"" + path + "\" is no socket's path");
      path.copy(name.sun_path, path.size());
      fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (fd_ < 0 || ::connect(fd_, reinterpret_cast<sockaddr*>(&name), sizeof name) != 0)
        return fail_errno(errno, address);
      return limit_waiting();
    }
    size_t colon = address.rfind(':');
    if (address.rfind("inet:", 0) != 0 || colon < 6)
      return fail(Code::kUsage, "\"" + address + "\" is no address", "inet:HOST:PORT or unix:PATH");
    std::string host = address.substr(5, colon - 5), port = address.substr(colon + 1);
    addrinfo hints{}, *found = nullptr;
    hints.ai_socktype = SOCK_STREAM;
    int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
    if (error != 0) return fail(Code::kIo, address + ": " + ::gai_strerror(error));
    int error_number = ECONNREFUSED;
    for (addrinfo* each = found; each != nullptr; each = each->ai_next) {
      fd_ = ::socket(each->ai_family, each->ai_socktype | SOCK_CLOEXEC, each->ai_protocol);
      if (fd_ >= 0 && ::connect(fd_, each->ai_addr, each->ai_addrlen) == 0) break;
      error_number = errno;
      if (fd_ >= 0) ::close(fd_);
      fd_ = -1;
    }
    ::freeaddrinfo(found);
    if (fd_ < 0) return fail_errno(error_number, address);
    return limit_waiting();
  }

  Result<void> send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0) return fail_errno(errno, "sending");
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return {};
  }

  /// The last line of one reply. Errors: kTryAgain with the reply unless it begins with `wanted`.
  Result<std::string> reply(char wanted) {
    for (;;) {
      size_t end;
      while ((end = buffer_.find('\n')) == std::string::npos) {
        char chunk[4096];
        ssize_t got = ::recv(fd_, chunk, sizeof chunk, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno(errno, "waiting for a reply");
        if (got == 0) return fail(Code::kIo, "the other side closed the connection");
        buffer_.append(chunk, static_cast<size_t>(got));
        if (buffer_.size() > (1u << 20)) return fail(Code::kIo, "endless reply");
      }
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      if (!line.empty() && line.back() == '\r') line.pop_back();
      if (line.size() > 3 && line[3] == '-') continue;
      if (line.empty() || line[0] != wanted) return fail(Code::kTryAgain, "refused: " + line);
      return line;
    }
  }
  Result<std::string> command(const std::string& text, char wanted) {
    ARCH_TRY_VOID(send(text + "\r\n"));
    return reply(wanted);
  }

 private:
  Result<void> limit_waiting() {
    timeval timeout{kReplySeconds, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    return {};
  }

  int fd_ = -1;
  std::string buffer_;
};

/// Lone LF to CRLF, dots doubled (RFC 5321 s4.5.2), the final dot.
std::string as_data(std::string_view message) {
  std::string out;
  bool line_start = true;
  for (size_t i = 0; i < message.size(); ++i) {
    char c = message[i];
    if (line_start && c == '.') out += '.';
    if (c == '\n' && (i == 0 || message[i - 1] != '\r')) out += '\r';
    out += c;
    line_start = c == '\n';
  }
  if (!line_start) out += "\r\n";
  return out + ".\r\n";
}

Result<void> check(const Envelope& envelope) {
  if (envelope.to.empty()) return fail(Code::kUsage, "there is no recipient");
  auto good = [](const std::string& address) {
    for (unsigned char c : address)
      if (c <= ' ' || c == '<' || c == '>' || c == 127) return false;
    return true;
  };
  if (!good(envelope.from)) return fail(Code::kUsage, "\"" + envelope.from + "\" is no address");
  for (const std::string& each : envelope.to)
    if (each.empty() || !good(each)) return fail(Code::kUsage, "\"" + each + "\" is no address");
  return {};
}

}  // namespace

Result<std::string> send(const std::string& address, Protocol protocol, const Envelope& envelope,
                         std::string_view message) {
  ARCH_TRY_VOID(check(envelope));
  Connection connection;
  ARCH_TRY_VOID(connection.connect(address));
  ARCH_TRY_VOID(connection.reply('2'));
  ARCH_TRY_VOID(connection.command(protocol == Protocol::kLmtp ? "LHLO localhost" : "EHLO localhost", '2'));
  ARCH_TRY_VOID(connection.command("MAIL FROM:<" + envelope.from + ">", '2'));
  for (const std::string& each : envelope.to) ARCH_TRY_VOID(connection.command("RCPT TO:<" + each + ">", '2'));
  ARCH_TRY_VOID(connection.command("DATA", '3'));
  ARCH_TRY_VOID(connection.send(as_data(message)));
  std::string reply;
  const size_t replies = protocol == Protocol::kLmtp ? envelope.to.size() : 1;
  for (size_t i = 0; i < replies; ++i) {
    ARCH_TRY(reply, connection.reply('2'));
  }
  auto goodbye = connection.command("QUIT", '2');  // the mail is there whatever comes of it
  static_cast<void>(goodbye);
  return reply;
}

Result<void> run_sendmail(const std::string& path, const Envelope& envelope, std::string_view message) {
  ARCH_TRY_VOID(check(envelope));
  std::vector<std::string> words = {path, "-i", "-f", envelope.from, "--"};
  words.insert(words.end(), envelope.to.begin(), envelope.to.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno(errno, path);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  // In a thread of a daemon that waits for signals by sigtimedwait or has them blocked, the program must not inherit that.
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none, defaults;
  ::sigemptyset(&none);
  ::sigemptyset(&defaults);
  ::sigaddset(&defaults, SIGPIPE);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t child = 0;
  const int error_number = ::posix_spawn(&child, path.c_str(), &actions, &attributes, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  ::close(ends[0]);
  if (error_number != 0) {
    ::close(ends[1]);
    return fail_errno(error_number, path);
  }

  // A program that reads no further must neither block this one nor kill it with SIGPIPE.
  const auto deadline = std::chrono::steady_clock::now() + kProgramTime;
  sigset_t pipe_signal, before;
  ::sigemptyset(&pipe_signal);
  ::sigaddset(&pipe_signal, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  ::fcntl(ends[1], F_SETFL, O_NONBLOCK);
  std::string_view rest = message;
  while (!rest.empty() && std::chrono::steady_clock::now() < deadline) {
    ssize_t wrote = ::write(ends[1], rest.data(), rest.size());
    if (wrote > 0) {
      rest.remove_prefix(static_cast<size_t>(wrote));
    } else if (errno == EAGAIN) {
      pollfd ready{ends[1], POLLOUT, 0};
      ::poll(&ready, 1, 200);
    } else if (errno != EINTR) {
      break;  // it has ended; its status says more
    }
  }
  ::close(ends[1]);
  const timespec no_wait{0, 0};
  while (::sigtimedwait(&pipe_signal, nullptr, &no_wait) > 0) {
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);

  for (int status = 0;;) {
    const pid_t ended = ::waitpid(child, &status, WNOHANG);
    if (ended == child) {
      if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && rest.empty()) return {};
      return fail(Code::kIo,
                  path + (WIFEXITED(status) ? " ended with status " + std::to_string(WEXITSTATUS(status))
                                            : " was killed by signal " + std::to_string(WTERMSIG(status))));
    }
    if (ended < 0 && errno != EINTR) return fail_errno(errno, path);
    if (std::chrono::steady_clock::now() > deadline) {
      ::kill(child, SIGKILL);
      while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
      }
      return fail(Code::kIo, path + " did not end within a minute and was killed");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

}  // namespace arch::mail
