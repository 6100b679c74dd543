// The one loop that brings the catalog up to what segments and journal hold: at every start, after a crash, and in a rebuild,
// where it begins with nothing. Segments first (adopt.cc), since the sequence numbers they carry are the given ones.
#include "engine/apply_step.h"
#include "engine/base/mutant.h"
#include "engine/journal/journal_reader.h"

namespace arch {

namespace {

constexpr uint64_t kBatchBytes = 8ull << 20;  // as much as an import syncs at once, so that more is seldom there

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
