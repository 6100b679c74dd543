#include "engine/archive.h"

#include <sys/random.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <sstream>

#include "engine/archive_state.h"
#include "engine/base/limits.h"
#include "engine/base/mutant.h"
#include "engine/threads.h"

namespace arch {

namespace {

constexpr uint64_t kStagingFileBytes = 64ull << 20;
constexpr uint64_t kStagedBytes = 8ull << 20;  // synced at once

// The process that holds the lock on archive.toml, as the kernel lists it; 0 when it does not say.
long lock_holder(const std::string& path) {
  std::error_code error;
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return 0;
  std::ifstream locks("/proc/locks");
  const std::string inode = ":" + std::to_string(info.st_ino);
  std::string line;
  while (std::getline(locks, line)) {
    std::istringstream words(line);
    std::string ordinal, kind, mode, access, place;
    long pid = 0;
    words >> ordinal >> kind >> mode >> access >> pid >> place;
    if (kind == "FLOCK" && place.size() > inode.size() &&
        place.compare(place.size() - inode.size(), inode.size(), inode) == 0)
      return pid;
  }
  return 0;
}

}  // namespace

std::string encode_usage_day(const ArchiveUsage::Day& day) {
  ByteWriter out;
  out.varint(day.deliveries);
  out.varint(day.bytes);
  out.varint(day.new_bytes);
  out.varint(day.imported_bytes);
  return out.take();
}

ArchiveUsage::Day decode_usage_day(std::string_view value) {
  ByteReader in(value);
  ArchiveUsage::Day day;
  day.deliveries = in.varint();
  day.bytes = in.varint();
  day.new_bytes = in.varint();
  day.imported_bytes = in.varint();
  return day;
}

// ── opening ──

Archive::Archive() = default;

Archive::~Archive() {
  if (!state_) return;
  // What was appended with append() is durable; what was staged and not flushed was promised to nobody.
  auto closed = close_journal();
  if (!closed) state_->alarm(describe(closed.error()));
}

Result<void> Archive::init(Fs& fs, const std::string& directory, UnixNs now) {
  auto made = create_archive(fs, directory, now);
  if (!made) return tl::unexpected<Error>(made.error());
  return {};
}

Result<std::unique_ptr<Archive>> Archive::open(Fs& fs, Clock& clock, const std::string& directory, Mode mode,
                                               const OpenOptions& options) {
  auto archive = std::unique_ptr<Archive>(new Archive);
  std::string path = directory;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  ARCH_TRY(ArchiveFile file, read_archive_file(fs, path));
  archive->state_ = std::make_unique<State>(fs, clock, path, mode);
  State& state = *archive->state_;
  state.file = file;
  state.own_domains = options.own_domains;
  if (mode == Mode::kEngine) {
    ARCH_TRY_VOID(check_no_backup(fs, path));
    ARCH_TRY(state.engine_lock, fs.open_read(path + "/archive.toml"));
    ARCH_TRY(bool locked, state.engine_lock->try_lock());
    if (!locked) {
      const long holder = lock_holder(path + "/archive.toml");
      return fail(Code::kTryAgain,
                  "another engine works on " + path + (holder > 0 ? " (process " + std::to_string(holder) + ")" : ""),
                  "one is enough: stop that one first, or leave the work to it");
    }
  }
  ARCH_TRY_VOID(state.open_catalog());
  return archive;
}

std::string Archive::State::format_row() const {
  ByteWriter format;
  format.varint(rows::kCatalogVersion);
  format.raw({reinterpret_cast<const char*>(file.id.bytes.data()), file.id.bytes.size()});
  const std::vector<std::string> domains = own_domains ? own_domains->domains() : std::vector<std::string>();
  format.varint(domains.size());
  for (const std::string& domain : domains) format.sized(domain);
  return format.take();
}

Result<void> Archive::State::open_catalog() {
  const std::string path = catalog_directory(directory);
  if (mode == Mode::kReader) {
    auto opened = Catalog::open(path, Catalog::Mode::kReader);
    if (!opened) {
      if (opened.error().code == Code::kNotFound) return {};
      return tl::unexpected<Error>(opened.error());
    }
    ARCH_TRY(bool fits, catalog_fits(**opened));
    if (fits) catalog = std::move(*opened);
    return {};
  }
  auto opened = Catalog::open(path, Catalog::Mode::kWriter);
  if (!opened && opened.error().code != Code::kCorrupt) return tl::unexpected<Error>(opened.error());
  bool fits = false;
  if (opened) {
    ARCH_TRY(fits, catalog_fits(**opened));
    if (fits) catalog = std::move(*opened);
  } else {
    alarm(describe(opened.error()));
  }
  if (!fits) {
    if (opened) opened->reset();
    ARCH_TRY_VOID(discard_catalog());
    ARCH_TRY(catalog, Catalog::open(path, Catalog::Mode::kWriter));
    CatalogBatch batch;
    batch.put(Column::kMeta, kMetaFormat, format_row());
    std::array<char, 16> numbering{};
    ARCH_CHECK(::getrandom(numbering.data(), numbering.size(), 0) == static_cast<ssize_t>(numbering.size()));
    batch.put(Column::kMeta, kMetaNumbering, {numbering.data(), numbering.size()});
    ARCH_TRY_VOID(catalog->write(std::move(batch), true));
    rebuilding = true;
  }
  if (!own_domains) own_domains = OwnDomains();
  ARCH_TRY(auto value, catalog->get(Column::kMeta, kMetaTotals));
  if (value) {
    ARCH_TRY(totals, rows::decode_totals(*value));
  }
  Result<void> scanned;
  ARCH_TRY_VOID(catalog->scan(Column::kMeta, "mark:", "mark:", [&](std::string_view key, std::string_view row) {
    const uint64_t number = from_be64(key.substr(5));
    auto mark = rows::decode_mark(row, number);
    if (!mark) {
      scanned = tl::unexpected<Error>(mark.error());
      return false;
    }
    marks[number] = *mark;
    return true;
  }));
  return scanned;
}

namespace {

// A file that was reserved and not written there reads as zeros: a device that forgot what it had called durable.
Result<bool> holds_last_record(const Catalog& found, const JournalReader& reader) {
  uint64_t last = 0;
  const std::string file = be64(reader.number());
  ARCH_TRY_VOID(found.scan(Column::kUnpacked, file, file, [&](std::string_view key, std::string_view) {
    last = from_be64(key.substr(8));
    return true;
  }));
  if (last == 0) return true;
  return reader.is_written(last);
}

}  // namespace

// Is this catalog one of this archive, of this version, and not ahead of what journal and segments hold?
Result<bool> Archive::State::catalog_fits(const Catalog& found) const {
  ARCH_TRY(auto format, found.get(Column::kMeta, kMetaFormat));
  if (!format) return false;
  ByteReader in(*format);
  if (in.varint() != rows::kCatalogVersion) return false;
  std::string_view id = in.raw(16);
  if (!in.ok() || id != std::string_view(reinterpret_cast<const char*>(file.id.bytes.data()), 16)) return false;
  std::vector<std::string> domains;
  for (uint64_t left = in.varint(); in.ok() && left > 0; --left) domains.emplace_back(in.sized());
  if (!in.at_end()) return false;
  // Directions follow from our domains: with others the rows are not what this engine would write.
  if (mode == Mode::kEngine && own_domains && own_domains->domains() != domains) return false;
  own_domains = OwnDomains(std::move(domains));
  if (mode == Mode::kReader) return true;

  bool fits = true;
  Result<void> failure;
  ARCH_TRY_VOID(found.scan(Column::kMeta, "mark:", "mark:", [&](std::string_view key, std::string_view row) {
    auto mark = rows::decode_mark(row, from_be64(key.substr(5)));
    if (!mark) {
      fits = false;
      return false;
    }
    auto reader = JournalReader::open(fs, journal_directory(directory) + "/" + journal_file_name(mark->file.number));
    if (!reader) {
      if (reader.error().code != Code::kNotFound && reader.error().code != Code::kCorrupt) return true;
      // Gone without having been packed: what it held is known only by name now. An older copy of journal/ may have
      // been put back; then the catalog is ahead of it. A damaged one that was packed may be taken away by hand.
      auto packed = found.get(Column::kMeta, meta_packed_key(mark->file));
      fits = packed && *packed;
      return fits;
    }
    auto size = (*reader)->file_size();
    if (!size) {
      failure = tl::unexpected<Error>(size.error());
      return false;
    }
    auto reached = holds_last_record(found, **reader);
    if (!reached) failure = tl::unexpected<Error>(reached.error());
    fits = reached.has_value() &&
           !ARCH_WRONG("the journal the catalog knows",
                       mark->offset > *size || !*reached || (*reader)->header().marker != mark->file.marker);
    return fits;
  }));
  ARCH_TRY_VOID(std::move(failure));
  if (!fits) return false;
  // A segment that is not the one the catalog adopted (an older copy was put back): made anew from what is there. One that
  // is missing or cannot be read (a volume that is not mounted, a damaged trailer) keeps its rows: its mail is found, reading
  // it says what is wrong, and everything is right again once the file is back.
  ARCH_TRY_VOID(found.scan(Column::kMeta, "segment:", "segment:", [&](std::string_view key, std::string_view row) {
    const auto number = static_cast<uint32_t>(from_be64(key.substr(8)));
    auto wanted = rows::decode_segment(row);
    auto segment_path = find_segment(fs, directory, number);
    if (wanted && !segment_path && segment_path.error().code == Code::kNotFound) return true;  // status() tells
    auto there = segment_path ? SegmentReader::identify(fs, *segment_path)
                              : Result<SegmentReader::Identity>(tl::unexpected<Error>(segment_path.error()));
    if (!wanted) {
      fits = false;
    } else if (!there) {
      alarm(describe(there.error()) + "; the mail in it cannot be read");
    } else if (ARCH_WRONG("the segment the catalog knows",
                          there->archive != file.id || there->footer_digest != wanted->footer_digest)) {
      alarm(*segment_path +
            " is not the segment that was stored there: an older or foreign copy was put back; mail may be "
            "missing — run: archctl verify");
      fits = false;
    }
    return fits;
  }));
  ARCH_TRY_VOID(std::move(failure));
  return fits;
}

Result<void> Archive::State::discard_catalog() {
  std::error_code error;
  std::filesystem::remove_all(catalog_directory(directory), error);
  if (error) return fail_errno(error.value(), "cannot remove " + catalog_directory(directory));
  return fs.make_directory(catalog_directory(directory));
}

const std::string& Archive::directory() const { return state_->directory; }
const ArchiveId& Archive::id() const { return state_->file.id; }
bool Archive::rebuilding() const { return state_->rebuilding; }

// ── appending ──

Result<RecordRef> Archive::append(Delivery delivery, std::string message) {
  if (delivery.digest == Digest{}) delivery.digest = Sha256::of(as_bytes(message));
  {
    std::lock_guard lock(state_->append_mutex);
    if (!state_->commit) {
      ARCH_TRY_VOID(check_no_backup(state_->fs, state_->directory));
      GroupCommit::Options options;
      options.reserve_free_bytes = state_->reserve_free_bytes;
      ARCH_TRY(state_->commit, GroupCommit::create(state_->fs, state_->clock, journal_directory(state_->directory),
                                                   state_->file.id, options));
    }
  }
  return state_->commit->append(std::move(delivery), std::move(message));
}

void Archive::set_reserve_bytes(uint64_t bytes) {
  std::lock_guard lock(state_->append_mutex);
  state_->reserve_free_bytes = bytes;
}

Result<void> Archive::State::flush_staged() {
  if (!staging) return {};
  auto synced = staging->sync();
  staged_messages.clear();
  staged_bytes = 0;
  if (!synced) {
    staging.reset();  // suspect: left as it lies
    return tl::unexpected<Error>(synced.error());
  }
  return {};
}

Result<void> Archive::append_staged(Delivery delivery, std::string message) {
  State& state = *state_;
  if (delivery.digest == Digest{}) delivery.digest = Sha256::of(as_bytes(message));
  std::lock_guard lock(state.append_mutex);
  const std::string journal = journal_directory(state.directory);
  ARCH_TRY(uint64_t free, state.fs.free_bytes(journal));
  if (free < state.reserve_free_bytes + message.size())
    return fail(Code::kFull,
                "only " + std::to_string(free) + " bytes are free under " + state.directory + ", the reserve is " +
                    std::to_string(state.reserve_free_bytes),
                "free some space and run it again: what is stored already is recognised");
  const uint64_t size = message.size();
  state.staged_messages.push_back(std::move(message));
  for (int attempt = 0;; ++attempt) {
    if (!state.staging) {
      ARCH_TRY_VOID(check_no_backup(state.fs, state.directory));
      JournalWriter::Options options;
      options.reserve_bytes = std::max<uint64_t>(
          kStagingFileBytes, size + encode_delivery(delivery).size() + journal_format::kHeaderSize + 1024);
      auto made = JournalWriter::create(state.fs, journal, state.file.id, state.clock.now(), options);
      if (!made) {
        state.staged_messages.pop_back();
        return tl::unexpected<Error>(made.error());
      }
      state.staging = std::move(*made);
    }
    auto ref = state.staging->append(delivery, as_bytes(state.staged_messages.back()));
    if (ref) break;
    std::string current = std::move(state.staged_messages.back());
    state.staged_messages.pop_back();
    if (ref.error().code != Code::kFull || attempt > 0) return tl::unexpected<Error>(ref.error());
    // This file is full: what it holds becomes durable, the message goes to the next one.
    ARCH_TRY_VOID(state.flush_staged());
    auto closed = state.staging->close();
    state.staging.reset();
    if (!closed) return closed;
    state.staged_messages.push_back(std::move(current));
  }
  state.staged_bytes += size;
  if (state.staged_bytes < kStagedBytes) return {};
  ARCH_TRY_VOID(state.flush_staged());
  // Somebody who packs asks every writer to close its file (journal_reader.h): what follows goes to a new one.
  const std::string request = close_request_path(state.staging->path());
  ARCH_TRY(bool asked, state.fs.exists(request));
  if (!asked) return {};
  auto closed = state.staging->close();
  state.staging.reset();
  if (!closed) return closed;
  return state.fs.remove(request);
}

Result<void> Archive::flush() {
  std::lock_guard lock(state_->append_mutex);
  return state_->flush_staged();
}

Result<void> Archive::close_journal() {
  std::lock_guard lock(state_->append_mutex);
  Result<void> result = state_->flush_staged();
  if (state_->staging) {
    auto closed = state_->staging->close();
    state_->staging.reset();
    if (result) result = closed;
  }
  if (state_->commit) {
    auto closed = state_->commit->close_file();
    if (result) result = closed;
  }
  return result;
}

// ── reading ──

Result<std::shared_ptr<SegmentReader>> Archive::State::segment(uint32_t number) const {
  if (auto open = segments.get(number)) return open;
  ARCH_TRY(std::string path, find_segment(fs, directory, number));
  ARCH_TRY(auto reader, SegmentReader::open(fs, path));
  if (reader->info().archive != file.id)
    return fail(Code::kCorrupt, reader->path() + " belongs to another archive (" + reader->info().archive.hex() + ")",
                "put the right file back; run: archctl verify");
  segments.put(number, reader);
  return reader;
}

Result<std::shared_ptr<JournalReader>> Archive::State::journal(uint64_t number) const {
  if (auto open = journals.get(number)) return open;
  ARCH_TRY(auto opened, JournalReader::open(fs, journal_directory(directory) + "/" + journal_file_name(number)));
  std::shared_ptr<JournalReader> reader = std::move(opened);
  journals.put(number, reader);
  return reader;
}

SegmentReader::ForeignBlob Archive::State::foreign(BlockCache* blocks) const {
  return [this, blocks](const Digest& digest, uint32_t number) -> Result<std::string> {
    ARCH_TRY(auto reader, segment(number));
    auto index = reader->find_blob(digest);
    if (!index)
      return fail(Code::kCorrupt,
                  reader->path() + " does not hold part " + digest.hex() + ", which another segment names",
                  "run: archctl verify");
    return reader->read_blob(*index, blocks);
  };
}

Result<std::string> Archive::State::message_at(const rows::Place& place, const Digest& digest,
                                               BlockCache* blocks) const {
  // What is stored there is whole by its own digest; that it is the wanted one is compared here.
  const auto other = [&](const std::string& path) {
    return fail(Code::kCorrupt, path + " holds another message where " + digest.hex() + " should be",
                "run: archctl verify; then: archctl rebuild");
  };
  if (place.in_segment) {
    ARCH_TRY(auto reader, segment(place.segment));
    if (ARCH_WRONG("the message asked for",
                   place.index >= reader->message_count() || reader->message_digest(place.index) != digest))
      return other(reader->path());
    return reader->read_message(place.index, foreign(blocks), blocks);
  }
  ARCH_TRY(auto reader, journal(place.record.file));
  Digest found;
  ARCH_TRY(std::string bytes, reader->read_message(place.record, &found));
  if (found != digest) return other(reader->path());
  return bytes;
}

Result<std::string> Archive::State::message(uint64_t number, const Digest& digest, BlockCache* blocks) const {
  const auto lookup = [&](uint64_t wanted) -> Result<std::string> {
    ARCH_TRY(auto row, catalog->get(Column::kPlace, be64(wanted)));
    if (!row) return fail(Code::kNotFound, "there is no message number " + std::to_string(wanted));
    ARCH_TRY(rows::Place place, rows::decode_place(*row));
    return message_at(place, digest, blocks);
  };
  auto bytes = lookup(number);
  if (bytes || mode == Mode::kEngine ||
      (bytes.error().code != Code::kNotFound && bytes.error().code != Code::kCorrupt))
    return bytes;
  // The journal file it lay in has been packed since this view was taken, or the catalog was made anew and its number is
  // another one now.
  ARCH_TRY_VOID(refresh());
  ARCH_TRY(auto now, find(digest));
  if (!now) return bytes;
  return lookup(*now);
}

Result<void> Archive::State::refresh() const {
  std::lock_guard lock(refresh_mutex);
  if (mode == Mode::kEngine) return {};
  if (catalog && !catalog->replaced()) {
    auto refreshed = catalog->refresh();
    // The engine made the catalog anew between the two calls.
    if (refreshed || !catalog->replaced()) return refreshed;
  }
  auto opened = Catalog::open(catalog_directory(directory), Catalog::Mode::kReader);
  if (!opened) {
    if (opened.error().code == Code::kNotFound) return {};  // what was open before goes on being read
    return tl::unexpected<Error>(opened.error());
  }
  ARCH_TRY(bool fits, catalog_fits(**opened));
  if (fits) catalog = std::move(*opened);
  return {};
}

Result<void> Archive::refresh() const { return state_->refresh(); }

Result<std::optional<uint64_t>> Archive::State::find(const Digest& digest) const {
  if (!catalog) return std::optional<uint64_t>();
  ARCH_TRY(auto row, catalog->get(Column::kDigest, digest.view()));
  if (!row) return std::optional<uint64_t>();
  ByteReader in(*row);
  return std::optional<uint64_t>(in.varint());
}

Result<MessageInfo> Archive::State::info(uint64_t number) const {
  const auto missing = [&] { return fail(Code::kNotFound, "there is no message number " + std::to_string(number)); };
  if (!catalog) return missing();
  ARCH_TRY(auto row, catalog->get(Column::kMessage, be64(number)));
  if (!row) return missing();
  ARCH_TRY(MessageInfo info, rows::decode_message(*row, number));
  ARCH_TRY(info.thread, resolve_thread(*catalog.get(), info.thread));
  ARCH_TRY_VOID(
      catalog->scan(Column::kAgain, be64(number), be64(number), [&](std::string_view key, std::string_view) {
        info.deliveries.push_back(from_be64(key.substr(8)));
        return true;
      }));
  std::sort(info.deliveries.begin(), info.deliveries.end());
  return info;
}

Result<Digest> Archive::resolve(const DigestPrefix& prefix) const {
  std::vector<Digest> found;
  uint64_t count = 0;
  if (state_->catalog) {
    const std::string from = prefix.lower_bound_bytes();
    const std::string whole_bytes = from.substr(0, prefix.hex.size() / 2);
    ARCH_TRY_VOID(
        state_->catalog->scan(Column::kDigest, from, whole_bytes, [&](std::string_view key, std::string_view) {
          if (key.size() != 32) return false;
          const Digest digest = Digest::from_view(key);
          if (!prefix.matches(digest)) return false;
          if (++count == 1) found.push_back(digest);
          return count < 100;
        }));
  }
  if (count == 0)
    return fail(Code::kNotFound, "no message has the id " + prefix.hex,
                "a mail that has just arrived is known a moment later; try: archctl search");
  if (count > 1)
    return fail(Code::kInvalid,
                std::to_string(count) + (count >= 100 ? " or more" : "") + " messages begin with " + prefix.hex,
                "give more digits of the id");
  return found.front();
}

Result<std::string> Archive::get(const Digest& digest) const {
  ARCH_TRY(auto number, state_->find(digest));
  if (!number) return fail(Code::kNotFound, "there is no message " + digest.hex());
  return state_->message(*number, digest, &state_->cache);
}

Result<MessageInfo> Archive::info(const Digest& digest) const {
  ARCH_TRY(auto number, state_->find(digest));
  if (!number) return fail(Code::kNotFound, "there is no message " + digest.hex());
  return state_->info(*number);
}

Result<MessageInfo> Archive::info(uint64_t number) const { return state_->info(number); }

Result<std::vector<MessageInfo>> Archive::infos(const std::vector<uint64_t>& numbers) const {
  constexpr size_t kFew = 4;       // one by one is as good
  constexpr uint64_t kClose = 16;  // numbers so far apart, on average, are looked up each for itself
  const auto catalog = state_->catalog.get();
  std::vector<MessageInfo> out(numbers.size());
  if (numbers.size() <= kFew || !catalog) {
    for (size_t i = 0; i < numbers.size(); ++i) {
      ARCH_TRY(out[i], state_->info(numbers[i]));
    }
    return out;
  }
  std::vector<size_t> order(numbers.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return numbers[a] < numbers[b]; });
  std::vector<std::string> keys;
  keys.reserve(numbers.size());
  for (const size_t i : order) keys.push_back(be64(numbers[i]));
  std::vector<char> found(numbers.size(), 0);
  Result<void> failure;
  const auto take = [&](size_t at, std::string_view row) {
    auto info = rows::decode_message(row, numbers[order[at]]);
    if (!info) {
      failure = tl::unexpected<Error>(info.error());
      return false;
    }
    out[order[at]] = std::move(*info);
    found[order[at]] = 1;
    return true;
  };
  if ((numbers[order.back()] - numbers[order.front()]) / numbers.size() < kClose) {
    ARCH_TRY_VOID(catalog->get_rising(Column::kMessage, keys, take));
  } else {
    ARCH_TRY(auto values, catalog->get_many(Column::kMessage, keys));
    for (size_t at = 0; at < values.size() && failure; ++at)
      if (values[at]) take(at, *values[at]);
  }
  ARCH_TRY_VOID(std::move(failure));
  for (size_t i = 0; i < numbers.size(); ++i)
    if (found[i] == 0) return fail(Code::kNotFound, "there is no message number " + std::to_string(numbers[i]));
  ARCH_TRY_VOID(catalog->scan_rising(Column::kAgain, keys, [&](size_t at, std::string_view key) {
    out[order[at]].deliveries.push_back(from_be64(key.substr(8)));
  }));
  for (size_t at = 1; at < order.size(); ++at)  // a number that was asked for twice
    if (numbers[order[at]] == numbers[order[at - 1]]) out[order[at]].deliveries = out[order[at - 1]].deliveries;
  std::vector<uint64_t> labels;
  for (MessageInfo& info : out) {
    std::sort(info.deliveries.begin(), info.deliveries.end());
    labels.push_back(info.thread);
  }
  ARCH_TRY_VOID(resolve_threads(*catalog, &labels));
  for (size_t i = 0; i < out.size(); ++i) out[i].thread = labels[i];
  return out;
}

