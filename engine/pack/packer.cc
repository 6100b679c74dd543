#include "engine/pack/packer.h"

#include <zstd.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "engine/base/bytes.h"
#include "engine/base/mutant.h"
#include "engine/format/segment.h"
#include "engine/mime/message.h"
#include "engine/pack/cut.h"

namespace arch {

using pack::Piece;
using segment_format::Base64Form;
using segment_format::Block;
using segment_format::Codec;
using segment_format::Footer;
using segment_format::Step;
using segment_format::Stream;

namespace {

struct Compressed {
  Block block;
  std::string stored;
};

// Made once for many blocks: its memory and that of the frame cost a page fault each 4 KiB when they are new.
struct CompressionContext {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  std::unique_ptr<char[]> out;
  size_t room = 0;
  CompressionContext() { ARCH_CHECK(context != nullptr); }
  CompressionContext(const CompressionContext&) = delete;
  CompressionContext& operator=(const CompressionContext&) = delete;
  ~CompressionContext() { ZSTD_freeCCtx(context); }
};

std::string zstd_frame(std::string_view raw, int level, CompressionContext* compression) {
  ZSTD_CCtx_setParameter(compression->context, ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(compression->context, ZSTD_c_checksumFlag, 0);  // the block table has a checksum of its own
  ZSTD_CCtx_setParameter(compression->context, ZSTD_c_contentSizeFlag, 1);
  const size_t bound = ZSTD_compressBound(raw.size());
  if (compression->room < bound) {
    compression->out = std::make_unique_for_overwrite<char[]>(bound);
    compression->room = bound;
  }
  const size_t size = ZSTD_compress2(compression->context, compression->out.get(), bound, raw.data(), raw.size());
  ARCH_CHECK(!ZSTD_isError(size));  // the bound was asked for, the parameters are valid
  return {compression->out.get(), size};
}

// Most large attachments are compressed already. This level says so in a fifth of the time, and of those it gives up the full level would
// hardly make anything: 0.01 % of the bytes of real mail, where level 1 in its place cost 0.3 %.
constexpr int kProbeLevel = 4;
constexpr size_t kHardlyAnything = 4096;  // of which one part is not worth the full level

Compressed compress_block(Stream stream, std::string raw, int level, CompressionContext* compression) {
  Compressed out;
  out.block.stream = stream;
  out.block.raw_size = raw.size();
  const int first = stream == Stream::kLargePart ? std::min(kProbeLevel, level) : level;
  std::string frame = zstd_frame(raw, first, compression);
  int last = first;
  if (first < level && frame.size() < raw.size() - raw.size() / kHardlyAnything) {
    frame = zstd_frame(raw, level, compression);
    last = level;
  }
  if (frame.size() < raw.size()) {
    out.block.codec = Codec::kZstd;
    out.block.level = static_cast<uint8_t>(last);
    out.stored = std::move(frame);
  }
  if (out.block.codec == Codec::kStored) out.stored = std::move(raw);
  out.block.stored_size = out.stored.size();
  out.block.checksum = checksum64(as_bytes(out.stored));
  return out;
}

// Writes blocks in the order they were given, compressing several at a time.
class BlockWriter {
 public:
  BlockWriter(File& file, uint64_t offset, int level, int threads)
      : file_(file), offset_(offset), level_(level), contexts_(static_cast<size_t>(threads)) {
    for (auto& context : contexts_) context = std::make_unique<CompressionContext>();
  }

  Result<void> add(Stream stream, std::string raw) {
    if (raw.empty()) return {};
    while (under_way_.size() >= contexts_.size()) ARCH_TRY_VOID(write_one());
    CompressionContext* context = contexts_[next_++ % contexts_.size()].get();  // that of the block just written
    under_way_.push_back(std::async(std::launch::async, compress_block, stream, std::move(raw), level_, context));
    return {};
  }
  Result<void> finish() {
    while (!under_way_.empty()) ARCH_TRY_VOID(write_one());
    return {};
  }
  Result<void> write(std::string_view bytes) {
    hash_.update(as_bytes(bytes));
    ARCH_TRY_VOID(file_.pwritev(offset_, {{const_cast<char*>(bytes.data()), bytes.size()}}));
    offset_ += bytes.size();
    return {};
  }
  uint64_t offset() const { return offset_; }
  Digest digest() { return hash_.finish(); }
  std::vector<Block> take_blocks() { return std::move(blocks_); }

 private:
  Result<void> write_one() {
    Compressed block = under_way_.front().get();
    under_way_.pop_front();
    block.block.offset = offset_;
    ARCH_TRY_VOID(write(block.stored));
    blocks_.push_back(block.block);
    return {};
  }

  File& file_;
  uint64_t offset_;
  const int level_;
  std::vector<std::unique_ptr<CompressionContext>> contexts_;  // in turn; one is at rest when a block is added
  size_t next_ = 0;
  Sha256 hash_;
  std::deque<std::future<Compressed>> under_way_;
  std::vector<Block> blocks_;
};

// A stream of small things: blocks end at a thing's end once they are full.
class SolidStream {
 public:
  SolidStream(BlockWriter& writer, Stream stream, const PackOptions& options)
      : writer_(writer), stream_(stream), block_bytes_(options.block_bytes), cut_bytes_(options.cut_bytes) {}
  Result<void> add(std::string_view bytes) {
    if (!buffer_.empty() && buffer_.size() + bytes.size() > block_bytes_ + block_bytes_ / 4) ARCH_TRY_VOID(flush());
    while (buffer_.size() + bytes.size() > cut_bytes_) {  // one thing larger than a reader shall decode at once
      const size_t take = cut_bytes_ - buffer_.size();
      buffer_.append(bytes.substr(0, take));
      bytes.remove_prefix(take);
      ARCH_TRY_VOID(flush());
    }
    if (buffer_.empty()) buffer_.reserve(block_bytes_ + block_bytes_ / 4);
    buffer_.append(bytes);
    return buffer_.size() >= block_bytes_ ? flush() : Result<void>{};
  }
  Result<void> flush() { return writer_.add(stream_, std::exchange(buffer_, {})); }

 private:
  BlockWriter& writer_;
  const Stream stream_;
  const size_t block_bytes_, cut_bytes_;
  std::string buffer_;
};

struct PlannedMessage {
  size_t item = 0;
  uint64_t thread = 0;
  pack::House house;
  UnixNs date = 0;
  std::vector<Piece> pieces;
};

struct PlannedBlob {
  uint64_t size = 0;
  bool large = false;
  bool written = false;
  size_t message = 0, piece = 0;  // who brings it: in stored order
  uint32_t index = 0;             // among own blobs
};

struct Plan {
  std::vector<PlannedMessage> messages;  // in stored order
  std::vector<uint64_t> deliveries;      // by item: checksum of its delivery
  std::vector<bool> left_out;            // by item: it cannot be read
  std::vector<PackResult::Unreadable> unreadable;
  std::unordered_map<Digest, PlannedBlob, DigestHash> own;
  std::unordered_map<Digest, uint32_t, DigestHash> foreign;  // -> index among the foreign
  std::vector<segment_format::ForeignEntry> foreign_entries;
  uint64_t shared_blobs = 0;
};

tl::unexpected<Error> changed(const PackItem& item) {
  return fail(Code::kCorrupt, "message " + item.digest.hex() + " does not have its digest any more",
              "run: archctl verify; nothing was packed, the journal files stay");
}

// The digest is compared where the plan is made and when the segment is read back, not at each reading between.
Result<Delivery> read_message(PackSource& source, const PackItem& item, size_t index, std::string* message) {
  ARCH_TRY(Delivery delivery, source.read(index, message));
  if (message->size() != item.message_size) return changed(item);
  return delivery;
}

// each(begin, end) for runs of neighbours that make up [0, count), several at a time. Gives the error of the first run that has one; no
// other run begins behind an error.
Result<void> in_runs(size_t count, size_t run, int threads, const std::function<Result<void>(size_t, size_t)>& each) {
  std::atomic<size_t> next{0};
  std::atomic<bool> failed{false};
  const auto work = [&]() -> std::optional<std::pair<size_t, Error>> {
    while (!failed) {
      const size_t begin = next.fetch_add(run);
      if (begin >= count) break;
      const auto done = each(begin, std::min(begin + run, count));
      if (done) continue;
      failed = true;
      return std::make_pair(begin, done.error());
    }
    return std::nullopt;
  };
  std::vector<std::future<std::optional<std::pair<size_t, Error>>>>
      others;  // each waits for its thread, whatever is thrown here
  for (int thread = 1; thread < threads; ++thread) others.push_back(std::async(std::launch::async, work));
  auto first = work();
  for (auto& other : others) {
    auto error = other.get();
    if (error && (!first || error->first < first->first)) first = std::move(error);
  }
  return first ? Result<void>(tl::unexpected<Error>(std::move(first->second))) : Result<void>();
}

constexpr size_t kRun = 64;  // messages that one thread takes at a time

// The message of an item that stores it; `*checksum` of its delivery either way.
Result<std::optional<PlannedMessage>> plan_item(const PackItem& item, size_t index, bool store, PackSource& source,
                                                const PackOptions& options, std::string* bytes, uint64_t* checksum) {
  const auto readable = [&]() -> Result<Delivery> {
    if (!store) return source.read(index, nullptr);
    ARCH_TRY(Delivery delivery, read_message(source, item, index, bytes));
    if (ARCH_WRONG("message digest before packing", Sha256::of(as_bytes(*bytes)) != item.digest))
      return changed(item);
    return delivery;
  };
  ARCH_TRY(const Delivery delivery, readable());
  *checksum = checksum64(as_bytes(encode_delivery(delivery)));
  if (!store) return std::optional<PlannedMessage>();
  const mime::Message parsed = mime::parse(*bytes);
  PlannedMessage planned;
  planned.item = index;
  planned.thread = pack::thread_key(parsed);
  planned.house = pack::house_of(parsed);
  planned.date = parsed.has_date ? parsed.date : parsed.received;
  planned.pieces = pack::find_pieces(*bytes, parsed, options);
  return std::optional<PlannedMessage>(std::move(planned));
}

Result<void> plan_items(const std::vector<PackItem>& items, PackSource& source, const PackOptions& options,
                        Plan* plan) {
  plan->left_out.resize(items.size(), false);
  plan->deliveries.resize(items.size());
  std::vector<bool> stores(items.size(), false);
  std::unordered_set<Digest, DigestHash> seen;
  for (size_t i = 0; i < items.size(); ++i) stores[i] = items[i].store_message && seen.insert(items[i].digest).second;

  std::vector<std::optional<PlannedMessage>> planned(items.size());
  std::vector<std::optional<Error>> errors(items.size());
  const auto look = [&](size_t i, std::string* bytes) -> Result<void> {
    auto message = plan_item(items[i], i, stores[i], source, options, bytes, &plan->deliveries[i]);
    if (message)
      planned[i] = std::move(*message);
    else if (message.error().code == Code::kCorrupt || message.error().code == Code::kIo)
      errors[i] = message.error();
    else
      return tl::unexpected<Error>(message.error());
    return {};
  };
  const auto some = [&](size_t begin, size_t end) -> Result<void> {
    std::string bytes;
    for (size_t i = begin; i < end; ++i) ARCH_TRY_VOID(look(i, &bytes));
    return {};
  };
  ARCH_TRY_VOID(in_runs(items.size(), kRun, options.threads, some));
  // Where the item that should store a message cannot be read, the next one that has it does.
  std::string bytes;
  for (size_t i = 0; i < items.size(); ++i) {
    if (errors[i] && stores[i]) seen.erase(items[i].digest);
    if (errors[i] || stores[i] || !items[i].store_message || !seen.insert(items[i].digest).second) continue;
    stores[i] = true;
    ARCH_TRY_VOID(look(i, &bytes));
    if (errors[i]) seen.erase(items[i].digest);
  }
  for (size_t i = 0; i < items.size(); ++i) {
    plan->left_out[i] = errors[i].has_value();
    if (errors[i]) plan->unreadable.push_back({i, std::move(*errors[i])});
    if (planned[i]) plan->messages.push_back(std::move(*planned[i]));
  }
  return {};
}

Result<Plan> make_plan(const std::vector<PackItem>& items, PackSource& source, const PackOptions& options) {
  Plan plan;
  ARCH_TRY_VOID(plan_items(items, source, options, &plan));
  // Threads by the house that began them, then by their first mail; mails of a thread next to each other, by date.
  using Place = std::tuple<UnixNs, size_t>;
  struct Begin {
    Place place;
    pack::House house;
  };
  std::unordered_map<uint64_t, Begin> begins;
  for (const PlannedMessage& message : plan.messages) {
    const Begin mine{{message.date, message.item}, message.house};
    auto [entry, fresh] = begins.emplace(message.thread, mine);
    if (!fresh && mine.place < entry->second.place) entry->second = mine;
  }
  std::sort(plan.messages.begin(), plan.messages.end(), [&](const PlannedMessage& a, const PlannedMessage& b) {
    if (a.thread != b.thread) {
      const Begin &first = begins.at(a.thread), &second = begins.at(b.thread);
      return std::tie(first.house, first.place) < std::tie(second.house, second.place);
    }
    return std::tie(a.date, a.item) < std::tie(b.date, b.item);
  });
  for (size_t m = 0; m < plan.messages.size(); ++m) {
    for (size_t p = 0; p < plan.messages[m].pieces.size(); ++p) {
      const Piece& piece = plan.messages[m].pieces[p];
      if (piece.inlined) continue;
      if (plan.own.count(piece.digest) != 0 || plan.foreign.count(piece.digest) != 0) {
        ++plan.shared_blobs;
        continue;
      }
      ARCH_TRY(auto published, source.find_blob(piece.digest));
      if (published) {
        ++plan.shared_blobs;
        plan.foreign.emplace(piece.digest, static_cast<uint32_t>(plan.foreign_entries.size()));
        plan.foreign_entries.push_back({piece.digest, published->segment});
        continue;
      }
      PlannedBlob blob;
      blob.size = piece.stored_size;
      blob.large = piece.stored_size >= options.own_frame_bytes;
      blob.message = m;
      blob.piece = p;
      plan.own.emplace(piece.digest, blob);
    }
  }
  return plan;
}

}  // namespace

Result<PackResult> pack_segment(Fs& fs, const ArchiveId& archive, uint32_t number, const Digest& previous, UnixNs now,
                                const std::string& tmp_directory, const std::string& segments_directory,
                                const std::vector<PackItem>& items, const std::vector<JournalFileId>& journal_files,
                                PackSource& source, const PackOptions& options) {
  PackResult result;
  ARCH_TRY(Plan plan, make_plan(items, source, options));
  result.unreadable = std::move(plan.unreadable);
  const size_t packed_items = items.size() - result.unreadable.size();
  if (packed_items == 0 && !items.empty()) return result;

  // Own blobs in stored order: small ones grouped by kind, then large ones in the order of the messages.
  std::vector<std::pair<Digest, PlannedBlob*>> small, large;
  for (auto& [digest, blob] : plan.own) (blob.large ? large : small).emplace_back(digest, &blob);
  const auto piece_of = [&](const PlannedBlob& blob) -> const Piece& {
    return plan.messages[blob.message].pieces[blob.piece];
  };
  std::sort(small.begin(), small.end(), [&](const auto& a, const auto& b) {
    const int order = piece_of(*a.second).kind.compare(piece_of(*b.second).kind);
    if (order != 0) return order < 0;
    return std::make_pair(a.second->message, a.second->piece) < std::make_pair(b.second->message, b.second->piece);
  });
  std::sort(large.begin(), large.end(), [](const auto& a, const auto& b) {
    return std::make_pair(a.second->message, a.second->piece) < std::make_pair(b.second->message, b.second->piece);
  });

  Footer footer;
  footer.previous_footer_digest = previous;
  footer.journal_files = journal_files;
  footer.foreign = plan.foreign_entries;
  for (auto& [digest, blob] : small) {
    blob->index = static_cast<uint32_t>(footer.blobs.size());
    footer.blobs.push_back({digest, blob->size, false});
  }
  for (auto& [digest, blob] : large) {
    blob->index = static_cast<uint32_t>(footer.blobs.size());
    footer.blobs.push_back({digest, blob->size, true});
  }

  const std::string tmp_path = tmp_directory + "/" + segment_file_name(number);
  const std::string path = segments_directory + "/" + segment_file_name(number);
  ARCH_TRY(bool published_before, fs.exists(path));
  if (published_before) return fail(Code::kExists, path + " exists already");
  // What an earlier attempt left behind was never published.
  ARCH_TRY(bool left_over, fs.exists(tmp_path));
  if (left_over) ARCH_TRY_VOID(fs.remove(tmp_path));

  const auto born = [&]() -> Result<void> {
    ARCH_TRY(auto file, fs.create(tmp_path));
    BlockWriter writer(*file, 0, options.level, options.threads);
    ARCH_TRY_VOID(writer.write(segment_format::encode_header({archive, number, now})));

    // Skeletons thread by thread, and the large parts as they come by.
    SolidStream skeletons(writer, Stream::kSkeleton, options);
    std::unordered_map<Digest, uint64_t, DigestHash> message_index;
    std::string message;
    for (size_t m = 0; m < plan.messages.size(); ++m) {
      const PlannedMessage& planned = plan.messages[m];
      const PackItem& item = items[planned.item];
      ARCH_TRY_VOID(read_message(source, item, planned.item, &message));
      segment_format::MessageEntry entry;
      entry.digest = item.digest;
      entry.size = message.size();
      const auto skeleton = pack::make_skeleton(message, planned.pieces, &entry.crlf, &entry.steps);
      if (!skeleton) return changed(item);
      entry.skeleton_size = skeleton->size();
      size_t step = 0;
      for (size_t p = 0; p < planned.pieces.size(); ++p) {
        const Piece& piece = planned.pieces[p];
        if (piece.inlined) continue;
        while (entry.steps[step].kind == Step::Kind::kCopy || entry.steps[step].kind == Step::Kind::kEncode) ++step;
        auto own = plan.own.find(piece.digest);
        entry.steps[step++].value =
            own != plan.own.end() ? own->second.index : footer.blobs.size() + plan.foreign.at(piece.digest);
        if (own == plan.own.end() || own->second.message != m || own->second.piece != p || !own->second.large)
          continue;
        const auto content = pack::stored_form(message, piece);
        if (!content) return changed(item);
        for (size_t at = 0; at < content->size(); at += options.cut_bytes)
          ARCH_TRY_VOID(writer.add(Stream::kLargePart, content->substr(at, options.cut_bytes)));
      }
      ARCH_TRY_VOID(skeletons.add(*skeleton));
      message_index.emplace(item.digest, footer.messages.size());
      result.raw_bytes += message.size();
      if (entry.steps.empty()) ++result.stored_whole;
      footer.messages.push_back(std::move(entry));
    }
    ARCH_TRY_VOID(skeletons.flush());

    SolidStream parts(writer, Stream::kSmallPart, options);
    for (const auto& [digest, blob] : small) {
      const PlannedMessage& planned = plan.messages[blob->message];
      ARCH_TRY_VOID(read_message(source, items[planned.item], planned.item, &message));
      const auto content = pack::stored_form(message, planned.pieces[blob->piece]);
      if (!content) return changed(items[planned.item]);
      ARCH_TRY_VOID(parts.add(*content));
    }
    ARCH_TRY_VOID(parts.flush());

    SolidStream records(writer, Stream::kRecord, options);
    uint64_t last_sequence = 0;
    for (size_t i = 0; i < items.size(); ++i) {
      if (plan.left_out[i]) continue;
      ARCH_TRY(Delivery delivery, source.read_delivery(i));
      const std::string fields = encode_delivery(delivery);
      if (ARCH_WRONG("deliveries stay as they were read first", checksum64(as_bytes(fields)) != plan.deliveries[i]))
        return fail(Code::kCorrupt,
                    "the delivery of message " + items[i].digest.hex() + " changed while it was packed",
                    "run: archctl verify; nothing was packed, the journal files stay");
      ByteWriter record;
      record.varint(items[i].sequence - last_sequence);
      last_sequence = items[i].sequence;
      auto own = message_index.find(items[i].digest);
      record.varint(own == message_index.end() ? 0 : own->second + 1);
      if (own == message_index.end()) record.digest(items[i].digest);
      record.sized(fields);
      ARCH_TRY_VOID(records.add(record.view()));
    }
    ARCH_TRY_VOID(records.flush());
    ARCH_TRY_VOID(writer.finish());

    footer.deliveries = packed_items;
    if (!items.empty()) {
      const auto begin = plan.left_out.begin(), end = plan.left_out.end();
      footer.first_sequence = items[static_cast<size_t>(std::find(begin, end, false) - begin)].sequence;
      footer.last_sequence = last_sequence;
    }
    footer.blocks = writer.take_blocks();
    std::string digests, meta;
    segment_format::encode_footer(footer, &digests, &meta);
    segment_format::Trailer trailer;
    trailer.footer_offset = writer.offset();
    trailer.content_digest = writer.digest();
    trailer.digests_size = digests.size();
    trailer.meta_raw = meta.size();
    // From here on the reader has these tables, and those of a segment full of small mails are tens of megabytes.
    result.messages = footer.messages.size();
    result.blobs = footer.blobs.size();
    footer = Footer();
    small = large = {};
    plan.own = {};
    plan.messages = {};
    message_index = {};
    CompressionContext compression;
    std::string bytes = digests + zstd_frame(meta, options.level, &compression);
    trailer.meta_stored = bytes.size() - digests.size();
    trailer.footer_digest = Sha256::of(as_bytes(bytes));
    bytes += segment_format::encode_trailer(trailer);
    ARCH_TRY_VOID(file->pwritev(trailer.footer_offset, {{bytes.data(), bytes.size()}}));
    ARCH_TRY_VOID(ARCH_STEP("segment read-only", file->set_mode(0444)));
    ARCH_TRY_VOID(ARCH_STEP("segment sync", file->fdatasync()));

    // Read back through the reader that will serve it: what does not come back byte for byte is not published.
    ARCH_TRY(auto reader, SegmentReader::open(fs, tmp_path));
    BlockCache cache(32ull << 20);
    const auto foreign = [&](const Digest& digest, uint32_t segment) { return source.read_blob(digest, segment); };
    if (reader->message_count() != result.messages) return fail(Code::kCorrupt, tmp_path + " lost messages");
    const auto read_back = [&](size_t begin, size_t end) -> Result<void> {
      for (size_t i = begin; i < end; ++i) {
        auto rebuilt = reader->read_message(static_cast<uint32_t>(i), foreign, &cache);
        if (ARCH_WRONG("messages read back before publishing", !rebuilt))
          return tl::unexpected<Error>(rebuilt.error());
      }
      return {};
    };
    // Long runs: each thread in blocks of its own, most of the time.
    const size_t run = std::max<size_t>(kRun, reader->message_count() / (4 * static_cast<size_t>(options.threads)));
    ARCH_TRY_VOID(in_runs(reader->message_count(), run, options.threads, read_back));
    uint64_t deliveries = 0;
    size_t item = 0;
    ARCH_TRY_VOID(reader->for_each_delivery([&](const SegmentReader::DeliveryEntry& entry) {
      while (item < items.size() && plan.left_out[item]) ++item;
      const bool same = item < items.size() && entry.sequence == items[item].sequence &&
                        entry.delivery.digest == items[item].digest;
      if (same) ++deliveries, ++item;
      return same;
    }));
    if (deliveries != packed_items) return fail(Code::kCorrupt, tmp_path + " lost deliveries");

    ARCH_TRY_VOID(fs.rename_new(tmp_path, path));
    ARCH_TRY_VOID(ARCH_STEP("segments directory sync", fs.sync_directory(segments_directory)));
    return fs.sync_directory(tmp_directory);
  }();
  if (!born) {
    // Nothing was published: the unfinished file is of no use to anyone, and may stand in the way of a full disk.
    ARCH_TRY(bool there, fs.exists(tmp_path));
    if (there) ARCH_TRY_VOID(fs.remove(tmp_path));
    return tl::unexpected<Error>(born.error());
  }
  ARCH_TRY(result.segment, SegmentReader::open(fs, path));
  result.path = path;
  result.deliveries = packed_items;
  result.shared_blobs = plan.shared_blobs;
  return result;
}

}  // namespace arch
