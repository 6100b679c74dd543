// What the mails of an answer have in common, fast: sender, direction and kinds of attachments of every mail in memory, so that
// counting an answer of 100,000 mails reads nothing. For programs that go on answering; a single question is count()'s.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/archive.h"
#include "query/search/search.h"

namespace arch::search {

/// About 12 bytes a message. Any thread.
class FacetTable {
 public:
  /// `archive` outlives it.
  explicit FacetTable(const Archive& archive);
  ~FacetTable();
  /// Reads what came since the last time, at most `most` deliveries. True: all of it is known now. Errors: kIo, kCorrupt.
  Result<bool> refresh(uint64_t most);
  /// Of these messages (rising numbers): "from", "direction" and "attachment_type", each as Searcher::count() would answer with
  /// that limit. Messages that refresh() has not read count as missing.
  std::vector<CountAnswer> count(const std::vector<uint64_t>& numbers, size_t limit) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace arch::search
