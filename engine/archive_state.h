// What an open archive holds, shared by the .cc files of this folder only.
#pragma once

#include <deque>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/archive.h"
#include "engine/base/bytes.h"
#include "engine/catalog/catalog.h"
#include "engine/catalog/rows.h"
#include "engine/journal/group_commit.h"
#include "engine/journal/journal_reader.h"
#include "engine/pack/packer.h"
#include "engine/segment/volumes.h"
#include "engine/summary.h"

namespace arch {

// Keys of the catalog's rows (docs/catalog-format.md).
inline std::string meta_mark_key(uint64_t number) { return "mark:" + be64(number); }
inline std::string meta_packed_key(const JournalFileId& file) {
  return "packed:" + be64(file.number) +
         std::string(reinterpret_cast<const char*>(file.marker.data()), file.marker.size());
}
inline std::string meta_segment_key(uint32_t number) { return "segment:" + be64(number); }
constexpr std::string_view kMetaTotals = "totals";
constexpr std::string_view kMetaFormat = "format";
constexpr std::string_view kMetaNumbering = "numbering";
inline std::string message_id_key(const std::string& message_id) { return be64(checksum64(as_bytes(message_id))); }
/// Where a message without Message-ID finds its copies.
inline std::string mail_key_key(uint64_t mail_key) { return be64(checksum64(as_bytes("key:" + be64(mail_key)))); }
inline std::string queue_key(const std::string& queue_id) { return be64(checksum64(as_bytes(queue_id))); }
inline std::string import_key(const Digest& digest, const std::string& origin) {
  return be64(checksum64(as_bytes(std::string(digest.view()) + origin)));
}
/// Days sort by number, before 1970 too.
inline std::string usage_key(int64_t day) { return be64(static_cast<uint64_t>(day) ^ 1ull << 63); }
inline int64_t usage_day(std::string_view key) { return static_cast<int64_t>(from_be64(key) ^ 1ull << 63); }
std::string encode_usage_day(const ArchiveUsage::Day& day);
ArchiveUsage::Day decode_usage_day(std::string_view value);

constexpr uint64_t kBlockCacheBytes = 32ull << 20;
constexpr uint64_t kFeedCacheBytes = 64ull << 20;  // a follower that runs over segments comes back to blocks
constexpr size_t kOpenSegments = 64;
constexpr size_t kOpenJournals = 64;

// A few open readers, the least recently used closed first.
template <class Key, class Value>
class OpenFiles {
 public:
  explicit OpenFiles(size_t capacity) : capacity_(capacity) {}
  std::shared_ptr<Value> get(Key key) {
    std::lock_guard lock(mutex_);
    auto found = by_key_.find(key);
    if (found == by_key_.end()) return nullptr;
    order_.splice(order_.begin(), order_, found->second);
    return found->second->second;
  }
  void put(Key key, std::shared_ptr<Value> value) {
    std::lock_guard lock(mutex_);
    if (by_key_.count(key) != 0) return;
    order_.emplace_front(key, std::move(value));
    by_key_[key] = order_.begin();
    if (order_.size() > capacity_) {
      by_key_.erase(order_.back().first);
      order_.pop_back();
    }
  }
  void erase(Key key) {
    std::lock_guard lock(mutex_);
    auto found = by_key_.find(key);
    if (found == by_key_.end()) return;
    order_.erase(found->second);
    by_key_.erase(found);
  }

 private:
  const size_t capacity_;
  std::mutex mutex_;
  std::list<std::pair<Key, std::shared_ptr<Value>>> order_;
  std::unordered_map<Key, typename std::list<std::pair<Key, std::shared_ptr<Value>>>::iterator> by_key_;
};

// The catalog that is open now. A reader opens another when the engine has made it anew; calls under way keep theirs, since
// `->` holds it until the whole expression is done.
class CatalogHandle {
 public:
  std::shared_ptr<Catalog> get() const {
    std::lock_guard lock(mutex_);
    return catalog_;
  }
  std::shared_ptr<Catalog> operator->() const { return get(); }
  explicit operator bool() const { return get() != nullptr; }
  CatalogHandle& operator=(std::unique_ptr<Catalog> catalog) {
    std::shared_ptr<Catalog> old(std::move(catalog));
    std::lock_guard lock(mutex_);
    catalog_.swap(old);
    return *this;
  }
  void reset() { *this = nullptr; }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<Catalog> catalog_;
};

struct Archive::State {
  State(Fs& given_fs, Clock& given_clock, std::string given_directory, Mode given_mode)
      : fs(given_fs), clock(given_clock), directory(std::move(given_directory)), mode(given_mode) {}

