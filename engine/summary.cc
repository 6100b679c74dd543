#include "engine/summary.h"

#include <algorithm>

namespace arch {

namespace {

constexpr size_t kListedAttachments = 200;
constexpr size_t kListedAddresses = 100;
constexpr size_t kSubjectBytes = 1'000;
constexpr size_t kNameBytes = 300;

// Cut at a character's border: the rows are shown as UTF-8.
void cut(std::string* text, size_t bytes) {
  if (text->size() <= bytes) return;
  while (bytes > 0 && (static_cast<unsigned char>((*text)[bytes]) & 0xc0) == 0x80) --bytes;
  text->resize(bytes);
}

std::vector<mime::Address> first_addresses(const std::vector<mime::Address>& addresses) {
  std::vector<mime::Address> out(addresses.begin(), addresses.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                                            addresses.size(), kListedAddresses)));
  for (mime::Address& address : out) {
    cut(&address.name, kNameBytes);
    cut(&address.address, kNameBytes);
  }
  return out;
}

}  // namespace

Summary summarise(std::string_view message, const Delivery& delivery) {
  const mime::Message parsed = mime::parse(message);
  Summary summary;
  MessageInfo& info = summary.info;
  info.mail_key = mime::mail_key(message, parsed);
  info.date = mime::sort_date(parsed, delivery.captured);
  info.has_sent = parsed.has_date;
  info.sent = parsed.has_date ? parsed.date : 0;
  info.received = parsed.has_received ? parsed.received : 0;
  info.captured = delivery.captured;
  info.from = first_addresses(parsed.from);
  info.to = first_addresses(parsed.to);
  info.cc = first_addresses(parsed.cc);
  info.bcc = first_addresses(parsed.bcc);
  info.subject = parsed.subject;
  cut(&info.subject, kSubjectBytes);
  info.message_id = parsed.message_id;
  info.partial = parsed.partial;
  info.encrypted = parsed.encrypted;
  for (const mime::Part& part : parsed.parts) {
    if (!part.attachment) continue;
    ++info.attachment_count;
    if (info.attachments.size() >= kListedAttachments) continue;
    MessageInfo::Attachment attachment;
    attachment.part = part.number;
    attachment.media_type = part.media_type;
    attachment.filename = part.filename;
    cut(&attachment.filename, kNameBytes);
    attachment.size = part.body_end - part.body_begin;
    info.attachments.push_back(std::move(attachment));
  }
  summary.references = parsed.references;
  return summary;
}

}  // namespace arch
