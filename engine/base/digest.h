// Digest: the SHA-256 (FIPS 180-4) of a message or blob; the identity of every stored thing.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace arch {

/// Views over raw bytes are spans of std::byte at module borders; text stays std::string_view.
using Bytes = std::span<const std::byte>;

inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline std::string_view as_text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

struct Digest {
  std::array<uint8_t, 32> bytes{};

  auto operator<=>(const Digest&) const = default;
  std::string hex() const;  ///< 64 lower-case digits
  std::string_view view() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
  static Digest from_view(std::string_view raw);              ///< raw.size() must be 32
  static Result<Digest> from_hex(std::string_view hex_text);  ///< exactly 64 digits; kInvalid otherwise
};

struct DigestHash {
  size_t operator()(const Digest& digest) const noexcept {
    size_t value;
    std::memcpy(&value, digest.bytes.data(), sizeof value);
    return value;
  }
};

/// A prefix that a person typed: 8..64 hex digits, "arch:" in front allowed.
struct DigestPrefix {
  std::string hex;  ///< lower case
  static Result<DigestPrefix> parse(std::string_view text);
  bool matches(const Digest& digest) const;
  std::string lower_bound_bytes() const;  ///< the 32 bytes of the smallest digest with this prefix
};

/// Streaming SHA-256 (OpenSSL's EVP). One owner; not thread-safe. finish() once.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void update(Bytes data);
  Digest finish();
  static Digest of(Bytes data);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

/// XXH3-64 of the bytes, seed 0: the checksum of every on-disk structure.
uint64_t checksum64(Bytes data);

/// Streaming form of checksum64.
class Checksum64 {
 public:
  Checksum64();
  ~Checksum64();
  void update(Bytes data);
  uint64_t value() const;

 private:
  void* state_;
};

}  // namespace arch