  Fs& fs;
  Clock& clock;
  const std::string directory;
  const Mode mode;
  ArchiveFile file;
  std::unique_ptr<File> engine_lock;
  mutable std::optional<OwnDomains> own_domains;  // as asked for; once the catalog is open, those it was made with

  mutable CatalogHandle catalog;  // null: kReader, and there is none yet
  mutable std::mutex refresh_mutex;
  bool rebuilding = false;

  // apply()'s own; pack() takes the mutex too where it writes marks and places
  std::mutex write_mutex;
  rows::Totals totals;                                                    // what the catalog holds
  std::unordered_map<uint64_t, std::shared_ptr<JournalReader>> applying;  // readers that keep their place
  std::unordered_map<uint64_t, rows::Mark> marks;

  mutable std::mutex alarm_mutex;
  mutable std::vector<std::string> alarms;

  mutable OpenFiles<uint32_t, SegmentReader> segments{kOpenSegments};
  mutable OpenFiles<uint64_t, JournalReader> journals{kOpenJournals};
  mutable BlockCache cache{kBlockCacheBytes};
  mutable std::once_flag feed_cache_once;
  mutable std::unique_ptr<BlockCache> feed_cache;

  // wait_for_news(): kept open, so that what happens between two calls is not missed
  mutable std::mutex news_mutex;
  mutable int news_descriptor = -1;
  ~State();

  // appending
  std::mutex append_mutex;
  std::unique_ptr<GroupCommit> commit;
  uint64_t reserve_free_bytes = 512ull << 20;
  std::unique_ptr<JournalWriter> staging;
  std::deque<std::string> staged_messages;  // the writer borrows them until its sync; a deque never moves them
  uint64_t staged_bytes = 0;

  Result<void> flush_staged();

  void alarm(const std::string& text) const {
    std::lock_guard lock(alarm_mutex);
    if (std::find(alarms.begin(), alarms.end(), text) == alarms.end()) alarms.push_back(text);
  }

  /// One sentence on the segments that the catalog knows and no volume gives; empty: there are none.
  Result<std::string> missing_segments() const;

  Result<void> open_catalog();
  Result<bool> catalog_fits(const Catalog& found) const;
  std::string format_row() const;
  Result<void> discard_catalog();

  Result<std::shared_ptr<SegmentReader>> segment(uint32_t number) const;
  Result<std::shared_ptr<JournalReader>> journal(uint64_t number) const;
  SegmentReader::ForeignBlob foreign(BlockCache* blocks) const;
  Result<std::string> message_at(const rows::Place& place, const Digest& digest, BlockCache* blocks) const;
  Result<std::string> message(uint64_t number, const Digest& digest, BlockCache* blocks) const;
  Result<std::optional<uint64_t>> find(const Digest& digest) const;
  Result<MessageInfo> info(uint64_t number) const;
  Result<void> refresh() const;
  Result<void> expand(MessageText* text) const;
  Result<std::optional<uint64_t>> user_of(const Digest& digest) const;  ///< a message that has this document
  std::mutex document_mutex;  // between what waits for a document and what reads it

  /// One atomic step of apply(); see apply_step.h.
  class Step;
  Result<void> apply_segments(const std::function<bool()>& stop, ApplyStats* stats,
                              const std::function<void(const ApplyStats&)>& progress);
  /// Unknown segments on their way into the catalog; see adopt.cc.
  class Adoption;
  Result<void> apply_journal(const std::function<bool()>& stop, ApplyStats* stats,
                             const std::function<void(const ApplyStats&)>& progress);
  /// One step on one file; true when it should be called again at once. What keeps it from reading this file, and no
  /// other, is left in `*unreadable`.
  Result<bool> apply_file(const JournalFileInfo& info, const std::function<bool()>& stop, ApplyStats* stats,
                          const std::function<void(const ApplyStats&)>& progress, std::optional<Error>* unreadable);
  /// True when the catalog has this very delivery.
  Result<bool> knows_delivery(uint64_t message, const Delivery& delivery) const;
  Result<void> learn_segment(CatalogBatch* batch, uint32_t number, const SegmentReader& reader);
  Result<PackStats> pack_files(const std::vector<JournalFileInfo>& files);
  Result<uint64_t> release(const std::vector<JournalFileInfo>& files);
  Result<void> keep_damaged(const RecordRef& ref, const PackItem& item, const Error& error, CatalogBatch* batch);
  bool is_foreign(const JournalReader& reader) const;
  Result<bool> is_packed(const JournalFileId& id) const;
  /// Records of it that no segment holds.
  Result<bool> has_unpacked(uint64_t journal_number) const;
};

}  // namespace arch
