// Little-endian fields at any offset of bytes from outside: past the end everything is zero or empty. Internal to query/document.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace arch::document::internal {

class Le {
 public:
  explicit Le(std::string_view bytes) : bytes_(bytes) {}
  uint8_t u8(uint64_t at) const { return at < bytes_.size() ? static_cast<uint8_t>(bytes_[at]) : 0; }
  uint16_t u16(uint64_t at) const { return static_cast<uint16_t>(u8(at) | u8(at + 1) << 8); }
  uint32_t u32(uint64_t at) const { return u16(at) | static_cast<uint32_t>(u16(at + 2)) << 16; }
  uint64_t u64(uint64_t at) const { return u32(at) | static_cast<uint64_t>(u32(at + 4)) << 32; }
  double f64(uint64_t at) const {
    const uint64_t bits = u64(at);
    double value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  /// As many of them as there are.
  std::string_view bytes(uint64_t at, uint64_t length) const {
    return at >= bytes_.size() ? std::string_view() : bytes_.substr(at, length);
  }
  uint64_t size() const { return bytes_.size(); }

 private:
  std::string_view bytes_;
};

}  // namespace arch::document::internal
