#include "ingest/silence/silence.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace arch::silence {
namespace {

constexpr UnixNs kHour = 3600 * kNsPerSecond;
constexpr int64_t kHoursAWeek = 168;
constexpr int64_t kLongestLook = 14 * 24;  // hours of silence: more of them change nothing

}  // namespace

void History::add(UnixNs captured) {
  if (first_ == 0 || captured < first_) first_ = captured;
  last_ = std::max(last_, captured);
  ++hours_[captured / kHour];
  const int64_t oldest = last_ / kHour - (kWeeks + 3) * kHoursAWeek;
  hours_.erase(hours_.begin(), hours_.lower_bound(oldest));
}

// Over the full weeks before the last mail, so that the silence itself is not part of what is usual.
double History::median_of(int64_t hour) const {
  std::array<uint32_t, kWeeks> counts{};
  int weeks = 0;
  const int64_t first = first_ / kHour, last = last_ / kHour;
  for (int64_t week = 1; week <= kWeeks + 2 && weeks < kWeeks; ++week) {
    const int64_t at = hour - week * kHoursAWeek;
    if (at >= last) continue;  // in the silence
    if (at <= first) break;
    auto found = hours_.find(at);
    counts[static_cast<size_t>(weeks++)] = found == hours_.end() ? 0 : found->second;
  }
  if (weeks == 0) return 0;
  std::sort(counts.begin(), counts.begin() + weeks);
  // Of an even number the lower one: an alarm too late is better than one too many.
  return counts[static_cast<size_t>((weeks - 1) / 2)];
}

double History::usual(UnixNs time) const {
  const int64_t hour = time / kHour;
  const double median = std::min({median_of(hour - 1), median_of(hour), median_of(hour + 1)});
  return median - std::sqrt(median);
}

double History::expected_since_last(UnixNs now) const {
  double expected = 0;
  const UnixNs from = std::max(last_, now - kLongestLook * kHour);
  for (UnixNs at = from; at < now;) {
    const UnixNs end = std::min((at / kHour + 1) * kHour, now);
    expected += usual(at) * static_cast<double>(end - at) / static_cast<double>(kHour);
    at = end;
  }
  return expected;
}

bool is_silent(const History& history, UnixNs now) {
  if (history.first() == 0 || now - history.first() < kLeastHistory || now - history.last() < kShortest) return false;
  return history.expected_since_last(now) >= kGaps;
}

}  // namespace arch::silence
