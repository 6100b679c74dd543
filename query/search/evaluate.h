// Query tree to message numbers, by set operations over posting lists; the text decides on phrases. Internal to
// query/search.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "engine/archive.h"
#include "query/index/index.h"
#include "query/language/query.h"
#include "query/search/pattern.h"
#include "query/search/sets.h"
#include "query/search/snippet.h"
#include "query/text/analyser.h"

namespace arch::search {

/// One query on one view. One thread (it starts others to read texts, and ends them).
class Evaluation {
 public:
  /// `reader` may be null: nothing is indexed yet. `tree` outlives it.
  Evaluation(const Archive& archive, const index::IndexReader* reader, const query::Node& tree, bool widen,
             const Aliases* aliases = nullptr);

  /// Message numbers, rising. Errors: kInvalid (a prefix of too many words), kTryAgain, kCorrupt, kIo.
  Result<NumberSet> run();

  /// What a snippet marks: words and phrases that are not under a NOT. Holds as long as this object.
  std::vector<Wanted> wanted() const;
  const std::vector<query::Notice>& notices() const { return notices_; }
  /// How well each of `numbers` (rising) answers the query; after run(). Errors: kTryAgain, kCorrupt.
  Result<std::vector<float>> scores(const Numbers& numbers) const;
  /// For the words that nothing has; after run(). Errors: kTryAgain, kCorrupt.
  Result<std::vector<Suggestion>> suggestions() const;
  /// Messages whose text is not in the catalog although the index knows them: phrases in them were not found.
  uint64_t unverified() const { return unverified_; }

 private:
  enum class People : uint8_t { kNone, kFrom, kTo, kCc, kBcc, kRcpt };
  struct Scope {
    std::vector<std::string_view> prefixes;  // of index terms; a message with any of them qualifies
    uint32_t pieces = 0;                     // of the text, empty for people
    People people = People::kNone;
    bool text_decides = false;  // the index does not know this field: each hit is looked up in the text
  };
  struct Leaf {
    const query::Node* node = nullptr;
    Scope scope;
    std::vector<std::string> terms;  // without prefix; any of them is enough
    text::Ask ask;                   // its words in order are the other way to match, when `phrase`
    bool phrase = false;
    bool positive = true;
    Pattern pattern;
    uint64_t estimate = 0;
  };
  using Node = query::Node;

  static Scope scope_of(const std::string& field);
  Result<void> compile(const Node& node, bool positive);
  Result<void> compile_leaf(const Node& node, bool positive);
  void add_aliases(Leaf* leaf);
  Result<std::string> nearest_word(const std::string& word, uint64_t* mails) const;
  Result<void> widen(Leaf* leaf, const std::string& word);
  Result<void> expand_prefix(Leaf* leaf);
  uint64_t frequency(const Leaf& leaf, const std::string& term) const;
  uint64_t estimate(const Node& node) const;
  int rank(const Node& node) const;

  Result<Set> evaluate(const Node& node, const NumberSet* within);
  Result<Set> evaluate_and(const Node& node, const NumberSet* within);
  Result<NumberSet> evaluate_leaf(const Leaf& leaf, const NumberSet* within);
  Result<NumberSet> date(const Node& node, const NumberSet* within) const;
  Result<NumberSet> by_row(const Node& node, const NumberSet* within);
  Result<NumberSet> has(const Node& node) const;
  Result<NumberSet> variants() const;
  Result<NumberSet> words_under(std::string_view prefix, std::string_view text) const;
  Result<NumberSet> label(const Node& node) const;
  Result<NumberSet> header(const Node& node);
  Result<NumberSet> near(const Node& node, const NumberSet* within);
  Result<NumberSet> identity(const Node& node) const;
  Result<NumberSet> postings(const Leaf& leaf, const std::string& term, const NumberSet* within) const;
  Result<NumberSet> candidates(const Leaf& leaf, const NumberSet* within) const;
  Result<NumberSet> verified(const Leaf& leaf, const NumberSet& set);
  Result<NumberSet> verified_by_text(const Leaf& leaf, const NumberSet& set);
  Result<bool> envelope_stands_for_to(const Leaf& leaf, const MessageInfo& message) const;
  Result<bool> people_match(const Leaf& leaf, const MessageInfo& message) const;

  const Archive& archive_;
  const index::IndexReader* reader_;
  const Node& tree_;
  const bool widen_;
  const Aliases* aliases_;
  std::vector<Leaf> leaves_;
  std::unordered_map<const Node*, size_t> places_;  // in leaves_
  std::vector<query::Notice> notices_;
  uint64_t unverified_ = 0;
};

}  // namespace arch::search
