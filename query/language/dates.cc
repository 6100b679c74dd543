#include "query/language/dates.h"

#include <unicode/ucal.h>
#include <unicode/ustring.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

namespace arch::query::internal {

namespace {

constexpr int64_t kFirstYear = 1970, kLastYear = 2200;

tl::unexpected<Error> no_date(std::string_view text) {
  return fail(Code::kInvalid, "\"" + std::string(text) + "\" is no date",
              "write 2024, 2024-03, 2024-03-15, 15/03/2024, 2024Q1, mars-2024, hier, 7j or 3mois");
}

std::optional<int64_t> number(std::string_view text, size_t min_digits, size_t max_digits) {
  if (text.size() < min_digits || text.size() > max_digits) return std::nullopt;
  int64_t value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  while (true) {
    const size_t at = text.find(separator);
    out.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return out;
    text.remove_prefix(at + 1);
  }
}

int64_t days_in_month(int64_t year, int64_t month) {
  const int64_t next =
      month == 12 ? days_from_civil(year + 1, 1, 1) : days_from_civil(year, static_cast<unsigned>(month + 1), 1);
  return next - days_from_civil(year, static_cast<unsigned>(month), 1);
}

bool good_year(int64_t year) { return year >= kFirstYear && year <= kLastYear; }
bool good_month(int64_t month) { return month >= 1 && month <= 12; }

Period months(int64_t year, int64_t month, int64_t count) {
  Period period;
  period.first = days_from_civil(year, static_cast<unsigned>(month), 1);
  const int64_t last = month - 1 + count;
  period.end = days_from_civil(year + last / 12, static_cast<unsigned>(last % 12 + 1), 1);
  return period;
}

std::string fold_ascii(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 'A' && c <= 'Z') {
      out.push_back(static_cast<char>(c + 32));
    } else if (c == 0xc3 && i + 1 < text.size()) {  // é, è, ê, û, â of month names, upper case too
      const auto next = static_cast<unsigned char>(text[++i]) | 0x20;
      out.push_back(next == 0xa9 || next == 0xa8 || next == 0xaa ? 'e'
                    : next == 0xbb                               ? 'u'
                    : next == 0xa2                               ? 'a'
                                                                 : '?');
    } else if (c == 0xe2 && text.substr(i, 3) == "\xe2\x80\x99") {
      out.push_back('\'');
      i += 2;
    } else {
      out.push_back(static_cast<char>(c));
    }
  }
  return out;
}

constexpr std::array<std::array<std::string_view, 4>, 12> kMonths = {{
    {"janvier", "january", "janv", "jan"},
    {"fevrier", "february", "fevr", "feb"},
    {"mars", "march", "mar", "mar"},
    {"avril", "april", "avr", "apr"},
    {"mai", "may", "mai", "may"},
    {"juin", "june", "juin", "jun"},
    {"juillet", "july", "juil", "jul"},
    {"aout", "august", "aou", "aug"},
    {"septembre", "september", "sept", "sep"},
    {"octobre", "october", "oct", "oct"},
    {"novembre", "november", "nov", "nov"},
    {"decembre", "december", "dec", "dec"},
}};

int64_t month_of_name(std::string_view name) {
  for (size_t i = 0; i < kMonths.size(); ++i)
    if (std::find(kMonths[i].begin(), kMonths[i].end(), name) != kMonths[i].end()) return static_cast<int64_t>(i) + 1;
  return 0;
}

std::optional<Period> relative_word(const std::string& word, int64_t today) {
  int64_t year;
  unsigned month, day;
  civil_from_days(today, &year, &month, &day);
  const int64_t monday = today - ((today + 3) % 7 + 7) % 7;  // 1970-01-01 was a Thursday
  const auto is = [&](std::string_view a, std::string_view b) { return word == a || word == b; };
  if (is("today", "aujourd'hui")) return Period{today, today + 1, {}};
  if (is("yesterday", "hier")) return Period{today - 1, today, {}};
  if (is("this-week", "cette-semaine")) return Period{monday, monday + 7, {}};
  if (is("last-week", "semaine-derniere")) return Period{monday - 7, monday, {}};
  if (is("this-month", "ce-mois")) return months(year, month, 1);
  if (is("last-month", "mois-dernier")) return month == 1 ? months(year - 1, 12, 1) : months(year, month - 1, 1);
  if (is("this-year", "cette-annee")) return months(year, 1, 12);
  if (is("last-year", "annee-derniere")) return months(year - 1, 1, 12);
  return std::nullopt;
}

