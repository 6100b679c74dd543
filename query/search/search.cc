#include "query/search/search.h"

#include <algorithm>
#include <unordered_map>

#include "query/search/chunks.h"
#include "query/search/facets.h"
#include "query/search/searcher_state.h"
#include "query/search/snippet.h"

namespace arch::search {

constexpr size_t kFacetMonths = 36, kFacetValues = 8;

namespace {

struct Entry {
  uint32_t date_s;
  float score;
  uint64_t number;
};

bool newer(const Entry& a, const Entry& b) {
  return a.date_s != b.date_s ? a.date_s > b.date_s : a.number > b.number;
}
bool older(const Entry& a, const Entry& b) { return newer(b, a); }
bool better(const Entry& a, const Entry& b) { return a.score != b.score ? a.score > b.score : newer(a, b); }

// The first `count` in the order wanted: what is behind the last of them so far is not kept at all. skip(date, first, last): whether no
// message of first..last stands in front of one of that date; it may use the walk over the dates.
template <class Before, class Skip>
std::vector<Entry> first_of(const Mails& mails, const std::vector<float>& scores, size_t count, const Before& before,
                            const Skip& skip) {
  std::vector<Entry> out;
  if (count == 0) return out;
  const size_t most = 2 * count + 64;
  Entry last{};  // of the first `count`, when `full`
  bool full = false;
  size_t i = mails.shown.size();
  index::Dates::Walk walk(mails.date.known);
  const auto each = [&](uint64_t number) {
    const Entry entry{mails.date(number, &walk), scores.empty() ? 0 : scores[--i], number};
    if (full && !before(entry, last)) return true;
    out.push_back(entry);
    if (out.size() < most) return true;
    const auto middle = out.begin() + static_cast<std::ptrdiff_t>(count - 1);
    std::nth_element(out.begin(), middle, out.end(), before);
    last = *middle;
    full = true;
    out.resize(count);
    return true;
  };
  mails.shown.falling(each, [&](uint64_t from, uint64_t to) { return full && skip(&walk, last.date_s, from, to); });
  const auto end = out.begin() + static_cast<std::ptrdiff_t>(std::min(count, out.size()));
  std::partial_sort(out.begin(), end, out.end(), before);
  out.erase(end, out.end());
  return out;
}

Result<std::vector<Entry>> ordered(const Evaluation& evaluation, const Mails& mails, size_t count, Order wanted) {
  const auto never = [](index::Dates::Walk*, uint32_t, uint64_t, uint64_t) { return false; };
  switch (wanted) {
    case Order::kNewest:
      // Numbers rise with the arrival and dates mostly with them: beyond the newest few blocks hardly any need be looked at. Of equal
      // dates the higher number is the newer, and was seen before.
      return first_of(mails, {}, count, newer,
                      [&mails](index::Dates::Walk* walk, uint32_t date, uint64_t first, uint64_t last) {
                        return mails.date.unseen.empty() && !walk->any_younger(first, last, date);
                      });
    case Order::kOldest:
      return first_of(mails, {}, count, older, never);
    case Order::kRelevance:
      break;
  }
  ARCH_TRY(const std::vector<float> scores, evaluation.scores(mails.shown.list()));
  return first_of(mails, scores, count, better, never);
}

// Mail of these people, these domains and this time, and the query: no word of it is widened.
query::Node scoped(const query::Node& root, const Scope& scope) {
  using query::Node;
  Node all;
  all.kind = Node::Kind::kAnd;
  all.children.push_back(root);
  Node people;
  people.kind = Node::Kind::kOr;
  auto add = [&](const std::string& who) {
    for (const char* field : {"from", "rcpt"}) {
      Node leaf;
      leaf.kind = Node::Kind::kPhrase;  // an address: as it stands, and without aliases
      leaf.field = field;
      leaf.text = who;
      people.children.push_back(std::move(leaf));
    }
  };
  for (const std::string& address : scope.addresses) add(address);
  for (const std::string& domain : scope.domains) add("@" + domain);
  if (!people.children.empty()) all.children.push_back(std::move(people));
  if (scope.after != INT64_MIN || scope.before != INT64_MAX) {
    Node date;
    date.kind = Node::Kind::kDate;
    date.field = "date";
    date.from_s = scope.after == INT64_MIN ? INT64_MIN : scope.after / kNsPerSecond;
    date.to_s = scope.before == INT64_MAX ? INT64_MAX : scope.before / kNsPerSecond;
    all.children.push_back(std::move(date));
  }
  return all;
}

// The query with each word at its column replaced; empty when nothing was, or the word does not stand there as it is shown.
std::string corrected(const std::string& query, const std::vector<Suggestion>& suggestions) {
  std::string out;
  size_t done = 0;
  uint32_t column = 1;
  size_t at = 0;
  for (const Suggestion& suggestion : suggestions) {  // rising columns
    for (; at < query.size() && column < suggestion.column; ++column) {
      ++at;
      while (at < query.size() && (static_cast<uint8_t>(query[at]) & 0xc0) == 0x80) ++at;
    }
    // The column may be that of an operator in front.
    const size_t place = query.find(suggestion.word, at);
    if (place == std::string::npos || place < done) continue;
    out += query.substr(done, place - done) + suggestion.better;
    done = place + suggestion.word.size();
  }
  return done == 0 ? std::string() : out + query.substr(done);
}

}  // namespace

Result<Completeness> Searcher::State::completeness() const {
  Completeness out;
  ARCH_TRY(ArchiveStatus status, archive.status());
  out.stored = status.last_sequence;
  out.pending_bytes = status.pending_bytes;
  if (reader) {
    out.indexed = std::min(reader->mark(), out.stored);
    out.partial = reader->partial();
    out.unread = reader->unread();
  }
  out.pending = out.stored - out.indexed;
  if (out.indexed > 0) {
    ARCH_TRY(DeliveryInfo last, archive.delivery(out.indexed));
    out.complete_to = last.delivery.captured;
  }
  return out;
}

Searcher::Searcher() = default;
Searcher::~Searcher() = default;

Result<std::unique_ptr<Searcher>> Searcher::open(const Archive& archive) {
  std::unique_ptr<Searcher> searcher(new Searcher());
  searcher->state_ = std::make_unique<State>(archive);
  ARCH_TRY_VOID(searcher->state_->refresh());
  return searcher;
}

Result<Completeness> Searcher::completeness() {
  ARCH_TRY_VOID(state_->refresh());
  return state_->completeness();
}

bool Searcher::has_index() const { return state_->reader != nullptr; }

Result<std::unique_ptr<Searcher::State::Found>> Searcher::State::find(const Request& request) {
  auto found = std::make_unique<Found>();
  ARCH_TRY(found->query, query::parse(request.query, request.context));
  ARCH_TRY_VOID(refresh());
  ARCH_TRY(found->index, completeness());
  found->tree = request.scope.restricts() ? scoped(found->query.root, request.scope) : found->query.root;
  found->evaluation =
      std::make_unique<Evaluation>(archive, reader.get(), found->tree, request.widen, request.aliases);
  ARCH_TRY(found->messages, found->evaluation->run());
  found->as_of = found->index.indexed;
  if (request.as_of != 0 && request.as_of < found->as_of) {
    found->as_of = request.as_of;
    ARCH_TRY(uint64_t last, last_message_at(request.as_of));
    found->messages.remove_above(last);
  }
  return found;
}

// Messages are numbered in the order of their first deliveries.
Result<uint64_t> Searcher::State::last_message_at(uint64_t sequence) const {
  ARCH_TRY(ArchiveStatus status, archive.status());
  uint64_t low = 0, high = status.last_message;
  while (low < high) {
    const uint64_t middle = low + (high - low + 1) / 2;
    ARCH_TRY(MessageInfo info, archive.info(middle));
    if (!info.deliveries.empty() && info.deliveries.front() <= sequence) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

Result<Answer> Searcher::search(const Request& request) {
  State& s = *state_;
  if (request.limit > kMaxLimit)
    return fail(Code::kInvalid, "a page holds at most " + std::to_string(kMaxLimit) + " mails",
                "ask for further pages, or export");
  ARCH_TRY(std::unique_ptr<State::Found> found, s.find(request));
  Evaluation& evaluation = *found->evaluation;
  Answer answer;
  answer.index = found->index;
  answer.as_of = found->as_of;
  answer.interpreted = found->query.interpreted;
  answer.notices = std::move(found->query.notices);
  ARCH_TRY(const Mails mails, mails_of(s.archive, s.reader.get(), found->messages));
  answer.messages = found->messages.size();
  answer.total = mails.shown.size();
  answer.notices.insert(answer.notices.end(), evaluation.notices().begin(), evaluation.notices().end());
  ARCH_TRY(answer.suggestions, evaluation.suggestions());
  answer.did_you_mean = corrected(request.query, answer.suggestions);
  if (evaluation.unverified() > 0) {
    answer.total_exact = false;
    answer.notices.push_back({0, "the text of " + std::to_string(evaluation.unverified()) +
                                     " messages is not in the catalog, so that phrases in them were not looked for; "
                                     "archctl rebuild brings it back"});
  }

  if (request.facets != nullptr) {
    CountAnswer months;
    months.by = "month";
    months.total = answer.total;
    count_periods(mails, request.context.timezone, 7, kFacetMonths, &months);
    answer.facets.push_back(std::move(months));
    for (CountAnswer& facet : request.facets->count(mails.shown.list(), kFacetValues))
      answer.facets.push_back(std::move(facet));
  }

  const size_t offset = std::min<size_t>(request.offset, answer.total);
  const size_t end = offset + std::min<size_t>(request.limit, answer.total - offset);
  if (offset == end) return answer;
  ARCH_TRY(const std::vector<Entry> entries, ordered(evaluation, mails, end, request.order));

  std::unordered_map<uint64_t, size_t> places;  // message -> on the page
  std::vector<uint64_t> page;
  for (size_t i = offset; i < end; ++i) {
    places[entries[i].number] = page.size();
    page.push_back(entries[i].number);
  }
  answer.hits.resize(page.size());
  const std::vector<Wanted> wanted = request.snippets ? evaluation.wanted() : std::vector<Wanted>();
  // A row and a text of each are read and unpacked: most of the time of an answer. So few at once that both threads get as many of
  // a page of 50.
  constexpr size_t kHitsAtOnce = 5;
  const auto read = [&](size_t first, size_t last) -> Result<void> {
    const std::vector<uint64_t> numbers(page.begin() + static_cast<std::ptrdiff_t>(first),
                                        page.begin() + static_cast<std::ptrdiff_t>(last));
    ARCH_TRY(std::vector<MessageInfo> infos, s.archive.infos(numbers));
    for (size_t i = 0; i < infos.size(); ++i) answer.hits[first + i].message = std::move(infos[i]);
    if (!request.snippets) return {};
    ARCH_TRY(const std::vector<MessageText> texts,
             s.archive.texts(numbers));  // empty: the index has not been there yet
    for (size_t i = 0; i < texts.size(); ++i) answer.hits[first + i].snippet = make_snippet(texts[i], wanted);
    return {};
  };
  ARCH_TRY_VOID(in_chunks(page.size(), read, kHitsAtOnce));
  for (const Mails::Hidden& hidden : mails.hidden) {
    const auto place = places.find(hidden.shown);
    if (place == places.end()) continue;
    ARCH_TRY(MessageInfo info, s.archive.info(hidden.number));
    answer.hits[place->second].variants.push_back(info.digest);
  }
  return answer;
}

const std::string& Searcher::interpreted() const { return state_->interpreted; }
uint64_t Searcher::as_of() const { return state_->as_of; }

Result<std::vector<uint64_t>> Searcher::numbers(const Request& request, bool collapse) {
  ARCH_TRY(std::unique_ptr<State::Found> all, state_->find(request));
  state_->interpreted = all->query.interpreted;
  state_->as_of = all->as_of;
  Mails mails;
  if (collapse) {
    ARCH_TRY(mails, mails_of(state_->archive, state_->reader.get(), all->messages));
  } else {
    mails.shown = all->messages;
    ARCH_TRY(mails.date, dates_of(state_->archive, state_->reader.get(), all->messages));
  }
  ARCH_TRY(const std::vector<Entry> entries, ordered(*all->evaluation, mails, mails.shown.size(), request.order));
  std::vector<uint64_t> out;
  out.reserve(entries.size());
  for (const Entry& entry : entries) out.push_back(entry.number);
  return out;
}

}  // namespace arch::search
