#include "query/language/dates.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <vector>

#include "engine/base/clock.h"
#include "query/text/analyser.h"

namespace arch::query {
namespace {

constexpr std::string_view kForms =
    "write 2024, 2024-03, 2024-03-15, 15/03/2024, 2024Q1, march-2024, yesterday or 7d";
constexpr int kFirstYear = 1000;  // four digits; also keeps every sum below far from overflow
constexpr int kLastYear = 9999;
constexpr int kMaxDigits = 6;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_number(std::string_view text) {
  if (text.empty() || text.size() > kMaxDigits) return false;
  for (char c : text)
    if (!is_digit(c)) return false;
  return true;
}

int number(std::string_view digits) {
  int value = 0;
  for (char c : digits) value = value * 10 + (c - '0');
  return value;
}

std::vector<std::string_view> split(std::string_view text, char sign) {
  std::vector<std::string_view> out;
  for (size_t at = 0;;) {
    size_t end = text.find(sign, at);
    out.push_back(text.substr(at, end == std::string_view::npos ? end : end - at));
    if (end == std::string_view::npos) return out;
    at = end + 1;
  }
}

struct Civil {
  int64_t year = 0;
  unsigned month = 0, day = 0;
};

Civil civil(int64_t day) {
  Civil out;
  civil_from_days(day, &out.year, &out.month, &out.day);
  return out;
}

int64_t month_begin(int64_t year, int64_t month) {  // month may lie outside 1..12
  int64_t months = year * 12 + month - 1;
  int64_t in_year = ((months % 12) + 12) % 12;
  return days_from_civil((months - in_year) / 12, static_cast<unsigned>(in_year + 1), 1);
}

Period months(int64_t year, int64_t month, int64_t count) {
  return {month_begin(year, month), month_begin(year, month + count)};
}

int64_t days_in_month(int64_t year, int64_t month) { return month_begin(year, month + 1) - month_begin(year, month); }

tl::unexpected<Error> not_a_date(std::string_view text, std::string_view hint = kForms) {
  return fail(Code::kInvalid, "'" + std::string(text) + "' is no date", std::string(hint));
}

Result<int> year_of(std::string_view text, std::string_view shown) {
  if (is_number(text) && text.size() == 2)
    return fail(Code::kInvalid, "the year in '" + std::string(shown) + "' has two digits",
                "write all four digits of the year");
  if (!is_number(text) || text.size() != 4 || number(text) < kFirstYear || number(text) > kLastYear)
    return not_a_date(shown);
  return number(text);
}

Result<Period> one_day(std::string_view shown, int year, std::string_view month_text, std::string_view day_text) {
  if (!is_number(month_text) || !is_number(day_text) || month_text.size() > 2 || day_text.size() > 2)
    return not_a_date(shown);
  int month = number(month_text);
  int day = number(day_text);
  if (month < 1 || month > 12)
    return not_a_date(shown, month_text.size() == 2 && day >= 1 && day <= 12
                                 ? "there is no month " + std::string(month_text) + "; day/month/year is the order"
                                 : "there is no month " + std::string(month_text));
  if (day < 1 || day > days_in_month(year, month))
    return not_a_date(shown, "this month has no day " + std::string(day_text));
  int64_t begin = days_from_civil(year, static_cast<unsigned>(month), static_cast<unsigned>(day));
  return Period{begin, begin + 1};
}

int month_by_name(std::string_view name) {
  static constexpr std::array<std::array<std::string_view, 4>, 12> kNames = {{
      {"january", "janvier", "jan", "janv"},
      {"february", "fevrier", "feb", "fevr"},
      {"march", "mars", "mar", ""},
      {"april", "avril", "apr", "avr"},
      {"may", "mai", "", ""},
      {"june", "juin", "jun", ""},
      {"july", "juillet", "jul", "juil"},
      {"august", "aout", "aug", ""},
      {"september", "septembre", "sep", "sept"},
      {"october", "octobre", "oct", ""},
      {"november", "novembre", "nov", ""},
      {"december", "decembre", "dec", ""},
  }};
  for (size_t month = 0; month < kNames.size(); ++month)
    for (std::string_view known : kNames[month])
      if (!known.empty() && known == name) return static_cast<int>(month) + 1;
  return 0;
}

enum class Unit : uint8_t { kDay, kWeek, kMonth, kQuarter, kYear };

Period unit_around(Unit unit, int64_t today, int64_t steps_back) {
  Civil now = civil(today);
  switch (unit) {
    case Unit::kDay:
      return {today - steps_back, today - steps_back + 1};
    case Unit::kWeek: {  // ISO 8601: Monday; 1970-01-01 was a Thursday
      int64_t monday = today - ((today + 3) % 7 + 7) % 7 - 7 * steps_back;
      return {monday, monday + 7};
    }
    case Unit::kMonth:
      return months(now.year, static_cast<int64_t>(now.month) - steps_back, 1);
    case Unit::kQuarter:
      return months(now.year, (static_cast<int64_t>(now.month) - 1) / 3 * 3 + 1 - 3 * steps_back, 3);
    case Unit::kYear:
      break;
  }
  return months(now.year - steps_back, 1, 12);
}

std::optional<Period> by_word(std::string_view word, int64_t today) {
  struct Word {
    std::string_view word;
    Unit unit;
    int64_t back;
  };
  static constexpr Word kWords[] = {
      {"today", Unit::kDay, 0},
      {"aujourd'hui", Unit::kDay, 0},
      {"yesterday", Unit::kDay, 1},
      {"hier", Unit::kDay, 1},
      {"avant-hier", Unit::kDay, 2},
      {"this-week", Unit::kWeek, 0},
      {"cette-semaine", Unit::kWeek, 0},
      {"last-week", Unit::kWeek, 1},
      {"semaine-derniere", Unit::kWeek, 1},
      {"this-month", Unit::kMonth, 0},
      {"ce-mois", Unit::kMonth, 0},
      {"last-month", Unit::kMonth, 1},
      {"mois-dernier", Unit::kMonth, 1},
      {"this-quarter", Unit::kQuarter, 0},
      {"ce-trimestre", Unit::kQuarter, 0},
      {"last-quarter", Unit::kQuarter, 1},
      {"trimestre-dernier", Unit::kQuarter, 1},
      {"this-year", Unit::kYear, 0},
      {"cette-annee", Unit::kYear, 0},
      {"last-year", Unit::kYear, 1},
      {"annee-derniere", Unit::kYear, 1},
      {"an-dernier", Unit::kYear, 1},
  };
  for (const Word& known : kWords)
    if (known.word == word) return unit_around(known.unit, today, known.back);
  return std::nullopt;
}

Result<Period> duration(std::string_view shown, std::string_view digits, std::string_view unit, int64_t today) {
  if (unit == "m")
    return fail(Code::kInvalid, "'" + std::string(shown) + "' could mean minutes or months",
                "write " + std::string(digits) + "mo for months");
  if (!is_number(digits)) return not_a_date(shown);
  int64_t count = number(digits);
  Civil now = civil(today);
  int64_t back = 0;
  if (unit == "d" || unit == "j") {
    back = today - count;
  } else if (unit == "w" || unit == "sem") {
    back = today - 7 * count;
  } else {
    int64_t month_count = unit == "mo" || unit == "mois" ? count : 12 * count;
    int64_t first = month_begin(now.year, static_cast<int64_t>(now.month) - month_count);
    int64_t next = month_begin(now.year, static_cast<int64_t>(now.month) - month_count + 1);
    back = first + std::min<int64_t>(now.day, next - first) - 1;  // 31 March less a month is the last of February
  }
  if (civil(back).year < kFirstYear) return not_a_date(shown, "that lies too far back");
  Period out{back, today + 1};
  out.duration = true;
  return out;
}

bool is_duration_unit(std::string_view unit) {
  for (std::string_view known : {"d", "j", "w", "sem", "mo", "mois", "y", "an", "ans", "m"})
    if (unit == known) return true;
  return false;
}

}  // namespace

std::string format_day(int64_t day) {  // not format_rfc3339: nanoseconds end in 2262
  Civil date = civil(day);
  char text[16];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u", static_cast<int>(date.year) % 10'000, date.month % 100,
                date.day % 100);
  return text;
}

