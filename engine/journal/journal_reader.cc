#include "engine/journal/journal_reader.h"

#include <algorithm>
#include <cstring>

#include "engine/base/bytes.h"
#include "engine/base/limits.h"

namespace arch {

using journal_format::kHeaderSize;
using journal_format::Kind;
using journal_format::kRecordHeaderSize;
using journal_format::kRecordTrailerSize;
using journal_format::RecordHeader;

namespace {

constexpr uint64_t kWindowBytes = 1u << 20;
constexpr uint64_t kEndRecordSize = kRecordHeaderSize + kRecordTrailerSize;

std::string_view marker_view(const std::array<uint8_t, 16>& marker) {
  return {reinterpret_cast<const char*>(marker.data()), marker.size()};
}

bool plausible(const RecordHeader& header) {
  if (header.kind == Kind::kEnd) return header.fields_size == 0 && header.message_size == 0;
  return header.fields_size <= limits::kDeliveryBytes && header.message_size <= limits::kMessageBytes;
}

bool checksum_holds(std::string_view record) {
  ByteReader tail(record.substr(record.size() - kRecordTrailerSize));
  return tail.u64() == checksum64(as_bytes(record.substr(0, record.size() - kRecordTrailerSize)));
}

bool all_zero(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == '\0'; });
}

}  // namespace

Result<std::unique_ptr<JournalReader>> JournalReader::open(Fs& fs, const std::string& path) {
  auto reader = std::unique_ptr<JournalReader>(new JournalReader);
  reader->fs_ = &fs;
  reader->path_ = path;
  ARCH_TRY(reader->file_, fs.open_read(path));
  std::string bytes(kHeaderSize, '\0');
  ARCH_TRY(size_t got, reader->file_->pread(0, bytes.data(), bytes.size()));
  if (got < kHeaderSize || all_zero(bytes)) {  // its writer died at birth, or is just about to write
    reader->empty_ = true;
    return reader;
  }
  auto header = journal_format::decode_file_header(bytes);
  if (!header) {
    Error error = header.error();
    error.what = path + ": " + error.what;
    return tl::unexpected<Error>(std::move(error));
  }
  reader->header_ = *header;
  return reader;
}

// Bytes [offset, offset + size) as far as the file has them, in the window; `fresh` reads them again even if the
// window holds them, since a live writer may have overwritten what was read before.
Result<std::string_view> JournalReader::view(uint64_t offset, uint64_t size, bool fresh) {
  const bool inside = offset >= window_begin_ && offset + size <= window_begin_ + window_.size();
  if (fresh || !inside) {
    window_.resize(std::max(size, kWindowBytes));
    window_begin_ = offset;
    ARCH_TRY(size_t got, file_->pread(offset, window_.data(), window_.size()));
    window_.resize(got);
  }
  std::string_view view = std::string_view(window_).substr(offset - window_begin_);
  return view.substr(0, size);
}

Result<bool> JournalReader::intact_at(uint64_t offset, uint64_t file_end, bool fresh, Intact* intact) {
  if (offset + kEndRecordSize > file_end) return false;
  ARCH_TRY(std::string_view head, view(offset, kRecordHeaderSize, fresh));
  auto header = journal_format::decode_record_header(header_.marker, head);
  if (!header || !plausible(*header) || header->record_size() > file_end - offset) return false;
  ARCH_TRY(std::string_view record, view(offset, header->record_size(), false));
  if (record.size() != header->record_size() || !checksum_holds(record)) return false;
  intact->header = *header;
  intact->bytes = record;
  return true;
}

// The first intact record at or behind `from`.
Result<bool> JournalReader::find_intact(uint64_t from, uint64_t file_end, uint64_t* offset) {
  const std::string_view marker = marker_view(header_.marker);
  uint64_t at = from;
  while (at + kEndRecordSize <= file_end) {
    ARCH_TRY(std::string_view chunk, view(at, std::min(kWindowBytes, file_end - at), false));
    const void* hit = ::memmem(chunk.data(), chunk.size(), marker.data(), marker.size());
    if (hit == nullptr) {
      if (chunk.size() < marker.size()) break;
      at += chunk.size() - (marker.size() - 1);
      continue;
    }
    const uint64_t candidate = at + static_cast<uint64_t>(static_cast<const char*>(hit) - chunk.data());
    Intact intact;
    ARCH_TRY(bool good, intact_at(candidate, file_end, false, &intact));
    if (good) {
      *offset = candidate;
      return true;
    }
    at = candidate + 1;
  }
  return false;
}

