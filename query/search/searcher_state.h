// What the parts of a Searcher share. Internal to query/search.
#pragma once

#include <memory>
#include <vector>

#include "query/search/evaluate.h"
#include "query/search/mails.h"
#include "query/search/search.h"

namespace arch::search {

/// Mails by period: `letters` 4 for years, 7 for months, 10 for days; of too many the newest.
void count_periods(const Mails& mails, const std::string& timezone, size_t letters, size_t limit,
                   CountAnswer* answer);

struct Searcher::State {
  explicit State(const Archive& with) : archive(with) {}
  const Archive& archive;
  std::unique_ptr<index::IndexReader> reader;  // null: nothing is indexed yet
  std::string interpreted;                     // of the last numbers()
  uint64_t as_of = 0;

  // The index first: the catalog then knows all that the index does.
  Result<void> refresh() {
    if (reader) {
      ARCH_TRY_VOID(reader->refresh());
    } else {
      auto opened = index::IndexReader::open(archive.directory());
      if (opened) {
        reader = std::move(*opened);
      } else if (opened.error().code != Code::kNotFound) {
        return tl::unexpected<Error>(opened.error());
      }
    }
    return archive.refresh();
  }
  Result<Completeness> completeness() const;
  /// Everything of an answer but its order and its page.
  struct Found;
  Result<std::unique_ptr<Found>> find(const Request& request);
  Result<uint64_t> last_message_at(uint64_t sequence) const;
};

struct Searcher::State::Found {
  query::Query query;
  query::Node tree;  // with the scope
  std::unique_ptr<Evaluation> evaluation;
  Completeness index;
  uint64_t as_of = 0;
  NumberSet messages;  // all that match
};

}  // namespace arch::search
