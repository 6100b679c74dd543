// The one loop that brings the catalog up to what segments and journal hold: at every start, after a crash, and in a rebuild,
// where it begins with nothing. Segments first, since the sequence numbers they carry are the given ones.
#include <algorithm>
#include <functional>

#include "engine/archive_state.h"
#include "engine/journal/journal_reader.h"
#include "engine/mime/trace.h"

namespace arch {

namespace {

constexpr uint64_t kBatchDeliveries = 1'000;  // of one step
constexpr uint64_t kBatchBytes = 32ull << 20;
constexpr UnixNs kQueueIdLife = 7 * kNsPerDay;  // between two copies of one mail
constexpr size_t kQueueIdUses = 100;            // of one queue id that are looked at

}  // namespace

// One atomic step of apply(): rows of new deliveries, and what later ones in the same step must already see.
class Archive::State::Step {
 public:
  explicit Step(Archive::State& state) : state_(state), totals_(state.totals) {}

  /// `sequence` 0: the next one. `bytes` are needed only when the message is new.
  Result<uint64_t> add(uint64_t sequence, const Delivery& delivery, uint64_t size, const rows::Place& place,
                       const std::function<Result<Summary>()>& summary) {
    if (sequence == 0) sequence = totals_.last_sequence + 1;
    totals_.last_sequence = std::max(totals_.last_sequence, sequence);
    ARCH_TRY(std::optional<uint64_t> known, find(delivery.digest));
    const int64_t day = floor_day(delivery.captured);
    ARCH_TRY(ArchiveUsage::Day * usage, day_row(day));
    std::string queue_id = delivery.channel == Channel::kImport ? std::string() : delivery.queue_id;
    if (!known) {
      const uint64_t number = ++totals_.last_message;
      ARCH_TRY(Summary made, summary());
      MessageInfo& info = made.info;
      info.number = number;
      info.digest = delivery.digest;
      info.size = size;
      info.captured = delivery.captured;
      queue_id = made.queue_id;
      if (!queue_id.empty()) ARCH_TRY_VOID(join(&info, made));
      ARCH_TRY(info.thread, thread_of(info, made.references));
      batch.put(Column::kDigest, delivery.digest.view(), varint(number));
      batch.put(Column::kMessage, be64(number), rows::encode_message(info, sequence));
      batch.put(Column::kPlace, be64(number), rows::encode_place(place));
      batch.put(Column::kThread, be64(info.thread) + be64(number), {});
      if (!info.message_id.empty()) {
        const std::string key = message_id_key(info.message_id);
        batch.put(Column::kMessageId, key + be64(number), {});
        threads_.emplace(key, info.thread);
      } else {
        batch.put(Column::kMessageId, mail_key_key(info.mail_key) + be64(number), {});
      }
      if (!queue_id.empty()) queued_.emplace(queue_id, Queued{info, made.core});
      numbers_.emplace(delivery.digest, number);
      known = number;
      totals_.message_bytes += size;
      usage->new_bytes += size;
      ++stats.messages;
    } else {
      batch.put(Column::kAgain, be64(*known) + be64(sequence), {});
    }
    batch.put(Column::kDelivery, be64(sequence), rows::encode_delivery_row(*known, delivery));
    if (!queue_id.empty()) batch.put(Column::kQueue, queue_key(queue_id) + be64(sequence), {});
    if (delivery.channel == Channel::kImport)
      batch.put(Column::kImport, import_key(delivery.digest, delivery.origin), {});
    totals_.received_bytes += size;
    totals_.applied_to = std::max(totals_.applied_to, delivery.captured);
    ++usage->deliveries;
    usage->bytes += size;
    ++stats.deliveries;
    stats.bytes += size;
    return sequence;
  }

  Result<std::optional<uint64_t>> find(const Digest& digest) {
    auto found = numbers_.find(digest);
    if (found != numbers_.end()) return std::optional<uint64_t>(found->second);
    return state_.find(digest);
  }

