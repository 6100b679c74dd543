// Promise: the likely day is within 15 % of the time that is left, from six months before; little history says so.
#include "query/capacity/forecast.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "query/capacity/simulated_company.h"

namespace arch::capacity {
namespace {

using testing::Company;

constexpr double kDisk = 0.35;  // bytes on disk a byte of mail

std::map<int64_t, ArchiveUsage::Day> flat(int64_t first, int64_t days, uint64_t bytes) {
  std::map<int64_t, ArchiveUsage::Day> out;
  for (int64_t day = first; day < first + days; ++day) out[day] = {1, bytes, bytes, 0};
  return out;
}

TEST(ForecastTest, LittleHistorySaysNothing) {
  EXPECT_FALSE(forecast({}, 100, 1, 0, 1'000).known);
  EXPECT_FALSE(forecast(flat(100, 13, 10), 113, 1, 130, 1'000).known);
  const Forecast known = forecast(flat(100, 14, 10), 114, 1, 140, 1'000);
  EXPECT_TRUE(known.known);
  EXPECT_FALSE(known.seasonal);
  EXPECT_EQ(known.history, 14);
}

TEST(ForecastTest, SteadyMailMeetsTheCapOnTheDay) {
  const Forecast steady = forecast(flat(0, 28, 10), 28, 1, 280, 1'000);
  ASSERT_TRUE(steady.full().likely);
  EXPECT_EQ(*steady.full().likely, 99) << "280 + 72 × 10";
  EXPECT_LT(*steady.full().earliest, 99);
  EXPECT_GT(*steady.full().latest, 99);
  EXPECT_EQ(*steady.crossings[0].likely, 69);
  EXPECT_NEAR(steady.bytes_a_day, 10, 0.01);
}

TEST(ForecastTest, WhatIsReachedHasNoDay) {
  const Forecast late = forecast(flat(0, 28, 10), 28, 1, 850, 1'000);
  EXPECT_TRUE(late.crossings[0].reached);
  EXPECT_TRUE(late.crossings[1].reached);
  EXPECT_FALSE(late.crossings[2].reached);
  EXPECT_FALSE(late.crossings[1].likely);
  EXPECT_TRUE(forecast(flat(0, 28, 10), 28, 1, 1'001, 1'000).full().reached);
  EXPECT_TRUE(forecast(flat(0, 28, 10), 28, 1, 0, 0).full().reached) << "no cap, no room";
}

TEST(ForecastTest, AnImportIsNoGrowthWhicheverDayItCame) {
  auto days = flat(0, 60, 10);
  days[40].new_bytes += 5'000;
  days[40].imported_bytes = 5'000;
  EXPECT_NEAR(forecast(days, 60, 1, 5'600, 10'000).bytes_a_day, 10, 0.01);
  std::map<int64_t, ArchiveUsage::Day> only;
  only[5] = {1, 100, 100, 100};
  EXPECT_FALSE(forecast(only, 60, 1, 100, 1'000).known) << "nothing has come by itself";
}

TEST(ForecastTest, AnArchiveWithoutMailNeverFills) {
  auto days = flat(0, 1, 10);
  const Forecast quiet = forecast(days, 400, 1, 10, 1'000'000);
  EXPECT_TRUE(quiet.known);
  EXPECT_FALSE(quiet.full().likely);
}

struct Worst {
  double share = 0;  // of the time that is left, from six months to one month before
  double days = 0;   // from then on: chance alone moves the last weeks by days
};

// Of the likely day, looked at every day.
Worst worst_error(const Company& company, int full_on_day) {
  const std::vector<testing::SimulatedDay> simulated = testing::simulate(company);
  const int64_t first = days_from_civil(2026, 12, 1);
  std::map<int64_t, ArchiveUsage::Day> days;
  std::vector<double> used;
  double sum = 0;
  for (size_t i = 0; i < simulated.size(); ++i) {
    used.push_back(sum);
    sum += (simulated[i].mail + simulated[i].imported) * kDisk;
  }
  const double cap = used[static_cast<size_t>(full_on_day)];
  Worst worst;
  for (int i = 0; i < full_on_day; ++i) {
    if (i >= full_on_day - 183) {
      const Forecast at = forecast(days, first + i, kDisk, static_cast<uint64_t>(used[static_cast<size_t>(i)]),
                                   static_cast<uint64_t>(cap));
      if (!at.full().likely) return {1e9, 1e9};
      const double left = full_on_day - i;
      const double off = std::abs(static_cast<double>(*at.full().likely - first - i) - left);
      if (left > 30)
        worst.share = std::max(worst.share, off / left);
      else
        worst.days = std::max(worst.days, off);
    }
    const auto mail = static_cast<uint64_t>(simulated[static_cast<size_t>(i)].mail);
    const auto imported = static_cast<uint64_t>(simulated[static_cast<size_t>(i)].imported);
    days[first + i] = {1, mail + imported, mail + imported, imported};
  }
  return worst;
}

TEST(ForecastTest, FiveYearsOfFiveCompanies) {
  const std::pair<const char*, Company> kCompanies[] = {
      {"steady", {1, 0.10, 0.0, 0.2, 0, 0, 0}},
      {"seasonal", {2, 0.08, 0.4, 0.2, 0, 0, 0}},
      {"doubled", {3, 0.05, 0.3, 0.2, 3 * 365, 0, 0}},
      {"import and migration", {4, 0.15, 0.3, 0.2, 0, 900, 1'100}},
      {"all of it", {5, 0.12, 0.3, 0.2, 2 * 365 + 100, 900, 1'100}},
  };
  for (const auto& [name, company] : kCompanies) {
    for (const int full : {1'350, 1'560, 1'700, 1'780}) {
      const Worst worst = worst_error(company, full);
      std::printf("%s, full on day %d: off by at most %.1f %%, by %.0f days in the last month\n", name, full,
                  worst.share * 100, worst.days);
      EXPECT_LE(worst.share, 0.15) << name << ", full on day " << full;
      EXPECT_LE(worst.days, 4) << name << ", full on day " << full;
    }
  }
}

}  // namespace
}  // namespace arch::capacity