Result<DeliveryInfo> Archive::delivery(uint64_t sequence) const {
  const auto missing = [&] { return fail(Code::kNotFound, "there is no delivery " + std::to_string(sequence)); };
  if (!state_->catalog) return missing();
  ARCH_TRY(auto row, state_->catalog->get(Column::kDelivery, be64(sequence)));
  if (!row) return missing();
  ARCH_TRY(DeliveryInfo info, rows::decode_delivery_row(*row, sequence));
  ARCH_TRY(MessageInfo message, state_->info(info.message));
  info.delivery.digest = message.digest;
  return info;
}

Result<void> Archive::for_each_message(uint64_t from, const std::function<bool(const MessageInfo&)>& each) const {
  if (!state_->catalog) return {};
  Result<void> failure;
  ARCH_TRY_VOID(state_->catalog->scan(Column::kMessage, be64(from), {}, [&](std::string_view key, std::string_view) {
    auto info = state_->info(from_be64(key));
    if (!info) {
      failure = tl::unexpected<Error>(info.error());
      return false;
    }
    return each(*info);
  }));
  return failure;
}

Result<void> Archive::for_each_delivery(uint64_t from, const std::function<bool(const DeliveryInfo&)>& each) const {
  if (!state_->catalog) return {};
  Result<void> failure;
  ARCH_TRY_VOID(
      state_->catalog->scan(Column::kDelivery, be64(from), {}, [&](std::string_view key, std::string_view row) {
        auto info = rows::decode_delivery_row(row, from_be64(key));
        if (info) {
          auto message = state_->info(info->message);
          if (message) {
            info->delivery.digest = message->digest;
            return each(*info);
          }
          failure = tl::unexpected<Error>(message.error());
          return false;
        }
        failure = tl::unexpected<Error>(info.error());
        return false;
      }));
  return failure;
}

