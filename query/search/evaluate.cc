#include "query/search/evaluate.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "engine/base/limits.h"
#include "query/index/terms.h"
#include "query/search/chunks.h"
#include "query/search/mails.h"
#include "query/search/row.h"

namespace arch::search {
namespace {

using query::Node;

constexpr size_t kWidenVisits = 20'000;  // words of the vocabulary looked at for one widened word
constexpr size_t kWidenTerms = 300;      // that may join
constexpr size_t kStemLetters = 3;       // the walk begins at no fewer
constexpr size_t kFewCandidates = 256;   // reading so few texts is cheaper than a long posting list
constexpr uint64_t kLongListFactor = 64;
constexpr size_t kSmallEstimate = 1'000;

constexpr uint32_t kTextPieces = piece_bit(TextPiece::kSubject) | piece_bit(TextPiece::kBody) |
                                 piece_bit(TextPiece::kQuoted) | piece_bit(TextPiece::kFileName) |
                                 piece_bit(TextPiece::kAttachment);

// A bare "l'avenant" asks for avenant.
std::string_view without_elision(std::string_view text) {
  constexpr std::string_view kElided[] = {"l", "d",  "j",     "n",      "s",      "t",      "c",
                                          "m", "qu", "jusqu", "lorsqu", "puisqu", "quoiqu", "presqu"};
  for (;;) {
    text::Scanner scanner(text);
    if (!scanner.next()) return text;
    if (std::find(std::begin(kElided), std::end(kElided), scanner.term()) == std::end(kElided)) return text;
    size_t end = scanner.end();
    if (!scanner.next()) return text;
    std::string_view gap = text.substr(end, scanner.begin() - end);
    if (gap != "'" && gap != "\u2019") return text;
    text.remove_prefix(scanner.begin());
  }
}

// What a joined term matches in running text: its word, its parts close together; a French telephone also from abroad.
void add_joined(const std::string& term, Pattern* pattern) {
  const bool marked = term[0] == text::kJoinedMark;
  std::string word = marked ? term.substr(1) : term;
  pattern->add_word(word);
  std::erase(word, ',');
  pattern->add_joined(word);
  if (!std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; })) return;
  std::string own;
  if (word.size() == 10 && word[0] == '0') own = word.substr(1);
  if (word.size() == 11 && word.compare(0, 2, "33") == 0) own = word.substr(2);
  if (own.empty()) return;
  for (const char* before : {"0", "33", "330", "0033", "00330"}) pattern->add_joined(before + own);
  pattern->add_word("33" + own);
}

bool is_plain_latin(std::string_view word) {
  return std::all_of(word.begin(), word.end(), [](char c) { return c >= 'a' && c <= 'z'; });
}

bool is_leaf(const Node& node) {
  return node.kind == Node::Kind::kWord || node.kind == Node::Kind::kPhrase || node.kind == Node::Kind::kExact ||
         node.kind == Node::Kind::kPrefix;
}

}  // namespace

Evaluation::Evaluation(const Archive& archive, const index::IndexReader* reader, const query::Node& tree, bool widen,
                       const Aliases* aliases)
    : archive_(archive), reader_(reader), tree_(tree), widen_(widen), aliases_(aliases) {}

// ── what each leaf asks ──

Evaluation::Scope Evaluation::scope_of(const std::string& field) {
  Scope scope;
  if (field.empty()) {
    scope.prefixes = {index::kGeneral};
    scope.pieces = kTextPieces;
  } else if (field == "subject") {
    scope.prefixes = {index::kSubject};
    scope.pieces = piece_bit(TextPiece::kSubject);
  } else if (field == "filename") {
    scope.prefixes = {index::kFileName};
    scope.pieces = piece_bit(TextPiece::kFileName);
  } else if (field == "body") {
    scope.prefixes = {index::kGeneral};
    scope.pieces = piece_bit(TextPiece::kBody) | piece_bit(TextPiece::kQuoted);
    scope.text_decides = true;
  } else if (field == "attachment") {
    scope.prefixes = {index::kGeneral};
    scope.pieces = piece_bit(TextPiece::kAttachment);
    scope.text_decides = true;
  } else if (field == "from") {
    scope.prefixes = {index::kFrom};
    scope.people = People::kFrom;
  } else if (field == "to") {
    scope.prefixes = {index::kTo, index::kCc};
    scope.people = People::kTo;
  } else if (field == "cc") {
    scope.prefixes = {index::kCc};
    scope.people = People::kCc;
  } else if (field == "bcc") {
    scope.prefixes = {index::kBcc};
    scope.people = People::kBcc;
  } else {
    ARCH_CHECK(field == "rcpt");  // the parser makes leaves of text for no other field
    scope.prefixes = {index::kRcpt};
    scope.people = People::kRcpt;
  }
  return scope;
}

Result<void> Evaluation::compile(const Node& node, bool positive) {
  if (is_leaf(node)) return compile_leaf(node, positive);
  for (const Node& child : node.children)
    ARCH_TRY_VOID(compile(child, node.kind == Node::Kind::kNot ? !positive : positive));
  return {};
}

