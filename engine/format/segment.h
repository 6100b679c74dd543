// The segment file, version 1: constants and pure encoding. Layout and reasons: docs/segment-format.md.
//
//   segment := header block* footer trailer           footer := digests meta
//
// Blocks belong to streams (skeletons, small parts, large parts, records); a stream is the concatenation of its blocks'
// contents in file order. Tables hold sizes only: places are running sums, so that what can be derived costs no bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/base/result.h"
#include "engine/format/journal.h"

namespace arch::segment_format {

constexpr std::string_view kMagic = "ARCHSEG\n";         // 8 bytes
constexpr std::string_view kTrailerMagic = "ARCHEND\n";  // 8 bytes
constexpr uint32_t kVersion = 1;
constexpr size_t kHeaderSize =
    64;  // magic 8, version 4, flags 4, archive 16, number 4, reserved 12, created 8, checksum 8
constexpr size_t kTrailerSize =
    120;  // magic 8, version 4, flags 4, footer offset 8, digests 8, meta stored 8, meta raw 8,
          // footer digest 32, content digest 32, checksum 8
constexpr uint64_t kMaxBlockRaw = 64ull << 20;  // no block's content is larger
constexpr uint64_t kMaxFooterRaw = 1ull << 30;
constexpr uint64_t kMaxMessages = 16ull << 20;  // of one segment
constexpr uint64_t kMaxSteps = 20'000;          // of one recipe

enum class Stream : uint8_t { kSkeleton = 1, kSmallPart = 2, kLargePart = 3, kRecord = 4 };  // values are on disk
enum class Codec : uint8_t { kStored = 0, kZstd = 1 };                                       // values are on disk

struct Header {
  ArchiveId archive;
  uint32_t number = 0;
  UnixNs created = 0;
};
std::string encode_header(const Header& header);
/// Errors: kInvalid (no segment), kTooNew, kCorrupt.
Result<Header> decode_header(std::string_view bytes);

struct Trailer {
  uint64_t footer_offset = 0;
  uint64_t digests_size = 0;
  uint64_t meta_stored = 0, meta_raw = 0;
  Digest footer_digest;   ///< SHA-256 of digests and meta as they lie in the file
  Digest content_digest;  ///< SHA-256 of everything before the footer
};
std::string encode_trailer(const Trailer& trailer);
Result<Trailer> decode_trailer(std::string_view bytes);

struct Block {
  Stream stream = Stream::kSkeleton;
  Codec codec = Codec::kStored;
  uint8_t level = 0;  ///< zstd level it was made with, for the curious
  uint64_t stored_size = 0;
  uint64_t raw_size = 0;
  uint64_t checksum = 0;  ///< XXH3-64 of the stored bytes
  uint64_t offset = 0;    ///< in the file; derived: blocks follow each other from kHeaderSize on
};

/// How a base64 body was written: what makes re-encoding exact.
struct Base64Form {
  uint32_t line_length = 0;  ///< characters before each line end; 0: one line without end
  bool crlf = false;
  bool final_line_end = false;
  bool operator==(const Base64Form&) const = default;
};

struct Step {
  enum class Kind : uint8_t { kCopy = 0, kEncode = 1, kBlob = 2, kBlobEncoded = 3 };  // values are on disk
  Kind kind = Kind::kCopy;
  uint64_t value = 0;  ///< kCopy, kEncode: bytes of skeleton; kBlob…: index, own blobs first, then foreign ones
  Base64Form form;     ///< kEncode, kBlobEncoded
  bool operator==(const Step&) const = default;
};

struct MessageEntry {
  Digest digest;
  uint64_t size = 0;
  uint64_t skeleton_size = 0;
  bool crlf = false;        ///< copied skeleton bytes get a CR before each LF
  std::vector<Step> steps;  ///< empty: the skeleton as a whole
};
struct BlobEntry {
  Digest digest;
  uint64_t size = 0;   ///< of the stored form
  bool large = false;  ///< in the large-part stream, at a block's start; small ones come first
};
struct ForeignEntry {
  Digest digest;
  uint32_t segment = 0;
};

struct Footer {
  Digest previous_footer_digest;
  uint64_t first_sequence = 0, last_sequence = 0;
  uint64_t deliveries = 0;
  std::vector<JournalFileId> journal_files;
  std::vector<Block> blocks;
  std::vector<MessageEntry> messages;  ///< in stored order
  std::vector<BlobEntry> blobs;        ///< in stored order, small then large
  std::vector<ForeignEntry> foreign;
};
/// `digests` and `meta` (uncompressed) of the footer.
void encode_footer(const Footer& footer, std::string* digests, std::string* meta);
/// Checks every bound and sum; block offsets are filled in. Errors: kCorrupt.
Result<Footer> decode_footer(std::string_view digests, std::string_view meta, uint64_t footer_offset);

/// Base64 (RFC 4648 section 4) of `content` in this form.
void append_base64(std::string_view content, const Base64Form& form, std::string* out);
uint64_t base64_size(uint64_t content_size, const Base64Form& form);
/// True when `text` is exactly append_base64 of something: then `content` and `form` are set.
bool decode_exact_base64(std::string_view text, std::string* content, Base64Form* form);

}  // namespace arch::segment_format
