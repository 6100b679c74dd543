// Saved searches: a name for a query, and who is told by mail when new mail matches it. In ARCHIVE/state/saved.json; how far each
// has been looked at, in state/saved-seen.json, which only the daemon writes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "query/search/search.h"

namespace arch::saved {

struct Search {
  std::string name;  ///< letters, digits, "-", "_", "." and blanks, at most 64 characters
  std::string query;
  std::string mail;   ///< who is told of new matches; empty: nobody
  std::string made;   ///< RFC 3339
  uint64_t from = 0;  ///< message number: what came up to it is not new
};

constexpr size_t kMost = 1'000;

/// Without the file: none. Errors: kCorrupt, kIo, kDenied.
Result<std::vector<Search>> read(const std::string& archive_directory);
/// Errors: kExists (the name is taken), kInvalid (the name, the query, or too many), those of read() and of writing.
Result<void> add(const Archive& archive, Search search, const query::ParseContext& context);
/// Errors: kNotFound, those of read() and of writing.
Result<void> remove(const std::string& archive_directory, const std::string& name);

/// What a search matches that it has not told yet.
struct News {
  Search search;
  uint64_t total = 0;               ///< mails
  std::vector<MessageInfo> newest;  ///< at most kListed of them
  uint64_t seen_to = 0;             ///< to be remembered once they are told
};
constexpr size_t kListed = 20;

/// Of every search with a mail address that has news. `seen`: what seen() gave. Mail from `own_address` is none: a letter about
/// news holds the words of the query, and would be news itself. Errors: those of searching.
Result<std::vector<News>> news(const Archive& archive, const std::map<std::string, uint64_t>& seen,
                               const std::string& own_address, const query::ParseContext& context,
                               const Aliases* aliases);
Result<std::map<std::string, uint64_t>> seen(const std::string& archive_directory);
Result<void> remember(const std::string& archive_directory, const std::map<std::string, uint64_t>& seen);

}  // namespace arch::saved
