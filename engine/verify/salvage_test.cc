// Claim   salvage() copies every delivery whose message is whole, with its bytes, envelope and time, names every other one
//         with its envelope, and writes nothing into the old archive; a run of verify that was stopped goes on where it was.
// Method  An archive of three segments and a journal file, damaged in one place a time; the new archive is compared mail by mail.
// Teeth   The counts of what is lost are literal: a loss that is not listed, or a whole mail that is left out, changes them.
#include "engine/verify/salvage.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "engine/verify/verified.h"
#include "engine/verify/verify.h"

namespace arch {
namespace {

namespace stdfs = std::filesystem;

std::string mail(int number) {
  return "From: a@maison.example\r\nSubject: n" + std::to_string(number) + "\r\nMessage-ID: <" +
         std::to_string(number) + "@maison.example>\r\n\r\n" +
         std::string(500, static_cast<char>('a' + number % 26)) + "\r\n";
}

class SalvageTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "salvage-test-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    directory_ = root_ + "/a";
    ASSERT_TRUE(Archive::init(Fs::real(), directory_, Clock::system().now()));
    auto archive = Archive::open(Fs::real(), Clock::system(), directory_, Archive::Mode::kEngine);
    ASSERT_TRUE(archive) << describe(archive.error());
    for (int segment = 0; segment < 4; ++segment) {
      for (int i = 1; i <= 5; ++i) {
        Delivery delivery;
        delivery.captured = Clock::system().now();
        delivery.has_mail_from = true;
        delivery.mail_from = "sender" + std::to_string(segment * 10 + i) + "@maison.example";
        delivery.rcpt.push_back({"archive@archive.example", "", ""});
        ASSERT_TRUE((*archive)->append_staged(delivery, mail(segment * 10 + i)));
      }
      if (segment == 2) {  // a second arrival of a mail that lies in the first segment
        Delivery delivery;
        delivery.captured = Clock::system().now();
        delivery.queue_id = "AGAIN";
        ASSERT_TRUE((*archive)->append_staged(delivery, mail(1)));
      }
      ASSERT_TRUE((*archive)->close_journal());
      ASSERT_TRUE((*archive)->apply());
      if (segment == 3) break;
      ASSERT_TRUE((*archive)->pack(0, 0));
    }
  }
  void TearDown() override { stdfs::remove_all(root_); }

  static std::string read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void write(const std::string& path, const std::string& bytes) {
    stdfs::permissions(path, stdfs::perms::owner_write, stdfs::perm_options::add);
    std::ofstream(path, std::ios::binary) << bytes;
  }
  std::string segment(int number) {
    return directory_ + "/segments/" + segment_file_name(static_cast<uint32_t>(number));
  }

  SalvageReport salvage_to(const std::string& name) {
    EXPECT_TRUE(Archive::init(Fs::real(), root_ + "/" + name, Clock::system().now()));
    auto to = Archive::open(Fs::real(), Clock::system(), root_ + "/" + name, Archive::Mode::kEngine);
    EXPECT_TRUE(to);
    (*to)->set_reserve_bytes(0);
    auto report = salvage(Fs::real(), directory_, **to, {}, {});
    EXPECT_TRUE(report) << describe(report.error());
    EXPECT_TRUE((*to)->apply());
    copied_ = std::move(*to);
    return report ? *report : SalvageReport{};
  }
  void expect_copied(int number, bool there = true) {
    auto bytes = copied_->get(Sha256::of(as_bytes(mail(number))));
    ASSERT_EQ(bytes.has_value(), there) << number;
    if (!there) return;
    EXPECT_EQ(*bytes, mail(number));
    auto info = copied_->info(Sha256::of(as_bytes(mail(number))));
    auto delivery = copied_->delivery(info->deliveries.front());
    EXPECT_EQ(delivery->delivery.mail_from, "sender" + std::to_string(number) + "@maison.example");
  }

  std::string root_, directory_;
  std::unique_ptr<Archive> copied_;
};

