// Many sessions, one journal file, one fdatasync for all that wait.
//
// Threads   submit(): any thread. `done` runs on the commit thread (or on that of submit(), see By), once for every accepted
//           submission, and must not block (nor call append(), close_file() or stop(), which wait for that thread); it is called
//           only after the record is durable (value) or is certain not to be promised (error).
// Order     Records lie in the file in the order of submit().
// Files     Rolls by size and age and on a close request (journal_reader.h). After an I/O error the file is left as
// it
//           lies (suspect), everything waiting gets that error, and the next record opens a new file.
// Space     Below `reserve_free_bytes` of free disk submit() answers kFull before anything is written.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "engine/base/clock.h"
#include "engine/journal/journal_writer.h"

namespace arch {

class GroupCommit {
 public:
  struct Options {
    uint64_t roll_bytes = 64ull << 20;
    UnixNs roll_age = kNsPerDay;  ///< a file with content is closed when this old
    uint64_t max_waiting_bytes =
        64ull << 20;  ///< submit() answers kTryAgain above (one message of any size is always let in)
    uint64_t reserve_free_bytes = 2ull << 30;
    uint64_t batch_bytes = 32ull << 20;  ///< at most this much in one pwritev
    /// Before a sync: at most this, and a third of what the last one took, for those who sent together with it to send again.
    UnixNs most_patience = 5'000'000;
  };
  using Done = std::function<void(Result<RecordRef>)>;

  /// Who writes. A record that is alone costs two switches of threads, as much as a fast disk's sync, when the commit thread
  /// has to be woken for it.
  enum class By : uint8_t {
    kCommitThread,
    kCaller,  ///< this thread, when nothing waits and the last sync was quick (kQuickSync); else the commit thread
  };
  static constexpr UnixNs kQuickSync = 5'000'000;

  /// Starts the commit thread. Opens no file before the first record. `fs`, `clock` outlive it. Errors: kNotFound (no
  /// such directory), kDenied, kIo.
  static Result<std::unique_ptr<GroupCommit>> create(Fs& fs, Clock& clock, std::string journal_directory,
                                                     const ArchiveId& archive, const Options& options);
  ~GroupCommit();  ///< stop()

  /// Hands over one finished message; `delivery.digest` is its SHA-256. Errors (then `done` is never called):
  /// kTryAgain (too much is waiting, or stop() was called), kFull, kTooLarge, kIo (the free space cannot be asked
  /// for).
  Result<void> submit(Delivery delivery, std::string message, Done done, By by = By::kCommitThread);
  /// submit() and wait.
  Result<RecordRef> append(Delivery delivery, std::string message);

  /// Closes the current file, if there is one, once all submitted before are durable. Blocks. Errors: kIo, kFull of
  /// what it waited for or of the closing itself; records acknowledged before stay so.
  Result<void> close_file();
  /// Waits for what was submitted, closes the file, ends the thread. Idempotent.
  Result<void> stop();

  struct Stats {
    uint64_t records = 0, bytes = 0;  ///< acknowledged; bytes of messages
    uint64_t syncs = 0;               ///< that acknowledged them
    uint64_t failures = 0;            ///< failed writes, syncs, creations, closings, looks for a close request
    std::string last_failure;         ///< of the last of them, one sentence
    uint64_t waiting_bytes = 0;       ///< submitted, not yet answered
    uint64_t current_file = 0;        ///< number, 0 when none is open
  };
  Stats stats() const;

 private:
  GroupCommit();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace arch
