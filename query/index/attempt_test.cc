// Claim   A message whose reading ended the process twice is not read a third time; any other is.
// Method  A process that dies is an Attempt dropped without end().
// Teeth   Counts are checked one below and at the limit, and that one good end clears them.
#include "query/index/attempt.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace arch::index {
namespace {

class AttemptTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "arch-attempt-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    open();
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  void open() {
    auto opened = Attempt::open(directory_ + "/attempt");
    ASSERT_TRUE(opened) << describe(opened.error());
    attempt_ = std::move(*opened);
  }
  std::string directory_;
  std::unique_ptr<Attempt> attempt_;
};

TEST_F(AttemptTest, TheThirdTimeIsRefused) {
  for (uint64_t i = 0; i < Attempt::kTries; ++i) {
    EXPECT_TRUE(*attempt_->begin(6));  // others before it do not make it forgotten
    EXPECT_TRUE(*attempt_->begin(7));
    open();
  }
  EXPECT_TRUE(*attempt_->begin(6));
  EXPECT_FALSE(*attempt_->begin(7));
  EXPECT_TRUE(*attempt_->begin(8));
  ASSERT_TRUE(attempt_->end());
  open();
  EXPECT_FALSE(*attempt_->begin(7));  // the batch may come again
}

TEST_F(AttemptTest, AGoodEndClearsTheCount) {
  EXPECT_TRUE(*attempt_->begin(7));
  open();
  EXPECT_TRUE(*attempt_->begin(7));
  ASSERT_TRUE(attempt_->end());
  open();
  EXPECT_TRUE(*attempt_->begin(7));
  open();
  EXPECT_TRUE(*attempt_->begin(7));
}

TEST_F(AttemptTest, AFileOfAnotherLengthCountsAsNone) {
  for (const char* content : {"", "short", "longer than the sixteen bytes it has"}) {
    std::ofstream(directory_ + "/attempt", std::ios::trunc) << content;
    open();
    EXPECT_TRUE(*attempt_->begin(1));
  }
}

}  // namespace
}  // namespace arch::index
