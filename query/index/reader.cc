#include <xapian.h>

#include <algorithm>
#include <limits>

#include "engine/base/bytes.h"
#include "query/index/generation.h"
#include "query/index/index.h"
#include "query/index/store.h"
#include "query/index/terms.h"
#include "query/index/values.h"
#include "query/index/xapian_errors.h"

namespace arch::index {
namespace {

// A writer commits a few times a second at most; a call that is overtaken so often is not going to end.
constexpr int kAttempts = 10;

struct Shard {
  Xapian::Database db;
  uint64_t first = 0;
  uint64_t last = 0;  ///< number of its last document; first - 1 when it is empty
};

}  // namespace

struct IndexReader::State {
  std::string directory;  ///< ARCHIVE/index
  std::vector<Shard> shards;
  Xapian::Database late;
  bool has_late = false;
  uint64_t mark = 0;
  uint64_t documents = 0;

  Result<void> open_once();
  Result<void> open();

  // Runs `call` on the present view; when the writer has overtaken it, on a fresh one.
  template <class Call>
  auto retrying(const Call& call) -> decltype(call()) {
    for (int attempt = 1;; ++attempt) {
      auto done = guarded("the index in " + directory, call);
      if (done || done.error().code != Code::kTryAgain || attempt == kAttempts) return done;
      if (auto reopened = open(); !reopened) return tl::unexpected<Error>(reopened.error());
    }
  }
};

Result<void> IndexReader::State::open_once() {
  ARCH_TRY(GenerationState generation, current_generation(directory));
  if (generation.schema != kSchema)
    return fail(Code::kNotFound, "the index in " + directory + " is of an older version",
                "the engine builds it anew");
  return guarded(generation.directory, [&]() -> Result<void> {
    std::vector<Shard> opened;
    uint64_t count = 0;
    for (const ShardState& state : generation.shards) {
      Shard shard;
      shard.db = Xapian::Database(generation.directory + "/" + state.name);
      shard.first = state.first;
      shard.last = state.first - 1 + shard.db.get_lastdocid();
      count += shard.db.get_doccount();
      opened.push_back(std::move(shard));
    }
    std::string raw = opened.back().db.get_metadata("mark");
    if (raw.size() != 8) return fail(Code::kCorrupt, generation.directory + ": the newest shard has no mark");
    // Opened after the shards: late terms of messages that this view does not hold yet are left out below.
    late = Xapian::Database(generation.directory + "/" + kLateName);
    has_late = late.get_doccount() > 0;
    shards = std::move(opened);
    mark = from_be64(raw);
    documents = count;
    return {};
  });
}

Result<void> IndexReader::State::open() {
  for (int attempt = 1;; ++attempt) {
    auto done = open_once();
    if (done) return done;
    // A shard that was sealed between reading state.json and opening it is "not there".
    Code code = done.error().code;
    bool raced = code == Code::kTryAgain || code == Code::kNotFound || code == Code::kCorrupt;
    if (!raced || attempt == 3) return done;
  }
}

IndexReader::IndexReader() : state_(std::make_unique<State>()) {}
IndexReader::~IndexReader() = default;

Result<std::unique_ptr<IndexReader>> IndexReader::open(const std::string& archive_directory) {
  std::unique_ptr<IndexReader> reader(new IndexReader());
  reader->state_->directory = archive_directory + "/index";
  ARCH_TRY_VOID(reader->state_->open());
  return reader;
}

Result<void> begin_generation(const std::string& archive_directory) {
  return IndexStore::begin_beside(archive_directory + "/index");
}

Result<Building> building(const std::string& archive_directory) {
  const std::string directory = archive_directory + "/index";
  Building out;
  ARCH_TRY(std::vector<uint64_t> numbers, list_generations(directory));
  if (numbers.size() < 2) return out;
  auto newest = read_state(directory, numbers.back());
  if (!newest || newest->complete) return out;
  auto mark = guarded(newest->directory, [&]() -> Result<uint64_t> {
    const Xapian::Database shard(newest->directory + "/" + newest->shards.back().name);
    const std::string raw = shard.get_metadata("mark");
    return raw.size() == 8 ? from_be64(raw) : 0;
  });
  out.running = true;
  if (mark) out.mark = *mark;  // a shard that is being sealed is asked again next time
  return out;
}

Result<void> IndexReader::refresh() { return state_->open(); }
uint64_t IndexReader::mark() const { return state_->mark; }
uint64_t IndexReader::documents() const { return state_->documents; }
uint64_t IndexReader::partial() const { return frequency(std::string(kIsPartial)); }
uint64_t IndexReader::unread() const {
  const uint64_t unread = frequency(std::string(kIsUnread)), over = frequency(std::string(kIsRead));
  return unread > over ? unread - over : 0;
}

Result<Numbers> IndexReader::postings(const std::string& term) const {
  if (term.empty()) return all();
  State& s = *state_;
  return s.retrying([&]() -> Result<Numbers> {
    Numbers out;
    uint64_t last = 0;
    for (const Shard& shard : s.shards) {
      out.reserve(out.size() + shard.db.get_termfreq(term));
      Xapian::PostingIterator end = shard.db.postlist_end(term);
      for (Xapian::PostingIterator at = shard.db.postlist_begin(term); at != end; ++at)
        out.push_back(shard.first - 1 + *at);
      last = shard.last;
    }
    if (!s.has_late) return out;
    size_t in_shards = out.size();
    Xapian::PostingIterator end = s.late.postlist_end(term);
    for (Xapian::PostingIterator at = s.late.postlist_begin(term); at != end && *at <= last; ++at) out.push_back(*at);
    if (out.size() > in_shards) {
      std::inplace_merge(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(in_shards), out.end());
      out.erase(std::unique(out.begin(), out.end()), out.end());
    }
    return out;
  });
}

Result<std::vector<uint32_t>> IndexReader::counts(const std::string& term, const Numbers& numbers) const {
  State& s = *state_;
  return s.retrying([&]() -> Result<std::vector<uint32_t>> {
    std::vector<uint32_t> out(numbers.size());
    size_t i = 0;
    for (const Shard& shard : s.shards) {
      Xapian::PostingIterator at = shard.db.postlist_begin(term), end = shard.db.postlist_end(term);
      for (; i < numbers.size() && numbers[i] <= shard.last; ++i) {
        if (at == end || numbers[i] < shard.first) continue;
        const auto id = static_cast<Xapian::docid>(numbers[i] - shard.first + 1);
        at.skip_to(id);
        if (at != end && *at == id) out[i] = at.get_wdf();
      }
    }
    return out;
  });
}

uint64_t IndexReader::frequency(const std::string& term) const {
  State& s = *state_;
  auto count = s.retrying([&]() -> Result<uint64_t> {
    uint64_t sum = 0;
    for (const Shard& shard : s.shards) sum += term.empty() ? shard.db.get_doccount() : shard.db.get_termfreq(term);
    if (s.has_late && !term.empty()) sum += s.late.get_termfreq(term);
    return sum;
  });
  return count ? *count : 0;
}

Result<Numbers> IndexReader::all() const {
  State& s = *state_;
  return s.retrying([&]() -> Result<Numbers> {
    Numbers out;
    out.reserve(s.documents);
    for (const Shard& shard : s.shards) {
      if (shard.db.get_doccount() == shard.last + 1 - shard.first) {  // no gaps: nothing to read
        for (uint64_t number = shard.first; number <= shard.last; ++number) out.push_back(number);
        continue;
      }
      Xapian::PostingIterator end = shard.db.postlist_end({});
      for (Xapian::PostingIterator at = shard.db.postlist_begin({}); at != end; ++at)
        out.push_back(shard.first - 1 + *at);
    }
    return out;
  });
}

Result<void> IndexReader::vocabulary(const std::string& prefix,
                                     const std::function<bool(const std::string&, uint64_t)>& each) const {
  State& s = *state_;
  // A fresh view after being overtaken goes on behind the last term given.
  std::string done;
  bool any = false;
  return s.retrying([&]() -> Result<void> {
    struct Source {
      Xapian::TermIterator at, end;
    };
    std::vector<Source> sources;
    auto open = [&](const Xapian::Database& db) {
      Source source{db.allterms_begin(prefix), db.allterms_end(prefix)};
      if (any) source.at.skip_to(done);
      if (any && source.at != source.end && *source.at == done) ++source.at;
      if (source.at != source.end) sources.push_back(source);
    };
    for (const Shard& shard : s.shards) open(shard.db);
    if (s.has_late) open(s.late);
    while (!sources.empty()) {
      std::string least = *sources[0].at;
      for (size_t i = 1; i < sources.size(); ++i) {
        std::string term = *sources[i].at;
        if (term < least) least = std::move(term);
      }
      uint64_t sum = 0;
      for (size_t i = 0; i < sources.size();) {
        if (*sources[i].at == least) {
          sum += sources[i].at.get_termfreq();
          ++sources[i].at;
        }
        if (sources[i].at == sources[i].end) {
          sources.erase(sources.begin() + static_cast<std::ptrdiff_t>(i));
        } else {
          ++i;
        }
      }
      done = least;
      any = true;
      if (!each(done, sum)) return {};
    }
    return {};
  });
}

Result<std::vector<Column>> IndexReader::columns(const Numbers& numbers) const {
  State& s = *state_;
  return s.retrying([&]() -> Result<std::vector<Column>> {
    std::vector<Column> out(numbers.size());
    size_t i = 0;
    for (const Shard& shard : s.shards) {
      if (i == numbers.size()) break;
      if (numbers[i] > shard.last) continue;
      Xapian::ValueIterator at = shard.db.valuestream_begin(kColumnSlot);
      Xapian::ValueIterator end = shard.db.valuestream_end(kColumnSlot);
      for (; i < numbers.size() && numbers[i] <= shard.last; ++i) {
        if (numbers[i] < shard.first) continue;  // in no shard: a column of zeros
        auto id = static_cast<Xapian::docid>(numbers[i] - shard.first + 1);
        if (at == end) continue;
        at.skip_to(id);
        if (at == end || at.get_docid() != id) continue;
        if (!decode_column(*at, &out[i].date_s, &out[i].mail_key))
          return fail(Code::kCorrupt, "the index holds a malformed value for message " + std::to_string(numbers[i]));
      }
    }
    return out;
  });
}

Result<Numbers> IndexReader::date_range(int64_t from_s, int64_t to_s) const {
  State& s = *state_;
  return s.retrying([&]() -> Result<Numbers> {
    Numbers out;
    if (from_s >= to_s) return out;
    for (const Shard& shard : s.shards) {
      uint32_t low = 0;
      uint32_t high = 0;
      uint64_t key = 0;
      if (decode_column(shard.db.get_value_lower_bound(kColumnSlot), &low, &key) && low >= to_s) continue;
      if (decode_column(shard.db.get_value_upper_bound(kColumnSlot), &high, &key) && high < from_s) continue;
      Xapian::ValueIterator end = shard.db.valuestream_end(kColumnSlot);
      for (Xapian::ValueIterator at = shard.db.valuestream_begin(kColumnSlot); at != end; ++at) {
        uint32_t date = 0;
        if (!decode_column(*at, &date, &key))
          return fail(Code::kCorrupt, "the index holds a malformed value in the shard from message " +
                                          std::to_string(shard.first) + " on");
        if (date >= from_s && date < to_s) out.push_back(shard.first - 1 + at.get_docid());
      }
    }
    return out;
  });
}

}  // namespace arch::index
