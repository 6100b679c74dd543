#include <xapian.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "engine/base/bytes.h"
#include "engine/base/settled.h"
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
constexpr size_t kGenerations = 4;  // whose files stay open; more are of archives that are looked at in passing

struct Shard {
  std::string name;
  Xapian::Database db;
  uint64_t first = 0;
  uint64_t last = 0;  ///< number of its last document; first - 1 when it is empty
  uint64_t documents = 0;
};

/// What all readers of one process share of the sealed shards of one generation: they never change, so that what was read of
/// them once holds until others take their place. Any thread.
class Sealed {
 public:
  explicit Sealed(std::vector<std::shared_ptr<const ShardColumns>> with_columns) : columns(std::move(with_columns)) {}
  const std::vector<std::shared_ptr<const ShardColumns>> columns;

  std::shared_ptr<const NumberSet> find(const std::string& term) {
    const std::lock_guard lock(mutex_);
    const auto at = postings_.find(term);
    return at == postings_.end() ? nullptr : at->second;
  }
  void keep(const std::string& term, std::shared_ptr<const NumberSet> set) {
    constexpr size_t kBytes = 64u << 20;
    const std::lock_guard lock(mutex_);
    const size_t bytes = set->bytes() + term.size() + kEntry;
    bytes_ += bytes;
    if (bytes_ > kBytes) {  // what is asked often comes back soon
      postings_.clear();
      bytes_ = bytes;
    }
    postings_[term] = std::move(set);
  }

  /// Terms that begin alike, rising, and how many documents have each.
  using Vocabulary = std::vector<std::pair<std::string, uint64_t>>;
  static constexpr size_t kVocabularyTerms = 16'384;  // of one beginning; more are not kept
  std::shared_ptr<const Vocabulary> find_vocabulary(const std::string& prefix) {
    const std::lock_guard lock(mutex_);
    const auto at = vocabularies_.find(prefix);
    return at == vocabularies_.end() ? nullptr : at->second;
  }
  void keep_vocabulary(const std::string& prefix, Vocabulary terms) {
    constexpr size_t kBytes = 16u << 20;
    size_t bytes = prefix.size() + kEntry;
    for (const auto& [term, frequency] : terms) bytes += sizeof(Vocabulary::value_type) + term.capacity();
    auto kept = std::make_shared<const Vocabulary>(std::move(terms));
    const std::lock_guard lock(mutex_);
    vocabulary_bytes_ += bytes;
    if (vocabulary_bytes_ > kBytes) {
      vocabularies_.clear();
      vocabulary_bytes_ = bytes;
    }
    vocabularies_[prefix] = std::move(kept);
  }

 private:
  static constexpr size_t kEntry = 200;  // bytes of a map's entry besides
  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<const NumberSet>> postings_;  // mutex_, with what follows
  size_t bytes_ = 0;
  std::unordered_map<std::string, std::shared_ptr<const Vocabulary>> vocabularies_;
  size_t vocabulary_bytes_ = 0;
};

/// Tells a file from another that took its name.
std::string identity_of(const struct stat& status) {
  return be64(status.st_dev) + be64(status.st_ino) + be64(static_cast<uint64_t>(status.st_mtim.tv_sec)) +
         be64(static_cast<uint64_t>(status.st_mtim.tv_nsec));
}

/// The same for one that is replaced, or a directory; empty when it has changed just now.
std::string settled_identity_of(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && has_settled(status) ? identity_of(status) : std::string();
}

/// The sealed shards of a generation as they lie on disk now.
Result<std::shared_ptr<Sealed>> sealed_of(const GenerationState& generation) {
  struct Known {
    std::string identity;
    std::shared_ptr<Sealed> sealed;
  };
  static std::mutex mutex;
  static std::map<std::string, Known> known;  // by directory
  std::string identity;
  for (const ShardState& shard : generation.shards) {
    if (!shard.sealed) continue;
    struct stat status {};
    const std::string path = generation.directory + "/" + columns_name(shard);
    if (::stat(path.c_str(), &status) != 0) return fail_errno(errno, "cannot read " + path);
    identity += be64(shard.first) + identity_of(status);
  }
  const std::lock_guard lock(mutex);
  const auto at = known.find(generation.directory);
  if (at != known.end() && at->second.identity == identity) return at->second.sealed;
  std::vector<std::shared_ptr<const ShardColumns>> columns;
  for (const ShardState& shard : generation.shards) {
    if (!shard.sealed) continue;
    const std::string path = generation.directory + "/" + columns_name(shard);
    ARCH_TRY(auto opened, ShardColumns::open(path, shard.first, shard.last, false));
    columns.push_back(std::move(opened));
  }
  auto made = std::make_shared<Sealed>(std::move(columns));
  if (known.size() >= kGenerations && at == known.end()) known.erase(known.begin());
  known[generation.directory] = {identity, made};
  return made;
}

