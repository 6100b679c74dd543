#include "query/api/engine_loop.h"

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "engine/base/background.h"
#include "engine/io/fs.h"
#include "engine/journal/archive_file.h"
#include "engine/journal/journal_reader.h"

namespace arch::api {
namespace {

using std::chrono::milliseconds;

constexpr UnixNs kNewsTimeout = kNsPerSecond;  // how long apply waits for the journal before it looks by itself
constexpr milliseconds kIdleTick{1000};        // index and pack look again at least this often
constexpr milliseconds kDrainTick{100};
constexpr milliseconds kSpaceTick{20};
constexpr milliseconds kFirstPause{1000}, kLongestPause{60'000};
constexpr size_t kDocumentsAtOnce = 20;  // attachments read before a stop is heard
// While attachments go on being read, the index hears of them this often: each commit costs the searches beside it a look at its files.
constexpr std::chrono::seconds kTellEvery{10};
// How far the index may be behind one who appends: not so far that mail is packed (EngineOptions::pack_bytes) before it is indexed, and has to
// be unpacked again for it.
constexpr uint64_t kIndexLag = 192ull << 20;
constexpr uint64_t kNearlyIndexed = 10'000;  // messages that are indexed before a segment is made of what holds them
constexpr std::chrono::seconds kStandsStill{10};  // without a commit: it is not waited for
constexpr size_t kFreeKept = 64u << 20;           // freed memory that the process keeps for what comes next
constexpr std::chrono::seconds kGiveBackEvery{2};
constexpr UnixNs kCloseWait = 10 * kNsPerSecond;  // how long a pack request waits for writers to close their files

/// Remembers a failure that lasts, so that the log says when it began and when it ended, not every attempt.
class Trouble {
 public:
  /// True when this error is news.
  bool begins(const Error& error) {
    std::string text = describe(error);
    pause_ = text == text_ ? std::min(pause_ * 2, kLongestPause) : kFirstPause;
    bool news = text != text_;
    text_ = std::move(text);
    return news;
  }
  bool ends() {
    bool was = !text_.empty();
    text_.clear();
    pause_ = kFirstPause;
    return was;
  }
  milliseconds pause() const { return pause_; }

 private:
  std::string text_;
  milliseconds pause_ = kFirstPause;
};

std::string mib(uint64_t bytes) {
  uint64_t tenths = bytes * 10 / (1u << 20);
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " MiB";
}

Result<void> check_free(const std::string& directory, uint64_t wanted, const std::string& who) {
  ARCH_TRY(uint64_t free, Fs::real().free_bytes(directory));
  if (free >= wanted) return {};
  return fail(Code::kFull,
              "no space: " + mib(free) + " free on the disk of " + directory + ", " + who + " leaves " + mib(wanted) +
                  " alone",
              "free some; nothing that was acknowledged is lost, and what waits goes on by itself");
}

// Batches and segments come and go among what stays, and glibc gives back by itself only what is free at an arena's end: half of an
// import's memory was free and in between. Asked for between batches, it costs the page faults of what is used anew.
void give_back_memory() {
#if defined(__GLIBC__)
  static std::atomic<std::chrono::steady_clock::rep> given_back{0};
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  auto before = given_back.load();
  if (now - std::chrono::steady_clock::duration(before) < kGiveBackEvery || mallinfo2().fordblks <= kFreeKept) return;
  if (given_back.compare_exchange_strong(before, now.count())) static_cast<void>(malloc_trim(0));
#endif
}

}  // namespace

Result<void> check_space_to_open(const std::string& archive_directory) {
  return check_free(archive_directory, kLeastFreeBytes / 4, "the engine");
}

std::string pack_request_path(const std::string& archive_directory) {
  return tmp_directory(archive_directory) + "/pack.request";
}

std::string reextract_request_path(const std::string& archive_directory) {
  return tmp_directory(archive_directory) + "/reextract.request";
}

std::string reindex_request_path(const std::string& archive_directory) {
  return tmp_directory(archive_directory) + "/reindex.request";
}

struct EngineLoop::State {
  State(Archive& archive_in, EngineOptions options_in, LogFunction log_in)
      : archive(archive_in), options(std::move(options_in)), log_function(std::move(log_in)) {}

