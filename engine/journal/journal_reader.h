// Reads journal files: live beside their writer, closed, abandoned, torn or damaged. Never modifies anything.
//
// A record is accepted if and only if its header checksum and its whole checksum hold; the message's SHA-256 is compared by
// read_message() alone. Behind a bad range the reader looks for the next intact record of this file by its random sync marker. A bad
// range is *damage* when a later intact record states a durable end beyond the range's start, otherwise a *torn
// batch* that nobody was told about (docs/journal-format.md, "Damage"). Beside a live writer a bad range is passed
// only when it is damage: anything else may be a batch on its way, and is looked at again by the next call.
//
// Threads   One thread at a time, except read_message(), read_record() and read_delivery(), which any thread may call.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/format/delivery.h"
#include "engine/format/journal.h"
#include "engine/io/fs.h"
#include "engine/journal/journal_writer.h"

namespace arch {

/// A stretch of a journal file that holds no intact record.
struct BadRange {
  uint64_t begin = 0, end = 0;
  bool damage = false;  ///< true: acknowledged records may be lost here (alarm); false: torn, never acknowledged
};

class JournalReader {
 public:
  /// Errors: kNotFound, kIo, kInvalid (not a journal file), kTooNew, kCorrupt (file header, and no record by which to
  /// recover). A file shorter than its header (its writer died at birth) opens as empty. A damaged header in front of
  /// intact records is passed over: header_damaged(), and next() reports it as a BadRange from 0.
  static Result<std::unique_ptr<JournalReader>> open(Fs& fs, const std::string& path);

  struct Record {
    RecordRef ref;
    journal_format::RecordHeader header;
    Delivery delivery;
  };

  /// The next intact record at or behind `*offset` (0 or kHeaderSize = the start); moves `*offset` behind it. false:
  /// nothing more right now (live file) or at all; `*offset` stays. Bad ranges met on the way are appended to `*bad`
  /// when given; the tail of a file without a writer is reported by every call that gets there. Zeros at the end are
  /// what was reserved and not written, no bad range. The message bytes are handed over through `*message` when not
  /// null (checksum compared, SHA-256 not). Errors: kIo.
  Result<bool> next(uint64_t* offset, Record* record, std::string* message, std::vector<BadRange>* bad);

  /// The message of a record found earlier; its SHA-256 is checked, and nothing else of the record has to be intact but
  /// its header. `*digest`: which message it is. Errors: kIo, kCorrupt, kNotFound (the file ends before it).
  Result<std::string> read_message(const RecordRef& ref, Digest* digest = nullptr) const;
  /// The record, its whole checksum compared; the message's bytes into `*message`, whose room is used again, their SHA-256
  /// not compared. Errors as read_message().
  Result<Record> read_record(const RecordRef& ref, std::string* message = nullptr) const;
  /// Its delivery alone; of the checksums only the header's is compared. Errors as read_message().
  Result<Delivery> read_delivery(const RecordRef& ref) const;

  /// False where the file is reserved and nothing was written (zeros), or ends before. Errors: kIo.
  Result<bool> is_written(uint64_t offset) const;

  /// fdatasync through a descriptor of our own (the design's rule: before a derived store applies what it read). A
  /// failure is final for this reader: the call is not repeated. Errors: kIo.
  Result<void> make_durable();

  /// The caller may say what list_journal() told it; otherwise next() asks for the lock when it has to know.
  void set_live(bool live) { closed_ = closed_ || !live; }
  /// header() then holds what could be read of it, its archive id perhaps wrong, and the number that the name gives.
  bool header_damaged() const { return header_damaged_; }
  bool has_end() const { return has_end_; }  ///< the END record was met by next()
  const journal_format::FileHeader& header() const { return header_; }
  uint64_t number() const { return header_.number; }  ///< 0 when the file is shorter than a header
  Result<uint64_t> file_size() const { return file_->size(); }
  const std::string& path() const { return path_; }

 private:
  JournalReader() = default;
  enum class Found : uint8_t { kNothing, kDelivery, kEnd };
  Result<std::string_view> view(uint64_t offset, uint64_t size);
  Result<Found> parse(uint64_t offset, Record* record, std::string* message);
  Result<std::optional<uint64_t>> find_record(uint64_t from);
  Result<bool> zeros_to_end(uint64_t offset, uint64_t* last_byte);
  Result<bool> closed();
  Result<void> look_ahead(uint64_t begin, uint64_t from);
  Result<bool> recover_header();
  Result<journal_format::RecordHeader> read_header(const RecordRef& ref) const;
  tl::unexpected<Error> damaged(const RecordRef& ref, const std::string& why) const;
  void forget_buffer() { filled_ = 0; }

  Fs* fs_ = nullptr;
  std::unique_ptr<File> file_;
  std::string path_;
  journal_format::FileHeader header_;
  bool header_damaged_ = false;
  bool has_end_ = false;
  bool empty_ = false;   ///< shorter than a header
  bool closed_ = false;  ///< no writer holds the lock; never becomes false again
  std::optional<Error> sync_error_;
  Buffer buffer_;  ///< the file's bytes from buffer_offset_, `filled_` of them
  uint64_t buffer_offset_ = 0, filled_ = 0, chunk_ = 0;
  uint64_t passed_to_ = UINT64_MAX;    ///< behind the record that next() gave last …
  uint64_t passed_ordinals_ = 0;       ///< … and how many there were up to it
  uint64_t stated_ = 0;                ///< largest durable end that an intact record seen so far states
  uint64_t looked_to_ = 0;             ///< look_ahead() has been here
  uint64_t barren_from_ = UINT64_MAX;  ///< of a closed file: no intact record from here on
};

/// What a journal file is to the engine.
enum class JournalState : uint8_t {
  kOpen,       ///< a live writer holds its lock
  kClosed,     ///< END record
  kAbandoned,  ///< no END and nobody holds the lock: its writer died; counts as closed
};
struct JournalFileInfo {
  uint64_t number = 0;
  std::string path;
  JournalState state = JournalState::kOpen;
  uint64_t size = 0;  ///< st_size, preallocation included
};

/// All journal files of a directory, by number. A file that vanishes meanwhile is left out. Errors: kIo, kDenied.
Result<std::vector<JournalFileInfo>> list_journal(Fs& fs, const std::string& directory);

/// Whoever writes a journal file looks for "NUMBER.close" beside it a few times a second and closes its file when the
/// marker is there (then removes the marker). This is how `archctl pack` asks another process, in whatever container,
/// to close what it has open; a marker that outlives its file is removed by the engine.
std::string close_request_path(const std::string& journal_path);
/// Success when one lies there already. Errors: kNotFound (no such journal file), kFull, kDenied, kIo.
Result<void> request_close(Fs& fs, const std::string& journal_path);

}  // namespace arch
