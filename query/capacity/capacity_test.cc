// Promise: each warning comes on its day, once; it is repeated as it should be; what is over is taken back.
#include "query/capacity/capacity.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <filesystem>

#include "engine/archive_test_support.h"
#include "query/capacity/simulated_company.h"

namespace arch::capacity {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr uint64_t kGiB = 1ull << 30;
constexpr double kDisk = 0.35;

class SetClock : public Clock {
 public:
  UnixNs now() override { return time; }
  UnixNs time = 0;
};

ArchiveUsage usage_of(uint64_t used, uint64_t free = 1'000 * kGiB) {
  ArchiveUsage usage;
  usage.segments = used;
  usage.volumes.push_back({"/archive", true, "", used, 1, free, 0, 1});
  return usage;
}

std::vector<std::string> keys_of(const std::vector<Alert>& alerts) {
  std::vector<std::string> keys;
  for (const Alert& alert : alerts) keys.push_back(alert.key);
  return keys;
}

TEST(CapacityTest, OneWarningOfAFamilyTheHighest) {
  const auto raised = [](uint64_t used) {
    return keys_of(alerts(report_of(usage_of(used), {}, 100 * kGiB, 0, 0), {}));
  };
  EXPECT_THAT(raised(49 * kGiB), IsEmpty());
  EXPECT_THAT(raised(50 * kGiB), ElementsAre("capacity-used-50"));
  EXPECT_THAT(raised(79 * kGiB), ElementsAre("capacity-used-70"));
  EXPECT_THAT(raised(200 * kGiB), ElementsAre("capacity-used-95"));
  EXPECT_EQ(monitoring_state(report_of(usage_of(60 * kGiB), {}, 100 * kGiB, 0, 0)), 0);
  EXPECT_EQ(monitoring_state(report_of(usage_of(70 * kGiB), {}, 100 * kGiB, 0, 0)), 1);
  EXPECT_EQ(monitoring_state(report_of(usage_of(90 * kGiB), {}, 100 * kGiB, 0, 0)), 2);
}

TEST(CapacityTest, DisksThatEndBeforeTheCap) {
  EXPECT_THAT(keys_of(alerts(report_of(usage_of(10 * kGiB, 91 * kGiB), {}, 100 * kGiB, kGiB, 0), {})), IsEmpty());
  EXPECT_THAT(keys_of(alerts(report_of(usage_of(10 * kGiB, 90 * kGiB), {}, 100 * kGiB, kGiB, 0), {})),
              ElementsAre("capacity-disk"));
  EXPECT_THAT(keys_of(alerts(report_of(usage_of(10 * kGiB, kGiB / 2), {}, 100 * kGiB, kGiB, 0), {})),
              ElementsAre("capacity-disk", "capacity-reserve"));
}

TEST(CapacityTest, TwoVolumesOnOneFileSystemHaveItsRoomOnce) {
  ArchiveUsage usage = usage_of(0, 50 * kGiB);
  usage.volumes.push_back({"/b", false, "", 0, 0, 50 * kGiB, 20 * kGiB, 1});
  usage.volumes.push_back({"/c", false, "", 0, 0, 30 * kGiB, 10 * kGiB, 2});
  usage.volumes.push_back({"/gone", false, "nothing is mounted", 0, 0, 0, 0, 0});
  const Report report = report_of(usage, {}, 100 * kGiB, kGiB, 0);
  EXPECT_EQ(report.free_bytes, 30 * kGiB + 20 * kGiB);
  EXPECT_THAT(keys_of(alerts(report, {})), UnorderedElementsAre("capacity-disk", "volume-missing"));
}

TEST(CapacityTest, AMailSaysItInBothLanguages) {
  const auto raised = alerts(report_of(usage_of(91 * kGiB), {}, 100 * kGiB, 0, 0), {});
  ASSERT_EQ(raised.size(), 1u);
  EXPECT_EQ(raised[0].severity, Severity::kCritical);
  EXPECT_EQ(raised[0].repeat, kNsPerDay);
  EXPECT_THAT(raised[0].text.body_fr, HasSubstr("91,0 Gio sur 100,0 Gio"));
  EXPECT_THAT(raised[0].text.body_en, HasSubstr("91.0 GiB of 100.0 GiB are used (91.0 %)"));
  EXPECT_THAT(raised[0].text.body_en, HasSubstr("archctl volume add"));
}

TEST(CapacityTest, ADateThatWaversIsOneCrossing) {
  Report report = report_of(usage_of(10 * kGiB), {}, 100 * kGiB, 0, 0);
  report.forecast.known = true;
  std::vector<Alert> standing;
  const auto at = [&](int64_t days) {
    report.forecast.crossings.back().likely = days;
    standing = alerts(report, standing);
    return keys_of(standing);
  };
  EXPECT_THAT(at(181), IsEmpty());
  EXPECT_THAT(at(179), ElementsAre("capacity-date-180"));
  EXPECT_THAT(at(195), ElementsAre("capacity-date-180"));
  EXPECT_THAT(at(89), ElementsAre("capacity-date-90"));
  EXPECT_THAT(at(95), ElementsAre("capacity-date-90"));
  EXPECT_THAT(at(150), ElementsAre("capacity-date-180"));
  EXPECT_THAT(at(210), IsEmpty());
}

TEST(CapacityTest, WhoAndWhatByShare) {
  std::map<ArchiveUsage::AccountKey, ArchiveUsage::Account> accounts;
  const int32_t month = 2026 * 12 + 10;
  accounts[{month, AccountKind::kMailbox, "a@x.example"}] = {1, 10, 10};
  accounts[{month - 20, AccountKind::kMailbox, "b@x.example"}] = {2, 30, 20};
  accounts[{month, AccountKind::kContent, "pdf"}] = {1, 5, 5};
  const Report report = report_of(usage_of(1), accounts, kGiB, 0, days_from_civil(2026, 11, 30) * kNsPerDay);
  ASSERT_EQ(report.mailboxes.size(), 2u);
  EXPECT_EQ(report.mailboxes[0].name, "b@x.example");
  EXPECT_EQ(report.mailboxes[0].year.bytes, 0u);
  EXPECT_EQ(report.mailboxes[1].year.bytes, 10u);
  EXPECT_EQ(report.contents[0].name, "pdf");
}

// Five years through the accounting itself: an archive whose mails are a millionth of the company's, the book of alerts, the
// clock, day after day.
class FiveYears : public archive_test::ArchiveFixture {};

TEST_F(FiveYears, EachWarningOnItsDayOnceAndRepeated) {
  constexpr double kScale = 1e-6;
  const std::vector<testing::SimulatedDay> days = testing::simulate({21, 0.12, 0.3, 0.2, 2 * 365 + 100, 900, 0});
  const int64_t first = days_from_civil(2026, 12, 1);
  constexpr int kFullOn = 1'700;
  std::vector<double> used;
  double sum = 0;
  for (const testing::SimulatedDay& day : days) {
    used.push_back(sum);
    sum += (day.mail + day.imported) * kDisk;
  }
  const auto cap = static_cast<uint64_t>(used[kFullOn]);

  SetClock clock;
  auto book = AlertBook::open(Fs::real(), clock, root_ + "/a");
  ASSERT_TRUE(book) << describe(book.error());
  std::map<std::string, int> raised_on;
  std::map<std::string, int> mails;
  std::vector<std::string> again;  // raised a second time
  int number = 0;
  for (int i = 0; i < kFullOn; ++i) {
    clock.time = (first + i) * kNsPerDay + 6 * 3'600 * kNsPerSecond;
    ASSERT_TRUE(archive_->apply());
    auto usage = archive_->usage();
    ASSERT_TRUE(usage);
    // The small archive's days, in the size of the real one; what lies on its disk says nothing of a company's.
    ArchiveUsage scaled = usage_of(static_cast<uint64_t>(used[static_cast<size_t>(i)]));
    for (const auto& [day, counts] : usage->days)
      scaled.days[day] = {counts.deliveries, static_cast<uint64_t>(static_cast<double>(counts.bytes) / kScale),
                          static_cast<uint64_t>(static_cast<double>(counts.new_bytes) / kScale),
                          static_cast<uint64_t>(static_cast<double>(counts.imported_bytes) / kScale)};
    scaled.packed_raw = static_cast<uint64_t>(used[static_cast<size_t>(i)] / kDisk);
    const Report report = report_of(scaled, {}, cap, 0, clock.time);
    auto fresh = tell(report, book->get());
    ASSERT_TRUE(fresh) << describe(fresh.error());
    for (const std::string& key : *fresh)
      if (!raised_on.emplace(key, i).second) again.push_back(key + " on day " + std::to_string(i));
    for (const Alert& due : (*book)->due()) {
      ++mails[due.key];
      ASSERT_TRUE((*book)->sent(due.key));
    }
    // The day's mail.
    const testing::SimulatedDay& today = days[static_cast<size_t>(i)];
    for (const auto& [bytes, channel] :
         {std::pair(today.mail, Channel::kLmtp), std::pair(today.imported, Channel::kImport)}) {
      const auto size = static_cast<size_t>(bytes * kScale);
      if (size == 0) continue;
      std::string text = "Subject: " + std::to_string(++number) + "\r\n\r\n";
      text.resize(std::max(text.size(), size), 'x');
      Delivery delivery;
      delivery.channel = channel;
      delivery.origin = channel == Channel::kImport ? "old.mbox" : "";
      delivery.captured = clock.time + 3'600 * kNsPerSecond;
      ASSERT_TRUE(archive_->append_staged(delivery, text));
    }
    ASSERT_TRUE(archive_->flush());
  }
  EXPECT_THAT(again, IsEmpty());
  // The first morning on which that much is used.
  for (const int percent : {50, 70, 80, 90, 95}) {
    int crossed = 0;
    while (used[static_cast<size_t>(crossed)] * 100 < static_cast<double>(cap) * percent) ++crossed;
    EXPECT_EQ(raised_on["capacity-used-" + std::to_string(percent)], crossed) << percent;
  }
  for (const int left : {180, 90, 30}) {
    const std::string key = "capacity-date-" + std::to_string(left);
    ASSERT_EQ(raised_on.count(key), 1u) << key;
    std::printf("%s raised %d days before\n", key.c_str(), kFullOn - raised_on[key]);
    EXPECT_NEAR(kFullOn - raised_on[key], left, left * 0.15 + 2) << key;
  }
  // Weekly below 90 %, daily above.
  EXPECT_NEAR(mails["capacity-used-70"], (raised_on["capacity-used-80"] - raised_on["capacity-used-70"]) / 7.0, 1.01);
  EXPECT_EQ(mails["capacity-used-95"], kFullOn - raised_on["capacity-used-95"]);
}

}  // namespace
}  // namespace arch::capacity