// "7d", "2sem": from that long ago until now, today included.
std::optional<Result<Period>> duration(const std::string& word, int64_t today) {
  size_t digits = 0;
  while (digits < word.size() && word[digits] >= '0' && word[digits] <= '9') ++digits;
  if (digits == 0 || digits > 4 || digits == word.size()) return std::nullopt;
  const int64_t count = *number(std::string_view(word).substr(0, digits), 1, 4);
  const std::string unit = word.substr(digits);
  int64_t year;
  unsigned month, day;
  civil_from_days(today, &year, &month, &day);
  const auto back_months = [&](int64_t back) {
    const int64_t index = year * 12 + month - 1 - back;
    const int64_t to_year = index / 12, to_month = index % 12 + 1;
    const auto to_day = std::min<int64_t>(day, days_in_month(to_year, to_month));
    return Period{
        days_from_civil(to_year, static_cast<unsigned>(to_month), static_cast<unsigned>(to_day)), today + 1, {}};
  };
  if (unit == "d" || unit == "j") return Period{today - count, today + 1, {}};
  if (unit == "w" || unit == "sem") return Period{today - 7 * count, today + 1, {}};
  if (unit == "mo" || unit == "mois")
    return count > 12 * 200 ? Result<Period>(no_date(word)) : Result<Period>(back_months(count));
  if (unit == "y" || unit == "an" || unit == "ans")
    return count > 200 ? Result<Period>(no_date(word)) : Result<Period>(back_months(12 * count));
  if (unit == "m")
    return Result<Period>(
        fail(Code::kInvalid, "\"" + word + "\" may be minutes or months",
             "write " + std::to_string(count) + "mo or " + std::to_string(count) + "mois for months"));
  return std::nullopt;
}

}  // namespace

Result<Period> parse_point(std::string_view text, int64_t today) {
  const std::string word = fold_ascii(text);
  if (auto relative = relative_word(word, today)) return *relative;
  if (auto long_ago = duration(word, today)) return *long_ago;

  const auto day_period = [&](int64_t year, int64_t month, int64_t day) -> Result<Period> {
    if (!good_year(year) || !good_month(month) || day < 1 || day > days_in_month(year, month)) return no_date(text);
    const int64_t first = days_from_civil(year, static_cast<unsigned>(month), static_cast<unsigned>(day));
    return Period{first, first + 1, {}};
  };
  const char separator = word.find('/') != std::string::npos ? '/' : word.find('.') != std::string::npos ? '.' : '-';
  const auto parts = split(word, separator);
  if (parts.size() == 1) {
    if (auto year = number(word, 4, 4))
      return good_year(*year) ? Result<Period>(months(*year, 1, 12)) : Result<Period>(no_date(text));
    if (word.size() == 6 && (word[4] == 'q' || word[4] == 't')) {
      auto year = number(std::string_view(word).substr(0, 4), 4, 4),
           quarter = number(std::string_view(word).substr(5), 1, 1);
      if (year && quarter && good_year(*year) && *quarter >= 1 && *quarter <= 4)
        return months(*year, 3 * *quarter - 2, 3);
    }
    return no_date(text);
  }
  if (separator == '-') {
    if (parts.size() == 2) {
      if (const int64_t month = month_of_name(parts[0])) {
        auto year = number(parts[1], 4, 4);
        return year && good_year(*year) ? Result<Period>(months(*year, month, 1)) : Result<Period>(no_date(text));
      }
      auto year = number(parts[0], 4, 4), month = number(parts[1], 1, 2);
      if (year && month && good_year(*year) && good_month(*month)) return months(*year, *month, 1);
      return no_date(text);
    }
    auto year = number(parts[0], 4, 4);
    auto month = parts.size() == 3 ? number(parts[1], 1, 2) : std::nullopt,
         day = parts.size() == 3 ? number(parts[2], 1, 2) : std::nullopt;
    if (!year || !month || !day) return no_date(text);
    return day_period(*year, *month, *day);
  }
  // 15/03/2024, 15.03.2024, 03/2024: always the day first.
  auto year = number(parts.back(), 4, 4);
  if (!year && number(parts.back(), 2, 2))
    return fail(Code::kInvalid, "\"" + std::string(text) + "\" has a year of two digits",
                "write all four digits of the year");
  if (!year || !good_year(*year)) return no_date(text);
  if (parts.size() == 2) {
    auto month = number(parts[0], 1, 2);
    return month && good_month(*month) ? Result<Period>(months(*year, *month, 1)) : Result<Period>(no_date(text));
  }
  auto day = parts.size() == 3 ? number(parts[0], 1, 2) : std::nullopt,
       month = parts.size() == 3 ? number(parts[1], 1, 2) : std::nullopt;
  if (!day || !month) return no_date(text);
  ARCH_TRY(Period period, day_period(*year, *month, *day));
  if (*day <= 12 && *day != *month)
    period.notice = std::string(text) + " was read as day/month/year: " + format_day(period.first);
  return period;
}

