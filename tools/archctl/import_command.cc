// archctl import: files -> journal; without a running archd also catalog, index and segments, beside reading.
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>
#include <unordered_set>

#include "ingest/import/source.h"
#include "query/api/api.h"
#include "tools/archctl/access.h"
#include "tools/common/stop.h"
#include "tools/common/terminal.h"
#include "tools/common/text.h"

namespace arch::ctl {
namespace {

constexpr uint64_t kFlushBytes = 16ull << 20;  // one fdatasync for about this much
constexpr size_t kFlushMessages = 2'000;
constexpr uint64_t kPackAfter = 16ull << 20;  // an import this large is packed at its end, not a day later
// Free space an import leaves to mail that comes in: archive.reserve_bytes, but no less than the engine wants.
constexpr uint64_t kMostReserve = 512ull << 20;
constexpr UnixNs kCatchUpWait = 10 * kNsPerSecond;  // for a running archd to have applied what lies there

/// Digests seen in this run, 8 bytes each: for counting, so that a collision can only miscount.
class SeenDigests {
 public:
  bool insert(const Digest& digest) {
    if ((used_ + 1) * 2 > slots_.size()) grow();
    return place(slots_, DigestHash()(digest)) && ++used_ > 0;
  }

 private:
  static bool place(std::vector<uint64_t>& slots, uint64_t value) {
    value = value == 0 ? 1 : value;
    size_t mask = slots.size() - 1;
    for (size_t i = value & mask;; i = (i + 1) & mask) {
      if (slots[i] == value) return false;
      if (slots[i] == 0) {
        slots[i] = value;
        return true;
      }
    }
  }
  void grow() {
    std::vector<uint64_t> larger(slots_.size() * 2, 0);
    for (uint64_t value : slots_)
      if (value != 0) place(larger, value);
    slots_.swap(larger);
  }
  std::vector<uint64_t> slots_ = std::vector<uint64_t>(1u << 12, 0);
  size_t used_ = 0;
};

struct Counts {
  uint64_t stored = 0, known = 0, refused = 0, bytes = 0, stored_bytes = 0;
  uint64_t read() const { return stored + known + refused; }
};

class Importer : public import::Visitor {
 public:
  /// `loop`: null when another process applies and indexes.
  Importer(Archive& archive, api::EngineLoop* loop, const Invocation& invocation, tool::ProgressLine& line,
           uint64_t total)
      : archive_(archive),
        loop_(loop),
        line_(line),
        total_(total),
        quiet_(invocation.has("quiet")),
        json_(invocation.has("json")),
        given_(canonical(invocation.arguments)) {}

  Result<void> message(import::Item item) override {
    if (tool::stop_requested()) return fail(Code::kTryAgain, "stopped", "run the same import again to go on");
    Digest digest = Sha256::of(as_bytes(item.message));
    counts_.bytes += item.message.size();
    ARCH_TRY(bool here_before, archive_.knows_import(digest, item.origin));
    if (here_before) {
      ++counts_.known;
      return {};
    }
    ARCH_TRY(bool known, archive_.knows(digest));
    const uint64_t size = item.message.size();
    Delivery delivery;
    delivery.digest = digest;
    delivery.channel = Channel::kImport;
    delivery.captured = Clock::system().now();
    delivery.origin = std::move(item.origin);
    delivery.separator = std::move(item.separator);
    ARCH_TRY_VOID(archive_.append_staged(std::move(delivery), std::move(item.message)));
    staged_ += size;
    ++staged_messages_;
    appended_bytes_ += size;
    ++appended_;
    if (!seen_.insert(digest) || known) {
      ++counts_.known;
    } else {
      ++counts_.stored;
      counts_.stored_bytes += size;
    }
    if (staged_ < kFlushBytes && staged_messages_ < kFlushMessages) return {};
    ARCH_TRY_VOID(flush());
    if (loop_ != nullptr) loop_->keep_pace(appended_, appended_bytes_, tool::stop_requested);
    return {};
  }

  void refused(const import::Refused& refused) override {
    ++counts_.refused;
    for (const std::string& path : given_)
      if (refused.origin == path) named_refused_ = refused.reason == "permission denied" ? EX_NOINPUT : EX_DATAERR;
    if (json_) {
      refusals_.push_back(refused);
    } else if (!quiet_ || named_refused_ != 0) {
      line_.note("archctl: " + tool::printable(refused.origin) + ": " + tool::printable(refused.reason));
    }
  }

  void progress(uint64_t bytes_done) override {
    if (!quiet_) line_.update("importing", bytes_done, total_, true);
  }

  Result<void> flush() {
    staged_ = 0;
    staged_messages_ = 0;
    return archive_.flush();
  }

  const Counts& counts() const { return counts_; }
  const std::vector<import::Refused>& refusals() const { return refusals_; }

  int status() const {
    if (named_refused_ != 0) return named_refused_;
    return counts_.refused > 0 && counts_.refused == counts_.read() ? EX_DATAERR : 0;
  }

 private:
  static std::set<std::string> canonical(const std::vector<std::string>& paths) {
    std::set<std::string> out;
    for (const std::string& path : paths) {
      char* real = ::realpath(path.c_str(), nullptr);
      if (real != nullptr) out.insert(real);
      std::free(real);
    }
    return out;
  }

