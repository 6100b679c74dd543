#include "engine/verify/salvage.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "engine/base/bytes.h"
#include "engine/journal/archive_file.h"
#include "engine/journal/journal_reader.h"
#include "engine/segment/segment_reader.h"
#include "engine/segment/volumes.h"

namespace arch {

namespace {

constexpr uint64_t kBlockCacheBytes = 64ull << 20;
constexpr size_t kOpenSegments = 16;

uint64_t delivery_key(const Delivery& delivery) {
  return checksum64(as_bytes(std::string(delivery.digest.view()) + encode_delivery(delivery)));
}
uint64_t message_key(const Digest& digest) { return from_be64(digest.view()); }

// Keys of what was copied: eight bytes each, whatever the size of the archive.
class Keys {
 public:
  void add(uint64_t key) { keys_.push_back(key); }
  void sort() {
    std::sort(keys_.begin(), keys_.end());
    keys_.erase(std::unique(keys_.begin(), keys_.end()), keys_.end());
  }
  bool has(uint64_t key) const { return std::binary_search(keys_.begin(), keys_.end(), key); }
  size_t size() const { return keys_.size(); }

 private:
  std::vector<uint64_t> keys_;
};

class Salvage {
 public:
  Salvage(Fs& fs, std::string from, Archive& to, const std::function<bool()>& stop,
          const std::function<void(const SalvageReport&)>& progress)
      : fs_(fs), from_(std::move(from)), to_(to), stop_(stop), progress_(progress) {}

  Result<SalvageReport> run() {
    ARCH_TRY(archive_, read_archive_file(fs_, from_));
    ARCH_TRY(auto files, list_segments(fs_, from_));
    for (const auto& [number, path] : files) paths_[number] = path;
    for (const auto& [number, path] : paths_) ARCH_TRY_VOID(copy_segment(path));
    deliveries_.sort();
    ARCH_TRY(auto journal, list_journal(fs_, journal_directory(from_)));
    for (const JournalFileInfo& file : journal) ARCH_TRY_VOID(copy_journal(file));
    ARCH_TRY_VOID(to_.close_journal());
    messages_.sort();
    name_losses();
    report_.messages = messages_.size();
    for (auto& [digest, loss] : losses_)
      if (digest == Digest{} || !messages_.has(message_key(digest))) report_.losses.push_back(std::move(loss));
    return std::move(report_);
  }

 private:
  bool stopped() const { return stop_ && stop_(); }

  void lose(const Digest& digest, const std::string& file, const std::string& what, const Delivery* envelope) {
    if (digest == Digest{}) {
      report_.losses.push_back({digest, file, what, {}});
      return;
    }
    SalvageLoss& loss = losses_[digest];
    if (loss.what.empty()) loss = {digest, file, what, {}};
    if (envelope != nullptr) loss.envelopes.push_back(*envelope);
  }

  Result<void> store(const Delivery& delivery, std::string message) {
    report_.bytes += message.size();
    ++report_.deliveries;
    messages_.add(message_key(delivery.digest));
    ARCH_TRY_VOID(to_.append_staged(delivery, std::move(message)));
    if (progress_) progress_(report_);
    if (stopped())
      return fail(Code::kTryAgain, "the salvage was stopped", "what is in the new archive so far is good");
    return {};
  }

  // Null when it cannot be opened.
  std::shared_ptr<SegmentReader> segment(uint32_t number) {
    auto& slot = open_[number % kOpenSegments];
    if (slot && slot->info().number == number) return slot;
    auto known = paths_.find(number);
    if (known == paths_.end()) return nullptr;
    auto opened = SegmentReader::open(fs_, known->second);
    if (!opened || (*opened)->info().archive != archive_.id) return nullptr;
    slot = *opened;
    return slot;
  }

  Result<std::string> read(const SegmentReader& reader, uint32_t index) {
    const auto foreign = [this](const Digest& digest, uint32_t number) -> Result<std::string> {
      auto other = segment(number);
      auto blob = other ? other->find_blob(digest) : std::nullopt;
      if (!blob)
        return fail(Code::kCorrupt, "part " + digest.hex() + " of segment " + std::to_string(number) + " is lost");
      return other->read_blob(*blob, &blocks_);
    };
    return reader.read_message(index, foreign, &blocks_);
  }

  // Wherever it lies: the segment itself, else one made before it.
  Result<std::string> find(const std::shared_ptr<SegmentReader>& own, const Digest& digest) {
    if (auto index = own->find_message(digest)) return read(*own, *index);
    for (const auto& [number, path] : paths_) {
      auto other = number == own->info().number ? nullptr : segment(number);
      auto index = other ? other->find_message(digest) : std::nullopt;
      if (!index) continue;
      auto bytes = read(*other, *index);
      if (bytes) return bytes;
    }
    return fail(Code::kNotFound, "no segment that can be read holds the message");
  }