  Archive& archive;
  const EngineOptions options;
  const LogFunction log_function;
  std::mutex log_mutex;

  mutable std::mutex mutex;  // guards everything below
  std::condition_variable changed;
  bool stopping = false;

  // apply
  uint64_t pass_begun = 0,
           pass_ended = 0;  // a pass that began after a moment has seen all that was there at that moment
  uint64_t applied = 0;
  uint64_t applied_at_start = 0;
  std::optional<Error> apply_error;  // of the last pass
  bool hurry = false;                // do not wait for news before the next pass

  // index
  uint64_t indexed = 0;
  uint64_t index_failures = 0;
  std::optional<Error> index_error;

  // pack
  uint64_t pack_wanted = 0, pack_done = 0;  // numbers of "pack everything" requests
  std::optional<Error> pack_error;
  uint64_t packed_bytes = 0;
  std::string doing;

  // documents
  uint64_t document_begun = 0;   // passes
  uint64_t document_idle = 0;    // the last one that found nothing to do
  uint64_t document_wanted = 0;  // passes up to this one begin without a pause
  uint64_t documents = 0;        // read
  uint64_t documents_shown = 0;  // of those, how many the index has been told of
  std::chrono::steady_clock::time_point shown_at;

  // OCR, as far as it is not the same
  bool documents_quiet = false;          // the readers before it had nothing to do when they looked last
  uint64_t ocr_begun = 0, ocr_idle = 0;  // passes, as document_begun and document_idle
  uint64_t ocr_wanted = 0;

  // keep_pace()'s own: what was appended by when, as far as it is not indexed, and how much of it is
  std::deque<std::pair<uint64_t, uint64_t>> appended;
  uint64_t appended_indexed = 0;

  std::thread apply_thread, index_thread, pack_thread, document_thread, ocr_thread;

  void log(const std::string& level, const std::string& line) {
    std::lock_guard lock(log_mutex);
    if (log_function) log_function(level, line);
  }
  bool is_stopping() const {
    std::lock_guard lock(mutex);
    return stopping;
  }
  StopFunction stop_function() {
    return [this] { return is_stopping(); };
  }
  /// For a step that writes: also stops when the disk gets full. One such function a step, one thread.
  StopFunction stop_or_full_function() {
    return [this, checked = std::chrono::steady_clock::time_point(), full = false]() mutable {
      auto time = std::chrono::steady_clock::now();
      if (time - checked > kSpaceTick) {
        checked = time;
        full = !space_for(0, "the engine");
      }
      return full || is_stopping();
    };
  }
  Result<void> space_for(uint64_t bytes, const std::string& who) const {
    return check_free(archive.directory(), kLeastFreeBytes + bytes, who);
  }

  /// Sleeps, but not through a stop; true when it is time to stop.
  bool pause(milliseconds time) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, time, [this] { return stopping; });
  }

  // ── apply ──
  void run_apply() {
    Trouble trouble;
    std::set<std::string> alarms_told;
    for (;;) {
      {
        std::lock_guard lock(mutex);
        if (stopping) return;
        ++pass_begun;
        hurry = false;
        doing = "apply";
      }
      bool ok = apply_once(&trouble, &alarms_told);
      bool wait_for_more;
      {
        std::lock_guard lock(mutex);
        pass_ended = pass_begun;
        wait_for_more = !hurry;
        if (doing == "apply") doing.clear();
      }
      changed.notify_all();
      if (!ok) {
        if (pause(trouble.pause())) return;
      } else if (wait_for_more) {
        auto news = archive.wait_for_news(options.look_again);
        if (!news) {
          if (trouble.begins(news.error())) log("error", "watching the journal: " + describe(news.error()));
          if (pause(trouble.pause())) return;
        }
      }
    }
  }

