// The full-text index: Xapian 1.4.22 behind a wall. A follower of the archive, and derived: it can be thrown away.
//
// Layout    ARCHIVE/index/gNNNN/{state.json, shard….glass, shard….columns, shard…, words….seq, late}; a generation is
//           complete or absent. A shard fills up to Options::shard_messages documents, is compacted to one file and sealed; new messages go to the
//           newest. Document id within a shard = message number - shard's first number + 1. No positions, no termlists;
//           the text lies in the catalog. late/ holds what became known of a message after it was indexed.
// Terms     general terms unprefixed: words of subject, body, quoted text, file names, attachment text and names of people;
//           whole addresses. Field terms by prefix (query/index/terms.h). Values: date and mail key, and of a copy the
//           first message of its mail. Phrases: sequences of word codes beside the shards (query/index/sequences.h).
// Durable   One explicit commit per batch, then fsync of the shard's directory (Xapian never does that itself: a power
//           cut lost or corrupted 31 + 12 of 40); every change is in a transaction, so that there are no implicit commits.
//           The mark lies in the metadata of the newest shard.
// Threads   IndexWriter: one thread. IndexReader: one thread; open one per thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/archive.h"
#include "query/index/columns.h"
#include "query/index/number_set.h"
#include "query/index/sequences.h"

namespace arch::index {

/// What the mail says of an attachment.
struct DocumentHint {
  std::string media_type, filename, charset;
};
/// Reads an attachment (query/document, behind its sandbox). Errors: it could not be tried; it stays waiting.
using DocumentReader = std::function<Result<KeptDocument>(std::string_view bytes, const DocumentHint& hint)>;

struct Options {
  uint64_t shard_messages = 250'000;
  size_t batch_messages = 2'000;       ///< most of one commit
  uint64_t batch_bytes = 32ull << 20;  ///< message bytes of one batch
  /// Of attachments of mail that comes in bulk (an import, a rebuild), so that their words go into the shards at once. Mail that
  /// comes singly is found first and its attachments are read by read_documents(). May be called from `reading_threads` threads at
  /// once. None: bulk waits like the rest.
  DocumentReader read_document;
  size_t reading_threads = 2;
  uint64_t sequence_messages = 500;  ///< at the end of what came, so many are worth a file of sequences
  std::vector<std::string> headers;  ///< lower-case names of further header fields that are searched ("x-run-id")
};

class IndexWriter {
 public:
  /// Opens or creates the current generation. A damaged one, or one whose mark is ahead of the catalog, is thrown away
  /// and begun anew beside it. Errors: kTryAgain (locked), kIo, kFull.
  static Result<std::unique_ptr<IndexWriter>> open(Archive& archive, const Options& options);
  ~IndexWriter();

  /// Follows the archive from the own mark until nothing is left or `stop`. Extracts text and stores it in the catalog
  /// (durable before the index commit). `progress` gets the mark.
  Result<uint64_t> follow(const std::function<bool()>& stop, const std::function<void(uint64_t mark)>& progress);
  /// Takes in what was read of attachments since their messages were indexed. Returns how many messages got something.
  Result<uint64_t> take_documents(const std::function<bool()>& stop);
  uint64_t mark() const;  ///< last sequence number indexed and committed
  /// Why open() threw an index away and began anew, for the log; empty when it did not.
  const std::string& begun_anew() const;
  /// Messages whose text was left out because reading it had ended the process twice; since open().
  uint64_t given_up() const;
  Result<void> close();

 private:
  IndexWriter();
  struct State;
  std::unique_ptr<State> state_;
};

/// Reads documents that wait, newest catalog row first, until none is left, `stop` says so or `most` are done; each is durable in the
/// catalog before the next. Beside apply(), follow() and readers; one thread. Returns how many. Errors: the reader's, kIo, kFull.
Result<uint64_t> read_documents(Archive& archive, const DocumentReader& read, size_t most,
                                const std::function<bool()>& stop);
/// The same for those that wait for OCR: what `read` makes of one joins what the other readers know of it.
Result<uint64_t> read_by_ocr(Archive& archive, const DocumentReader& read, size_t most,
                             const std::function<bool()>& stop);

/// Begins a new, empty generation beside the one that serves readers; the next IndexWriter fills it, and readers turn to it when
/// it has caught up. Errors: kTryAgain (a writer has the index), kIo, kFull.
Result<void> begin_generation(const std::string& archive_directory);
/// A generation that is being built beside the one that serves readers.
struct Building {
  bool running = false;
  uint64_t mark = 0;  ///< last sequence number in it
};
/// Errors: kIo, kCorrupt.
Result<Building> building(const std::string& archive_directory);

/// The dates of every message of a view: for looking at those of many. Holds as long as it lives; any thread.
class Dates {
 public:
  /// Seconds since 1970, clamped; 0 when the index does not have the message.
  uint32_t of(uint64_t number) const {
    for (size_t i = spans_.size(); i-- > 0;)
      if (number >= spans_[i].first)
        return number - spans_[i].first < spans_[i].dates.size() ? spans_[i].dates[number - spans_[i].first] : 0;
    return 0;
  }
  /// The same for a walk over neighbours, which looks for their shard once. Beside the Dates it is of.
  class Walk {
   public:
    explicit Walk(const Dates& dates) : dates_(dates) {}
    uint32_t of(uint64_t number) {
      if (number - first_ >= span_.size()) turn_to(number);
      return number - first_ < span_.size() ? span_[number - first_] : 0;
    }
    bool any_younger(uint64_t first, uint64_t last, uint32_t date_s) {
      if (first < first_ || last - first_ >= span_.size() || bounds_.empty()) {
        turn_to(last);
        return dates_.any_younger(first, last, date_s);
      }
      const uint64_t end = (last - first_) / ShardColumns::kBlock;
      for (uint64_t block = (first - first_) / ShardColumns::kBlock; block <= end; ++block)
        if (bounds_[block].greatest > date_s) return true;
      return false;
    }

