#include "engine/segment/segment_reader.h"

#include <zstd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <list>
#include <mutex>
#include <unordered_map>

#include "engine/base/bytes.h"
#include "engine/base/limits.h"
#include "engine/base/mutant.h"
#include "engine/format/segment.h"

namespace arch {

using segment_format::Block;
using segment_format::Codec;
using segment_format::Footer;
using segment_format::MessageEntry;
using segment_format::Step;
using segment_format::Stream;

std::string segment_file_name(uint32_t number) {
  char name[32];
  std::snprintf(name, sizeof name, "%08u.seg", number);
  return name;
}

uint32_t segment_file_number(const std::string& name) {
  if (name.size() < 12 || name.size() > 14 || name.compare(name.size() - 4, 4, ".seg") != 0) return 0;
  uint64_t number = 0;
  for (size_t i = 0; i + 4 < name.size(); ++i) {
    if (name[i] < '0' || name[i] > '9') return 0;
    number = number * 10 + static_cast<uint64_t>(name[i] - '0');
  }
  if (number > UINT32_MAX || segment_file_name(static_cast<uint32_t>(number)) != name) return 0;
  return static_cast<uint32_t>(number);
}

// ── BlockCache ──

struct BlockCache::State {
  struct Entry {
    uint64_t key = 0;
    std::shared_ptr<const Buffer> bytes;
  };
  uint64_t capacity = 0, used = 0;
  std::mutex mutex;
  std::list<Entry> order;  // newest first
  std::unordered_map<uint64_t, std::list<Entry>::iterator> by_key;
};

BlockCache::BlockCache(uint64_t capacity_bytes) : state_(std::make_unique<State>()) {
  state_->capacity = capacity_bytes;
}
BlockCache::~BlockCache() = default;

std::shared_ptr<const Buffer> BlockCache::get(uint32_t segment, uint32_t block) {
  std::lock_guard lock(state_->mutex);
  auto found = state_->by_key.find(static_cast<uint64_t>(segment) << 32 | block);
  if (found == state_->by_key.end()) return nullptr;
  state_->order.splice(state_->order.begin(), state_->order, found->second);
  return found->second->bytes;
}

void BlockCache::put(uint32_t segment, uint32_t block, std::shared_ptr<const Buffer> bytes) {
  const uint64_t key = static_cast<uint64_t>(segment) << 32 | block;
  std::lock_guard lock(state_->mutex);
  if (bytes->size() > state_->capacity || state_->by_key.count(key) != 0) return;
  state_->used += bytes->size();
  state_->order.push_front({key, std::move(bytes)});
  state_->by_key[key] = state_->order.begin();
  while (state_->used > state_->capacity) {
    State::Entry& oldest = state_->order.back();
    state_->used -= oldest.bytes->size();
    state_->by_key.erase(oldest.key);
    state_->order.pop_back();
  }
}

// ── SegmentReader ──

namespace {

struct DecompressionContext {
  ZSTD_DCtx* context = ZSTD_createDCtx();
  DecompressionContext() { ARCH_CHECK(context != nullptr); }
  DecompressionContext(const DecompressionContext&) = delete;
  DecompressionContext& operator=(const DecompressionContext&) = delete;
  ~DecompressionContext() { ZSTD_freeDCtx(context); }
};

Result<Buffer> decompress(std::string_view stored, uint64_t raw_size) {
  // The frame's own claim must be the table's: memory is asked for only then.
  const unsigned long long claimed = ZSTD_getFrameContentSize(stored.data(), stored.size());
  if (claimed != raw_size)
    return fail(Code::kCorrupt, "the zstd frame does not hold " + std::to_string(raw_size) + " bytes");
  thread_local DecompressionContext decompression;
  Buffer raw(raw_size);
  const size_t got = ZSTD_decompressDCtx(decompression.context, raw.data(), raw.size(), stored.data(), stored.size());
  if (ZSTD_isError(got))
    return fail(Code::kCorrupt, std::string("the zstd frame is damaged: ") + ZSTD_getErrorName(got));
  if (got != raw_size) return fail(Code::kCorrupt, "the zstd frame ends early");
  return raw;
}

constexpr size_t kStreams = 5;

}  // namespace

struct SegmentReader::State {
  std::unique_ptr<File> file;
  std::string path;
  Info info;
  segment_format::Trailer trailer;
  Footer footer;
  struct StreamBlocks {
    std::vector<uint32_t> blocks;  // into footer.blocks
    std::vector<uint64_t> begins;  // of each block within the stream
    uint64_t size = 0;
  };
  std::array<StreamBlocks, kStreams> streams;
  std::vector<uint64_t> skeleton_begins;  // by message
  std::vector<uint64_t> blob_begins;      // by own blob, within its stream
  mutable std::once_flag sorted_once;
  mutable std::vector<uint32_t> messages_by_digest, blobs_by_digest;

