// Time is passed in. UnixNs counts nanoseconds since 1970-01-01 UTC, leap seconds ignored (POSIX time).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace arch {

using UnixNs = int64_t;
constexpr UnixNs kNsPerSecond = 1'000'000'000;
constexpr UnixNs kNsPerDay = 86'400 * kNsPerSecond;

/// Any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual UnixNs now() = 0;
  static Clock& system();  ///< the machine's real-time clock
};

/// "2026-11-25T03:34:56Z" (RFC 3339, UTC); with a fraction only when `digits` (0..9) is not 0. Years 0001..9999, others
/// are clamped.
std::string format_rfc3339(UnixNs time, int digits = 0);
/// Days since 1970-01-01 of a civil date (proleptic Gregorian), and back.
int64_t days_from_civil(int64_t year, unsigned month, unsigned day);
void civil_from_days(int64_t days, int64_t* year, unsigned* month, unsigned* day);

}  // namespace arch