  bool apply_once(Trouble* trouble, std::set<std::string>* alarms_told) {
    uint64_t base;
    {
      std::lock_guard lock(mutex);
      base = applied;
    }
    auto progress = [&](const ApplyStats& stats) {
      {
        std::lock_guard lock(mutex);
        applied = std::max(applied, base + stats.deliveries);
      }
      changed.notify_all();
    };
    auto room = space_for(0, "the engine");
    Result<ApplyStats> result =
        room ? archive.apply(stop_or_full_function(), progress) : tl::unexpected<Error>(room.error());
    if (result) room = space_for(0, "the engine");
    auto status = archive.status();
    std::optional<Error> error;
    if (!result) {
      error = result.error();
    } else if (!room) {
      error = room.error();
    } else if (!status) {
      error = status.error();
    }
    {
      std::lock_guard lock(mutex);
      apply_error = error;
      if (status) applied = status->last_sequence;
    }
    if (status) {
      for (const std::string& alarm : status->alarms)
        if (alarms_told->insert(alarm).second) log("error", alarm);
    }
    if (error) {
      if (trouble->begins(*error)) log("error", "reading the journal into the catalog: " + describe(*error));
      return false;
    }
    if (trouble->ends()) log("info", "reading the journal into the catalog works again");
    return true;
  }

  // ── index ──
  void run_index() {
    Trouble trouble;
    std::unique_ptr<index::IndexWriter> writer;
    for (;;) {
      uint64_t seen;
      {
        std::lock_guard lock(mutex);
        seen = applied;
      }
      auto result = index_once(&writer);
      if (!result) {
        writer.reset();
        {
          std::lock_guard lock(mutex);
          if (stopping) break;  // it was told so
          index_error = result.error();
          ++index_failures;
        }
        changed.notify_all();
        if (trouble.begins(result.error()))
          log("error", "indexing (mail is stored all the same): " + describe(result.error()));
        if (pause(trouble.pause())) break;
        continue;
      }
      if (trouble.ends()) log("info", "indexing works again");
      std::unique_lock lock(mutex);
      index_error.reset();
      changed.notify_all();
      changed.wait_for(lock, kIdleTick, [&] {
        return stopping || applied > seen || (documents > documents_shown && may_tell_of_documents());
      });
      if (stopping) break;
    }
    if (writer) {
      auto closed = writer->close();
      if (!closed) log("warn", "closing the index: " + describe(closed.error()));
    }
  }

  Result<void> index_once(std::unique_ptr<index::IndexWriter>* writer) {
    const std::string request = reindex_request_path(archive.directory());
    ARCH_TRY(bool requested, Fs::real().exists(request));
    if (requested) {
      if (*writer) ARCH_TRY_VOID((*writer)->close());
      writer->reset();
      ARCH_TRY_VOID(index::begin_generation(archive.directory()));
      ARCH_TRY_VOID(Fs::real().remove(request));
      log("info", "the index is built anew beside the old one, which answers until then");
    }
    if (!*writer) {
      ARCH_TRY(*writer, index::IndexWriter::open(archive, options.index));
      note_indexed((*writer)->mark());
    }
    ARCH_TRY_VOID(space_for(0, "the index"));
    ARCH_TRY_VOID((*writer)->follow(stop_or_full_function(), [this](uint64_t mark) {
      note_indexed(mark);
      give_back_memory();
    }));
    note_indexed((*writer)->mark());
    ARCH_TRY_VOID(tell_of_documents(writer->get()));
    return space_for(0, "the index");
  }

  // Under the mutex.
  bool may_tell_of_documents() const {
    return documents_quiet || std::chrono::steady_clock::now() - shown_at >= kTellEvery;
  }
  // Not only of those this engine has read: others may have come anew, of an earlier one or because OCR was turned off.
  Result<void> tell_of_documents(index::IndexWriter* writer) {
    uint64_t shown;
    {
      std::lock_guard lock(mutex);
      if (!may_tell_of_documents()) return {};
      shown = documents;
    }
    ARCH_TRY_VOID(writer->take_documents(stop_or_full_function()));
    {
      std::lock_guard lock(mutex);
      documents_shown = shown;
      shown_at = std::chrono::steady_clock::now();
    }
    changed.notify_all();
    return {};
  }
  void note_indexed(uint64_t mark) {
    {
      std::lock_guard lock(mutex);
      indexed = mark;
    }
    changed.notify_all();
  }

