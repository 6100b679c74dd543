// Messages to mails: copies of one mail are one result, for which the first captured of those that match stands; and the dates by
// which results are ordered. What the index knows costs a bit operation a message; its copies are few. Internal to query/search.
#pragma once

#include <unordered_map>
#include <vector>

#include "engine/archive.h"
#include "query/index/index.h"
#include "query/search/sets.h"

namespace arch::search {

/// Dates of messages, seconds since 1970, clamped.
class DateOf {
 public:
  uint32_t operator()(uint64_t number) const { return or_unseen(number, known.of(number)); }
  /// The same by a walk over `known`.
  uint32_t operator()(uint64_t number, index::Dates::Walk* walk) const { return or_unseen(number, walk->of(number)); }
  index::Dates known;
  std::unordered_map<uint64_t, uint32_t> unseen;  ///< by the index, from the catalog

 private:
  uint32_t or_unseen(uint64_t number, uint32_t date) const {
    if (date != 0 || unseen.empty()) return date;
    const auto at = unseen.find(number);
    return at == unseen.end() ? 0 : at->second;
  }
};
/// `reader` may be null: nothing is indexed yet. Errors: kTryAgain, kCorrupt, kIo.
Result<DateOf> dates_of(const Archive& archive, const index::IndexReader* reader, const NumberSet& set);

struct Mails {
  NumberSet shown;  ///< one message of each mail
  struct Hidden {
    uint64_t number, shown;
  };
  std::vector<Hidden> hidden;  ///< the others that match, rising
  DateOf date;
};
/// `messages` is all that matches. Errors: as dates_of().
Result<Mails> mails_of(const Archive& archive, const index::IndexReader* reader, const NumberSet& messages);

}  // namespace arch::search
