// Phrases decided on the text itself, and where a text matches best. Pure. Internal to query/search.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "query/search/search.h"

namespace arch::search::internal {

/// A sequence of words that must stand next to each other; `exact` holds their spelling (case ignored, accents not) when
/// it counts, else it is empty.
struct Phrase {
  std::vector<std::string> words;
  std::vector<std::string> exact;
};

/// What `text::ask` and the spelling of a quoted text give.
Phrase make_phrase(std::string_view quoted, bool exact);

bool holds(std::string_view text, const Phrase& phrase);

/// What a query marks in a text: single words (all forms that were asked for) and phrases.
struct Marked {
  std::unordered_set<std::string> words;
  std::vector<std::string> prefixes;
  std::vector<Phrase> phrases;
  bool empty() const { return words.empty() && prefixes.empty() && phrases.empty(); }
};

/// About `bytes` of the piece that says most, around its best match, cut at words; its start when nothing matches.
Snippet make_snippet(const MessageText& text, const Marked& marked, size_t bytes);

}  // namespace arch::search::internal