Result<void> Evaluation::compile_leaf(const Node& node, bool positive) {
  Leaf leaf;
  leaf.node = &node;
  leaf.positive = positive;
  leaf.scope = scope_of(node.field);
  std::string_view text = node.text;
  if (node.kind == Node::Kind::kWord) text = without_elision(text);
  leaf.ask = text::ask(text);
  const bool people = leaf.scope.people != People::kNone;

  switch (node.kind) {
    case Node::Kind::kPrefix:
      ARCH_TRY_VOID(expand_prefix(&leaf));
      break;
    case Node::Kind::kExact:
      leaf.phrase = true;
      leaf.pattern = Pattern::exact(text);
      break;
    case Node::Kind::kWord:
    default: {
      const bool word = node.kind == Node::Kind::kWord;
      leaf.pattern = Pattern::phrase(leaf.ask.words);
      if (leaf.ask.only_whole) {
        leaf.terms = leaf.ask.whole;
      } else if (leaf.ask.words.size() == 1) {
        leaf.terms = word ? leaf.ask.whole : leaf.ask.words;
        if (word && widen_ && !people) ARCH_TRY_VOID(widen(&leaf, leaf.ask.words[0]));
      } else {
        leaf.phrase = true;
        if (word) leaf.terms = leaf.ask.whole;
      }
      for (const std::string& term : leaf.terms) {
        if (term[0] == text::kJoinedMark) {
          add_joined(term, &leaf.pattern);
        } else if (term.find('@') == std::string::npos) {
          leaf.pattern.add_word(term);
        }
      }
      break;
    }
  }
  if (people && leaf.scope.people != People::kFrom && widen_ && aliases_ != nullptr && node.kind == Node::Kind::kWord)
    add_aliases(&leaf);
  for (const std::string& term : leaf.terms) leaf.estimate += frequency(leaf, term);
  if (leaf.phrase) {
    uint64_t least = UINT64_MAX;
    for (const std::string& term : leaf.ask.required) least = std::min(least, frequency(leaf, term));
    leaf.estimate += least == UINT64_MAX ? 0 : least;
  }
  places_[&node] = leaves_.size();
  leaves_.push_back(std::move(leaf));
  return {};
}

// Mail to an alias of a mailbox is mail to the mailbox.
void Evaluation::add_aliases(Leaf* leaf) {
  std::string name = text::address_term(leaf->node->text);
  if (!name.empty() && name.back() == '@') name.pop_back();
  if (name.empty() || name.front() == '@') return;
  const std::vector<std::string> found =
      name.find('@') != std::string::npos ? aliases_->of(name) : aliases_->of_name(name);
  constexpr size_t kNamed = 5;
  std::string names;
  for (size_t i = 0; i < found.size(); ++i) {
    leaf->terms.push_back(text::address_term(found[i]));
    if (i < kNamed) names += (i == 0 ? "" : ", ") + found[i];
  }
  if (found.size() > kNamed) names += " and " + std::to_string(found.size() - kNamed) + " more";
  if (!found.empty())
    notices_.push_back({leaf->node->column, "aliases of '" + leaf->node->text + "' are looked for too: " + names});
}

// ── relevance ──

