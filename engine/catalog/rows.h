// What the catalog's rows hold: encodings of values and keys (docs/catalog-format.md). Pure. Every decoder is bounded and
// gives kCorrupt on anything malformed.
#pragma once

#include <string>
#include <string_view>

#include "engine/archive.h"

namespace arch::rows {

/// Changes with any encoding here: another number, and the catalog is made anew.
constexpr uint32_t kCatalogVersion = 4;

/// Without number, place and deliveries: the key and other columns hold those. The first delivery's sequence is kept.
std::string encode_message(const MessageInfo& info, uint64_t first_sequence);
Result<MessageInfo> decode_message(std::string_view value, uint64_t number);

struct Place {
  bool in_segment = false;
  RecordRef record;  ///< while it lies in the journal
  uint32_t segment = 0, index = 0;
};
std::string encode_place(const Place& place);
Result<Place> decode_place(std::string_view value);

std::string encode_blob(const BlobPlace& place);
Result<BlobPlace> decode_blob(std::string_view value);

std::string encode_delivery_row(uint64_t message, const Delivery& delivery);
/// The delivery's digest is not in the row: the caller has the message's.
Result<DeliveryInfo> decode_delivery_row(std::string_view value, uint64_t sequence);

std::string encode_text(const MessageText& text);
Result<MessageText> decode_text(std::string_view value);

struct Unpacked {
  uint64_t sequence = 0, message = 0, length = 0;
};
std::string encode_unpacked(const Unpacked& row);
Result<Unpacked> decode_unpacked(std::string_view value);

/// How far a journal file is applied.
struct Mark {
  JournalFileId file;
  uint64_t offset = 0;
  bool complete = false;  ///< closed, and read to its end
  bool damaged = false;   ///< holds what was acknowledged and cannot be read: the file is kept for ever
  bool packed = false;    ///< a segment was born from it before: only what that one does not have is applied
};
std::string encode_mark(const Mark& mark);
Result<Mark> decode_mark(std::string_view value, uint64_t number);

struct SegmentRow {
  Digest footer_digest;
  uint64_t file_size = 0, messages = 0, deliveries = 0, raw_bytes = 0;
  uint64_t unpacked_bytes = 0;  ///< SegmentReader::Sizes::unpacked
};
std::string encode_segment(const SegmentRow& row);
Result<SegmentRow> decode_segment(std::string_view value);

struct Totals {
  uint64_t last_sequence = 0, last_message = 0;
  UnixNs applied_to = 0;
  uint64_t received_bytes = 0, message_bytes = 0;
  uint64_t joined_same = 0, joined_differing = 0;  ///< see ArchiveStatus
};
std::string encode_totals(const Totals& totals);
Result<Totals> decode_totals(std::string_view value);

}  // namespace arch::rows
