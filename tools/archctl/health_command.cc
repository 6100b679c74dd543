// archctl health: does everything that the configuration says is served answer? For a container's health check and a timer.
#include <netdb.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "tools/archctl/command.h"
#include "tools/common/text.h"

namespace arch::ctl {
namespace {

constexpr timeval kPatience{10, 0};  // shorter than the half minute between two checks

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

bool connects(int fd, const sockaddr* address, socklen_t size) {
  if (fd < 0) return false;
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  return ::connect(fd, address, size) == 0;
}

/// `address` is unix:PATH or inet:HOST:PORT, as the configuration has checked; -1 with errno when nobody is there.
int connect_to(const std::string& address) {
  if (address.rfind("unix:", 0) == 0) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    const std::string path = address.substr(5);
    if (path.size() >= sizeof name.sun_path) {
      errno = ENAMETOOLONG;
      return -1;
    }
    path.copy(name.sun_path, path.size());
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connects(fd, reinterpret_cast<const sockaddr*>(&name), sizeof name)) return fd;
    const int error_number = errno;
    if (fd >= 0) ::close(fd);
    errno = error_number;
    return -1;
  }
  const size_t colon = address.rfind(':');
  std::string host = address.substr(5, colon - 5);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  int error_number = ENOENT;
  if (::getaddrinfo(host.c_str(), address.c_str() + colon + 1, &hints, &found) == 0) {
    for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
      const int fd = ::socket(each->ai_family, each->ai_socktype | SOCK_CLOEXEC, each->ai_protocol);
      if (connects(fd, each->ai_addr, each->ai_addrlen)) {
        ::freeaddrinfo(found);
        return fd;
      }
      error_number = errno;
      if (fd >= 0) ::close(fd);
    }
    ::freeaddrinfo(found);
  }
  errno = error_number;
  return -1;
}

/// What is wrong there, or nothing. Says `question`, unless empty, and wants an answer that begins with `wanted`.
std::string problem_at(const std::string& address, std::string_view question, std::string_view wanted,
                       std::string_view farewell) {
  const Socket socket(connect_to(address));
  if (socket.fd() < 0) return std::strerror(errno);
  if (wanted.empty()) return {};
  if (!question.empty() &&
      ::send(socket.fd(), question.data(), question.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(question.size()))
    return std::strerror(errno);
  std::string answer;
  while (answer.find('\n') == std::string::npos && answer.size() < 4096) {
    char chunk[1024];
    const ssize_t got = ::recv(socket.fd(), chunk, sizeof chunk, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got == 0 ? "it closed the connection" : "no answer";
    answer.append(chunk, static_cast<size_t>(got));
  }
  if (!farewell.empty()) static_cast<void>(::send(socket.fd(), farewell.data(), farewell.size(), MSG_NOSIGNAL));
  if (answer.compare(0, wanted.size(), wanted) == 0) return {};
  answer.resize(answer.find_first_of("\r\n"));
  return "it says: " + tool::printable(answer);
}

}  // namespace

int run_health(const Invocation& invocation) {
  const config::Config& config = invocation.config;
  bool well = true;
  auto check = [&](std::string_view what, const std::string& address, std::string_view question,
                   std::string_view wanted, std::string_view farewell) {
    const std::string problem = problem_at(address, question, wanted, farewell);
    if (!problem.empty()) {
      well = false;
      std::fprintf(stderr, "archctl: %s %s: %s\n", std::string(what).c_str(), address.c_str(), problem.c_str());
    } else if (!invocation.has("quiet")) {
      std::printf("%s %s: well\n", std::string(what).c_str(), address.c_str());
    }
  };
  for (const std::string& address : config.capture_lmtp) check("lmtp", address, "", "220", "QUIT\r\n");
  for (const std::string& address : config.capture_smtp) check("smtp", address, "", "220", "QUIT\r\n");
  for (const std::string& address : config.capture_milter) check("milter", address, "", "", "");
  if (!invocation.has("capture"))
    for (const std::string& address : config.http_listen)
      check("http", address, "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "HTTP/1.1 200",
            "");
  return well ? 0 : 1;
}

}  // namespace arch::ctl
