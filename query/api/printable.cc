#include "query/api/printable.h"

#include <cstdio>

#include "query/text/fold_table.h"

namespace arch::api {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

// Escape sequences move the cursor and set titles; overrides show a name backwards.
bool is_control(uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c || c == 0x200e || c == 0x200f ||
         (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

std::string safe(std::string_view text, bool keep_lines) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    uint32_t c = 0;
    size_t length = text::decode(text, at, &c);
    if (length == 0) {
      out += kReplacement;
      ++at;
      continue;
    }
    if (c == '\n' || c == '\t') {
      out.push_back(keep_lines ? static_cast<char>(c) : ' ');
    } else if (c == '\r') {
      if (!keep_lines) out.push_back(' ');
    } else if (c == 0x2028 || c == 0x2029) {
      out.push_back(' ');
    } else if (is_control(c)) {
      out.push_back('?');
    } else {
      out.append(text.substr(at, length));
    }
    at += length;
  }
  return out;
}

size_t cells_of(uint32_t c) {
  bool wide = (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) || (c >= 0xac00 && c <= 0xd7a3) ||
              (c >= 0xf900 && c <= 0xfaff) || (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
              (c >= 0xffe0 && c <= 0xffe6) || (c >= 0x1f300 && c <= 0x1faff) || (c >= 0x20000 && c <= 0x3fffd);
  bool mark = (c >= 0x0300 && c <= 0x036f) || (c >= 0x200b && c <= 0x200d) || (c >= 0xfe00 && c <= 0xfe0f);
  return mark ? 0 : wide ? 2 : 1;
}

}  // namespace

std::string one_line(std::string_view text) { return safe(text, false); }
std::string lines(std::string_view text) { return safe(text, true); }

std::string fit(std::string_view text, size_t cells) {
  if (cells == 0) return std::string(text);
  size_t used = 0;
  size_t cut = 0;  // where the ellipsis would go
  for (size_t at = 0; at < text.size();) {
    uint32_t c = 0;
    size_t length = text::decode(text, at, &c);
    if (length == 0) {
      length = 1;
      c = '?';
    }
    used += cells_of(c);
    if (used > cells) return std::string(text.substr(0, cut)) + "\u2026";
    at += length;
    if (used < cells) cut = at;
  }
  return std::string(text);
}

std::string size_text(uint64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " B";
  constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (value >= 1023.95 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %s", value, kUnits[unit]);
  return text;
}

std::string count_text(uint64_t number) {
  std::string digits = std::to_string(number);
  for (size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

}  // namespace arch::api
