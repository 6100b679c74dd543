// What `archd engine` does all day, and `archctl import`, `pack` and `rebuild` once: apply the journal to the catalog, feed
// the index, pack what is closed. One loop for start, recovery and rebuild.
//
// Index and pack run on threads of their own beside apply, so that a mail is findable while old ones are packed. A failing
// index (no space, damaged) is reported and tried again later; it stops neither apply nor pack.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "engine/archive.h"
#include "query/index/index.h"

namespace arch::api {

struct EngineOptions {
  uint64_t pack_bytes = 256ull << 20;  ///< pack once closed journal files hold this much
  UnixNs pack_age = kNsPerDay;         ///< or the oldest of them is this old
  UnixNs look_again = kNsPerSecond;    ///< the journal is looked at this often even without news; also bounds stop()
  /// With a `read_document`: attachments of bulk are read beside indexing, those of single mails by a thread of their own.
  index::Options index;
  /// Reads what the others find to be pictures, behind them and one at a time, by a thread of its own. None: OCR is off, and what waits
  /// for it waits no more.
  index::DocumentReader ocr;
  std::function<void()>
      stop_readers;           ///< ends calls of both that are under way: else stop() waits for a document, or a page
  bool wait_for_ocr = false;  ///< drain() waits for it, too
  /// Somebody waits for all of it: reading attachments takes its share of the processor, not what the others leave.
  bool waited_for = false;
};

struct EngineProgress {
  uint64_t applied = 0;       ///< last sequence in the catalog
  uint64_t indexed = 0;       ///< last sequence in the index
  uint64_t packed_bytes = 0;  ///< message bytes packed by this loop
  uint64_t documents = 0;     ///< attachments read by its own thread
  std::string doing;          ///< "apply", "index", "pack"
};

using StopFunction = std::function<bool()>;
using ProgressFunction = std::function<void(const EngineProgress&)>;
/// One line per event worth keeping, with a level ("info", "warn", "error"). Called from several threads, one at a time.
using LogFunction = std::function<void(const std::string& level, const std::string& line)>;

/// The loop as an object, for a program that goes on with other work beside it (an import that reads). `archive` was opened
/// kEngine and outlives it. Failures are logged when they begin and when they end, and retried with growing pauses (1 s to
/// 1 min). Members: one thread.
class EngineLoop {
 public:
  EngineLoop(Archive& archive, const EngineOptions& options, LogFunction log);
  ~EngineLoop();  ///< stop()
  EngineLoop(const EngineLoop&) = delete;
  EngineLoop& operator=(const EngineLoop&) = delete;

  /// Starts the threads. Serves pack requests (pack_request_path) from then on.
  void start();
  EngineProgress progress() const;

  /// For one who appends in bulk, after each sync: `deliveries` and `bytes` are the sums since start(). Waits while the index is far
  /// behind, since mail that is packed before it is indexed has to be unpacked again, block by block, for that. Not for an index that
  /// fails or stands still, and not when `stop` says so.
  void keep_pace(uint64_t deliveries, uint64_t bytes, const StopFunction& stop);

  enum class Pack : uint8_t {
    kWhenDue,  ///< by EngineOptions
    kAll,      ///< every closed journal file, before drain() returns
  };
  /// Waits until everything that journal and segments held when it was called is applied and indexed (and packed), and what can be
  /// read of attachments is in the index. Errors: the one that keeps apply, pack or index (in this order) from it; kTryAgain when `stop` said so.
  Result<void> drain(Pack pack, const StopFunction& stop, const ProgressFunction& progress);

  /// Lets each thread end its step, closes the index. Idempotent.
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Free space that the loop leaves alone: below it apply, index and pack wait (kFull) instead of writing. Debian's RocksDB 7.8
/// is built with assertions and ends the process when the disk is full under it; acknowledged mail is not touched by that,
/// but everything that searches would be.
constexpr uint64_t kLeastFreeBytes = 64ull << 20;
/// To be asked before Archive::open(kEngine), which writes a little: kFull when less than a quarter of that is free.
Result<void> check_space_to_open(const std::string& archive_directory);

/// Runs until everything that journal and segments hold is applied and indexed, and (with `pack_all`) every closed journal
/// file is packed. For commands.
Result<void> catch_up(Archive& archive, const EngineOptions& options, bool pack_all, const StopFunction& stop,
                      const ProgressFunction& progress);

/// Runs until `stop`. Errors: none so far that would not be retried; the result is there for what may come.
Result<void> run_engine(Archive& archive, const EngineOptions& options, const StopFunction& stop,
                        const LogFunction& log);

/// ARCHIVE/tmp/reextract.request: `archctl reextract` leaves it, beside a daemon or before it works itself; holds a media type's
/// part ("pdf"), "unread", or nothing for everything that another version of the readers has read. The engine removes it.
std::string reextract_request_path(const std::string& archive_directory);

/// ARCHIVE/tmp/reindex.request: `archctl reindex` beside a daemon leaves it; the engine begins a new generation of the index and
/// removes it.
std::string reindex_request_path(const std::string& archive_directory);

/// ARCHIVE/tmp/pack.request: `archctl pack` beside a daemon leaves it; the engine asks every writer to close, packs
/// everything and removes it.
std::string pack_request_path(const std::string& archive_directory);

}  // namespace arch::api