  Result<void> write() {
    for (const auto& [day, usage] : days_) batch.put(Column::kUsage, usage_key(day), encode_usage_day(usage));
    batch.put(Column::kMeta, kMetaTotals, rows::encode_totals(totals_));
    ARCH_TRY_VOID(state_.catalog->write(std::move(batch), false));
    state_.totals = totals_;
    return {};
  }

  CatalogBatch batch;
  ApplyStats stats;

 private:
  static std::string varint(uint64_t value) {
    ByteWriter out;
    out.varint(value);
    return out.take();
  }
  static int64_t floor_day(UnixNs time) {
    return time >= 0 ? time / kNsPerDay : -((-time + kNsPerDay - 1) / kNsPerDay);
  }

  Result<ArchiveUsage::Day*> day_row(int64_t day) {
    auto found = days_.find(day);
    if (found != days_.end()) return &found->second;
    ARCH_TRY(auto value, state_.catalog->get(Column::kUsage, usage_key(day)));
    return &(days_[day] = value ? decode_usage_day(*value) : ArchiveUsage::Day{});
  }

  struct Queued {
    MessageInfo info;
    uint64_t core = 0;
  };

  // Postfix reuses a queue id within days, by chance: what else names the mail has to agree.
  static bool may_be_one_mail(const MessageInfo& a, const MessageInfo& b) {
    const UnixNs apart = a.captured > b.captured ? a.captured - b.captured : b.captured - a.captured;
    if (apart > kQueueIdLife) return false;
    if (!a.message_id.empty() || !b.message_id.empty()) return a.message_id == b.message_id;
    return a.from == b.from && a.subject == b.subject && a.sent == b.sent;
  }

  // A copy of the mail that came another way from the same queue: both are kept, and are one mail in every answer.
  Result<void> join(MessageInfo* info, const Summary& made) {
    std::optional<Queued> partner;
    for (auto [each, last] = queued_.equal_range(made.queue_id); each != last && !partner; ++each)
      if (may_be_one_mail(each->second.info, *info)) partner = each->second;
    if (!partner) {
      std::vector<uint64_t> sequences;
      const std::string key = queue_key(made.queue_id);
      ARCH_TRY_VOID(state_.catalog->scan(Column::kQueue, key, key, [&](std::string_view row, std::string_view) {
        sequences.push_back(from_be64(row.substr(8)));
        return sequences.size() < kQueueIdUses;
      }));
      for (uint64_t sequence : sequences) {
        ARCH_TRY(auto row, state_.catalog->get(Column::kDelivery, be64(sequence)));
        if (!row) continue;
        ARCH_TRY(DeliveryInfo delivery, rows::decode_delivery_row(*row, sequence));
        ARCH_TRY(MessageInfo other, state_.info(delivery.message));
        if (other.digest == info->digest || !may_be_one_mail(other, *info)) continue;
        partner = Queued{std::move(other), 0};
        if (partner->info.mail_key == info->mail_key) break;
        auto bytes = state_.message(delivery.message, nullptr);
        if (bytes) partner->core = mime::core_key(*bytes, delivery.delivery.mta_host);
        break;  // unreadable bytes: joined as differing
      }
    }
    if (!partner) return {};
    const bool same = partner->info.mail_key == info->mail_key || partner->core == made.core;
    info->mail_key = partner->info.mail_key;
    ++(same ? totals_.joined_same : totals_.joined_differing);
    return {};
  }

  // The thread of the nearest mail answered that is known; else the hash of the first one named, so that mails that name
  // the same unknown one meet; else the own id.
  Result<uint64_t> thread_of(const MessageInfo& info, const std::vector<std::string>& references) {
    for (auto id = references.rbegin(); id != references.rend(); ++id) {
      const std::string key = message_id_key(*id);
      auto pending = threads_.find(key);
      if (pending != threads_.end()) return pending->second;
      uint64_t number = 0;
      ARCH_TRY_VOID(state_.catalog->scan(Column::kMessageId, key, key, [&](std::string_view row, std::string_view) {
        number = from_be64(row.substr(8));
        return false;
      }));
      if (number == 0) continue;
      ARCH_TRY(MessageInfo answered, state_.info(number));
      return answered.thread;
    }
    if (!references.empty()) return checksum64(as_bytes(references.front()));
    if (!info.message_id.empty()) return checksum64(as_bytes(info.message_id));
    return from_be64(info.digest.view());
  }

