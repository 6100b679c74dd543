// Published segments that the catalog does not know, on their way into it.
#include <algorithm>
#include <functional>
#include <list>
#include <tuple>

#include "engine/apply_step.h"
#include "engine/base/mutant.h"

namespace arch {

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
    for (const JournalFileId& born_from : done.reader->info().journal_files) {
      Result<void> failure;
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
  ARCH_TRY(auto files, list_segments(fs, directory));
  Adoption adoption(*this, stats, progress);
  for (const auto& [number, path] : files) {
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
  row.unpacked_bytes = reader.sizes().unpacked;
  batch->put(Column::kMeta, meta_segment_key(number), rows::encode_segment(row));
  for (const JournalFileId& born_from : reader.info().journal_files)
    batch->put(Column::kMeta, meta_packed_key(born_from), {});
  return {};
}

}  // namespace arch
