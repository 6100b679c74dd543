#include "tools/common/text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "engine/base/ascii.h"

namespace arch::tool {
namespace {

/// Decodes one character; U+FFFD and one byte for what is not UTF-8.
char32_t decode(std::string_view text, size_t* size) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char first = byte(0);
  *size = 1;
  if (first < 0x80) return first;
  size_t length = first >= 0xf0 && first < 0xf5 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
  if (length == 0 || first >= 0xf5 || text.size() < length) return 0xfffd;
  char32_t c = first & (0xff >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0xfffd;
    c = c << 6 | (byte(i) & 0x3f);
  }
  constexpr std::array<char32_t, 5> kLeast = {0, 0, 0x80, 0x800, 0x10000};
  if (c < kLeast[length] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return 0xfffd;
  *size = length;
  return c;
}

bool is_mark(char32_t c) {
  return (c >= 0x300 && c <= 0x36f) || (c >= 0x610 && c <= 0x61a) || (c >= 0x64b && c <= 0x65f) || c == 0x670 ||
         (c >= 0x591 && c <= 0x5bd) || (c >= 0x200b && c <= 0x200f) || (c >= 0x20d0 && c <= 0x20ff) ||
         (c >= 0xfe00 && c <= 0xfe0f) || (c >= 0xfe20 && c <= 0xfe2f) || c == 0xad || c == 0xfeff;
}

bool is_wide(char32_t c) {
  return (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0x303e) || (c >= 0x3041 && c <= 0xa4cf) ||
         (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) || (c >= 0xfe30 && c <= 0xfe4f) ||
         (c >= 0xff00 && c <= 0xff60) || (c >= 0xffe0 && c <= 0xffe6) || (c >= 0x1f300 && c <= 0x1f64f) ||
         (c >= 0x1f900 && c <= 0x1f9ff) || (c >= 0x20000 && c <= 0x3fffd);
}

/// Characters that change the direction of what follows: a subject must not be able to reorder a line of output.
bool is_direction_override(char32_t c) { return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069); }

size_t cells_of(char32_t c) { return is_mark(c) ? 0 : is_wide(c) ? 2 : 1; }

bool digit(char c) { return c >= '0' && c <= '9'; }

/// "12", "1.5" and the unit behind it.
bool split_number(std::string_view text, double* number, std::string* unit) {
  size_t end = 0;
  bool point = false;
  for (; end < text.size() && (digit(text[end]) || (text[end] == '.' && !point)); ++end)
    point = point || text[end] == '.';
  if (end == 0 || end > 18 || text[0] == '.') return false;
  *number = std::strtod(std::string(text.substr(0, end)).c_str(), nullptr);
  while (end < text.size() && text[end] == ' ') ++end;
  *unit = ascii_lower(text.substr(end));
  return true;
}

}  // namespace

