// The date forms of the query language, resolved to local days. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace arch::query {

/// Whole local days, days since 1970-01-01.
struct Period {
  int64_t from = 0;
  int64_t to = 0;          ///< the first day behind it
  bool duration = false;   ///< "7d": `from` is the day that lies so far back, the period goes on until today
  bool day_first = false;  ///< a/b/c that could also have been month/day/year
};

/// One point: 2024, 2024-03, 2024-03-15, 15/03/2024, 15.03.2024, 03/2024, 2024Q1, 2024T1, mars-2024, march-2024, words
/// (today, hier …), durations (7d, 2sem, 3mo, 1an). `today` is the local day. Errors: kInvalid, with what to write instead.
Result<Period> parse_date(std::string_view text, int64_t today);

std::string format_day(int64_t day);  ///< 2024-03-15

}  // namespace arch::query
