// Claim    The daemon's own jobs: a silence in the archive's deliveries becomes an alert and a mail, and ends when mail comes again;
//          imports neither are mail nor hide its absence.
// Method   An archive with ten weeks of deliveries, hour by hour, that end two days ago; the real scheduler; a script in place of
//          sendmail.
// Teeth    The alert's key is compared before and after; the mail is read.
#include "tools/archd/jobs.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <fstream>
#include <sstream>

#include "engine/archive_test_support.h"

namespace arch::daemon {
namespace {

constexpr UnixNs kHour = 3600 * kNsPerSecond;

class JobsTest : public archive_test::ArchiveFixture {
 protected:
  void SetUp() override {
    ArchiveFixture::SetUp();
    const std::string path = root_ + "/sendmail";
    std::ofstream(path) << "#!/bin/sh\ncat >>" << root_ << "/mails\n";
    ::chmod(path.c_str(), 0755);
    config_.report_sendmail = path;
    config_.report_to = "chef@maison.example";
    config_.cap_bytes = 1ull << 30;  // less than the disk of any machine that builds this has free
    auto book = AlertBook::open(Fs::real(), Clock::system(), root_ + "/a");
    ASSERT_TRUE(book);
    book_ = std::move(*book);
  }
  void deliver(UnixNs captured, Channel channel = Channel::kLmtp) {
    Delivery delivery;
    delivery.channel = channel;
    delivery.captured = captured;
    ASSERT_TRUE(archive_->append_staged(delivery, "Subject: " + std::to_string(++number_) + "\r\n\r\n"));
  }
  /// Runs the jobs until `condition`, at most 20 seconds.
  bool run_until(const std::function<bool()>& condition) {
    Jobs jobs(*archive_, *book_, config_);
    Scheduler scheduler(root_ + "/a");
    jobs.add_to(&scheduler);
    scheduler.start();
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition() && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return condition();
  }
  bool stands(const std::string& key) {
    for (const Alert& alert : book_->standing())
      if (alert.key == key) return true;
    return false;
  }
  std::string mails() {
    std::ifstream in(root_ + "/mails");
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }
  config::Config config_;
  std::unique_ptr<AlertBook> book_;
  int number_ = 0;
};

TEST_F(JobsTest, ASilenceIsToldAndEnds) {
  const UnixNs now = Clock::system().now();
  for (UnixNs at = now - 70 * kNsPerDay; at < now - 2 * kNsPerDay; at += kHour / 4) deliver(at);
  for (int i = 0; i < 100; ++i) deliver(now - kHour, Channel::kImport);
  ASSERT_TRUE(archive_->flush());
  apply();
  ASSERT_TRUE(run_until([&] { return stands("silence"); }));
  ASSERT_TRUE(run_until([&] { return !mails().empty() && book_->due().empty(); }));
  EXPECT_NE(mails().find("X-Archd-Alert: silence"), std::string::npos);
  EXPECT_NE(mails().find("To: chef@maison.example"), std::string::npos);

  deliver(Clock::system().now());
  ASSERT_TRUE(archive_->flush());
  apply();
  EXPECT_TRUE(run_until([&] { return !stands("silence"); }));
}

TEST_F(JobsTest, NobodyIsToldWhenNobodyIsNamed) {
  config_.report_to.clear();
  Alert alert;
  alert.key = "x";
  ASSERT_TRUE(book_->raise(alert));
  run_until([&, tries = 0]() mutable { return ++tries > 100; });  // two seconds
  EXPECT_EQ(book_->due().size(), 1u);
  EXPECT_EQ(mails(), "");
}

}  // namespace
}  // namespace arch::daemon
