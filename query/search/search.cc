#include "query/search/search.h"

#include <algorithm>
#include <unordered_map>

#include "query/search/facets.h"
#include "query/search/searcher_state.h"
#include "query/search/snippet.h"

namespace arch::search {

constexpr size_t kFacetMonths = 36, kFacetValues = 8;

// Copies of one mail: the first captured stands for all.
std::vector<Entry> collapsed(const Numbers& numbers, const std::vector<index::Column>& columns) {
  std::vector<Entry> entries;
  entries.reserve(numbers.size());
  for (size_t i = 0; i < numbers.size(); ++i) entries.push_back({columns[i].date_s, numbers[i], columns[i].mail_key});
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.mail_key != b.mail_key ? a.mail_key < b.mail_key : a.number < b.number;
  });
  auto same = [](const Entry& a, const Entry& b) { return a.mail_key == b.mail_key; };
  entries.erase(std::unique(entries.begin(), entries.end(), same), entries.end());
  return entries;
}

namespace {

// The first `count` in the order wanted; the rest in any.
void order(std::vector<Entry>* entries, size_t count, Order wanted) {
  auto newer = [](const Entry& a, const Entry& b) {
    return a.date_s != b.date_s ? a.date_s > b.date_s : a.number > b.number;
  };
  auto older = [&](const Entry& a, const Entry& b) { return newer(b, a); };
  auto better = [&](const Entry& a, const Entry& b) { return a.score != b.score ? a.score > b.score : newer(a, b); };
  auto middle = entries->begin() + static_cast<std::ptrdiff_t>(std::min(count, entries->size()));
  switch (wanted) {
    case Order::kNewest:
      return std::partial_sort(entries->begin(), middle, entries->end(), newer);
    case Order::kOldest:
      return std::partial_sort(entries->begin(), middle, entries->end(), older);
    case Order::kRelevance:
      return std::partial_sort(entries->begin(), middle, entries->end(), better);
  }
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

Result<void> score(const Evaluation& evaluation, std::vector<Entry>* entries) {
  std::sort(entries->begin(), entries->end(), [](const Entry& a, const Entry& b) { return a.number < b.number; });
  Numbers numbers;
  numbers.reserve(entries->size());
  for (const Entry& entry : *entries) numbers.push_back(entry.number);
  ARCH_TRY(std::vector<float> scores, evaluation.scores(numbers));
  for (size_t i = 0; i < scores.size(); ++i) (*entries)[i].score = scores[i];
  return {};
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
  ARCH_TRY(found->numbers, found->evaluation->run());
  found->as_of = found->index.indexed;
  if (request.as_of != 0 && request.as_of < found->as_of) {
    found->as_of = request.as_of;
    ARCH_TRY(uint64_t last, last_message_at(request.as_of));
    found->numbers.erase(std::upper_bound(found->numbers.begin(), found->numbers.end(), last), found->numbers.end());
  }
  ARCH_TRY(found->columns, found->evaluation->columns(found->numbers));
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
  const Numbers& numbers = found->numbers;
  const std::vector<index::Column>& columns = found->columns;
  Answer answer;
  answer.index = found->index;
  answer.as_of = found->as_of;
  answer.interpreted = found->query.interpreted;
  answer.notices = std::move(found->query.notices);
  std::vector<Entry> entries = collapsed(numbers, columns);
  if (request.order == Order::kRelevance) ARCH_TRY_VOID(score(evaluation, &entries));
  answer.messages = numbers.size();
  answer.total = entries.size();
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
    months.total = entries.size();
    count_periods(entries, request.context.timezone, 7, kFacetMonths, &months);
    answer.facets.push_back(std::move(months));
    Numbers mails;
    mails.reserve(entries.size());
    for (const Entry& entry : entries) mails.push_back(entry.number);
    for (CountAnswer& facet : request.facets->count(mails, kFacetValues)) answer.facets.push_back(std::move(facet));
  }

  size_t offset = std::min(request.offset, entries.size());
  size_t end = offset + std::min(request.limit, entries.size() - offset);
  if (offset == end) return answer;
  order(&entries, end, request.order);

  std::unordered_map<uint64_t, size_t> places;  // mail key -> on the page
  std::vector<uint64_t> page;
  for (size_t i = offset; i < end; ++i) {
    places[entries[i].mail_key] = page.size();
    page.push_back(entries[i].number);
  }
  ARCH_TRY(std::vector<MessageInfo> infos, s.archive.infos(page));
  for (MessageInfo& info : infos) {
    answer.hits.emplace_back();
    answer.hits.back().message = std::move(info);
  }
  for (size_t i = 0; i < numbers.size() && answer.messages > answer.total; ++i) {
    auto place = places.find(columns[i].mail_key);
    if (place == places.end() || numbers[i] == page[place->second]) continue;
    ARCH_TRY(MessageInfo info, s.archive.info(numbers[i]));
    answer.hits[place->second].variants.push_back(info.digest);
  }
  if (!request.snippets) return answer;
  std::vector<Wanted> wanted = evaluation.wanted();
  for (Hit& hit : answer.hits) {
    auto text = s.archive.text(hit.message.number);
    if (!text && text.error().code == Code::kNotFound) continue;  // the index has not been there yet
    if (!text) return tl::unexpected<Error>(text.error());
    hit.snippet = make_snippet(*text, wanted);
  }
  return answer;
}

const std::string& Searcher::interpreted() const { return state_->interpreted; }
uint64_t Searcher::as_of() const { return state_->as_of; }

Result<std::vector<uint64_t>> Searcher::numbers(const Request& request, bool collapse) {
  ARCH_TRY(std::unique_ptr<State::Found> all, state_->find(request));
  state_->interpreted = all->query.interpreted;
  state_->as_of = all->as_of;
  const Numbers& found = all->numbers;
  const std::vector<index::Column>& columns = all->columns;
  std::vector<Entry> entries;
  if (collapse) {
    entries = collapsed(found, columns);
  } else {
    for (size_t i = 0; i < found.size(); ++i) entries.push_back({columns[i].date_s, found[i], columns[i].mail_key});
  }
  if (request.order == Order::kRelevance) ARCH_TRY_VOID(score(*all->evaluation, &entries));
  order(&entries, entries.size(), request.order);
  std::vector<uint64_t> out;
  out.reserve(entries.size());
  for (const Entry& entry : entries) out.push_back(entry.number);
  return out;
}

}  // namespace arch::search
