// The alarm that nothing comes any more: for five times as long as it usually takes until the next mail comes, at that hour of
// that weekday.
//
// What is usual is counted by hour of the week over the last eight weeks: the median of the weeks, so that neither an import nor
// a holiday shifts it; the smallest of an hour and its two neighbours, so that a quiet hour's edge is no alarm; less its square
// root, by which such counts differ from week to week, so that a few mails an hour are not taken for a clockwork. A silence
// is measured in mails that should have come: each of its hours adds what is usual then; five of them are the alarm. Nights and
// weekends therefore count as little as they bring.
#pragma once

#include <cstdint>
#include <map>

#include "engine/base/clock.h"

namespace arch::silence {

constexpr int kWeeks = 8;
constexpr double kGaps = 5;                        ///< times the usual gap
constexpr UnixNs kShortest = 3600 * kNsPerSecond;  ///< no silence is shorter
constexpr UnixNs kLeastHistory = 14 * kNsPerDay;

/// How many deliveries came in each hour. One thread.
class History {
 public:
  /// In any order; what is older than the weeks looked at is forgotten by and by.
  void add(UnixNs captured);
  UnixNs first() const { return first_; }  ///< 0: none
  UnixNs last() const { return last_; }
  /// Deliveries that come in the hour that `time` lies in, in most weeks.
  double usual(UnixNs time) const;
  /// Mails that should have come between the last one and `now`.
  double expected_since_last(UnixNs now) const;

 private:
  double median_of(int64_t hour) const;
  std::map<int64_t, uint32_t> hours_;  ///< hours since 1970
  UnixNs first_ = 0, last_ = 0;
};

/// True when the silence is to be told. False with less than two weeks of history.
bool is_silent(const History& history, UnixNs now);

}  // namespace arch::silence