  // ── attachments ──
  void run_documents() {
    if (!options.waited_for) give_way();
    Trouble trouble;
    for (;;) {
      uint64_t pass;
      {
        std::lock_guard lock(mutex);
        pass = ++document_begun;
      }
      auto result = read_some();
      bool news = false;
      {
        std::lock_guard lock(mutex);
        if (result) {
          documents += *result;
          news = *result > 0;
        }
        if (!news) document_idle = pass;
        documents_quiet = !news;
        if (stopping) return;
      }
      changed.notify_all();
      if (!result) {
        if (trouble.begins(result.error()))
          log("error",
              "reading attachments (mail is found by its own text all the same): " + describe(result.error()));
        if (pause(trouble.pause())) return;
        continue;
      }
      if (trouble.ends()) log("info", "reading attachments works again");
      if (news) continue;
      std::unique_lock lock(mutex);
      changed.wait_for(lock, kIdleTick, [&] { return stopping || document_wanted > pass; });
      if (stopping) return;
    }
  }

  Result<uint64_t> read_some() {
    const std::string request = reextract_request_path(archive.directory());
    ARCH_TRY(bool requested, Fs::real().exists(request));
    if (requested) {
      ARCH_TRY(std::string wanted, read_file(Fs::real(), request, 4096));
      while (!wanted.empty() && wanted.back() == '\n') wanted.pop_back();
      ARCH_TRY(uint64_t count, archive.read_again([&](const KeptDocument& document) {
        if (wanted == "unread") return document.unread();
        return wanted.empty() || document.media_type.find(wanted) != std::string::npos;
      }));
      ARCH_TRY_VOID(Fs::real().remove(request));
      log("info", std::to_string(count) + " attachments are read again");
    }
    ARCH_TRY_VOID(space_for(0, "reading attachments"));
    if (!options.ocr) ARCH_TRY_VOID(archive.forget_ocr());
    return index::read_documents(archive, options.index.read_document, kDocumentsAtOnce, stop_or_full_function());
  }

  // ── OCR: a picture takes seconds, and nobody waits for it ──
  void run_ocr() {
    if (!options.waited_for) give_way();
    Trouble trouble;
    for (;;) {
      uint64_t pass;
      bool turn;
      {
        std::lock_guard lock(mutex);
        if (stopping) return;
        pass = ++ocr_begun;
        turn = documents_quiet;
      }
      const auto result = turn ? read_picture() : Result<uint64_t>(0);
      const bool news = result && *result > 0;
      {
        std::lock_guard lock(mutex);
        if (news) documents += *result;
        if (!news && turn) ocr_idle = pass;
        if (stopping) return;
      }
      changed.notify_all();
      if (!result) {
        if (trouble.begins(result.error())) log("error", "OCR: " + describe(result.error()));
        if (pause(trouble.pause())) return;
        continue;
      }
      if (turn && trouble.ends()) log("info", "OCR works again");
      if (news) continue;
      std::unique_lock lock(mutex);
      changed.wait_for(lock, kIdleTick,
                       [&] { return stopping || (documents_quiet && (ocr_wanted > pass || !turn)); });
    }
  }

  Result<uint64_t> read_picture() {
    ARCH_TRY_VOID(space_for(0, "OCR"));
    return index::read_by_ocr(archive, options.ocr, 1, stop_or_full_function());
  }

  // ── pack ──
  void run_pack() {
    Trouble trouble;
    const std::string request = pack_request_path(archive.directory());
    for (;;) {
      uint64_t wanted, done;
      {
        std::lock_guard lock(mutex);
        if (stopping) return;
        wanted = pack_wanted;
        done = pack_done;
      }
      auto requested = Fs::real().exists(request);
      bool serve_request = requested && *requested;
      Result<void> result;
      if (serve_request) {
        result = serve(request);
      } else if (wanted > done) {
        result = pack(0, 0);
      } else {
        result = pack(options.pack_bytes, options.pack_age);
      }
      {
        std::lock_guard lock(mutex);
        if (wanted > done) {
          pack_error.reset();
          if (!result) pack_error = result.error();
          pack_done = wanted;
        }
      }
      changed.notify_all();
      if (!result) {
        if (trouble.begins(result.error())) log("error", "packing: " + describe(result.error()));
        if (pause_unless_wanted(trouble.pause())) return;
      } else {
        if (trouble.ends()) log("info", "packing works again");
        if (pause_unless_wanted(kIdleTick)) return;
      }
    }
  }