  Archive& archive_;
  api::EngineLoop* const loop_;
  tool::ProgressLine& line_;
  const uint64_t total_;
  const bool quiet_, json_;
  const std::set<std::string> given_;
  Counts counts_;
  SeenDigests seen_;
  std::vector<import::Refused> refusals_;
  uint64_t staged_ = 0;
  size_t staged_messages_ = 0;
  uint64_t appended_ = 0, appended_bytes_ = 0;
  int named_refused_ = 0;
};

/// Beside a running archd: until it has applied (and, when `indexed`, indexed) what the journal holds, or `wait` is over.
Result<bool> wait_for_engine(Archive& archive, bool indexed, UnixNs wait, tool::ProgressLine* line) {
  UnixNs end = Clock::system().now() + wait;
  for (;;) {
    ARCH_TRY_VOID(archive.refresh());
    ARCH_TRY(api::StatusView view, api::status(archive, Clock::system().now()));
    bool done = view.archive.pending_bytes == 0 && (!indexed || view.index.indexed >= view.archive.last_sequence);
    if (done) return true;
    if (line != nullptr) line->update("indexing", view.index.indexed, view.archive.last_sequence, false);
    if (tool::stop_requested())
      return fail(Code::kTryAgain, "stopped before everything could be searched", "archd goes on with it");
    if (Clock::system().now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

void print_summary(const Invocation& invocation, const Importer& importer, bool searchable, double seconds) {
  const Counts& counts = importer.counts();
  if (invocation.has("json")) {
    nlohmann::ordered_json refusals = nlohmann::ordered_json::array();
    for (const import::Refused& refused : importer.refusals())
      refusals.push_back({{"origin", refused.origin}, {"reason", refused.reason}});
    nlohmann::ordered_json out = {{"schema", "import/1"},
                                  {"read", counts.read()},
                                  {"stored", counts.stored},
                                  {"already_known", counts.known},
                                  {"refused", counts.refused},
                                  {"bytes", counts.bytes},
                                  {"stored_bytes", counts.stored_bytes},
                                  {"seconds", seconds},
                                  {"searchable", searchable},
                                  {"refusals", refusals}};
    std::printf("%s\n", out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
    return;
  }
  std::printf("%llu read, %llu stored, %llu already known, %llu refused\n",
              static_cast<unsigned long long>(counts.read()), static_cast<unsigned long long>(counts.stored),
              static_cast<unsigned long long>(counts.known), static_cast<unsigned long long>(counts.refused));
}

}  // namespace

int run_import(const Invocation& invocation) {
  import::Options options;
  options.mboxrd = invocation.has("mboxrd");
  options.follow_links = invocation.has("follow-links");
  options.message_bytes = invocation.config.message_bytes;

  auto archive = open_engine(invocation);
  bool engine_elsewhere = false;
  if (!archive && archive.error().code == Code::kTryAgain) {
    engine_elsewhere = true;
    archive = open_reader(invocation);
  }
  if (!archive) return complain(archive.error());
  (*archive)->set_reserve_bytes(std::clamp(invocation.config.reserve_bytes, api::kLeastFreeBytes, kMostReserve));

  auto totals = import::scan(invocation.arguments, options);
  if (!totals) return complain(totals.error());

  const UnixNs began = Clock::system().now();
  tool::ProgressLine line;
  std::unique_ptr<api::EngineLoop> loop;
  if (engine_elsewhere) {
    // So that what was imported a moment ago is recognised; a busy archd is not waited for any longer than this.
    auto ready = wait_for_engine(**archive, false, kCatchUpWait, nullptr);
    if (!ready) return complain(ready.error());
  } else {
    loop = std::make_unique<api::EngineLoop>(**archive, engine_options(invocation.config),
                                             [&](const std::string& level, const std::string& text) {
                                               if (level != "info")
                                                 std::fprintf(stderr, "archctl: %s\n", text.c_str());
                                             });
    // What an earlier run, or capture, left in the journal is applied first, or it would not be recognised.
    auto ready = (*archive)->apply(tool::stop_requested);
    if (!ready) return complain(ready.error());
    loop->start();
  }

  Importer importer(**archive, loop.get(), invocation, line, totals->bytes);
  auto result = import::walk(invocation.arguments, options, importer);
  auto flushed = importer.flush();
  auto closed = (*archive)->close_journal();
  if (result && !flushed) result = flushed;
  if (result && !closed) result = closed;
  line.clear();

  bool searchable = false;
  if (loop) {
    bool pack = result && importer.counts().stored_bytes >= kPackAfter;
    auto show = [&](const api::EngineProgress& progress) {
      if (invocation.has("quiet")) return;
      line.update(progress.doing == "pack" ? "packing and indexing" : "indexing", progress.indexed, progress.applied,
                  false);
    };
    auto drained =
        loop->drain(pack ? api::EngineLoop::Pack::kAll : api::EngineLoop::Pack::kWhenDue, tool::stop_requested, show);
    searchable = bool(drained);
    if (result && !drained) result = drained;
    loop->stop();
    if (result && pack)
      result = (*archive)->compact();  // much was written at once: in its final form now, not over days
  } else if (result && invocation.has("wait")) {
    auto done = wait_for_engine(**archive, true, INT64_MAX / 2, invocation.has("quiet") ? nullptr : &line);
    searchable = done && *done;
    if (!done) result = tl::unexpected<Error>(done.error());
  }
  line.clear();

  print_summary(invocation, importer, searchable, static_cast<double>(Clock::system().now() - began) / 1e9);
  if (!result) {
    int status = complain(result.error());
    return tool::stop_signal() != 0 ? 128 + tool::stop_signal() : status;
  }
  if (importer.counts().read() == 0 && !invocation.has("quiet")) std::fprintf(stderr, "archctl: no mail there\n");
  if (engine_elsewhere && !searchable && !invocation.has("quiet"))
    std::fprintf(stderr, "archctl: the running archd indexes it now (--wait waits for that)\n");
  return importer.status();
}

}  // namespace arch::ctl
