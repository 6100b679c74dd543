#include "engine/catalog/rows.h"

#include "engine/base/bytes.h"

namespace arch::rows {

namespace {

tl::unexpected<Error> malformed(const char* what) {
  return fail(Code::kCorrupt, std::string("the catalog holds a malformed row: ") + what,
              "it is derived: archctl rebuild makes it anew from journal and segments");
}

// Times before 1970 happen in Date fields: zigzag keeps small negatives small.
uint64_t zigzag(int64_t value) { return static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63); }
int64_t unzigzag(uint64_t value) { return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1); }

// Mail times are whole seconds; only capture times are finer.
void put_seconds(ByteWriter& out, UnixNs time) { out.varint(zigzag(time / kNsPerSecond)); }
UnixNs get_seconds(ByteReader& in) {
  const int64_t seconds = unzigzag(in.varint());
  constexpr int64_t kLimit = INT64_MAX / kNsPerSecond;
  return seconds > kLimit || seconds < -kLimit ? 0 : seconds * kNsPerSecond;
}

void put_addresses(ByteWriter& out, const std::vector<mime::Address>& addresses) {
  out.varint(addresses.size());
  for (const mime::Address& address : addresses) {
    out.sized(address.name);
    out.sized(address.address);
  }
}

bool get_addresses(ByteReader& in, std::vector<mime::Address>* addresses) {
  const uint64_t count = in.varint();
  if (!in.ok() || count > in.rest().size()) return false;
  addresses->reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    mime::Address address;
    address.name = in.sized();
    address.address = in.sized();
    addresses->push_back(std::move(address));
  }
  return in.ok();
}

enum MessageFlag : uint8_t { kHasSent = 1, kPartial = 2, kEncrypted = 4, kHasReceived = 8, kBounce = 16 };
constexpr unsigned kDirectionShift = 5;  // two bits

}  // namespace

std::string encode_message(const MessageInfo& info, uint64_t first_sequence) {
  ByteWriter out;
  out.digest(info.digest);
  out.u64(info.mail_key);
  out.u64(info.thread);
  out.varint(info.size);
  out.varint(first_sequence);
  out.u8(static_cast<uint8_t>((info.has_sent ? kHasSent : 0) | (info.partial ? kPartial : 0) |
                              (info.encrypted ? kEncrypted : 0) | (info.received != 0 ? kHasReceived : 0) |
                              (info.bounce ? kBounce : 0) |
                              static_cast<unsigned>(info.direction) << kDirectionShift));
  put_seconds(out, info.date);
  if (info.has_sent) put_seconds(out, info.sent);
  if (info.received != 0) put_seconds(out, info.received);
  out.varint(zigzag(info.captured));
  put_addresses(out, info.from);
  put_addresses(out, info.to);
  put_addresses(out, info.cc);
  put_addresses(out, info.bcc);
  out.sized(info.subject);
  out.sized(info.message_id);
  out.varint(info.attachment_count);
  out.varint(info.attachments.size());
  for (const MessageInfo::Attachment& attachment : info.attachments) {
    out.sized(attachment.part);
    out.sized(attachment.media_type);
    out.sized(attachment.filename);
    out.varint(attachment.size);
  }
  return out.take();
}

Result<MessageInfo> decode_message(std::string_view value, uint64_t number) {
  ByteReader in(value);
  MessageInfo info;
  info.number = number;
  info.digest = in.digest();
  info.mail_key = in.u64();
  info.thread = in.u64();
  info.size = in.varint();
  info.deliveries.push_back(in.varint());
  const uint8_t flags = in.u8();
  info.has_sent = (flags & kHasSent) != 0;
  info.partial = (flags & kPartial) != 0;
  info.encrypted = (flags & kEncrypted) != 0;
  info.bounce = (flags & kBounce) != 0;
  info.direction = static_cast<Direction>(flags >> kDirectionShift & 3);
  info.date = get_seconds(in);
  if (info.has_sent) info.sent = get_seconds(in);
  if ((flags & kHasReceived) != 0) info.received = get_seconds(in);
  info.captured = unzigzag(in.varint());
  if (!get_addresses(in, &info.from) || !get_addresses(in, &info.to) || !get_addresses(in, &info.cc) ||
      !get_addresses(in, &info.bcc))
    return malformed("addresses");
  info.subject = in.sized();
  info.message_id = in.sized();
  info.attachment_count = static_cast<uint32_t>(in.varint());
  const uint64_t attachments = in.varint();
  if (!in.ok() || attachments > in.rest().size()) return malformed("attachments");
  for (uint64_t i = 0; i < attachments; ++i) {
    MessageInfo::Attachment attachment;
    attachment.part = in.sized();
    attachment.media_type = in.sized();
    attachment.filename = in.sized();
    attachment.size = in.varint();
    info.attachments.push_back(std::move(attachment));
  }
  if (!in.at_end()) return malformed("message");
  return info;
}

std::string encode_place(const Place& place) {
  ByteWriter out;
  if (place.in_segment) {
    out.u8(1);
    out.varint(place.segment);
    out.varint(place.index);
  } else {
    out.u8(0);
    out.varint(place.record.file);
    out.varint(place.record.offset);
    out.varint(place.record.length);
  }
  return out.take();
}