// BM25 with b = 0: mails are short, and a long one is no worse for it. Of the words that a word was widened to each counts half;
// a word in the subject counts once more as if it were there alone; a whole address, a phrase or a field counts by its rarity.
Result<std::vector<float>> Evaluation::scores(const Numbers& numbers) const {
  constexpr float kSaturation = 1.2f, kWidened = 0.5f, kSubject = 1.5f, kExactSpelling = 0.25f;
  constexpr size_t kRespelled = 200;  // the best, whose text is looked at for accents
  std::vector<float> out(numbers.size());
  if (reader_ == nullptr || numbers.empty()) return out;
  const auto documents = static_cast<float>(std::max<uint64_t>(reader_->documents(), 1));
  for (const Leaf& leaf : leaves_) {
    if (!leaf.positive) continue;
    const auto rarity = [&](uint64_t frequency) {
      const auto count = static_cast<float>(std::max<uint64_t>(frequency, 1));
      return std::log(1.0f + (documents - std::min(count, documents) + 0.5f) / (count + 0.5f));
    };
    const std::vector<std::string>& words = leaf.phrase ? leaf.ask.required : leaf.terms;
    for (const std::string& term : words) {
      const bool own = leaf.phrase || leaf.ask.words.empty() || term == leaf.ask.words.front() || leaf.ask.only_whole;
      for (std::string_view prefix : leaf.scope.prefixes) {
        const std::string whole = std::string(prefix) + term;
        const uint64_t frequency = reader_->frequency(whole);
        if (frequency == 0) continue;
        const float weight = rarity(frequency) * (own ? 1.0f : kWidened);
        ARCH_TRY(std::vector<uint32_t> counts, reader_->counts(whole, numbers));
        const bool weighs = prefix == index::kGeneral;
        for (size_t i = 0; i < numbers.size(); ++i) {
          const auto count = static_cast<float>(counts[i]);
          if (weighs && counts[i] != 0) out[i] += weight * count * (kSaturation + 1) / (count + kSaturation);
        }
        if (!weighs) {
          ARCH_TRY(NumberSet held, reader_->postings(whole));
          for (size_t i = 0; i < numbers.size(); ++i)
            if (held.contains(numbers[i])) out[i] += weight;
        }
      }
      if (leaf.scope.prefixes.front() != index::kGeneral || leaf.scope.text_decides) continue;
      ARCH_TRY(NumberSet titled, reader_->postings(std::string(index::kSubject) + term));
      const float weight = rarity(reader_->frequency(term)) * kSubject * (own ? 1.0f : kWidened);
      for (size_t i = 0; i < numbers.size(); ++i)
        if (titled.contains(numbers[i])) out[i] += weight;
    }
  }
  // Among equals, who wrote the word with the same accents.
  std::vector<size_t> best(numbers.size());
  for (size_t i = 0; i < best.size(); ++i) best[i] = i;
  const size_t looked_at = std::min(kRespelled, best.size());
  std::partial_sort(best.begin(), best.begin() + static_cast<std::ptrdiff_t>(looked_at), best.end(),
                    [&](size_t a, size_t b) { return out[a] != out[b] ? out[a] > out[b] : numbers[a] > numbers[b]; });
  for (const Leaf& leaf : leaves_) {
    if (!leaf.positive || leaf.scope.pieces == 0 || leaf.node->kind != Node::Kind::kWord) continue;
    const Pattern spelling = Pattern::exact(without_elision(leaf.node->text));
    for (size_t i = 0; i < looked_at; ++i) {
      auto text = archive_.text(numbers[best[i]]);
      if (!text) continue;
      for (const TextPiece& piece : *text)
        if ((leaf.scope.pieces & piece_bit(piece.field)) != 0 && spelling.found_in(piece.text)) {
          out[best[i]] += kExactSpelling;
          break;
        }
    }
  }
  return out;
}

// ── slips of the pen ──

Result<std::vector<Suggestion>> Evaluation::suggestions() const {
  std::vector<Suggestion> out;
  if (reader_ == nullptr) return out;
  for (const Leaf& leaf : leaves_) {
    if (!leaf.positive || leaf.estimate != 0 || leaf.scope.people != People::kNone || leaf.ask.only_whole) continue;
    if (leaf.node->kind != Node::Kind::kWord || leaf.ask.words.size() != 1) continue;
    Suggestion suggestion{leaf.node->column, leaf.node->text, {}, 0};
    ARCH_TRY(suggestion.better, nearest_word(leaf.ask.words[0], &suggestion.mails));
    if (!suggestion.better.empty()) out.push_back(std::move(suggestion));
  }
  return out;
}

// Of the words that begin like it: the fewest edits, then the most mails.
Result<std::string> Evaluation::nearest_word(const std::string& word, uint64_t* mails) const {
  constexpr size_t kLeastLetters = 4, kLongWord = 8, kVisits = 200'000;
  std::string best;
  if (word.size() < kLeastLetters || word.size() > text::kWordBytes || !is_plain_latin(word)) return best;
  size_t edits = word.size() >= kLongWord ? 2 : 1;
  // A slip is rarely in the first letter; two exchanged in front are one.
  for (size_t letter = 0; letter < 2 && best.empty(); ++letter) {
    if (letter == 1 && word[1] == word[0]) break;
    const std::string begin = word.substr(letter, 1);
    size_t visits = 0;
    ARCH_TRY_VOID(reader_->vocabulary(begin, [&](const std::string& term, uint64_t frequency) {
      if (++visits > kVisits) return false;
      if (term.size() + edits < word.size() || term.size() > word.size() + edits || !is_plain_latin(term))
        return true;
      const size_t distance = text::edit_distance(word, term, edits);
      if (distance > edits || (distance == edits && !best.empty() && frequency <= *mails)) return true;
      best = term;
      edits = distance;
      *mails = frequency;
      return true;
    }));
  }
  return best;
}

