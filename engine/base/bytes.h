// Little-endian encoding and bounded decoding, for every format of the archive. Pure; no allocation but the output's.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "engine/base/digest.h"

namespace arch {

/// Appends fields to a string it owns.
class ByteWriter {
 public:
  void u8(uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void u16(uint16_t value) { fixed(value); }
  void u32(uint32_t value) { fixed(value); }
  void u64(uint64_t value) { fixed(value); }
  void varint(uint64_t value) {  // LEB128
    while (value >= 0x80) {
      u8(static_cast<uint8_t>(value | 0x80));
      value >>= 7;
    }
    u8(static_cast<uint8_t>(value));
  }
  void raw(std::string_view bytes) { out_.append(bytes); }
  void sized(std::string_view bytes) {  // varint length, then the bytes
    varint(bytes.size());
    out_.append(bytes);
  }
  void digest(const Digest& digest) { out_.append(digest.view()); }
  size_t size() const { return out_.size(); }
  std::string_view view() const { return out_; }
  std::string take() { return std::move(out_); }

 private:
  template <class Int>
  void fixed(Int value) {
    for (size_t i = 0; i < sizeof value; ++i)
      out_.push_back(static_cast<char>(static_cast<uint64_t>(value) >> (8 * i)));
  }
  std::string out_;
};

/// Reads fields from borrowed bytes. Once a read goes past the end or a varint is malformed, ok() is false for good and
/// every further read gives zero or an empty view: check once at the end.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : left_(bytes) {}
  explicit ByteReader(Bytes bytes) : left_(as_text(bytes)) {}

  uint8_t u8() { return fixed<uint8_t>(); }
  uint16_t u16() { return fixed<uint16_t>(); }
  uint32_t u32() { return fixed<uint32_t>(); }
  uint64_t u64() { return fixed<uint64_t>(); }
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      uint8_t byte = u8();
      if (!ok_) return 0;
      if (shift == 63 && byte > 1) break;
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    ok_ = false;
    return 0;
  }
  std::string_view raw(uint64_t size) {
    if (!ok_ || size > left_.size()) {
      ok_ = false;
      return {};
    }
    std::string_view bytes = left_.substr(0, size);
    left_.remove_prefix(size);
    return bytes;
  }
  std::string_view sized() { return raw(varint()); }
  Digest digest() {
    std::string_view bytes = raw(32);
    return ok_ ? Digest::from_view(bytes) : Digest{};
  }
  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && left_.empty(); }
  std::string_view rest() const { return left_; }

 private:
  template <class Int>
  Int fixed() {
    std::string_view bytes = raw(sizeof(Int));
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.size(); ++i)
      value |= static_cast<uint64_t>(static_cast<uint8_t>(bytes[i])) << (8 * i);
    return static_cast<Int>(value);
  }
  std::string_view left_;
  bool ok_ = true;
};

/// Big-endian 8 bytes: keys that sort by number.
inline std::string be64(uint64_t value) {
  std::string out(8, '\0');
  for (int i = 0; i < 8; ++i) out[i] = static_cast<char>(value >> (56 - 8 * i));
  return out;
}
inline uint64_t from_be64(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < 8 && i < bytes.size(); ++i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

}  // namespace arch
