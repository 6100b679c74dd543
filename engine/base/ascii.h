// Letter case of ASCII, whatever the locale says: names of header fields, domains, schemes, tags. Pure.
#pragma once

#include <string>
#include <string_view>

namespace arch {

inline char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Other bytes, those of UTF-8 too, stay as they are.
inline std::string ascii_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = ascii_lower(c);
  return out;
}

}  // namespace arch