namespace {

Result<std::vector<uint64_t>> numbers_under(const std::shared_ptr<Catalog>& catalog, Column column,
                                            const std::string& prefix) {
  std::vector<uint64_t> numbers;
  if (!catalog) return numbers;
  ARCH_TRY_VOID(catalog->scan(column, prefix, prefix, [&](std::string_view key, std::string_view) {
    numbers.push_back(from_be64(key.substr(prefix.size())));
    return true;
  }));
  return numbers;
}

}  // namespace

Result<std::vector<uint64_t>> Archive::by_message_id(const std::string& message_id) const {
  ARCH_TRY(auto candidates, numbers_under(state_->catalog.get(), Column::kMessageId, message_id_key(message_id)));
  std::vector<uint64_t> numbers;
  for (uint64_t number : candidates) {  // the key is a hash
    ARCH_TRY(MessageInfo info, state_->info(number));
    if (info.message_id == message_id) numbers.push_back(number);
  }
  return numbers;
}

Result<std::vector<uint64_t>> Archive::copies(const MessageInfo& info) const {
  const std::string key = info.message_id.empty() ? mail_key_key(info.mail_key) : message_id_key(info.message_id);
  ARCH_TRY(auto candidates, numbers_under(state_->catalog.get(), Column::kMessageId, key));
  std::vector<uint64_t> numbers;
  for (uint64_t number : candidates) {
    ARCH_TRY(MessageInfo other, state_->info(number));
    if (other.mail_key == info.mail_key) numbers.push_back(number);
  }
  return numbers;
}

