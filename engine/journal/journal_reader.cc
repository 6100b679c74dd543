#include "engine/journal/journal_reader.h"

#include <algorithm>
#include <cstring>

#include "engine/base/bytes.h"
#include "engine/base/limits.h"
#include "engine/base/mutant.h"

namespace arch {

using journal_format::kHeaderSize;
using journal_format::Kind;
using journal_format::kRecordHeaderSize;
using journal_format::kRecordTrailerSize;
using journal_format::RecordHeader;

namespace {

constexpr uint64_t kEndRecordSize = kRecordHeaderSize + kRecordTrailerSize;
constexpr uint64_t kFirstChunk = 64u << 10;
constexpr uint64_t kChunk = 1u << 20;  // bytes per read; a larger record is read straight to where it goes
constexpr size_t kMarkerSize = 16;

// Lengths that our writer can have written. `offset` is the record's.
bool plausible(const RecordHeader& header, uint64_t offset) {
  if (header.fields_size > limits::kDeliveryBytes || header.message_size > limits::kMessageBytes) return false;
  if (header.durable_end < kHeaderSize || header.durable_end > offset) return false;
  return header.kind != Kind::kEnd || header.record_size() == kEndRecordSize;
}

uint64_t trailer_of(std::string_view bytes) {
  return ByteReader(bytes.substr(bytes.size() - kRecordTrailerSize)).u64();
}

bool all_zero(std::string_view bytes) {
  // Comparing with itself one further on runs at memcmp's speed.
  return bytes.empty() || (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

Result<bool> has_live_writer(Fs& fs, const std::string& path) {
  auto file = fs.open_read(path);
  if (!file && file.error().code == Code::kNotFound) return false;  // packed and removed: nobody writes to it
  if (!file) return tl::unexpected<Error>(file.error());
  ARCH_TRY(bool taken, (*file)->try_lock(/*shared=*/true));
  return !taken;
}

}  // namespace

// ── The file's bytes ──

// `size` bytes at `offset`, fewer at the end of the file. Valid until the next call.
Result<std::string_view> JournalReader::view(uint64_t offset, uint64_t size) {
  const bool inside = offset >= buffer_offset_ && offset + size <= buffer_offset_ + filled_;
  if (!inside) {
    // A little where it begins to look, since most looks at a live file find that there is nothing new; then more and more.
    const bool goes_on = filled_ > 0 && offset >= buffer_offset_ && offset <= buffer_offset_ + filled_;
    chunk_ = goes_on ? std::min(chunk_ * 2, kChunk) : kFirstChunk;
    const uint64_t wanted = std::max(size, chunk_);
    if (buffer_.size() < wanted) buffer_ = Buffer(wanted);
    buffer_offset_ = offset;
    filled_ = 0;
    ARCH_TRY(filled_, file_->pread(offset, buffer_.data(), wanted));
  }
  return buffer_.view().substr(0, filled_).substr(offset - buffer_offset_, size);
}

Result<JournalReader::Found> JournalReader::parse(uint64_t offset, Record* record, std::string* message) {
  ARCH_TRY(std::string_view head, view(offset, kRecordHeaderSize));
  std::optional<RecordHeader> header = journal_format::decode_record_header(header_.marker, head);
  if (!header || !plausible(*header, offset)) return Found::kNothing;
  // Ordinals rise within a file. A copy of this very file inside a message (somebody mailed it) thus never passes for
  // the record that follows when the search goes through a damaged record that holds it.
  if (ARCH_WRONG("ordinals rise", offset >= passed_to_ && header->ordinal < passed_ordinals_)) return Found::kNothing;
  const uint64_t size = header->record_size();

  std::string fields;
  std::string_view fields_view, message_view;
  if (size <= kChunk) {
    ARCH_TRY(std::string_view whole, view(offset, size));
    if (whole.size() < size) return Found::kNothing;
    if (ARCH_WRONG("journal record checksum",
                   checksum64(as_bytes(whole.substr(0, size - kRecordTrailerSize))) != trailer_of(whole)))
      return Found::kNothing;
    fields_view = whole.substr(kRecordHeaderSize, header->fields_size);
    message_view = whole.substr(kRecordHeaderSize + header->fields_size, header->message_size);
    if (message != nullptr) message->assign(message_view);
  } else {
    ARCH_TRY(uint64_t file_bytes, file_->size());
    if (offset + size > file_bytes) return Found::kNothing;  // before room is made for what is not there
    Checksum64 checksum;
    std::string own_head(head);
    checksum.update(as_bytes(own_head));
    fields.resize(header->fields_size);
    ARCH_TRY(size_t got, file_->pread(offset + kRecordHeaderSize, fields.data(), fields.size()));
    if (got < fields.size()) return Found::kNothing;
    checksum.update(as_bytes(fields));
    fields_view = fields;
    uint64_t at = offset + kRecordHeaderSize + header->fields_size;
    if (message != nullptr) {
      message->resize(header->message_size);
      ARCH_TRY(got, file_->pread(at, message->data(), message->size()));
      if (got < message->size()) return Found::kNothing;
      checksum.update(as_bytes(*message));
      at += message->size();
    } else {
      for (uint64_t left = header->message_size; left > 0;) {
        ARCH_TRY(std::string_view piece, view(at, std::min(left, kChunk)));
        if (piece.empty()) return Found::kNothing;
        checksum.update(as_bytes(piece));
        at += piece.size();
        left -= piece.size();
      }
    }
    ARCH_TRY(std::string_view trailer, view(at, kRecordTrailerSize));
    if (trailer.size() < kRecordTrailerSize || checksum.value() != trailer_of(trailer)) return Found::kNothing;
  }

  ARCH_MARK("a record states the durable end", stated_ = std::max(stated_, header->durable_end));
  if (header->kind == Kind::kEnd) return Found::kEnd;
  // Whole by its checksum, yet not a delivery: no writer of ours makes that. Reported like any other bad range.
  ARCH_TRY(auto delivery, [&]() -> Result<std::optional<Delivery>> {
    auto decoded = decode_delivery(fields_view, header->digest);
    if (!decoded) return std::optional<Delivery>();
    return std::optional<Delivery>(std::move(*decoded));
  }());
  if (!delivery) return Found::kNothing;
  if (record != nullptr) {
    record->ref = RecordRef{header_.number, offset, size};
    record->header = *header;
    record->delivery = std::move(*delivery);
  }
  return Found::kDelivery;
}

// The offset of the next intact record (END included) at or behind `from`.
Result<std::optional<uint64_t>> JournalReader::find_record(uint64_t from) {
  while (true) {
    ARCH_TRY(std::string_view chunk, view(from, kChunk));
    if (chunk.size() < kRecordHeaderSize) return std::optional<uint64_t>();
    const void* hit = memmem(chunk.data(), chunk.size(), header_.marker.data(), kMarkerSize);
    if (hit == nullptr) {
      from += chunk.size() - (kMarkerSize - 1);
      continue;
    }
    from += static_cast<uint64_t>(static_cast<const char*>(hit) - chunk.data());
    ARCH_TRY(Found found, parse(from, nullptr, nullptr));
    if (found != Found::kNothing) return std::optional<uint64_t>(from);
    ++from;
  }
}

// True when nothing but zeros follows; otherwise `*last_byte` is behind the last byte that is not zero.
Result<bool> JournalReader::zeros_to_end(uint64_t offset, uint64_t* last_byte) {
  bool zeros = true;
  while (true) {
    ARCH_TRY(std::string_view chunk, view(offset, kChunk));
    if (chunk.empty()) return zeros;
    if (!all_zero(chunk)) {
      zeros = false;
      *last_byte = offset + chunk.find_last_not_of('\0') + 1;
    }
    offset += chunk.size();
  }
}

Result<bool> JournalReader::closed() {
  if (closed_) return true;
  ARCH_TRY(bool live, has_live_writer(*fs_, path_));
  closed_ = !live;
  return closed_;
}

// Walks on from the intact record at `from` until one states a durable end beyond `begin`. Every record walked over
// is remembered in stated_ and never walked again: all bad ranges of a file together cost one pass.
Result<void> JournalReader::look_ahead(uint64_t begin, uint64_t from) {
  uint64_t at = std::max(from, looked_to_);
  while (stated_ <= begin && looked_to_ != UINT64_MAX) {
    Record record;
    ARCH_TRY(Found found, parse(at, &record, nullptr));
    if (found == Found::kDelivery) {
      at += record.ref.length;
    } else if (found == Found::kEnd) {
      at += kEndRecordSize;
    } else {
      ARCH_TRY(auto next_record, find_record(at + 1));
      if (!next_record) {
        if (closed_) looked_to_ = UINT64_MAX;
        break;
      }
      at = *next_record;
    }
    looked_to_ = at;
  }
  return {};
}

// ── Opening ──

Result<std::unique_ptr<JournalReader>> JournalReader::open(Fs& fs, const std::string& path) {
  auto reader = std::unique_ptr<JournalReader>(new JournalReader);
  reader->fs_ = &fs;
  reader->path_ = path;
  ARCH_TRY(reader->file_, fs.open_read(path));
  const uint64_t number = journal_file_number(path.substr(path.find_last_of('/') + 1));
  ARCH_TRY(std::string_view bytes, reader->view(0, kHeaderSize));
  if (bytes.size() < kHeaderSize) {
    reader->empty_ = true;
    return reader;
  }
  auto header = journal_format::decode_file_header(bytes);
  if (header) {
    reader->header_ = *header;
    return reader;
  }
  Error error = header.error();
  error.what = path + ": " + error.what;
  if (error.code == Code::kTooNew) return tl::unexpected<Error>(std::move(error));
  ARCH_TRY(bool recovered, reader->recover_header());
  if (!recovered) return tl::unexpected<Error>(std::move(error));
  reader->header_.number = number;
  reader->header_damaged_ = true;
  return reader;
}

// The header's checksum does not hold. The sync marker also starts every record: take it from the first one, or trust
// the header's when a record anywhere agrees with it.
Result<bool> JournalReader::recover_header() {
  ARCH_TRY(std::string_view bytes, view(0, kHeaderSize + kRecordHeaderSize));
  if (bytes.size() < kHeaderSize + kRecordHeaderSize) return false;
  ByteReader in(bytes);
  in.raw(journal_format::kMagic.size() + 8);
  std::string_view archive = in.raw(header_.archive.bytes.size());
  in.u64();
  std::string_view marker = in.raw(kMarkerSize);
  std::copy(archive.begin(), archive.end(), header_.archive.bytes.begin());
  const std::string stated_marker(marker), first_marker(bytes.substr(kHeaderSize, kMarkerSize));
  header_.created = static_cast<int64_t>(in.u64());
  for (const std::string& candidate : {first_marker, stated_marker}) {
    if (all_zero(candidate)) continue;
    std::copy(candidate.begin(), candidate.end(), header_.marker.begin());
    ARCH_TRY(auto record, find_record(kHeaderSize));
    if (record) return true;
  }
  return false;
}

// ── Reading ──

Result<bool> JournalReader::next(uint64_t* offset, Record* record, std::string* message, std::vector<BadRange>* bad) {
  if (empty_) return false;
  if (*offset < kHeaderSize) {
    if (header_damaged_ && bad != nullptr) bad->push_back({0, kHeaderSize, true});
    *offset = kHeaderSize;
  }
  const uint64_t begin = *offset;
  auto give = [&](Found found) {
    if (found == Found::kEnd) {
      has_end_ = true;
      return false;
    }
    *offset = record->ref.offset + record->ref.length;
    passed_to_ = *offset;
    passed_ordinals_ = record->header.ordinal + 1;
    return true;
  };
  Record scratch;
  if (record == nullptr) record = &scratch;

  ARCH_TRY(Found found, parse(begin, record, message));
  if (found == Found::kNothing) {
    // What the buffer holds may be older than the file.
    forget_buffer();
    ARCH_TRY(found, parse(begin, record, message));
  }
  if (found == Found::kDelivery) return give(found);
  if (found == Found::kEnd) {
    uint64_t last_byte = 0;
    const uint64_t end = begin + kEndRecordSize;
    ARCH_TRY(bool clean, zeros_to_end(end, &last_byte));
    if (!clean && bad != nullptr) bad->push_back({end, last_byte, false});
    return give(found);
  }

  // No record here. Beside a live writer zeros are what it has not written yet.
  ARCH_TRY(bool was_closed, closed());
  if (!was_closed) {
    ARCH_TRY(std::string_view head, view(begin, kRecordHeaderSize));
    if (all_zero(head)) return false;
  }
  std::optional<uint64_t> later;
  if (begin < barren_from_) {
    forget_buffer();
    ARCH_TRY(later, find_record(begin + 1));
  }
  // The writer may have finished this very batch between the first look and now: look again, with fresh eyes.
  forget_buffer();
  ARCH_TRY(found, parse(begin, record, message));
  if (found != Found::kNothing) return give(found);

  if (!later) {
    if (!was_closed) return false;
    barren_from_ = std::min(barren_from_, begin);
    uint64_t last_byte = 0;
    ARCH_TRY(bool zeros, zeros_to_end(begin, &last_byte));
    if (!zeros && bad != nullptr) bad->push_back({begin, last_byte, stated_ > begin});
    return false;
  }
  ARCH_TRY_VOID(look_ahead(begin, *later));
  const bool damage = stated_ > begin;
  if (!damage && !was_closed) return false;
  ARCH_TRY(found, parse(*later, record, message));
  if (found == Found::kNothing)  // it was there a moment ago: the device gives different bytes each time
    return fail(Code::kIo, path_ + " reads differently each time at " + std::to_string(*later),
                "look at the kernel log for errors of this disk", EIO);
  if (bad != nullptr) bad->push_back({begin, *later, damage});
  *offset = *later;
  return give(found);
}

// Any thread: touches neither the buffer nor what next() remembers.
Result<RecordHeader> JournalReader::read_header(const RecordRef& ref) const {
  ARCH_TRY(uint64_t size, file_->size());
  if (ref.offset < kHeaderSize || ref.length < kEndRecordSize || ref.offset > size || ref.length > size - ref.offset)
    return fail(Code::kNotFound, path_ + " ends before the record at " + std::to_string(ref.offset));
  ARCH_TRY(std::string head, read_exact(*file_, ref.offset, kRecordHeaderSize));
  auto header = journal_format::decode_record_header(header_.marker, head);
  if (!header || header->kind != Kind::kDelivery || !plausible(*header, ref.offset) ||
      header->record_size() != ref.length)
    return damaged(ref, "there is no intact record header");
  return *header;
}

tl::unexpected<Error> JournalReader::damaged(const RecordRef& ref, const std::string& why) const {
  return fail(Code::kCorrupt, path_ + " at " + std::to_string(ref.offset) + ": " + why, "run: archctl verify");
}

// Read to where it goes at once: most bytes of a journal are large attachments, and each copy of one is paid in page faults.
Result<JournalReader::Record> JournalReader::read_record(const RecordRef& ref, std::string* message) const {
  ARCH_TRY(RecordHeader header, read_header(ref));
  ARCH_TRY(std::string head, read_exact(*file_, ref.offset, kRecordHeaderSize + header.fields_size));
  std::string content;
  if (message == nullptr) message = &content;
  const uint64_t begin = ref.offset + head.size();
  message->resize(header.message_size);
  ARCH_TRY(size_t got, file_->pread(begin, message->data(), message->size()));
  ARCH_TRY(std::string tail, read_exact(*file_, begin + message->size(), kRecordTrailerSize));
  Checksum64 checksum;
  checksum.update(as_bytes(head));
  checksum.update(as_bytes(*message));
  if (ARCH_WRONG("journal record checksum when packed",
                 got != message->size() || checksum.value() != trailer_of(tail)))
    return damaged(ref, "the record does not match its checksum");
  auto delivery = decode_delivery(std::string_view(head).substr(kRecordHeaderSize), header.digest);
  if (!delivery) return damaged(ref, delivery.error().what);
  return Record{ref, header, std::move(*delivery)};
}

Result<Delivery> JournalReader::read_delivery(const RecordRef& ref) const {
  ARCH_TRY(RecordHeader header, read_header(ref));
  ARCH_TRY(std::string fields, read_exact(*file_, ref.offset + kRecordHeaderSize, header.fields_size));
  auto delivery = decode_delivery(fields, header.digest);
  if (!delivery) return damaged(ref, delivery.error().what);
  return std::move(*delivery);
}

Result<std::string> JournalReader::read_message(const RecordRef& ref, Digest* digest) const {
  ARCH_TRY(RecordHeader header, read_header(ref));
  if (digest != nullptr) *digest = header.digest;
  ARCH_TRY(std::string message,
           read_exact(*file_, ref.offset + kRecordHeaderSize + header.fields_size, header.message_size));
  if (ARCH_WRONG("journal message digest", Sha256::of(as_bytes(message)) != header.digest))
    return damaged(ref, "the message does not match its digest " + header.digest.hex());
  return message;
}

Result<bool> JournalReader::is_written(uint64_t offset) const {
  std::array<char, kMarkerSize> bytes{};
  ARCH_TRY(size_t got, file_->pread(offset, bytes.data(), bytes.size()));
  return !all_zero(std::string_view(bytes.data(), got));
}

Result<void> JournalReader::make_durable() {
  if (sync_error_) return tl::unexpected<Error>(*sync_error_);
  auto synced = file_->fdatasync();
  if (!synced) sync_error_ = synced.error();
  return synced;
}

// ── The directory ──

Result<std::vector<JournalFileInfo>> list_journal(Fs& fs, const std::string& directory) {
  ARCH_TRY(auto names, fs.list(directory));
  std::vector<JournalFileInfo> files;
  for (const std::string& name : names) {
    JournalFileInfo info;
    info.number = journal_file_number(name);
    if (info.number == 0) continue;
    info.path = directory + "/" + name;
    auto file = fs.open_read(info.path);
    if (!file && file.error().code == Code::kNotFound) continue;
    if (!file) return tl::unexpected<Error>(file.error());
    // The lock first: without a writer the rest cannot change any more.
    ARCH_TRY(bool unowned, (*file)->try_lock(/*shared=*/true));
    ARCH_TRY(info.size, (*file)->size());
    if (unowned) {
      info.state = JournalState::kAbandoned;
      if (info.size >= kHeaderSize + kEndRecordSize) {
        ARCH_TRY(std::string tail, read_exact(**file, info.size - kEndRecordSize, kEndRecordSize));
        std::array<uint8_t, kMarkerSize> marker;  // its own: a damaged file header does not make the file abandoned
        std::copy_n(tail.begin(), marker.size(), marker.begin());
        auto header = journal_format::decode_record_header(marker, tail);
        if (header && header->kind == Kind::kEnd && plausible(*header, info.size - kEndRecordSize) &&
            checksum64(as_bytes(std::string_view(tail).substr(0, kRecordHeaderSize))) == trailer_of(tail))
          info.state = JournalState::kClosed;
      }
    }
    files.push_back(std::move(info));
  }
  std::sort(files.begin(), files.end(),
            [](const JournalFileInfo& a, const JournalFileInfo& b) { return a.number < b.number; });
  return files;
}

std::string close_request_path(const std::string& journal_path) { return journal_path + ".close"; }

Result<void> request_close(Fs& fs, const std::string& journal_path) {
  ARCH_TRY(bool there, fs.exists(journal_path));
  if (!there) return fail(Code::kNotFound, "there is no journal file " + journal_path);
  auto marker = fs.create(close_request_path(journal_path));
  if (!marker && marker.error().code != Code::kExists) return tl::unexpected<Error>(marker.error());
  return {};
}

}  // namespace arch
