#include "query/index/store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <xapian.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <unordered_map>

#include "engine/base/bytes.h"
#include "engine/base/mutant.h"
#include "query/index/columns.h"
#include "query/index/terms.h"
#include "query/index/values.h"
#include "query/index/xapian_errors.h"

namespace arch::index {
namespace {

constexpr const char* kMetaSchema = "schema";
constexpr const char* kMetaFirst = "first";
constexpr const char* kMetaMark = "mark";
constexpr const char* kMetaMarkDigest = "mark-digest";

Result<uint64_t> number_of(const Xapian::Database& db, const char* key, const std::string& path) {
  std::string text = db.get_metadata(key);
  if (text.size() != 8)
    return fail(Code::kCorrupt, path + ": metadata '" + key + "' is missing",
                "the engine builds the index anew at its next start");
  return from_be64(text);
}

void add_terms(const TermList& terms, Xapian::Document* document) {
  for (const TermList::Entry& entry : terms.entries) {
    std::string term(terms.term(entry));
    if (entry.count == 0) {
      document->add_boolean_term(term);
    } else {
      document->add_term(term, entry.count);
    }
  }
}

constexpr std::string_view kShardPrefix = "shard";
std::string open_name(uint64_t first) { return std::string(kShardPrefix) + std::to_string(first); }
std::string sealed_name(uint64_t first, uint64_t last) {
  return open_name(first) + "-" + std::to_string(last) + ".glass";
}

// Of two sources that are compacted into one; they come in no order. Numbers are big-endian. The digest of a sealed shard's
// mark is never asked for.
class KeepWhole : public Xapian::Compactor {
 public:
  std::string resolve_duplicate_metadata(const std::string& key, size_t count, const std::string values[]) override {
    // Xapian 1.4.22 gives the key with its own two bytes in front.
    bool first = key.size() >= 5 && key.compare(key.size() - 5, 5, kMetaFirst) == 0;
    return first ? *std::min_element(values, values + count) : *std::max_element(values, values + count);
  }
};

// What a sealed shard's values say, for its columns.
Result<std::vector<ShardColumns::Row>> rows_of(const Xapian::Database& db, uint64_t first, const std::string& path) {
  std::vector<ShardColumns::Row> rows;
  rows.reserve(db.get_doccount());
  auto copy = db.valuestream_begin(kFirstSlot);
  const auto copies_end = db.valuestream_end(kFirstSlot), end = db.valuestream_end(kColumnSlot);
  for (auto at = db.valuestream_begin(kColumnSlot); at != end; ++at) {
    ShardColumns::Row row;
    row.number = first - 1 + at.get_docid();
    bool well = decode_column(*at, &row.date_s, &row.mail_key);
    if (copy != copies_end && copy.get_docid() == at.get_docid()) {
      const std::string value = *copy;
      well = well && value.size() == 8;
      if (well) row.first = from_be64(value);
      ++copy;
    }
    if (!well) return fail(Code::kCorrupt, path + ": a malformed value");
    rows.push_back(row);
  }
  return rows;
}

}  // namespace

struct IndexStore::State {
  std::string index_directory;
  Options options;
  int lock = -1;
  GenerationState generation;
  std::unique_ptr<Xapian::WritableDatabase> shard;
  std::unique_ptr<Xapian::WritableDatabase> late;
  uint64_t mark = 0;
  uint64_t last_number = 0;
  std::vector<std::shared_ptr<const ShardColumns>> columns;  // of the sealed shards
  std::unordered_map<uint64_t, uint64_t> first_of_key;       // of the open one: the lowest number of each mail key
  std::optional<Error> dead;
  std::string begun_anew;

  ~State() {
    // Databases first: what a transaction holds is dropped, not committed.
    shard.reset();
    late.reset();
    if (lock >= 0) ::close(lock);
  }

  ShardState& newest() { return generation.shards.back(); }
  std::string path_of(const std::string& name) const { return generation.directory + "/" + name; }

