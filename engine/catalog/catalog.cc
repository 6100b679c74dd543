#include "engine/catalog/catalog.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdarg>
#include <filesystem>
#include <future>
#include <utility>

#include "engine/base/settled.h"

namespace arch {

namespace {

constexpr std::array<const char*, kColumns> kNames = {
    "default", "digest", "message", "place",  "blob",     "delivery", "again",     "message_id",
    "thread",  "text",   "usage",   "import", "unpacked", "queue",    "threading", "document"};

Result<void> to_result(const rocksdb::Status& status, const std::string& path) {
  if (status.ok()) return {};
  const std::string what = "catalog " + path + ": " + status.ToString();
  if (status.IsCorruption())
    return fail(Code::kCorrupt, what, "it is derived: archctl rebuild makes it anew from journal and segments");
  if (status.IsNoSpace())
    return fail(Code::kFull, what, "free some space; mail is still taken until the reserve is reached");
  if (status.IsBusy() || status.IsTryAgain() || status.IsTimedOut()) return fail(Code::kTryAgain, what);
  if (status.IsNotFound()) return fail(Code::kNotFound, what);
  if (status.IsIOError() && what.find("lock") != std::string::npos)
    return fail(Code::kTryAgain, what, "another process has it open for writing");
  return fail(Code::kIo, what);
}

// Memory, whatever the size of the catalog: blocks read, rows not yet in files, and what a compaction holds back for its
// dictionary are each bounded for all columns together.
constexpr size_t kReadCacheBytes = 32u << 20;
constexpr size_t kWriteBufferBytes = 40u << 20;
constexpr size_t kDictionarySampleBytes = 4u << 20;

// A page of hits reads a row and a text of each, mostly from as many blocks, and what that costs is unpacking them: so the blocks of
// these two are small. What small blocks lose in bytes, a larger dictionary gives back (docs/performance.md, "Questions at size").
struct Packing {
  size_t block_bytes = 16u << 10;
  uint32_t dictionary_bytes = 0;  // of each file of the last level; 0: none
};
Packing packing_of(Column column) {
  if (column == Column::kMessage) return {6u << 10, 128u << 10};
  if (column == Column::kText) return {10u << 10, 256u << 10};
  return {};
}

rocksdb::ColumnFamilyOptions column_options(Column column, const std::shared_ptr<rocksdb::Cache>& cache) {
  const Packing packing = packing_of(column);
  rocksdb::ColumnFamilyOptions options;
  rocksdb::BlockBasedTableOptions table;
  table.checksum = rocksdb::kXXH3;
  table.format_version = 5;
  table.block_size = packing.block_bytes;
  table.cache_index_and_filter_blocks = false;
  table.block_cache = cache;
  if (column == Column::kDigest || column == Column::kBlob || column == Column::kImport)
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10, false));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.write_buffer_size =
      column == Column::kText || column == Column::kMessage || column == Column::kDocument ? 16u << 20 : 4u << 20;
  options.max_write_buffer_number = 2;
  // What is flushed is rewritten soon: by the compaction of level 0, or by compact().
  options.compression_per_level.assign(static_cast<size_t>(options.num_levels), rocksdb::kZSTD);
  options.compression_per_level.front() = rocksdb::kLZ4Compression;
  options.bottommost_compression = rocksdb::kZSTD;
  options.compression_opts.level = 6;
  options.bottommost_compression_opts.level = 9;
  options.bottommost_compression_opts.enabled = true;
  if (packing.dictionary_bytes > 0) {
    options.bottommost_compression_opts.max_dict_bytes = packing.dictionary_bytes;
    options.bottommost_compression_opts.zstd_max_train_bytes =
        0;  // the samples themselves are the dictionary: cheaper, as good
    options.bottommost_compression_opts.max_dict_buffer_bytes = kDictionarySampleBytes;
  }
  return options;
}