TEST_F(SalvageTest, AWholeArchiveIsCopiedWhole) {
  const SalvageReport report = salvage_to("new");
  EXPECT_TRUE(report.losses.empty());
  EXPECT_EQ(report.messages, 20u);
  EXPECT_EQ(report.deliveries, 21u);
  for (int segment = 0; segment < 4; ++segment)
    for (int i = 1; i <= 5; ++i) expect_copied(segment * 10 + i);
  EXPECT_EQ(copied_->info(Sha256::of(as_bytes(mail(1))))->deliveries.size(), 2u);
}

TEST_F(SalvageTest, ADamagedBlockLosesItsMessagesByNameAndNothingElse) {
  std::string bytes = read(segment(2));
  bytes[100] ^= 1;  // the skeletons: all five messages
  write(segment(2), bytes);
  const SalvageReport report = salvage_to("new");
  ASSERT_EQ(report.losses.size(), 5u);
  for (const SalvageLoss& loss : report.losses) {
    EXPECT_EQ(loss.file, segment(2));
    ASSERT_EQ(loss.envelopes.size(), 1u);
    EXPECT_EQ(loss.envelopes[0].mail_from.rfind("sender1", 0), 0u);
  }
  EXPECT_EQ(report.messages, 15u);
  expect_copied(3);
  expect_copied(13, false);
  expect_copied(23);
  expect_copied(33);
  EXPECT_EQ(read(segment(2)), bytes) << "the old archive is only read";
}

TEST_F(SalvageTest, AMissingSegmentIsNamedByTheOldCatalog) {
  stdfs::remove(segment(1));
  const SalvageReport report = salvage_to("new");
  ASSERT_EQ(report.losses.size(), 5u);
  for (const SalvageLoss& loss : report.losses) EXPECT_FALSE(loss.envelopes.empty());
  EXPECT_EQ(report.messages, 15u);
  stdfs::remove_all(directory_ + "/catalog");
  EXPECT_EQ(salvage_to("without-catalog").losses.size(), 1u)
      << "the second arrival of its first mail is all that is known";
}

TEST_F(SalvageTest, AStoppedVerificationGoesOnWhereItWas) {
  Verified verified;
  VerifyOptions options;
  options.checked = [&](uint32_t number, const Digest& digest, bool sound) {
    verified.segments[number] = {digest, 5, sound};
  };
  options.stop = [&] { return verified.segments.size() == 2; };
  auto stopped = verify_archive(Fs::real(), directory_, options, {});
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Code::kTryAgain);
  ASSERT_EQ(verified.segments.size(), 2u);
  ASSERT_TRUE(write_verified(directory_, verified));
  auto again = read_verified(Fs::real(), directory_);
  ASSERT_TRUE(again);
  ASSERT_EQ(again->segments.size(), 2u);
  options.stop = {};
  for (const auto& [number, segment] : again->segments) options.passed_over.insert(number);
  auto rest = verify_archive(Fs::real(), directory_, options, {});
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->segments, 1u);
  EXPECT_EQ(verified.segments.size(), 3u);
  EXPECT_TRUE(rest->faults.empty());
}

TEST_F(SalvageTest, StatusKnowsTheOldestSegmentAndASwappedOneCountsAsNeverVerified) {
  auto born = summarise_verified(Fs::real(), directory_);
  ASSERT_TRUE(born);
  EXPECT_EQ(born->segments, 3u);
  EXPECT_EQ(born->oldest_segment, 1u);
  const UnixNs later = Clock::system().now() + kNsPerDay;
  Verified verified;
  for (uint32_t number = 1; number <= 3; ++number)
    verified.segments[number] = {
        SegmentReader::identify(Fs::real(), segment(static_cast<int>(number)))->footer_digest, later + number,
        number != 3};
  ASSERT_TRUE(write_verified(directory_, verified));
  auto known = summarise_verified(Fs::real(), directory_);
  EXPECT_EQ(known->oldest, later + 1);
  EXPECT_EQ(known->damaged, 1u);
  write(segment(2), read(segment(1)));
  EXPECT_EQ(summarise_verified(Fs::real(), directory_)->oldest_segment, 2u);
}

}  // namespace
}  // namespace arch
