// How fast a folder of mail goes into a fresh archive, everything included: durable in the journal, catalog, text, index,
// packed. Prints one JSON object.
//   bench-import-folder [--no-index] DIR [ARCHIVE]     ARCHIVE: kept afterwards (default: a temporary directory, removed)
// --no-index: the store alone, as a backup program would be: journal, catalog of messages, packed, read back; no text, no terms.
// Times are wall time of the whole and of its first part (reading until the last fdatasync); "per_received" are bytes on
// disk over bytes of mail read.
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "engine/archive.h"
#include "ingest/import/source.h"
#include "query/api/engine_loop.h"
#include "tools/common/memory.h"

namespace arch {
namespace {

struct Counter : import::Visitor {
  explicit Counter(Archive& archive_in) : archive(archive_in) {}
  Result<void> message(import::Item item) override {
    ++messages;
    bytes += item.message.size();
    Delivery delivery;
    delivery.digest = Sha256::of(as_bytes(item.message));
    delivery.channel = Channel::kImport;
    delivery.captured = Clock::system().now();
    delivery.origin = std::move(item.origin);
    delivery.separator = std::move(item.separator);
    staged += item.message.size();
    ARCH_TRY_VOID(archive.append_staged(std::move(delivery), std::move(item.message)));
    if (staged < (16u << 20)) return {};
    staged = 0;
    ARCH_TRY_VOID(archive.flush());
    if (loop != nullptr) loop->keep_pace(messages, bytes, {});
    return {};
  }
  void refused(const import::Refused&) override { ++refusals; }
  void progress(uint64_t) override {}
  Archive& archive;
  api::EngineLoop* loop = nullptr;  // null: nothing is indexed
  uint64_t messages = 0, bytes = 0, refusals = 0, staged = 0;
};

double seconds_since(UnixNs began) { return static_cast<double>(Clock::system().now() - began) / 1e9; }

/// What EngineLoop does, less its index thread: applying beside reading on one thread, packing on another.
class StoreLoop {
 public:
  explicit StoreLoop(Archive& archive)
      : archive_(archive),
        apply_([this] { again([this] { return take(archive_.apply()); }); }),
        pack_([this] { again([this] { return take(archive_.pack(kPackBytes, kNsPerDay)); }); }) {}
  ~StoreLoop() { stop(); }
  StoreLoop(const StoreLoop&) = delete;
  StoreLoop& operator=(const StoreLoop&) = delete;

  /// The journal is closed: the rest.
  Result<void> finish() {
    stop();
    if (failed_) return tl::unexpected<Error>(*failed_);
    ARCH_TRY_VOID(archive_.apply());
    ARCH_TRY_VOID(archive_.pack(0, 0));
    return {};
  }

 private:
  static constexpr uint64_t kPackBytes = 256ull << 20;
  static constexpr std::chrono::milliseconds kTick{100};

  template <class Stats>
  bool take(Result<Stats> result) {
    if (result) return true;
    std::lock_guard lock(mutex_);
    failed_ = std::move(result).error();
    return false;
  }
  template <class Step>
  void again(Step step) {
    while (!done_ && step()) std::this_thread::sleep_for(kTick);
  }
  void stop() {
    done_ = true;
    for (std::thread* thread : {&apply_, &pack_})
      if (thread->joinable()) thread->join();
  }

