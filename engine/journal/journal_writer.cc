#include "engine/journal/journal_writer.h"

#include <sys/random.h>

#include <algorithm>
#include <cstdio>

#include "engine/base/bytes.h"
#include "engine/base/limits.h"

namespace arch {

using journal_format::kHeaderSize;
using journal_format::Kind;
using journal_format::kRecordHeaderSize;
using journal_format::kRecordTrailerSize;

namespace {

constexpr uint64_t kEndRecordSize = kRecordHeaderSize + kRecordTrailerSize;
constexpr int kMaxNumberTries = 1000;

uint64_t next_number(const std::vector<std::string>& names) {
  uint64_t last = 0;
  for (const std::string& name : names) last = std::max(last, journal_file_number(name));
  return last + 1;
}

}  // namespace

std::string journal_file_name(uint64_t number) {
  char name[32];
  std::snprintf(name, sizeof name, "%010llu.jnl", static_cast<unsigned long long>(number));
  return name;
}

uint64_t journal_file_number(const std::string& name) {
  if (name.size() < 14 || name.size() > 23 || name.compare(name.size() - 4, 4, ".jnl") != 0) return 0;
  uint64_t number = 0;
  for (size_t i = 0; i + 4 < name.size(); ++i) {
    if (name[i] < '0' || name[i] > '9') return 0;
    number = number * 10 + static_cast<uint64_t>(name[i] - '0');
  }
  return journal_file_name(number) == name ? number : 0;
}

struct JournalWriter::Staged {
  std::string head;  // record header and delivery fields
  Bytes message;     // borrowed until sync()
  std::string tail;  // checksum
};

JournalWriter::JournalWriter() = default;
JournalWriter::~JournalWriter() = default;

Result<std::unique_ptr<JournalWriter>> JournalWriter::create(Fs& fs, const std::string& directory,
                                                             const ArchiveId& archive, UnixNs now,
                                                             const Options& options) {
  auto writer = std::unique_ptr<JournalWriter>(new JournalWriter);
  writer->fs_ = &fs;
  writer->directory_ = directory;
  ARCH_TRY(auto names, fs.list(directory));
  uint64_t number = next_number(names);
  for (int tries = 0;; ++tries, ++number) {
    if (tries == kMaxNumberTries) return fail(Code::kTryAgain, "no free journal file number in " + directory);
    const std::string path = directory + "/" + journal_file_name(number);
    auto file = fs.create(path);
    if (!file) {
      if (file.error().code == Code::kExists) continue;
      return tl::unexpected<Error>(file.error());
    }
    // Somebody who looks for abandoned files may have been between our create and our lock: then the file is theirs
    // to remove, and the next number is ours.
    ARCH_TRY(bool locked, (*file)->try_lock());
    if (!locked) continue;
    ARCH_TRY(bool there, fs.exists(path));
    if (!there) continue;
    writer->file_ = std::move(*file);
    writer->path_ = path;
    break;
  }
  writer->number_ = number;
  writer->created_ = now;
  writer->header_.archive = archive;
  writer->header_.number = number;
  writer->header_.created = now;
  auto& marker = writer->header_.marker;
  ARCH_CHECK(getrandom(marker.data(), marker.size(), 0) == static_cast<ssize_t>(marker.size()));

  // A file that cannot be born whole is taken away again: nobody was told anything about it.
  auto born = [&]() -> Result<void> {
    writer->reserved_ = std::max<uint64_t>(options.reserve_bytes, kHeaderSize + kEndRecordSize);
    ARCH_TRY_VOID(writer->file_->allocate(writer->reserved_));
    std::string header = journal_format::encode_file_header(writer->header_);
    ARCH_TRY_VOID(writer->file_->pwritev(0, {{header.data(), header.size()}}));
    ARCH_TRY_VOID(writer->file_->fdatasync());
    return fs.sync_directory(directory);
  }();
  if (!born) {
    auto removed = fs.remove(writer->path_);
    Error error = born.error();
    if (!removed) error.what += " (and the empty file stays: " + removed.error().what + ")";
    return tl::unexpected<Error>(std::move(error));
  }
  writer->staged_end_ = kHeaderSize;
  writer->durable_end_.store(kHeaderSize, std::memory_order_release);
  return writer;
}

Result<RecordRef> JournalWriter::append(const Delivery& delivery, Bytes message) {
  if (dead_) return tl::unexpected<Error>(*dead_);
  if (message.size() > limits::kMessageBytes)
    return fail(Code::kTooLarge, "a message of " + std::to_string(message.size()) + " bytes is over the limit of " +
                                     std::to_string(limits::kMessageBytes));
  std::string fields = encode_delivery(delivery);
  if (fields.size() > limits::kDeliveryBytes) return fail(Code::kTooLarge, "the envelope is too large");

  journal_format::RecordHeader header;
  header.kind = Kind::kDelivery;
  header.fields_size = static_cast<uint32_t>(fields.size());
  header.message_size = message.size();
  header.durable_end = durable_end();
  header.ordinal = records_;
  header.digest = delivery.digest;
  const uint64_t size = header.record_size();
  if (staged_end_ + size + kEndRecordSize > reserved_)
    return fail(Code::kFull, path_ + " has no room for a record of " + std::to_string(size) + " bytes");

  Staged staged;
  staged.head = journal_format::encode_record_header(header_.marker, header) + fields;
  staged.message = message;
  Checksum64 checksum;
  checksum.update(as_bytes(staged.head));
  checksum.update(message);
  ByteWriter tail;
  tail.u64(checksum.value());
  staged.tail = tail.take();
  staged_.push_back(std::move(staged));

  RecordRef ref{number_, staged_end_, size};
  staged_end_ += size;
  ++records_;
  return ref;
}

Result<uint64_t> JournalWriter::sync() {
  if (dead_) return tl::unexpected<Error>(*dead_);
  if (staged_.empty()) return durable_end();
  std::vector<iovec> parts;
  parts.reserve(staged_.size() * 3);
  for (Staged& staged : staged_) {
    parts.push_back({staged.head.data(), staged.head.size()});
    if (!staged.message.empty())
      parts.push_back({const_cast<std::byte*>(staged.message.data()), staged.message.size()});
    parts.push_back({staged.tail.data(), staged.tail.size()});
  }
  auto written = file_->pwritev(durable_end(), std::move(parts));
  staged_.clear();
  if (written) written = file_->fdatasync();
  if (!written) {
    dead_ = written.error();
    return tl::unexpected<Error>(*dead_);
  }
  durable_end_.store(staged_end_, std::memory_order_release);
  return staged_end_;
}

Result<void> JournalWriter::close() {
  ARCH_TRY_VOID(sync());
  if (records_ == 0) {
    ARCH_TRY_VOID(fs_->remove(path_));
    ARCH_TRY_VOID(fs_->sync_directory(directory_));
    file_.reset();
    return {};
  }
  journal_format::RecordHeader header;
  header.kind = Kind::kEnd;
  header.durable_end = durable_end();
  header.ordinal = records_;
  std::string record = journal_format::encode_record_header(header_.marker, header);
  ByteWriter tail;
  tail.u64(checksum64(as_bytes(record)));
  record += tail.view();
  const uint64_t end = durable_end() + record.size();
  auto done = [&]() -> Result<void> {
    ARCH_TRY_VOID(file_->pwritev(durable_end(), {{record.data(), record.size()}}));
    ARCH_TRY_VOID(file_->truncate(end));
    return file_->fdatasync();
  }();
  if (!done) {
    dead_ = done.error();
    return done;
  }
  durable_end_.store(end, std::memory_order_release);
  file_.reset();
  return {};
}

}  // namespace arch
