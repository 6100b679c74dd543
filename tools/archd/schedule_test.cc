// Claim    A job runs at once when it never ran, else when its time has come, also across restarts; what was missed runs once; a
//          clock set back does not stop it.
// Method   A clock moved by hand; the schedule is made anew from its file.
// Teeth    due() just before and at the moment.
#include "tools/archd/schedule.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace arch::daemon {
namespace {

class HandClock : public Clock {
 public:
  UnixNs now() override { return time; }
  UnixNs time = 1'795'618'800 * kNsPerSecond;
};

class ScheduleTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "scheduleXXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  Schedule make() {
    Schedule schedule(Fs::real(), clock_, directory_);
    schedule.add("daily", kNsPerDay);
    schedule.add("hourly", kNsPerDay / 24);
    return schedule;
  }
  HandClock clock_;
  std::string directory_;
};

TEST_F(ScheduleTest, FirstAtOnceThenByInterval) {
  Schedule schedule = make();
  EXPECT_EQ(schedule.due(), "daily");
  EXPECT_TRUE(schedule.ran("daily", std::nullopt));
  EXPECT_EQ(schedule.due(), "hourly");
  EXPECT_TRUE(schedule.ran("hourly", std::nullopt));
  EXPECT_EQ(schedule.due(), std::nullopt);
  clock_.time += kNsPerDay / 24 - 1;
  EXPECT_EQ(schedule.due(), std::nullopt);
  clock_.time += 1;
  EXPECT_EQ(schedule.due(), "hourly");
}

TEST_F(ScheduleTest, ARestartForgetsNothingAndMissedRunsAreOne) {
  Schedule before = make();
  EXPECT_TRUE(before.ran("daily", std::nullopt));
  EXPECT_TRUE(before.ran("hourly", std::nullopt));
  EXPECT_EQ(make().due(), std::nullopt);
  clock_.time += 10 * kNsPerDay;
  Schedule after = make();
  EXPECT_TRUE(after.due().has_value());
  EXPECT_TRUE(after.ran("daily", std::nullopt));
  EXPECT_TRUE(after.ran("hourly", std::nullopt));
  EXPECT_EQ(after.due(), std::nullopt);
}

TEST_F(ScheduleTest, AnotherTimeOnRequest) {
  Schedule schedule = make();
  EXPECT_TRUE(schedule.ran("hourly", std::nullopt));
  EXPECT_TRUE(schedule.ran("daily", 5 * kNsPerSecond));
  clock_.time += 5 * kNsPerSecond;
  EXPECT_EQ(schedule.due(), "daily");
}

TEST_F(ScheduleTest, AClockSetBackAndADamagedFile) {
  clock_.time += 100 * kNsPerDay;
  Schedule before = make();
  EXPECT_TRUE(before.ran("daily", std::nullopt));
  EXPECT_TRUE(before.ran("hourly", std::nullopt));
  clock_.time -= 100 * kNsPerDay;
  Schedule after = make();
  clock_.time += kNsPerDay;
  EXPECT_TRUE(after.due().has_value());
  std::ofstream(directory_ + "/state/schedule.json") << "{\"last\": {\"daily\": \"x\"";
  EXPECT_EQ(make().due(), "daily");
}

}  // namespace
}  // namespace arch::daemon
