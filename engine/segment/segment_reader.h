// Reads a published segment: an immutable file born whole (docs/segment-format.md, version 1).
//
// Threads   All const members may be called from any thread at once. BlockCache is thread-safe.
// Memory    open() reads trailer and footer (about 60 bytes a message and 48 a blob); reading one message decodes the one
//           block its skeleton lies in and the blocks of its parts, through the cache when one is given.
// Errors    kCorrupt names segment, block and blob or message; everything not touched by the damage stays readable.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/buffer.h"
#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/format/delivery.h"
#include "engine/format/journal.h"
#include "engine/io/fs.h"

namespace arch {

/// "00000001.seg"; 0 when the name is not one of a segment.
std::string segment_file_name(uint32_t number);
uint32_t segment_file_number(const std::string& name);

/// Least recently used decoded blocks, bounded by bytes.
class BlockCache {
 public:
  explicit BlockCache(uint64_t capacity_bytes);
  ~BlockCache();
  std::shared_ptr<const Buffer> get(uint32_t segment, uint32_t block);
  void put(uint32_t segment, uint32_t block, std::shared_ptr<const Buffer> bytes);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Where a blob lies: the value of the catalog's `blob` rows.
struct BlobPlace {
  uint32_t segment = 0;
  uint32_t index = 0;  ///< into that segment's table of own blobs
  uint64_t size = 0;   ///< bytes of the stored (decoded) form
};

class SegmentReader {
 public:
  struct Info {
    uint32_t number = 0;
    ArchiveId archive;
    UnixNs created = 0;
    Digest footer_digest;           ///< names this segment; the next one states it as its predecessor
    Digest previous_footer_digest;  ///< zero for the first
    uint64_t file_size = 0;
    uint64_t raw_bytes = 0;                          ///< sum of the sizes of the messages stored here
    uint64_t first_sequence = 0, last_sequence = 0;  ///< of the deliveries; 0,0 when none
    std::vector<JournalFileId> journal_files;        ///< it was born from these: a crash may leave them beside it
  };

  /// Errors: kNotFound, kIo, kInvalid (no segment), kTooNew, kCorrupt (trailer or footer).
  static Result<std::shared_ptr<SegmentReader>> open(Fs& fs, const std::string& path);
  ~SegmentReader();

  const Info& info() const;
  const std::string& path() const;

  uint32_t message_count() const;
  uint32_t delivery_count() const;
  uint32_t blob_count() const;

  /// Messages are numbered 0.. in stored order (neighbours share blocks: reading in this order decodes each block once).
  const Digest& message_digest(uint32_t index) const;
  uint64_t message_size(uint32_t index) const;
  std::optional<uint32_t> find_message(const Digest& digest) const;

  /// Gives the bytes of a blob that lies in another segment; called with its digest and the number of the segment that
  /// the footer names for it.
  using ForeignBlob = std::function<Result<std::string>(const Digest& digest, uint32_t segment)>;

  /// Rebuilds a message; its SHA-256 is always compared. Errors: kCorrupt, kIo, and what `foreign` gives.
  Result<std::string> read_message(uint32_t index, const ForeignBlob& foreign, BlockCache* cache) const;

  const Digest& blob_digest(uint32_t index) const;
  uint64_t blob_size(uint32_t index) const;
  std::optional<uint32_t> find_blob(const Digest& digest) const;
  /// SHA-256 compared. Errors: kCorrupt, kIo.
  Result<std::string> read_blob(uint32_t index, BlockCache* cache) const;

  struct DeliveryEntry {
    uint64_t sequence = 0;
    Delivery delivery;  ///< digest filled in; its message may lie in an earlier segment
  };
  /// In rising sequence. Stops early when `each` returns false. Errors: kCorrupt, kIo.
  Result<void> for_each_delivery(const std::function<bool(const DeliveryEntry&)>& each) const;

  /// The same for one who walks over several segments at once: one decoded block in memory. Borrows the reader.
  class Deliveries {
   public:
    explicit Deliveries(const SegmentReader& reader) : reader_(&reader) {}
    /// false: no more. Errors: kCorrupt, kIo; what follows a damaged block has no numbers any more and is not given.
    Result<bool> next(DeliveryEntry* entry);

   private:
    const SegmentReader* reader_;
    std::shared_ptr<const Buffer> block_;  ///< a record never crosses a block
    size_t next_block_ = 0, at_ = 0;
    uint64_t sequence_ = 0, seen_ = 0;
  };

  /// What tells one segment from another, without the tables: header and trailer alone. Errors as open().
  struct Identity {
    ArchiveId archive;
    uint32_t number = 0;
    UnixNs created = 0;
    Digest footer_digest;
    uint64_t file_size = 0;
  };
  static Result<Identity> identify(Fs& fs, const std::string& path);

  struct Fault {
    uint64_t offset = 0;  ///< in the file
    Digest digest;        ///< of the blob or message concerned; zero when it is the structure itself
    std::string what;
  };
  /// Header, every block's checksum, footer. With `data` also every blob's and message's SHA-256. `progress` gets bytes
  /// read so far and may return false to stop (then kTryAgain).
  Result<std::vector<Fault>> verify(bool data, const ForeignBlob& foreign,
                                    const std::function<bool(uint64_t)>& progress) const;

  struct Sizes {  ///< of the file, adding up to file_size
    uint64_t skeleton_blocks = 0, small_part_blocks = 0, large_part_blocks = 0, records = 0, footer = 0;
    uint64_t unpacked =
        0;  ///< not of the file: of the messages' parts, each once, decoded, before they were compressed
  };
  Sizes sizes() const;

 private:
  SegmentReader();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace arch
