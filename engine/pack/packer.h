// Makes one immutable segment out of deliveries that lie in closed journal files.
//
// Messages are cut at MIME part boundaries by byte offsets (engine/mime finds them); a base64 part whose re-encoding
// reproduces its bytes is stored decoded; each part once in the archive. What does not rebuild to the same SHA-256 is
// stored whole. Skeletons lie thread by thread in solid zstd blocks of about 2 MiB, threads that one house began next to
// each other; small parts likewise by kind; a part over 64 KiB has frames of its own. Layout: docs/segment-format.md.
//
// Order     Written to `tmp/`, fdatasynced, opened and every message read back and its SHA-256 compared (through the same
//           SegmentReader that will serve it), mode 0444, renamed into place, both directories synced. Only then does the
//           call return. A crash before leaves a file in tmp/ to be thrown away; there is no half-written segment.
// Memory    Bounded by a few blocks and the tables, whatever the size of the journal; one message at a time and thread.
// Threads   One call at a time an archive. `options.threads` look at messages, compress blocks, and read back.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/segment/segment_reader.h"

namespace arch {

struct PackOptions {
  int level = 9;                    ///< zstd, 1..19
  uint32_t block_bytes = 2u << 20;  ///< solid blocks; recorded per block, so a later release may choose otherwise
  uint32_t own_frame_bytes = 64u << 10;  ///< a part at least this large has frames of its own
  uint32_t cut_bytes = 16u << 20;        ///< largest frame
  uint32_t inline_part_bytes =
      2u << 10;  ///< a smaller decoded part stays in the skeleton stream; text does up to own_frame_bytes
  int threads = 2;  ///< at least 1
};

struct PackItem {
  uint64_t sequence = 0;
  Digest digest;
  uint64_t message_size = 0;
  bool store_message = true;  ///< false: a published segment holds the message already; only the delivery is recorded
};

/// Called from several threads at once.
class PackSource {
 public:
  virtual ~PackSource() = default;
  /// The delivery and, when `message` is not null, the bytes of items[i], in whose room they are written. That the record is whole
  /// is compared here, the message's SHA-256 by the caller.
  virtual Result<Delivery> read(size_t i, std::string* message) = 0;
  /// The delivery again, of an item that read() has given.
  virtual Result<Delivery> read_delivery(size_t i) = 0;
  /// Where a *published* segment holds this blob, if one does (promise 9).
  virtual Result<std::optional<BlobPlace>> find_blob(const Digest& digest) = 0;
  /// Its bytes, for the read-back.
  virtual Result<std::string> read_blob(const Digest& digest, uint32_t segment) = 0;
};

struct PackResult {
  std::string path;
  std::shared_ptr<SegmentReader> segment;  ///< opened from the published file; null when no item could be read
  struct Unreadable {
    size_t item = 0;
    Error error;
  };
  std::vector<Unreadable> unreadable;  ///< left out: their journal files have to stay
  uint64_t messages = 0, deliveries = 0, raw_bytes = 0, stored_whole = 0, blobs = 0, shared_blobs = 0;
};

/// An item that its source cannot read (kCorrupt, kIo) costs only itself: it is left out and named in the result.
/// `items` in rising sequence; of several items with one digest and store_message the first stores, the others refer.
/// `journal_files` are the files the items lie in; the footer keeps them.
/// `number` is the new segment's; `previous` the footer digest of the one before (zero for the first).
/// Errors: kFull (nothing left behind), kIo, kCorrupt (a message did not read back, or changed meanwhile: nothing is
/// published), kExists.
Result<PackResult> pack_segment(Fs& fs, const ArchiveId& archive, uint32_t number, const Digest& previous, UnixNs now,
                                const std::string& tmp_directory, const std::string& segments_directory,
                                const std::vector<PackItem>& items, const std::vector<JournalFileId>& journal_files,
                                PackSource& source, const PackOptions& options);

}  // namespace arch
