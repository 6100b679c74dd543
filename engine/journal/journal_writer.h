// Appends deliveries to one journal file and makes them durable. Layout: docs/journal-format.md, version 1.
//
// Promise   When sync() has returned, each record appended before it survives a killed process and a power cut; only
//           then may "250" leave (RFC 5321 s6.1, RFC 1123 s5.3.3; LMTP: one per recipient, RFC 2033 s4.2).
// Threads   One owner: no two members of one object at the same time. durable_end(): any thread. Many connections
// share
//           one fdatasync through GroupCommit (group_commit.h), which owns the writer.
// Units     Sizes and offsets are bytes from the first byte of the file. Times are UnixNs given by the caller.
// Failure   After the first kIo the object is dead(): later calls return that same error; the file stays as it lies
// and
//           is never opened for writing again. A failed fdatasync is never repeated: the kernel may by then call lost
//           pages clean (Rebello et al., ATC 2020).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/clock.h"
#include "engine/format/delivery.h"
#include "engine/format/journal.h"
#include "engine/io/fs.h"

namespace arch {

/// Where a record lies. Holds until the file is packed; then the catalog knows the place in a segment.
struct RecordRef {
  uint64_t file = 0;    ///< the number in the file name, from 1
  uint64_t offset = 0;  ///< of the record's sync marker
  uint64_t length = 0;  ///< bytes from sync marker to checksum, both included
  bool operator==(const RecordRef&) const = default;
};

/// "0000000001.jnl"
std::string journal_file_name(uint64_t number);
/// 0 when the name is not one of a journal file.
uint64_t journal_file_number(const std::string& name);

class JournalWriter {
 public:
  struct Options {
    uint64_t reserve_bytes = 64ull << 20;  ///< preallocated at birth: an append never runs out of disk midway
  };

  /// Makes the file aside ("*.new"), locks it, preallocates, writes and syncs the header, gives it the next free
  /// number by a rename that never replaces, syncs the directory: whoever sees a journal file sees it locked by a
  /// live writer or knows that it will never grow again. Leaves "NUMBER.last" behind, so that a number is not used
  /// twice even when every journal file has been packed and removed. `fs` outlives the writer. Errors: kFull,
  /// kDenied, kNotFound (no directory), kIo.
  static Result<std::unique_ptr<JournalWriter>> create(Fs& fs, const std::string& directory, const ArchiveId& archive,
                                                       UnixNs now, const Options& options);
  /// Bytes of a file that holds this one record: what `reserve_bytes` must be for a record larger than the usual
  /// file.
  static uint64_t file_bytes_for(const Delivery& delivery, uint64_t message_bytes);
  /// kTooLarge when append() would refuse it for its size.
  static Result<void> check_limits(const Delivery& delivery, uint64_t message_bytes);

  ~JournalWriter();  ///< gives up the lock, writes no END; records not synced may or may not be on disk

  /// Stages one record, checksummed as a whole; written by the next sync() in one pwritev with its neighbours.
  /// `message` is borrowed until sync() has returned; `delivery.digest` is its SHA-256 (the caller computed it while
  /// the bytes came in). Errors, nothing staged: kTooLarge (over limits.h), kFull (does not fit what is reserved:
  /// close and go on in a new file; a record larger than any file gets one of its own through
  /// Options::reserve_bytes).
  Result<RecordRef> append(const Delivery& delivery, Bytes message);

  /// One pwritev and one fdatasync for all records since the last; returns the new durable_end(). Errors: kIo, kFull.
  Result<uint64_t> sync();

  /// sync(), writes the END record, cuts the preallocated rest, syncs, unlocks; a file without records is removed
  /// instead. Afterwards only destroy. Errors: kIo, kFull; what sync() promised before stays promised.
  Result<void> close();

  uint64_t durable_end() const noexcept { return durable_end_.load(std::memory_order_acquire); }
  uint64_t staged_end() const noexcept { return staged_end_; }
  uint64_t records() const noexcept { return records_; }
  uint64_t number() const noexcept { return number_; }
  const std::string& path() const noexcept { return path_; }
  UnixNs created() const noexcept { return created_; }
  bool dead() const noexcept { return dead_.has_value(); }

 private:
  JournalWriter();
  Result<void> be_born(const ArchiveId& archive, const Options& options);
  Fs* fs_ = nullptr;
  std::string directory_;
  std::unique_ptr<File> file_;
  std::string path_;
  journal_format::FileHeader header_;
  uint64_t number_ = 0;
  UnixNs created_ = 0;
  uint64_t reserved_ = 0;
  uint64_t staged_end_ = 0;
  uint64_t records_ = 0;
  std::atomic<uint64_t> durable_end_{0};
  std::optional<Error> dead_;
  struct Staged;
  std::vector<Staged> staged_;
};

}  // namespace arch