rocksdb::DBOptions db_options(bool writer) {
  rocksdb::DBOptions options;
  options.create_if_missing = writer;
  options.create_missing_column_families = writer;
  options.max_open_files = -1;  // a secondary needs all files open (RocksDB 7.8)
  // By default 16 threads are started for each column at each look at the manifest, however few files are new: 870 of them in
  // one `archctl search`, which took five times as long as the search.
  options.max_file_opening_threads = 1;
  options.max_total_wal_size = 32u << 20;
  options.db_write_buffer_size = kWriteBufferBytes;
  options.recycle_log_file_num = 0;
  options.keep_log_file_num = 2;
  options.max_log_file_size = 1u << 20;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.max_background_jobs = 3;  // one flushes, two compact
  options.stats_dump_period_sec = 0;
  options.max_manifest_file_size = 16u << 20;
  options.skip_stats_update_on_db_open = true;
  return options;
}

// A reader's log tells nobody anything, and goes when the reader does; yet RocksDB prints every option of every column into it,
// which is a good part of opening.
class NoLog : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

// Tells one database from another under the same path; zeros when there is none.
std::pair<uint64_t, uint64_t> identity_of(const std::string& path) {
  struct stat info {};
  if (::stat((path + "/IDENTITY").c_str(), &info) != 0) return {};
  return {info.st_ino,
          static_cast<uint64_t>(info.st_ctim.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(info.st_ctim.tv_nsec)};
}

rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

// The writer's directory at one time. RocksDB appends to its logs and manifests and gives every other file a new name, so that nothing
// was written as long as the directory has not changed and those files have not grown. Catching up costs a tenth of a question even
// where there is nothing to catch up with: RocksDB (7.8.3) makes a version of every column then.
struct Seen {
  int64_t changed_ns = 0;  // the directory
  std::vector<std::pair<std::string, int64_t>> growing;
};

int64_t changed_ns(const struct stat& info) { return info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec; }

// Nothing when the directory has changed just now.
std::optional<Seen> look_at(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0 || !has_settled(info)) return std::nullopt;
  Seen seen;
  seen.changed_ns = changed_ns(info);
  std::error_code error;
  for (std::filesystem::directory_iterator at(path, error), end; !error && at != end; at.increment(error)) {
    const std::string file = at->path().string(), name = at->path().filename().string();
    if (!name.ends_with(".log") && !name.starts_with("MANIFEST-")) continue;
    if (::stat(file.c_str(), &info) != 0) return std::nullopt;
    seen.growing.emplace_back(file, info.st_size);
  }
  if (error) return std::nullopt;
  return seen;
}

bool holds(const Seen& seen, const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0 || changed_ns(info) != seen.changed_ns) return false;
  return std::all_of(seen.growing.begin(), seen.growing.end(), [&](const auto& file) {
    return ::stat(file.first.c_str(), &info) == 0 && info.st_size == file.second;
  });
}

}  // namespace

struct CatalogBatch::State {
  struct Operation {
    Column column;
    std::string key;
    std::optional<std::string> value;
  };
  std::vector<Operation> operations;
};

CatalogBatch::CatalogBatch() : state_(std::make_unique<State>()) {}
CatalogBatch::~CatalogBatch() = default;
CatalogBatch::CatalogBatch(CatalogBatch&&) noexcept = default;
CatalogBatch& CatalogBatch::operator=(CatalogBatch&&) noexcept = default;
void CatalogBatch::put(Column column, std::string_view key, std::string_view value) {
  state_->operations.push_back({column, std::string(key), std::string(value)});
}
void CatalogBatch::remove(Column column, std::string_view key) {
  state_->operations.push_back({column, std::string(key), std::nullopt});
}
bool CatalogBatch::empty() const { return state_->operations.empty(); }

struct Catalog::State {
  std::string path;
  std::string scratch;  // kReader: RocksDB wants a directory of its own
  std::pair<uint64_t, uint64_t> identity;
  std::optional<Seen>
      seen;  // by refresh(), when the writer's files were such that it can be told whether they change
  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> columns;

  rocksdb::ColumnFamilyHandle* handle(Column column) const { return columns[static_cast<size_t>(column)]; }
  ~State() {
    if (db) {
      for (auto* column : columns) static_cast<void>(db->DestroyColumnFamilyHandle(column));
      static_cast<void>(db->Close());
      db.reset();
    }
    if (!scratch.empty()) {
      std::error_code ignored;  // a left-over directory in the temporary directory harms nothing
      std::filesystem::remove_all(scratch, ignored);
    }
  }
};

