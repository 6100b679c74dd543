// Question  What does a promise cost? Records per second of GroupCommit, with one and with fifty sessions, beside the bare
//           system calls: append + fdatasync of the same bytes to a preallocated file. And how fast is a file read back?
//
// Run where the journal will lie: ARCH_BENCH_DIR names a directory on that disk (default: the temporary directory).
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "engine/journal/group_commit.h"
#include "engine/journal/journal_reader.h"

namespace arch {
namespace {

class Directory {
 public:
  Directory() {
    const char* base = std::getenv("ARCH_BENCH_DIR");
    path_ = (base != nullptr ? std::string(base) : std::filesystem::temp_directory_path().string()) +
            "/journal_bench.XXXXXX";
    ARCH_CHECK(mkdtemp(path_.data()) != nullptr);
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

Delivery sample_delivery(const std::string& message) {
  Delivery delivery;
  delivery.digest = Sha256::of(as_bytes(message));
  delivery.captured = 1'764'043'200 * kNsPerSecond;
  delivery.has_mail_from = true;
  delivery.mail_from = "sender@example.org";
  delivery.rcpt = {{"archive@example.net", "", ""}};
  delivery.client_name = "mx.example.org";
  delivery.client_addr = "192.0.2.1";
  delivery.queue_id = "4F1A2B3C4D";
  return delivery;
}

// Yardstick: what the disk gives.
void BM_BareAppendFdatasync(benchmark::State& state) {
  Directory directory;
  const std::string bytes(static_cast<size_t>(state.range(0)), 'x');
  const std::string path = directory.path() + "/bare";
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
  ARCH_CHECK(file >= 0 && ::fallocate(file, 0, 0, 64 << 20) == 0 && ::fsync(file) == 0);
  off_t at = 0;
  for (auto _ : state) {
    if (at + static_cast<off_t>(bytes.size()) > (64 << 20)) at = 0;
    ARCH_CHECK(::pwrite(file, bytes.data(), bytes.size(), at) == static_cast<ssize_t>(bytes.size()));
    ARCH_CHECK(::fdatasync(file) == 0);
    at += static_cast<off_t>(bytes.size());
  }
  ::close(file);
  state.SetItemsProcessed(state.iterations());
}

// `threads` sessions, each handing over the next message once the last one is durable, as LMTP sessions do.
void BM_GroupCommit(benchmark::State& state) {
  Directory directory;
  const std::string message(static_cast<size_t>(state.range(0)), 'x');
  const Delivery delivery = sample_delivery(message);
  const int threads = static_cast<int>(state.range(1));
  GroupCommit::Options options;
  options.reserve_free_bytes = 0;
  auto commit = GroupCommit::create(Fs::real(), Clock::system(), directory.path(), ArchiveId(), options);
  ARCH_CHECK(commit.has_value());
  constexpr int kEach = 20;
  for (auto _ : state) {
    std::vector<std::thread> sessions;
    for (int i = 0; i < threads; ++i)
      sessions.emplace_back([&] {
        for (int n = 0; n < kEach; ++n) ARCH_CHECK((*commit)->append(delivery, message).has_value());
      });
    for (std::thread& session : sessions) session.join();
  }
  const GroupCommit::Stats stats = (*commit)->stats();
  ARCH_CHECK(stats.failures == 0 && (*commit)->stop().has_value());
  state.SetItemsProcessed(static_cast<int64_t>(stats.records));
  state.counters["records/sync"] = static_cast<double>(stats.records) / static_cast<double>(stats.syncs);
}

// One thread that waits for nothing until the end, as an import does.
void BM_GroupCommitStream(benchmark::State& state) {
  Directory directory;
  const std::string message(static_cast<size_t>(state.range(0)), 'x');
  const Delivery delivery = sample_delivery(message);
  GroupCommit::Options options;
  options.reserve_free_bytes = 0;
  auto commit = GroupCommit::create(Fs::real(), Clock::system(), directory.path(), ArchiveId(), options);
  ARCH_CHECK(commit.has_value());
  for (auto _ : state) {
    while (true) {
      auto submitted =
          (*commit)->submit(delivery, message, [](Result<RecordRef> result) { ARCH_CHECK(result.has_value()); });
      if (submitted) break;
      ARCH_CHECK(submitted.error().code == Code::kTryAgain);
      std::this_thread::yield();
    }
  }
  ARCH_CHECK((*commit)->stop().has_value());
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void BM_ReadFile(benchmark::State& state) {
  Directory directory;
  const std::string message(static_cast<size_t>(state.range(0)), 'x');
  const Delivery delivery = sample_delivery(message);
  auto writer = JournalWriter::create(Fs::real(), directory.path(), ArchiveId(), 0, {});
  ARCH_CHECK(writer.has_value());
  while ((*writer)->append(delivery, as_bytes(message))) {
  }
  ARCH_CHECK((*writer)->close().has_value());
  int64_t records = 0, bytes = 0;
  for (auto _ : state) {
    auto reader = JournalReader::open(Fs::real(), (*writer)->path());
    ARCH_CHECK(reader.has_value());
    uint64_t offset = 0;
    JournalReader::Record record;
    std::string text;
    std::vector<BadRange> bad;
    while (*(*reader)->next(&offset, &record, &text, &bad)) ++records;
    ARCH_CHECK(bad.empty() && (*reader)->has_end());
    bytes += static_cast<int64_t>(offset);
  }
  state.SetItemsProcessed(records);
  state.SetBytesProcessed(bytes);
}

BENCHMARK(BM_BareAppendFdatasync)->Arg(10 << 10)->UseRealTime();
BENCHMARK(BM_GroupCommit)->Args({10 << 10, 1})->Args({10 << 10, 50})->UseRealTime();
BENCHMARK(BM_GroupCommitStream)->Arg(10 << 10)->UseRealTime();
BENCHMARK(BM_ReadFile)->Arg(1 << 10)->Arg(10 << 10)->Arg(2 << 20);

}  // namespace
}  // namespace arch
