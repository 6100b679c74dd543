// Claim   A directory is an archive if and only if its archive.toml is there whole; a damaged one is named with its line, a
//         newer one with both versions; an interrupted init can be run again.
// Method  Round trips, a power cut before every step of an init, every line damaged in turn.
// Teeth   Renaming before the sync, or a parser that guesses, fails here.
#include "engine/journal/archive_file.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "engine/journal/journal_test_support.h"
#include "tests/faults/fault_fs.h"

namespace arch {
namespace {

using namespace journal_test;

constexpr UnixNs kNow = 1'764'043'200 * kNsPerSecond + 123;

Result<ArchiveFile> read_text(const std::string& text) {
  FaultFs fs;
  EXPECT_TRUE(fs.make_directory("a"));
  EXPECT_TRUE(fs.create("a/archive.toml"));
  fs.overwrite("a/archive.toml", 0, text);
  return read_archive_file(fs, "a");
}

const std::string kFormat = "format = 1\n";
const std::string kId = "id = \"0102030405060708090a0b0c0d0e0f10\"\n";
const std::string kCreated = "created = \"2026-11-25T03:34:56Z\"\n";

TEST(ArchiveFile, WhatInitWroteIsReadBack) {
  TemporaryDirectory temporary;
  for (const std::string& directory : {temporary.path() + "/new/deep/archive", temporary.path() + "/slash/"}) {
    auto made = create_archive(Fs::real(), directory, kNow);
    ASSERT_TRUE(made) << made.error().what;
    auto read = read_archive_file(Fs::real(), directory);
    ASSERT_TRUE(read) << read.error().what;
    EXPECT_EQ(read->id, made->id);
    EXPECT_EQ(read->format, kArchiveFormatVersion);
    EXPECT_EQ(read->created, kNow - 123) << "whole seconds";
    for (const std::string& sub :
         {journal_directory(directory), segments_directory(directory), catalog_directory(directory),
          index_directory(directory), tmp_directory(directory)})
      EXPECT_TRUE(Fs::real().list(sub)->empty()) << sub;
  }
  EXPECT_NE(read_archive_file(Fs::real(), temporary.path() + "/slash")->id,
            read_archive_file(Fs::real(), temporary.path() + "/new/deep/archive")->id);
}

TEST(ArchiveFile, ADirectoryInUseIsRefusedAndLeftAlone) {
  FaultFs fs;
  ASSERT_TRUE(create_archive(fs, "a", kNow));
  const std::string before = fs.contents("a/archive.toml");
  EXPECT_EQ(create_archive(fs, "a", kNow).error().code, Code::kExists);
  EXPECT_EQ(fs.contents("a/archive.toml"), before);

  ASSERT_TRUE(fs.make_directory("home"));
  ASSERT_TRUE(fs.create("home/letter.txt"));
  auto refused = create_archive(fs, "home", kNow);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kExists);
  EXPECT_NE(refused.error().what.find("letter.txt"), std::string::npos);
  EXPECT_EQ(fs.list("home")->size(), 1u);

  ASSERT_TRUE(fs.make_directory("lost"));
  ASSERT_TRUE(fs.make_directory("lost/journal"));
  ASSERT_TRUE(fs.create("lost/journal/0000000001.jnl"));
  EXPECT_EQ(create_archive(fs, "lost", kNow).error().code, Code::kExists) << "mail may be in there";
}

TEST(ArchiveFile, AfterACutBeforeAnyStepInitCanBeRunAgain) {
  for (uint64_t seed : test_seeds(10)) {
    FaultFs fs(seed);
    auto made = create_archive(fs, "vol/a", kNow);
    ASSERT_TRUE(made);
    for (size_t step = 0; step <= fs.steps(); ++step) {
      SCOPED_TRACE(testing::Message() << "ARCH_SEED=" << seed << ", cut before " << fs.describe(step));
      auto disk = fs.after_cut(step);
      auto read = read_archive_file(*disk, "vol/a");
      if (step == fs.steps()) {
        ASSERT_TRUE(read) << read.error().what;
      }
      if (read) {
        EXPECT_EQ(read->id, made->id);
        for (const std::string& sub :
             {journal_directory("vol/a"), segments_directory("vol/a"), tmp_directory("vol/a")})
          EXPECT_TRUE(*disk->exists(sub)) << sub;
        continue;
      }
      EXPECT_EQ(read.error().code, Code::kNotFound) << "half a file was named archive.toml";
      auto again = create_archive(*disk, "vol/a", kNow);
      ASSERT_TRUE(again) << again.error().what;
      EXPECT_EQ(read_archive_file(*disk, "vol/a")->id, again->id);
    }
  }
}

TEST(ArchiveFile, AnErrorAtAnyCallIsReported) {
  size_t met = 0;
  using Op = FaultFs::Op;
  for (Op op : {Op::kCreate, Op::kWrite, Op::kMode, Op::kSync, Op::kRename, Op::kSyncDirectory, Op::kMakeDirectory}) {
    for (uint64_t nth = 0; nth < 6; ++nth) {
      FaultFs fs;
      fs.fail(op, nth, ENOSPC);
      auto made = create_archive(fs, "a", kNow);
      if (fs.faults_met() == 0) continue;
      ++met;
      ASSERT_FALSE(made);
      EXPECT_EQ(made.error().code, Code::kFull);
    }
  }
  EXPECT_GE(met, 14u);
}

TEST(ArchiveFile, NoArchiveIsSaidWithTheCommandThatMakesOne) {
  FaultFs fs;
  auto read = read_archive_file(fs, "data");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::kNotFound);
  EXPECT_NE(read.error().what.find("data"), std::string::npos);
  EXPECT_NE(read.error().hint.find("archctl init data"), std::string::npos);
}