// Words of the vocabulary that share the French or the English stem join as synonyms.
Result<void> Evaluation::widen(Leaf* leaf, const std::string& word) {
  if (reader_ == nullptr || word.size() <= kStemLetters || !is_plain_latin(word)) return {};
  const text::Stemmer stemmers[] = {text::Stemmer(text::Stemmer::Language::kFrench),
                                    text::Stemmer(text::Stemmer::Language::kEnglish)};
  std::string stems[2];
  size_t common = word.size();
  for (size_t i = 0; i < 2; ++i) {
    stems[i] = stemmers[i].stem(word);
    size_t same = 0;
    while (same < stems[i].size() && same < word.size() && stems[i][same] == word[same]) ++same;
    common = std::min(common, same);
  }
  if (common < kStemLetters) return {};
  // One letter less: regional and regionaux share a stem that is only the first of them.
  if (common > kStemLetters) --common;
  size_t visits = 0;
  size_t joined = 0;
  for (std::string_view prefix : leaf->scope.prefixes) {
    std::string begin = std::string(prefix) + word.substr(0, common);
    ARCH_TRY_VOID(reader_->vocabulary(begin, [&](const std::string& entry, uint64_t) {
      if (++visits > kWidenVisits || joined >= kWidenTerms) return false;
      std::string term = entry.substr(prefix.size());
      if (term == word || !is_plain_latin(term)) return true;
      if (stemmers[0].stem(term) == stems[0] || stemmers[1].stem(term) == stems[1]) {
        leaf->terms.push_back(term);
        ++joined;
      }
      return true;
    }));
  }
  if (visits > kWidenVisits || joined >= kWidenTerms)
    notices_.push_back(
        {leaf->node->column, "'" + leaf->node->text + "' has so many relatives that not all were asked"});
  return {};
}

Result<void> Evaluation::expand_prefix(Leaf* leaf) {
  // Words, joined terms of compounds ("=fa202400123"), and addresses when it is written like the beginning of one.
  std::vector<std::string> begins;
  std::string run;
  for (const std::string& word : leaf->ask.words) run += word;
  if (leaf->ask.words.size() == 1) {
    begins.push_back(run);
    leaf->pattern.set_prefix(run);
  }
  begins.push_back(text::kJoinedMark + run);
  std::string address = text::address_term(leaf->node->text);
  const bool like_address = address.find_first_of("@.-_+") != std::string::npos;
  if (like_address) begins.push_back(address);
  if (reader_ == nullptr) return {};

  std::set<std::string> terms;
  bool too_many = false;
  for (std::string_view prefix : leaf->scope.prefixes) {
    for (const std::string& begin : begins) {
      ARCH_TRY_VOID(reader_->vocabulary(std::string(prefix) + begin, [&](const std::string& entry, uint64_t) {
        std::string term = entry.substr(prefix.size());
        // A bare word does not look at people, so neither does its beginning.
        if (term.find('@') != std::string::npos && begin != address) return true;
        terms.insert(std::move(term));
        too_many = terms.size() > limits::kPrefixExpansion;
        return !too_many;
      }));
      if (too_many)
        return fail(Code::kInvalid,
                    "column " + std::to_string(leaf->node->column) + ": more than " +
                        std::to_string(limits::kPrefixExpansion) + " words begin with '" + leaf->node->text + "'",
                    "write more of the word");
    }
  }
  for (const std::string& term : terms) {
    leaf->terms.push_back(term);
    if (term[0] == text::kJoinedMark) {
      add_joined(term, &leaf->pattern);
    } else {
      leaf->pattern.add_word(term);
    }
  }
  return {};
}

uint64_t Evaluation::frequency(const Leaf& leaf, const std::string& term) const {
  uint64_t sum = 0;
  if (reader_ == nullptr) return sum;
  for (std::string_view prefix : leaf.scope.prefixes) sum += reader_->frequency(std::string(prefix) + term);
  return sum;
}

std::vector<Wanted> Evaluation::wanted() const {
  std::vector<Wanted> out;
  for (const Leaf& leaf : leaves_)
    if (leaf.positive && leaf.scope.pieces != 0) out.push_back({&leaf.pattern, leaf.scope.pieces});
  return out;
}

// ── sets ──

Result<NumberSet> Evaluation::run() {
  ARCH_TRY_VOID(compile(tree_, true));
  ARCH_TRY(Set set, evaluate(tree_, nullptr));
  if (!set.complement) return std::move(set.numbers);
  if (reader_ == nullptr) return NumberSet();
  ARCH_TRY(NumberSet all, reader_->all());
  if (set.numbers.empty()) return all;
  return subtract(all, set.numbers);
}

uint64_t Evaluation::estimate(const Node& node) const {
  switch (node.kind) {
    case Node::Kind::kAnd: {
      uint64_t least = UINT64_MAX;
      for (const Node& child : node.children) least = std::min(least, estimate(child));
      return least;
    }
    case Node::Kind::kOr: {
      uint64_t sum = 0;
      for (const Node& child : node.children) {
        uint64_t more = estimate(child);
        sum = more > UINT64_MAX - sum ? UINT64_MAX : sum + more;
      }
      return sum;
    }
    case Node::Kind::kId:
      return 1;
    case Node::Kind::kNear:
      return std::min(estimate(node.children[0]), estimate(node.children[1]));
    case Node::Kind::kLabel:
    case Node::Kind::kHeader:
    case Node::Kind::kHas:
    case Node::Kind::kDate:
    case Node::Kind::kRange:
    case Node::Kind::kIn:
    case Node::Kind::kType:
    case Node::Kind::kAll:
    case Node::Kind::kNot:
      return UINT64_MAX / 2;
    default:
      return leaves_[places_.at(&node)].estimate;
  }
}

