// Claim    A silence is told soon in busy hours, late in quiet ones, never because of a night, a weekend, an import or too little
//          history.
// Method   Ten weeks of a company's mail, made with a fixed seed: 33 people at work from 8 to 18, services that run every hour,
//          almost nothing at night; then nothing more, looked at minute by minute.
// Teeth    The hour of the alarm is bounded on both sides; every quarter of an hour of the ten weeks before is asked too.
#include "ingest/silence/silence.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace arch::silence {
namespace {

constexpr UnixNs kHour = 3600 * kNsPerSecond;
constexpr UnixNs kMonday = 20'451 * kNsPerDay;  // 2025-12-29, a Monday

double rate(UnixNs time, bool services) {    // mails an hour
  const int64_t day = time / kNsPerDay % 7;  // 1970-01-01 was a Thursday
  const int64_t hour = time / kHour % 24;
  const bool weekend = day == 2 || day == 3;
  double out = services ? 6 : 0.1;
  if (!weekend && hour >= 7 && hour < 18) out += 40;
  return out;
}

std::vector<UnixNs> ten_weeks(bool services, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::vector<UnixNs> times;
  for (UnixNs hour = kMonday; hour < kMonday + 70 * kNsPerDay; hour += kHour) {
    std::poisson_distribution<int> count(rate(hour, services));
    for (int n = count(random); n > 0; --n)
      times.push_back(hour + static_cast<UnixNs>(random() % 3600) * kNsPerSecond);
  }
  std::sort(times.begin(), times.end());
  return times;
}

/// When the alarm comes after a stop at `stop`; 0: within 14 days never.
UnixNs alarm_after(UnixNs stop, bool services) {
  History history;
  for (UnixNs time : ten_weeks(services))
    if (time < stop) history.add(time);
  for (UnixNs now = stop; now < stop + 14 * kNsPerDay; now += 60 * kNsPerSecond)
    if (is_silent(history, now)) return now;
  return 0;
}

TEST(Silence, TheMondayIsOne) { EXPECT_EQ((kMonday / kNsPerDay + 3) % 7, 0); }

TEST(Silence, InBusyHoursAfterAnHour) {
  const UnixNs stop = kMonday + 63 * kNsPerDay + 10 * kHour;
  const UnixNs alarm = alarm_after(stop, true);
  EXPECT_GE(alarm, stop + kShortest - 600 * kNsPerSecond);  // the last mail came a little before
  EXPECT_LE(alarm, stop + kShortest);
}

TEST(Silence, AtNightWhenTheServicesAreMissed) {
  const UnixNs stop = kMonday + 63 * kNsPerDay + 20 * kHour;
  const UnixNs alarm = alarm_after(stop, true);
  EXPECT_GE(alarm, stop + kShortest);
  EXPECT_LE(alarm, stop + 5 * kHour);
}

TEST(Silence, AStopOnFridayEveningIsToldOnMondayMorning) {
  const UnixNs stop = kMonday + 67 * kNsPerDay + 19 * kHour;
  const UnixNs alarm = alarm_after(stop, false);
  EXPECT_GE(alarm, kMonday + 70 * kNsPerDay + 7 * kHour);
  EXPECT_LE(alarm, kMonday + 70 * kNsPerDay + 10 * kHour);
}

TEST(Silence, OrdinaryWeeksAreNoAlarm) {
  int asked = 0, alarms = 0;
  for (bool services : {true, false}) {
    History history;
    std::vector<UnixNs> times = ten_weeks(services, 7);
    size_t next = 0;
    for (UnixNs now = kMonday; now < kMonday + 70 * kNsPerDay; now += kHour / 4, ++asked) {
      for (; next < times.size() && times[next] <= now; ++next) history.add(times[next]);
      if (is_silent(history, now)) ++alarms;
    }
  }
  EXPECT_EQ(asked, 2 * 70 * 96);
  EXPECT_EQ(alarms, 0);
}

TEST(Silence, AHolidayWithALittleMailIsNoAlarm) {
  History history;
  const UnixNs holiday = kMonday + 63 * kNsPerDay;
  int alarms = 0;
  std::vector<UnixNs> times;
  for (UnixNs time : ten_weeks(true))
    if (time < holiday) times.push_back(time);
  for (UnixNs time : times) history.add(time);
  UnixNs last = holiday;
  for (UnixNs now = holiday; now < holiday + kNsPerDay; now += 60 * kNsPerSecond) {
    if (now - last >= 50 * 60 * kNsPerSecond) history.add(last = now);
    if (is_silent(history, now)) ++alarms;
  }
  EXPECT_EQ(alarms, 0);
}

TEST(Silence, AnImportedBurstChangesNothingOfWhatIsUsual) {
  History history;
  for (UnixNs time : ten_weeks(false)) history.add(time);
  const UnixNs night = kMonday + 71 * kNsPerDay + 2 * kHour;
  const double before = history.usual(night);
  for (int i = 0; i < 100'000; ++i) history.add(night - 7 * kNsPerDay);
  EXPECT_EQ(history.usual(night), before);
}

TEST(Silence, NotWithoutTwoWeeksOfHistory) {
  History history;
  EXPECT_FALSE(is_silent(history, kMonday));
  for (UnixNs time : ten_weeks(true))
    if (time < kMonday + 13 * kNsPerDay) history.add(time);
  EXPECT_FALSE(is_silent(history, kMonday + 13 * kNsPerDay + 23 * kHour));
  EXPECT_TRUE(is_silent(history, kMonday + 15 * kNsPerDay));
}

TEST(Silence, GoesOnForAsLongAsItLasts) {
  History history;
  for (UnixNs time : ten_weeks(true)) history.add(time);
  for (int day = 1; day < 60; ++day) EXPECT_TRUE(is_silent(history, kMonday + (70 + day) * kNsPerDay)) << day;
}

}  // namespace
}  // namespace arch::silence
