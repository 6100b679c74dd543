// Query tree to answer: exact total, one page, newest first, collapsed on the mail key, with how complete it is.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/archive.h"
#include "engine/people/aliases.h"
#include "query/index/index.h"
#include "query/language/query.h"

namespace arch::search {

constexpr size_t kMaxLimit = 100'000;

enum class Order : uint8_t {
  kNewest,
  kOldest,
  kRelevance,  ///< docs/search.md: BM25 without length, subjects first, the newer of equals first
};

/// What a token may see: mail that one of these people or domains sent or received, of that time. It is part of the query, so
/// that totals, facets and threads of other mail are never visible.
struct Scope {
  std::vector<std::string> addresses;            ///< whole ones
  std::vector<std::string> domains;              ///< with their subdomains; neither addresses nor domains: everybody
  UnixNs after = INT64_MIN, before = INT64_MAX;  ///< MessageInfo::date within [after, before)
  bool restricts() const {
    return !addresses.empty() || !domains.empty() || after != INT64_MIN || before != INT64_MAX;
  }
};

class FacetTable;

struct Request {
  std::string query;
  size_t limit = 20;  ///< hits wanted, 0..kMaxLimit; 0: only the totals
  size_t offset = 0;
  bool widen = true;  ///< plain words also match terms with the same French or English stem
  Order order = Order::kNewest;
  uint64_t as_of =
      0;  ///< only messages that came with a delivery up to this number; 0: all. Pages of one as_of never shift
  Scope scope;
  bool snippets = true;
  /// With `widen`, a recipient also means the aliases whose mail ends there. Outlives the call; may be null.
  const Aliases* aliases = nullptr;
  /// Also count the mails that match, by month and by what the table holds, into Answer::facets. Outlives the call; may be null.
  const FacetTable* facets = nullptr;
  query::ParseContext context;
};

/// UTF-8; `marks` are byte ranges of the matching words.
struct Snippet {
  std::string text;
  std::vector<std::pair<uint32_t, uint32_t>> marks;
  std::string where;  ///< "subject", "body", "quoted", "filename", "attachment", "people"
  std::string part;
};

struct Hit {
  MessageInfo message;
  std::vector<Digest> variants;  ///< other messages that match and have the same mail key
  Snippet snippet;
};

struct Completeness {
  uint64_t stored = 0;         ///< sequence applied to the catalog
  uint64_t indexed = 0;        ///< sequence the index has seen
  uint64_t pending = 0;        ///< deliveries stored but not yet searchable
  uint64_t pending_bytes = 0;  ///< journal bytes not yet applied
  uint64_t partial = 0;        ///< messages whose text is incomplete
  uint64_t unread = 0;         ///< messages with attachments whose text is not read
  UnixNs complete_to = 0;      ///< every mail captured before this is searchable
};

/// A word that no mail has, and one that mails have and that it may be a slip for.
struct Suggestion {
  uint32_t column = 0;  ///< of the word in the query
  std::string word, better;
  uint64_t mails = 0;  ///< that have `better`, about
};

struct CountAnswer {
  std::string by;
  struct Bucket {
    std::string key;  ///< "2024-03", an address, "incoming", "application/pdf", "fr", "1M-10M" …
    uint64_t count = 0;
  };
  std::vector<Bucket> buckets;  ///< periods and sizes in their order, others by count
  uint64_t other = 0;           ///< in values that are not listed; a mail may be in several
  uint64_t missing = 0;         ///< mails without any value
  uint64_t total = 0;           ///< mails that match
  uint64_t as_of = 0;
  std::string interpreted;
  std::vector<query::Notice> notices;
  Completeness index;
};

struct Answer {
  uint64_t as_of = 0;  ///< that of the request, or the last delivery that this answer knows
  uint64_t total = 0;  ///< distinct mails (mail keys)
  bool total_exact = true;
  uint64_t messages = 0;  ///< distinct stored messages
  std::string interpreted;
  std::vector<query::Notice> notices;
  std::vector<Suggestion> suggestions;
  std::string did_you_mean;  ///< the query with the suggestions in it; empty when there are none
  Completeness index;
  std::vector<Hit> hits;
  std::vector<CountAnswer> facets;  ///< when the request wanted them: "month" (the newest 36) first
};

/// What count() can count by, for help and schemas.
const std::vector<std::string_view>& count_keys();

/// Each call works on one view of index and catalog, the newest there is. One thread per object.
class Searcher {
 public:
  /// A missing index is not an error: answers then say that nothing is indexed yet.
  static Result<std::unique_ptr<Searcher>> open(const Archive& archive);
  ~Searcher();
  /// Errors: kInvalid (query), kTryAgain, kCorrupt, kIo.
  Result<Answer> search(const Request& request);
  /// How far catalog and index are, now.
  Result<Completeness> completeness();
  bool has_index() const;  ///< false: none yet
  /// How many mails have each value of `by`; query, scope and as_of as in search(). Errors: those of search(), kUsage (there
  /// is no such value to count by).
  Result<CountAnswer> count(const Request& request, const std::string& by, size_t limit);
  /// All matching message numbers, in the order wanted, collapsed or not: for export.
  Result<std::vector<uint64_t>> numbers(const Request& request, bool collapse);
  /// As the query was understood, and the as_of, of the last numbers().
  const std::string& interpreted() const;
  uint64_t as_of() const;

 private:
  Searcher();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace arch::search
