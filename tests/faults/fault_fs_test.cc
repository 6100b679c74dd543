// Claim   The disk that the crash tests stand on is harsh: whatever was not synced can be lost in every way it may be lost
//         on a real one; what was synced never is; faults strike exactly the call they were set for.
// Method  Each rule by itself, over many draws; where several outcomes are allowed, all of them must have been seen.
// Teeth   A FaultFs that keeps everything, or that forgets what was synced, fails here.
#include "tests/faults/fault_fs.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>

namespace arch {
namespace {

using Op = FaultFs::Op;

void write(File& file, uint64_t offset, std::string text) {
  ASSERT_TRUE(file.pwritev(offset, {{text.data(), text.size()}}));
}

TEST(FaultFs, WhatWasSyncedSurvivesEveryCut) {
  FaultFs fs(7);
  auto file = *fs.create("a");
  write(*file, 0, "kept");
  ASSERT_TRUE(file->fdatasync());
  ASSERT_TRUE(fs.sync_directory("."));
  const size_t promised = fs.steps();
  write(*file, 4, "maybe");
  for (size_t step = promised; step <= fs.steps(); ++step)
    for (uint64_t turn = 0; turn < 50; ++turn)
      EXPECT_EQ(fs.after_cut(step, turn)->contents("a").substr(0, 4), "kept");
}

TEST(FaultFs, AnUnsyncedWriteIsKeptDroppedTornOrZeroed) {
  FaultFs fs(1);
  auto file = *fs.create("a");
  ASSERT_TRUE(fs.sync_directory("."));
  const std::string text(1024, 'x'), zeros(1024, '\0');
  write(*file, 0, text);
  std::set<std::string> seen;
  for (uint64_t turn = 0; turn < 200; ++turn) seen.insert(fs.after_cut(fs.steps(), turn)->contents("a"));
  EXPECT_EQ(seen.count(text), 1u);
  EXPECT_EQ(seen.count(""), 1u);
  EXPECT_EQ(seen.count(zeros), 1u);
  EXPECT_EQ(seen.count(std::string(512, 'x')), 1u) << "second sector torn off";
  EXPECT_EQ(seen.count(std::string(512, '\0') + std::string(512, 'x')), 1u) << "first sector torn out";
}

TEST(FaultFs, ANewEntryMayBeMissingUntilItsDirectoryWasSynced) {
  FaultFs fs(1);
  auto file = *fs.create("a");
  ASSERT_TRUE(file->fdatasync());
  std::set<bool> seen;
  for (uint64_t turn = 0; turn < 50; ++turn) seen.insert(*fs.after_cut(fs.steps(), turn)->exists("a"));
  EXPECT_EQ(seen.size(), 2u);
  ASSERT_TRUE(fs.sync_directory("."));
  for (uint64_t turn = 0; turn < 50; ++turn) EXPECT_TRUE(*fs.after_cut(fs.steps(), turn)->exists("a"));
  ASSERT_TRUE(fs.remove("a"));
  seen.clear();
  for (uint64_t turn = 0; turn < 50; ++turn) seen.insert(*fs.after_cut(fs.steps(), turn)->exists("a"));
  EXPECT_EQ(seen.size(), 2u) << "a removal is no more certain than a creation";
}

TEST(FaultFs, ARenameHappensWholeOrNotAtAllAndNeverReplaces) {
  FaultFs fs(1);
  ASSERT_TRUE(fs.create("a"));
  ASSERT_TRUE(fs.create("b"));
  ASSERT_TRUE(fs.sync_directory("."));
  EXPECT_EQ(fs.rename_new("a", "b").error().code, Code::kExists);
  ASSERT_TRUE(fs.rename_new("a", "c"));
  std::set<bool> seen;
  for (uint64_t turn = 0; turn < 50; ++turn) {
    auto disk = fs.after_cut(fs.steps(), turn);
    EXPECT_NE(*disk->exists("a"), *disk->exists("c"));
    seen.insert(*disk->exists("c"));
  }
  EXPECT_EQ(seen.size(), 2u);
}

TEST(FaultFs, AFailedSyncLosesItsPagesForGood) {
  FaultFs fs(1);
  auto file = *fs.create("a");
  ASSERT_TRUE(fs.sync_directory("."));
  write(*file, 0, "lost");
  fs.fail(Op::kSync, 0, EIO);
  EXPECT_EQ(file->fdatasync().error().code, Code::kIo);
  EXPECT_EQ(fs.contents("a"), "lost") << "reads still see it";
  write(*file, 4, "kept");
  ASSERT_TRUE(file->fdatasync()) << "the second sync claims success";
  std::set<std::string> heads;
  for (uint64_t turn = 0; turn < 100; ++turn) {
    const std::string found = fs.after_cut(fs.steps(), turn)->contents("a");
    ASSERT_EQ(found.size(), 8u);
    EXPECT_EQ(found.substr(4), "kept");
    heads.insert(found.substr(0, 4));
  }
  EXPECT_EQ(heads.count(std::string(4, '\0')), 1u);
}

TEST(FaultFs, AFaultStrikesTheCallItWasSetForOnceOrForEver) {
  FaultFs fs(1);
  auto file = *fs.create("a");
  fs.fail(Op::kWrite, 1, EIO, FaultFs::Repeat::kOnce, FaultFs::Effect::kPartly);
  write(*file, 0, "1111");
  std::string text = "2222";
  EXPECT_FALSE(file->pwritev(4, {{text.data(), text.size()}}));
  EXPECT_EQ(fs.contents("a"), "111122");
  write(*file, 4, "3333");
  EXPECT_EQ(fs.faults_met(), 1u);

  fs.fail(Op::kCreate, 0, EACCES, FaultFs::Repeat::kForEver, FaultFs::Effect::kNone, "secret");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(fs.create("secret" + std::to_string(i)).error().code, Code::kDenied);
  EXPECT_TRUE(fs.create("open"));
  fs.clear_faults();
  EXPECT_TRUE(fs.create("secret"));
  EXPECT_EQ(fs.faults_met(), 4u);
  EXPECT_EQ(fs.calls(Op::kCreate, "secret"), 4u);
}

TEST(FaultFs, AFullDiskTakesWhatFitsAndSaysSo) {
  FaultFs fs(1);
  fs.set_capacity(10);
  auto file = *fs.create("a");
  EXPECT_EQ(file->allocate(11).error().code, Code::kFull);
  ASSERT_TRUE(file->allocate(8));
  EXPECT_EQ(*fs.free_bytes("."), 2u);
  write(*file, 0, "12345678");
  std::string text = "90ab";
  EXPECT_EQ(file->pwritev(8, {{text.data(), text.size()}}).error().code, Code::kFull);
  EXPECT_EQ(fs.contents("a"), "1234567890");
}

TEST(FaultFs, TheSameSeedGivesTheSameDisk) {
  auto play = [](uint64_t seed) {
    FaultFs fs(seed);
    auto file = *fs.create("a");
    write(*file, 0, std::string(5000, 'y'));
    std::string all;
    for (uint64_t turn = 0; turn < 20; ++turn) all += fs.after_cut(fs.steps(), turn)->contents("a") + "|";
    return all;
  };
  EXPECT_EQ(play(3), play(3));
  EXPECT_NE(play(3), play(4));
}

}  // namespace
}  // namespace arch