Catalog::Catalog() : state_(std::make_unique<State>()) {}
Catalog::~Catalog() = default;

Result<std::unique_ptr<Catalog>> Catalog::open(const std::string& path, Mode mode) {
  auto catalog = std::unique_ptr<Catalog>(new Catalog);
  State& state = *catalog->state_;
  state.path = path;
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  const auto cache = rocksdb::NewLRUCache(kReadCacheBytes);
  for (size_t i = 0; i < kColumns; ++i)
    descriptors.emplace_back(kNames[i], column_options(static_cast<Column>(i), cache));
  rocksdb::DB* db = nullptr;
  if (mode == Mode::kWriter) {
    ARCH_TRY_VOID(to_result(rocksdb::DB::Open(db_options(true), path, descriptors, &state.columns, &db), path));
  } else {
    struct stat info {};
    if (::stat((path + "/CURRENT").c_str(), &info) != 0)
      return fail(Code::kNotFound, "there is no catalog in " + path);
    const char* tmp = ::getenv("TMPDIR");
    std::string scratch = std::string(tmp == nullptr || *tmp == '\0' ? "/tmp" : tmp) + "/archive-reader-XXXXXX";
    if (::mkdtemp(scratch.data()) == nullptr) return fail_errno(errno, "cannot make " + scratch);
    state.scratch = scratch;
    state.identity = identity_of(path);  // before it is opened: one that is made in between is taken for another
    rocksdb::DBOptions reading = db_options(false);
    reading.info_log = std::make_shared<NoLog>();
    const rocksdb::Status status =
        rocksdb::DB::OpenAsSecondary(reading, path, scratch, descriptors, &state.columns, &db);
    // The engine is making it at this moment, and has not come to its last column.
    if (status.IsInvalidArgument() && status.ToString().find("Column family not found") != std::string::npos)
      return fail(Code::kNotFound, "the catalog in " + path + " is being made");
    ARCH_TRY_VOID(to_result(status, path));
  }
  state.db.reset(db);
  return catalog;
}

