// Local days to instants, by the system's zone files. Not the C library's TZ: that is one per process, and not safe beside
// threads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace arch::query {

/// A value; const members from any thread.
class Timezone {
 public:
  Timezone() = default;  ///< UTC

  /// "UTC", or a name of the zone database ("Europe/Paris"), read from $TZDIR or /usr/share/zoneinfo. Errors: kInvalid (no
  /// such name, or not a zone file), kNotFound, kIo.
  static Result<Timezone> load(std::string_view name);
  /// A zone file (RFC 8536, versions 1 to 4). Errors: kInvalid.
  static Result<Timezone> from_tzif(std::string_view bytes);

  /// Seconds that local time is ahead of UTC at this instant.
  int32_t offset_at(int64_t utc_s) const;
  /// The first instant of a local day (days since 1970-01-01). Where the clocks skip midnight, the first instant after.
  int64_t day_begin(int64_t day) const;
  /// The local day of an instant.
  int64_t day_of(int64_t utc_s) const;

 private:
  // A yearly change by POSIX TZ: the weekday-th of a month, or a day of the year.
  struct Rule {
    enum class Kind : uint8_t { kMonthWeekDay, kJulianNoLeap, kDayOfYear } kind = Kind::kMonthWeekDay;
    int month = 1, week = 1, weekday = 0;
    int day = 0;
    int32_t time_s = 7200;
  };
  struct Change {
    int64_t at;
    int32_t offset;
  };
  static bool parse_posix(std::string_view text, Timezone* zone);
  static int64_t rule_day(const Rule& rule, int64_t year);
  int32_t rule_offset(int64_t utc_s) const;

  std::vector<Change> changes_;  // rising
  int32_t first_offset_ = 0;     // before the first change
  // Behind the last change.
  bool has_rules_ = false;
  int32_t standard_ = 0, summer_ = 0;
  Rule summer_begins_, summer_ends_;
};

}  // namespace arch::query
