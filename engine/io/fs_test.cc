// Claim   Fs keeps what fs.h says, on Linux and on the disk with faults alike: one suite, two file systems.
// Method  The same cases against Fs::real() in a fresh directory and against FaultFs.
// Teeth   A test disk that behaves otherwise than Linux would make every crash test worthless; it fails here.
#include "engine/io/fs.h"

#include <gtest/gtest.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/faults/fault_fs.h"

namespace arch {
namespace {

class FsTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam()) {
      directory_ = testing::TempDir() + "fs_test.XXXXXX";
      ASSERT_NE(mkdtemp(directory_.data()), nullptr);
      fs_ = &Fs::real();
    } else {
      directory_ = "dir";
      fs_ = &fault_fs_;
      ASSERT_TRUE(fs_->make_directory(directory_));
    }
  }
  void TearDown() override {
    if (GetParam()) std::filesystem::remove_all(directory_);
  }
  std::string at(const std::string& name) const { return directory_ + "/" + name; }
  std::unique_ptr<File> make(const std::string& name, std::string text) {
    auto file = fs_->create(at(name));
    EXPECT_TRUE(file);
    EXPECT_TRUE((*file)->pwritev(0, {{text.data(), text.size()}}));
    return std::move(*file);
  }
  std::string directory_;
  FaultFs fault_fs_;
  Fs* fs_ = nullptr;
};

TEST_P(FsTest, CreateNeverOpensWhatIsThere) {
  make("a", "first");
  EXPECT_EQ(fs_->create(at("a")).error().code, Code::kExists);
  EXPECT_EQ(*read_file(*fs_, at("a"), 100), "first");
  EXPECT_EQ(fs_->create(at("none/a")).error().code, Code::kNotFound);
  EXPECT_EQ(fs_->open_read(at("none")).error().code, Code::kNotFound);
  EXPECT_EQ(fs_->open_read_write(at("none")).error().code, Code::kNotFound);
}

TEST_P(FsTest, ManyPartsAreWrittenInOrderWhateverTheirNumber) {
  auto file = make("a", "");
  std::vector<std::string> pieces;
  std::string expected;
  for (int i = 0; i < 2 * IOV_MAX + 5; ++i) {
    pieces.push_back(i % 7 == 0 ? "" : std::to_string(i) + ",");
    expected += pieces.back();
  }
  std::vector<iovec> parts;
  for (std::string& piece : pieces) parts.push_back({piece.data(), piece.size()});
  ASSERT_TRUE(file->pwritev(3, parts));
  ASSERT_TRUE(file->fdatasync());
  EXPECT_EQ(*read_file(*fs_, at("a"), 1 << 20), std::string(3, '\0') + expected);
  EXPECT_EQ(*read_exact(*file, 3, expected.size()), expected);
  EXPECT_EQ(read_exact(*file, 4, expected.size()).error().code, Code::kCorrupt);
}

TEST_P(FsTest, ReadFileKeepsItsLimit) {
  make("a", "12345");
  EXPECT_EQ(*read_file(*fs_, at("a"), 6), "12345");
  EXPECT_EQ(*read_file(*fs_, at("a"), 5), "12345");
  EXPECT_EQ(read_file(*fs_, at("a"), 4).error().code, Code::kTooLarge);
}

TEST_P(FsTest, AllocatedRoomReadsAsZerosAndNeverShrinksAFile) {
  auto file = make("a", "x");
  ASSERT_TRUE(file->allocate(4096));
  EXPECT_EQ(*file->size(), 4096u);
  EXPECT_EQ(*read_exact(*file, 0, 4096), "x" + std::string(4095, '\0'));
  ASSERT_TRUE(file->allocate(10));
  EXPECT_EQ(*file->size(), 4096u);
  ASSERT_TRUE(file->truncate(1));
  EXPECT_EQ(*read_file(*fs_, at("a"), 10), "x");
  char byte;
  EXPECT_EQ(*file->pread(1, &byte, 1), 0u) << "the end of the file is no error";
}