  Result<void> copy_segment(const std::string& path) {
    auto opened = SegmentReader::open(fs_, path);
    if (opened && (*opened)->info().archive != archive_.id) {
      lose({}, path, "it belongs to another archive, " + (*opened)->info().archive.hex(), nullptr);
      return {};
    }
    if (!opened) {
      lose({}, path, opened.error().what, nullptr);
      return {};
    }
    const std::shared_ptr<SegmentReader> reader = *opened;
    for (const JournalFileId& file : reader->info().journal_files) packed_.insert(file);
    std::vector<bool> delivered(reader->message_count(), false);
    SegmentReader::Deliveries deliveries(*reader);
    SegmentReader::DeliveryEntry entry;
    while (true) {
      auto more = deliveries.next(&entry);
      if (!more) {
        lose({}, path, more.error().what + "; messages whose arrival is lost with it are stored without envelope",
             nullptr);
        break;
      }
      if (!*more) break;
      if (auto index = reader->find_message(entry.delivery.digest)) delivered[*index] = true;
      auto bytes = find(reader, entry.delivery.digest);
      if (!bytes) {
        lose(entry.delivery.digest, path, bytes.error().what, &entry.delivery);
        continue;
      }
      deliveries_.add(delivery_key(entry.delivery));
      ARCH_TRY_VOID(store(entry.delivery, std::move(*bytes)));
    }
    for (uint32_t i = 0; i < delivered.size(); ++i) {
      if (delivered[i]) continue;
      auto bytes = read(*reader, i);
      if (!bytes) {
        lose(reader->message_digest(i), path, bytes.error().what, nullptr);
        continue;
      }
      Delivery unknown;
      unknown.digest = reader->message_digest(i);
      unknown.captured = reader->info().created;
      unknown.channel = Channel::kImport;
      unknown.origin = path + ", whose delivery records are damaged";
      ARCH_TRY_VOID(store(unknown, std::move(*bytes)));
    }
    return {};
  }

  Result<void> copy_journal(const JournalFileInfo& file) {
    auto opened = JournalReader::open(fs_, file.path);
    if (!opened) {
      if (opened.error().code != Code::kNotFound) lose({}, file.path, opened.error().what, nullptr);
      return {};
    }
    JournalReader& reader = **opened;
    if (file.state != JournalState::kOpen) reader.set_live(false);
    if (reader.number() == 0) return {};
    if (!reader.header_damaged() && reader.header().archive != archive_.id) {
      lose({}, file.path, "it belongs to another archive, " + reader.header().archive.hex(), nullptr);
      return {};
    }
    const bool packed = packed_.count({file.number, reader.header().marker}) != 0;
    uint64_t offset = 0;
    std::vector<BadRange> bad;
    while (true) {
      JournalReader::Record record;
      std::string message;
      auto more = reader.next(&offset, &record, &message, &bad);
      if (!more) {
        lose({}, file.path, more.error().what + "; what lies behind it was not reached", nullptr);
        break;
      }
      if (!*more) break;
      if (packed && deliveries_.has(delivery_key(record.delivery))) continue;
      if (Sha256::of(as_bytes(message)) != record.delivery.digest) {
        lose(record.delivery.digest, file.path, "the message does not have its digest", &record.delivery);
        continue;
      }
      ARCH_TRY_VOID(store(record.delivery, std::move(message)));
    }
    for (const BadRange& range : bad)
      if (range.damage)
        lose({}, file.path,
             "bytes " + std::to_string(range.begin) + " to " + std::to_string(range.end) +
                 " are damaged: acknowledged mail may be lost there",
             nullptr);
    return {};
  }

  // The old catalog, when it can be read, knows of mail by name whose place is gone.
  void name_losses() {
    auto old = Archive::open(fs_, Clock::system(), from_, Archive::Mode::kReader);
    if (!old) return;
    const auto scanned = (*old)->for_each_message(1, [&](const MessageInfo& info) {
      if (messages_.has(message_key(info.digest))) return true;
      const bool known = losses_.count(info.digest) != 0;
      if (!known) lose(info.digest, {}, "neither segment nor journal holds it whole", nullptr);
      SalvageLoss& loss = losses_[info.digest];
      if (!loss.envelopes.empty()) return true;
      for (uint64_t sequence : info.deliveries) {
        auto delivery = (*old)->delivery(sequence);
        if (delivery) loss.envelopes.push_back(std::move(delivery->delivery));
      }
      return true;
    });
    if (!scanned) lose({}, from_ + "/catalog", describe(scanned.error()) + "; some losses may not be named", nullptr);
  }

  Fs& fs_;
  const std::string from_;
  Archive& to_;
  const std::function<bool()>& stop_;
  const std::function<void(const SalvageReport&)>& progress_;
  ArchiveFile archive_;
  SalvageReport report_;
  std::map<uint32_t, std::string> paths_;
  std::array<std::shared_ptr<SegmentReader>, kOpenSegments> open_;
  BlockCache blocks_{kBlockCacheBytes};
  std::set<JournalFileId> packed_;  // segments were born from these
  Keys deliveries_, messages_;
  std::map<Digest, SalvageLoss> losses_;
};

}  // namespace

Result<SalvageReport> salvage(Fs& fs, const std::string& from, Archive& to, const std::function<bool()>& stop,
                              const std::function<void(const SalvageReport&)>& progress) {
  std::string path = from;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return Salvage(fs, path, to, stop, progress).run();
}

}  // namespace arch