Result<std::vector<uint64_t>> Archive::by_queue_id(const std::string& queue_id) const {
  return numbers_under(state_->catalog.get(), Column::kQueue, queue_key(queue_id));
}

Result<std::vector<uint64_t>> Archive::by_thread(uint64_t thread) const {
  auto catalog = state_->catalog.get();
  if (!catalog) return std::vector<uint64_t>();
  ARCH_TRY(uint64_t root, resolve_thread(*catalog, thread));
  return numbers_under(catalog, Column::kThread, be64(root));
}

Result<bool> Archive::knows(const Digest& digest) const {
  ARCH_TRY(auto number, state_->find(digest));
  return number.has_value();
}

Result<bool> Archive::knows_import(const Digest& digest, const std::string& origin) const {
  if (!state_->catalog) return false;
  ARCH_TRY(auto row, state_->catalog->get(Column::kImport, import_key(digest, origin)));
  if (!row) return false;
  // The key is a hash: what is not in the archive is never taken for known.
  return knows(digest);
}

// ── followers ──

Result<std::string> Archive::numbering() const {
  if (!state_->catalog) return std::string();
  ARCH_TRY(auto row, state_->catalog->get(Column::kMeta, kMetaNumbering));
  return row ? std::move(*row) : std::string();
}

Result<void> Archive::compact() { return state_->catalog->compact(); }