Result<std::optional<std::string>> Catalog::get(Column column, std::string_view key) const {
  std::string value;
  const rocksdb::Status status = state_->db->Get(rocksdb::ReadOptions(), state_->handle(column), slice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  ARCH_TRY_VOID(to_result(status, state_->path));
  return std::optional<std::string>(std::move(value));
}

Result<std::vector<std::optional<std::string>>> Catalog::get_many(Column column,
                                                                  const std::vector<std::string>& keys) const {
  std::vector<rocksdb::Slice> slices;
  slices.reserve(keys.size());
  for (const std::string& key : keys) slices.push_back(slice(key));
  std::vector<rocksdb::PinnableSlice> values(keys.size());
  std::vector<rocksdb::Status> statuses(keys.size());
  state_->db->MultiGet(rocksdb::ReadOptions(), state_->handle(column), keys.size(), slices.data(), values.data(),
                       statuses.data(), std::is_sorted(keys.begin(), keys.end()));
  std::vector<std::optional<std::string>> out(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    if (statuses[i].IsNotFound()) continue;
    ARCH_TRY_VOID(to_result(statuses[i], state_->path));
    out[i].emplace(values[i].data(), values[i].size());
  }
  return out;
}

namespace {

// To the first key that is not before `wanted`: by steps where it is near, by a search where it is not.
void advance(rocksdb::Iterator& iterator, bool* begun, const rocksdb::Slice& wanted) {
  constexpr int kSteps = 8;
  if (*begun)
    for (int step = 0; step < kSteps; ++step) {
      if (!iterator.Valid() || iterator.key().compare(wanted) >= 0) return;
      iterator.Next();
    }
  if (*begun && (!iterator.Valid() || iterator.key().compare(wanted) >= 0)) return;
  iterator.Seek(wanted);
  *begun = true;
}

}  // namespace

Result<void> Catalog::get_rising(Column column, const std::vector<std::string>& keys,
                                 const std::function<bool(size_t, std::string_view)>& each) const {
  std::unique_ptr<rocksdb::Iterator> iterator(
      state_->db->NewIterator(rocksdb::ReadOptions(), state_->handle(column)));
  bool begun = false;
  for (size_t i = 0; i < keys.size(); ++i) {
    const rocksdb::Slice wanted = slice(keys[i]);
    advance(*iterator, &begun, wanted);
    if (!iterator->Valid()) break;
    if (iterator->key() != wanted) continue;
    const rocksdb::Slice value = iterator->value();
    if (!each(i, {value.data(), value.size()})) return {};
  }
  return to_result(iterator->status(), state_->path);
}

Result<void> Catalog::scan_rising(Column column, const std::vector<std::string>& prefixes,
                                  const std::function<void(size_t, std::string_view)>& each) const {
  std::unique_ptr<rocksdb::Iterator> iterator(
      state_->db->NewIterator(rocksdb::ReadOptions(), state_->handle(column)));
  bool begun = false;
  for (size_t i = 0; i < prefixes.size(); ++i) {
    const rocksdb::Slice wanted = slice(prefixes[i]);
    for (advance(*iterator, &begun, wanted); iterator->Valid() && iterator->key().starts_with(wanted);
         iterator->Next()) {
      const rocksdb::Slice key = iterator->key();
      each(i, {key.data(), key.size()});
    }
    if (!iterator->Valid()) break;
  }
  return to_result(iterator->status(), state_->path);
}

Result<void> Catalog::scan(Column column, std::string_view from, std::string_view prefix,
                           const std::function<bool(std::string_view, std::string_view)>& each) const {
  std::unique_ptr<rocksdb::Iterator> iterator(
      state_->db->NewIterator(rocksdb::ReadOptions(), state_->handle(column)));
  for (iterator->Seek(slice(from)); iterator->Valid(); iterator->Next()) {
    const rocksdb::Slice key = iterator->key(), value = iterator->value();
    const std::string_view key_view(key.data(), key.size());
    if (key_view.substr(0, prefix.size()) != prefix) break;
    if (!each(key_view, {value.data(), value.size()})) return {};
  }
  return to_result(iterator->status(), state_->path);
}

Result<void> Catalog::write(CatalogBatch&& batch, bool sync) {
  rocksdb::WriteBatch writes;
  for (const auto& operation : batch.state_->operations) {
    if (operation.value)
      writes.Put(state_->handle(operation.column), slice(operation.key), slice(*operation.value));
    else
      writes.Delete(state_->handle(operation.column), slice(operation.key));
  }
  rocksdb::WriteOptions options;
  options.sync = sync;
  return to_result(state_->db->Write(options, &writes), state_->path);
}

Result<void> Catalog::refresh() {
  State& state = *state_;
  if (state.seen && holds(*state.seen, state.path)) return {};
  state.seen.reset();
  std::optional<Seen> now =
      look_at(state.path);  // before it is read: what comes in between is caught up with next time
  ARCH_TRY_VOID(to_result(state.db->TryCatchUpWithPrimary(), state.path));
  state.seen = std::move(now);
  return {};
}

Result<void> Catalog::compact() {
  rocksdb::CompactRangeOptions options;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  options.exclusive_manual_compaction = false;
  // Two columns at a time: each is compressed by one thread, and the texts take as long as all others.
  std::atomic<size_t> next{0};
  const auto some = [&]() -> Result<void> {
    for (size_t i = next++; i < state_->columns.size(); i = next++)
      ARCH_TRY_VOID(to_result(state_->db->CompactRange(options, state_->columns[i], nullptr, nullptr), state_->path));
    return {};
  };
  auto other = std::async(std::launch::async, some);
  auto mine = some();
  ARCH_TRY_VOID(other.get());
  return mine;
}

bool Catalog::replaced() const {
  // RocksDB writes IDENTITY once, where it makes a database; while the engine is about to, there is none.
  const auto now = identity_of(state_->path);
  return now != state_->identity && now != std::pair<uint64_t, uint64_t>();
}

}  // namespace arch
