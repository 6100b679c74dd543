// The texts of a run of messages as sequences of word codes, searched as they lie: phrases are decided without reading and cutting
// the texts. Derived from the catalog's texts at any time after they are there; a run without a file is decided by its texts
// (docs/search.md, "Sequences").
//
// Codes     Words by falling frequency get codes of one byte and more ((s,c)-dense codes, Brisaboa et al., DCC 2003): bytes from `stops`
//           on continue a code, bytes below end it. So a phrase is a string of bytes, and a place where it stands is one when the byte
//           in front ends a code. Words of fewer than kLeast occurrences in the run share one code and are decided by the text.
// Threads   Any, once open.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/archive.h"
#include "query/index/mapped_file.h"
#include "query/index/number_set.h"

namespace arch::index {

/// A message whose text grew after it was indexed, and how often (kLateText).
struct LateText {
  uint64_t number = 0;
  uint32_t times = 0;
};

/// Gathers messages by rising number without a gap and writes their file. One thread.
class SequenceWriter {
 public:
  static constexpr uint64_t kMessages = 16'000;  ///< of one file at most
  static constexpr uint64_t kWords = 16u << 20;  ///< likewise: what it holds in memory is four times as much
  static constexpr uint32_t kLeast = 4;

  explicit SequenceWriter(uint64_t first);
  ~SequenceWriter();
  /// Of the number behind the last. An empty text: it is not known, and stays undecided.
  void add(const MessageText& text);
  bool full() const;
  uint64_t last() const;
  /// Writes and syncs; the caller syncs the directory. `late` as it was before the texts were read, rising.
  Result<void> write(const std::string& path, const std::vector<LateText>& late);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// What a text is looked through for, folded: these words in a row, or one of those.
struct WordPattern {
  std::vector<std::string> sequence;
  std::vector<std::string> singles;
  uint32_t pieces = 0;  ///< bits of TextPiece fields that count
};

class Sequences {
 public:
  /// Errors: kCorrupt, kNotFound, kIo.
  static Result<std::shared_ptr<const Sequences>> open(const std::string& path, uint64_t first, uint64_t last);
  Sequences(const Sequences&) = delete;
  Sequences& operator=(const Sequences&) = delete;

  uint64_t first() const { return first_; }
  uint64_t last() const { return last_; }
  std::span<const LateText> late() const { return late_; }
  /// Puts those of `numbers` (rising, within first..last) that hold the pattern into `found`, and those that only their text can tell
  /// of into `undecided`: all, when the file does not have its checksum.
  void look(const WordPattern& pattern, std::span<const uint64_t> numbers, Numbers* found, Numbers* undecided) const;

 private:
  Sequences() = default;
  bool sound() const;
  std::string code_of(std::string_view word) const;  ///< empty: it has none of its own
  std::string_view text_of(uint64_t number) const;   ///< .data() is null: not known
  MappedFile file_;
  mutable std::once_flag checked_;
  mutable bool sound_ = false;
  uint64_t first_ = 0, last_ = 0;
  uint32_t stops_ = 0;
  std::span<const LateText> late_;
  std::span<const uint32_t> ends_;  // of each message in codes_; kUnknown set: its text is not known
  std::span<const uint32_t> buckets_;
  std::string_view words_, codes_;
};

}  // namespace arch::index
