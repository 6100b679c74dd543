// Text to terms: the one place that cuts words, for indexing and for asking (docs/search.md).
//
// Folding: NFKC case folding, marks stripped, œ→oe, æ→ae, ß→ss. A word is a run of letters and digits; every other
// character separates, so that a phrase is a sequence of words. French elision: l' d' j' … (' and ’) gives the word behind
// it; the elided letter is a word of its own inside phrases ("l'avenant" is l, avenant). Compounds (e-mail addresses,
// domains, references like FA-2024-00123, file names, hyphenated words) give, besides their words, one joined term.
// Pure; one object per thread (ICU's objects are shared and immutable).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace arch::text {

/// A word in place: what phrases and snippets work on.
struct Token {
  std::string term;    ///< folded, UTF-8, at most 64 bytes (longer runs are cut there; the index hashes nothing)
  uint32_t begin = 0;  ///< bytes of the original text
  uint32_t end = 0;
};

/// Words of `text` in order, every one; elided letters included.
void tokenize(std::string_view text, const std::function<void(const Token&)>& each);
std::vector<Token> tokens(std::string_view text);

/// What goes into the index for a text: each word, and the joined forms of compounds (of up to 8 words: "fa202400123" for
/// FA-2024-00123, "porteavions", whole e-mail addresses and domains folded as "a@b.c"). Terms may repeat.
void index_terms(std::string_view text, const std::function<void(std::string_view term)>& each);

/// The folded form of one string, separators kept.
std::string fold(std::string_view text);

/// Pairs "a b" for the commonest words only: index_pairs gives, for each two neighbours of which at least one is among
/// the commonest words, one term; a phrase query asks the same function. Set chosen by measurement (docs/search.md).
bool is_common(std::string_view term);
void index_pairs(std::string_view text, const std::function<void(std::string_view pair_term)>& each);

/// Stems by the Snowball rules (French, English), of folded or accented terms; implemented on Xapian::Stem behind a wall.
class Stemmer {
 public:
  enum class Language : uint8_t { kFrench, kEnglish };
  explicit Stemmer(Language language);
  ~Stemmer();
  std::string stem(const std::string& term) const;

 private:
  struct State;
  State* state_;
};

}  // namespace arch::text
