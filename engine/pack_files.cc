// From closed and applied journal files to a published segment, and only then without them.
//
// Write order (docs/promises.md, 6): segment fsynced and in place, read back -> places, blobs and marks in one synced batch
// of the catalog -> journal files removed, directory synced. A crash between any two leaves both copies, and the next
// start goes on from there: the segment's footer names the files it was born from.
#include <algorithm>
#include <chrono>
#include <thread>

#include "engine/archive_state.h"
#include "engine/base/mutant.h"
#include "engine/pack/packer.h"

namespace arch {

namespace {

constexpr uint64_t kSegmentRawBytes = 256ull << 20;  // about, of one segment
constexpr uint64_t kSegmentRoom = 16ull << 20;       // for its tables, above what its messages have at most
// A file whose writer died keeps the room it had reserved: a capture that is killed again and again would fill the disk.
constexpr size_t kAbandonedFiles = 8;

struct ItemPlace {
  RecordRef record;
};

}  // namespace

Result<PackStats> Archive::pack(uint64_t at_least_bytes, UnixNs max_age, const std::function<bool()>& stop) {
  ARCH_CHECK(state_->mode == Mode::kEngine);
  State& state = *state_;
  PackStats total;
  ARCH_TRY(auto files, list_journal(state.fs, journal_directory(state.directory)));

  std::vector<JournalFileInfo> ready, finished;
  uint64_t ready_bytes = 0;
  bool old_enough = false;
  size_t abandoned = 0;
  for (JournalFileInfo& info : files) {
    if (info.state == JournalState::kOpen) continue;
    auto reader = JournalReader::open(state.fs, info.path);
    if (!reader) {
      if (reader.error().code != Code::kNotFound) state.alarm(describe(reader.error()));
      continue;
    }
    if (state.is_foreign(**reader)) continue;
    const JournalFileId id{info.number, (*reader)->header().marker};
    ARCH_TRY(bool packed, state.is_packed(id));
    rows::Mark mark;
    {
      std::lock_guard lock(state.write_mutex);
      auto known = state.marks.find(info.number);
      if (known == state.marks.end() || !known->second.complete) continue;  // apply looks through it first
      mark = known->second;
    }
    if (packed) {
      ARCH_TRY(bool unpacked, state.has_unpacked(info.number));
      if (!unpacked) {
        finished.push_back(info);
        continue;
      }
      if (mark.damaged) continue;  // what could be packed is; the rest is why it is kept
    }
    ready_bytes += mark.offset;
    if (state.clock.now() - (*reader)->header().created >= max_age) old_enough = true;
    if (info.state == JournalState::kAbandoned && ++abandoned >= kAbandonedFiles) old_enough = true;
    ready.push_back(std::move(info));
  }
  ARCH_TRY(total.journal_files_released, state.release(finished));
  if (ready.empty() || (ready_bytes < at_least_bytes && !old_enough)) return total;

  std::optional<Error> failed;
  for (size_t at = 0; at < ready.size();) {
    if (stop && stop()) break;
    std::vector<JournalFileInfo> group;
    uint64_t bytes = 0;
    while (at < ready.size() && (group.empty() || bytes + ready[at].size <= kSegmentRawBytes)) {
      bytes += ready[at].size;
      group.push_back(ready[at++]);
    }
    auto packed = state.pack_files(group);
    if (!packed) {
      if (packed.error().code == Code::kFull) return tl::unexpected<Error>(packed.error());
      failed = packed.error();  // of this group alone
      continue;
    }
    const PackStats& stats = *packed;
    total.segments += stats.segments;
    total.messages += stats.messages;
    total.raw_bytes += stats.raw_bytes;
    total.segment_bytes += stats.segment_bytes;
    total.journal_files_released += stats.journal_files_released;
  }
  if (failed) return tl::unexpected<Error>(*failed);
  return total;
}

namespace {

// Reads what is packed from the journal, and parts of earlier segments through the archive.
class JournalSource : public PackSource {
 public:
  JournalSource(const std::vector<ItemPlace>& places,
                std::function<Result<std::shared_ptr<JournalReader>>(uint64_t)> journal,
                std::function<Result<std::optional<BlobPlace>>(const Digest&)> find,
                std::function<Result<std::string>(const Digest&, uint32_t)> read)
      : places_(places), journal_(std::move(journal)), find_(std::move(find)), read_(std::move(read)) {}

