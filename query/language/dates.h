// Dates as people write them, to days of a time zone. Internal to query/language.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/clock.h"
#include "engine/base/result.h"

namespace arch::query::internal {

/// A period of whole days, [first, end), as days since 1970-01-01 of the local calendar.
struct Period {
  int64_t first = 0, end = 0;
  std::string notice;  ///< what to tell the asker: "read as day/month"
};

/// One point: 2024, 2024-03, 15/03/2024, 2024Q1, mars-2024, hier, 7j … Errors: kInvalid, `hint` says what works.
Result<Period> parse_point(std::string_view text, int64_t today);

/// Local midnight of a day in a zone ("Europe/Paris"), as seconds since 1970 UTC; the day of a moment.
class Zone {
 public:
  /// An unknown name gives UTC; `known` says so.
  explicit Zone(const std::string& name);
  ~Zone();
  Zone(const Zone&) = delete;
  Zone& operator=(const Zone&) = delete;
  bool known() const { return known_; }
  int64_t midnight(int64_t day) const;
  int64_t day_of(int64_t seconds) const;

 private:
  void* calendar_ = nullptr;
  bool known_ = false;
};

std::string format_day(int64_t day);  ///< 2024-03-15

}  // namespace arch::query::internal
