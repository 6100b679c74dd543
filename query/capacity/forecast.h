// When the archive will be full: from what each day brought to the days on which 70, 80, 90 and 100 % of the cap are reached.
//
// Method (docs/capacity.md says it for operators). Days become weeks, so that weekends do not count as change; what an import
// brought is left out, and a single week far above its neighbours (a migration that came as mail) is cut to them. Two years
// of history give a season for each week of the year. A step up or down that lasts (a company that doubled) makes what was
// before it old: the level is that of the weeks since. Growth is the median of all slopes between two weeks (Theil 1950, Sen
// 1968), within bounds. The way is then walked day by day, with season, weekday and growth, until it meets the cap. Earliest
// and latest walk with a level and a growth that the spread of the weeks still allows.
//
// Threads   Pure; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>

#include "engine/archive.h"

namespace arch::capacity {

constexpr int64_t kLeastHistory = 14;                              ///< days; with fewer nothing is said
constexpr std::array<int, 4> kForecastLevels = {70, 80, 90, 100};  ///< percent of the cap
constexpr int64_t kHorizon = 30 * 366;                             ///< days; what lies behind is not said

/// Days since 1970. Nothing: behind the horizon.
struct Crossing {
  int percent = 0;
  bool reached = false;  ///< already: no days then
  std::optional<int64_t> earliest, likely, latest;
};

struct Forecast {
  int64_t history = 0;          ///< complete days that are known, today not among them
  bool known = false;           ///< history is long enough
  bool seasonal = false;        ///< two years: the season is in it
  std::optional<int64_t> step;  ///< the level is that of the weeks since this day
  double bytes_a_day = 0;       ///< on disk, over the next year
  double growth_a_year = 0;     ///< of the level: 0.1 is 10 % more mail each year
  std::array<Crossing, kForecastLevels.size()> crossings;

  const Crossing& full() const { return crossings.back(); }
};

/// `days` by day of capture; `today` is not complete and does not count. `disk_per_byte`: bytes on disk for each new byte of
/// mail.
Forecast forecast(const std::map<int64_t, ArchiveUsage::Day>& days, int64_t today, double disk_per_byte,
                  uint64_t used_bytes, uint64_t cap_bytes);

}  // namespace arch::capacity