// What the intact records from `from` on state at most as the durable end: a bad range that begins below it held
// something that was acknowledged.
Result<uint64_t> JournalReader::largest_durable_end(uint64_t from, uint64_t file_end) {
  uint64_t largest = 0, at = from;
  while (true) {
    Intact intact;
    ARCH_TRY(bool good, intact_at(at, file_end, false, &intact));
    if (good) {
      largest = std::max(largest, intact.header.durable_end);
      at += intact.header.record_size();
      continue;
    }
    uint64_t next = 0;
    ARCH_TRY(bool found, find_intact(at + 1, file_end, &next));
    if (!found) return largest;
    at = next;
  }
}

Result<bool> JournalReader::next(uint64_t* offset, Record* record, std::string* message, std::vector<BadRange>* bad) {
  if (empty_) return false;
  *offset = std::max<uint64_t>(*offset, kHeaderSize);
  ARCH_TRY(const uint64_t file_end, file_->size());
  Intact intact;
  while (*offset < file_end) {
    ARCH_TRY(bool good, intact_at(*offset, file_end, false, &intact));
    // What the window holds may be older than what a live writer wrote since.
    if (!good && live_) {
      ARCH_TRY(good, intact_at(*offset, file_end, true, &intact));
    }
    if (good) {
      if (intact.header.kind == Kind::kEnd) {
        has_end_ = true;
        return false;
      }
      break;
    }
    ARCH_TRY(std::string_view here,
             view(*offset, std::min<uint64_t>(marker_view(header_.marker).size(), file_end - *offset), live_));
    if (live_ && all_zero(here)) return false;  // not written yet
    uint64_t next_good = 0;
    ARCH_TRY(bool found, find_intact(*offset + 1, file_end, &next_good));
    if (!found) {
      if (live_) return false;  // a batch on its way
      // The rest of a file whose writer is gone: preallocated zeros, or a torn batch nobody was told about.
      bool zeros = true;
      for (uint64_t at = *offset; zeros && at < file_end;) {
        ARCH_TRY(std::string_view chunk, view(at, std::min(kWindowBytes, file_end - at), false));
        if (chunk.empty()) break;
        zeros = all_zero(chunk);
        at += chunk.size();
      }
      if (!zeros && bad != nullptr) bad->push_back({*offset, file_end, false});
      *offset = file_end;
      return false;
    }
    ARCH_TRY(uint64_t stated, largest_durable_end(next_good, file_end));
    const bool damage = stated > *offset;
    if (live_ && !damage) return false;  // the records behind may prove damage once the writer has gone on
    if (bad != nullptr) bad->push_back({*offset, next_good, damage});
    *offset = next_good;
  }
  if (*offset >= file_end) return false;

  auto delivery =
      decode_delivery(intact.bytes.substr(kRecordHeaderSize, intact.header.fields_size), intact.header.digest);
  if (!delivery) {
    // The checksum holds, so this is what was written: a bug or a newer writer, not damage. The message is intact.
    Error error = delivery.error();
    error.what = path_ + " at " + std::to_string(*offset) + ": " + error.what;
    error.code = Code::kCorrupt;
    return tl::unexpected<Error>(std::move(error));
  }
  record->ref = RecordRef{header_.number, *offset, intact.header.record_size()};
  record->header = intact.header;
  record->delivery = std::move(*delivery);
  if (message != nullptr)
    message->assign(intact.bytes.substr(kRecordHeaderSize + intact.header.fields_size, intact.header.message_size));
  *offset += intact.header.record_size();
  return true;
}

