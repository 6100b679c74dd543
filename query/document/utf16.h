// UTF-16 to UTF-8, unit by unit: what several formats hold. Internal to query/document.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/utf8.h"

namespace arch::document::internal {

/// What is no scalar value becomes U+FFFD, a zero a blank.
inline void append_utf8(uint32_t code, std::string* out) {
  if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) code = 0xfffd;
  arch::append_utf8(code == 0 ? ' ' : code, out);
}

/// Joins surrogates; one without its other becomes U+FFFD.
class Utf16 {
 public:
  void put(uint16_t unit, std::string* out) {
    if (unit >= 0xdc00 && unit <= 0xdfff && high_ != 0) {
      append_utf8(0x10000 + ((high_ - 0xd800u) << 10) + (unit - 0xdc00u), out);
      high_ = 0;
      return;
    }
    end(out);
    if (unit >= 0xd800 && unit <= 0xdbff)
      high_ = unit;
    else if (unit != 0xfeff)
      append_utf8(unit, out);
  }
  void end(std::string* out) {
    if (high_ != 0) append_utf8(0xfffd, out);
    high_ = 0;
  }

 private:
  uint16_t high_ = 0;
};

/// Little-endian bytes; an odd last one is left out.
inline std::string utf16le(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() / 2);
  Utf16 decoder;
  for (size_t i = 0; i + 1 < bytes.size(); i += 2)
    decoder.put(static_cast<uint16_t>(static_cast<uint8_t>(bytes[i]) | static_cast<uint8_t>(bytes[i + 1]) << 8),
                &out);
  decoder.end(&out);
  return out;
}

}  // namespace arch::document::internal
