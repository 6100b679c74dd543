// Promise: a copy made while mail comes in holds everything that was acknowledged before it began; an archive made from it says
//          the same; nothing that is damaged is passed on as good.
#include "engine/backup/backup.h"

#include <gmock/gmock.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "engine/archive_test_support.h"
#include "engine/segment/volumes.h"
#include "engine/verify/verify.h"

namespace arch {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class BackupTest : public archive_test::ArchiveFixture {
 protected:
  std::string copy() const { return root_ + "/copy"; }
  std::string restored() const { return root_ + "/restored"; }

  Result<BackupReport> back_up() { return backup_archive(Fs::real(), root_ + "/a", copy(), 1'000, {}, {}); }
  Result<BackupReport> restore() { return restore_archive(Fs::real(), copy(), restored(), {}, {}); }

  static std::string dump(const std::string& directory) {
    auto archive = Archive::open(Fs::real(), Clock::system(), directory, Archive::Mode::kEngine);
    EXPECT_TRUE(archive) << describe(archive.error());
    if (!archive) return {};
    EXPECT_TRUE((*archive)->apply());
    std::string text;
    EXPECT_TRUE((*archive)->dump([&](const std::string& line) { text += line + "\n"; }));
    return text;
  }
  static void expect_sound(const std::string& directory) {
    auto report = verify_archive(Fs::real(), directory, {}, {});
    ASSERT_TRUE(report) << describe(report.error());
    EXPECT_THAT(report->faults, IsEmpty()) << report->faults.front().what;
    EXPECT_THAT(report->unread, IsEmpty());
  }
  void mails(int from, int to) {
    for (int i = from; i < to; ++i) {
      Delivery delivery;
      delivery.channel = Channel::kLmtp;
      append(delivery, "Subject: " + std::to_string(i) + "\r\n\r\n" + std::string(static_cast<size_t>(500 + i), 'x'));
    }
  }
  void pack() {
    ASSERT_TRUE(archive_->close_journal());
    apply();
    auto packed = archive_->pack(0, 0);
    ASSERT_TRUE(packed) << describe(packed.error());
  }
};

TEST_F(BackupTest, AnArchiveComesOutAsItWent) {
  mails(0, 50);
  pack();
  mails(50, 80);  // in a journal file that is open
  apply();
  std::filesystem::create_directories(root_ + "/a/state/access");
  std::ofstream(root_ + "/a/state/access/2026-11.log") << "{}\n";
  auto report = back_up();
  ASSERT_TRUE(report) << describe(report.error());
  EXPECT_THAT(report->problems, IsEmpty());
  EXPECT_EQ(report->segments, 1u);
  EXPECT_EQ(report->segments_copied, 1u);
  EXPECT_EQ(report->journal_files, 1u);
  EXPECT_EQ(*read_backup_time(Fs::real(), copy()), 1'000);
  expect_sound(copy());

  auto back = restore();
  ASSERT_TRUE(back) << describe(back.error());
  EXPECT_THAT(back->problems, IsEmpty());
  expect_sound(restored());
  archive_.reset();
  const std::string before = dump(root_ + "/a");
  EXPECT_FALSE(before.empty());
  EXPECT_EQ(dump(restored()), before);
  EXPECT_TRUE(std::filesystem::exists(restored() + "/state/access/2026-11.log"));
  EXPECT_FALSE(std::filesystem::exists(restored() + "/backup"));
}

TEST_F(BackupTest, TheNextRunCopiesWhatIsNewAndTakesOutWhatIsPacked) {
  mails(0, 20);
  apply();
  ASSERT_TRUE(back_up());
  mails(20, 40);
  pack();
  auto second = back_up();
  ASSERT_TRUE(second) << describe(second.error());
  EXPECT_EQ(second->segments_copied, 1u);
  EXPECT_EQ(second->journal_files, 0u) << "its mail is in the segment";
  auto third = back_up();
  ASSERT_TRUE(third);
  EXPECT_EQ(third->segments_copied, 0u);
  EXPECT_EQ(third->bytes_copied, 0u);
  ASSERT_TRUE(restore());
  archive_.reset();
  EXPECT_EQ(dump(restored()), dump(root_ + "/a"));
}

TEST_F(BackupTest, BesideMailThatComesInAndIsPackedNothingOfBeforeIsMissing) {
  std::atomic<bool> stop = false;
  std::atomic<int> acknowledged = 0;
  std::thread writer([&] {
    for (int i = 0; !stop; ++i) {
      Delivery delivery;
      delivery.captured = i + 1;
      if (archive_->append(delivery, "Subject: n" + std::to_string(i) + "\r\n\r\n" + std::string(3'000, 'y')))
        acknowledged = i + 1;
    }
  });
  std::thread packer([&] {
    while (!stop) {
      static_cast<void>(archive_->close_journal());
      static_cast<void>(archive_->apply());
      static_cast<void>(archive_->pack(0, 0));
    }
  });
  for (int round = 0; round < 8; ++round) {
    while (acknowledged < (round + 1) * 40) std::this_thread::yield();
    const int before = acknowledged;
    auto report = back_up();
    ASSERT_TRUE(report) << describe(report.error());
    EXPECT_THAT(report->problems, IsEmpty());
    std::filesystem::remove_all(restored());
    ASSERT_TRUE(restore());
    expect_sound(restored());
    auto archive = Archive::open(Fs::real(), Clock::system(), restored(), Archive::Mode::kEngine);
    ASSERT_TRUE(archive) << describe(archive.error());
    ASSERT_TRUE((*archive)->apply());
    for (int i = 0; i < before; ++i) {
      const std::string message = "Subject: n" + std::to_string(i) + "\r\n\r\n" + std::string(3'000, 'y');
      ASSERT_TRUE(*(*archive)->knows(Sha256::of(as_bytes(message)))) << i << " of " << before;
    }
    EXPECT_EQ((*archive)->usage()->deliveries, (*archive)->usage()->messages) << "none is counted twice";
  }
  stop = true;
  writer.join();
  packer.join();
}

TEST_F(BackupTest, SegmentsOfEveryVolumeAndNoneOfOneThatIsAway) {
  mails(0, 20);
  pack();
  ASSERT_TRUE(add_volume(Fs::real(), root_ + "/a", root_ + "/disk2", 0, 1));
  mails(20, 40);
  pack();
  ASSERT_TRUE(std::filesystem::exists(root_ + "/disk2/segments/00000002.seg"));
  std::filesystem::rename(root_ + "/disk2", root_ + "/away");
  auto report = back_up();
  ASSERT_TRUE(report);
  ASSERT_THAT(report->problems, SizeIs(1));
  EXPECT_THAT(report->problems[0], HasSubstr("disk2"));
  std::filesystem::rename(root_ + "/away", root_ + "/disk2");
  mails(40, 60);
  pack();
  std::filesystem::rename(root_ + "/disk2/segments/00000002.seg", root_ + "/lost");
  report = back_up();
  ASSERT_TRUE(report);
  ASSERT_THAT(report->problems, SizeIs(1));
  EXPECT_THAT(report->problems[0], HasSubstr("segment 2 is not in the copy"));
  std::filesystem::rename(root_ + "/lost", root_ + "/disk2/segments/00000002.seg");
  report = back_up();
  ASSERT_TRUE(report);
  EXPECT_THAT(report->problems, IsEmpty());
  EXPECT_EQ(report->segments, 3u);
  ASSERT_TRUE(restore());
  archive_.reset();
  EXPECT_EQ(dump(restored()), dump(root_ + "/a"));
}

TEST_F(BackupTest, ADamagedSegmentIsNotPassedOn) {
  mails(0, 20);
  pack();
  const std::string path = root_ + "/a/segments/00000001.seg";
  std::filesystem::permissions(path, std::filesystem::perms::owner_write, std::filesystem::perm_options::add);
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(200);
    file.put('\x7f');
  }
  auto report = back_up();
  ASSERT_TRUE(report);
  ASSERT_THAT(report->problems, SizeIs(1));
  EXPECT_THAT(report->problems[0], HasSubstr("is damaged and was not copied"));
  EXPECT_EQ(report->segments, 0u);
  EXPECT_THAT(*Fs::real().list(copy() + "/tmp"), IsEmpty());
}

TEST_F(BackupTest, ACopyIsNotWorkedOnAndNothingElseIsOverwritten) {
  mails(0, 5);
  ASSERT_TRUE(back_up());
  auto engine = Archive::open(Fs::real(), Clock::system(), copy(), Archive::Mode::kEngine);
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code, Code::kDenied);
  auto reader = Archive::open(Fs::real(), Clock::system(), copy(), Archive::Mode::kReader);
  ASSERT_TRUE(reader);
  EXPECT_FALSE((*reader)->append({}, "x"));

  EXPECT_EQ(backup_archive(Fs::real(), root_ + "/a", root_ + "/a", 1, {}, {}).error().code, Code::kInvalid);
  ASSERT_TRUE(Archive::init(Fs::real(), root_ + "/b", 1));
  EXPECT_EQ(backup_archive(Fs::real(), root_ + "/a", root_ + "/b", 1, {}, {}).error().code, Code::kExists);
  EXPECT_EQ(backup_archive(Fs::real(), root_ + "/b", copy(), 1, {}, {}).error().code, Code::kExists);
  std::filesystem::create_directories(root_ + "/photos");
  std::ofstream(root_ + "/photos/a.jpg") << "x";
  EXPECT_EQ(backup_archive(Fs::real(), root_ + "/a", root_ + "/photos", 1, {}, {}).error().code, Code::kExists);
  EXPECT_EQ(restore_archive(Fs::real(), root_ + "/b", restored(), {}, {}).error().code, Code::kNotFound);
  EXPECT_EQ(restore_archive(Fs::real(), copy(), root_ + "/b", {}, {}).error().code, Code::kExists);
}

TEST_F(BackupTest, ARunThatIsStoppedIsGoneOnWith) {
  for (int i = 0; i < 3; ++i) {
    mails(i * 10, i * 10 + 10);
    pack();
  }
  int asked = 0;
  BackupOptions options;
  options.stop = [&] { return ++asked > 6; };
  auto cut = backup_archive(Fs::real(), root_ + "/a", copy(), 1, options, {});
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, Code::kTryAgain);
  EXPECT_EQ(*read_backup_time(Fs::real(), copy()), 0);
  auto whole = back_up();
  ASSERT_TRUE(whole) << describe(whole.error());
  EXPECT_EQ(whole->segments, 3u);
  EXPECT_LT(whole->segments_copied, 3u);
  expect_sound(copy());
}

}  // namespace
}  // namespace arch
