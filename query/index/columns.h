// What a sealed shard says of each of its messages without Xapian: dates by number, mail keys in their order, and which messages
// are copies of a mail that came before. One file beside the shard's, written when the shard is sealed and read in place
// (docs/search.md, "Columns").
//
// Copies    A message is a copy when one with a lower number has the same mail key, in this shard or in another before it. Of each
//           copy the file names the first of them, so that an exact total looks at keys of no others.
// Threads   Any, once open.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "query/index/mapped_file.h"

namespace arch::index {

/// A message whose mail was there before, and the first message of that mail.
struct Copy {
  uint64_t number = 0, first = 0;
};

class ShardColumns {
 public:
  struct Row {
    uint64_t number = 0;
    uint32_t date_s = 0;
    uint64_t mail_key = 0;
    uint64_t first = 0;  ///< 0: it is no copy
  };

  /// Writes the file, synced; the caller renames it and syncs the directory. `rows` rise and lie in first..last.
  static Result<void> write(const std::string& path, uint64_t first, uint64_t last, const std::vector<Row>& rows);
  /// Errors: kCorrupt (not such a file, or of another shard), kNotFound, kIo. `whole`: compares the checksum, too.
  static Result<std::shared_ptr<const ShardColumns>> open(const std::string& path, uint64_t first, uint64_t last,
                                                          bool whole);
  ShardColumns(const ShardColumns&) = delete;
  ShardColumns& operator=(const ShardColumns&) = delete;

  uint64_t first() const { return first_; }
  uint64_t last() const { return last_; }
  /// By number - first(); 0 where there is no such message.
  std::span<const uint32_t> dates() const { return dates_; }
  /// Least and greatest date of each kBlock numbers.
  static constexpr size_t kBlock = 512;
  struct Bounds {
    uint32_t least = 0, greatest = 0;
  };
  std::span<const Bounds> bounds() const { return bounds_; }
  /// The lowest number with this key, 0 when there is none.
  uint64_t first_with(uint64_t mail_key) const;

  size_t copies() const { return copy_offsets_.size(); }
  /// Rising numbers.
  Copy copy(size_t i) const { return {first_ + copy_offsets_[i], copy_firsts_[i]}; }
  /// Place of the first copy whose number is not below `number`.
  size_t copy_from(uint64_t number) const;

 private:
  ShardColumns() = default;
  MappedFile file_;
  uint64_t first_ = 0, last_ = 0;
  std::span<const uint64_t> keys_;         // rising, with key_offsets_
  std::span<const uint64_t> copy_firsts_;  // by copy
  std::span<const uint32_t> dates_, key_offsets_, copy_offsets_;
  std::span<const Bounds> bounds_;
};

}  // namespace arch::index