  Result<Delivery> read(size_t i, std::string* message) override {
    const RecordRef& ref = places_[i].record;
    ARCH_TRY(auto reader, journal_(ref.file));
    ARCH_TRY(JournalReader::Record record, reader->read_record(ref, message));
    return std::move(record.delivery);
  }
  Result<Delivery> read_delivery(size_t i) override {
    ARCH_TRY(auto reader, journal_(places_[i].record.file));
    return reader->read_delivery(places_[i].record);
  }
  Result<std::optional<BlobPlace>> find_blob(const Digest& digest) override { return find_(digest); }
  Result<std::string> read_blob(const Digest& digest, uint32_t segment) override { return read_(digest, segment); }

 private:
  const std::vector<ItemPlace>& places_;
  std::function<Result<std::shared_ptr<JournalReader>>(uint64_t)> journal_;
  std::function<Result<std::optional<BlobPlace>>(const Digest&)> find_;
  std::function<Result<std::string>(const Digest&, uint32_t)> read_;
};

}  // namespace

Result<PackStats> Archive::State::pack_files(const std::vector<JournalFileInfo>& files) {
  struct Row {
    PackItem item;
    ItemPlace place;
    uint64_t message = 0;
  };
  std::vector<Row> table;
  std::vector<JournalFileId> ids;
  for (const JournalFileInfo& info : files) {
    ARCH_TRY(auto reader, journal(info.number));
    ids.push_back({info.number, reader->header().marker});
    Result<void> failure;
    ARCH_TRY_VOID(catalog->scan(Column::kUnpacked, be64(info.number), be64(info.number),
                                [&](std::string_view key, std::string_view value) {
                                  auto unpacked = rows::decode_unpacked(value);
                                  if (!unpacked) {
                                    failure = tl::unexpected<Error>(unpacked.error());
                                    return false;
                                  }
                                  Row row;
                                  row.item.sequence = unpacked->sequence;
                                  row.place.record = {info.number, from_be64(key.substr(8)), unpacked->length};
                                  row.message = unpacked->message;
                                  table.push_back(row);
                                  return true;
                                }));
    ARCH_TRY_VOID(std::move(failure));
  }
  std::sort(table.begin(), table.end(), [](const Row& a, const Row& b) { return a.item.sequence < b.item.sequence; });

  std::vector<PackItem> items;
  std::vector<ItemPlace> places;

  for (Row& row : table) {
    ARCH_TRY(MessageInfo message, info(row.message));
    row.item.digest = message.digest;
    row.item.message_size = message.size;
    ARCH_TRY(auto value, catalog->get(Column::kPlace, be64(row.message)));
    if (!value)
      return fail(Code::kCorrupt, "the catalog has no place for message " + message.digest.hex(),
                  "run: archctl rebuild");
    ARCH_TRY(rows::Place place, rows::decode_place(*value));
    row.item.store_message = !place.in_segment;
    items.push_back(row.item);
    places.push_back(row.place);
  }
  table.clear();

  PackStats stats;
  if (!items.empty()) {
    // The next number, and the segment it follows.
    uint32_t last = 0;
    Digest previous;
    ARCH_TRY(auto known_files, list_segments(fs, directory));
    if (!known_files.empty()) {
      last = known_files.back().number;
      // One that cannot be read says nothing about itself; the catalog may, and verify says that the chain is broken there.
      auto there = SegmentReader::identify(fs, known_files.back().path);
      if (there) previous = there->footer_digest;
      if (!there && there.error().code != Code::kCorrupt) return tl::unexpected<Error>(there.error());
    }
    // The last one may be away (a volume that is not mounted): its number is not given again.
    Result<void> scanned;
    ARCH_TRY_VOID(
        catalog->scan(Column::kMeta, "segment:", "segment:", [&](std::string_view key, std::string_view row) {
          const auto number = static_cast<uint32_t>(from_be64(key.substr(8)));
          auto known = rows::decode_segment(row);
          if (!known) scanned = tl::unexpected<Error>(known.error());
          if (known && number >= last) {
            last = number;
            previous = known->footer_digest;
          }
          return known.has_value();
        }));
    ARCH_TRY_VOID(std::move(scanned));
    ARCH_TRY(auto volumes, list_volumes(fs, directory));
    const bool volume_away =
        std::any_of(volumes.begin(), volumes.end(), [](const Volume& volume) { return !volume.missing.empty(); });
    JournalSource source(
        places, [this](uint64_t number) { return journal(number); },
        [this, volume_away](const Digest& digest) -> Result<std::optional<BlobPlace>> {
          ARCH_TRY(auto row, catalog->get(Column::kBlob, digest.view()));
          if (!row) return std::optional<BlobPlace>();
          ARCH_TRY(BlobPlace place, rows::decode_blob(*row));
          // One that lies on a volume that is away could not be read back: it is stored again.
          if (volume_away && !find_segment(fs, directory, place.segment)) return std::optional<BlobPlace>();
          return std::optional<BlobPlace>(place);
        },
        foreign(&cache));
    uint64_t at_most = kSegmentRoom;
    for (const PackItem& item : items)
      if (item.store_message) at_most += item.message_size;
    ARCH_TRY(Volume volume, volume_for_new_segment(fs, directory, at_most));
    ARCH_TRY(PackResult packed, pack_segment(fs, file.id, last + 1, previous, clock.now(), volume.tmp(),
                                             volume.segments(), items, ids, source, PackOptions{}));
    CatalogBatch batch;
    std::vector<bool> left_out(items.size(), false);
    for (const PackResult::Unreadable& unreadable : packed.unreadable) {
      left_out[unreadable.item] = true;
      ARCH_TRY_VOID(keep_damaged(places[unreadable.item].record, items[unreadable.item], unreadable.error, &batch));
    }
    for (size_t i = 0; i < items.size(); ++i)
      if (!left_out[i]) batch.remove(Column::kUnpacked, be64(places[i].record.file) + be64(places[i].record.offset));
    if (packed.segment) {
      stats.segments = 1;
      stats.messages = packed.messages;
      stats.raw_bytes = packed.raw_bytes;
      stats.segment_bytes = packed.segment->info().file_size;
      segments.put(last + 1, packed.segment);
      for (uint32_t i = 0; i < packed.segment->message_count(); ++i) {
        ARCH_TRY(auto number, find(packed.segment->message_digest(i)));
        ARCH_CHECK(number.has_value());
        rows::Place place;
        place.in_segment = true;
        place.segment = last + 1;
        place.index = i;
        batch.put(Column::kPlace, be64(*number), rows::encode_place(place));
      }
      ARCH_TRY_VOID(ARCH_STEP("segment and packed marks", learn_segment(&batch, last + 1, *packed.segment)));
    } else {
      for (const JournalFileId& id : ids) batch.put(Column::kMeta, meta_packed_key(id), {});
    }
    std::lock_guard lock(write_mutex);
    ARCH_TRY_VOID(catalog->write(std::move(batch), true));
  } else {
    CatalogBatch batch;  // nothing in them: torn before the first record was whole
    for (const JournalFileId& id : ids) batch.put(Column::kMeta, meta_packed_key(id), {});
    ARCH_TRY_VOID(catalog->write(std::move(batch), true));
  }
  ARCH_TRY(stats.journal_files_released, release(files));
  return stats;
}

// A record that cannot be read any more: its file stays, and stays known.
Result<void> Archive::State::keep_damaged(const RecordRef& ref, const PackItem& item, const Error& error,
                                          CatalogBatch* batch) {
  ARCH_TRY(auto row, catalog->get(Column::kDelivery, be64(item.sequence)));
  std::string envelope;
  if (row) {
    ARCH_TRY(DeliveryInfo there, rows::decode_delivery_row(*row, item.sequence));
    envelope = " (captured " + format_rfc3339(there.delivery.captured) +
               (there.delivery.has_mail_from ? ", from <" + there.delivery.mail_from + ">" : "") +
               (there.delivery.rcpt.empty() ? "" : ", to <" + there.delivery.rcpt.front().address + ">") +
               (there.delivery.queue_id.empty() ? "" : ", queue id " + there.delivery.queue_id) + ")";
  }
  alarm("message " + item.digest.hex() + envelope + " cannot be packed: " + error.what + "; the file is kept");
  std::lock_guard lock(write_mutex);
  rows::Mark& mark = marks[ref.file];
  mark.damaged = true;
  batch->put(Column::kMeta, meta_mark_key(ref.file), rows::encode_mark(mark));
  return {};
}

Result<bool> Archive::State::has_unpacked(uint64_t journal_number) const {
  bool found = false;
  ARCH_TRY_VOID(catalog->scan(Column::kUnpacked, be64(journal_number), be64(journal_number),
                              [&](std::string_view, std::string_view) {
                                found = true;
                                return false;
                              }));
  return found;
}

// Removes journal files that a published segment holds and the catalog, synced, knows as packed. A damaged one is kept, and
// its mark with it, so that the next start knows that too.
Result<uint64_t> Archive::State::release(const std::vector<JournalFileInfo>& files) {
  uint64_t removed = 0;
  for (const JournalFileInfo& info : files) {
    {
      std::lock_guard lock(write_mutex);
      auto mark = marks.find(info.number);
      if (ARCH_WRONG("a damaged journal file is kept", mark != marks.end() && mark->second.damaged)) {
        alarm(info.path + " holds a damaged range: it is packed as far as it is intact, and the file is kept");
        continue;
      }
      ARCH_TRY(bool unpacked, has_unpacked(info.number));
      if (unpacked) continue;
      CatalogBatch batch;
      batch.remove(Column::kMeta, meta_mark_key(info.number));
      ARCH_TRY_VOID(catalog->write(std::move(batch), true));
      marks.erase(info.number);
      applying.erase(info.number);
    }
    journals.erase(info.number);
    auto gone = fs.remove(info.path);
    if (!gone && gone.error().code != Code::kNotFound) return tl::unexpected<Error>(gone.error());
    const std::string request = close_request_path(info.path);
    ARCH_TRY(bool asked, fs.exists(request));
    if (asked) ARCH_TRY_VOID(fs.remove(request));
    ++removed;
  }
  if (removed > 0) ARCH_TRY_VOID(fs.sync_directory(journal_directory(directory)));
  return removed;
}

Result<void> Archive::request_close_all(UnixNs wait) {
  ARCH_TRY_VOID(close_journal());
  const std::string journal = journal_directory(state_->directory);
  ARCH_TRY(auto files, list_journal(state_->fs, journal));
  std::vector<uint64_t> asked;
  for (const JournalFileInfo& info : files) {
    if (info.state != JournalState::kOpen) continue;
    auto requested = request_close(state_->fs, info.path);
    if (!requested && requested.error().code != Code::kNotFound) return requested;
    if (requested) asked.push_back(info.number);
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::nanoseconds(wait);
  while (!asked.empty()) {
    ARCH_TRY(auto now, list_journal(state_->fs, journal));
    for (const JournalFileInfo& info : now)
      if (info.state != JournalState::kOpen)
        asked.erase(std::remove(asked.begin(), asked.end(), info.number), asked.end());
    asked.erase(std::remove_if(asked.begin(), asked.end(),
                               [&](uint64_t number) {
                                 return std::none_of(now.begin(), now.end(), [&](const JournalFileInfo& info) {
                                   return info.number == number;
                                 });
                               }),
                asked.end());
    if (asked.empty()) break;
    if (std::chrono::steady_clock::now() >= deadline)
      return fail(Code::kTryAgain,
                  "a writer did not close journal file " + journal_file_name(asked.front()) + " in time",
                  "what is closed is packed; run it again");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return {};
}

}  // namespace arch