  Archive& archive_;
  std::atomic<bool> done_{false};
  std::mutex mutex_;  // guards failed_ until the threads have ended
  std::optional<Error> failed_;
  std::thread apply_, pack_;  // last: they use what stands above
};

Result<void> run(const std::string& folder, const std::string& directory, bool with_index) {
  const UnixNs began = Clock::system().now();
  ARCH_TRY_VOID(Archive::init(Fs::real(), directory, began));
  ARCH_TRY(auto archive, Archive::open(Fs::real(), Clock::system(), directory, Archive::Mode::kEngine));
  api::EngineOptions options;
  options.look_again = kNsPerSecond / 10;
  std::optional<api::EngineLoop> loop;
  std::optional<StoreLoop> store;
  if (with_index) {
    loop.emplace(*archive, options, [](const std::string& level, const std::string& line) {
      if (level != "info") std::fprintf(stderr, "%s: %s\n", level.c_str(), line.c_str());
    });
    loop->start();
  } else {
    store.emplace(*archive);
  }
  Counter counter(*archive);
  if (loop) counter.loop = &*loop;
  ARCH_TRY_VOID(import::walk({folder}, {}, counter));
  ARCH_TRY_VOID(archive->flush());
  double durable = seconds_since(began);
  ARCH_TRY_VOID(archive->close_journal());
  if (loop) {
    ARCH_TRY_VOID(loop->drain(api::EngineLoop::Pack::kAll, {}, {}));
    loop->stop();
  } else {
    ARCH_TRY_VOID(store->finish());
  }
  ARCH_TRY_VOID(archive->compact());  // as `archctl import` ends
  double whole = seconds_since(began);
  // Closed and opened again: what RocksDB and Xapian leave behind at rest.
  loop.reset();
  store.reset();
  archive.reset();
  ARCH_TRY(archive, Archive::open(Fs::real(), Clock::system(), directory, Archive::Mode::kReader));
  ARCH_TRY(ArchiveUsage usage, archive->usage());

  rusage resources{};
  ::getrusage(RUSAGE_SELF, &resources);
  utsname machine{};
  ::uname(&machine);
  auto per = [&](uint64_t bytes) {
    return static_cast<double>(bytes) / static_cast<double>(counter.bytes == 0 ? 1 : counter.bytes);
  };
  auto mb = [&](double seconds) { return static_cast<double>(counter.bytes) / 1e6 / seconds; };
  auto number = [](uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf(
      "{\"bench\":\"import-folder/"
      "1\",\"index\":%s,\"machine\":{\"kernel\":\"%s\",\"cpus\":%u},\"messages\":%llu,\"refused\":%llu,"
      "\"distinct\":%llu,\"received_bytes\":%llu,\"seconds_durable\":%.3f,\"seconds\":%.3f,\"messages_per_s\":%.1f,"
      "\"mb_per_s\":%.2f,\"cpu_seconds\":%.2f,\"peak_rss_bytes\":%llu,\"bytes\":{\"journal\":%llu,\"segments\":%llu,"
      "\"catalog\":%llu,\"index\":%llu,\"total\":%llu},\"per_received\":{\"journal\":%.4f,\"segments\":%.4f,"
      "\"catalog\":%.4f,"
      "\"index\":%.4f,\"total\":%.4f}}\n",
      with_index ? "true" : "false", machine.release, std::thread::hardware_concurrency(), number(counter.messages),
      number(counter.refusals), number(usage.messages), number(counter.bytes), durable, whole,
      static_cast<double>(counter.messages) / whole, mb(whole),
      static_cast<double>(resources.ru_utime.tv_sec + resources.ru_stime.tv_sec) +
          static_cast<double>(resources.ru_utime.tv_usec + resources.ru_stime.tv_usec) / 1e6,
      number(static_cast<uint64_t>(resources.ru_maxrss) * 1024), number(usage.journal), number(usage.segments),
      number(usage.catalog), number(usage.index), number(usage.total()), per(usage.journal), per(usage.segments),
      per(usage.catalog), per(usage.index), per(usage.total()));
  return {};
}

}  // namespace
}  // namespace arch

int main(int argc, char** argv) {
  arch::tool::return_memory_when_freed();  // as archctl does
  const bool with_index = !(argc > 1 && std::strcmp(argv[1], "--no-index") == 0);
  if (!with_index) --argc, ++argv;
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: bench-import-folder [--no-index] DIR [ARCHIVE]\n");
    return 64;
  }
  std::string directory;
  if (argc == 3) {
    directory = argv[2];
  } else {
    std::string pattern = (std::filesystem::temp_directory_path() / "bench-import.XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) {
      std::perror("bench-import-folder");
      return 73;
    }
    directory = pattern + "/archive";
  }
  auto result = arch::run(argv[1], directory, with_index);
  if (argc == 2) std::filesystem::remove_all(std::filesystem::path(directory).parent_path());
  if (!result) {
    std::fprintf(stderr, "bench-import-folder: %s\n", arch::describe(result.error()).c_str());
    return 74;
  }
  return 0;
}