// In which order an AND looks at its parts: what only reads posting lists first, then what reads texts of few, then dates,
// then what reads texts of many, at last what takes away.
int Evaluation::rank(const Node& node) const {
  switch (node.kind) {
    case Node::Kind::kAnd:
    case Node::Kind::kOr: {
      int worst = 0;
      for (const Node& child : node.children) worst = std::max(worst, rank(child));
      return worst;
    }
    case Node::Kind::kNot:
    case Node::Kind::kAll:
      return 4;
    case Node::Kind::kDate:
      return node.field == "date" ? 2 : 3;
    case Node::Kind::kRange:
    case Node::Kind::kIn:
      return 3;
    case Node::Kind::kType:
    case Node::Kind::kId:
    case Node::Kind::kLabel:
    case Node::Kind::kHeader:
      return 0;
    case Node::Kind::kHas:
      return node.text == "variant" ? 3 : 0;
    case Node::Kind::kNear:
      return estimate(node) <= kSmallEstimate ? 1 : 3;
    default: {
      const Leaf& leaf = leaves_[places_.at(&node)];
      if (!leaf.phrase && !leaf.scope.text_decides) return 0;
      return leaf.estimate <= kSmallEstimate ? 1 : 3;
    }
  }
}

// With `within`, the result is a subset of it and no complement.
Result<Set> Evaluation::evaluate(const Node& node, const NumberSet* within) {
  switch (node.kind) {
    case Node::Kind::kAll:
      if (within != nullptr) return Set{*within, false};
      return Set{{}, true};
    case Node::Kind::kAnd:
      return evaluate_and(node, within);
    case Node::Kind::kOr: {
      Set sum;
      for (const Node& child : node.children) {
        ARCH_TRY(Set more, evaluate(child, within));
        sum = either(std::move(sum), std::move(more));
      }
      return sum;
    }
    case Node::Kind::kNot: {
      ARCH_TRY(Set inner, evaluate(node.children[0], within));
      if (within != nullptr) return Set{subtract(*within, inner.numbers), false};
      inner.complement = !inner.complement;
      return inner;
    }
    default:
      break;
  }
  NumberSet numbers;
  switch (node.kind) {
    case Node::Kind::kDate: {
      if (node.field == "date") {
        ARCH_TRY(numbers, date(node, within));
      } else {
        ARCH_TRY(numbers, by_row(node, within));
      }
      break;
    }
    case Node::Kind::kRange:
    case Node::Kind::kIn: {
      ARCH_TRY(numbers, by_row(node, within));
      break;
    }
    case Node::Kind::kType: {
      if (reader_ != nullptr) {
        ARCH_TRY(numbers, reader_->postings(std::string(index::kType) + node.text));
      }
      break;
    }
    case Node::Kind::kId: {
      ARCH_TRY(numbers, identity(node));
      break;
    }
    case Node::Kind::kHas: {
      ARCH_TRY(numbers, has(node));
      break;
    }
    case Node::Kind::kLabel: {
      ARCH_TRY(numbers, label(node));
      break;
    }
    case Node::Kind::kHeader: {
      ARCH_TRY(numbers, header(node));
      break;
    }
    case Node::Kind::kNear: {
      ARCH_TRY(numbers, near(node, within));
      break;
    }
    default: {
      ARCH_TRY(numbers, evaluate_leaf(leaves_[places_.at(&node)], within));
      break;
    }
  }
  if (within != nullptr) numbers = intersect(numbers, *within);
  return Set{std::move(numbers), false};
}

Result<Set> Evaluation::evaluate_and(const Node& node, const NumberSet* within) {
  struct Part {
    const Node* node;
    int rank;
    uint64_t estimate;
  };
  std::vector<Part> parts;
  for (const Node& child : node.children) parts.push_back({&child, rank(child), estimate(child)});
  std::stable_sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) {
    return a.rank != b.rank ? a.rank < b.rank : a.estimate < b.estimate;
  });
  Set current{{}, true};  // everything
  for (const Part& part : parts) {
    const NumberSet* limit = current.complement ? within : &current.numbers;
    ARCH_TRY(Set next, evaluate(*part.node, limit));
    current = current.complement ? both(std::move(current), std::move(next)) : std::move(next);
    if (!current.complement && current.numbers.empty()) break;
  }
  return current;
}

Result<NumberSet> Evaluation::date(const Node& node, const NumberSet* within) const {
  // Reading the columns of few is cheaper than of all.
  constexpr size_t kShare = 8;
  if (within != nullptr && (reader_ == nullptr || within->size() < reader_->documents() / kShare + kShare)) {
    ARCH_TRY(const DateOf date_of, dates_of(archive_, reader_, *within));
    Numbers out;
    for (uint64_t number : *within)
      if (const int64_t date = date_of(number); date >= node.from_s && date < node.to_s) out.push_back(number);
    return NumberSet(std::move(out));
  }
  if (reader_ == nullptr) return NumberSet();
  return reader_->date_range(node.from_s, node.to_s);
}