namespace {

// Reads one whole record with its own buffer: any thread may call it.
Result<std::string> read_whole(const File& file, const std::array<uint8_t, 16>& marker, const RecordRef& ref,
                               RecordHeader* header) {
  auto damaged = [&](const char* why) {
    return fail(Code::kCorrupt, file.path() + " at " + std::to_string(ref.offset) + ": " + why,
                "run: archctl verify");
  };
  if (ref.length < kEndRecordSize || ref.length > kEndRecordSize + limits::kDeliveryBytes + limits::kMessageBytes)
    return damaged("no record can have this length");
  ARCH_TRY(std::string bytes, read_exact(file, ref.offset, ref.length));
  auto decoded = journal_format::decode_record_header(marker, bytes);
  if (!decoded || decoded->kind != Kind::kDelivery || decoded->record_size() != ref.length)
    return damaged("there is no intact record");
  if (!checksum_holds(bytes)) return damaged("the record does not match its checksum");
  *header = *decoded;
  return bytes;
}

}  // namespace

Result<std::string> JournalReader::read_message(const RecordRef& ref) const {
  RecordHeader header;
  ARCH_TRY(std::string bytes, read_whole(*file_, header_.marker, ref, &header));
  std::string message = bytes.substr(kRecordHeaderSize + header.fields_size, header.message_size);
  if (Sha256::of(as_bytes(message)) != header.digest)
    return fail(Code::kCorrupt,
                path_ + " at " + std::to_string(ref.offset) + ": the message is not " + header.digest.hex(),
                "run: archctl verify");
  return message;
}

Result<JournalReader::Record> JournalReader::read_record(const RecordRef& ref) const {
  Record record;
  ARCH_TRY(std::string bytes, read_whole(*file_, header_.marker, ref, &record.header));
  record.ref = ref;
  ARCH_TRY(record.delivery,
           decode_delivery(std::string_view(bytes).substr(kRecordHeaderSize, record.header.fields_size),
                           record.header.digest));
  return record;
}

Result<void> JournalReader::make_durable() {
  ARCH_TRY(auto file, fs_->open_read_write(path_));
  return file->fdatasync();
}

Result<std::vector<JournalFileInfo>> list_journal(Fs& fs, const std::string& directory) {
  ARCH_TRY(auto names, fs.list(directory));
  std::vector<JournalFileInfo> files;
  for (const std::string& name : names) {
    JournalFileInfo info;
    info.number = journal_file_number(name);
    if (info.number == 0) continue;
    info.path = directory + "/" + name;
    auto file = fs.open_read(info.path);
    if (!file) {
      if (file.error().code == Code::kNotFound) continue;  // packed and released meanwhile
      return tl::unexpected<Error>(file.error());
    }
    ARCH_TRY(info.size, (*file)->size());
    // Shared, so that two who look do not take each other for a writer.
    ARCH_TRY(bool free, (*file)->try_lock(true));
    info.state = free ? JournalState::kAbandoned : JournalState::kOpen;
    if (free) {
      ARCH_TRY(info.size, (*file)->size());  // the writer may have closed it since
      if (info.size >= kHeaderSize + kEndRecordSize) {
        std::string bytes(kHeaderSize, '\0');
        ARCH_TRY(size_t got, (*file)->pread(0, bytes.data(), bytes.size()));
        auto header = journal_format::decode_file_header(std::string_view(bytes).substr(0, got));
        if (header) {
          std::string tail(kEndRecordSize, '\0');
          ARCH_TRY(got, (*file)->pread(info.size - kEndRecordSize, tail.data(), tail.size()));
          auto end = journal_format::decode_record_header(header->marker, std::string_view(tail).substr(0, got));
          if (end && end->kind == Kind::kEnd && checksum_holds(tail)) info.state = JournalState::kClosed;
        }
      }
    }
    files.push_back(std::move(info));
  }
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
  return files;
}

std::string close_request_path(const std::string& journal_path) { return journal_path + ".close"; }

Result<void> request_close(Fs& fs, const std::string& journal_path) {
  auto made = fs.create(close_request_path(journal_path));
  if (!made && made.error().code != Code::kExists) return tl::unexpected<Error>(made.error());
  return {};
}

}  // namespace arch