Result<std::vector<FeedEntry>> Archive::feed(uint64_t after, size_t max_messages, uint64_t max_bytes) const {
  std::vector<FeedEntry> entries;
  if (!state_->catalog) return entries;
  std::call_once(state_->feed_cache_once,
                 [this] { state_->feed_cache = std::make_unique<BlockCache>(kFeedCacheBytes); });
  uint64_t bytes = 0;
  Result<void> failure;
  ARCH_TRY_VOID(
      state_->catalog->scan(Column::kDelivery, be64(after + 1), {}, [&](std::string_view key, std::string_view row) {
        auto entry = [&]() -> Result<FeedEntry> {
          FeedEntry out;
          ARCH_TRY(out.delivery, rows::decode_delivery_row(row, from_be64(key)));
          ARCH_TRY(out.message, state_->info(out.delivery.message));
          out.delivery.delivery.digest = out.message.digest;
          out.first = out.message.deliveries.front() == out.delivery.sequence;
          if (out.first) {
            auto read = state_->message(out.delivery.message, out.message.digest, state_->feed_cache.get());
            if (read) {
              out.bytes = std::move(*read);
            } else {
              // Damage costs the message its text, not those behind it their place in the index.
              state_->alarm(describe(read.error()));
              out.damaged = true;
            }
          }
          return out;
        }();
        if (!entry) {
          failure = tl::unexpected<Error>(entry.error());
          return false;
        }
        bytes += entry->bytes.size();
        entries.push_back(std::move(*entry));
        return entries.size() < max_messages && bytes < max_bytes;
      }));
  if (!failure && entries.empty()) return tl::unexpected<Error>(failure.error());
  return entries;  // what was read before a failure is given first; the next call meets it again
}

