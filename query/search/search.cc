#include "query/search/search.h"

#include <algorithm>
#include <unordered_map>

#include "query/search/evaluate.h"
#include "query/search/snippet.h"

namespace arch::search {
namespace {

struct Entry {
  uint32_t date_s;
  uint64_t number;
  uint64_t mail_key;
};

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

// The first `count` in the order wanted; the rest in any.
void order(std::vector<Entry>* entries, size_t count, bool oldest_first) {
  auto newer = [](const Entry& a, const Entry& b) {
    return a.date_s != b.date_s ? a.date_s > b.date_s : a.number > b.number;
  };
  auto older = [&](const Entry& a, const Entry& b) { return newer(b, a); };
  auto middle = entries->begin() + static_cast<std::ptrdiff_t>(std::min(count, entries->size()));
  if (oldest_first) {
    std::partial_sort(entries->begin(), middle, entries->end(), older);
  } else {
    std::partial_sort(entries->begin(), middle, entries->end(), newer);
  }
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

struct Searcher::State {
  explicit State(const Archive& with) : archive(with) {}
  const Archive& archive;
  std::unique_ptr<index::IndexReader> reader;  // null: nothing is indexed yet

  // The index first: the catalog then knows all that the index does.
  Result<void> refresh() {
    if (reader) {
      ARCH_TRY_VOID(reader->refresh());
    } else {
      auto opened = index::IndexReader::open(archive.directory());
      if (opened) {
        reader = std::move(*opened);
      } else if (opened.error().code != Code::kNotFound) {
        return tl::unexpected<Error>(opened.error());
      }
    }
    return archive.refresh();
  }
  Result<Completeness> completeness() const;
};

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

Result<Answer> Searcher::search(const Request& request) {
  State& s = *state_;
  if (request.limit > kMaxLimit)
    return fail(Code::kInvalid, "a page holds at most " + std::to_string(kMaxLimit) + " mails",
                "ask for further pages, or export");
  ARCH_TRY(query::Query query, query::parse(request.query, request.context));
  ARCH_TRY_VOID(s.refresh());
  Answer answer;
  ARCH_TRY(answer.index, s.completeness());
  answer.interpreted = query.interpreted;
  answer.notices = std::move(query.notices);

  Evaluation evaluation(s.archive, s.reader.get(), query.root, request.widen, request.aliases);
  ARCH_TRY(Numbers numbers, evaluation.run());
  ARCH_TRY(std::vector<index::Column> columns, evaluation.columns(numbers));
  std::vector<Entry> entries = collapsed(numbers, columns);
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

  size_t offset = std::min(request.offset, entries.size());
  size_t end = offset + std::min(request.limit, entries.size() - offset);
  if (offset == end) return answer;
  order(&entries, end, request.oldest_first);

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

Result<std::vector<uint64_t>> Searcher::numbers(const Request& request, bool collapse) {
  State& s = *state_;
  ARCH_TRY(query::Query query, query::parse(request.query, request.context));
  ARCH_TRY_VOID(s.refresh());
  Evaluation evaluation(s.archive, s.reader.get(), query.root, request.widen, request.aliases);
  ARCH_TRY(Numbers found, evaluation.run());
  ARCH_TRY(std::vector<index::Column> columns, evaluation.columns(found));
  std::vector<Entry> entries;
  if (collapse) {
    entries = collapsed(found, columns);
  } else {
    for (size_t i = 0; i < found.size(); ++i) entries.push_back({columns[i].date_s, found[i], columns[i].mail_key});
  }
  order(&entries, entries.size(), request.oldest_first);
  std::vector<uint64_t> out;
  out.reserve(entries.size());
  for (const Entry& entry : entries) out.push_back(entry.number);
  return out;
}

}  // namespace arch::search
