#include "engine/format/delivery.h"

#include "engine/base/bytes.h"
#include "engine/base/limits.h"

namespace arch {

namespace {

// Tags of the fields, on disk for ever. Rising order within an encoding.
enum Tag : uint8_t {
  kTagCaptured = 1,
  kTagChannel = 2,
  kTagFlags = 3,
  kTagMailFrom = 4,
  kTagRecipient = 5,
  kTagClientName = 6,
  kTagClientAddr = 7,
  kTagClientPort = 8,
  kTagClientHelo = 9,
  kTagClientProto = 10,
  kTagQueueId = 11,
  kTagMtaHost = 12,
  kTagAuthUser = 13,
  kTagOrigin = 14,
  kTagSeparator = 15,
  kTagParam = 16,
  kTagLast = kTagParam,
};

void put(ByteWriter& out, uint8_t tag, std::string_view value) {
  out.u8(tag);
  out.sized(value);
}

void put_unless_empty(ByteWriter& out, uint8_t tag, std::string_view value) {
  if (!value.empty()) put(out, tag, value);
}

void put_number(ByteWriter& out, uint8_t tag, uint64_t value) {
  ByteWriter number;
  number.varint(value);
  put(out, tag, number.view());
}

// A recipient: address, then ORCPT and NOTIFY only when there are any.
void put_recipient(ByteWriter& out, const Recipient& recipient) {
  ByteWriter value;
  value.sized(recipient.address);
  if (!recipient.orcpt.empty() || !recipient.notify.empty()) {
    value.sized(recipient.orcpt);
    value.sized(recipient.notify);
  }
  put(out, kTagRecipient, value.view());
}

// The text fields, whose bytes are the value; nothing for a tag of another kind.
std::string* text_field(Delivery* delivery, uint8_t tag) {
  switch (tag) {
    case kTagMailFrom:
      return &delivery->mail_from;
    case kTagClientName:
      return &delivery->client_name;
    case kTagClientAddr:
      return &delivery->client_addr;
    case kTagClientPort:
      return &delivery->client_port;
    case kTagClientHelo:
      return &delivery->client_helo;
    case kTagClientProto:
      return &delivery->client_proto;
    case kTagQueueId:
      return &delivery->queue_id;
    case kTagMtaHost:
      return &delivery->mta_host;
    case kTagAuthUser:
      return &delivery->auth_user;
    case kTagOrigin:
      return &delivery->origin;
    case kTagSeparator:
      return &delivery->separator;
    default:
      return nullptr;
  }
}

}  // namespace

std::string_view channel_name(Channel channel) {
  switch (channel) {
    case Channel::kLmtp:
      return "lmtp";
    case Channel::kSmtp:
      return "smtp";
    case Channel::kMilter:
      return "milter";
    case Channel::kPipe:
      return "pipe";
    case Channel::kImport:
      return "import";
  }
  return "unknown";
}

std::string without_brackets(std::string_view path) {
  if (path.size() >= 2 && path.front() == '<' && path.back() == '>') path = path.substr(1, path.size() - 2);
  return std::string(path);
}

bool is_archive_copy(const Delivery& delivery) {
  return (delivery.channel == Channel::kLmtp || delivery.channel == Channel::kSmtp) && delivery.rcpt.size() == 1 &&
         delivery.rcpt.front().notify == "NEVER";
}

std::string encode_delivery(const Delivery& delivery) {
  ByteWriter out;
  put_number(out, kTagCaptured, static_cast<uint64_t>(delivery.captured));
  put_number(out, kTagChannel, static_cast<uint64_t>(delivery.channel));
  if (delivery.flags != 0) put_number(out, kTagFlags, delivery.flags);
  if (delivery.has_mail_from) put(out, kTagMailFrom, delivery.mail_from);
  for (const Recipient& recipient : delivery.rcpt) put_recipient(out, recipient);
  put_unless_empty(out, kTagClientName, delivery.client_name);
  put_unless_empty(out, kTagClientAddr, delivery.client_addr);
  put_unless_empty(out, kTagClientPort, delivery.client_port);
  put_unless_empty(out, kTagClientHelo, delivery.client_helo);
  put_unless_empty(out, kTagClientProto, delivery.client_proto);
  put_unless_empty(out, kTagQueueId, delivery.queue_id);
  put_unless_empty(out, kTagMtaHost, delivery.mta_host);
  put_unless_empty(out, kTagAuthUser, delivery.auth_user);
  put_unless_empty(out, kTagOrigin, delivery.origin);
  put_unless_empty(out, kTagSeparator, delivery.separator);
  for (const auto& [name, value] : delivery.params) {
    ByteWriter param;
    param.sized(name);
    param.sized(value);
    put(out, kTagParam, param.view());
  }
  for (const auto& [tag, value] : delivery.unknown) put(out, tag, value);
  return out.take();
}

Result<Delivery> decode_delivery(std::string_view encoded, const Digest& digest) {
  if (encoded.size() > limits::kDeliveryBytes) return fail(Code::kInvalid, "delivery fields are too large");
  Delivery delivery;
  delivery.digest = digest;
  ByteReader in(encoded);
  bool has_captured = false, has_channel = false;
  uint8_t last_tag = 0;
  while (in.ok() && !in.at_end()) {
    const uint8_t tag = in.u8();
    const std::string_view value = in.sized();
    if (!in.ok()) break;
    const bool repeats = tag == kTagRecipient || tag >= kTagParam;
    if (tag < last_tag || (tag == last_tag && !repeats))
      return fail(Code::kInvalid, "delivery fields are out of order");
    last_tag = tag;
    if (std::string* text = text_field(&delivery, tag)) {
      *text = value;
      delivery.has_mail_from = delivery.has_mail_from || tag == kTagMailFrom;
      continue;
    }
    if (tag > kTagLast) {
      delivery.unknown.emplace_back(tag, value);
      continue;
    }
    ByteReader field(value);
    uint64_t number = 0;
    switch (tag) {
      case kTagCaptured:
        delivery.captured = static_cast<UnixNs>(field.varint());
        has_captured = true;
        break;
      case kTagChannel:
        number = field.varint();
        if (number < 1 || number > UINT8_MAX) return fail(Code::kInvalid, "a delivery names no channel");
        delivery.channel = static_cast<Channel>(number);
        has_channel = true;
        break;
      case kTagFlags:
        number = field.varint();
        if (number > UINT32_MAX) return fail(Code::kInvalid, "a delivery has flags beyond 32 bits");
        delivery.flags = static_cast<uint32_t>(number);
        break;
      case kTagRecipient: {
        if (delivery.rcpt.size() >= limits::kMaxRecipients)
          return fail(Code::kInvalid, "a delivery has too many recipients");
        Recipient recipient;
        recipient.address = field.sized();
        if (field.ok() && !field.at_end()) {
          recipient.orcpt = field.sized();
          recipient.notify = field.sized();
        }
        delivery.rcpt.push_back(std::move(recipient));
        break;
      }
      case kTagParam: {
        std::string name(field.sized());
        delivery.params.emplace_back(std::move(name), field.sized());
        break;
      }
      default:
        return fail(Code::kInvalid, "a delivery has a field of tag 0");
    }
    if (!field.at_end())
      return fail(Code::kInvalid, "a delivery field is malformed (tag " + std::to_string(tag) + ")");
  }
  if (!in.ok()) return fail(Code::kInvalid, "delivery fields end early");
  if (!has_captured || !has_channel) return fail(Code::kInvalid, "a delivery lacks its time or its channel");
  return delivery;
}

}  // namespace arch