  void sort_tables() const;
  Result<std::shared_ptr<const Buffer>> block(uint32_t index, BlockCache* cache) const;
  Result<void> read(Stream stream, uint64_t offset, uint64_t size, BlockCache* cache, std::string* out) const;
  tl::unexpected<Error> corrupt(const std::string& what) const {
    return fail(Code::kCorrupt, path + ": " + what, "run: archctl verify");
  }
  /// An own part, its digest not compared.
  Result<std::string> blob(uint32_t index, BlockCache* cache) const {
    const auto& entry = footer.blobs[index];
    std::string bytes;
    bytes.reserve(entry.size);
    auto got =
        read(entry.large ? Stream::kLargePart : Stream::kSmallPart, blob_begins[index], entry.size, cache, &bytes);
    if (got) return bytes;
    Error error = got.error();
    error.what += " (part " + entry.digest.hex() + ")";
    return tl::unexpected<Error>(std::move(error));
  }
};

SegmentReader::SegmentReader() : state_(std::make_unique<State>()) {}
SegmentReader::~SegmentReader() = default;

Result<std::shared_ptr<SegmentReader>> SegmentReader::open(Fs& fs, const std::string& path) {
  auto reader = std::shared_ptr<SegmentReader>(new SegmentReader);
  State& state = *reader->state_;
  state.path = path;
  const auto in_context = [&path](const Error& error) {
    Error out = error;
    if (out.what.rfind(path, 0) != 0) out.what = path + ": " + out.what;
    if (out.code == Code::kCorrupt && out.hint.empty()) out.hint = "run: archctl verify";
    return tl::unexpected<Error>(std::move(out));
  };
  ARCH_TRY(state.file, fs.open_read(path));
  ARCH_TRY(state.info.file_size, state.file->size());
  if (state.info.file_size < segment_format::kHeaderSize + segment_format::kTrailerSize)
    return state.corrupt("it is too short to be a segment");
  ARCH_TRY(std::string header_bytes, read_exact(*state.file, 0, segment_format::kHeaderSize));
  auto header = segment_format::decode_header(header_bytes);
  if (!header) return in_context(header.error());
  const uint64_t trailer_offset = state.info.file_size - segment_format::kTrailerSize;
  ARCH_TRY(std::string trailer_bytes, read_exact(*state.file, trailer_offset, segment_format::kTrailerSize));
  auto trailer = segment_format::decode_trailer(trailer_bytes);
  if (!trailer) return in_context(trailer.error());
  state.trailer = *trailer;
  const segment_format::Trailer& t = state.trailer;
  if (t.footer_offset < segment_format::kHeaderSize || t.footer_offset > trailer_offset ||
      t.digests_size > trailer_offset - t.footer_offset ||
      t.meta_stored != trailer_offset - t.footer_offset - t.digests_size ||
      t.meta_raw > segment_format::kMaxFooterRaw)
    return state.corrupt("the trailer's sizes do not fit the file");
  ARCH_TRY(std::string footer_bytes, read_exact(*state.file, t.footer_offset, trailer_offset - t.footer_offset));
  if (ARCH_WRONG("segment footer digest", Sha256::of(as_bytes(footer_bytes)) != t.footer_digest))
    return state.corrupt("the footer does not match its digest");
  auto meta = decompress(std::string_view(footer_bytes).substr(t.digests_size), t.meta_raw);
  if (!meta) return in_context(meta.error());
  auto footer = segment_format::decode_footer(std::string_view(footer_bytes).substr(0, t.digests_size), meta->view(),
                                              t.footer_offset);
  if (!footer) return in_context(footer.error());
  state.footer = std::move(*footer);

  Info& info = state.info;
  info.number = header->number;
  info.archive = header->archive;
  info.created = header->created;
  info.footer_digest = t.footer_digest;
  info.previous_footer_digest = state.footer.previous_footer_digest;
  info.first_sequence = state.footer.first_sequence;
  info.last_sequence = state.footer.last_sequence;
  info.journal_files = state.footer.journal_files;

  for (uint32_t i = 0; i < state.footer.blocks.size(); ++i) {
    auto& stream = state.streams[static_cast<size_t>(state.footer.blocks[i].stream)];
    stream.blocks.push_back(i);
    stream.begins.push_back(stream.size);
    stream.size += state.footer.blocks[i].raw_size;
  }
  uint64_t at = 0;
  for (const MessageEntry& message : state.footer.messages) {
    state.skeleton_begins.push_back(at);
    at += message.skeleton_size;
    info.raw_bytes += message.size;
  }
  uint64_t small = 0, large = 0;
  for (const auto& blob : state.footer.blobs) {
    uint64_t& begin = blob.large ? large : small;
    state.blob_begins.push_back(begin);
    begin += blob.size;
  }
  return reader;
}

Result<std::shared_ptr<const Buffer>> SegmentReader::State::block(uint32_t index, BlockCache* cache) const {
  if (cache != nullptr)
    if (auto cached = cache->get(info.number, index)) return cached;
  const Block& entry = footer.blocks[index];
  ARCH_TRY(Buffer stored, read_buffer(*file, entry.offset, entry.stored_size));
  if (ARCH_WRONG("block checksum when read", checksum64(as_bytes(stored.view())) != entry.checksum))
    return corrupt("block " + std::to_string(index) + " at " + std::to_string(entry.offset) +
                   " does not match its checksum");
  if (entry.codec == Codec::kZstd) {
    auto raw = decompress(stored.view(), entry.raw_size);
    if (!raw)
      return corrupt("block " + std::to_string(index) + " at " + std::to_string(entry.offset) + ": " +
                     raw.error().what);
    stored = std::move(*raw);
  }
  auto bytes = std::make_shared<const Buffer>(std::move(stored));
  if (cache != nullptr) cache->put(info.number, index, bytes);
  return bytes;
}

// Appends [offset, offset + size) of a stream to `out`.
Result<void> SegmentReader::State::read(Stream stream, uint64_t offset, uint64_t size, BlockCache* cache,
                                        std::string* out) const {
  const StreamBlocks& blocks = streams[static_cast<size_t>(stream)];
  ARCH_CHECK(offset <= blocks.size && size <= blocks.size - offset);  // decode_footer compared the sums
  if (size == 0) return {};
  auto at = static_cast<size_t>(std::upper_bound(blocks.begins.begin(), blocks.begins.end(), offset) -
                                blocks.begins.begin()) -
            1;
  while (size > 0) {
    ARCH_TRY(auto bytes, block(blocks.blocks[at], cache));
    const uint64_t inside = offset - blocks.begins[at];
    const uint64_t take = std::min<uint64_t>(size, bytes->size() - inside);
    out->append(bytes->view().substr(inside, take));
    offset += take;
    size -= take;
    ++at;
  }
  return {};
}

void SegmentReader::State::sort_tables() const {
  std::call_once(sorted_once, [this] {
    const auto fill = [](const auto& entries, std::vector<uint32_t>* order) {
      order->resize(entries.size());
      for (uint32_t i = 0; i < order->size(); ++i) (*order)[i] = i;
      std::sort(order->begin(), order->end(),
                [&](uint32_t a, uint32_t b) { return entries[a].digest < entries[b].digest; });
    };
    fill(footer.messages, &messages_by_digest);
    fill(footer.blobs, &blobs_by_digest);
  });
}

namespace {

template <class Entries>
std::optional<uint32_t> find_digest(const Entries& entries, const std::vector<uint32_t>& order,
                                    const Digest& digest) {
  auto found = std::lower_bound(order.begin(), order.end(), digest,
                                [&](uint32_t index, const Digest& wanted) { return entries[index].digest < wanted; });
  if (found == order.end() || entries[*found].digest != digest) return std::nullopt;
  return *found;
}

}  // namespace

const SegmentReader::Info& SegmentReader::info() const { return state_->info; }
const std::string& SegmentReader::path() const { return state_->path; }
uint32_t SegmentReader::message_count() const { return static_cast<uint32_t>(state_->footer.messages.size()); }
uint32_t SegmentReader::delivery_count() const { return static_cast<uint32_t>(state_->footer.deliveries); }
uint32_t SegmentReader::blob_count() const { return static_cast<uint32_t>(state_->footer.blobs.size()); }
const Digest& SegmentReader::message_digest(uint32_t index) const { return state_->footer.messages[index].digest; }
uint64_t SegmentReader::message_size(uint32_t index) const { return state_->footer.messages[index].size; }
const Digest& SegmentReader::blob_digest(uint32_t index) const { return state_->footer.blobs[index].digest; }
uint64_t SegmentReader::blob_size(uint32_t index) const { return state_->footer.blobs[index].size; }

std::optional<uint32_t> SegmentReader::find_message(const Digest& digest) const {
  state_->sort_tables();
  return find_digest(state_->footer.messages, state_->messages_by_digest, digest);
}
std::optional<uint32_t> SegmentReader::find_blob(const Digest& digest) const {
  state_->sort_tables();
  return find_digest(state_->footer.blobs, state_->blobs_by_digest, digest);
}

namespace {

// Appends skeleton bytes; with `crlf` each LF becomes CR LF again.
void append_copy(std::string_view skeleton, bool crlf, std::string* out) {
  if (!crlf) {
    out->append(skeleton);
    return;
  }
  size_t at = 0;
  while (true) {
    const size_t newline = skeleton.find('\n', at);
    if (newline == std::string_view::npos) {
      out->append(skeleton.substr(at));
      return;
    }
    out->append(skeleton.substr(at, newline - at));
    out->append("\r\n");
    at = newline + 1;
  }
}

}  // namespace

Result<std::string> SegmentReader::read_message(uint32_t index, const ForeignBlob& foreign, BlockCache* cache) const {
  ARCH_CHECK(index < message_count());
  const MessageEntry& entry = state_->footer.messages[index];
  const auto damaged = [&](const std::string& why) {
    return state_->corrupt("message " + entry.digest.hex() + ": " + why);
  };
  std::string skeleton;
  skeleton.reserve(entry.skeleton_size);
  auto got = state_->read(Stream::kSkeleton, state_->skeleton_begins[index], entry.skeleton_size, cache, &skeleton);
  if (!got) {
    Error error = got.error();
    error.what += " (message " + entry.digest.hex() + ")";
    return tl::unexpected<Error>(std::move(error));
  }
  std::string message;
  message.reserve(entry.size);
  if (entry.steps.empty()) append_copy(skeleton, entry.crlf, &message);
  size_t used = 0;
  for (const Step& step : entry.steps) {
    switch (step.kind) {
      case Step::Kind::kCopy:
        append_copy(std::string_view(skeleton).substr(used, step.value), entry.crlf, &message);
        used += step.value;
        break;
      case Step::Kind::kEncode:
        if (segment_format::base64_size(step.value, step.form) > entry.size)
          return damaged("its recipe grows past its size");
        segment_format::append_base64(std::string_view(skeleton).substr(used, step.value), step.form, &message);
        used += step.value;
        break;
      case Step::Kind::kBlob:
      case Step::Kind::kBlobEncoded: {
        std::string bytes;
        if (step.value < state_->footer.blobs.size()) {
          // The message's digest, compared below, covers it.
          ARCH_TRY(bytes, state_->blob(static_cast<uint32_t>(step.value), cache));
        } else {
          const auto& other = state_->footer.foreign[step.value - state_->footer.blobs.size()];
          ARCH_TRY(bytes, foreign(other.digest, other.segment));
        }
        if (bytes.size() > entry.size || (step.kind == Step::Kind::kBlobEncoded &&
                                          segment_format::base64_size(bytes.size(), step.form) > entry.size))
          return damaged("its recipe grows past its size");
        if (step.kind == Step::Kind::kBlob)
          message += bytes;
        else
          segment_format::append_base64(bytes, step.form, &message);
        break;
      }
    }
    if (message.size() > entry.size) return damaged("its recipe grows past its size");
  }
  if (ARCH_WRONG("message digest when read",
                 message.size() != entry.size || Sha256::of(as_bytes(message)) != entry.digest))
    return damaged("the rebuilt bytes do not have its digest");
  return message;
}

Result<std::string> SegmentReader::read_blob(uint32_t index, BlockCache* cache) const {
  ARCH_CHECK(index < blob_count());
  ARCH_TRY(std::string bytes, state_->blob(index, cache));
  const Digest& digest = state_->footer.blobs[index].digest;
  if (Sha256::of(as_bytes(bytes)) != digest)
    return state_->corrupt("part " + digest.hex() + " does not have its digest");
  return bytes;
}

Result<bool> SegmentReader::Deliveries::next(DeliveryEntry* entry) {
  const State& state = *reader_->state_;
  const std::vector<uint32_t>& records = state.streams[static_cast<size_t>(Stream::kRecord)].blocks;
  while (!block_ || at_ == block_->size()) {
    if (next_block_ == records.size()) {
      block_.reset();
      if (seen_ == state.footer.deliveries) return false;
      return state.corrupt("it holds " + std::to_string(seen_) + " deliveries, its footer states " +
                           std::to_string(state.footer.deliveries));
    }
    ARCH_TRY(block_, state.block(records[next_block_], nullptr));
    ++next_block_;
    at_ = 0;
  }
  const std::string where = "block " + std::to_string(records[next_block_ - 1]);
  ByteReader in(block_->view().substr(at_));
  sequence_ += in.varint();
  entry->sequence = sequence_;
  const uint64_t message = in.varint();  // 0: its digest follows; else 1 + index
  Digest digest;
  if (message == 0)
    digest = in.digest();
  else if (message <= reader_->message_count())
    digest = state.footer.messages[message - 1].digest;
  std::string_view fields = in.sized();
  if (!in.ok() || message > reader_->message_count())
    return state.corrupt("the delivery records in " + where + " are malformed");
  auto delivery = decode_delivery(fields, digest);
  if (!delivery) return state.corrupt("a delivery record in " + where + ": " + delivery.error().what);
  entry->delivery = std::move(*delivery);
  at_ = block_->size() - in.rest().size();
  ++seen_;
  return true;
}

Result<void> SegmentReader::for_each_delivery(const std::function<bool(const DeliveryEntry&)>& each) const {
  Deliveries deliveries(*this);
  DeliveryEntry entry;
  while (true) {
    ARCH_TRY(bool found, deliveries.next(&entry));
    if (!found || !each(entry)) return {};
  }
}

Result<SegmentReader::Identity> SegmentReader::identify(Fs& fs, const std::string& path) {
  ARCH_TRY(auto file, fs.open_read(path));
  Identity identity;
  ARCH_TRY(identity.file_size, file->size());
  if (identity.file_size < segment_format::kHeaderSize + segment_format::kTrailerSize)
    return fail(Code::kCorrupt, path + ": it is too short to be a segment", "run: archctl verify");
  ARCH_TRY(std::string header_bytes, read_exact(*file, 0, segment_format::kHeaderSize));
  ARCH_TRY(auto header, segment_format::decode_header(header_bytes));
  ARCH_TRY(std::string trailer_bytes,
           read_exact(*file, identity.file_size - segment_format::kTrailerSize, segment_format::kTrailerSize));
  ARCH_TRY(auto trailer, segment_format::decode_trailer(trailer_bytes));
  identity.archive = header.archive;
  identity.number = header.number;
  identity.created = header.created;
  identity.footer_digest = trailer.footer_digest;
  return identity;
}

Result<std::vector<SegmentReader::Fault>> SegmentReader::verify(bool data, const ForeignBlob& foreign,
                                                                const std::function<bool(uint64_t)>& progress) const {
  std::vector<Fault> faults;
  const State& state = *state_;
  Sha256 content;
  uint64_t done = 0;
  std::vector<bool> bad(state.footer.blocks.size(), false);
  {
    ARCH_TRY(std::string header, read_exact(*state.file, 0, segment_format::kHeaderSize));
    content.update(as_bytes(header));
    done += header.size();
  }
  for (uint32_t i = 0; i < state.footer.blocks.size(); ++i) {
    const Block& block = state.footer.blocks[i];
    ARCH_TRY(Buffer stored, read_buffer(*state.file, block.offset, block.stored_size));
    content.update(as_bytes(stored.view()));
    done += stored.size();
    if (ARCH_WRONG("block checksum in verify", checksum64(as_bytes(stored.view())) != block.checksum)) {
      bad[i] = true;
      faults.push_back({block.offset, Digest{}, "block " + std::to_string(i) + " does not match its checksum"});
    }
    if (progress && !progress(done)) return fail(Code::kTryAgain, "verification was stopped");
  }
  const bool blocks_good = faults.empty();
  if (blocks_good && content.finish() != state.trailer.content_digest)
    faults.push_back({0, Digest{}, "the content does not have the digest that the trailer states"});

  auto delivered = for_each_delivery([](const DeliveryEntry&) { return true; });
  if (!delivered && delivered.error().code != Code::kCorrupt) return tl::unexpected<Error>(delivered.error());
  if (!delivered && blocks_good) faults.push_back({state.trailer.footer_offset, Digest{}, delivered.error().what});

  // What a damaged block takes with it, by name; with `data`, every message and part besides.
  const auto touches_bad = [&](Stream stream, uint64_t offset, uint64_t size) {
    const State::StreamBlocks& blocks = state.streams[static_cast<size_t>(stream)];
    for (size_t i = 0; i < blocks.blocks.size(); ++i)
      if (bad[blocks.blocks[i]] && blocks.begins[i] < offset + size &&
          offset < blocks.begins[i] + state.footer.blocks[blocks.blocks[i]].raw_size)
        return true;
    return false;
  };
  if (!data && blocks_good) return faults;
  BlockCache cache(64ull << 20);
  for (uint32_t i = 0; i < blob_count(); ++i) {
    const auto& blob = state.footer.blobs[i];
    const Stream stream = blob.large ? Stream::kLargePart : Stream::kSmallPart;
    if (!data && !touches_bad(stream, state.blob_begins[i], blob.size)) continue;
    auto bytes = read_blob(i, &cache);
    if (progress && !progress(done)) return fail(Code::kTryAgain, "verification was stopped");
    if (bytes) continue;
    if (bytes.error().code != Code::kCorrupt) return tl::unexpected<Error>(bytes.error());
    faults.push_back({0, blob.digest, bytes.error().what});
  }
  for (uint32_t i = 0; i < message_count(); ++i) {
    const MessageEntry& message = state.footer.messages[i];
    if (!data && !touches_bad(Stream::kSkeleton, state.skeleton_begins[i], message.skeleton_size)) continue;
    auto bytes = read_message(i, foreign, &cache);
    if (progress && !progress(done)) return fail(Code::kTryAgain, "verification was stopped");
    if (bytes) continue;
    if (bytes.error().code != Code::kCorrupt && bytes.error().code != Code::kNotFound)
      return tl::unexpected<Error>(bytes.error());
    faults.push_back({0, message.digest, bytes.error().what});
  }
  return faults;
}

SegmentReader::Sizes SegmentReader::sizes() const {
  Sizes sizes;
  for (const Block& block : state_->footer.blocks) {
    if (block.stream != Stream::kRecord) sizes.unpacked += block.raw_size;
    switch (block.stream) {
      case Stream::kSkeleton:
        sizes.skeleton_blocks += block.stored_size;
        break;
      case Stream::kSmallPart:
        sizes.small_part_blocks += block.stored_size;
        break;
      case Stream::kLargePart:
        sizes.large_part_blocks += block.stored_size;
        break;
      case Stream::kRecord:
        sizes.records += block.stored_size;
        break;
    }
  }
  sizes.footer = state_->info.file_size - sizes.skeleton_blocks - sizes.small_part_blocks - sizes.large_part_blocks -
                 sizes.records;
  return sizes;
}

}  // namespace arch