  bool pause_unless_wanted(milliseconds time) {
    std::unique_lock lock(mutex);
    changed.wait_for(lock, time, [this] { return stopping || pack_wanted > pack_done; });
    return stopping;
  }

  /// A segment is born beside the journal files it replaces.
  Result<void> space_to_pack() const {
    ARCH_TRY(auto files, list_journal(Fs::real(), journal_directory(archive.directory())));
    uint64_t closed = 0;
    for (const JournalFileInfo& file : files)
      if (file.state != JournalState::kOpen) closed += file.size;
    return closed == 0 ? Result<void>() : space_for(std::min(closed, options.pack_bytes), "packing");
  }

  Result<void> pack(uint64_t at_least_bytes, UnixNs max_age) {
    ARCH_TRY_VOID(space_to_pack());
    {
      std::lock_guard lock(mutex);
      if (at_least_bytes == 0) doing = "pack";
    }
    auto stats = archive.pack(at_least_bytes, max_age, stop_function());
    {
      std::lock_guard lock(mutex);
      if (doing == "pack") doing.clear();
      if (stats) packed_bytes += stats->raw_bytes;
    }
    if (!stats) return tl::unexpected<Error>(std::move(stats).error());
    if (stats->segments > 0) give_back_memory();
    if (stats->segments > 0)
      log("info", "packed " + std::to_string(stats->messages) + " messages: " + mib(stats->raw_bytes) +
                      " of mail in " + mib(stats->segment_bytes) + ", segments " + std::to_string(stats->segments) +
                      ", journal files released " + std::to_string(stats->journal_files_released));
    return {};
  }

  /// `archctl pack` beside this engine.
  Result<void> serve(const std::string& request) {
    ARCH_TRY_VOID(archive.request_close_all(kCloseWait));
    wait_for_pass();
    if (is_stopping()) return {};
    ARCH_TRY_VOID(pack(0, 0));
    if (is_stopping()) return {};
    return Fs::real().remove(request);
  }

  /// Waits until a pass of apply that begins from now on has ended.
  void wait_for_pass() {
    std::unique_lock lock(mutex);
    uint64_t wanted = pass_begun + 1;
    hurry = true;
    changed.wait(lock, [&] { return stopping || pass_ended >= wanted; });
  }
};

EngineLoop::EngineLoop(Archive& archive, const EngineOptions& options, LogFunction log)
    : state_(std::make_unique<State>(archive, options, std::move(log))) {}

EngineLoop::~EngineLoop() { stop(); }

void EngineLoop::start() {
  State* state = state_.get();
  if (auto status = state->archive.status()) state->applied = state->applied_at_start = status->last_sequence;
  state->apply_thread = std::thread([state] { state->run_apply(); });
  state->index_thread = std::thread([state] { state->run_index(); });
  state->pack_thread = std::thread([state] { state->run_pack(); });
  if (state->options.index.read_document) state->document_thread = std::thread([state] { state->run_documents(); });
  if (state->options.index.read_document && state->options.ocr)
    state->ocr_thread = std::thread([state] { state->run_ocr(); });
}

EngineProgress EngineLoop::progress() const {
  std::lock_guard lock(state_->mutex);
  return EngineProgress{state_->applied, state_->indexed, state_->packed_bytes, state_->documents, state_->doing};
}

void EngineLoop::keep_pace(uint64_t deliveries, uint64_t bytes, const StopFunction& stop) {
  State& s = *state_;
  s.appended.emplace_back(s.applied_at_start + deliveries, bytes);
  uint64_t seen = 0;
  auto moved = std::chrono::steady_clock::now();
  for (;;) {
    if (stop && stop()) return;
    std::unique_lock lock(s.mutex);
    for (; !s.appended.empty() && s.appended.front().first <= s.indexed; s.appended.pop_front())
      s.appended_indexed = s.appended.front().second;
    if (bytes - s.appended_indexed <= kIndexLag || s.stopping || s.index_error || s.apply_error) return;
    const auto now = std::chrono::steady_clock::now();
    if (s.indexed != seen) moved = now;
    seen = s.indexed;
    if (now - moved > kStandsStill) return;
    s.changed.wait_for(lock, kDrainTick);
  }
}

