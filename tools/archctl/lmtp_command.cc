// archctl lmtp-send: one message to an LMTP listener, as Postfix hands it over (RFC 2033), for trying out a set-up.
#include <netdb.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>

#include "tools/archctl/command.h"
#include "tools/common/text.h"

namespace arch::ctl {
namespace {

class Connection {
 public:
  ~Connection() {
    if (fd_ >= 0) ::close(fd_);
  }

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
      return {};
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
    timeval timeout{60, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    return {};
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

Result<std::string> hand_over(const std::string& address, const std::string& from, const std::string& to,
                              const std::string& message) {
  Connection connection;
  ARCH_TRY_VOID(connection.connect(address));
  ARCH_TRY_VOID(connection.reply('2'));
  ARCH_TRY_VOID(connection.command("LHLO localhost", '2'));
  ARCH_TRY_VOID(connection.command("MAIL FROM:<" + from + ">", '2'));
  ARCH_TRY_VOID(connection.command("RCPT TO:<" + to + ">", '2'));
  ARCH_TRY_VOID(connection.command("DATA", '3'));
  ARCH_TRY_VOID(connection.send(as_data(message)));
  ARCH_TRY(std::string reply, connection.reply('2'));
  auto goodbye = connection.command("QUIT", '2');  // the mail is there whatever comes of it
  static_cast<void>(goodbye);
  return reply;
}

}  // namespace

int run_lmtp_send(const Invocation& invocation) {
  const std::string& address = invocation.arguments[0];
  const std::string& path = invocation.arguments[1];
  std::ifstream in(path == "-" ? "/dev/stdin" : path, std::ios::binary);
  std::stringstream text;
  if (in) text << in.rdbuf();
  if (!in || in.bad()) return complain(std::move(fail(Code::kNotFound, path + " is not readable")).value());
  for (const char* option : {"from", "to"})
    if (invocation.value(option).find_first_of("<>\r\n ") != std::string::npos)
      return usage_error(std::string("--") + option + " is no address", "lmtp-send");
  auto reply =
      hand_over(address, invocation.value("from"), invocation.value("to", "archive@archive.invalid"), text.str());
  if (!reply) {
    int status = complain(reply.error());
    return reply.error().code == Code::kTryAgain || reply.error().code == Code::kUsage ? status : EX_UNAVAILABLE;
  }
  std::printf("%s\n", tool::printable(*reply).c_str());
  return 0;
}

}  // namespace arch::ctl