Result<Place> decode_place(std::string_view value) {
  ByteReader in(value);
  Place place;
  const uint8_t kind = in.u8();
  place.in_segment = kind == 1;
  if (place.in_segment) {
    place.segment = static_cast<uint32_t>(in.varint());
    place.index = static_cast<uint32_t>(in.varint());
  } else {
    place.record.file = in.varint();
    place.record.offset = in.varint();
    place.record.length = in.varint();
  }
  if (!in.at_end() || kind > 1) return malformed("place");
  return place;
}

std::string encode_blob(const BlobPlace& place) {
  ByteWriter out;
  out.varint(place.segment);
  out.varint(place.index);
  out.varint(place.size);
  return out.take();
}

Result<BlobPlace> decode_blob(std::string_view value) {
  ByteReader in(value);
  BlobPlace place;
  place.segment = static_cast<uint32_t>(in.varint());
  place.index = static_cast<uint32_t>(in.varint());
  place.size = in.varint();
  if (!in.at_end()) return malformed("blob");
  return place;
}

std::string encode_delivery_row(uint64_t message, const Delivery& delivery) {
  ByteWriter out;
  out.varint(message);
  out.raw(encode_delivery(delivery));
  return out.take();
}

Result<DeliveryInfo> decode_delivery_row(std::string_view value, uint64_t sequence) {
  ByteReader in(value);
  DeliveryInfo info;
  info.sequence = sequence;
  info.message = in.varint();
  if (!in.ok()) return malformed("delivery");
  auto delivery = decode_delivery(in.rest(), Digest{});
  if (!delivery) return malformed("delivery");
  info.delivery = std::move(*delivery);
  return info;
}

std::string encode_text(const MessageText& text) {
  ByteWriter out;
  for (const TextPiece& piece : text) {
    out.u8(piece.field);
    out.sized(piece.part);
    out.sized(piece.text);
  }
  return out.take();
}

Result<MessageText> decode_text(std::string_view value) {
  ByteReader in(value);
  MessageText text;
  while (in.ok() && !in.at_end()) {
    TextPiece piece;
    piece.field = in.u8();
    piece.part = in.sized();
    piece.text = in.sized();
    text.push_back(std::move(piece));
  }
  if (!in.ok()) return malformed("text");
  return text;
}

std::string encode_unpacked(const Unpacked& row) {
  ByteWriter out;
  out.varint(row.sequence);
  out.varint(row.message);
  out.varint(row.length);
  return out.take();
}

Result<Unpacked> decode_unpacked(std::string_view value) {
  ByteReader in(value);
  Unpacked row;
  row.sequence = in.varint();
  row.message = in.varint();
  row.length = in.varint();
  if (!in.at_end()) return malformed("unpacked");
  return row;
}

std::string encode_mark(const Mark& mark) {
  ByteWriter out;
  out.raw({reinterpret_cast<const char*>(mark.file.marker.data()), mark.file.marker.size()});
  out.varint(mark.offset);
  out.u8(static_cast<uint8_t>((mark.complete ? 1 : 0) | (mark.damaged ? 2 : 0) | (mark.packed ? 4 : 0)));
  return out.take();
}

Result<Mark> decode_mark(std::string_view value, uint64_t number) {
  ByteReader in(value);
  Mark mark;
  mark.file.number = number;
  std::string_view marker = in.raw(mark.file.marker.size());
  std::copy(marker.begin(), marker.end(), mark.file.marker.begin());
  mark.offset = in.varint();
  const uint8_t flags = in.u8();
  mark.complete = (flags & 1) != 0;
  mark.damaged = (flags & 2) != 0;
  mark.packed = (flags & 4) != 0;
  if (!in.at_end()) return malformed("mark");
  return mark;
}

std::string encode_segment(const SegmentRow& row) {
  ByteWriter out;
  out.digest(row.footer_digest);
  out.varint(row.file_size);
  out.varint(row.messages);
  out.varint(row.deliveries);
  out.varint(row.raw_bytes);
  out.varint(row.unpacked_bytes);
  return out.take();
}

Result<SegmentRow> decode_segment(std::string_view value) {
  ByteReader in(value);
  SegmentRow row;
  row.footer_digest = in.digest();
  row.file_size = in.varint();
  row.messages = in.varint();
  row.deliveries = in.varint();
  row.raw_bytes = in.varint();
  row.unpacked_bytes = in.varint();
  if (!in.at_end()) return malformed("segment");
  return row;
}

std::string encode_totals(const Totals& totals) {
  ByteWriter out;
  out.varint(totals.last_sequence);
  out.varint(totals.last_message);
  out.varint(zigzag(totals.applied_to));
  out.varint(totals.received_bytes);
  out.varint(totals.message_bytes);
  out.varint(totals.joined_same);
  out.varint(totals.joined_differing);
  return out.take();
}

Result<Totals> decode_totals(std::string_view value) {
  ByteReader in(value);
  Totals totals;
  totals.last_sequence = in.varint();
  totals.last_message = in.varint();
  totals.applied_to = unzigzag(in.varint());
  totals.received_bytes = in.varint();
  totals.message_bytes = in.varint();
  totals.joined_same = in.varint();
  totals.joined_differing = in.varint();
  if (!in.at_end()) return malformed("totals");
  return totals;
}

}  // namespace arch::rows