/// The files of sequences of a generation, opened once for all readers of the process. Null where one is not there any more or
/// damaged: the texts decide then.
std::vector<std::shared_ptr<const Sequences>> sequences_of(const std::string& directory,
                                                           const std::vector<SequencesState>& runs) {
  struct Known {
    std::string identity;
    std::shared_ptr<const Sequences> sequences;
  };
  static std::mutex mutex;
  static std::map<std::string, std::map<std::string, Known>> known;  // by directory and name
  std::vector<std::shared_ptr<const Sequences>> out;
  std::map<std::string, Known> now;
  const std::lock_guard lock(mutex);
  std::map<std::string, Known>& before = known[directory];
  for (const SequencesState& run : runs) {
    const std::string name = sequences_name(run), path = directory + "/" + name;
    struct stat status {};
    Known one;
    if (::stat(path.c_str(), &status) == 0) {
      one.identity = identity_of(status);
      if (const auto at = before.find(name); at != before.end() && at->second.identity == one.identity) {
        one.sequences = at->second.sequences;
      } else if (auto opened = Sequences::open(path, run.first, run.last)) {
        one.sequences = *opened;
      }
    }
    out.push_back(one.sequences);
    now[name] = std::move(one);
  }
  before = std::move(now);
  while (known.size() > kGenerations)
    known.erase(known.begin()->first == directory ? std::next(known.begin()) : known.begin());
  return out;
}

/// Columns of the open shard, read from its values.
struct OpenColumns {
  std::vector<uint32_t> dates;
  std::vector<Copy> copies;
};

}  // namespace

struct IndexReader::State {
  std::string directory;      ///< ARCHIVE/index
  std::string opened;         ///< directory of the generation
  std::vector<Shard> shards;  ///< the last is the open one
  std::shared_ptr<Sealed> sealed;
  std::shared_ptr<const OpenColumns> open_columns;  ///< null: not read yet
  std::vector<SequencesState> runs;
  Xapian::Database late;
  bool has_late = false;
  uint64_t mark = 0;
  uint64_t documents = 0;

  struct Present {
    std::shared_ptr<const GenerationState> generation;
    std::string list, file;  ///< settled identities of `directory` and of the generation's state.json
  };
  std::optional<Present> present;

