// Claim   An import that appends in bulk is held back until the index is near, but not by a stop or an engine that ends; what drain(kAll)
//         leaves behind is indexed and packed.
// Method  A real archive and loop; what is said to have been appended is more than anything could be behind.
// Teeth   The wait must have lasted until the index was there; a wait that nothing ends fails by the test's own time limit.
#include "query/api/engine_loop.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "engine/archive_test_support.h"
#include "engine/journal/archive_file.h"
#include "engine/journal/journal_reader.h"

namespace arch::api {
namespace {

constexpr uint64_t kFar = 1ull << 40;  // bytes

class EngineLoopTest : public archive_test::ArchiveFixture {
 protected:
  void append_mails(int count) {
    for (int i = 0; i < count; ++i, ++appended_)
      append({},
             "Subject: lettre " + std::to_string(appended_) + "\r\n\r\ncorps " + std::to_string(appended_) + "\r\n");
  }
  uint64_t appended_ = 0;
};

TEST_F(EngineLoopTest, AnImportWaitsForItsIndexAndNotForAStop) {
  append_mails(30);  // before start(): not counted in what follows
  EngineLoop loop(*archive_, {}, {});
  apply();
  loop.start();
  append_mails(50);
  loop.keep_pace(50, kFar, {});
  EXPECT_EQ(loop.progress().indexed, 80u);
  loop.keep_pace(51, kFar + 1, {});  // one that is never there: it is near enough

  const auto begun = std::chrono::steady_clock::now();
  loop.keep_pace(60, 2 * kFar, [] { return true; });
  std::thread stopping([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    loop.stop();
  });
  loop.keep_pace(70, 3 * kFar, {});
  stopping.join();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(9))
      << "10 s is for an index that stands still";
}

TEST_F(EngineLoopTest, DrainingLeavesEverythingIndexedAndPacked) {
  append_mails(40);
  ASSERT_TRUE(archive_->close_journal());
  EngineLoop loop(*archive_, {}, {});
  loop.start();
  ASSERT_TRUE(loop.drain(EngineLoop::Pack::kAll, {}, {}));
  EXPECT_EQ(loop.progress().indexed, 40u);
  loop.stop();
  auto status = archive_->status();
  ASSERT_TRUE(status);
  EXPECT_EQ(status->last_sequence, 40u);
  auto files = list_journal(Fs::real(), journal_directory(archive_->directory()));
  ASSERT_TRUE(files);
  EXPECT_TRUE(files->empty());
}

}  // namespace
}  // namespace arch::api
