// Text to terms: the one place that cuts words, for indexing and for asking (docs/search.md).
//
// Words     A word is a run of letters and digits of one text; every other character separates, so that a phrase is a
//           sequence of words. Folding: NFKC case folding, marks stripped, œ→oe, æ→ae, ß→ss, ø→o, Arabic letter forms
//           unified, every digit to 0-9. Soft hyphens and zero-width characters vanish. Characters of scripts written
//           without spaces (Han, kana, Hangul, Thai …) are a word each.
// Elision   "l'avenant" is the words l and avenant: the elided letter is a word of its own.
// Compounds Words joined by one sign (FA-2024-00123, porte-avions, 12.500,00, aujourd'hui) give, besides their words, one
//           joined term "=fa202400123"; an e-mail address gives "a@b.c" and "@b.c". "=" and "@" are in no word, so a joined
//           term is never taken for one: who asks for it asks by ask().
// Threads   Everything here may be called from any thread; a Scanner and a Stemmer belong to one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace arch::text {

constexpr size_t kWordBytes = 64;      ///< a longer run of letters is cut there, on a character
constexpr size_t kJoinedWords = 8;     ///< a compound of more words has no joined term
constexpr size_t kAddressBytes = 128;  ///< an address term is cut there, on a character
constexpr char kJoinedMark = '=';      ///< first character of a joined term

/// A word in place: what phrases and snippets work on.
struct Token {
  std::string term;    ///< folded, UTF-8, at most kWordBytes (longer runs are cut there)
  uint32_t begin = 0;  ///< bytes of the original text
  uint32_t end = 0;
};

/// Walks the words of a text without allocating per word. `text` is borrowed; malformed UTF-8 separates words.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}
  /// False at the end of the text. The views below hold until the next call.
  bool next();
  std::string_view term() const { return {term_, size_}; }
  size_t begin() const { return begin_; }
  size_t end() const { return end_; }
  /// A character of a script without spaces, a word of its own.
  bool single() const { return single_; }

 private:
  bool next_wide(size_t at);
  std::string_view text_;
  size_t position_ = 0, begin_ = 0, end_ = 0, size_ = 0;
  bool single_ = false;
  char term_[kWordBytes];
};

/// Words of `text` in order, every one; elided letters included.
void tokenize(std::string_view text, const std::function<void(const Token&)>& each);
std::vector<Token> tokens(std::string_view text);

/// Whether two neighbouring words (folded) with this between them are one word to the index, too: "prud'homme", not "l'avenant" or
/// "it's".
bool written_together(std::string_view left, std::string_view gap, std::string_view right);

/// What goes into the index for a text: each word; pairs of neighbouring characters of scripts without spaces; joined
/// terms of compounds; whole e-mail addresses ("a@b.c") and their domains ("@b.c"). Terms may repeat.
void index_terms(std::string_view text, const std::function<void(std::string_view term)>& each);

/// What to ask the index for one thing that was written without a blank, or between quotes.
struct Ask {
  std::vector<std::string> words;     ///< in order; more than one: a phrase, which the text decides
  std::vector<std::string> whole;     ///< a document with any of these terms matches, its text need not be read
  std::vector<std::string> required;  ///< every text that holds the phrase has all these terms (pairs, each word)
  bool only_whole = false;            ///< an address: what is not in `whole` does not match
};
/// "facture" asks facture or =facture; "FA-2024-00123" asks =fa202400123 or fa202400123, or the phrase fa 2024 00123;
/// "a@b.c" and "@b.c" ask that term alone. Text with blanks in it asks the phrase alone.
Ask ask(std::string_view text);

/// How others write together what `text` writes in groups, when all of it is one number: "01 23 45 67 89" is "0123456789",
/// "+33 (0)1 23 45 67 89" also "33123456789", "FR76 3000 6000 0112 3456 7890 189" and "732 829 320 00074" and "1 234,56" are
/// those without their blanks. Each is to be asked like a word.
struct NumberForms {
  std::vector<std::string> together;  ///< empty: it is no such number
  bool shape = false;  ///< a telephone, IBAN, SIRET or amount with decimals by its groups; else just digits
};
NumberForms number_forms(std::string_view text);

/// The folded form of one string, separators kept.
std::string fold(std::string_view text);

/// The term of an address as index_terms and the field terms have it: folded, blanks at both ends dropped, cut at
/// kAddressBytes.
std::string address_term(std::string_view address);

/// The term of a whole label (a list's id, a tag): a blank, which no word has, and the label as address_term() has it.
std::string label_term(std::string_view label);

/// Letters that differ between two words (insert, drop, change one, exchange neighbours); stops counting above `most`, and
/// gives `most` + 1 then. Bytes count; for words of at most kWordBytes.
size_t edit_distance(std::string_view a, std::string_view b, size_t most);

/// Stems by the Snowball rules (French, English) of folded or accented words; the stem is folded. Xapian 1.4's Stem behind
/// a wall.
class Stemmer {
 public:
  enum class Language : uint8_t { kFrench, kEnglish };
  explicit Stemmer(Language language);
  ~Stemmer();
  std::string stem(const std::string& term) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace arch::text
