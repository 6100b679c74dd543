// The Xapian databases of the index, for writing: shards, the late database, their commits. Xapian 1.4.22.
//
// Shards    shardFIRST/ is open. A database that is written to in batches is two and a half times as large as a compacted
//           one, so the open shard stays small: it is compacted together with the sealed one before it into the single file
//           shardFIRST-LAST.glass, until that holds shard_messages. Document id = number - first + 1. No positions, no
//           document data, no termlist table (it serves only replacing a document).
// Late      Further envelope recipients of a message that is already in a shard go into late/, whose document ids are
//           message numbers; adding there is a union, so doing it twice changes nothing.
// Durable   commit(): late/ first, then the newest shard with the mark in its metadata; after each the directory is synced,
//           which Xapian leaves out. No other call commits anything.
// Threads   One owner.
// Failure   After kIo, kFull or kCorrupt the object is dead: later calls return that error. kCorrupt also takes the
//           generation's state.json away, so that the next open() builds another.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "query/index/document.h"
#include "query/index/generation.h"

namespace arch::index {

class IndexStore {
 public:
  struct Options {
    uint64_t shard_messages = 250'000;  ///< of a sealed shard at most
    uint64_t open_messages = 16'000;    ///< of the open one at most
    uint64_t tidy_messages = 2'000;     ///< tidy() leaves fewer alone
  };
  struct Batch {
    std::vector<Document> documents;  ///< rising numbers, each above last_number()
    std::vector<Document> late;       ///< of numbers up to last_number(); only number and terms count
    uint64_t mark = 0;
    Digest mark_digest;                     ///< of the message of delivery `mark`
    std::vector<SequencesState> sequences;  ///< files that were written, to be published: commit_sequences()
    size_t size() const { return documents.size() + late.size(); }
  };
  /// Says whether an index that has seen delivery `mark` of a message `digest` belongs to the archive as it is now.
  using Fits = std::function<Result<bool>(uint64_t mark, const Digest& digest)>;

  /// Opens the newest generation of `index_directory` or begins one. One that is damaged, of an older schema, or does not
  /// fit is thrown away: it would give wrong answers, or none. Errors: kTryAgain (another writer), kTooNew, kFull, kIo.
  static Result<std::unique_ptr<IndexStore>> open(const std::string& index_directory, const Options& options,
                                                  const Fits& fits);
  ~IndexStore();

  /// A new, empty generation beside those that are there; open() then takes it. Errors: as open().
  static Result<void> begin_beside(const std::string& index_directory);

  uint64_t mark() const;
  uint64_t last_number() const;  ///< highest message number in a shard, 0 when there is none
  bool complete() const;
  const std::string& directory() const;   ///< of the generation
  const std::string& begun_anew() const;  ///< why open() threw an index away, for the log; empty when it did not

  /// Everything of the batch and the mark, durable when it returns. A batch that crosses the end of a shard takes several
  /// commits, each with the mark of its last document.
  Result<void> commit(const Batch& batch);
  /// Further terms of messages up to last_number(), durable when it returns. Doing it twice changes nothing.
  Result<void> commit_late(const std::vector<Document>& documents);
  /// Names a file of sequences that lies in directory(), synced, in state.json. It goes on where the last one ends, or takes the place
  /// of the last ones.
  Result<void> commit_sequences(const SequencesState& run);
  const std::vector<SequencesState>& sequences() const;
  /// Seals the open shard when that is worth the rewriting. To be called when nothing is left to index.
  Result<void> tidy();
  /// The generation has caught up with the archive: readers turn to it, older ones are removed.
  Result<void> set_complete();
  Result<void> close();

 private:
  IndexStore();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace arch::index