Result<bool> Archive::has_after(uint64_t after) const {
  bool found = false;
  if (state_->catalog)
    ARCH_TRY_VOID(
        state_->catalog->scan(Column::kDelivery, be64(after + 1), {}, [&](std::string_view, std::string_view) {
          found = true;
          return false;
        }));
  return found;
}

Result<MessageText> Archive::text(uint64_t number) const {
  if (state_->catalog) {
    ARCH_TRY(auto row, state_->catalog->get(Column::kText, be64(number)));
    if (row) {
      ARCH_TRY(MessageText text, rows::decode_text(*row));
      ARCH_TRY_VOID(state_->expand(&text));
      return text;
    }
  }
  return fail(Code::kNotFound, "no text is kept yet of message number " + std::to_string(number));
}

Result<std::vector<MessageText>> Archive::texts(const std::vector<uint64_t>& numbers) const {
  std::vector<MessageText> out(numbers.size());
  if (!state_->catalog) return out;
  std::vector<std::string> keys;
  keys.reserve(numbers.size());
  for (uint64_t number : numbers) keys.push_back(be64(number));
  ARCH_TRY(auto values, state_->catalog->get_many(Column::kText, keys));
  for (size_t i = 0; i < values.size(); ++i) {
    if (!values[i]) continue;
    ARCH_TRY(out[i], rows::decode_text(*values[i]));
    ARCH_TRY_VOID(state_->expand(&out[i]));
  }
  return out;
}

}  // namespace arch
