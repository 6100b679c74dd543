#include "query/search/search.h"

#include <algorithm>
#include <optional>
#include <thread>
#include <unordered_map>

#include "engine/base/limits.h"
#include "query/index/terms.h"
#include "query/search/match.h"
#include "query/text/analyser.h"

namespace arch::search {

namespace {

using index::Numbers;
using internal::Marked;
using internal::Phrase;
using query::Node;
using Kind = query::Node::Kind;

constexpr size_t kVerifyChunk = 128;  // messages whose texts are read at once
constexpr size_t kMaxWidened = 200;   // terms one word is widened to
constexpr size_t kSnippetBytes = 200;
constexpr size_t kMinStemLetters = 3;

Numbers intersect(const Numbers& a, const Numbers& b) {
  Numbers out;
  const Numbers& small = a.size() <= b.size() ? a : b;
  const Numbers& large = a.size() <= b.size() ? b : a;
  if (small.size() * 32 < large.size()) {
    auto from = large.begin();
    for (uint64_t number : small) {
      from = std::lower_bound(from, large.end(), number);
      if (from == large.end()) break;
      if (*from == number) out.push_back(number);
    }
    return out;
  }
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

Numbers unite(const Numbers& a, const Numbers& b) {
  if (a.empty()) return b;
  if (b.empty()) return a;
  Numbers out;
  out.reserve(a.size() + b.size());
  std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

Numbers subtract(const Numbers& a, const Numbers& b) {
  Numbers out;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

// Where a field's words lie in the index, and what its phrases are decided on.
struct Place {
  std::string_view prefix;
  bool by_people = false;       ///< phrases are looked for in names and addresses
  std::vector<uint8_t> pieces;  ///< else in these pieces of text
  bool always_by_text = false;  ///< the terms are those of any text: the pieces decide single words too
};

Place place_of(const std::string& field) {
  if (field == "from") return {index::kFrom, true, {}, false};
  if (field == "to") return {index::kTo, true, {}, false};
  if (field == "cc") return {index::kCc, true, {}, false};
  if (field == "bcc") return {index::kBcc, true, {}, false};
  if (field == "rcpt") return {index::kRcpt, true, {}, false};
  if (field == "subject") return {index::kSubject, false, {TextPiece::kSubject}, false};
  if (field == "filename") return {index::kFileName, false, {TextPiece::kFileName}, false};
  if (field == "body") return {index::kGeneral, false, {TextPiece::kBody, TextPiece::kQuoted}, true};
  if (field == "attachment") return {index::kGeneral, false, {TextPiece::kAttachment}, true};
  return {index::kGeneral,
          false,
          {TextPiece::kSubject, TextPiece::kBody, TextPiece::kQuoted, TextPiece::kFileName, TextPiece::kAttachment},
          false};
}

bool only_letters(std::string_view term) {
  return std::all_of(term.begin(), term.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80; });
}

}  // namespace

struct Searcher::State {
  const Archive* archive = nullptr;
  std::unique_ptr<index::IndexReader> index;
  text::Stemmer french{text::Stemmer::Language::kFrench};
  text::Stemmer english{text::Stemmer::Language::kEnglish};

  // of the query under way
  bool widen = true;
  Marked marked;
  std::vector<query::Notice> notices;
  bool negated = false;

  Result<Numbers> evaluate(const Node& node, const Numbers* within);
  Result<Numbers> evaluate_and(const Node& node, const Numbers* within);
  Result<Numbers> word(const Node& node, const Numbers* within);
  Result<Numbers> phrase(const Node& node, const Numbers* within, bool exact);
  Result<Numbers> prefix(const Node& node, const Numbers* within);
  Result<Numbers> by_name(const Node& node);
  Result<Numbers> by_text(const Place& place, const Phrase& wanted, Numbers candidates);
  Result<bool> people_hold(const std::string_view prefix, uint64_t number, const Phrase& wanted);
  Result<std::vector<std::string>> forms(std::string_view prefix, const std::string& word);
  Result<Numbers> all_of_terms(std::string_view prefix, const std::vector<std::string>& terms, const Numbers* within);
  static bool says_nothing(const Node& node);

  struct Ranked {
    uint32_t date_s;
    uint64_t number;
    uint64_t key;
  };
  Result<std::vector<Ranked>> rank(const Numbers& numbers, bool oldest_first);
  Result<Numbers> run(const Request& request, query::Query* parsed);
  Result<Completeness> completeness();
};

Searcher::Searcher() : state_(std::make_unique<State>()) {}
Searcher::~Searcher() = default;

Result<std::unique_ptr<Searcher>> Searcher::open(const Archive& archive) {
  auto searcher = std::unique_ptr<Searcher>(new Searcher);
  searcher->state_->archive = &archive;
  auto index = index::IndexReader::open(archive.directory());
  if (index)
    searcher->state_->index = std::move(*index);
  else if (index.error().code != Code::kNotFound)
    return tl::unexpected<Error>(index.error());
  return searcher;
}

// ── evaluation: sorted lists of message numbers ──

// A node whose text holds no word ("-", "…") restricts nothing.
bool Searcher::State::says_nothing(const Node& node) {
  switch (node.kind) {
    case Kind::kWord:
    case Kind::kPhrase:
    case Kind::kExact:
      if (node.field == "id" || node.field == "hash" || node.field == "thread") return false;
      return text::ask(node.text).words.empty();
    case Kind::kPrefix:
      return text::ask(node.text).words.empty();
    default:
      return false;
  }
}

Result<Numbers> Searcher::State::evaluate(const Node& node, const Numbers* within) {
  switch (node.kind) {
    case Kind::kAll:
      return within != nullptr ? Result<Numbers>(*within) : index->all();
    case Kind::kAnd:
      return evaluate_and(node, within);
    case Kind::kOr: {
      Numbers out;
      for (const Node& child : node.children) {
        ARCH_TRY(Numbers numbers, evaluate(child, within));
        out = unite(out, numbers);
      }
      return out;
    }
    case Kind::kNot: {
      negated = !negated;
      auto excluded = evaluate(node.children.front(), within);
      negated = !negated;
      if (!excluded) return excluded;
      if (within != nullptr) return subtract(*within, *excluded);
      ARCH_TRY(Numbers everything, index->all());
      return subtract(everything, *excluded);
    }
    default:
      break;
  }
  if (says_nothing(node)) {
    notices.push_back({node.column, "\"" + node.text + "\" holds no word and was left out"});
    if (negated) return Numbers{};
    return within != nullptr ? Result<Numbers>(*within) : index->all();
  }
  Result<Numbers> numbers = Numbers{};
  switch (node.kind) {
    case Kind::kWord:
      numbers =
          node.field == "id" || node.field == "hash" || node.field == "thread" ? by_name(node) : word(node, within);
      break;
    case Kind::kPhrase:
      numbers = node.field == "id" || node.field == "hash" || node.field == "thread" ? by_name(node)
                                                                                     : phrase(node, within, false);
      break;
    case Kind::kExact:
      numbers = phrase(node, within, true);
      break;
    case Kind::kPrefix:
      numbers = prefix(node, within);
      break;
    case Kind::kDate:
      numbers = index->date_range(node.from_s, node.to_s);
      break;
    case Kind::kHas: {
      const std::string_view term = node.text == "attachment" ? index::kHasAttachment
                                    : node.text == "partial"  ? index::kIsPartial
                                    : node.text == "unread"   ? index::kIsUnread
                                                              : index::kIsEncrypted;
      numbers = index->postings(std::string(term));
      break;
    }
    default:
      break;
  }
  if (!numbers || within == nullptr) return numbers;
  return intersect(*numbers, *within);
}

// What costs a look-up first, what reads texts last and only within the rest, exclusions at the end.
Result<Numbers> Searcher::State::evaluate_and(const Node& node, const Numbers* within) {
  const auto cost = [](const Node& child) {
    switch (child.kind) {
      case Kind::kWord:
      case Kind::kHas:
        return child.field == "body" || child.field == "attachment" ? 4 : 0;
      case Kind::kDate:
      case Kind::kPrefix:
        return 1;
      case Kind::kPhrase:
      case Kind::kExact:
        return 4;
      case Kind::kNot:
        return 5;
      default:
        return 3;
    }
  };
  std::vector<const Node*> order;
  for (const Node& child : node.children) order.push_back(&child);
  std::stable_sort(order.begin(), order.end(), [&](const Node* a, const Node* b) { return cost(*a) < cost(*b); });
  Numbers current;
  const Numbers* limit = within;
  for (const Node* child : order) {
    ARCH_TRY(Numbers next, evaluate(*child, limit));
    current = std::move(next);
    limit = &current;
    if (current.empty()) break;
  }
  return current;
}

// All terms with the same French or English stem: the vocabulary is walked from the stem's first letters.
Result<std::vector<std::string>> Searcher::State::forms(std::string_view prefix, const std::string& word) {
  std::vector<std::string> out{word};
  if (!widen || word.size() < kMinStemLetters || !only_letters(word)) return out;
  const std::string french_stem = french.stem(word), english_stem = english.stem(word);
  size_t shared = std::min({french_stem.size(), english_stem.size(), word.size()});
  while (shared > 0 && (word.compare(0, shared, french_stem, 0, shared) != 0 ||
                        word.compare(0, shared, english_stem, 0, shared) != 0))
    --shared;
  shared = std::max(shared > 2 ? shared - 1 : shared, std::min<size_t>(kMinStemLetters, word.size()));
  while (shared > 0 && shared < word.size() && (static_cast<unsigned char>(word[shared]) & 0xc0) == 0x80) --shared;
  if (shared == 0) return out;
  std::vector<std::pair<uint64_t, std::string>> found;
  const std::string from = std::string(prefix) + word.substr(0, shared);
  ARCH_TRY_VOID(index->vocabulary(from, [&](const std::string& term, uint64_t frequency) {
    const std::string candidate = term.substr(prefix.size());
    if (candidate == word || !only_letters(candidate)) return true;
    if (french.stem(candidate) == french_stem || english.stem(candidate) == english_stem)
      found.emplace_back(frequency, candidate);
    return true;
  }));
  std::sort(found.rbegin(), found.rend());
  if (found.size() > kMaxWidened) found.resize(kMaxWidened);
  for (auto& [frequency, term] : found) out.push_back(std::move(term));
  return out;
}

Result<Numbers> Searcher::State::all_of_terms(std::string_view prefix, const std::vector<std::string>& terms,
                                              const Numbers* within) {
  // The rarest first: the rest need only be looked up for what it leaves.
  std::vector<std::pair<uint64_t, std::string>> order;
  for (const std::string& term : terms)
    order.emplace_back(index->frequency(std::string(prefix) + term), std::string(prefix) + term);
  std::sort(order.begin(), order.end());
  std::optional<Numbers> current;
  if (within != nullptr) current = *within;
  for (const auto& [frequency, term] : order) {
    if (frequency == 0) return Numbers{};
    // A term that nearly every candidate holds costs more to read than it saves.
    if (current && current->size() * 64 < frequency) continue;
    ARCH_TRY(Numbers numbers, index->postings(term));
    current = current ? intersect(*current, numbers) : std::move(numbers);
    if (current->empty()) break;
  }
  return current ? std::move(*current) : Numbers{};
}

Result<Numbers> Searcher::State::word(const Node& node, const Numbers* within) {
  const Place place = place_of(node.field);
  const text::Ask ask = text::ask(node.text);
  const std::string prefix(place.prefix);
  Numbers out;
  if (place.always_by_text) {
    if (ask.words.size() == 1) {
      ARCH_TRY(auto words, forms(place.prefix, ask.words.front()));
      for (const std::string& form : words) {
        if (!negated) marked.words.insert(form);
        ARCH_TRY(Numbers candidates, index->postings(prefix + form));
        if (within != nullptr) candidates = intersect(candidates, *within);
        ARCH_TRY(Numbers found, by_text(place, Phrase{{form}, {}}, std::move(candidates)));
        out = unite(out, found);
      }
      return out;
    }
    return phrase(node, within, false);
  }
  for (const std::string& whole : ask.whole) {
    ARCH_TRY(Numbers numbers, index->postings(prefix + whole));
    out = unite(out, numbers);
  }
  if (ask.only_whole) {
    if (!negated) marked.phrases.push_back(internal::make_phrase(node.text, false));
    return out;
  }
  if (ask.words.size() > 1) {
    ARCH_TRY(Numbers numbers, phrase(node, within, false));
    return unite(out, numbers);
  }
  ARCH_TRY(auto words, forms(place.prefix, ask.words.front()));
  for (const std::string& form : words) {
    if (!negated) marked.words.insert(form);
    if (form == ask.words.front()) continue;  // among the whole ones
    ARCH_TRY(Numbers numbers, index->postings(prefix + form));
    out = unite(out, numbers);
  }
  return out;
}

Result<Numbers> Searcher::State::phrase(const Node& node, const Numbers* within, bool exact) {
  const Place place = place_of(node.field);
  const text::Ask ask = text::ask(node.text);
  const std::string prefix(place.prefix);
  Phrase wanted = internal::make_phrase(node.text, exact);
  if (!negated) marked.phrases.push_back(wanted);

  Numbers certain;
  const bool text_decides = exact || place.always_by_text;
  if (!text_decides) {
    for (const std::string& whole : ask.whole) {
      ARCH_TRY(Numbers numbers, index->postings(prefix + whole));
      certain = unite(certain, numbers);
    }
    if (ask.only_whole || ask.words.size() == 1) return certain;
  }
  std::vector<std::string> required = place.prefix == index::kGeneral ? ask.required : ask.words;
  if (required.empty()) required = ask.words;
  if (place.prefix == index::kGeneral)
    text::index_pairs(
        node.text, [&](std::string_view pair) { required.push_back(std::string(index::kPair) + std::string(pair)); });
  std::sort(required.begin(), required.end());
  required.erase(std::unique(required.begin(), required.end()), required.end());
  ARCH_TRY(Numbers candidates, all_of_terms(place.prefix, required, within));
  if (!certain.empty()) candidates = subtract(candidates, certain);
  ARCH_TRY(Numbers found, by_text(place, wanted, std::move(candidates)));
  return unite(certain, found);
}

Result<bool> Searcher::State::people_hold(std::string_view prefix, uint64_t number, const Phrase& wanted) {
  ARCH_TRY(MessageInfo info, archive->info(number));
  const auto any = [&](const std::vector<mime::Address>& people) {
    return std::any_of(people.begin(), people.end(), [&](const mime::Address& person) {
      return internal::holds(person.name + " " + person.address, wanted);
    });
  };
  if (prefix == index::kFrom) return any(info.from);
  if (prefix == index::kTo) return any(info.to);
  if (prefix == index::kCc) return any(info.cc);
  if (any(info.bcc)) return true;
  if (prefix == index::kRcpt && (any(info.to) || any(info.cc))) return true;
  for (uint64_t sequence : info.deliveries) {
    ARCH_TRY(DeliveryInfo delivery, archive->delivery(sequence));
    for (const Recipient& recipient : delivery.delivery.rcpt)
      if (internal::holds(recipient.address, wanted)) return true;
  }
  return false;
}

// Candidates whose text holds the phrase; two threads when there are many.
Result<Numbers> Searcher::State::by_text(const Place& place, const Phrase& wanted, Numbers candidates) {
  if (place.by_people) {
    Numbers out;
    for (uint64_t number : candidates) {
      ARCH_TRY(bool holds, people_hold(place.prefix, number, wanted));
      if (holds) out.push_back(number);
    }
    return out;
  }
  const auto check = [&](size_t from, size_t to) -> Result<Numbers> {
    Numbers out;
    for (size_t at = from; at < to; at += kVerifyChunk) {
      const std::vector<uint64_t> chunk(
          candidates.begin() + static_cast<std::ptrdiff_t>(at),
          candidates.begin() + static_cast<std::ptrdiff_t>(std::min(to, at + kVerifyChunk)));
      ARCH_TRY(auto texts, archive->texts(chunk));
      for (size_t i = 0; i < chunk.size(); ++i) {
        const bool holds = std::any_of(texts[i].begin(), texts[i].end(), [&](const TextPiece& piece) {
          return std::find(place.pieces.begin(), place.pieces.end(), piece.field) != place.pieces.end() &&
                 internal::holds(piece.text, wanted);
        });
        if (holds) out.push_back(chunk[i]);
      }
    }
    return out;
  };
  if (candidates.size() < 4 * kVerifyChunk) return check(0, candidates.size());
  const size_t half = candidates.size() / 2;
  Result<Numbers> second = Numbers{};
  std::thread other([&] { second = check(half, candidates.size()); });
  Result<Numbers> first = check(0, half);
  other.join();
  if (!first) return first;
  if (!second) return second;
  first->insert(first->end(), second->begin(), second->end());
  return first;
}

Result<Numbers> Searcher::State::prefix(const Node& node, const Numbers* within) {
  const Place place = place_of(node.field);
  const std::string folded = text::fold(node.text);
  Numbers out;
  size_t terms = 0;
  Result<void> failure;
  ARCH_TRY_VOID(index->vocabulary(std::string(place.prefix) + folded, [&](const std::string& term, uint64_t) {
    if (++terms > limits::kPrefixExpansion) {
      failure = fail(Code::kInvalid,
                     "column " + std::to_string(node.column) + ": " + node.text + "* stands for more than " +
                         std::to_string(limits::kPrefixExpansion) + " words",
                     "give more letters");
      return false;
    }
    auto numbers = index->postings(term);
    if (!numbers) {
      failure = tl::unexpected<Error>(numbers.error());
      return false;
    }
    out = unite(out, *numbers);
    return true;
  }));
  ARCH_TRY_VOID(std::move(failure));
  if (!negated) marked.prefixes.push_back(folded);
  if (!place.always_by_text) return out;
  // In which piece the word stands, the text says.
  if (within != nullptr) out = intersect(out, *within);
  Numbers found;
  for (size_t at = 0; at < out.size(); at += kVerifyChunk) {
    const std::vector<uint64_t> chunk(
        out.begin() + static_cast<std::ptrdiff_t>(at),
        out.begin() + static_cast<std::ptrdiff_t>(std::min(out.size(), at + kVerifyChunk)));
    ARCH_TRY(auto texts, archive->texts(chunk));
    for (size_t i = 0; i < chunk.size(); ++i) {
      bool holds = false;
      for (const TextPiece& piece : texts[i]) {
        if (holds || std::find(place.pieces.begin(), place.pieces.end(), piece.field) == place.pieces.end()) continue;
        text::Scanner scanner(piece.text);
        while (!holds && scanner.next()) holds = scanner.term().substr(0, folded.size()) == folded;
      }
      if (holds) found.push_back(chunk[i]);
    }
  }
  return found;
}

// id:, hash:, thread: are look-ups in the catalog.
Result<Numbers> Searcher::State::by_name(const Node& node) {
  std::string value = node.text;
  if (value.size() >= 2 && value.front() == '<' && value.back() == '>') value = value.substr(1, value.size() - 2);
  Numbers numbers;
  if (node.field == "id") {
    ARCH_TRY(numbers, archive->by_message_id(value));
  } else {
    auto prefix = DigestPrefix::parse(value);
    if (prefix) {
      auto digest = archive->resolve(*prefix);
      if (!digest && digest.error().code != Code::kNotFound) return tl::unexpected<Error>(digest.error());
      if (digest) {
        ARCH_TRY(MessageInfo info, archive->info(*digest));
        numbers.push_back(info.number);
      }
    } else if (node.field == "hash") {
      return fail(Code::kInvalid, "column " + std::to_string(node.column) + ": " + prefix.error().what,
                  prefix.error().hint);
    }
    if (node.field == "thread") {
      if (numbers.empty()) {
        ARCH_TRY(numbers, archive->by_message_id(value));
      }
      Numbers members;
      for (uint64_t number : numbers) {
        ARCH_TRY(MessageInfo info, archive->info(number));
        ARCH_TRY(Numbers thread, archive->by_thread(info.thread));
        std::sort(thread.begin(), thread.end());
        members = unite(members, thread);
      }
      numbers = std::move(members);
    }
  }
  std::sort(numbers.begin(), numbers.end());
  ARCH_TRY(Numbers indexed, index->all());
  return intersect(numbers, indexed);
}

// ── ranking and answers ──

// One of each mail key, in order.
Result<std::vector<Searcher::State::Ranked>> Searcher::State::rank(const Numbers& numbers, bool oldest_first) {
  ARCH_TRY(auto columns, index->columns(numbers));
  std::vector<Ranked> ranked(numbers.size());
  for (size_t i = 0; i < numbers.size(); ++i) ranked[i] = {columns[i].date_s, numbers[i], columns[i].mail_key};
  std::sort(ranked.begin(), ranked.end(), [oldest_first](const Ranked& a, const Ranked& b) {
    const auto left = std::make_pair(a.date_s, a.number), right = std::make_pair(b.date_s, b.number);
    return oldest_first ? left < right : right < left;
  });
  return ranked;
}

Result<Numbers> Searcher::State::run(const Request& request, query::Query* parsed) {
  ARCH_TRY(*parsed, query::parse(request.query, request.context));
  widen = request.widen;
  marked = Marked{};
  notices = parsed->notices;
  negated = false;
  if (!index) return Numbers{};
  return evaluate(parsed->root, nullptr);
}

Result<Completeness> Searcher::State::completeness() {
  ARCH_TRY(ArchiveStatus status, archive->status());
  Completeness out;
  out.stored = status.last_sequence;
  out.pending_bytes = status.pending_bytes;
  if (index) {
    out.indexed = index->mark();
    out.partial = index->partial();
    out.unread = index->unread();
  }
  out.stored = std::max(out.stored, out.indexed);  // the index may have been read a moment later
  out.pending = out.stored - out.indexed;
  if (out.pending == 0) {
    out.complete_to = status.applied_to;
  } else if (out.indexed > 0) {
    auto last = archive->delivery(out.indexed);
    if (last) out.complete_to = last->delivery.captured;
  }
  return out;
}

Result<Answer> Searcher::search(const Request& request) {
  State& state = *state_;
  query::Query parsed;
  ARCH_TRY(Numbers numbers, state.run(request, &parsed));
  Answer answer;
  answer.interpreted = parsed.interpreted;
  ARCH_TRY(answer.index, state.completeness());
  answer.notices = state.notices;
  answer.messages = numbers.size();
  if (numbers.empty()) return answer;

  ARCH_TRY(auto ranked, state.rank(numbers, request.oldest_first));
  std::unordered_map<uint64_t, size_t> first_of_key;  // -> place among the mails
  std::vector<std::vector<uint64_t>> page;            // numbers of each mail shown, the one that stands for it first
  for (const State::Ranked& entry : ranked) {
    auto [found, fresh] = first_of_key.emplace(entry.key, first_of_key.size());
    const size_t place = found->second;
    if (place < request.offset || place >= request.offset + request.limit) continue;
    if (fresh) page.emplace_back();
    page[place - request.offset].push_back(entry.number);
  }
  answer.total = first_of_key.size();
  for (const std::vector<uint64_t>& mail : page) {
    Hit hit;
    ARCH_TRY(hit.message, state.archive->info(mail.front()));
    for (size_t i = 1; i < mail.size(); ++i) {
      ARCH_TRY(MessageInfo variant, state.archive->info(mail[i]));
      hit.variants.push_back(variant.digest);
    }
    if (request.snippets) {
      auto text = state.archive->text(mail.front());
      if (text)
        hit.snippet = internal::make_snippet(*text, state.marked, kSnippetBytes);
      else if (text.error().code != Code::kNotFound)
        return tl::unexpected<Error>(text.error());
    }
    answer.hits.push_back(std::move(hit));
  }
  return answer;
}

Result<std::vector<uint64_t>> Searcher::numbers(const Request& request, bool collapse) {
  State& state = *state_;
  query::Query parsed;
  ARCH_TRY(Numbers numbers, state.run(request, &parsed));
  std::vector<uint64_t> out;
  if (numbers.empty()) return out;
  ARCH_TRY(auto ranked, state.rank(numbers, request.oldest_first));
  std::unordered_map<uint64_t, bool> seen;
  for (const State::Ranked& entry : ranked)
    if (!collapse || seen.emplace(entry.key, true).second) out.push_back(entry.number);
  return out;
}

}  // namespace arch::search
