// The piece of a mail's text that shows why it was found. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "query/search/pattern.h"
#include "query/search/search.h"

namespace arch::search {

constexpr size_t kSnippetBytes = 220;  ///< of the text shown, about; cut between words where there are any

constexpr uint32_t piece_bit(uint8_t field) { return 1u << field; }

struct Wanted {
  const Pattern* pattern;
  uint32_t pieces;  ///< piece_bit()s of the fields it looks at
};

/// Around the place where most of `wanted` stand together; the beginning of the text when none does.
Snippet make_snippet(const MessageText& text, const std::vector<Wanted>& wanted);

std::string_view piece_name(uint8_t field);  ///< "body" …

}  // namespace arch::search