   private:
    void turn_to(uint64_t number) {
      for (size_t i = dates_.spans_.size(); i-- > 0;)
        if (number >= dates_.spans_[i].first) {
          first_ = dates_.spans_[i].first;
          span_ = dates_.spans_[i].dates;
          bounds_ = dates_.spans_[i].bounds;
          return;
        }
    }
    const Dates& dates_;
    uint64_t first_ = 0;
    std::span<const uint32_t> span_;
    std::span<const ShardColumns::Bounds> bounds_;
  };
  /// False: no message of first..last is younger than `date_s`.
  bool any_younger(uint64_t first, uint64_t last, uint32_t date_s) const {
    for (size_t i = spans_.size(); i-- > 0;) {
      const Span& span = spans_[i];
      if (span.first > last || span.dates.empty()) continue;
      const uint64_t begin = first > span.first ? first - span.first : 0;
      const uint64_t end = last - span.first < span.dates.size() ? last - span.first + 1 : span.dates.size();
      if (begin < end && span.bounds.empty()) return true;
      for (uint64_t at = begin; at < end; at = (at / ShardColumns::kBlock + 1) * ShardColumns::kBlock)
        if (span.bounds[at / ShardColumns::kBlock].greatest > date_s) return true;
      if (span.first <= first) return false;
    }
    return false;
  }

 private:
  friend class IndexReader;
  struct Span {
    uint64_t first = 0;
    std::span<const uint32_t> dates;
    std::span<const ShardColumns::Bounds> bounds;  ///< empty: not known
    std::shared_ptr<const void> owner;
  };
  std::vector<Span> spans_;
};

/// Of the messages first..last those whose text grew after they were indexed, by what is committed. Errors: kTryAgain, kCorrupt, kIo.
Result<std::vector<LateText>> late_texts(const std::string& generation_directory, uint64_t first, uint64_t last);

class IndexReader {
 public:
  /// Errors: kNotFound (no index yet: the answer says "0 indexed"), kCorrupt, kIo.
  static Result<std::unique_ptr<IndexReader>> open(const std::string& archive_directory);
  ~IndexReader();

  /// Turns to what has been committed since. A call that the writer overtakes does so by itself: mark() then changes, and
  /// what was read before may lack the newest messages, nothing else.
  Result<void> refresh();
  uint64_t mark() const;  ///< sequence up to which this view is complete
  uint64_t documents() const;
  uint64_t partial() const;  ///< documents flagged partial
  uint64_t unread() const;   ///< documents with attachments whose text is not read

  /// Message numbers that hold the term. Missing term: empty. Errors: kTryAgain (the index moved on too often),
  /// kCorrupt.
  Result<NumberSet> postings(const std::string& term) const;
  /// How often each of `numbers` (rising) holds the term, same order; 0 where it does not. Field terms and flags count 0.
  Result<std::vector<uint32_t>> counts(const std::string& term, const Numbers& numbers) const;
  /// How many documents, 0 when absent; a message with late recipients may count twice.
  uint64_t frequency(const std::string& term) const;
  Result<NumberSet> all() const;
  /// Terms that begin with `prefix`, rising, each once; stops when `each` returns false.
  Result<void> vocabulary(const std::string& prefix,
                          const std::function<bool(const std::string& term, uint64_t frequency)>& each) const;
  bool contains(uint64_t number) const;  ///< whether the view has this message
  /// Whether the view has every message up to this one; false also where that cannot be told at a glance.
  bool contains_all_to(uint64_t number) const;
  Result<Dates> dates() const;
  /// Documents whose date lies in [from_s, to_s).
  Result<NumberSet> date_range(int64_t from_s, int64_t to_s) const;
  /// Which of `candidates` hold the pattern, as far as sequences of words decide: what is left is in `undecided`, and their texts
  /// decide. By two threads when they are many.
  struct Looked {
    NumberSet found, undecided;
  };
  Result<Looked> look(const WordPattern& pattern, const NumberSet& candidates) const;
  /// Those of `among` that are copies of a message before them, rising.
  Result<std::vector<Copy>> copies(const NumberSet& among) const;

 private:
  IndexReader();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace arch::index
