#include "ingest/server/listener.h"

#include <arpa/inet.h>
#include <grp.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

namespace arch::ingest {

namespace {

constexpr unsigned kMappedPrefix = 96;  // ::ffff:0:0/96 holds IPv4

Result<std::array<uint8_t, 16>> parse_host(const std::string& text, bool* v4) {
  std::array<uint8_t, 16> out{};
  in_addr four{};
  *v4 = inet_pton(AF_INET, text.c_str(), &four) == 1;
  if (*v4) {
    out[10] = out[11] = 0xff;
    std::memcpy(out.data() + 12, &four, 4);
    return out;
  }
  in6_addr six{};
  if (inet_pton(AF_INET6, text.c_str(), &six) != 1)
    return fail(Code::kUsage, "\"" + text + "\" is no numeric address", "write for example 127.0.0.1 or ::1");
  std::memcpy(out.data(), &six, 16);
  return out;
}

std::array<uint8_t, 16> address_bits(const sockaddr_storage& address) {
  std::array<uint8_t, 16> out{};
  if (address.ss_family == AF_INET) {
    out[10] = out[11] = 0xff;
    std::memcpy(out.data() + 12, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, 4);
  } else if (address.ss_family == AF_INET6) {
    std::memcpy(out.data(), &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, 16);
  }
  return out;
}

template <class Int>
bool parse_number(std::string_view text, Int* out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

socklen_t socket_address(const Address& address, sockaddr_storage* out) {
  *out = {};
  if (address.is_unix()) {
    auto& local = reinterpret_cast<sockaddr_un&>(*out);
    local.sun_family = AF_UNIX;
    std::memcpy(local.sun_path, address.path.c_str(), address.path.size() + 1);
    return sizeof local;
  }
  auto& six = reinterpret_cast<sockaddr_in6&>(*out);
  if (inet_pton(AF_INET6, address.host.c_str(), &six.sin6_addr) == 1) {
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(address.port);
    return sizeof six;
  }
  auto& four = reinterpret_cast<sockaddr_in&>(*out);
  ARCH_CHECK(inet_pton(AF_INET, address.host.c_str(), &four.sin_addr) == 1);
  four.sin_family = AF_INET;
  four.sin_port = htons(address.port);
  return sizeof four;
}

// A socket file whose owner is gone would make bind() fail for ever.
Result<void> remove_stale_socket(const Address& address) {
  struct stat info {};
  if (lstat(address.path.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return fail_errno(errno, "cannot look at " + address.path);
  }
  if (!S_ISSOCK(info.st_mode))
    return fail(Code::kExists, address.path + " exists and is no socket", "choose another path for the listener");
  int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return fail_errno(errno, "cannot make a socket");
  sockaddr_storage storage;
  socklen_t size = socket_address(address, &storage);
  int result = connect(probe, reinterpret_cast<sockaddr*>(&storage), size);
  int error_number = result == 0 ? 0 : errno;
  close(probe);
  if (error_number != ECONNREFUSED)
    return fail(Code::kExists, "somebody listens on " + address.path + " already",
                "is another arch-capture running for this archive?", error_number);
  if (unlink(address.path.c_str()) != 0) return fail_errno(errno, "cannot remove the stale socket " + address.path);
  return {};
}

}  // namespace

bool Address::is_loopback() const {
  return is_unix() || host == "::1" || host.substr(0, 4) == "127." || host.substr(0, 11) == "::ffff:127.";
}

std::string Address::text() const {
  if (is_unix()) return "unix:" + path;
  bool six = host.find(':') != std::string::npos;
  return "inet:" + (six ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<Address> Address::parse(std::string_view text) {
  constexpr std::string_view kHint = "write unix:PATH or inet:HOST:PORT, for example inet:127.0.0.1:2424";
  Address out;
  if (text.substr(0, 5) == "unix:") {
    out.path = text.substr(5);
    if (out.path.empty() || out.path.find('\0') != std::string::npos)
      return fail(Code::kUsage, "the socket address \"" + std::string(text) + "\" has no path", std::string(kHint));
    if (out.path.size() >= sizeof(sockaddr_un::sun_path))
      return fail(Code::kUsage, "the socket path " + out.path + " is longer than 107 bytes",
                  "the system's limit for Unix sockets; choose a shorter directory");
    return out;
  }
  size_t colon = text.rfind(':');
  if (text.substr(0, 5) != "inet:" || colon < 5)
    return fail(Code::kUsage, "\"" + std::string(text) + "\" is no listener address", std::string(kHint));
  out.host = text.substr(5, colon - 5);
  if (!parse_number(text.substr(colon + 1), &out.port))
    return fail(Code::kUsage, "\"" + std::string(text) + "\" has no port from 0 to 65535", std::string(kHint));
  if (out.host.size() > 2 && out.host.front() == '[' && out.host.back() == ']')
    out.host = out.host.substr(1, out.host.size() - 2);
  if (out.host == "localhost") out.host = "127.0.0.1";
  bool v4 = false;
  ARCH_TRY_VOID(parse_host(out.host, &v4));
  return out;
}

Result<Network> Network::parse(std::string_view text) {
  Network out;
  size_t slash = std::min(text.find('/'), text.size());
  bool v4 = false;
  ARCH_TRY(out.bits_, parse_host(std::string(text.substr(0, slash)), &v4));
  if (slash < text.size()) {
    unsigned length = 0, longest = v4 ? 32 : 128;
    if (!parse_number(text.substr(slash + 1), &length) || length > longest)
      return fail(Code::kUsage,
                  "\"" + std::string(text) + "\" has no prefix length from 0 to " + std::to_string(longest));
    out.prefix_ = v4 ? kMappedPrefix + length : length;
  }
  return out;
}

bool Network::contains(const sockaddr_storage& address) const {
  if (address.ss_family != AF_INET && address.ss_family != AF_INET6) return false;
  std::array<uint8_t, 16> other = address_bits(address);
  unsigned whole = prefix_ / 8, rest = prefix_ % 8;
  if (std::memcmp(bits_.data(), other.data(), whole) != 0) return false;
  return rest == 0 || ((bits_[whole] ^ other[whole]) >> (8 - rest)) == 0;
}

std::string numeric_host(const sockaddr_storage& address, std::string* port) {
  port->clear();
  if (address.ss_family != AF_INET && address.ss_family != AF_INET6) return {};
  *port =
      std::to_string(ntohs(address.ss_family == AF_INET ? reinterpret_cast<const sockaddr_in&>(address).sin_port
                                                        : reinterpret_cast<const sockaddr_in6&>(address).sin6_port));
  std::array<uint8_t, 16> bits = address_bits(address);
  constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  bool v4 = std::memcmp(bits.data(), kMapped.data(), kMapped.size()) == 0;
  char text[INET6_ADDRSTRLEN];
  ARCH_CHECK(inet_ntop(v4 ? AF_INET : AF_INET6, bits.data() + (v4 ? 12 : 0), text, sizeof text) != nullptr);
  return text;
}

Listener::Listener(int descriptor, Address address) : descriptor_(descriptor), address_(std::move(address)) {}
Listener::Listener(Listener&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), address_(std::move(other.address_)) {}
Listener& Listener::operator=(Listener&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(address_, other.address_);
  return *this;
}
Listener::~Listener() {
  if (descriptor_ >= 0) close(descriptor_);
}

Result<Listener> Listener::open(const Address& address) {
  if (address.is_unix()) ARCH_TRY_VOID(remove_stale_socket(address));
  sockaddr_storage storage;
  socklen_t size = socket_address(address, &storage);
  int descriptor = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return fail_errno(errno, "cannot make a socket for " + address.text());
  Listener listener(descriptor, address);

  if (!address.is_unix()) {
    int on = 1;
    if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
      return fail_errno(errno, "cannot set up the socket for " + address.text());
  }
  // The socket file is born with no rights for others; the right mode follows.
  mode_t before = umask(0117);
  int bound = bind(descriptor, reinterpret_cast<sockaddr*>(&storage), size);
  int error_number = errno;
  umask(before);
  if (bound != 0) {
    if (error_number == EADDRINUSE)
      return fail(Code::kExists, "somebody listens on " + address.text() + " already",
                  "is another arch-capture running? Otherwise choose another port", error_number);
    return fail_errno(error_number, "cannot listen on " + address.text());
  }
  if (address.is_unix()) {
    // Only root or a member of the group may do this; when it fails, Postfix needs the socket's group by other means.
    group entry{};
    group* found = nullptr;
    char buffer[16384];
    if (getgrnam_r("postfix", &entry, buffer, sizeof buffer, &found) == 0 && found != nullptr &&
        chown(address.path.c_str(), static_cast<uid_t>(-1), found->gr_gid) != 0 && errno != EPERM)
      return fail_errno(errno, "cannot change the group of " + address.path);
  } else {
    socklen_t length = sizeof storage;
    if (getsockname(descriptor, reinterpret_cast<sockaddr*>(&storage), &length) != 0)
      return fail_errno(errno, "cannot read the port of " + address.text());
    std::string port;
    numeric_host(storage, &port);
    ARCH_CHECK(parse_number(std::string_view(port), &listener.address_.port));
  }
  if (listen(descriptor, SOMAXCONN) != 0) return fail_errno(errno, "cannot listen on " + address.text());
  return listener;
}

}  // namespace arch::ingest