std::string format_day(int64_t day) {
  int64_t year;
  unsigned month, day_of_month;
  civil_from_days(day, &year, &month, &day_of_month);
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%04d-%02u-%02u", static_cast<int>(year), month, day_of_month);
  return buffer;
}

Zone::Zone(const std::string& name) {
  if (name == "UTC") {
    known_ = true;
    return;
  }
  UChar zone[128];
  UErrorCode status = U_ZERO_ERROR;
  int32_t length = 0;
  u_strFromUTF8(zone, 127, &length, name.c_str(), static_cast<int32_t>(name.size()), &status);
  if (U_FAILURE(status)) return;
  // ICU takes any name for GMT: only names that it lists are zones.
  UBool system_id = false;
  UChar canonical[128];
  status = U_ZERO_ERROR;
  ucal_getCanonicalTimeZoneID(zone, length, canonical, 127, &system_id, &status);
  if (U_FAILURE(status) || !system_id) return;
  calendar_ = ucal_open(zone, length, "en_US", UCAL_GREGORIAN, &status);
  known_ = U_SUCCESS(status) && calendar_ != nullptr;
}

Zone::~Zone() {
  if (calendar_ != nullptr) ucal_close(static_cast<UCalendar*>(calendar_));
}

int64_t Zone::midnight(int64_t day) const {
  if (calendar_ == nullptr) return day * 86400;
  int64_t year;
  unsigned month, day_of_month;
  civil_from_days(day, &year, &month, &day_of_month);
  auto* calendar = static_cast<UCalendar*>(calendar_);
  UErrorCode status = U_ZERO_ERROR;
  ucal_clear(calendar);
  ucal_setDateTime(calendar, static_cast<int32_t>(year), static_cast<int32_t>(month) - 1,
                   static_cast<int32_t>(day_of_month), 0, 0, 0, &status);
  const UDate milliseconds = ucal_getMillis(calendar, &status);
  return U_FAILURE(status) ? day * 86400 : static_cast<int64_t>(milliseconds / 1000);
}

int64_t Zone::day_of(int64_t seconds) const {
  int64_t day = seconds / 86400 - (seconds % 86400 < 0 ? 1 : 0);
  // No zone is more than a day away from UTC.
  for (int64_t candidate = day + 1; candidate > day - 2; --candidate)
    if (midnight(candidate) <= seconds) return candidate;
  return day - 2;
}

}  // namespace arch::query::internal