std::string count_text(uint64_t number) {
  std::string digits = std::to_string(number), out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

std::string size_text(uint64_t bytes) {
  constexpr std::array<const char*, 6> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return std::to_string(bytes) + " B";
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (value >= 1023.95 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  std::array<char, 32> out{};
  std::snprintf(out.data(), out.size(), "%.1f %s", value, kUnits[unit]);
  return out.data();
}

std::string duration_text(uint64_t seconds) {
  std::array<char, 48> out{};
  auto hours = static_cast<unsigned long long>(seconds / 3600);
  auto minutes = static_cast<unsigned>(seconds / 60 % 60), rest = static_cast<unsigned>(seconds % 60);
  if (hours > 0) {
    std::snprintf(out.data(), out.size(), "%llu:%02u:%02u", hours, minutes, rest);
  } else {
    std::snprintf(out.data(), out.size(), "%u:%02u", minutes, rest);
  }
  return out.data();
}

std::string percent_text(uint64_t part, uint64_t whole) {
  std::array<char, 32> out{};
  std::snprintf(out.data(), out.size(), "%.1f %%",
                whole == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole));
  return out.data();
}

Result<uint64_t> parse_size(std::string_view text) {
  double number = 0;
  std::string unit;
  auto bad = [&] {
    return fail(Code::kInvalid, "\"" + std::string(text) + "\" is no size", "write for example 64M, 100G or 1.5T");
  };
  if (!split_number(text, &number, &unit)) return bad();
  constexpr std::string_view kUnits = "kmgtp";
  int power = 0;
  if (!unit.empty() && unit != "b") {
    size_t at = kUnits.find(unit[0]);
    std::string rest = unit.substr(1);
    if (at == std::string_view::npos || !(rest.empty() || rest == "b" || rest == "ib")) return bad();
    power = static_cast<int>(at) + 1;
  }
  double bytes = number * std::pow(1024.0, power);
  if (bytes > 9.0e18) return bad();
  return static_cast<uint64_t>(bytes);
}

Result<int64_t> parse_duration(std::string_view text) {
  double number = 0;
  std::string unit;
  auto bad = [&] {
    return fail(Code::kInvalid, "\"" + std::string(text) + "\" is no duration",
                "write for example 90s, 15m, 24h or 7d");
  };
  if (!split_number(text, &number, &unit)) return bad();
  double seconds = unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : unit == "d" ? 86'400 : 0;
  if (seconds == 0 || number * seconds > 9.0e9) return bad();
  return static_cast<int64_t>(number * seconds * 1e9);
}

std::string format_size(uint64_t bytes) {
  constexpr std::string_view kUnits = "KMGTP";
  size_t power = 0;
  while (bytes != 0 && bytes % 1024 == 0 && power < kUnits.size()) {
    bytes /= 1024;
    ++power;
  }
  return std::to_string(bytes) + (power == 0 ? "" : std::string(1, kUnits[power - 1]));
}

std::string format_duration(int64_t nanoseconds) {
  int64_t seconds = nanoseconds / 1'000'000'000;
  if (seconds != 0 && seconds % 86'400 == 0) return std::to_string(seconds / 86'400) + "d";
  if (seconds != 0 && seconds % 3600 == 0) return std::to_string(seconds / 3600) + "h";
  if (seconds != 0 && seconds % 60 == 0) return std::to_string(seconds / 60) + "m";
  return std::to_string(seconds) + "s";
}

size_t width(std::string_view utf8) {
  size_t cells = 0;
  while (!utf8.empty()) {
    size_t size;
    cells += cells_of(decode(utf8, &size));
    utf8.remove_prefix(size);
  }
  return cells;
}

std::string fit(std::string_view utf8, size_t cells) {
  if (width(utf8) <= cells) return std::string(utf8);
  if (cells == 0) return {};
  std::string out;
  size_t used = 0;
  while (!utf8.empty()) {
    size_t size;
    size_t more = cells_of(decode(utf8, &size));
    if (used + more > cells - 1) break;
    out.append(utf8.substr(0, size));
    used += more;
    utf8.remove_prefix(size);
  }
  return out + "…";
}

std::string pad(std::string_view utf8, size_t cells) {
  std::string out = fit(utf8, cells);
  size_t used = width(out);
  if (used < cells) out.append(cells - used, ' ');
  return out;
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    size_t size;
    char32_t c = decode(text, &size);
    if (c == '\t' || c == '\n' || c == '\r') {
      out += ' ';
    } else if (c < 0x20 || (c >= 0x7f && c < 0xa0) || is_direction_override(c)) {
      out += '?';
    } else if (c == 0xfffd) {
      out += "\xef\xbf\xbd";
    } else {
      out.append(text.substr(0, size));
    }
    text.remove_prefix(size);
  }
  return out;
}

std::string wrap(std::string_view text, size_t cells, size_t indent) {
  std::string out, line;
  auto flush = [&] {
    if (line.empty()) return;
    out += std::string(indent, ' ') + line + "\n";
    line.clear();
  };
  while (!text.empty()) {
    size_t end = std::min(text.find(' '), text.size());
    std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (word.empty()) continue;
    if (!line.empty() && indent + width(line) + 1 + width(word) > cells) flush();
    if (!line.empty()) line += ' ';
    line += word;
  }
  flush();
  return out;
}

std::string Table::text(size_t indent) const {
  std::vector<size_t> widths(right_.size(), 0);
  for (const auto& row : rows_)
    for (size_t i = 0; i < row.size() && i < widths.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  std::string out;
  for (const auto& row : rows_) {
    std::string line(indent, ' ');
    for (size_t i = 0; i < row.size() && i < widths.size(); ++i) {
      if (i != 0) line += "  ";
      std::string blanks(widths[i] - width(row[i]), ' ');
      line += right_[i] ? blanks + row[i] : row[i] + blanks;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  std::string best;
  size_t best_distance = word.size() / 3 + 2;  // as far as this it is another word
  for (const std::string& candidate : known) {
    std::vector<size_t> row(candidate.size() + 1);
    std::iota(row.begin(), row.end(), size_t{0});
    for (size_t i = 1; i <= word.size(); ++i) {
      size_t diagonal = row[0];
      row[0] = i;
      for (size_t j = 1; j <= candidate.size(); ++j) {
        size_t above = row[j];
        row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (word[i - 1] == candidate[j - 1] ? 0 : 1)});
        diagonal = above;
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

}  // namespace arch::tool