TEST_P(FsTest, RenameNeverReplaces) {
  make("a", "a");
  make("b", "b");
  EXPECT_EQ(fs_->rename_new(at("a"), at("b")).error().code, Code::kExists);
  EXPECT_EQ(*read_file(*fs_, at("b"), 10), "b");
  ASSERT_TRUE(fs_->rename_new(at("a"), at("c")));
  EXPECT_FALSE(*fs_->exists(at("a")));
  EXPECT_EQ(*read_file(*fs_, at("c"), 10), "a");
  EXPECT_EQ(fs_->rename_new(at("a"), at("d")).error().code, Code::kNotFound);
}

TEST_P(FsTest, LocksExcludeOthersUntilTheFileIsClosed) {
  auto writer = make("a", "");
  ASSERT_TRUE(*writer->try_lock());
  auto reader = *fs_->open_read(at("a"));
  auto other = *fs_->open_read_write(at("a"));
  EXPECT_FALSE(*reader->try_lock(true));
  EXPECT_FALSE(*other->try_lock());
  writer.reset();
  EXPECT_TRUE(*reader->try_lock(true));
  auto second = *fs_->open_read(at("a"));
  EXPECT_TRUE(*second->try_lock(true)) << "two who look do not take each other for a writer";
  EXPECT_FALSE(*other->try_lock());
  reader.reset();
  second.reset();
  EXPECT_TRUE(*other->try_lock());
}

TEST_P(FsTest, ALockFollowsARename) {
  auto writer = make("a", "");
  ASSERT_TRUE(*writer->try_lock());
  ASSERT_TRUE(fs_->rename_new(at("a"), at("b")));
  auto reader = *fs_->open_read(at("b"));
  EXPECT_FALSE(*reader->try_lock(true));
}

TEST_P(FsTest, DirectoriesAreListedSortedAndMadeOnce) {
  ASSERT_TRUE(fs_->make_directory(at("sub")));
  ASSERT_TRUE(fs_->make_directory(at("sub"))) << "there already: success";
  make("sub/z", "");
  make("sub/a", "");
  EXPECT_EQ(*fs_->list(at("sub")), (std::vector<std::string>{"a", "z"}));
  ASSERT_TRUE(fs_->sync_directory(at("sub")));
  ASSERT_TRUE(fs_->remove(at("sub/z")));
  EXPECT_EQ(*fs_->list(at("sub")), (std::vector<std::string>{"a"}));
  EXPECT_EQ(fs_->remove(at("sub/z")).error().code, Code::kNotFound);
  EXPECT_EQ(fs_->list(at("none")).error().code, Code::kNotFound);
  EXPECT_EQ(fs_->sync_directory(at("none")).error().code, Code::kNotFound);
  EXPECT_EQ(fs_->make_directory(at("none/sub")).error().code, Code::kNotFound);
  make("file", "");
  EXPECT_EQ(fs_->make_directory(at("file")).error().code, Code::kExists);
  EXPECT_GT(*fs_->free_bytes(directory_), 0u);
}

TEST_P(FsTest, AnOpenFileOutlivesItsName) {
  auto file = make("a", "still here");
  ASSERT_TRUE(fs_->remove(at("a")));
  EXPECT_EQ(*read_exact(*file, 0, 10), "still here");
}

TEST_P(FsTest, TheModeIsSet) {
  auto file = make("a", "");
  ASSERT_TRUE(file->set_mode(0444));
  if (GetParam()) {
    struct stat info {};
    ASSERT_EQ(::stat(at("a").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0444u);
  } else {
    EXPECT_EQ(fault_fs_.mode(at("a")), 0444u);
  }
}

INSTANTIATE_TEST_SUITE_P(Both, FsTest, testing::Bool(),
                         [](const auto& kind) { return std::string(kind.param ? "Linux" : "FaultFs"); });

TEST(ReplaceFile, APathWithoutADirectoryIsInTheOneWeAreIn) {
  const std::string before = std::filesystem::current_path();
  std::string pattern = testing::TempDir() + "replaceXXXXXX";
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  std::filesystem::current_path(pattern);
  EXPECT_TRUE(replace_file("alone", "text"));
  EXPECT_EQ(*read_file(Fs::real(), "alone", 100), "text");
  std::filesystem::current_path(before);
  std::filesystem::remove_all(pattern);
}

}  // namespace
}  // namespace arch