Result<void> EngineLoop::drain(Pack pack, const StopFunction& stop, const ProgressFunction& progress) {
  State& s = *state_;
  auto tick = [&]() -> Result<void> {
    if (progress) progress(this->progress());
    if (stop && stop())
      return fail(Code::kTryAgain, "stopped before everything was applied and indexed", "run it again to go on");
    return {};
  };
  /// Waits for a condition (under the mutex) with the caller's progress and stop served meanwhile.
  auto wait_until = [&](auto condition) -> Result<void> {
    for (;;) {
      {
        std::unique_lock lock(s.mutex);
        if (s.changed.wait_for(lock, kDrainTick, condition)) return {};
      }
      // A segment and the compactions behind it take and leave much between two batches of the index.
      give_back_memory();
      ARCH_TRY_VOID(tick());
    }
  };

  uint64_t pass, failures;
  {
    std::lock_guard lock(s.mutex);
    pass = s.pass_begun + 1;
    failures = s.index_failures;
    s.hurry = true;
  }
  ARCH_TRY_VOID(wait_until([&] { return s.pass_ended >= pass; }));
  uint64_t target, request = 0;
  {
    std::lock_guard lock(s.mutex);
    if (s.apply_error) return tl::unexpected<Error>(*s.apply_error);
    target = s.applied;
  }
  if (pack == Pack::kAll) {
    // What is packed now is not to be unpacked again for an index that comes to it later. One that fails is not waited for.
    ARCH_TRY_VOID(
        wait_until([&] { return s.indexed + kNearlyIndexed >= target || s.index_failures > failures + 1; }));
    {
      std::lock_guard lock(s.mutex);
      request = ++s.pack_wanted;
    }
    s.changed.notify_all();
    ARCH_TRY_VOID(wait_until([&] { return s.pack_done >= request; }));
    std::lock_guard lock(s.mutex);
    if (s.pack_error) return tl::unexpected<Error>(*s.pack_error);
  }
  // One failure may be an old one that a new attempt mends; two since the call are an answer.
  ARCH_TRY_VOID(wait_until([&] { return s.indexed >= target || s.index_failures > failures + 1; }));
  {
    std::lock_guard lock(s.mutex);
    if (s.indexed < target && s.index_error) return tl::unexpected<Error>(*s.index_error);
  }
  if (!s.options.index.read_document) return {};
  // Then a pass over the attachments that begins now and finds nothing, and what passes before it have found in the index.
  {
    std::lock_guard lock(s.mutex);
    pass = s.document_begun + 1;
    s.document_wanted = std::max(s.document_wanted, pass);
  }
  s.changed.notify_all();
  const auto shown = [&] { return s.documents_shown >= s.documents || s.index_failures > failures + 1; };
  ARCH_TRY_VOID(wait_until([&] { return (s.document_idle >= pass && shown()) || s.index_failures > failures + 1; }));
  if (!s.options.ocr || !s.options.wait_for_ocr) return {};
  {
    std::lock_guard lock(s.mutex);
    pass = s.ocr_begun + 1;
    s.ocr_wanted = std::max(s.ocr_wanted, pass);
  }
  s.changed.notify_all();
  return wait_until([&] { return (s.ocr_idle >= pass && shown()) || s.index_failures > failures + 1; });
}

void EngineLoop::stop() {
  {
    std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->changed.notify_all();
  if (state_->options.stop_readers) state_->options.stop_readers();
  for (std::thread* thread : {&state_->apply_thread, &state_->index_thread, &state_->pack_thread,
                              &state_->document_thread, &state_->ocr_thread})
    if (thread->joinable()) thread->join();
}

Result<void> catch_up(Archive& archive, const EngineOptions& options, bool pack_all, const StopFunction& stop,
                      const ProgressFunction& progress) {
  EngineLoop loop(archive, options, {});
  loop.start();
  auto result = loop.drain(pack_all ? EngineLoop::Pack::kAll : EngineLoop::Pack::kWhenDue, stop, progress);
  loop.stop();
  return result;
}

Result<void> run_engine(Archive& archive, const EngineOptions& options, const StopFunction& stop,
                        const LogFunction& log) {
  EngineLoop loop(archive, options, log);
  loop.start();
  while (!stop()) std::this_thread::sleep_for(kDrainTick);
  loop.stop();
  return {};
}

}  // namespace arch::api