  Result<std::shared_ptr<const GenerationState>> look();
  Result<void> open_once();
  Result<void> open();
  // Those below throw what Xapian throws.
  Result<NumberSet> all() const;
  Result<std::shared_ptr<const OpenColumns>> read_open();
  const Shard& newest() const { return shards.back(); }

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

// What current_generation() says; read again only where one of its files may have changed.
Result<std::shared_ptr<const GenerationState>> IndexReader::State::look() {
  const auto file_of = [&](const std::shared_ptr<const GenerationState>& generation) {
    return settled_identity_of(generation->directory + "/state.json");
  };
  if (present && present->list == settled_identity_of(directory) && present->file == file_of(present->generation))
    return present->generation;
  present.reset();
  // Identities are those of before it is read: what comes in between is seen next time.
  Present now;
  now.list = settled_identity_of(directory);
  ARCH_TRY(const std::vector<uint64_t> numbers, list_generations(directory));
  // Of several, which one serves readers is said by the files of all.
  const bool alone = numbers.size() == 1;
  if (alone) now.file = settled_identity_of(generation_directory(directory, numbers[0]) + "/state.json");
  ARCH_TRY(GenerationState read, current_generation(directory));
  now.generation = std::make_shared<const GenerationState>(std::move(read));
  if (alone && !now.list.empty() && !now.file.empty()) present = now;
  return now.generation;
}

Result<void> IndexReader::State::open_once() {
  ARCH_TRY(const std::shared_ptr<const GenerationState> looked, look());
  const GenerationState& generation = *looked;
  if (generation.schema != kSchema)
    return fail(Code::kNotFound, "the index in " + directory + " is of an older version",
                "the engine builds it anew");
  return guarded(generation.directory, [&]() -> Result<void> {
    std::vector<Shard> now;
    uint64_t count = 0;
    const bool same = generation.directory == opened;
    bool moved = true;  // the open shard
    for (const ShardState& state : generation.shards) {
      const auto known = std::find_if(shards.begin(), shards.end(),
                                      [&](const Shard& shard) { return same && shard.name == state.name; });
      Shard shard;
      if (known != shards.end() && state.sealed) {
        shard = *known;
      } else if (known != shards.end()) {
        shard = *known;
        moved = shard.db.reopen();
        shard.last = state.first - 1 + shard.db.get_lastdocid();
        shard.documents = shard.db.get_doccount();
      } else {
        shard.name = state.name;
        shard.db = Xapian::Database(generation.directory + "/" + state.name);
        shard.first = state.first;
        shard.last = state.first - 1 + shard.db.get_lastdocid();
        shard.documents = shard.db.get_doccount();
      }
      count += shard.documents;
      now.push_back(std::move(shard));
    }
    ARCH_TRY(std::shared_ptr<Sealed> columns, sealed_of(generation));
    std::string raw = now.back().db.get_metadata("mark");
    if (raw.size() != 8) return fail(Code::kCorrupt, generation.directory + ": the newest shard has no mark");
    // Opened after the shards: late terms of messages that this view does not hold yet are left out below.
    if (same) {
      late.reopen();
    } else {
      late = Xapian::Database(generation.directory + "/" + kLateName);
    }
    has_late = late.get_doccount() > 0;
    shards = std::move(now);
    sealed = std::move(columns);
    if (moved) open_columns = nullptr;
    opened = generation.directory;
    runs = generation.sequences;
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

Result<NumberSet> IndexReader::postings(const std::string& term) const {
  if (term.empty()) return all();
  State& s = *state_;
  return s.retrying([&]() -> Result<NumberSet> {
    const auto read = [&term](const Shard& shard, Numbers* out) {
      out->reserve(out->size() + shard.db.get_termfreq(term));
      const Xapian::PostingIterator end = shard.db.postlist_end(term);
      for (Xapian::PostingIterator at = shard.db.postlist_begin(term); at != end; ++at)
        out->push_back(shard.first - 1 + *at);
    };
    std::shared_ptr<const NumberSet> sealed = s.sealed->find(term);
    if (!sealed) {
      Numbers numbers;
      for (size_t i = 0; i + 1 < s.shards.size(); ++i) read(s.shards[i], &numbers);
      sealed = std::make_shared<const NumberSet>(std::move(numbers));
      s.sealed->keep(term, sealed);
    }
    NumberSet out = *sealed;
    Numbers more;
    read(s.newest(), &more);
    if (s.has_late) {
      const uint64_t last = s.newest().last;
      const Xapian::PostingIterator end = s.late.postlist_end(term);
      for (Xapian::PostingIterator at = s.late.postlist_begin(term); at != end && *at <= last; ++at)
        more.push_back(*at);
    }
    out.add(more);
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
    const std::shared_ptr<const NumberSet> sealed = term.empty() ? nullptr : s.sealed->find(term);
    if (sealed) sum = sealed->size();
    for (const Shard& shard : s.shards)
      if (!sealed || &shard == &s.newest())
        sum += term.empty() ? shard.db.get_doccount() : shard.db.get_termfreq(term);
    if (s.has_late && !term.empty()) sum += s.late.get_termfreq(term);
    return sum;
  });
  return count ? *count : 0;
}

Result<NumberSet> IndexReader::State::all() const {
  std::vector<NumberSet> sets;
  for (const Shard& shard : shards) {
    if (shard.documents == shard.last + 1 - shard.first) {  // no gaps: nothing to read
      sets.push_back(NumberSet::range(shard.first, shard.last));
      continue;
    }
    Numbers numbers;
    const Xapian::PostingIterator end = shard.db.postlist_end({});
    for (Xapian::PostingIterator at = shard.db.postlist_begin({}); at != end; ++at)
      numbers.push_back(shard.first - 1 + *at);
    sets.emplace_back(std::move(numbers));
  }
  return unite(std::move(sets));
}

Result<NumberSet> IndexReader::all() const {
  State& s = *state_;
  return s.retrying([&] { return s.all(); });
}

namespace {

// Rising terms of one shard, or of all sealed ones as they are kept. Throws what Xapian throws.
class TermSource {
 public:
  TermSource(const Xapian::Database& db, const std::string& prefix)
      : at_(db.allterms_begin(prefix)), end_(db.allterms_end(prefix)) {
    read();
  }
  explicit TermSource(const Sealed::Vocabulary& kept) : kept_(&kept) {}

  bool over() const { return kept_ != nullptr ? place_ == kept_->size() : at_ == end_; }
  const std::string& term() const { return kept_ != nullptr ? (*kept_)[place_].first : term_; }
  uint64_t frequency() const { return kept_ != nullptr ? (*kept_)[place_].second : at_.get_termfreq(); }
  void next() {
    if (kept_ != nullptr) {
      ++place_;
    } else {
      ++at_;
      read();
    }
  }
  /// To the first term behind `done`.
  void pass(const std::string& done) {
    if (kept_ == nullptr && !over() && term_ < done) {
      at_.skip_to(done);
      read();
    }
    while (!over() && term() <= done) next();
  }

  bool sealed = false;

 private:
  void read() {
    if (at_ != end_) term_ = *at_;
  }
  Xapian::TermIterator at_, end_;
  std::string term_;
  const Sealed::Vocabulary* kept_ = nullptr;
  size_t place_ = 0;
};

}  // namespace

Result<void> IndexReader::vocabulary(const std::string& prefix,
                                     const std::function<bool(const std::string&, uint64_t)>& each) const {
  State& s = *state_;
  // A fresh view after being overtaken goes on behind the last term given.
  std::string done;
  bool any = false;
  return s.retrying([&]() -> Result<void> {
    // The sealed shards are one source where what they say of this beginning is kept.
    const std::shared_ptr<const Sealed::Vocabulary> kept = s.sealed->find_vocabulary(prefix);
    std::vector<TermSource> sources;
    if (kept) {
      sources.emplace_back(*kept);
    } else {
      for (size_t i = 0; i + 1 < s.shards.size(); ++i) sources.emplace_back(s.shards[i].db, prefix);
    }
    for (TermSource& source : sources) source.sealed = true;
    sources.emplace_back(s.newest().db, prefix);
    if (s.has_late) sources.emplace_back(s.late, prefix);
    if (any)
      for (TermSource& source : sources) source.pass(done);
    Sealed::Vocabulary met;  // in sealed shards
    bool whole = !kept && !any;
    for (;;) {
      const std::string* least = nullptr;
      for (const TermSource& source : sources)
        if (!source.over() && (least == nullptr || source.term() < *least)) least = &source.term();
      if (least == nullptr) break;
      const std::string term = *least;
      uint64_t sum = 0, sealed_sum = 0;
      for (TermSource& source : sources) {
        if (source.over() || source.term() != term) continue;
        const uint64_t frequency = source.frequency();
        sum += frequency;
        if (source.sealed) sealed_sum += frequency;
        source.next();
      }
      done = term;
      any = true;
      whole = whole && met.size() < Sealed::kVocabularyTerms;
      if (whole && sealed_sum > 0) met.emplace_back(done, sealed_sum);
      if (!each(done, sum)) return {};
    }
    if (whole) s.sealed->keep_vocabulary(prefix, std::move(met));
    return {};
  });
}

Result<std::shared_ptr<const OpenColumns>> IndexReader::State::read_open() {
  if (open_columns) return open_columns;
  const Shard& shard = newest();
  auto columns = std::make_shared<OpenColumns>();
  columns->dates.resize(shard.last + 1 - shard.first);
  const auto damaged = [&shard] {
    return fail(Code::kCorrupt,
                "the index holds a malformed value in the shard from message " + std::to_string(shard.first) + " on");
  };
  const Xapian::ValueIterator end = shard.db.valuestream_end(kColumnSlot);
  for (Xapian::ValueIterator at = shard.db.valuestream_begin(kColumnSlot); at != end; ++at) {
    uint64_t key = 0;
    if (at.get_docid() > columns->dates.size() || !decode_column(*at, &columns->dates[at.get_docid() - 1], &key))
      return damaged();
  }
  const Xapian::ValueIterator copies_end = shard.db.valuestream_end(kFirstSlot);
  for (Xapian::ValueIterator at = shard.db.valuestream_begin(kFirstSlot); at != copies_end; ++at) {
    const std::string value = *at;
    if (value.size() != 8) return damaged();
    columns->copies.push_back({shard.first - 1 + at.get_docid(), from_be64(value)});
  }
  open_columns = columns;
  return open_columns;
}

bool IndexReader::contains(uint64_t number) const {
  for (const Shard& shard : state_->shards)
    if (number >= shard.first && number <= shard.last) {
      if (shard.documents == shard.last + 1 - shard.first) return true;
      auto every = all();
      return every && every->contains(number);
    }
  return false;
}

bool IndexReader::contains_all_to(uint64_t number) const {
  uint64_t next = 1;
  for (const Shard& shard : state_->shards) {
    if (shard.first != next || shard.documents != shard.last + 1 - shard.first) return false;
    next = shard.last + 1;
    if (number < next) return true;
  }
  return number < next;
}

Result<Dates> IndexReader::dates() const {
  State& s = *state_;
  return s.retrying([&]() -> Result<Dates> {
    ARCH_TRY(auto open, s.read_open());
    Dates out;
    for (const auto& columns : s.sealed->columns)
      out.spans_.push_back({columns->first(), columns->dates(), columns->bounds(), columns});
    out.spans_.push_back({s.newest().first, open->dates, {}, open});
    return out;
  });
}

namespace {

// Bit i: whether dates[i] lies in least..greatest; at most 64. Without a branch, which dates in no order would make dear.
uint64_t inside(std::span<const uint32_t> dates, uint32_t least, uint32_t greatest) {
  uint64_t out = 0;
  size_t i = 0;
#ifdef __SSE2__
  // Sixteen at once. SSE2 compares signed numbers alone: what is behind `least` is moved by half of the range for that.
  constexpr uint32_t kHalf = 1u << 31;
  const __m128i from = _mm_set1_epi32(static_cast<int>(least - kHalf));
  const __m128i most = _mm_set1_epi32(static_cast<int>(greatest - least - kHalf));
  const auto outside = [&](size_t at) {
    const __m128i four = _mm_loadu_si128(reinterpret_cast<const __m128i*>(dates.data() + at));
    return _mm_cmpgt_epi32(_mm_sub_epi32(four, from), most);
  };
  for (; i + 16 <= dates.size(); i += 16) {
    const __m128i low = _mm_packs_epi32(outside(i), outside(i + 4));
    const __m128i high = _mm_packs_epi32(outside(i + 8), outside(i + 12));
    const auto sixteen = static_cast<uint16_t>(~_mm_movemask_epi8(_mm_packs_epi16(low, high)));
    out |= static_cast<uint64_t>(sixteen) << i;
  }
#endif
  for (; i < dates.size(); ++i) out |= static_cast<uint64_t>(dates[i] - least <= greatest - least ? 1 : 0) << i;
  return out;
}

}  // namespace

Result<NumberSet> IndexReader::date_range(int64_t from_s, int64_t to_s) const {
  State& s = *state_;
  return s.retrying([&]() -> Result<NumberSet> {
    ARCH_TRY(auto open, s.read_open());
    if (from_s >= to_s || to_s <= 0 || from_s > UINT32_MAX) return NumberSet();
    const auto least = static_cast<uint32_t>(std::max<int64_t>(from_s, 0));
    const auto greatest = static_cast<uint32_t>(std::min<int64_t>(to_s - 1, UINT32_MAX));
    std::vector<uint64_t> bits(s.newest().last / 64 + 1);
    const auto look = [&](uint64_t first, std::span<const uint32_t> dates) {
      for (size_t i = 0; i < dates.size();) {
        const uint64_t number = first + i;
        const size_t count = std::min<size_t>(64 - number % 64, dates.size() - i);
        bits[number / 64] |= inside(dates.subspan(i, count), least, greatest) << (number % 64);
        i += count;
      }
    };
    for (const auto& columns : s.sealed->columns) {
      const auto dates = columns->dates();
      const auto bounds = columns->bounds();
      for (size_t i = 0; i < bounds.size(); ++i) {
        if (bounds[i].greatest < least || bounds[i].least > greatest) continue;
        const size_t begin = i * ShardColumns::kBlock;
        look(columns->first() + begin, dates.subspan(begin, std::min(ShardColumns::kBlock, dates.size() - begin)));
      }
    }
    look(s.newest().first, open->dates);
    NumberSet out = NumberSet::of_bits(std::move(bits));
    if (s.documents == s.newest().last || least > 0) return out;
    ARCH_TRY(NumberSet every, s.all());  // a number that is missing has no date either
    return intersect(out, every);
  });
}

namespace {

// Throws what Xapian throws.
std::vector<LateText> late_texts_of(const Xapian::Database& late, uint64_t first, uint64_t last) {
  std::vector<LateText> out;
  const std::string term(kLateText);
  const Xapian::PostingIterator end = late.postlist_end(term);
  Xapian::PostingIterator at = late.postlist_begin(term);
  if (at != end) at.skip_to(static_cast<Xapian::docid>(first));
  for (; at != end && *at <= last; ++at) out.push_back({*at, at.get_wdf()});
  return out;
}

}  // namespace

Result<std::vector<LateText>> late_texts(const std::string& generation_directory, uint64_t first, uint64_t last) {
  const std::string path = generation_directory + "/" + kLateName;
  return guarded(
      path, [&]() -> Result<std::vector<LateText>> { return late_texts_of(Xapian::Database(path), first, last); });
}

Result<IndexReader::Looked> IndexReader::look(const WordPattern& pattern, const NumberSet& candidates) const {
  constexpr size_t kThreadsFrom = 4'000;
  State& s = *state_;
  ARCH_TRY(const std::vector<LateText> late, s.retrying([&]() -> Result<std::vector<LateText>> {
    if (!s.has_late) return std::vector<LateText>();
    return late_texts_of(s.late, 1, s.newest().last);
  }));
  const Numbers numbers = candidates.list();
  struct Part {
    std::span<const uint64_t> numbers;
    std::shared_ptr<const Sequences> run;
    Numbers found, undecided;
  };
  std::vector<Part> parts;
  const auto runs = sequences_of(s.opened, s.runs);
  size_t at = 0;
  for (size_t i = 0; i < runs.size(); ++i) {
    const size_t begin = at;
    at = static_cast<size_t>(
        std::upper_bound(numbers.begin() + static_cast<std::ptrdiff_t>(begin), numbers.end(), s.runs[i].last) -
        numbers.begin());
    if (at == begin) continue;
    parts.push_back({std::span(numbers).subspan(begin, at - begin), runs[i], {}, {}});
  }
  if (at < numbers.size()) parts.push_back({std::span(numbers).subspan(at), nullptr, {}, {}});
  const auto decide = [&](Part* part) {
    if (!part->run) {
      part->undecided.assign(part->numbers.begin(), part->numbers.end());
      return;
    }
    // What grew since the sequences were made.
    const auto known = part->run->late();
    Numbers kept;
    std::span<const uint64_t> asked = part->numbers;
    const auto below = [](const LateText& text, uint64_t number) { return text.number < number; };
    auto grown = std::lower_bound(late.begin(), late.end(), part->run->first(), below);
    if (grown != late.end() && grown->number <= part->run->last()) {
      kept.reserve(asked.size());
      for (uint64_t number : asked) {
        while (grown != late.end() && grown->number < number) ++grown;
        bool changed = false;
        if (grown != late.end() && grown->number == number) {
          const auto then = std::lower_bound(known.begin(), known.end(), number, below);
          changed = then == known.end() || then->number != number || then->times != grown->times;
        }
        (changed ? part->undecided : kept).push_back(number);
      }
      asked = kept;
    }
    part->run->look(pattern, asked, &part->found, &part->undecided);
  };
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i = next.fetch_add(1); i < parts.size(); i = next.fetch_add(1)) decide(&parts[i]);
  };
  if (numbers.size() >= kThreadsFrom) {
    std::thread other(work);
    work();
    other.join();
  } else {
    work();
  }
  Numbers found, undecided;
  for (Part& part : parts) {
    std::sort(part.undecided.begin(), part.undecided.end());
    found.insert(found.end(), part.found.begin(), part.found.end());
    undecided.insert(undecided.end(), part.undecided.begin(), part.undecided.end());
  }
  return Looked{NumberSet(std::move(found)), NumberSet(std::move(undecided))};
}

Result<std::vector<Copy>> IndexReader::copies(const NumberSet& among) const {
  State& s = *state_;
  return s.retrying([&]() -> Result<std::vector<Copy>> {
    std::vector<Copy> out;
    if (among.empty()) return out;
    const uint64_t lowest = *among.begin(), highest = among.highest();
    for (const auto& columns : s.sealed->columns) {
      if (columns->last() < lowest || columns->first() > highest) continue;
      for (size_t i = columns->copy_from(lowest); i < columns->copies(); ++i) {
        const Copy copy = columns->copy(i);
        if (copy.number > highest) break;
        if (among.contains(copy.number)) out.push_back(copy);
      }
    }
    if (highest < s.newest().first) return out;
    ARCH_TRY(auto open, s.read_open());
    for (const Copy& copy : open->copies)
      if (among.contains(copy.number)) out.push_back(copy);
    return out;
  });
}

}  // namespace arch::index
