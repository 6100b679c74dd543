// Reads journal files: live beside their writer, closed, abandoned, torn or damaged. Never modifies anything.
//
// A record is accepted if and only if its header checksum, its whole checksum and (on request) the message's SHA-256
// hold. Behind a bad range the reader looks for the next intact record of this file by its random sync marker. A bad
// range is *damage* when a later intact record states a durable end beyond the range's start, otherwise a *torn
// batch* that nobody was told about (docs/journal-format.md, "Damage").
#pragma once

#include <functional>
#include <memory>
#include <string>
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
  /// Errors: kNotFound, kIo, kInvalid (not a journal file), kTooNew, kCorrupt (file header). A file shorter than its
  /// header (its writer died at birth) opens as empty.
  static Result<std::unique_ptr<JournalReader>> open(Fs& fs, const std::string& path);

  /// A live file (the default) ends in zeros that its writer will overwrite, and may hold half a batch right now:
  /// next() then reports only what is certain. Say false once list_journal() calls the file closed or abandoned.
  void set_live(bool live) { live_ = live; }

  struct Record {
    RecordRef ref;
    journal_format::RecordHeader header;
    Delivery delivery;
  };

  /// The next intact record at or behind `*offset` (0 or kHeaderSize = the start); moves `*offset` behind it. No
  /// value: nothing more right now (live file) or at all. Bad ranges met on the way are appended to `*bad` when
  /// given; only a range that is followed by an intact record, or lies in a closed file, is reported. The message
  /// bytes are read and handed over through `*message` when not null. Errors: kIo.
  Result<bool> next(uint64_t* offset, Record* record, std::string* message, std::vector<BadRange>* bad);

  /// The message of a record found earlier; its SHA-256 is checked. Errors: kIo, kCorrupt, kNotFound.
  Result<std::string> read_message(const RecordRef& ref) const;
  Result<Record> read_record(const RecordRef& ref) const;

  /// fdatasync through a descriptor of our own (the design's rule: before a derived store applies what it read).
  Result<void> make_durable();

  bool has_end() const { return has_end_; }  ///< the END record was met by next()
  const journal_format::FileHeader& header() const { return header_; }
  uint64_t number() const { return header_.number; }
  Result<uint64_t> file_size() const { return file_->size(); }
  const std::string& path() const { return path_; }

 private:
  JournalReader() = default;
  Fs* fs_ = nullptr;
  std::unique_ptr<File> file_;
  std::string path_;
  journal_format::FileHeader header_;
  bool has_end_ = false;
  bool empty_ = false;  ///< shorter than a header
  bool live_ = true;

  // A window of the file for next(): large reads, few calls. Only the thread that calls next() touches it.
  std::string window_;
  uint64_t window_begin_ = 0;
  Result<std::string_view> view(uint64_t offset, uint64_t size, bool fresh);
  struct Intact {
    journal_format::RecordHeader header;
    std::string_view bytes;  ///< the whole record, in the window
  };
  Result<bool> intact_at(uint64_t offset, uint64_t file_end, bool fresh, Intact* intact);
  Result<bool> find_intact(uint64_t from, uint64_t file_end, uint64_t* offset);
  Result<uint64_t> largest_durable_end(uint64_t from, uint64_t file_end);
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

/// All journal files of a directory, by number. Errors: kIo.
Result<std::vector<JournalFileInfo>> list_journal(Fs& fs, const std::string& directory);

/// Whoever writes a journal file looks for "NUMBER.close" beside it a few times a second and closes its file when the
/// marker is there (then removes the marker). This is how `archctl pack` asks another process, in whatever container,
/// to close what it has open; a marker that outlives its file is removed by the engine.
std::string close_request_path(const std::string& journal_path);
Result<void> request_close(Fs& fs, const std::string& journal_path);

}  // namespace arch
