// Claim    An alert is told once when it is raised or grows worse, again when its time to repeat has come, an hour after a mail
//          that could not be sent; a restart in between changes nothing; a damaged file is no obstacle.
// Method   A clock that is moved by hand; the book is opened anew between steps.
// Teeth    due() is compared whole at each step, just before and just at the moment.
#include "engine/notice/alerts.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace arch {
namespace {

class HandClock : public Clock {
 public:
  UnixNs now() override { return time; }
  UnixNs time = 1'795'618'800 * kNsPerSecond;
};

class AlertsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "alertsXXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    reopen();
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  void reopen() {
    auto book = AlertBook::open(Fs::real(), clock_, directory_);
    ASSERT_TRUE(book);
    book_ = std::move(*book);
  }
  std::vector<std::string> due() {
    reopen();
    std::vector<std::string> keys;
    for (const Alert& each : book_->due()) keys.push_back(each.key);
    return keys;
  }
  Alert alert(const std::string& key, Severity severity = Severity::kWarning, const std::string& body = "b") {
    Alert out;
    out.key = key;
    out.severity = severity;
    out.text = {"sujet", body, "subject", body};
    return out;
  }
  using Keys = std::vector<std::string>;
  HandClock clock_;
  std::string directory_;
  std::unique_ptr<AlertBook> book_;
};

TEST_F(AlertsTest, ToldOnceThenEachRepeat) {
  EXPECT_TRUE(*book_->raise(alert("a")));
  EXPECT_EQ(due(), Keys{"a"});
  EXPECT_FALSE(*book_->raise(alert("a")));
  EXPECT_TRUE(book_->sent("a"));
  EXPECT_FALSE(*book_->raise(alert("a", Severity::kWarning, "another text")));
  EXPECT_EQ(due(), Keys{});
  clock_.time += 7 * kNsPerDay - 1;
  EXPECT_EQ(due(), Keys{});
  clock_.time += 1;
  EXPECT_EQ(due(), Keys{"a"});
  EXPECT_EQ(book_->standing()[0].text.body_fr, "another text");
}

TEST_F(AlertsTest, WorseIsToldAtOnce) {
  EXPECT_TRUE(book_->raise(alert("a")));
  EXPECT_TRUE(book_->sent("a"));
  EXPECT_TRUE(*book_->raise(alert("a", Severity::kCritical)));
  EXPECT_EQ(due(), Keys{"a"});
  EXPECT_TRUE(book_->sent("a"));
  EXPECT_FALSE(*book_->raise(alert("a")));  // better, and no news
  EXPECT_EQ(due(), Keys{});
}

TEST_F(AlertsTest, AMailThatFailedIsTriedAfterAnHourAndShown) {
  EXPECT_TRUE(book_->raise(alert("a")));
  EXPECT_TRUE(book_->not_sent("a", "no sendmail here"));
  EXPECT_EQ(due(), Keys{});
  EXPECT_EQ(book_->standing()[0].failure, "no sendmail here");
  clock_.time += 3600 * kNsPerSecond;
  EXPECT_EQ(due(), Keys{"a"});
  EXPECT_TRUE(book_->sent("a"));
  EXPECT_EQ(book_->standing()[0].failure, "");
}

TEST_F(AlertsTest, ClearedAndRaisedAgainIsNew) {
  EXPECT_TRUE(book_->raise(alert("a")));
  EXPECT_TRUE(book_->sent("a"));
  EXPECT_TRUE(*book_->clear("a"));
  EXPECT_FALSE(*book_->clear("a"));
  EXPECT_EQ(due(), Keys{});
  EXPECT_TRUE(*book_->raise(alert("a")));
  EXPECT_EQ(due(), Keys{"a"});
}

TEST_F(AlertsTest, OthersOfAFamilyAreCleared) {
  for (const char* key : {"capacity-50", "capacity-70", "silence"}) EXPECT_TRUE(book_->raise(alert(key)));
  EXPECT_TRUE(book_->clear_others("capacity-", "capacity-70"));
  EXPECT_EQ(due(), (Keys{"capacity-70", "silence"}));
}

TEST_F(AlertsTest, AShorterRepeatCountsFromTheLastMail) {
  EXPECT_TRUE(book_->raise(alert("a")));
  EXPECT_TRUE(book_->sent("a"));
  Alert daily = alert("a");
  daily.repeat = kNsPerDay;
  EXPECT_TRUE(book_->raise(daily));
  EXPECT_EQ(due(), Keys{});
  clock_.time += kNsPerDay;
  EXPECT_EQ(due(), Keys{"a"});
  daily.repeat = 0;
  EXPECT_TRUE(book_->raise(daily));
  EXPECT_EQ(due(), Keys{});
}

TEST_F(AlertsTest, TheMostSevereStandsFirst) {
  EXPECT_TRUE(book_->raise(alert("a")));
  clock_.time += kNsPerSecond;
  EXPECT_TRUE(book_->raise(alert("b", Severity::kCritical)));
  EXPECT_EQ(due(), (Keys{"b", "a"}));
}

TEST_F(AlertsTest, ADamagedFileCountsAsNone) {
  EXPECT_TRUE(book_->raise(alert("a")));
  std::ofstream(directory_ + "/state/alerts.json") << "{\"alerts\": [{\"key\": 3}]}";
  EXPECT_EQ(read_alerts(Fs::real(), directory_).error().code, Code::kCorrupt);
  EXPECT_EQ(due(), Keys{});
  EXPECT_TRUE(book_->raise(alert("b")));
  EXPECT_EQ(due(), Keys{"b"});
}

}  // namespace
}  // namespace arch
