// What one word or phrase of a query matches in running text: the text decides what the index could only propose.
#pragma once

#include <bitset>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace arch::search {

/// Linear in the text, whatever it holds. A value; const members from any thread.
class Pattern {
 public:
  Pattern() = default;
  /// Words in order, folded.
  static Pattern phrase(const std::vector<std::string>& words);
  /// The words of `text` in order with their accents; case does not count.
  static Pattern exact(std::string_view text);

  /// A single word that matches too (folded).
  void add_word(std::string word) {
    if (word.empty()) return;
    begins_.set(static_cast<unsigned char>(word[0]));
    words_.insert(std::move(word));
  }
  /// Words that stand close together and are this when written without what separates them (folded): one sign, or, where there
  /// are digits in it, also a blank and brackets.
  void add_joined(std::string word);
  /// Every word that begins so (folded) matches too; empty: none.
  void set_prefix(std::string prefix) { prefix_ = std::move(prefix); }

  /// What sequences of words (query/index/sequences.h) can look for. kAnswers: found there is found, not found is not. kFound: found is
  /// found, the rest is to be seen in the text. kCandidates: what is not found is not, the rest is to be seen. kNothing: of no use.
  enum class Words : uint8_t { kAnswers, kFound, kCandidates, kNothing };
  Words words(std::vector<std::string>* sequence, std::vector<std::string>* singles) const;

  bool found_in(std::string_view text) const;
  /// Calls back with the bytes of each match, in the order of their ends; phrases do not overlap. Ends early on false.
  void each(std::string_view text, const std::function<bool(size_t begin, size_t end)>& match) const;

 private:
  void make_borders();
  std::vector<std::string> sequence_;  // folded
  std::vector<std::string> spelled_;   // exact(): the same words with accents
  std::vector<uint32_t> borders_;      // Knuth, Morris, Pratt: longest proper prefix that is a suffix
  std::unordered_set<std::string> words_;
  std::bitset<256> begins_;  // first bytes of words_: most words of a text are turned away without hashing
  struct Joined {
    std::string word;
    bool number;  // it has digits
  };
  std::vector<Joined> joined_;
  std::string prefix_;
};

/// Whether a match of one stands at most `words` words away from a match of the other, in either order; matches that share a
/// word do not count.
bool stand_near(const Pattern& one, const Pattern& other, uint64_t words, std::string_view text);

/// Lower case and composed, accents kept (Unicode's NFKC_Casefold).
std::string spelled(std::string_view text);

}  // namespace arch::search
