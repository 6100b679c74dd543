// Claim   A pool gives for every document what the reader in its own process gives, from any number of threads; a document that hangs,
//         crashes or swallows memory costs itself and nothing else; nothing waits for ever; all processes together stay small.
// Method  Our own documents through real workers, sealed as in production (not in builds with sanitizers), compared with read_document();
//         processes that are no workers at all in the place of one.
// Teeth   The Japanese PDF needs files that a sealed worker cannot open; flate-bomb.pdf takes longer than it may; a fake worker answers
//         nonsense, nothing, or too much.
#include "query/document/pool.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "query/document/own_documents.h"
#include "query/document/wire.h"

namespace arch::document {
namespace {

using std::chrono::milliseconds;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSealed = false;
#else
constexpr bool kSealed = true;
#endif

Pool::Options options(size_t workers = 1) {
  Pool::Options out;
  out.program = std::string(ARCH_BINARY_DIR) + "/bin/arch-extract";
  out.workers = workers;
  out.require_sandbox = kSealed;
  return out;
}

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

std::unique_ptr<Pool> started(const Pool::Options& wanted) {
  auto pool = Pool::start(wanted);
  if (!pool) {
    ADD_FAILURE() << describe(pool.error());
    return nullptr;
  }
  return std::move(*pool);
}

// A script in the place of a worker.
std::string fake_worker(const std::string& script) {
  std::string path = testing::TempDir() + "arch-fake-worker-XXXXXX";
  const int descriptor = mkstemp(path.data());
  const std::string text = "#!/bin/sh\n" + script + "\n";
  EXPECT_EQ(write(descriptor, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  close(descriptor);
  chmod(path.c_str(), 0700);
  return path;
}

TEST(Pool, GivesWhatTheReaderGives) {
  const auto pool = started(options(2));
  ASSERT_TRUE(pool);
  EXPECT_NE(pool->readers_version().find("poppler"), std::string::npos);
  std::printf("sandbox gaps: %s\n", pool->sandbox_gaps().empty() ? "none" : pool->sandbox_gaps().c_str());
  size_t files = 0;
  for (const OwnDocument& wanted : own_documents()) {
    if (wanted.file == "flate-bomb.pdf") continue;
    const auto read = pool->read(bytes_of(wanted.bytes), wanted.hint);
    ASSERT_TRUE(read) << wanted.file << ": " << describe(read.error());
    EXPECT_EQ(differences(wanted, *read), "") << wanted.file;
    EXPECT_EQ(*read, read_bytes(wanted.bytes, wanted.hint)) << wanted.file;
    ++files;
  }
  EXPECT_GE(files, 80u);
  EXPECT_EQ(pool->stats().crashes, 0u);
  EXPECT_EQ(pool->stats().started, 1u) << "one caller needs one worker";
}

// The corpus' documents, hostile ones among them (document_corpus_test knows their words).
TEST(Pool, TheCorpusReadsTheSameBehindTheSandboxAndStaysSmall) {
  const char* from_environment = std::getenv("ARCH_CORPUS");
  const std::filesystem::path directory =
      std::filesystem::path(from_environment != nullptr ? from_environment
                                                        : std::string(ARCH_SOURCE_DIR) + "/../shared/corpus") /
      "docs";
  if (!std::filesystem::exists(directory / "MANIFEST.tsv")) GTEST_SKIP() << "skipped: no corpus at " << directory;
  const auto pool = started(options());
  ASSERT_TRUE(pool);
  milliseconds longest{0};
  for (auto& row : manifest::read_table(directory / "MANIFEST.tsv")) {
    const std::string bytes = manifest::read_file(directory / row["file"]);
    const Hint hint{{}, row["file"], {}};
    const auto begin = std::chrono::steady_clock::now();
    const auto read = pool->read(bytes_of(bytes), hint);
    longest = std::max(longest, std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin));
    ASSERT_TRUE(read) << describe(read.error());
    EXPECT_EQ(*read, read_bytes(bytes, hint)) << row["file"];
  }
  EXPECT_EQ(pool->stats().crashes, 0u);
  EXPECT_EQ(pool->stats().timeouts, 0u);
  pool->stop();
  std::printf("longest %lld ms, peak %.1f MiB\n", static_cast<long long>(longest.count()),
              static_cast<double>(pool->stats().peak_rss_bytes) / (1 << 20));
  EXPECT_TRUE(!kSealed || pool->stats().peak_rss_bytes < 512ull << 20);
}

TEST(Pool, ManyThreadsShareFewWorkers) {
  const auto pool = started(options(2));
  ASSERT_TRUE(pool);
  const std::vector<OwnDocument> documents = own_documents();
  std::atomic<size_t> next{0}, wrong{0}, done{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      for (size_t at; (at = next++) < 4 * documents.size();) {
        const OwnDocument& wanted = documents[at % documents.size()];
        if (wanted.file == "flate-bomb.pdf") continue;
        const auto read = pool->read(bytes_of(wanted.bytes), wanted.hint);
        if (!read || !differences(wanted, *read).empty()) ++wrong;
        ++done;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_GE(done, 300u);
  EXPECT_LE(pool->stats().started, 2u);
  pool->stop();
  std::printf("peak of one worker: %.1f MiB\n", static_cast<double>(pool->stats().peak_rss_bytes) / (1 << 20));
  EXPECT_TRUE(!kSealed || pool->stats().peak_rss_bytes < 512ull << 20);
}

TEST(Pool, WhatHangsIsEndedInTimeAndTheNextIsRead) {
  Pool::Options wanted = options();
  wanted.limits.time = milliseconds(1'000);
  const auto pool = started(wanted);
  ASSERT_TRUE(pool);
  for (const OwnDocument& one : own_documents()) {
    if (one.file != "flate-bomb.pdf") continue;
    const auto begin = std::chrono::steady_clock::now();
    const auto read = pool->read(bytes_of(one.bytes), one.hint);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->status, Status::kOverLimit) << read->why;
    EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(4'000));
  }
  const auto next = pool->read(bytes_of("lisible"), {});
  ASSERT_TRUE(next);
  EXPECT_EQ(next->text, "lisible");
}

TEST(Pool, MemoryHasALimit) {
  if (!kSealed) GTEST_SKIP() << "no limits in a build with sanitizers";
  Pool::Options wanted = options();
  wanted.limits.memory_bytes = 8ull << 20;
  const auto pool = started(wanted);
  ASSERT_TRUE(pool);
  const std::string large(40u << 20, 'a');
  const auto read = pool->read(bytes_of(large), {});
  ASSERT_TRUE(read);
  EXPECT_EQ(read->status, Status::kOverLimit) << read->why;
  EXPECT_EQ(pool->stats().out_of_memory, 1u);
  const auto next = pool->read(bytes_of("lisible"), {});
  ASSERT_TRUE(next);
  EXPECT_EQ(next->text, "lisible");
}

TEST(Pool, WorkersAreReplacedAfterTheirShare) {
  Pool::Options wanted = options();
  wanted.documents_per_worker = 3;
  const auto pool = started(wanted);
  ASSERT_TRUE(pool);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(pool->read(bytes_of("lisible"), {}));
  EXPECT_EQ(pool->stats().started, 4u);
  EXPECT_EQ(pool->stats().crashes, 0u);
}

TEST(Pool, AProgramThatIsNoWorkerIsAnErrorNotAResult) {
  Pool::Options wanted = options();
  wanted.program = "/no/such/program";
  auto none = Pool::start(wanted);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::kNotFound);
  for (const char* script : {"exit 3", "echo hello", "head -c 100000 /dev/zero"}) {
    wanted.program = fake_worker(script);
    auto pool = Pool::start(wanted);
    ASSERT_FALSE(pool) << script;
    EXPECT_EQ(pool.error().code, Code::kIo);
    unlink(wanted.program.c_str());
  }
}

// Greets like a worker, then does what `script` says.
std::string greeting_worker(const std::string& script) {
  static_assert(wire::kVersion == 2, "the frames of the scripts below");
  return fake_worker("printf 'AXHI\\002\\000\\000\\000\\005\\000\\000\\000\\000\\000\\000\\000\\001\\000\\002v1'\n" +
                     script);
}

TEST(Pool, NonsenseSilenceAndFloodsEndWithTheDocument) {
  const struct {
    const char* script;
    Status status;
  } cases[] = {
      {"head -c 16 >/dev/null; echo nonsense that is long enough to be a header", Status::kCrashed},
      {"head -c 16 >/dev/null; printf 'AXRS\\002\\000\\000\\000\\001\\000\\000\\000\\000\\000\\000\\000\\377'; sleep "
       "60",
       Status::kCrashed},
      {"head -c 16 >/dev/null; printf 'AXRS\\002\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\100'; cat "
       "/dev/zero",
       Status::kCrashed},
      {"exec sleep 60", Status::kOverLimit},
      {"kill -SEGV $$", Status::kCrashed},
      {"exit 71", Status::kOverLimit},
  };
  for (const auto& one : cases) {
    Pool::Options wanted = options();
    wanted.limits.time = milliseconds(300);
    wanted.program = greeting_worker(one.script);
    const auto pool = started(wanted);
    ASSERT_TRUE(pool);
    // Large enough to fill a pipe that nobody reads.
    const std::string document(1u << 20, 'x');
    const auto begin = std::chrono::steady_clock::now();
    const auto read = pool->read(bytes_of(document), {});
    ASSERT_TRUE(read) << describe(read.error());
    EXPECT_EQ(read->status, one.status) << one.script << ": " << read->why;
    EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(5'000)) << one.script;
    unlink(wanted.program.c_str());
  }
}

TEST(Pool, ACrashInAUsedWorkerIsTriedAgainInAFreshOne) {
  // Answers its first document, dies of its second, whatever that is: the second is read by the next worker all the same.
  DocumentText text;
  Pool::Options wanted = options();
  wanted.program = greeting_worker(
      "head -c 102 >/dev/null\n"
      "printf "
      "'AXRS\\002\\000\\000\\000\\010\\000\\000\\000\\000\\000\\000\\000\\002\\000\\000\\000\\000\\000\\000\\000'\n"
      "head -c 1 >/dev/null; kill -SEGV $$");
  const auto pool = started(wanted);
  ASSERT_TRUE(pool);
  // 16 of the frame, 64 of limits, 3 empty hints, 8 of the length, 11 bytes: 102.
  for (int i = 0; i < 3; ++i) {
    const auto read = pool->read(bytes_of("elevenbytes"), {});
    ASSERT_TRUE(read);
    EXPECT_EQ(read->status, Status::kNoText) << i << ": " << read->why;
  }
  EXPECT_EQ(pool->stats().repeated, 2u);
  EXPECT_EQ(pool->stats().crashes, 2u);
  unlink(wanted.program.c_str());
}

TEST(Pool, StopEndsWaitingAndReadingCalls) {
  Pool::Options wanted = options();
  wanted.limits.time = milliseconds(60'000);
  wanted.program = greeting_worker("exec sleep 60");
  const auto pool = started(wanted);
  ASSERT_TRUE(pool);
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&] {
      const auto read = pool->read(bytes_of("x"), {});
      if (!read && read.error().code == Code::kTryAgain) ++refused;
    });
  std::this_thread::sleep_for(milliseconds(200));
  pool->stop();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(refused, 3);
  EXPECT_FALSE(pool->read(bytes_of("x"), {}));
  unlink(wanted.program.c_str());
}

TEST(Pool, WaitingForAWorkerHasAnEnd) {
  Pool::Options wanted = options();
  wanted.limits.time = milliseconds(2'000);
  wanted.wait = milliseconds(100);
  wanted.program = greeting_worker("exec sleep 60");
  const auto pool = started(wanted);
  ASSERT_TRUE(pool);
  std::thread busy([&] { EXPECT_TRUE(pool->read(bytes_of("x"), {})); });
  std::this_thread::sleep_for(milliseconds(300));
  const auto read = pool->read(bytes_of("y"), {});
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::kTryAgain);
  busy.join();
  unlink(wanted.program.c_str());
}

}  // namespace
}  // namespace arch::document
