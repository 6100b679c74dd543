// Five years of mail of a company with 33 mailboxes, by day, for tests: growth, weekly and yearly rhythm, chance, one import, one
// doubling, one migration that comes as mail. The same seed gives the same company on every machine.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>
#include <vector>

#include "engine/base/clock.h"

namespace arch::capacity::testing {

struct Company {
  uint32_t seed = 1;
  double growth_a_year = 0.1;
  double season = 0.3;      ///< December above, August below the usual
  double noise = 0.25;      ///< standard deviation of a day's logarithm
  int doubled_on_day = 0;   ///< 0: never
  int imported_on_day = 0;  ///< 0: never
  int migrated_on_day = 0;  ///< for four days, ten times the usual; 0: never
};

constexpr int kDays = 5 * 365;
constexpr double kMeanDay = 33 * 45 * 90e3;  ///< bytes: 33 mailboxes, 45 mails each, 90 kB a mail

struct SimulatedDay {
  double mail = 0, imported = 0;  ///< bytes that were not there before
};

inline std::vector<SimulatedDay> simulate(const Company& company) {
  static constexpr double kWeekdays[] = {1.35, 1.3, 1.25, 0.25, 0.2, 1.25, 1.4};  // 1970-01-01 was a Thursday
  std::mt19937 random(company.seed);
  const auto chance = [&random] {  // of a normal distribution (Irwin-Hall), equal everywhere unlike the library's
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += static_cast<double>(random()) / 4294967296.0;
    return sum;
  };
  const int64_t first = days_from_civil(2026, 12, 1);
  std::vector<SimulatedDay> days(kDays);
  for (int i = 0; i < kDays; ++i) {
    const int64_t day = first + i;
    int64_t year = 0;
    unsigned month = 0, day_of_month = 0;
    civil_from_days(day, &year, &month, &day_of_month);
    const double in_year = static_cast<double>(day - days_from_civil(year, 1, 1)) / 365.25;
    double bytes = kMeanDay * kWeekdays[day % 7] * std::pow(1 + company.growth_a_year, i / 365.25);
    // Highest before Christmas, lowest in August.
    bytes *= 1 + company.season * (0.6 * std::cos(2 * std::numbers::pi * (in_year - 0.95)) +
                                   0.4 * std::cos(4 * std::numbers::pi * (in_year - 0.92)));
    bytes *= std::exp(company.noise * chance());
    if (company.doubled_on_day != 0 && i >= company.doubled_on_day) bytes *= 2;
    if (company.migrated_on_day != 0 && i >= company.migrated_on_day && i < company.migrated_on_day + 4) bytes *= 10;
    days[static_cast<size_t>(i)].mail = bytes;
    if (company.imported_on_day == i) days[static_cast<size_t>(i)].imported = 300 * kMeanDay;
  }
  return days;
}

}  // namespace arch::capacity::testing
