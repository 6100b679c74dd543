// What one character is to the analyser and what it folds to. Filled block by block on first use from ICU's data, so that
// neither a start nor a text in Latin script pays for the rest of Unicode.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace arch::text {

enum class Kind : uint8_t {
  kSeparator,  ///< ends a word; folds to its compatible form (full-width signs)
  kWord,       ///< letter or digit
  kSingle,     ///< letter of a script without spaces: a word of its own
  kNothing,    ///< vanishes inside and outside words: marks, soft hyphen, zero-width characters
};

struct Folding {
  Kind kind = Kind::kSeparator;
  uint8_t size = 0;
  char bytes[14] = {};  ///< of kWord and kSingle: letters and digits only
  std::string_view view() const { return {bytes, size}; }
};

/// Of a code point up to 0x10FFFF. Any thread.
const Folding& folding(uint32_t code_point);

/// One character from well-formed UTF-8; returns its length in bytes, 0 when the bytes at `at` are malformed. Conjoining
/// Hangul letters (file names of some systems) are composed, as far as they belong to one syllable.
size_t decode(std::string_view text, size_t at, uint32_t* code_point);

}  // namespace arch::text
