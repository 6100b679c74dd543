// The one loop that brings the catalog up to what segments and journal hold: at every start, after a crash, and in a rebuild,
// where it begins with nothing. Segments first, since the sequence numbers they carry are the given ones.
#include <algorithm>
#include <functional>
#include <list>
#include <tuple>

#include "engine/archive_state.h"
#include "engine/base/mutant.h"
#include "engine/journal/journal_reader.h"

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
      if (!queue_id.empty()) fresh_.emplace(number, Fresh{info, made.content});
      numbers_.emplace(delivery.digest, number);
      sizes_.emplace(number, size);
      known = number;
      totals_.message_bytes += size;
      usage->new_bytes += size;
      ++stats.messages;
    } else {
      batch.put(Column::kAgain, be64(*known) + be64(sequence), {});
    }
    batch.put(Column::kDelivery, be64(sequence), rows::encode_delivery_row(*known, delivery));
    if (!queue_id.empty()) {
      batch.put(Column::kQueue, queue_key(queue_id) + be64(sequence), {});
      queued_.emplace(queue_id, *known);
    }
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

  /// Of a message that find() knows.
  Result<uint64_t> size_of(uint64_t number) {
    auto pending = sizes_.find(number);
    if (pending != sizes_.end()) return pending->second;
    ARCH_TRY(MessageInfo known, state_.info(number));
    return known.size;
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

  struct Fresh {
    MessageInfo info;
    uint64_t content = 0;  // Summary::content; 0: not known yet
  };

  // Postfix reuses a queue id within days, by chance: what else names the mail has to agree.
  static bool may_be_one_mail(const MessageInfo& a, const MessageInfo& b) {
    const UnixNs apart = a.captured > b.captured ? a.captured - b.captured : b.captured - a.captured;
    if (apart > kQueueIdLife) return false;
    if (!a.message_id.empty() || !b.message_id.empty()) return a.message_id == b.message_id;
    return a.from == b.from && a.subject == b.subject && a.sent == b.sent;
  }

  /// A message that came with a queue id, in this step or before.
  Result<std::optional<Fresh>> queued_message(uint64_t number) {
    auto fresh = fresh_.find(number);
    if (fresh != fresh_.end()) return std::optional<Fresh>(fresh->second);
    // One that came first in this very step, and without a queue id, has no row yet; a copy meets it by its mail key.
    if (number > state_.totals.last_message) return std::optional<Fresh>();
    ARCH_TRY(MessageInfo info, state_.info(number));
    return std::optional<Fresh>(Fresh{std::move(info), 0});
  }

  /// Numbers of the messages that came with this queue id: those of this step, then the older ones.
  Result<std::vector<uint64_t>> with_queue_id(const std::string& queue_id) {
    std::vector<uint64_t> numbers;
    for (auto [each, last] = queued_.equal_range(queue_id); each != last; ++each) numbers.push_back(each->second);
    std::vector<uint64_t> sequences;
    const std::string key = queue_key(queue_id);
    ARCH_TRY_VOID(state_.catalog->scan(Column::kQueue, key, key, [&](std::string_view row, std::string_view) {
      sequences.push_back(from_be64(row.substr(8)));
      return sequences.size() < kQueueIdUses;
    }));
    for (uint64_t sequence : sequences) {
      ARCH_TRY(auto row, state_.catalog->get(Column::kDelivery, be64(sequence)));
      if (!row) continue;
      ARCH_TRY(DeliveryInfo delivery, rows::decode_delivery_row(*row, sequence));
      numbers.push_back(delivery.message);
    }
    return numbers;
  }

  // A copy of the mail that came another way from the same queue: both are kept, and are one mail in every answer.
  Result<void> join(MessageInfo* info, const Summary& made) {
    ARCH_TRY(std::vector<uint64_t> numbers, with_queue_id(made.queue_id));
    for (uint64_t number : numbers) {
      ARCH_TRY(std::optional<Fresh> partner, queued_message(number));
      if (!partner || !may_be_one_mail(partner->info, *info)) continue;
      bool same = partner->info.mail_key == info->mail_key;
      // Without a Message-ID the keys differ by trace fields already; with one, they differ when the content does.
      if (!same && info->message_id.empty()) {
        if (partner->content == 0) {
          auto bytes = state_.message(number, partner->info.digest, nullptr);
          if (bytes)
            partner->content = mime::content_key(*bytes, mime::parse_fields(*bytes));  // else: joined as differing
        }
        same = partner->content == made.content;
      }
      info->mail_key = partner->info.mail_key;
      ++(same ? totals_.joined_same : totals_.joined_differing);
      return {};
    }
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
  std::unordered_map<uint64_t, uint64_t> sizes_;
  std::unordered_map<std::string, uint64_t> threads_;
  std::unordered_multimap<std::string, uint64_t> queued_;  // queue id -> message, of this step
  std::unordered_map<uint64_t, Fresh> fresh_;  // messages of this step whose first delivery had a queue id
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

// Every segment that the catalog does not know: published before a crash, or all of them in a rebuild. Their deliveries are
// merged by sequence number, since those of one segment may lie between those of another (an import that was packed while
// the journal file of capture was open): numbers and threads come out as they were given first.
class Archive::State::Adoption {
 public:
  Adoption(Archive::State& state, ApplyStats* stats, const Progress& progress)
      : state_(state), stats_(stats), progress_(progress) {}

  void add(uint32_t number, const SegmentReader& reader) {
    unknown_.push_back({number, reader.info().first_sequence, reader.info().last_sequence, false});
    last_sequence_ = std::max(last_sequence_, reader.info().last_sequence);
  }

  /// What `stop` cut off is taken up by the next call: rows that are there are passed over.
  Result<void> run(const std::function<bool()>& stop) {
    if (unknown_.empty()) return {};
    std::sort(unknown_.begin(), unknown_.end(), [](const Unknown& one, const Unknown& other) {
      return std::tie(one.first, one.number) < std::tie(other.first, other.number);
    });
    // A number that is given here, for want of one, is behind all that segments carry.
    state_.totals.last_sequence = std::max(state_.totals.last_sequence, last_sequence_);
    for (size_t begun = 0; begun < unknown_.size() || !open_.empty();) {
      while (begun < unknown_.size() && (open_.empty() || unknown_[begun].first <= first()->entry.sequence))
        ARCH_TRY_VOID(begin(unknown_[begun++]));
      if (open_.empty()) continue;
      auto next = first();
      ARCH_TRY_VOID(add_delivery(*next));
      ARCH_TRY_VOID(advance(next));
      if (stop && stop()) return flush();
    }
    return {};
  }

 private:
  struct Unknown {
    uint32_t number = 0;
    uint64_t first = 0, last = 0;  // sequence numbers
    bool finished = false;
  };
  struct Open {
    Unknown* what;
    std::shared_ptr<SegmentReader> reader;
    SegmentReader::Deliveries deliveries;
    SegmentReader::DeliveryEntry entry;  // the next one
    bool damaged = false;                // delivery records are lost
  };
  using Iterator = std::list<Open>::iterator;

  Iterator first() {
    return std::min_element(open_.begin(), open_.end(), [](const Open& one, const Open& other) {
      return std::tie(one.entry.sequence, one.what->number) < std::tie(other.entry.sequence, other.what->number);
    });
  }

  Result<void> begin(Unknown& what) {
    ARCH_TRY(auto reader, state_.segment(what.number));
    SegmentReader::Deliveries deliveries(*reader);
    open_.push_back({&what, std::move(reader), deliveries, {}, false});
    return advance(std::prev(open_.end()));
  }

  // To the next delivery of this segment, or to its end: then it is known.
  Result<void> advance(Iterator at) {
    auto more = at->deliveries.next(&at->entry);
    if (more && *more) return {};
    if (!more) {
      if (more.error().code != Code::kCorrupt) return tl::unexpected<Error>(more.error());
      state_.alarm(describe(more.error()));
      at->damaged = true;
    }
    ARCH_TRY_VOID(finish(*at));
    at->what->finished = true;
    open_.erase(at);
    return {};
  }

  Result<void> add_delivery(const Open& from) {
    const Delivery& delivery = from.entry.delivery;
    uint64_t sequence = from.entry.sequence;
    ARCH_TRY(auto row, state_.catalog->get(Column::kDelivery, be64(sequence)));
    if (ARCH_WRONG("deliveries known by number are passed over", row.has_value())) {
      // Another delivery under this number: numbers were given anew while this segment was away.
      ARCH_TRY(DeliveryInfo there, rows::decode_delivery_row(*row, sequence));
      ARCH_TRY(auto known, state_.find(delivery.digest));
      if (known && *known == there.message) return {};
      if (known) {
        ARCH_TRY(bool again, state_.knows_delivery(*known, delivery));
        if (again) return {};
      }
      sequence = 0;
    }
    ARCH_TRY_VOID(add(from, sequence, delivery));
    if (step_->stats.deliveries >= kBatchDeliveries) ARCH_TRY_VOID(flush());
    return {};
  }

  Result<void> add(const Open& from, uint64_t sequence, const Delivery& delivery) {
    if (!step_) step_ = std::make_unique<Step>(state_);
    ARCH_TRY(auto known, step_->find(delivery.digest));
    rows::Place place;
    uint64_t size = 0;
    std::shared_ptr<SegmentReader> holder;
    if (known) {
      ARCH_TRY(size, step_->size_of(*known));
    } else {
      ARCH_TRY(holder, holder_of(from, delivery.digest));
      if (!holder) {
        state_.alarm(from.reader->path() + " names message " + delivery.digest.hex() + ", which no segment holds");
        return {};
      }
      place.in_segment = true;
      place.segment = holder->info().number;
      place.index = *holder->find_message(delivery.digest);
      size = holder->message_size(place.index);
    }
    ARCH_TRY_VOID(step_->add(sequence, delivery, size, place, [&]() -> Result<Summary> {
      auto bytes = holder->read_message(place.index, state_.foreign(&blocks_), &blocks_);
      if (bytes) return summarise(*bytes, delivery, *state_.own_domains);
      if (bytes.error().code != Code::kCorrupt && bytes.error().code != Code::kNotFound)
        return tl::unexpected<Error>(bytes.error());
      state_.alarm(describe(bytes.error()));  // listed by its envelope alone; everything else stays readable
      return summarise({}, delivery, *state_.own_domains);
    }));
    return {};
  }

  // The segment itself, or one made before it that is not done yet. Null when none has the message.
  Result<std::shared_ptr<SegmentReader>> holder_of(const Open& from, const Digest& digest) {
    if (from.reader->find_message(digest)) return from.reader;
    for (const Unknown& other : unknown_) {
      if (other.finished || other.number == from.what->number) continue;
      ARCH_TRY(auto reader, state_.segment(other.number));
      if (reader->find_message(digest)) return reader;
    }
    return std::shared_ptr<SegmentReader>();
  }

  Result<void> finish(const Open& done) {
    if (done.damaged) {
      // Messages whose delivery records are lost are whole all the same: found by what they say themselves.
      for (uint32_t i = 0; i < done.reader->message_count(); ++i) {
        Delivery unknown_arrival;
        unknown_arrival.digest = done.reader->message_digest(i);
        unknown_arrival.captured = done.reader->info().created;
        unknown_arrival.channel = Channel::kImport;
        unknown_arrival.origin = segment_file_name(done.what->number) + ", whose delivery records are damaged";
        if (!step_) step_ = std::make_unique<Step>(state_);
        ARCH_TRY(auto known, step_->find(unknown_arrival.digest));
        if (!known) ARCH_TRY_VOID(add(done, 0, unknown_arrival));
      }
    }
    ARCH_TRY_VOID(flush());
    CatalogBatch batch;
    for (uint32_t i = 0; i < done.reader->message_count(); ++i) {
      ARCH_TRY(auto known, state_.find(done.reader->message_digest(i)));
      if (!known) continue;
      rows::Place place;
      place.in_segment = true;
      place.segment = done.what->number;
      place.index = i;
      batch.put(Column::kPlace, be64(*known), rows::encode_place(place));
    }
    ARCH_TRY_VOID(forget_unpacked(done, &batch));
    ARCH_TRY_VOID(state_.learn_segment(&batch, done.what->number, *done.reader));
    return state_.catalog->write(std::move(batch), true);
  }

  // Rows of deliveries that were applied from the journal and lie in this segment by now.
  Result<void> forget_unpacked(const Open& done, CatalogBatch* batch) {
    std::unordered_map<uint64_t, std::string> waiting;  // sequence number -> key
    Result<void> failure;
    for (const JournalFileId& born_from : done.reader->info().journal_files) {
      ARCH_TRY_VOID(state_.catalog->scan(Column::kUnpacked, be64(born_from.number), be64(born_from.number),
                                         [&](std::string_view key, std::string_view value) {
                                           auto row = rows::decode_unpacked(value);
                                           if (row)
                                             waiting.emplace(row->sequence, key);
                                           else
                                             failure = tl::unexpected<Error>(row.error());
                                           return row.has_value();
                                         }));
      ARCH_TRY_VOID(std::move(failure));
    }
    if (waiting.empty() || done.damaged) return {};
    return done.reader->for_each_delivery([&](const SegmentReader::DeliveryEntry& entry) {
      auto row = waiting.find(entry.sequence);
      if (row != waiting.end()) batch->remove(Column::kUnpacked, row->second);
      return true;
    });
  }

  Result<void> flush() {
    if (!step_) return {};
    ARCH_TRY_VOID(step_->write());
    add_to(stats_, step_->stats);
    step_.reset();
    if (progress_) progress_(*stats_);
    return {};
  }

  Archive::State& state_;
  ApplyStats* stats_;
  const Progress& progress_;
  std::vector<Unknown> unknown_;  // by first sequence number
  uint64_t last_sequence_ = 0;
  std::list<Open> open_;
  std::unique_ptr<Step> step_;
  BlockCache blocks_{kFeedCacheBytes};
};

Result<void> Archive::State::apply_segments(const std::function<bool()>& stop, ApplyStats* stats,
                                            const Progress& progress) {
  ARCH_TRY(auto names, fs.list(segments_directory(directory)));
  Adoption adoption(*this, stats, progress);
  for (const std::string& name : names) {
    const uint32_t number = segment_file_number(name);
    if (number == 0) continue;
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
    adoption.add(number, **reader);
  }
  return adoption.run(stop);
}

Result<bool> Archive::State::knows_delivery(uint64_t message, const Delivery& delivery) const {
  ARCH_TRY(MessageInfo known, info(message));
  const std::string wanted = encode_delivery(delivery);
  for (uint64_t sequence : known.deliveries) {
    ARCH_TRY(auto row, catalog->get(Column::kDelivery, be64(sequence)));
    if (!row) continue;
    ARCH_TRY(DeliveryInfo there, rows::decode_delivery_row(*row, sequence));
    if (encode_delivery(there.delivery) == wanted) return true;
  }
  return false;
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
  std::optional<Error> unreadable;
  for (const JournalFileInfo& info : files) {
    if (stop && stop()) return {};
    while (true) {
      std::lock_guard lock(write_mutex);
      ARCH_TRY(bool more, apply_file(info, stop, stats, progress, &unreadable));
      if (!more) break;
    }
  }
  // A file that the device does not give keeps nobody from the others; it is tried again by the next call.
  if (unreadable) return tl::unexpected<Error>(*unreadable);
  return {};
}

Result<bool> Archive::State::apply_file(const JournalFileInfo& info, const std::function<bool()>& stop,
                                        ApplyStats* stats, const Progress& progress,
                                        std::optional<Error>* unreadable) {
  const auto cannot_read = [&](const Error& error) -> Result<bool> {
    alarm(describe(error));
    applying.erase(info.number);
    if (error.code == Code::kIo || error.code == Code::kDenied) *unreadable = error;
    return false;
  };
  if (stop && stop()) return false;
  auto mark_entry = marks.find(info.number);
  if (mark_entry != marks.end() && mark_entry->second.complete) return false;
  auto& reader = applying[info.number];
  if (!reader) {
    auto opened = JournalReader::open(fs, info.path);
    if (!opened) {
      applying.erase(info.number);
      if (opened.error().code == Code::kNotFound) return false;  // packed and released meanwhile
      return cannot_read(opened.error());
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
  // A segment was born from it; it still lies here after a crash, or because a record in it could not be read then. What the
  // segment has is passed over, delivery by delivery; release() takes the file away when nothing else was in it.
  bool packed = false;
  if (mark_entry == marks.end()) {
    ARCH_TRY(packed, is_packed(id));
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
    auto next = reader->next(&offset, &read.record, &read.message, &bad);
    if (!next && records.empty()) return cannot_read(next.error());
    if (!next) break;  // what was read is applied first; the next call meets the error again
    if (!*next) {
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
  if (!records.empty()) {
    auto durable = ARCH_STEP("journal sync before it is applied", reader->make_durable());
    if (!durable) {  // the reader is kept, and with it that its sync failed: it is not tried again
      alarm(describe(durable.error()));
      *unreadable = durable.error();
      return false;
    }
  }
  Step step(*this);
  for (Read& read : records) {
    mark.offset = read.record.ref.offset + read.record.ref.length;
    if (ARCH_WRONG("packed deliveries are passed over", packed || mark.packed)) {
      mark.packed = true;
      ARCH_TRY(auto known, step.find(read.record.delivery.digest));
      ARCH_TRY(bool again, known ? knows_delivery(*known, read.record.delivery) : Result<bool>(false));
      if (again) continue;
    }
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
  }
  mark.complete = complete;
  ARCH_MARK("journal mark", step.batch.put(Column::kMeta, meta_mark_key(info.number), rows::encode_mark(mark)));
  ARCH_TRY_VOID(step.write());
  marks[info.number] = mark;
  if (complete) applying.erase(info.number);
  add_to(stats, step.stats);
  if (progress && !records.empty()) progress(*stats);
  return !at_end;
}

}  // namespace arch
