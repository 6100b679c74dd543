// Where capture listens, and who may connect.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace arch::ingest {

/// "unix:PATH" or "inet:HOST:PORT"; HOST is a numeric address, IPv6 in brackets, or "localhost" (127.0.0.1).
struct Address {
  std::string path;  ///< of a Unix socket; empty for inet
  std::string host;  ///< numeric
  uint16_t port = 0;

  bool is_unix() const { return !path.empty(); }
  bool is_loopback() const;                             ///< a Unix socket counts as one
  std::string text() const;                             ///< as parse() reads it
  static Result<Address> parse(std::string_view text);  ///< errors: kUsage
};

/// A block of addresses: "192.0.2.7", "192.0.2.0/24", "2001:db8::/32".
class Network {
 public:
  static Result<Network> parse(std::string_view text);  ///< errors: kUsage
  bool contains(const sockaddr_storage& address) const;

 private:
  std::array<uint8_t, 16> bits_{};  // IPv4 as ::ffff:a.b.c.d
  unsigned prefix_ = 128;
};

/// The peer's address in numbers, IPv4-mapped ones as IPv4; empty for a Unix socket. `*port` likewise.
std::string numeric_host(const sockaddr_storage& address, std::string* port);

/// A listening socket. Owns its descriptor, non-blocking; a Unix socket's file is left behind on purpose (the sandbox
/// has no right to remove it) and replaced by the next open().
class Listener {
 public:
  /// A Unix socket gets mode 0660 and, when the process may, the group `postfix`. A stale socket file is replaced, one
  /// that somebody listens on is not. Errors: kUsage, kExists (in use), kDenied, kIo.
  static Result<Listener> open(const Address& address);
  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&& other) noexcept;
  ~Listener();

  int descriptor() const { return descriptor_; }
  const Address& address() const { return address_; }  ///< with the port that the system chose for port 0

 private:
  Listener(int descriptor, Address address);
  int descriptor_ = -1;
  Address address_;
};

}  // namespace arch::ingest
