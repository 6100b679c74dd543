// Claim   verify finds every changed bit of a segment and of a closed journal file, says which message or range it took, and
//         calls nothing else damaged; it finds missing, swapped and foreign segments.
// Method  A small archive with three segments and a journal file; one byte is flipped, a file removed or replaced by another, then put
//         back.
// Teeth   The undamaged archive is checked to be sound before and after each change.
#include "engine/verify/verify.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "engine/archive.h"

namespace arch {
namespace {

namespace stdfs = std::filesystem;

std::string mail(int number) {
  std::string text = "From: a@maison.example\r\nSubject: n" + std::to_string(number) + "\r\nMessage-ID: <" +
                     std::to_string(number) + "@maison.example>\r\n\r\n";
  for (int line = 0; line < 40; ++line) text += "ligne " + std::to_string(number * 1000 + line * line) + "\r\n";
  return text;
}

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void write(const std::string& path, const std::string& bytes) {
  stdfs::permissions(path, stdfs::perms::owner_write, stdfs::perm_options::add);
  std::ofstream(path, std::ios::binary) << bytes;
}

class VerifyTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "verify-test-XXXXXX";
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
        ASSERT_TRUE((*archive)->append_staged(delivery, mail(segment * 10 + i)));
      }
      ASSERT_TRUE((*archive)->close_journal());
      ASSERT_TRUE((*archive)->apply());
      if (segment < 3) {
        ASSERT_TRUE((*archive)->pack(0, 0));
      }
    }
    for (const auto& entry : stdfs::directory_iterator(directory_ + "/journal"))
      if (entry.path().extension() == ".jnl") journal_ = entry.path();
    ASSERT_FALSE(journal_.empty());
  }
  void TearDown() override { stdfs::remove_all(root_); }

  VerifyReport check(bool data = true) {
    VerifyOptions options;
    options.data = data;
    auto report = verify_archive(Fs::real(), directory_, options, {});
    EXPECT_TRUE(report) << describe(report.error());
    return report ? *report : VerifyReport{};
  }
  std::string segment(int number) {
    return directory_ + "/segments/" + segment_file_name(static_cast<uint32_t>(number));
  }

  std::string root_, directory_, journal_;
};

TEST_F(VerifyTest, ASoundArchiveHasNoFault) {
  const VerifyReport report = check();
  EXPECT_TRUE(report.faults.empty()) << report.faults.front().what;
  EXPECT_EQ(report.segments, 3u);
  EXPECT_EQ(report.journal_files, 1u);
  EXPECT_EQ(report.messages, 15u);
  EXPECT_EQ(report.deliveries, 20u);
}

TEST_F(VerifyTest, EveryFlippedByteOfASegmentIsFound) {
  const std::string bytes = read(segment(2));
  for (size_t at = 0; at < bytes.size(); at += 1 + bytes.size() / 400) {
    std::string changed = bytes;
    changed[at] ^= 0x10;
    write(segment(2), changed);
    ASSERT_FALSE(check(false).faults.empty()) << "byte " << at;
  }
  write(segment(2), bytes);
  EXPECT_TRUE(check().faults.empty());
}

TEST_F(VerifyTest, ADamagedBlockNamesItsMessagesAndLeavesTheOtherSegmentsAlone) {
  const std::string bytes = read(segment(2));
  std::string changed = bytes;
  changed[100] ^= 1;  // in the first block: skeletons
  write(segment(2), changed);
  const VerifyReport report = check();
  std::set<std::string> named;
  for (const VerifyFault& fault : report.faults) {
    EXPECT_EQ(fault.file, segment(2)) << fault.what;
    if (fault.digest != Digest{}) named.insert(fault.digest.hex());
  }
  EXPECT_EQ(named.size(), 5u) << "all five messages of that block, by name";
}

TEST_F(VerifyTest, EveryFlippedByteOfAClosedJournalFileIsFoundAndItsNeighboursStayReadable) {
  const std::string bytes = read(journal_);
  for (size_t at = 0; at < bytes.size(); at += 1 + bytes.size() / 400) {
    std::string changed = bytes;
    changed[at] ^= 0x10;
    write(journal_, changed);
    const VerifyReport report = check();
    ASSERT_FALSE(report.faults.empty() && report.notes.empty()) << "byte " << at;
    ASSERT_GE(report.deliveries, 15u + 4u) << "at most one record goes, byte " << at;
  }
  write(journal_, bytes);
  EXPECT_TRUE(check().faults.empty());
}

TEST_F(VerifyTest, MissingSwappedAndForeignSegmentsAreFound) {
  const std::string second = read(segment(2)), third = read(segment(3));
  stdfs::rename(segment(2), root_ + "/aside");
  EXPECT_EQ(check().faults.size(), 1u);
  stdfs::rename(root_ + "/aside", segment(2));
  write(segment(2), third);
  write(segment(3), second);
  EXPECT_FALSE(check(false).faults.empty());
  write(segment(2), second);
  write(segment(3), second);
  EXPECT_FALSE(check(false).faults.empty());
  write(segment(3), third);
  EXPECT_TRUE(check().faults.empty());
  write(segment(3), third.substr(0, third.size() - 1));
  EXPECT_FALSE(check(false).faults.empty());
  write(segment(3), "");
  EXPECT_FALSE(check(false).faults.empty());
}

}  // namespace
}  // namespace arch
