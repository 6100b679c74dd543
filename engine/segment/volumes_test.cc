// Promise: more room is added without moving anything; a volume that is away costs what lies on it, and nothing is written
//          where it should be.
#include "engine/segment/volumes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "engine/journal/archive_file.h"

namespace arch {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class VolumesTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = testing::TempDir() + "arch-volumes-XXXXXX";
    ASSERT_NE(::mkdtemp(root_.data()), nullptr);
    archive_ = root_ + "/a";
    ASSERT_TRUE(create_archive(Fs::real(), archive_, Clock::system().now()));
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  static void touch(const std::string& path) { std::ofstream(path) << "x"; }

  Fs& fs_ = Fs::real();
  std::string root_, archive_;
};

TEST_F(VolumesTest, TheArchiveItselfIsTheFirst) {
  auto volumes = list_volumes(fs_, archive_);
  ASSERT_TRUE(volumes);
  ASSERT_THAT(*volumes, SizeIs(1));
  EXPECT_TRUE(volumes->front().home());
  EXPECT_EQ(volume_for_new_segment(fs_, archive_, 1)->segments(), archive_ + "/segments");
}

TEST_F(VolumesTest, NewSegmentsGoToTheNewestWithRoom) {
  ASSERT_TRUE(add_volume(fs_, archive_, root_ + "/b", 0, 7));
  ASSERT_TRUE(add_volume(fs_, archive_, root_ + "/c with blanks/", UINT64_MAX / 2, 8));
  auto volumes = list_volumes(fs_, archive_);
  ASSERT_TRUE(volumes);
  ASSERT_THAT(*volumes, SizeIs(3));
  EXPECT_EQ((*volumes)[2].path, root_ + "/c with blanks");
  EXPECT_EQ((*volumes)[1].added, 7);
  EXPECT_EQ((*volumes)[2].reserve_bytes, UINT64_MAX / 2);
  EXPECT_EQ(volume_for_new_segment(fs_, archive_, 1)->path, root_ + "/b") << "the newest keeps its reserve";
  EXPECT_TRUE(volume_for_new_segment(fs_, archive_, UINT64_MAX / 2)->home()) << "nobody has that much";
}

TEST_F(VolumesTest, SegmentsAreFoundWhereverTheyLie) {
  ASSERT_TRUE(add_volume(fs_, archive_, root_ + "/b", 0, 7));
  touch(archive_ + "/segments/00000001.seg");
  touch(archive_ + "/segments/00000003.seg");
  touch(root_ + "/b/segments/00000002.seg");
  touch(root_ + "/b/segments/00000003.seg");
  touch(root_ + "/b/segments/notes.txt");
  auto files = list_segments(fs_, archive_);
  ASSERT_TRUE(files);
  ASSERT_THAT(*files, SizeIs(3));
  EXPECT_EQ((*files)[1].path, root_ + "/b/segments/00000002.seg");
  EXPECT_EQ((*files)[2].path, archive_ + "/segments/00000003.seg") << "one number, one file";
  EXPECT_EQ(*find_segment(fs_, archive_, 2), root_ + "/b/segments/00000002.seg");
  EXPECT_EQ(find_segment(fs_, archive_, 4).error().code, Code::kNotFound);
}

TEST_F(VolumesTest, AMountPointWithNothingMountedIsAMissingVolume) {
  ASSERT_TRUE(add_volume(fs_, archive_, root_ + "/b", 0, 7));
  touch(archive_ + "/segments/00000001.seg");
  touch(root_ + "/b/segments/00000002.seg");
  std::filesystem::rename(root_ + "/b", root_ + "/elsewhere");
  std::filesystem::create_directories(root_ + "/b/segments");
  auto volumes = list_volumes(fs_, archive_);
  ASSERT_TRUE(volumes);
  EXPECT_THAT((*volumes)[1].missing, HasSubstr("is it mounted?"));
  EXPECT_TRUE(volume_for_new_segment(fs_, archive_, 1)->home());
  EXPECT_THAT(*list_segments(fs_, archive_), SizeIs(1));
  EXPECT_THAT(describe(find_segment(fs_, archive_, 2).error()), HasSubstr("a volume is missing"));
  std::filesystem::remove_all(root_ + "/b");
  std::filesystem::rename(root_ + "/elsewhere", root_ + "/b");
  EXPECT_TRUE(find_segment(fs_, archive_, 2));
}

TEST_F(VolumesTest, AVolumeOfAnotherArchiveIsNone) {
  ASSERT_TRUE(create_archive(fs_, root_ + "/other", 0));
  ASSERT_TRUE(add_volume(fs_, archive_, root_ + "/b", 0, 7));
  ASSERT_TRUE(add_volume(fs_, root_ + "/other", root_ + "/c", 0, 7));
  std::filesystem::rename(root_ + "/b", root_ + "/d");
  std::filesystem::rename(root_ + "/c", root_ + "/b");
  EXPECT_THAT((*list_volumes(fs_, archive_))[1].missing, HasSubstr("another"));
}

TEST_F(VolumesTest, WhatIsNoPlaceForOneIsRefusedAndNothingChanges) {
  std::filesystem::create_directories(root_ + "/full");
  touch(root_ + "/full/photo.jpg");
  EXPECT_EQ(add_volume(fs_, archive_, root_ + "/full", 0, 1).error().code, Code::kExists);
  EXPECT_EQ(add_volume(fs_, archive_, "relative", 0, 1).error().code, Code::kInvalid);
  EXPECT_EQ(add_volume(fs_, archive_, archive_ + "/segments", 0, 1).error().code, Code::kInvalid);
  EXPECT_EQ(add_volume(fs_, root_ + "/nothing", root_ + "/v", 0, 1).error().code, Code::kNotFound);
  ASSERT_TRUE(add_volume(fs_, archive_, root_ + "/b", 0, 1));
  EXPECT_EQ(add_volume(fs_, archive_, root_ + "/b/", 0, 1).error().code, Code::kExists);
  EXPECT_THAT(*list_volumes(fs_, archive_), SizeIs(2));
}

TEST_F(VolumesTest, ADamagedListSaysItsLine) {
  std::ofstream(archive_ + "/volumes") << "arch-volumes/1\n0123456789abcdef 7 nonsense /x\n";
  auto volumes = list_volumes(fs_, archive_);
  ASSERT_FALSE(volumes);
  EXPECT_EQ(volumes.error().code, Code::kInvalid);
  EXPECT_THAT(volumes.error().what, HasSubstr("line 2"));
  std::ofstream(archive_ + "/volumes") << "arch-volumes/2\n";
  EXPECT_THAT(list_volumes(fs_, archive_).error().what, HasSubstr("newer release"));
}

}  // namespace
}  // namespace arch
