// RocksDB 7.8.3 behind a wall: ordered rows in named columns, one writer process, readers beside it.
//
// Only the .cc file of this folder names RocksDB. Debian builds it with assertions on: an I/O error may end the process,
// which is why nothing that an acknowledgement needs depends on it. BlobDB is not used (values vanish or crash in read-only
// and secondary opens); checksums are XXH3 (the package's crc32c is the slow one).
//
// Threads   get(), get_many(), scan(), write(), replaced(): any thread. refresh(), compact(): one at a time each, beside
//           the others.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace arch {

/// Columns; names on disk in catalog.cc. What the rows hold: docs/catalog-format.md and engine/catalog/rows.h.
enum class Column : uint8_t {
  kMeta,
  kDigest,
  kMessage,
  kPlace,
  kBlob,
  kDelivery,
  kAgain,
  kMessageId,
  kThread,
  kText,
  kUsage,
  kImport,
  kUnpacked,
  kQueue,
  kThreading,
  kDocument,
};
constexpr size_t kColumns = 16;

class CatalogBatch {
 public:
  CatalogBatch();
  ~CatalogBatch();
  CatalogBatch(CatalogBatch&&) noexcept;
  CatalogBatch& operator=(CatalogBatch&&) noexcept;
  void put(Column column, std::string_view key, std::string_view value);
  void remove(Column column, std::string_view key);
  bool empty() const;

 private:
  friend class Catalog;
  struct State;
  std::unique_ptr<State> state_;
};

class Catalog {
 public:
  enum class Mode : uint8_t { kWriter, kReader };

  /// kWriter creates it when absent. kReader follows a writer's files without a lock and writes only into a directory of
  /// its own under the system's temporary directory, removed on close. Errors: kNotFound (kReader: there is none),
  /// kTryAgain (another writer), kCorrupt, kIo.
  static Result<std::unique_ptr<Catalog>> open(const std::string& path, Mode mode);
  ~Catalog();

  Result<std::optional<std::string>> get(Column column, std::string_view key) const;
  Result<std::vector<std::optional<std::string>>> get_many(Column column, const std::vector<std::string>& keys) const;
  /// The same for keys that rise, with one walk over the column: for keys that lie close together. `each` gets the key's place
  /// and the row; keys without one are passed over.
  Result<void> get_rising(Column column, const std::vector<std::string>& keys,
                          const std::function<bool(size_t index, std::string_view value)>& each) const;
  /// Rows under each of these prefixes, which rise and are no prefixes of each other; one walk. `each` gets the prefix's place.
  Result<void> scan_rising(Column column, const std::vector<std::string>& prefixes,
                           const std::function<void(size_t index, std::string_view key)>& each) const;
  /// Rows with key >= `from`, rising; `prefix` (of the keys) bounds the walk; stops when `each` returns false.
  Result<void> scan(Column column, std::string_view from, std::string_view prefix,
                    const std::function<bool(std::string_view key, std::string_view value)>& each) const;
  /// Atomic. With `sync` it has survived a power cut when it returns.
  Result<void> write(CatalogBatch&& batch, bool sync);
  /// kReader: sees what the writer has written since.
  Result<void> refresh();
  /// Everything into files of the last level, with the best compression: after a large import or a rebuild. Takes a while
  /// (it writes what it reads); reads and writes go on beside it.
  Result<void> compact();
  /// kReader: another catalog lies under the path now than the one that was opened (the engine made it anew).
  bool replaced() const;

 private:
  Catalog();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace arch