Result<Period> parse_date(std::string_view text, int64_t today) {
  std::string folded = text::fold(text);
  for (size_t at; (at = folded.find("\xe2\x80\x99")) != std::string::npos;) folded.replace(at, 3, "'");
  std::string_view word(folded);
  if (word.empty()) return not_a_date(text);
  if (auto period = by_word(word, today)) return *period;

  size_t digits = 0;
  while (digits < word.size() && is_digit(word[digits])) ++digits;
  std::string_view rest = word.substr(digits);
  if (digits > 0 && digits <= kMaxDigits && is_duration_unit(rest))
    return duration(text, word.substr(0, digits), rest, today);

  if (digits == 4 && rest.size() == 2 && (rest[0] == 'q' || rest[0] == 't') && rest[1] >= '1' && rest[1] <= '4') {
    ARCH_TRY(int year, year_of(word.substr(0, 4), text));
    return months(year, 3 * (rest[1] - '1') + 1, 3);
  }

  if (word.find('/') != std::string_view::npos || word.find('.') != std::string_view::npos) {
    auto pieces = split(word, word.find('/') != std::string_view::npos ? '/' : '.');
    if (pieces.size() == 2) {
      ARCH_TRY(int year, year_of(pieces[1], text));
      if (!is_number(pieces[0]) || pieces[0].size() > 2) return not_a_date(text);
      int month = number(pieces[0]);
      if (month < 1 || month > 12) return not_a_date(text, "there is no month " + std::string(pieces[0]));
      return months(year, month, 1);
    }
    if (pieces.size() != 3) return not_a_date(text);
    if (pieces[0].size() == 4) return not_a_date(text, "with the year first the sign is -: 2024-03-15");
    ARCH_TRY(int year, year_of(pieces[2], text));
    ARCH_TRY(Period day, one_day(text, year, pieces[1], pieces[0]));
    day.day_first = number(pieces[0]) <= 12 && number(pieces[0]) != number(pieces[1]);
    return day;
  }

  auto pieces = split(word, '-');
  if (pieces.size() == 1) {
    ARCH_TRY(int year, year_of(word, text));
    return months(year, 1, 12);
  }
  if (int month = month_by_name(pieces[0]); month != 0 && pieces.size() == 2) {
    ARCH_TRY(int year, year_of(pieces[1], text));
    return months(year, month, 1);
  }
  if (pieces[0].size() <= 2 && pieces.size() == 3)
    return not_a_date(text, "with the day first the sign is /: 15/03/2024");
  ARCH_TRY(int year, year_of(pieces[0], text));
  if (pieces.size() == 3) return one_day(text, year, pieces[1], pieces[2]);
  if (pieces.size() != 2 || !is_number(pieces[1]) || pieces[1].size() > 2) return not_a_date(text);
  int month = number(pieces[1]);
  if (month < 1 || month > 12) return not_a_date(text, "there is no month " + std::string(pieces[1]));
  return months(year, month, 1);
}

}  // namespace arch::query
