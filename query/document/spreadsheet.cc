#include "query/document/spreadsheet.h"

#include <cmath>
#include <cstdio>

#include "engine/base/ascii.h"

namespace arch::document::internal {

NumberKind kind_of_format(std::string_view code) {
  bool day = false, hour = false, percent = false, digit = false;
  for (size_t i = 0; i < code.size(); ++i) {
    const char c = ascii_lower(code[i]);
    if (c == ';') break;  // the formats of negative numbers and text
    if (c == '"') {
      while (++i < code.size() && code[i] != '"') {
      }
    } else if (c == '\\' || c == '_' || c == '*') {
      ++i;
    } else if (c == '[') {  // [h]:mm is a time, [Red] and [$-40C] are none
      const size_t end = code.find(']', i);
      if (end == std::string_view::npos) break;
      const char inside = end > i + 1 ? ascii_lower(code[i + 1]) : ' ';
      const char last = ascii_lower(code[end - 1]);
      if ((inside == 'h' || inside == 'm' || inside == 's') && inside == last) hour = true;
      i = end;
    } else if (c == 'y' || c == 'd') {
      day = true;
    } else if (c == 'h' || c == 's') {
      hour = true;
    } else if (c == '%') {
      percent = true;
    } else if (c == '0' || c == '#') {
      digit = true;
    } else if (c == 'g') {
      if (ascii_lower(code.substr(i, 7)) == "general") return NumberKind::kPlain;
    }
  }
  if (percent) return NumberKind::kPercent;
  if (day && hour) return NumberKind::kDateTime;
  if (day) return NumberKind::kDate;
  if (hour && !(digit && code.find(':') == std::string_view::npos)) return NumberKind::kTime;
  return NumberKind::kPlain;
}

NumberKind kind_of_builtin(unsigned id) {
  if (id == 9 || id == 10) return NumberKind::kPercent;
  if (id == 22) return NumberKind::kDateTime;
  if ((id >= 18 && id <= 21) || (id >= 45 && id <= 47) || id == 32 || id == 33) return NumberKind::kTime;
  if ((id >= 14 && id <= 17) || (id >= 27 && id <= 36) || (id >= 50 && id <= 58)) return NumberKind::kDate;
  return NumberKind::kPlain;
}

namespace {

// Days since 1970-01-01 to a civil date (the algorithm of the proleptic Gregorian calendar with eras of 400 years).
void civil(int64_t days, int* year, int* month, int* day) {
  days += 719'468;
  const int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
  const int64_t of_era = days - era * 146'097;
  const int64_t year_of_era = (of_era - of_era / 1'460 + of_era / 36'524 - of_era / 146'096) / 365;
  const int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t shifted = (5 * of_year + 2) / 153;
  *day = static_cast<int>(of_year - (153 * shifted + 2) / 5 + 1);
  *month = static_cast<int>(shifted < 10 ? shifted + 3 : shifted - 9);
  *year = static_cast<int>(year_of_era + era * 400 + (*month <= 2 ? 1 : 0));
}

}  // namespace

std::string number_text(double value, NumberKind kind, bool date1904) {
  char buffer[96];
  if (!std::isfinite(value)) return {};
  if (kind == NumberKind::kPercent) {
    std::snprintf(buffer, sizeof buffer, "%.10g %%", value * 100);
    return buffer;
  }
  const bool dated = kind == NumberKind::kDate || kind == NumberKind::kDateTime || kind == NumberKind::kTime;
  if (!dated || value < 0 || value >= 2'958'466) {  // the day behind 9999-12-31
    std::snprintf(buffer, sizeof buffer, "%.15g", value);
    return buffer;
  }
  int64_t seconds = std::llround((value - std::floor(value)) * 86'400);
  int64_t days = static_cast<int64_t>(std::floor(value));
  if (seconds >= 86'400) {
    seconds -= 86'400;
    ++days;
  }
  std::string out;
  if (kind != NumberKind::kTime) {
    // Day 60 of the 1900 calendar is 29 February 1900, which never was.
    const int64_t since_1970 = date1904 ? days - 24'107 : days < 60 ? days - 25'568 : days - 25'569;
    int year, month, day;
    civil(since_1970, &year, &month, &day);
    std::snprintf(buffer, sizeof buffer, "%04d-%02d-%02d %02d/%02d/%04d", year, month, day, day, month, year);
    out = buffer;
  }
  if (kind != NumberKind::kDate) {
    std::snprintf(buffer, sizeof buffer, "%02d:%02d", static_cast<int>(seconds / 3'600),
                  static_cast<int>(seconds / 60 % 60));
    if (!out.empty()) out += ' ';
    out += buffer;
  }
  return out;
}

}  // namespace arch::document::internal
