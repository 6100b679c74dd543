#include "query/capacity/forecast.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace arch::capacity {

namespace {

using Series = std::vector<double>;

constexpr size_t kWeek = 7;
constexpr size_t kYear = 52;                                                              // weeks
constexpr size_t kSeasonHistory = 104;                                                    // weeks
constexpr std::array<double, 5> kSmooth = {1 / 9.0, 2 / 9.0, 3 / 9.0, 2 / 9.0, 1 / 9.0};  // over neighbouring weeks
constexpr double kSpike = 3;                                                              // times its neighbours
constexpr size_t kNeighbours = 6;                                                         // weeks on each side
constexpr size_t kLasting = 3;        // weeks that a higher level has to last
constexpr size_t kStepSpan = 8;       // weeks compared on each side of a step
constexpr double kStep = 1.4;         // a change this large is one
constexpr size_t kLevelSpan = kYear;  // weeks that say the level: over a whole year what the season misses evens out
constexpr size_t kSlopeSpan = 156;    // weeks that say the growth
constexpr size_t kSlopeLeast = 40;
constexpr double kMostGrowth = 0.6;  // a year, of its logarithm
constexpr double kLeastGrowth = -0.35;
constexpr double kDaysAYear = 365.25;

double median(Series values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

Series slice(const Series& values, size_t from, size_t to) {
  to = std::min(to, values.size());
  if (from >= to) return {};
  return {values.begin() + static_cast<std::ptrdiff_t>(from), values.begin() + static_cast<std::ptrdiff_t>(to)};
}

double mean(const Series& values) {
  return values.empty() ? 0 : std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// A week far above its neighbours that is not the beginning of a higher level.
void cut_spikes(Series* weeks) {
  const Series given = *weeks;
  for (size_t i = 0; i < given.size(); ++i) {
    const double before = median(slice(given, i > kNeighbours ? i - kNeighbours : 0, i));
    const Series following = slice(given, i + 1, i + 1 + kNeighbours);
    const double after = median(following);
    const double usual = i == 0 ? after : following.size() < kLasting ? before : std::max(before, after);
    if (usual > 0 && given[i] > kSpike * usual) (*weeks)[i] = usual;
  }
}

size_t week_of_year(int64_t day) {
  int64_t year = 0;
  unsigned month = 0, day_of_month = 0;
  civil_from_days(day, &year, &month, &day_of_month);
  return std::min(static_cast<size_t>(day - days_from_civil(year, 1, 1)) / kWeek, kYear - 1);
}

// For each week of the year what it has of the usual, 1 on average.
Series season_of(const Series& weeks, int64_t first_day) {
  Series season(kYear, 1.0);
  for (int round = 0; round < 3; ++round) {
    Series flat(weeks.size());
    for (size_t i = 0; i < weeks.size(); ++i)
      flat[i] = weeks[i] / season[week_of_year(first_day + static_cast<int64_t>(i * kWeek) + 3)];
    std::vector<Series> ratios(kYear);
    for (size_t i = kYear / 2; i + kYear / 2 <= weeks.size(); ++i) {
      // A running median keeps a step sharp where a mean would smear it over the year.
      const double trend = median(slice(flat, i - kYear / 2, i + kYear / 2));
      if (trend > 0)
        ratios[week_of_year(first_day + static_cast<int64_t>(i * kWeek) + 3)].push_back(weeks[i] / trend);
    }
    Series raw(kYear, 1.0);
    for (size_t week = 0; week < kYear; ++week)
      if (!ratios[week].empty()) raw[week] = std::clamp(median(ratios[week]), 0.2, 4.0);
    for (size_t week = 0; week < kYear; ++week) {
      season[week] = 0;
      for (size_t off = 0; off < kSmooth.size(); ++off)
        season[week] += kSmooth[off] * raw[(week + kYear + off - kSmooth.size() / 2) % kYear];
    }
    const double all = mean(season);
    for (double& factor : season) factor /= all;
  }
  return season;
}

// Where the last lasting step lies; 0: there is none.
size_t last_step(const Series& flat) {
  size_t found = 0;
  double strongest = 1;
  for (size_t i = kStepSpan; i + kStepSpan / 2 <= flat.size(); ++i) {
    const double before = median(slice(flat, i - kStepSpan, i));
    const double after = median(slice(flat, i, i + kStepSpan));
    if (before <= 0 || after <= 0) continue;
    const double change = std::max(after / before, before / after);
    if (change < kStep) {
      strongest = 1;
    } else if (change >= strongest) {
      strongest = change;
      found = i;
    }
  }
  return found;
}

// Of the logarithm, a week.
double slope_of(const Series& flat) {
  if (flat.size() < kSlopeLeast) return 0;
  Series logs;
  for (const double value : flat) logs.push_back(std::log(std::max(value, 1.0)));
  Series slopes;
  const size_t apart = logs.size() / 3;  // near neighbours say nothing but noise
  for (size_t i = 0; i < logs.size(); ++i)
    for (size_t j = i + apart; j < logs.size(); ++j)
      slopes.push_back((logs[j] - logs[i]) / static_cast<double>(j - i));
  return std::clamp(median(std::move(slopes)), kLeastGrowth / kYear, kMostGrowth / kYear);
}

struct Walk {
  double level = 0;   // bytes a day now, without season
  double growth = 0;  // of the logarithm, a day
};

}  // namespace

Forecast forecast(const std::map<int64_t, ArchiveUsage::Day>& days, int64_t today, double disk_per_byte,
                  uint64_t used_bytes, uint64_t cap_bytes) {
  Forecast out;
  for (size_t i = 0; i < kForecastLevels.size(); ++i) {
    out.crossings[i].percent = kForecastLevels[i];
    out.crossings[i].reached =
        static_cast<double>(used_bytes) >= static_cast<double>(cap_bytes) * kForecastLevels[i] / 100;
  }
  // History begins with the first mail that came by itself: an import says nothing of days before.
  int64_t first = today;
  for (const auto& [day, counts] : days)
    if (counts.new_bytes > counts.imported_bytes) {
      first = std::min(day, today);
      break;
    }
  out.history = today - first;
  out.known = out.history >= kLeastHistory;
  if (!out.known) return out;

  const auto on_day = [&](int64_t day) {
    const auto known = days.find(day);
    return known == days.end()
               ? 0.0
               : static_cast<double>(known->second.new_bytes - known->second.imported_bytes) * disk_per_byte;
  };
  const size_t count = static_cast<size_t>(out.history) / kWeek;
  const int64_t start = today - static_cast<int64_t>(count * kWeek);
  Series weeks(count);
  for (size_t i = 0; i < count; ++i)
    for (size_t d = 0; d < kWeek; ++d) weeks[i] += on_day(start + static_cast<int64_t>(i * kWeek + d)) / kWeek;
  cut_spikes(&weeks);

  Series season(kYear, 1.0);
  out.seasonal = count >= kSeasonHistory;
  if (out.seasonal) season = season_of(weeks, start);
  Series flat(count);
  for (size_t i = 0; i < count; ++i)
    flat[i] = weeks[i] / season[week_of_year(start + static_cast<int64_t>(i * kWeek) + 3)];

  const size_t step = last_step(flat);
  if (step != 0) out.step = start + static_cast<int64_t>(step * kWeek);
  // A step hides growth: what is before it and what is behind it say it each for itself, the longer one louder.
  double slope = 0, weight = 0;
  for (const auto& [from_week, to_week] : {std::pair(size_t{0}, step), std::pair(step, count)}) {
    const size_t span = std::min(to_week - from_week, kSlopeSpan);
    if (span < kSlopeLeast) continue;
    const double weighs = std::pow(static_cast<double>(span), 3);  // as the variance of a slope falls
    slope += weighs * slope_of(slice(flat, to_week - span, to_week));
    weight += weighs;
  }
  if (weight > 0) slope /= weight;
  const size_t level_from = std::max(step, count > kLevelSpan ? count - kLevelSpan : 0);
  Series now;
  for (size_t i = level_from; i < count; ++i)
    now.push_back(flat[i] * std::exp(slope * static_cast<double>(count - i)));
  const double level = mean(now);
  double spread = 0;
  for (const double value : now) spread += (value - level) * (value - level);
  spread = level <= 0 || now.size() < 2
               ? 1
               : std::sqrt(spread / static_cast<double>(now.size() - 1) / static_cast<double>(now.size())) / level;
  // What no spread of past weeks says: that they need not be like those to come.
  const double doubt = std::min(1.0, 1.64 * spread + (out.seasonal ? 0.08 : 0.2));

  std::array<double, kWeek> weekday{};
  const int64_t from = std::max(start, today - static_cast<int64_t>(13 * kWeek));
  for (int64_t day = from; day < today; ++day)
    weekday[static_cast<size_t>((day % 7 + 7) % 7)] += std::min(on_day(day), kSpike * kWeek * level);
  const double all = std::accumulate(weekday.begin(), weekday.end(), 0.0);
  for (double& share : weekday) share = all > 0 ? share / all * kWeek : 1;

  const auto walk = [&](const Walk& with, std::optional<int64_t> Crossing::*which) {
    double bytes = static_cast<double>(used_bytes);
    size_t next = 0;
    for (int64_t ahead = 0; ahead < kHorizon && next < out.crossings.size(); ++ahead) {
      const int64_t day = today + ahead;
      bytes += with.level * std::exp(with.growth * static_cast<double>(std::min<int64_t>(ahead, 5 * 366))) *
               season[week_of_year(day)] * weekday[static_cast<size_t>((day % 7 + 7) % 7)];
      for (; next < out.crossings.size(); ++next) {
        Crossing& crossing = out.crossings[next];
        if (!crossing.reached && bytes < static_cast<double>(cap_bytes) * crossing.percent / 100) break;
        if (!crossing.reached) crossing.*which = day;
      }
      if (ahead == 364 && which == &Crossing::likely)
        out.bytes_a_day = (bytes - static_cast<double>(used_bytes)) / 365;
    }
  };
  const double growth = slope / kWeek;
  out.growth_a_year = std::exp(growth * kDaysAYear) - 1;
  out.bytes_a_day = level;
  walk({level, growth}, &Crossing::likely);
  walk({level * (1 + doubt), growth + 0.1 / kDaysAYear}, &Crossing::earliest);
  walk({level / (1 + doubt), growth - 0.1 / kDaysAYear}, &Crossing::latest);
  return out;
}

}  // namespace arch::capacity