TEST(ArchiveFile, CommentsBlankLinesOrderAndLineEndsAreFree) {
  for (const std::string& text :
       {kFormat + kId + kCreated, kCreated + "\n# a comment\n" + kId + "  format=1",
        std::string("format = 1\r\n") + "id = \"0102030405060708090a0b0c0d0e0f10\"\r\n" + kCreated}) {
    auto read = read_text(text);
    ASSERT_TRUE(read) << read.error().what;
    EXPECT_EQ(read->id, test_archive());
    EXPECT_EQ(format_rfc3339(read->created), "2026-11-25T03:34:56Z");
  }
}

TEST(ArchiveFile, DamageIsNamedWithItsLine) {
  struct Case {
    std::string text, says;
  };
  for (const Case& damaged : std::vector<Case>{
           {"", "line 1"},
           {kFormat + kCreated, "\"id\""},
           {kFormat + kId, "\"created\""},
           {kId + kCreated, "\"format\""},
           {kFormat + kId + kCreated + "color = \"red\"\n", "line 4"},
           {kFormat + kId + kId + kCreated, "line 3"},
           {kFormat + "id = \"0102\"\n" + kCreated, "line 2"},
           {kFormat + "id = 0102030405060708090a0b0c0d0e0f10\n" + kCreated, "line 2"},
           {kFormat + "id = \"0102030405060708090a0b0c0d0e0fXX\"\n" + kCreated, "line 2"},
           {kFormat + kId + "created = \"yesterday\"\n", "line 3"},
           {kFormat + kId + "created = \"2026-02-30T03:34:56Z\"\n", "line 3"},
           {kFormat + kId + "created = \"2026-02-28T24:00:00Z\"\n", "line 3"},
           {kFormat + kId + "created = \"9999-02-28T00:00:00Z\"\n", "line 3"},
           {"format = one\n" + kId + kCreated, "line 1"},
           {"format = \n" + kId + kCreated, "line 1"},
           {"format = 0\n" + kId + kCreated, "line 1"},
           {"format = -1\n" + kId + kCreated, "line 1"},
           {kFormat + "\n" + kId + "garbage\n" + kCreated, "line 4"},
           {std::string("\0\xff\x80", 3) + kFormat + kId + kCreated, "line 1"},
           {kFormat + std::string(5000, '#'), "too large"},
       }) {
    auto read = read_text(damaged.text);
    ASSERT_FALSE(read) << damaged.text;
    EXPECT_EQ(read.error().code, Code::kInvalid) << damaged.text;
    EXPECT_NE(read.error().what.find(damaged.says), std::string::npos) << read.error().what;
    EXPECT_FALSE(read.error().hint.empty());
  }
}

TEST(ArchiveFile, ANewerFormatIsNamedEvenBesideLinesThisProgramDoesNotKnow) {
  for (const std::string& text :
       {"format = 2\n" + kId + kCreated, "shape = \"round\"\nformat = 2\n" + kId + kCreated}) {
    auto read = read_text(text);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, Code::kTooNew);
    EXPECT_NE(read.error().what.find("2"), std::string::npos);
    EXPECT_NE(read.error().what.find("1"), std::string::npos);
  }
}

TEST(ArchiveFile, AnUnreadableFileIsDenied) {
  FaultFs fs;
  ASSERT_TRUE(create_archive(fs, "a", kNow));
  fs.fail(FaultFs::Op::kOpen, 0, EACCES);
  EXPECT_EQ(read_archive_file(fs, "a").error().code, Code::kDenied);
}

}  // namespace
}  // namespace arch
