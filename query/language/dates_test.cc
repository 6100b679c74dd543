// Claim   Every date form of docs/query-language.md is the period it says, and what is none is refused with advice.
// Method  Tables of text and first and last day, seen from a fixed today (Friday 2024-03-15).
// Teeth   Both ends are literal days, leap days and year ends among them.
#include "query/language/dates.h"

#include <gtest/gtest.h>

#include "engine/base/clock.h"

namespace arch::query {
namespace {

constexpr int64_t kToday = 19'797;  // 2024-03-15

std::string shown(std::string_view text) {
  auto period = parse_date(text, kToday);
  if (!period) return "error: " + period.error().what;
  return format_day(period->from) + " " + format_day(period->to - 1);
}

TEST(Dates, FormsAreThePeriodsTheySay) {
  const std::pair<const char*, const char*> kCases[] = {
      {"2024", "2024-01-01 2024-12-31"},
      {"2024-02", "2024-02-01 2024-02-29"},
      {"2023-02", "2023-02-01 2023-02-28"},
      {"2024-2", "2024-02-01 2024-02-29"},
      {"2024-12", "2024-12-01 2024-12-31"},
      {"2024-03-15", "2024-03-15 2024-03-15"},
      {"2024-02-29", "2024-02-29 2024-02-29"},
      {"15/03/2024", "2024-03-15 2024-03-15"},
      {"5/3/2024", "2024-03-05 2024-03-05"},
      {"15.03.2024", "2024-03-15 2024-03-15"},
      {"03/2024", "2024-03-01 2024-03-31"},
      {"03.2024", "2024-03-01 2024-03-31"},
      {"2024Q1", "2024-01-01 2024-03-31"},
      {"2024t4", "2024-10-01 2024-12-31"},
      {"mars-2024", "2024-03-01 2024-03-31"},
      {"March-2024", "2024-03-01 2024-03-31"},
      {"ao\u00fbt-2023", "2023-08-01 2023-08-31"},
      {"D\u00c9CEMBRE-2023", "2023-12-01 2023-12-31"},
      {"f\u00e9vr-2024", "2024-02-01 2024-02-29"},
      {"today", "2024-03-15 2024-03-15"},
      {"aujourd'hui", "2024-03-15 2024-03-15"},
      {"aujourd\u2019hui", "2024-03-15 2024-03-15"},
      {"yesterday", "2024-03-14 2024-03-14"},
      {"hier", "2024-03-14 2024-03-14"},
      {"avant-hier", "2024-03-13 2024-03-13"},
      {"this-week", "2024-03-11 2024-03-17"},
      {"cette-semaine", "2024-03-11 2024-03-17"},
      {"last-week", "2024-03-04 2024-03-10"},
      {"semaine-derni\u00e8re", "2024-03-04 2024-03-10"},
      {"this-month", "2024-03-01 2024-03-31"},
      {"mois-dernier", "2024-02-01 2024-02-29"},
      {"this-quarter", "2024-01-01 2024-03-31"},
      {"last-quarter", "2023-10-01 2023-12-31"},
      {"cette-ann\u00e9e", "2024-01-01 2024-12-31"},
      {"last-year", "2023-01-01 2023-12-31"},
      {"7d", "2024-03-08 2024-03-15"},
      {"7j", "2024-03-08 2024-03-15"},
      {"0d", "2024-03-15 2024-03-15"},
      {"2w", "2024-03-01 2024-03-15"},
      {"2sem", "2024-03-01 2024-03-15"},
      {"3mo", "2023-12-15 2024-03-15"},
      {"3mois", "2023-12-15 2024-03-15"},
      {"1y", "2023-03-15 2024-03-15"},
      {"1an", "2023-03-15 2024-03-15"},
      {"2ans", "2022-03-15 2024-03-15"},
      {"9999", "9999-01-01 9999-12-31"},
      {"1000", "1000-01-01 1000-12-31"},
  };
  for (const auto& [text, want] : kCases) EXPECT_EQ(shown(text), want) << text;
}

TEST(Dates, AMonthBackFromItsLastDayStaysInTheMonth) {
  auto period = parse_date("1mo", days_from_civil(2024, 3, 31));
  ASSERT_TRUE(period);
  EXPECT_EQ(format_day(period->from), "2024-02-29");
  period = parse_date("1y", days_from_civil(2024, 2, 29));
  ASSERT_TRUE(period);
  EXPECT_EQ(format_day(period->from), "2023-02-28");
}

TEST(Dates, WeeksBeginOnMonday) {
  for (int64_t day = days_from_civil(2024, 3, 11); day <= days_from_civil(2024, 3, 17); ++day) {
    auto period = parse_date("this-week", day);
    ASSERT_TRUE(period);
    EXPECT_EQ(format_day(period->from), "2024-03-11");
  }
}

TEST(Dates, WhatIsNoDateIsRefusedWithAdvice) {
  for (const char* text :
       {"",           "x",          "24",         "15/03/24",   "2024-13",  "2024-00",     "2024-02-30", "2023-02-29",
        "31/04/2024", "03/15/2024", "2024/03/15", "15-03-2024", "7m",       "7x",          "12345",      "2024Q5",
        "2024Q0",     "march",      "march-24",   "1/2/3/2024", "0999",     "2024-03-",    "-2024",      "2024--03",
        "a/b/2024",   "00/2024",    "13/2024",    "9999999d",   "999999mo", "2024-03-15T", "32/01/2024"}) {
    auto period = parse_date(text, kToday);
    ASSERT_FALSE(period) << text;
    EXPECT_EQ(period.error().code, Code::kInvalid);
    EXPECT_FALSE(period.error().hint.empty()) << text;
  }
  EXPECT_NE(shown("15/03/24").find("two digits"), std::string::npos);
  EXPECT_NE(shown("7m").find("minutes or months"), std::string::npos);
}

TEST(Dates, ADayThatCouldBeAMonthIsMarked) {
  EXPECT_TRUE(parse_date("03/04/2024", kToday)->day_first);
  EXPECT_FALSE(parse_date("04/04/2024", kToday)->day_first) << "the same either way";
  EXPECT_FALSE(parse_date("13/04/2024", kToday)->day_first);
}

}  // namespace
}  // namespace arch::query
