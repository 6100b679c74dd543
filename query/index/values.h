// The values of a document: date and mail key, packed, so that Xapian's bounds of the slot bound the dates; and of a copy, the first
// message of its mail.
#pragma once

#include <cstdint>
#include <string>

namespace arch::index {

constexpr unsigned kColumnSlot = 0;
constexpr unsigned kFirstSlot = 1;   ///< of documents with kIsCopy: a number, 8 bytes, big-endian
constexpr size_t kColumnBytes = 12;  ///< date, seconds since 1970, 4 bytes; mail key, 8 bytes; big-endian

inline std::string encode_column(uint32_t date_s, uint64_t mail_key) {
  std::string out(kColumnBytes, '\0');
  for (int i = 0; i < 4; ++i) out[i] = static_cast<char>(date_s >> (24 - 8 * i));
  for (int i = 0; i < 8; ++i) out[4 + i] = static_cast<char>(mail_key >> (56 - 8 * i));
  return out;
}

/// False when `value` is none of ours.
inline bool decode_column(const std::string& value, uint32_t* date_s, uint64_t* mail_key) {
  if (value.size() != kColumnBytes) return false;
  *date_s = 0;
  *mail_key = 0;
  for (int i = 0; i < 4; ++i) *date_s = *date_s << 8 | static_cast<unsigned char>(value[i]);
  for (int i = 4; i < 12; ++i) *mail_key = *mail_key << 8 | static_cast<unsigned char>(value[i]);
  return true;
}

}  // namespace arch::index