// What only the catalog's rows say: those of `within`, or all. An AND asks for it behind everything that posting lists answer.
Result<NumberSet> Evaluation::by_row(const Node& node, const NumberSet* within) {
  if (within == nullptr && reader_ == nullptr) return NumberSet();
  Numbers numbers;
  if (within != nullptr) {
    numbers = within->list();
  } else {
    ARCH_TRY(NumberSet every, reader_->all());
    numbers = every.list();
  }
  std::vector<char> found(numbers.size(), 0);
  std::atomic<uint64_t> unknown{0};
  auto check = [&](size_t begin, size_t end) -> Result<void> {
    ARCH_TRY(std::vector<MessageInfo> infos, archive_.infos({numbers.begin() + static_cast<std::ptrdiff_t>(begin),
                                                             numbers.begin() + static_cast<std::ptrdiff_t>(end)}));
    for (size_t i = 0; i < infos.size(); ++i) {
      if (infos[i].direction == Direction::kUnknown) ++unknown;
      found[begin + i] = row_matches(node, infos[i]) ? 1 : 0;
    }
    return {};
  };
  ARCH_TRY_VOID(in_chunks(numbers.size(), check));
  if (node.kind == Node::Kind::kIn && node.text != "bounce" && unknown > 0)
    notices_.push_back(
        {node.column,
         "the direction of " + std::to_string(unknown) +
             " messages is not known: own_domains was not set when they came, or no recipient is named"});
  Numbers out;
  for (size_t i = 0; i < numbers.size(); ++i)
    if (found[i] != 0) out.push_back(numbers[i]);
  return NumberSet(std::move(out));
}

Result<NumberSet> Evaluation::has(const Node& node) const {
  if (reader_ == nullptr) return NumberSet();
  if (node.text == "variant") return variants();
  if (node.text == "unread") {
    ARCH_TRY(NumberSet unread, reader_->postings(std::string(index::kIsUnread)));
    ARCH_TRY(NumberSet read, reader_->postings(std::string(index::kIsRead)));
    return subtract(unread, read);
  }
  constexpr std::pair<std::string_view, std::string_view> kTerms[] = {
      {"attachment", index::kHasAttachment}, {"encrypted", index::kIsEncrypted}, {"inline", index::kHasInline},
      {"signature", index::kHasSignature},   {"link", index::kHasLink},          {"bcc", index::kHasBcc},
      {"partial", index::kIsPartial}};
  for (const auto& [name, term] : kTerms)
    if (name == node.text) return reader_->postings(std::string(term));
  ARCH_CHECK(false);  // the parser makes no other
}

