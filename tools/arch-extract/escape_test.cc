// Claim   Code that runs in a worker, whatever it is, reaches no file, network, process or memory but its own, cannot loosen its fetters,
//         and cannot keep its parent busy.
// Method  arch-extract-escape is a worker whose documents are system calls to be made; it is sealed by the code that seals arch-extract;
//         arch-ocr-escape is the same with all in it that arch-ocr holds.
// Teeth   The same attempts are made in a worker that is not sealed, and must succeed there; those that this machine refuses to anyone
//         are named, do not count, and at least 25 must count.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "query/document/pool.h"

namespace arch::document {
namespace {

using std::chrono::milliseconds;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kOffered = false;
#else
constexpr bool kOffered = true;
#endif

// By the name of the program in which they are made.
class Escape : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!kOffered) GTEST_SKIP() << "no sandbox in a build with sanitizers";
    directory_ = testing::TempDir() + "arch-escape-XXXXXX";
    ASSERT_NE(mkdtemp(directory_.data()), nullptr);
    std::filesystem::permissions(directory_, std::filesystem::perms::all);  // not the kernel's permissions are tested
  }
  void TearDown() override {
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
  }

  std::unique_ptr<Pool> pool(bool sealed, const Limits& limits = {}) {
    Pool::Options options;
    options.program = std::string(ARCH_BINARY_DIR) + "/bin/" + GetParam();
    options.limits = limits;
    options.require_sandbox = sealed;
    if (!sealed) options.arguments = {"--unsealed"};
    auto started = Pool::start(options);
    if (!started) {
      ADD_FAILURE() << describe(started.error());
      return nullptr;
    }
    return std::move(*started);
  }

  // "out", "kept: …", or how the worker ended.
  static std::string attempt(Pool& workers, const std::string& words) {
    const auto read = workers.read(std::as_bytes(std::span(words)), {});
    if (!read) return describe(read.error());
    return read->status == Status::kRead ? read->text : std::string(status_name(read->status)) + ": " + read->why;
  }

  std::string directory_;
};

TEST_P(Escape, NoWayOutOfASealedWorker) {
  const auto open = pool(false), sealed = pool(true);
  ASSERT_TRUE(open && sealed);
  // A file that this process has open, unmarked: a worker must not inherit it even so.
  const int leaked = ::open((directory_ + "/leaked").c_str(), O_RDWR | O_CREAT, 0666);
  ASSERT_GT(leaked, 2);
  prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
  static const char kSecret[] = "of the parent";
  char secret[64];
  std::snprintf(secret, sizeof secret, "%d %lx", getpid(), reinterpret_cast<unsigned long>(kSecret));
  const std::map<std::string, std::string> arguments = {{"write-file", directory_ + "/written"},
                                                        {"make-directory", directory_ + "/a"},
                                                        {"remove-file", directory_ + "/a"},
                                                        {"rename-file", directory_ + "/a"},
                                                        {"make-link", directory_ + "/a"},
                                                        {"run-program", "/bin/true"},
                                                        {"read-parents-memory", secret},
                                                        {"trace-parent", std::to_string(getpid())},
                                                        {"use-a-leaked-descriptor", std::to_string(leaked)}};
  std::istringstream names(attempt(*open, "names"));
  size_t counted = 0;
  std::string proves_nothing;
  for (std::string name; std::getline(names, name);) {
    const auto argument = arguments.find(name);
    const std::string words = argument == arguments.end() ? name : name + ' ' + argument->second;
    const auto victims = [&] {
      for (const char* victim : {"/a.victim", "/a.victim2"}) std::ofstream(directory_ + victim) << "x";
      for (const char* made : {"/a.link", "/a.d", "/written", "/a.moved"})
        std::filesystem::remove_all(directory_ + made);
    };
    victims();
    const std::string free = attempt(*open, words);
    victims();
    const std::string caught = attempt(*sealed, words);
    const bool succeeded =
        free == "out" || (name == "run-program" && free.rfind("crashed: its reader ended with status 0", 0) == 0);
    const bool kept = caught.rfind("kept: ", 0) == 0 || caught.find("SIGSYS") != std::string::npos;
    EXPECT_TRUE(kept) << name << ": " << caught;
    if (succeeded)
      ++counted;
    else
      proves_nothing += "  " + name + ": " + free + "\n";
    std::printf("%-26s unsealed %-28s sealed %s\n", name.c_str(), free.substr(0, 28).c_str(), caught.c_str());
  }
  std::printf("%zu attempts count; refused without a sandbox, too:\n%s", counted, proves_nothing.c_str());
  EXPECT_GE(counted, 25u);
  ::close(leaked);
}

TEST_P(Escape, WhatHoldsItsParentUpIsEnded) {
  Limits limits;
  limits.time = milliseconds(500);
  limits.memory_bytes = 128ull << 20;
  const auto sealed = pool(true, limits);
  ASSERT_TRUE(sealed);
  const struct {
    const char* words;
    const char* outcome;
  } cases[] = {{"hang", "over_limit: the time is over"},
               {"flood", "crashed: its reader gave an answer that is none"},
               {"crash", "crashed: its reader was ended by SIGSEGV"},
               {"abort", "crashed: its reader was ended by SIGABRT"},
               {"recurse", "crashed: its reader was ended by SIGSEGV"},
               {"swallow", "over_limit: it takes more memory than the limit"},
               {"big-answer", "crashed: its reader gave an answer that is none"}};
  for (const auto& one : cases) {
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(attempt(*sealed, one.words), one.outcome);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(4'000)) << one.words;
    EXPECT_EQ(attempt(*sealed, "read-file"), "kept: EPERM") << "behind " << one.words;
  }
  sealed->stop();
  EXPECT_LT(sealed->stats().peak_rss_bytes, 256ull << 20);
}

INSTANTIATE_TEST_SUITE_P(Workers, Escape, testing::Values("arch-extract-escape", "arch-ocr-escape"),
                         [](const auto& one) {
                           return std::string(one.param).find("ocr") == std::string::npos ? std::string("Extract")
                                                                                          : std::string("Ocr");
                         });

}  // namespace
}  // namespace arch::document
