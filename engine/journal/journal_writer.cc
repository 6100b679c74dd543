#include "engine/journal/journal_writer.h"

#include <sys/random.h>

#include <algorithm>
#include <cstdio>

#include "engine/base/bytes.h"
#include "engine/base/limits.h"
#include "engine/base/mutant.h"

namespace arch {

using journal_format::kHeaderSize;
using journal_format::Kind;
using journal_format::kRecordHeaderSize;
using journal_format::kRecordTrailerSize;

namespace {

constexpr uint64_t kEndRecordSize = kRecordHeaderSize + kRecordTrailerSize;
constexpr int kMaxBirths = 100;
constexpr std::string_view kNewSuffix = ".new";    // a file being born
constexpr std::string_view kLastSuffix = ".last";  // remembers the highest number ever given

bool ends_with(std::string_view name, std::string_view suffix) {
  return name.size() > suffix.size() && name.substr(name.size() - suffix.size()) == suffix;
}

std::string last_name(uint64_t number) {
  std::string name = journal_file_name(number);
  return name.substr(0, name.size() - 4) + std::string(kLastSuffix);
}

uint64_t last_number(const std::string& name) {
  if (!ends_with(name, kLastSuffix)) return 0;
  return journal_file_number(name.substr(0, name.size() - kLastSuffix.size()) + ".jnl");
}

uint64_t next_number(const std::vector<std::string>& names) {
  uint64_t last = 0;
  for (const std::string& name : names) last = std::max({last, journal_file_number(name), last_number(name)});
  return last + 1;
}

std::string random_name() {
  uint64_t value = 0;
  ARCH_CHECK(getrandom(&value, sizeof value, 0) == static_cast<ssize_t>(sizeof value));
  char name[32];
  std::snprintf(name, sizeof name, "%016llx", static_cast<unsigned long long>(value));
  return name + std::string(kNewSuffix);
}

// Takes away what others left half-born. A live one whose lock is not taken yet may be hit too: it notices, since its
// rename finds nothing, and starts over.
Result<void> remove_stillborn(Fs& fs, const std::string& directory, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (!ends_with(name, kNewSuffix)) continue;
    const std::string path = directory + "/" + name;
    auto file = fs.open_read(path);
    if (!file && file.error().code == Code::kNotFound) continue;
    if (!file) return tl::unexpected<Error>(file.error());
    ARCH_TRY(bool unowned, (*file)->try_lock());
    if (!unowned) continue;
    auto removed = fs.remove(path);
    if (!removed && removed.error().code != Code::kNotFound) return removed;
  }
  return {};
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

uint64_t JournalWriter::file_bytes_for(const Delivery& delivery, uint64_t message_bytes) {
  journal_format::RecordHeader header;
  header.fields_size = static_cast<uint32_t>(encode_delivery(delivery).size());
  header.message_size = message_bytes;
  return kHeaderSize + header.record_size() + kEndRecordSize;
}

Result<void> JournalWriter::check_limits(const Delivery& delivery, uint64_t message_bytes) {
  if (message_bytes > limits::kMessageBytes)
    return fail(Code::kTooLarge, "a message of " + std::to_string(message_bytes) + " bytes is over the limit of " +
                                     std::to_string(limits::kMessageBytes));
  if (delivery.rcpt.size() > limits::kMaxRecipients)
    return fail(Code::kTooLarge, "a delivery with " + std::to_string(delivery.rcpt.size()) +
                                     " recipients is over the limit of " + std::to_string(limits::kMaxRecipients));
  if (const size_t fields = encode_delivery(delivery).size(); fields > limits::kDeliveryBytes)
    return fail(Code::kTooLarge, "an envelope of " + std::to_string(fields) + " bytes is over the limit of " +
                                     std::to_string(limits::kDeliveryBytes));
  return {};
}

Result<std::unique_ptr<JournalWriter>> JournalWriter::create(Fs& fs, const std::string& directory,
                                                             const ArchiveId& archive, UnixNs now,
                                                             const Options& options) {
  auto writer = std::unique_ptr<JournalWriter>(new JournalWriter);
  writer->fs_ = &fs;
  writer->directory_ = directory;
  writer->created_ = now;
  ARCH_TRY_VOID(writer->be_born(archive, options));
  writer->staged_end_ = kHeaderSize;
  writer->durable_end_.store(kHeaderSize, std::memory_order_release);
  return writer;
}

Result<void> JournalWriter::be_born(const ArchiveId& archive, const Options& options) {
  header_.archive = archive;
  header_.created = created_;
  ARCH_CHECK(getrandom(header_.marker.data(), header_.marker.size(), 0) ==
             static_cast<ssize_t>(header_.marker.size()));
  reserved_ = std::max<uint64_t>(options.reserve_bytes, kHeaderSize + kEndRecordSize);

  for (int births = 0; births < kMaxBirths; ++births) {
    ARCH_TRY(auto names, fs_->list(directory_));
    ARCH_TRY_VOID(remove_stillborn(*fs_, directory_, names));
    const std::string new_path = directory_ + "/" + random_name();
    auto created = fs_->create(new_path);
    if (!created && created.error().code == Code::kExists) continue;
    if (!created) return tl::unexpected<Error>(created.error());
    std::unique_ptr<File> file = std::move(*created);
    ARCH_TRY(bool locked, file->try_lock());
    if (!locked) continue;  // another writer is about to clear it away as stillborn

    std::string lies_at = new_path;
    number_ = next_number(names);
    auto named = [&]() -> Result<bool> {
      ARCH_TRY_VOID(file->allocate(reserved_));
      while (true) {
        header_.number = number_;
        std::string header = journal_format::encode_file_header(header_);
        ARCH_TRY_VOID(file->pwritev(0, {{header.data(), header.size()}}));
        ARCH_TRY_VOID(ARCH_STEP("journal header sync", file->fdatasync()));
        path_ = directory_ + "/" + journal_file_name(number_);
        auto renamed = fs_->rename_new(new_path, path_);
        if (renamed) break;
        if (renamed.error().code == Code::kNotFound) return false;
        if (renamed.error().code != Code::kExists) return tl::unexpected<Error>(renamed.error());
        ++number_;
      }
      lies_at = path_;
      auto last = fs_->create(directory_ + "/" + last_name(number_));
      if (!last && last.error().code != Code::kExists) return tl::unexpected<Error>(last.error());
      ARCH_TRY_VOID(ARCH_STEP("journal directory sync at birth", fs_->sync_directory(directory_)));
      for (const std::string& name : names) {
        if (last_number(name) == 0 || last_number(name) >= number_) continue;
        auto removed = fs_->remove(directory_ + "/" + name);
        if (!removed && removed.error().code != Code::kNotFound) return tl::unexpected<Error>(removed.error());
      }
      return true;
    }();
    if (named && !*named) continue;
    if (!named) {  // nobody was told anything about the file: take it away again
      Error error = named.error();
      auto removed = fs_->remove(lies_at);
      if (!removed) error.what += " (and the empty file stays: " + removed.error().what + ")";
      return tl::unexpected<Error>(std::move(error));
    }
    file_ = std::move(file);
    return {};
  }
  return fail(Code::kTryAgain, "no journal file could be made in " + directory_ + ": others take each one away");
}

Result<RecordRef> JournalWriter::append(const Delivery& delivery, Bytes message) {
  if (dead_) return tl::unexpected<Error>(*dead_);
  ARCH_TRY_VOID(check_limits(delivery, message.size()));
  const std::string fields = encode_delivery(delivery);

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
  if (written) written = ARCH_STEP("journal record sync", file_->fdatasync());
  if (!written) {
    ARCH_MARK("a failed journal is dead", dead_ = written.error());
    return tl::unexpected<Error>(written.error());
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