// Messages whose mail key another message has too.
Result<NumberSet> Evaluation::variants() const {
  ARCH_TRY(NumberSet all, reader_->all());
  ARCH_TRY(std::vector<index::Copy> copies, reader_->copies(all));
  Numbers out;
  for (const index::Copy& copy : copies) {
    out.push_back(copy.number);
    out.push_back(copy.first);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return NumberSet(std::move(out));
}

// Every word of the text under the prefix, in whatever order; or one of the terms by which a compound is written together.
Result<NumberSet> Evaluation::words_under(std::string_view prefix, std::string_view text) const {
  if (reader_ == nullptr) return NumberSet();
  const text::Ask ask = text::ask(text);
  std::vector<NumberSet> lists;
  for (const std::string& term : ask.whole) {
    ARCH_TRY(NumberSet list, reader_->postings(std::string(prefix) + term));
    lists.push_back(std::move(list));
  }
  std::optional<NumberSet> every;
  for (const std::string& term : ask.only_whole ? std::vector<std::string>() : ask.required) {
    ARCH_TRY(NumberSet list, reader_->postings(std::string(prefix) + term));
    every = every ? intersect(*every, list) : std::move(list);
  }
  if (every) lists.push_back(std::move(*every));
  return unite(std::move(lists));
}

Result<NumberSet> Evaluation::label(const Node& node) const {
  if (reader_ == nullptr) return NumberSet();
  if (node.field == "lang") return reader_->postings(std::string(index::kLanguage) + node.text);
  const std::string_view prefix = node.field == "list" ? index::kList : index::kTag;
  ARCH_TRY(NumberSet whole, reader_->postings(std::string(prefix) + text::label_term(node.text)));
  ARCH_TRY(NumberSet words, words_under(prefix, node.text));
  return unite(whole, words);
}

Result<NumberSet> Evaluation::header(const Node& node) {
  if (reader_ == nullptr) return NumberSet();
  const std::string name = std::string(index::kHeader) + node.text;
  ARCH_TRY(NumberSet any, reader_->postings(name));
  if (any.empty())
    notices_.push_back(
        {node.column, "no mail has the field " + node.text + " in the index: is it named in index.headers?"});
  if (node.value.empty() || any.empty()) return any;
  return words_under(name + " ", node.value);
}

// Both sides are found by themselves; then the text decides.
Result<NumberSet> Evaluation::near(const Node& node, const NumberSet* within) {
  const Leaf& a = leaves_[places_.at(&node.children[0])];
  const Leaf& b = leaves_[places_.at(&node.children[1])];
  const bool a_first = a.estimate <= b.estimate;
  ARCH_TRY(NumberSet one, evaluate_leaf(a_first ? a : b, within));
  ARCH_TRY(NumberSet both, evaluate_leaf(a_first ? b : a, &one));
  both = intersect(one, both);
  const Numbers numbers = both.list();
  std::vector<char> found(numbers.size(), 0);
  auto check = [&](size_t begin, size_t end) -> Result<void> {
    ARCH_TRY(std::vector<MessageText> texts, archive_.texts({numbers.begin() + static_cast<std::ptrdiff_t>(begin),
                                                             numbers.begin() + static_cast<std::ptrdiff_t>(end)}));
    for (size_t i = 0; i < texts.size(); ++i)
      for (const TextPiece& piece : texts[i])
        if ((a.scope.pieces & piece_bit(piece.field)) != 0 && stand_near(a.pattern, b.pattern, node.from, piece.text))
          found[begin + i] = 1;
    return {};
  };
  ARCH_TRY_VOID(in_chunks(numbers.size(), check));
  Numbers out;
  for (size_t i = 0; i < numbers.size(); ++i)
    if (found[i] != 0) out.push_back(numbers[i]);
  return NumberSet(std::move(out));
}

// From the catalog: it knows them before the index does.
Result<NumberSet> Evaluation::identity(const Node& node) const {
  auto by_digest = [&]() -> Result<Numbers> {
    auto prefix = DigestPrefix::parse(node.text);
    if (!prefix) return Numbers();
    auto digest = archive_.resolve(*prefix);
    if (!digest && digest.error().code == Code::kNotFound) return Numbers();
    if (!digest) return tl::unexpected<Error>(digest.error());
    ARCH_TRY(MessageInfo info, archive_.info(*digest));
    return Numbers{info.number};
  };
  if (node.field == "hash") {
    ARCH_TRY(Numbers one, by_digest());
    return NumberSet(std::move(one));
  }
  ARCH_TRY(Numbers numbers, archive_.by_message_id(node.text));
  std::sort(numbers.begin(), numbers.end());
  if (node.field == "id") return NumberSet(std::move(numbers));
  if (numbers.empty()) {
    ARCH_TRY(numbers, by_digest());
  }
  std::vector<NumberSet> threads;
  if (!numbers.empty()) {
    ARCH_TRY(std::vector<MessageInfo> infos, archive_.infos(numbers));
    std::set<uint64_t> seen;
    for (const MessageInfo& info : infos) {
      if (!seen.insert(info.thread).second) continue;
      ARCH_TRY(Numbers thread, archive_.by_thread(info.thread));
      std::sort(thread.begin(), thread.end());
      threads.push_back(std::move(thread));
    }
  }
  return unite(std::move(threads));
}

// ── words and phrases ──

Result<NumberSet> Evaluation::postings(const Leaf& leaf, const std::string& term, const NumberSet* within) const {
  std::vector<NumberSet> lists;
  for (std::string_view prefix : leaf.scope.prefixes) {
    ARCH_TRY(NumberSet list, reader_->postings(std::string(prefix) + term));
    if (within != nullptr) list = intersect(list, *within);
    lists.push_back(std::move(list));
  }
  return unite(std::move(lists));
}

Result<NumberSet> Evaluation::evaluate_leaf(const Leaf& leaf, const NumberSet* within) {
  if (reader_ == nullptr) return NumberSet();
  std::vector<NumberSet> lists;
  for (const std::string& term : leaf.terms) {
    ARCH_TRY(NumberSet list, postings(leaf, term, within));
    lists.push_back(std::move(list));
  }
  NumberSet certain = unite(std::move(lists));
  if (leaf.scope.text_decides) {
    if (leaf.phrase) {
      ARCH_TRY(NumberSet more, candidates(leaf, within));
      certain = unite(certain, more);
    }
    return verified(leaf, certain);
  }
  if (!leaf.phrase) return certain;
  ARCH_TRY(NumberSet possible, candidates(leaf, within));
  possible = subtract(possible, certain);
  ARCH_TRY(NumberSet found, verified(leaf, possible));
  return unite(certain, found);
}

// Every message that can hold the phrase, and some that do not.
Result<NumberSet> Evaluation::candidates(const Leaf& leaf, const NumberSet* within) const {
  struct Term {
    std::string term;
    uint64_t frequency;
  };
  std::vector<Term> terms;
  for (const std::string& word : leaf.ask.required) terms.push_back({word, frequency(leaf, word)});
  std::sort(terms.begin(), terms.end(), [](const Term& a, const Term& b) { return a.frequency < b.frequency; });
  std::optional<NumberSet> current;
  for (const Term& term : terms) {
    if (current && current->size() <= kFewCandidates && term.frequency / kLongListFactor > current->size()) break;
    ARCH_TRY(NumberSet next, postings(leaf, term.term, current ? &*current : within));
    current = std::move(next);
    if (current->empty()) break;
  }
  return current ? std::move(*current) : Numbers();
}

// Sequences of words decide what they can, the texts the rest.
Result<NumberSet> Evaluation::verified(const Leaf& leaf, const NumberSet& set) {
  if (leaf.scope.people != People::kNone || reader_ == nullptr || set.empty()) return verified_by_text(leaf, set);
  index::WordPattern pattern;
  pattern.pieces = leaf.scope.pieces;
  const Pattern::Words use = leaf.pattern.words(&pattern.sequence, &pattern.singles);
  if (use == Pattern::Words::kNothing) return verified_by_text(leaf, set);
  ARCH_TRY(index::IndexReader::Looked looked, reader_->look(pattern, set));
  switch (use) {
    case Pattern::Words::kAnswers: {
      ARCH_TRY(NumberSet more, verified_by_text(leaf, looked.undecided));
      return unite(looked.found, more);
    }
    case Pattern::Words::kFound: {
      ARCH_TRY(NumberSet more, verified_by_text(leaf, subtract(set, looked.found)));
      return unite(looked.found, more);
    }
    default:
      return verified_by_text(leaf, unite(looked.found, looked.undecided));
  }
}

Result<NumberSet> Evaluation::verified_by_text(const Leaf& leaf, const NumberSet& set) {
  const Numbers numbers = set.list();
  std::vector<char> found(numbers.size(), 0);
  std::atomic<uint64_t> without_text{0};
  auto check = [&](size_t begin, size_t end) -> Result<void> {
    std::vector<uint64_t> chunk(numbers.begin() + static_cast<std::ptrdiff_t>(begin),
                                numbers.begin() + static_cast<std::ptrdiff_t>(end));
    if (leaf.scope.people != People::kNone) {
      ARCH_TRY(std::vector<MessageInfo> infos, archive_.infos(chunk));
      for (size_t i = 0; i < infos.size(); ++i) {
        ARCH_TRY(bool matches, people_match(leaf, infos[i]));
        found[begin + i] = matches ? 1 : 0;
      }
      return {};
    }
    ARCH_TRY(std::vector<MessageText> texts, archive_.texts(chunk));
    for (size_t i = 0; i < texts.size(); ++i) {
      if (texts[i].empty()) ++without_text;
      for (const TextPiece& piece : texts[i]) {
        if ((leaf.scope.pieces & piece_bit(piece.field)) == 0 || !leaf.pattern.found_in(piece.text)) continue;
        found[begin + i] = 1;
        break;
      }
    }
    return {};
  };
  ARCH_TRY_VOID(in_chunks(numbers.size(), check));
  unverified_ += without_text;
  Numbers out;
  for (size_t i = 0; i < numbers.size(); ++i)
    if (found[i] != 0) out.push_back(numbers[i]);
  return NumberSet(std::move(out));
}

Result<bool> Evaluation::people_match(const Leaf& leaf, const MessageInfo& message) const {
  auto any = [&](const std::vector<mime::Address>& people) {
    return std::any_of(people.begin(), people.end(), [&](const mime::Address& person) {
      return leaf.pattern.found_in(person.name) || leaf.pattern.found_in(person.address);
    });
  };
  switch (leaf.scope.people) {
    case People::kFrom:
      return any(message.from);
    case People::kTo:
      if (any(message.to) || any(message.cc)) return true;
      return envelope_stands_for_to(leaf, message);
    case People::kCc:
      return any(message.cc);
    case People::kRcpt:
      if (any(message.to) || any(message.cc)) return true;
      break;
    default:
      break;
  }
  if (any(message.bcc)) return true;
  std::set<std::string> named;
  if (leaf.scope.people == People::kBcc)
    for (const auto* list : {&message.to, &message.cc})
      for (const mime::Address& person : *list) named.insert(text::address_term(person.address));
  for (uint64_t sequence : message.deliveries) {
    ARCH_TRY(DeliveryInfo delivery, archive_.delivery(sequence));
    for (const Recipient& recipient : delivery.delivery.rcpt)
      if (leaf.pattern.found_in(recipient.address) && named.count(text::address_term(recipient.address)) == 0)
        return true;
  }
  return false;
}

// As the index has it (query/index/document.cc): when To and Cc name nobody of the envelope (a list, an alias, a mail handed
// over for one recipient), the envelope says to whom it went.
Result<bool> Evaluation::envelope_stands_for_to(const Leaf& leaf, const MessageInfo& message) const {
  std::set<std::string> named;
  for (const auto* list : {&message.to, &message.cc})
    for (const mime::Address& person : *list) named.insert(text::address_term(person.address));
  bool found = false;
  for (uint64_t sequence : message.deliveries) {
    ARCH_TRY(DeliveryInfo delivery, archive_.delivery(sequence));
    for (const Recipient& recipient : delivery.delivery.rcpt) {
      if (named.count(text::address_term(recipient.address)) != 0) return false;
      found = found || leaf.pattern.found_in(recipient.address);
    }
  }
  return found;
}

}  // namespace arch::search