  Archive::State& state_;
  rows::Totals totals_;
  std::unordered_map<Digest, uint64_t, DigestHash> numbers_;
  std::unordered_map<std::string, uint64_t> threads_;
  std::unordered_multimap<std::string, Queued> queued_;
  std::map<int64_t, ArchiveUsage::Day> days_;
};

using Progress = std::function<void(const ApplyStats&)>;

namespace {

void add_to(ApplyStats* total, const ApplyStats& step) {
  total->deliveries += step.deliveries;
  total->messages += step.messages;
  total->bytes += step.bytes;
}

}  // namespace

Result<ApplyStats> Archive::apply(const std::function<bool()>& stop, const Progress& progress) {
  ARCH_CHECK(state_->mode == Mode::kEngine);
  ApplyStats stats;
  {
    std::lock_guard lock(state_->write_mutex);
    ARCH_TRY_VOID(state_->apply_segments(stop, &stats, progress));
  }
  ARCH_TRY_VOID(state_->apply_journal(stop, &stats, progress));
  if (!(stop && stop())) state_->rebuilding = false;
  return stats;
}

// ── segments ──

Result<void> Archive::State::apply_segments(const std::function<bool()>& stop, ApplyStats* stats,
                                            const Progress& progress) {
  ARCH_TRY(auto names, fs.list(segments_directory(directory)));
  for (const std::string& name : names) {
    const uint32_t number = segment_file_number(name);
    if (number == 0) continue;
    if (stop && stop()) return {};
    ARCH_TRY(auto row, catalog->get(Column::kMeta, meta_segment_key(number)));
    if (row) continue;
    auto reader = segment(number);
    if (!reader) {
      // The rest of the archive stays usable; verify tells what this one holds.
      alarm(describe(reader.error()));
      if (reader.error().code == Code::kCorrupt || reader.error().code == Code::kTooNew ||
          reader.error().code == Code::kInvalid)
        continue;
      return tl::unexpected<Error>(reader.error());
    }
    ARCH_TRY_VOID(adopt(number, *reader, stats, progress));
  }
  return {};
}

Result<void> Archive::State::learn_segment(CatalogBatch* batch, uint32_t number, const SegmentReader& reader) {
  for (uint32_t i = 0; i < reader.blob_count(); ++i) {
    BlobPlace place;
    place.segment = number;
    place.index = i;
    place.size = reader.blob_size(i);
    batch->put(Column::kBlob, reader.blob_digest(i).view(), rows::encode_blob(place));
  }
  rows::SegmentRow row;
  row.footer_digest = reader.info().footer_digest;
  row.file_size = reader.info().file_size;
  row.messages = reader.message_count();
  row.deliveries = reader.delivery_count();
  row.raw_bytes = reader.info().raw_bytes;
  batch->put(Column::kMeta, meta_segment_key(number), rows::encode_segment(row));
  for (const JournalFileId& born_from : reader.info().journal_files)
    batch->put(Column::kMeta, meta_packed_key(born_from), {});
  return {};
}

// A segment that the catalog does not know: published before a crash, or any of them in a rebuild. Deliveries that are
// known by their sequence number are passed over; places of all its messages change to this segment.
Result<void> Archive::State::adopt(uint32_t number, const std::shared_ptr<SegmentReader>& reader, ApplyStats* stats,
                                   const Progress& progress) {
  // Which of its messages the catalog has to be told about.
  std::vector<SegmentReader::DeliveryEntry> fresh;
  Result<void> failure;
  ARCH_TRY_VOID(reader->for_each_delivery([&](const SegmentReader::DeliveryEntry& entry) {
    auto row = catalog->get(Column::kDelivery, be64(entry.sequence));
    if (!row) {
      failure = tl::unexpected<Error>(row.error());
      return false;
    }
    if (!*row) fresh.push_back(entry);
    return true;
  }));
  ARCH_TRY_VOID(std::move(failure));

  // Summaries in stored order, where neighbours share blocks; then deliveries in theirs.
  std::unordered_map<Digest, Summary, DigestHash> summaries;
  std::unordered_map<Digest, const Delivery*, DigestHash> first;
  for (const auto& entry : fresh) first.emplace(entry.delivery.digest, &entry.delivery);
  BlockCache blocks(kFeedCacheBytes);
  for (uint32_t i = 0; i < reader->message_count() && !fresh.empty(); ++i) {
    const Digest& digest = reader->message_digest(i);
    auto delivered = first.find(digest);
    if (delivered == first.end()) continue;
    ARCH_TRY(auto known, find(digest));
    if (known) continue;
    auto bytes = reader->read_message(i, foreign(&blocks), &blocks);
    if (bytes) {
      summaries.emplace(digest, summarise(*bytes, *delivered->second, *own_domains));
    } else if (bytes.error().code == Code::kCorrupt) {
      alarm(describe(bytes.error()));  // listed by its envelope alone; everything else stays readable
      summaries.emplace(digest, summarise({}, *delivered->second, *own_domains));
    } else {
      return tl::unexpected<Error>(bytes.error());
    }
  }
  for (size_t at = 0; at < fresh.size();) {
    Step step(*this);
    for (const size_t end = std::min<size_t>(fresh.size(), at + kBatchDeliveries); at < end; ++at) {
      const Delivery& delivery = fresh[at].delivery;
      rows::Place place;
      place.in_segment = true;
      place.segment = number;
      auto index = reader->find_message(delivery.digest);
      uint64_t size = 0;
      if (index) {
        place.index = *index;
        size = reader->message_size(*index);
      } else {
        ARCH_TRY(auto known, step.find(delivery.digest));
        if (!known) {
          alarm(reader->path() + " names message " + delivery.digest.hex() + ", which no segment before it holds");
          continue;
        }
        ARCH_TRY(MessageInfo message, info(*known));
        size = message.size;
      }
      auto summary = summaries.find(delivery.digest);
      ARCH_TRY(uint64_t sequence, step.add(fresh[at].sequence, delivery, size, place, [&]() -> Result<Summary> {
        if (summary == summaries.end())
          return fail(Code::kCorrupt, "a message without bytes: " + delivery.digest.hex());
        return std::move(summary->second);
      }));
      static_cast<void>(sequence);
    }
    ARCH_TRY_VOID(step.write());
    add_to(stats, step.stats);
    if (progress) progress(*stats);
  }
  CatalogBatch batch;
  for (uint32_t i = 0; i < reader->message_count(); ++i) {
    ARCH_TRY(auto known, find(reader->message_digest(i)));
    if (!known) continue;
    rows::Place place;
    place.in_segment = true;
    place.segment = number;
    place.index = i;
    batch.put(Column::kPlace, be64(*known), rows::encode_place(place));
  }
  ARCH_TRY_VOID(learn_segment(&batch, number, *reader));
  return catalog->write(std::move(batch), true);
}

// ── journal ──

// A damaged header says nothing about whose file it is; its place, and the records behind it, do.
bool Archive::State::is_foreign(const JournalReader& reader) const {
  return !reader.header_damaged() && reader.header().archive != file.id;
}

Result<bool> Archive::State::is_packed(const JournalFileId& id) const {
  ARCH_TRY(auto row, catalog->get(Column::kMeta, meta_packed_key(id)));
  return row.has_value();
}

Result<void> Archive::State::apply_journal(const std::function<bool()>& stop, ApplyStats* stats,
                                           const Progress& progress) {
  ARCH_TRY(auto files, list_journal(fs, journal_directory(directory)));
  for (const JournalFileInfo& info : files) {
    if (stop && stop()) return {};
    while (true) {
      std::lock_guard lock(write_mutex);
      ARCH_TRY(bool more, apply_file(info, stop, stats, progress));
      if (!more) break;
    }
  }
  return {};
}

// One step on one file; true when it should be called again at once.
Result<bool> Archive::State::apply_file(const JournalFileInfo& info, const std::function<bool()>& stop,
                                        ApplyStats* stats, const Progress& progress) {
  if (stop && stop()) return false;
  auto mark_entry = marks.find(info.number);
  if (mark_entry != marks.end() && mark_entry->second.complete) return false;
  auto& reader = applying[info.number];
  if (!reader) {
    auto opened = JournalReader::open(fs, info.path);
    if (!opened) {
      applying.erase(info.number);
      if (opened.error().code == Code::kNotFound) return false;  // packed and released meanwhile
      alarm(describe(opened.error()));
      if (opened.error().code == Code::kIo || opened.error().code == Code::kDenied)
        return tl::unexpected<Error>(opened.error());
      return false;
    }
    reader = std::move(*opened);
    if (reader->number() == 0) {  // no header yet
      applying.erase(info.number);
      return false;
    }
    if (is_foreign(*reader)) {
      alarm(info.path + " belongs to another archive (" + reader->header().archive.hex() + "); it is left alone");
      return false;
    }
  }
  if (is_foreign(*reader)) return false;
  const JournalFileId id{info.number, reader->header().marker};
  if (mark_entry == marks.end()) {
    ARCH_TRY(bool packed, is_packed(id));
    if (packed) return false;  // a segment holds it all; release() will take it away
  }
  rows::Mark mark = mark_entry == marks.end() ? rows::Mark{id, 0, false, false} : mark_entry->second;

  const bool live = info.state == JournalState::kOpen;
  if (!live) reader->set_live(false);
  struct Read {
    JournalReader::Record record;
    std::string message;
  };
  std::vector<Read> records;
  std::vector<BadRange> bad;
  uint64_t offset = mark.offset, bytes = 0;
  bool at_end = false;
  while (records.size() < kBatchDeliveries && bytes < kBatchBytes) {
    Read read;
    ARCH_TRY(bool found, reader->next(&offset, &read.record, &read.message, &bad));
    if (!found) {
      at_end = true;
      break;
    }
    bytes += read.message.size();
    records.push_back(std::move(read));
  }
  for (const BadRange& range : bad) {
    if (!range.damage) continue;
    mark.damaged = true;
    alarm(info.path + ": bytes " + std::to_string(range.begin) + " to " + std::to_string(range.end) +
          " are damaged; mail that was acknowledged may be lost there");
  }
  // Whether the writer is gone was known before the records were read: what it wrote last has been seen.
  const bool complete = at_end && !live;
  if (records.empty() && !complete && !mark.damaged) return false;
  if (records.empty() && mark.damaged && !complete && mark_entry != marks.end() && mark_entry->second.damaged)
    return false;

  // No derived store is ever ahead of the durable journal.
  if (!records.empty()) ARCH_TRY_VOID(reader->make_durable());
  Step step(*this);
  for (Read& read : records) {
    rows::Place place;
    place.record = read.record.ref;
    ARCH_TRY(uint64_t sequence,
             step.add(0, read.record.delivery, read.message.size(), place, [&]() -> Result<Summary> {
               if (Sha256::of(as_bytes(read.message)) != read.record.delivery.digest)
                 alarm(info.path + " at " + std::to_string(read.record.ref.offset) +
                       ": the message does not have its digest");
               return summarise(read.message, read.record.delivery, *own_domains);
             }));
    ARCH_TRY(auto number, step.find(read.record.delivery.digest));
    rows::Unpacked unpacked;
    unpacked.sequence = sequence;
    unpacked.message = *number;
    unpacked.length = read.record.ref.length;
    step.batch.put(Column::kUnpacked, be64(info.number) + be64(read.record.ref.offset),
                   rows::encode_unpacked(unpacked));
    mark.offset = read.record.ref.offset + read.record.ref.length;
  }
  mark.complete = complete;
  step.batch.put(Column::kMeta, meta_mark_key(info.number), rows::encode_mark(mark));
  ARCH_TRY_VOID(step.write());
  marks[info.number] = mark;
  if (complete) applying.erase(info.number);
  add_to(stats, step.stats);
  if (progress && !records.empty()) progress(*stats);
  return !at_end;
}

}  // namespace arch