  Result<void> take_lock();
  Result<void> begin(uint64_t number);
  Result<void> open_generation(GenerationState found, const Fits& fits, bool* fitting);
  Result<void> throw_away(uint64_t number);
  Result<void> create_shard(const std::string& name, uint64_t first, uint64_t mark_value, const std::string& digest);
  Result<void> add_late(const std::vector<Document>& documents);
  Result<void> add_documents(const Batch& batch);
  Result<void> commit_shard(uint64_t mark_value, const Digest& digest);
  uint64_t first_with(uint64_t mail_key) const;
  Result<void> read_open_keys();
  Result<void> seal(uint64_t next_first);
  Result<void> publish(const SequencesState& run);
  Result<void> sweep();
  Result<void> die(Error error);
};

// flock on a file of its own: Xapian's lock is one per database, and there are several.
Result<void> IndexStore::State::take_lock() {
  std::string path = index_directory + "/lock";
  lock = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (lock < 0) return fail_errno(errno, "cannot open " + path);
  if (::flock(lock, LOCK_EX | LOCK_NB) == 0) return {};
  if (errno == EWOULDBLOCK)
    return fail(Code::kTryAgain, "another engine writes the index in " + index_directory,
                "wait for it to end; only one engine may run");
  return fail_errno(errno, "cannot lock " + path);
}

Result<void> IndexStore::State::throw_away(uint64_t number) {
  std::string directory = generation_directory(index_directory, number);
  // state.json first: without it the rest is no generation, wherever the removal is cut off.
  ARCH_TRY_VOID(remove_tree(directory + "/state.json"));
  ARCH_TRY_VOID(remove_tree(directory));
  return sync_directory(index_directory);
}

Result<void> IndexStore::State::create_shard(const std::string& name, uint64_t first, uint64_t mark_value,
                                             const std::string& digest) {
  std::string path = path_of(name);
  ARCH_TRY_VOID(remove_tree(path));  // left by a crash before state.json named it
  ARCH_TRY_VOID(guarded(path, [&]() -> Result<void> {
    shard = std::make_unique<Xapian::WritableDatabase>(
        path, Xapian::DB_CREATE | Xapian::DB_BACKEND_GLASS | Xapian::DB_NO_TERMLIST);
    shard->begin_transaction();
    shard->set_metadata(kMetaSchema, be64(kSchema));
    shard->set_metadata(kMetaFirst, be64(first));
    shard->set_metadata(kMetaMark, be64(mark_value));
    shard->set_metadata(kMetaMarkDigest, digest);
    shard->commit_transaction();
    return {};
  }));
  return sync_directory(path);
}

Result<void> IndexStore::State::begin(uint64_t number) {
  generation = GenerationState{};
  generation.number = number;
  generation.schema = kSchema;
  generation.directory = generation_directory(index_directory, number);
  ARCH_TRY_VOID(make_directory(generation.directory));
  std::string late_path = path_of(kLateName);
  ARCH_TRY_VOID(guarded(late_path, [&]() -> Result<void> {
    late = std::make_unique<Xapian::WritableDatabase>(late_path, Xapian::DB_CREATE | Xapian::DB_BACKEND_GLASS);
    late->begin_transaction();
    late->set_metadata(kMetaSchema, be64(kSchema));
    late->commit_transaction();
    return {};
  }));
  ARCH_TRY_VOID(sync_directory(late_path));
  ARCH_TRY_VOID(create_shard(open_name(1), 1, 0, std::string(32, '\0')));
  mark = 0;
  last_number = 0;
  columns.clear();
  first_of_key.clear();
  generation.shards.push_back({open_name(1), 1, false, 0, 0});
  ARCH_TRY_VOID(write_state(generation));
  return sync_directory(index_directory);
}

Result<void> IndexStore::State::open_generation(GenerationState found, const Fits& fits, bool* fitting) {
  generation = std::move(found);
  *fitting = false;
  columns.clear();
  first_of_key.clear();
  if (generation.schema != kSchema) return {};
  for (const ShardState& sealed : generation.shards) {
    if (!sealed.sealed) continue;
    std::string path = path_of(sealed.name);
    ARCH_TRY_VOID(guarded(path, [&]() -> Result<void> {
      Xapian::Database db(path);
      ARCH_TRY(uint64_t first, number_of(db, kMetaFirst, path));
      if (first != sealed.first || db.get_doccount() != sealed.documents)
        return fail(Code::kCorrupt, path + " is not the shard that state.json names");
      return {};
    }));
    auto opened = ShardColumns::open(path_of(columns_name(sealed)), sealed.first, sealed.last, true);
    if (!opened && opened.error().code == Code::kNotFound) return fail(Code::kCorrupt, opened.error().what);
    if (!opened) return tl::unexpected<Error>(opened.error());
    columns.push_back(std::move(*opened));
  }
  std::string late_path = path_of(kLateName);
  ARCH_TRY_VOID(guarded(late_path, [&]() -> Result<void> {
    late = std::make_unique<Xapian::WritableDatabase>(late_path, Xapian::DB_OPEN | Xapian::DB_BACKEND_GLASS);
    return {};
  }));
  std::string path = path_of(newest().name);
  Digest digest;
  ARCH_TRY_VOID(guarded(path, [&]() -> Result<void> {
    // Xapian 1.4.22 wants to hear again that there is no termlist table.
    shard = std::make_unique<Xapian::WritableDatabase>(
        path, Xapian::DB_OPEN | Xapian::DB_BACKEND_GLASS | Xapian::DB_NO_TERMLIST);
    ARCH_TRY(uint64_t first, number_of(*shard, kMetaFirst, path));
    if (first != newest().first) return fail(Code::kCorrupt, path + " is not the shard that state.json names");
    ARCH_TRY(mark, number_of(*shard, kMetaMark, path));
    std::string raw = shard->get_metadata(kMetaMarkDigest);
    if (raw.size() != 32) return fail(Code::kCorrupt, path + ": metadata 'mark-digest' is missing");
    digest = Digest::from_view(raw);
    last_number = first - 1 + shard->get_lastdocid();
    return read_open_keys();
  }));
  if (mark > 0) {
    ARCH_TRY(*fitting, fits(mark, digest));
  } else {
    *fitting = true;
  }
  return {};
}

IndexStore::IndexStore() : state_(std::make_unique<State>()) {}
IndexStore::~IndexStore() = default;

Result<std::unique_ptr<IndexStore>> IndexStore::open(const std::string& index_directory, const Options& options,
                                                     const Fits& fits) {
  ARCH_CHECK(options.shard_messages > 0 && options.open_messages > 0);
  std::unique_ptr<IndexStore> store(new IndexStore());
  State& s = *store->state_;
  s.index_directory = index_directory;
  s.options = options;
  ARCH_TRY_VOID(make_directory(index_directory));
  ARCH_TRY_VOID(s.take_lock());

  ARCH_TRY(std::vector<uint64_t> numbers, list_generations(index_directory));
  uint64_t next = numbers.empty() ? 1 : numbers.back() + 1;
  bool opened = false;
  for (auto number = numbers.rbegin(); number != numbers.rend(); ++number) {
    if (opened && !s.generation.complete) break;  // the one before serves readers until this one is complete
    bool fitting = false;
    Result<void> tried;
    if (!opened) {
      auto found = read_state(index_directory, *number);
      tried = found ? s.open_generation(std::move(*found), fits, &fitting)
                    : Result<void>(tl::unexpected<Error>(found.error()));
      if (!tried && tried.error().code != Code::kCorrupt && tried.error().code != Code::kNotFound)
        return tl::unexpected<Error>(tried.error());
    }
    if (fitting) {
      opened = true;
      continue;
    }
    if (!opened) {
      s.shard.reset();
      s.late.reset();
    }
    if (!opened) s.begun_anew = tried ? "it does not belong to the archive as it is now" : describe(tried.error());
    ARCH_TRY_VOID(s.throw_away(*number));
  }
  if (!opened) {
    ARCH_TRY_VOID(s.begin(next));
  } else {
    ARCH_TRY_VOID(s.sweep());
  }
  return store;
}

Result<void> IndexStore::begin_beside(const std::string& index_directory) {
  IndexStore store;
  State& s = *store.state_;
  s.index_directory = index_directory;
  ARCH_TRY_VOID(make_directory(index_directory));
  ARCH_TRY_VOID(s.take_lock());
  ARCH_TRY(std::vector<uint64_t> numbers, list_generations(index_directory));
  // One that was being built is given up; the one that serves stays.
  for (size_t i = numbers.size(); i-- > 1;) {
    auto state = read_state(index_directory, numbers[i]);
    if (state && state->complete) break;
    ARCH_TRY_VOID(s.throw_away(numbers[i]));
  }
  ARCH_TRY_VOID(s.begin(numbers.empty() ? 1 : numbers.back() + 1));
  return store.close();
}

uint64_t IndexStore::mark() const { return state_->mark; }
uint64_t IndexStore::last_number() const { return state_->last_number; }
bool IndexStore::complete() const { return state_->generation.complete; }
const std::string& IndexStore::begun_anew() const { return state_->begun_anew; }
const std::string& IndexStore::directory() const { return state_->generation.directory; }

Result<void> IndexStore::State::add_late(const std::vector<Document>& documents) {
  if (documents.empty()) return {};
  std::string path = path_of(kLateName);
  ARCH_TRY_VOID(guarded(path, [&]() -> Result<void> {
    late->begin_transaction();
    for (const Document& document : documents) {
      auto id = static_cast<Xapian::docid>(document.number);
      Xapian::Document stored;
      if (id <= late->get_lastdocid()) {
        try {
          stored = late->get_document(id);
        } catch (const Xapian::DocNotFoundError&) {
          // nothing late is known of this message yet
        }
      }
      add_terms(document.terms, &stored);
      late->replace_document(id, stored);
    }
    late->commit_transaction();
    return {};
  }));
  return sync_directory(path);
}

Result<void> IndexStore::State::commit_shard(uint64_t mark_value, const Digest& digest) {
  std::string path = path_of(newest().name);
  ARCH_TRY_VOID(guarded(path, [&]() -> Result<void> {
    ARCH_MARK("index mark", shard->set_metadata(kMetaMark, be64(mark_value)));
    shard->set_metadata(kMetaMarkDigest, std::string(digest.view()));
    shard->commit_transaction();
    return {};
  }));
  ARCH_TRY_VOID(ARCH_STEP("index directory sync", sync_directory(path)));
  mark = mark_value;
  return {};
}

Result<void> IndexStore::State::add_documents(const Batch& batch) {
  const Document* last = nullptr;
  bool begun = false;
  for (const Document& document : batch.documents) {
    if (document.number <= last_number)
      return fail(Code::kCorrupt,
                  "message " + std::to_string(document.number) + " is in the index already, beyond its mark",
                  "the engine builds the index anew at its next start");
    if (document.number - newest().first >= std::min(options.open_messages, options.shard_messages)) {
      if (begun) ARCH_TRY_VOID(commit_shard(last->sequence, last->digest));
      begun = false;
      ARCH_TRY_VOID(seal(document.number));
    }
    ARCH_TRY_VOID(guarded(path_of(newest().name), [&]() -> Result<void> {
      if (!begun) shard->begin_transaction();
      begun = true;
      Xapian::Document out;
      add_terms(document.terms, &out);
      out.add_value(kColumnSlot, encode_column(document.date_s, document.mail_key));
      if (const uint64_t first_copy = first_with(document.mail_key); first_copy != 0) {
        out.add_boolean_term(std::string(kIsCopy));
        out.add_value(kFirstSlot, be64(first_copy));
      } else {
        first_of_key.emplace(document.mail_key, document.number);
      }
      // Beyond the last id this adds; glass cannot replace without termlists.
      shard->replace_document(static_cast<Xapian::docid>(document.number - newest().first + 1), out);
      return {};
    }));
    last_number = document.number;
    last = &document;
  }
  if (!begun)
    ARCH_TRY_VOID(guarded(path_of(newest().name), [&]() -> Result<void> {
      shard->begin_transaction();
      return {};
    }));
  return commit_shard(batch.mark, batch.mark_digest);
}

// The first message with this mail key, 0 when none has it.
uint64_t IndexStore::State::first_with(uint64_t mail_key) const {
  for (const auto& shard_columns : columns)
    if (const uint64_t first = shard_columns->first_with(mail_key); first != 0) return first;
  const auto known = first_of_key.find(mail_key);
  return known == first_of_key.end() ? 0 : known->second;
}

Result<void> IndexStore::State::read_open_keys() {
  first_of_key.clear();
  const auto end = shard->valuestream_end(kColumnSlot);
  for (auto at = shard->valuestream_begin(kColumnSlot); at != end; ++at) {
    uint32_t date = 0;
    uint64_t key = 0;
    if (!decode_column(*at, &date, &key)) return fail(Code::kCorrupt, path_of(newest().name) + ": a malformed value");
    first_of_key.emplace(key, newest().first - 1 + at.get_docid());
  }
  return {};
}

Result<void> IndexStore::State::seal(uint64_t next_first) {
  std::vector<ShardState> shards = generation.shards;
  ShardState sealed = shards.back();
  std::vector<std::string> sources = {path_of(sealed.name)};
  shards.pop_back();
  std::string tmp = path_of("compacting.tmp");
  const std::string columns_tmp = path_of("columns.tmp");
  std::string digest;
  ARCH_TRY_VOID(remove_tree(tmp));
  size_t joined = 0;  // shards before it that go into the same file
  ARCH_TRY_VOID(guarded(sources[0], [&]() -> Result<void> {
    shard->close();
    shard.reset();
    Xapian::Database open(sources[0]);
    digest = open.get_metadata(kMetaMarkDigest);
    sealed.documents = open.get_doccount();
    sealed.last = sealed.first - 1 + open.get_lastdocid();
    sealed.sealed = true;
    Xapian::Database source;
    // Joined, document ids go on behind the last one: right only when no number is missing.
    auto gapless = [](const ShardState& s) { return s.documents == s.last - s.first + 1; };
    int flags = Xapian::DBCOMPACT_SINGLE_FILE | Xapian::DBCOMPACT_NO_RENUMBER;
    if (!shards.empty() && shards.back().last + 1 == sealed.first && gapless(shards.back()) && gapless(sealed) &&
        shards.back().documents + sealed.documents <= options.shard_messages) {
      sources.push_back(path_of(shards.back().name));
      sources.push_back(path_of(columns_name(shards.back())));
      joined = 1;
      source.add_database(Xapian::Database(sources[1]));
      sealed.first = shards.back().first;
      sealed.documents += shards.back().documents;
      shards.pop_back();
      flags = Xapian::DBCOMPACT_SINGLE_FILE;
    }
    source.add_database(open);
    KeepWhole keep_whole;
    source.compact(tmp, static_cast<unsigned>(flags), 0, keep_whole);
    ARCH_TRY(const auto rows, rows_of(Xapian::Database(tmp), sealed.first, tmp));
    return ShardColumns::write(columns_tmp, sealed.first, sealed.last, rows);
  }));
  ARCH_TRY_VOID(ARCH_STEP("sealed shard sync", sync_file(tmp)));
  sealed.name = sealed_name(sealed.first, sealed.last);
  const std::string columns_path = path_of(columns_name(sealed));
  if (::rename(tmp.c_str(), path_of(sealed.name).c_str()) != 0) return fail_errno(errno, "cannot rename " + tmp);
  if (::rename(columns_tmp.c_str(), columns_path.c_str()) != 0)
    return fail_errno(errno, "cannot rename " + columns_tmp);
  ARCH_TRY_VOID(sync_directory(generation.directory));

  ShardState next{open_name(next_first), next_first, false, 0, 0};
  ARCH_TRY_VOID(create_shard(next.name, next_first, mark, digest));
  shards.push_back(sealed);
  shards.push_back(next);
  generation.shards = std::move(shards);
  ARCH_TRY_VOID(write_state(generation));
  ARCH_TRY(auto sealed_columns, ShardColumns::open(columns_path, sealed.first, sealed.last, false));
  columns.resize(columns.size() - joined);
  columns.push_back(std::move(sealed_columns));
  first_of_key.clear();
  for (const std::string& source : sources) ARCH_TRY_VOID(remove_tree(source));  // who has it open keeps it
  return {};
}

Result<void> IndexStore::State::publish(const SequencesState& run) {
  std::vector<std::string> replaced;
  std::vector<SequencesState>& runs = generation.sequences;
  while (!runs.empty() && runs.back().first >= run.first) {
    replaced.push_back(path_of(sequences_name(runs.back())));
    runs.pop_back();
  }
  ARCH_CHECK(run.first == (runs.empty() ? 1 : runs.back().last + 1) && run.first <= run.last);
  runs.push_back(run);
  ARCH_TRY_VOID(sync_directory(generation.directory));
  ARCH_TRY_VOID(write_state(generation));
  for (const std::string& path : replaced)
    if (path != path_of(sequences_name(run))) ARCH_TRY_VOID(remove_tree(path));  // who has it open keeps it
  return {};
}

// What a crash left behind: a shard that state.json does not name yet, or no more.
Result<void> IndexStore::State::sweep() {
  std::error_code error;
  std::vector<std::string> orphans;
  std::filesystem::directory_iterator entry(generation.directory, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    std::string name = entry->path().filename().string();
    bool ours = name.compare(0, kShardPrefix.size(), kShardPrefix) == 0 || name.compare(0, 5, "words") == 0 ||
                (name.size() > 4 && name.compare(name.size() - 4, 4, ".tmp") == 0);
    for (const ShardState& state : generation.shards)
      ours = ours && state.name != name && !(state.sealed && columns_name(state) == name);
    for (const SequencesState& run : generation.sequences) ours = ours && sequences_name(run) != name;
    if (ours) orphans.push_back(entry->path().string());
  }
  if (error) return fail_errno(error.value(), "cannot list " + generation.directory);
  for (const std::string& path : orphans) ARCH_TRY_VOID(remove_tree(path));
  return {};
}

Result<void> IndexStore::State::die(Error error) {
  dead = std::move(error);
  shard.reset();
  late.reset();
  if (dead->code == Code::kCorrupt) {
    auto removed = remove_tree(generation.directory + "/state.json");
    if (!removed) return fail(Code::kCorrupt, dead->what + "; and " + removed.error().what, dead->hint);
  }
  return tl::unexpected<Error>(*dead);
}

Result<void> IndexStore::tidy() {
  State& s = *state_;
  if (s.dead) return tl::unexpected<Error>(*s.dead);
  uint64_t open = s.last_number + 1 - s.newest().first;
  uint64_t before =
      s.generation.shards.size() > 1 ? s.generation.shards[s.generation.shards.size() - 2].documents : 0;
  // A share of what would be rewritten with it, so that a steady trickle does not rewrite a large shard all day.
  if (open < s.options.tidy_messages || open < before / 16) return {};
  auto done = s.seal(s.last_number + 1);
  if (!done) return s.die(done.error());
  return {};
}

Result<void> IndexStore::commit(const Batch& batch) {
  State& s = *state_;
  if (s.dead) return tl::unexpected<Error>(*s.dead);
  auto done = s.add_late(batch.late);
  if (done) done = s.add_documents(batch);
  for (const SequencesState& run : batch.sequences)
    if (done) done = s.publish(run);
  if (!done) return s.die(done.error());
  return {};
}

Result<void> IndexStore::commit_late(const std::vector<Document>& documents) {
  State& s = *state_;
  if (s.dead) return tl::unexpected<Error>(*s.dead);
  auto done = s.add_late(documents);
  if (!done) return s.die(done.error());
  return {};
}

Result<void> IndexStore::commit_sequences(const SequencesState& run) {
  State& s = *state_;
  if (s.dead) return tl::unexpected<Error>(*s.dead);
  auto done = s.publish(run);
  if (!done) return s.die(done.error());
  return {};
}

const std::vector<SequencesState>& IndexStore::sequences() const { return state_->generation.sequences; }

Result<void> IndexStore::set_complete() {
  State& s = *state_;
  if (s.dead) return tl::unexpected<Error>(*s.dead);
  if (s.generation.complete) return {};
  s.generation.complete = true;
  ARCH_TRY_VOID(write_state(s.generation));
  ARCH_TRY(std::vector<uint64_t> numbers, list_generations(s.index_directory));
  for (uint64_t number : numbers)
    if (number != s.generation.number) ARCH_TRY_VOID(s.throw_away(number));
  return {};
}

Result<void> IndexStore::close() {
  State& s = *state_;
  if (s.dead) return tl::unexpected<Error>(*s.dead);
  s.dead = Error{Code::kInvalid, "the index was closed", {}, 0};
  return guarded(s.generation.directory, [&]() -> Result<void> {
    if (s.shard) s.shard->close();
    if (s.late) s.late->close();
    s.shard.reset();
    s.late.reset();
    return {};
  });
}

}  // namespace arch::index
