#include "engine/summary.h"

#include <algorithm>

#include "engine/mime/trace.h"

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

// The envelope tells who sent and who receives; where it does not (an import, a copy made for the archive), the header does.
Direction direction_of(const mime::Message& parsed, const Delivery& delivery, const OwnDomains& own) {
  std::string sender = delivery.mail_from;
  if (sender.empty() && !parsed.from.empty()) sender = parsed.from.front().address;
  std::vector<std::string> recipients;
  if (!delivery.rcpt.empty() && !is_archive_copy(delivery)) {
    for (const Recipient& recipient : delivery.rcpt) recipients.push_back(recipient.address);
  } else {
    for (const auto* field : {&parsed.to, &parsed.cc, &parsed.bcc})
      for (const mime::Address& address : *field)
        if (!address.address.empty()) recipients.push_back(address.address);
  }
  return own.direction(sender, !delivery.auth_user.empty(), recipients);
}

// Under which a mail server handed this delivery over; empty for imports.
std::string queue_id_of(const mime::Message& parsed, const Delivery& delivery) {
  if (delivery.channel == Channel::kImport || !delivery.queue_id.empty()) return delivery.queue_id;
  return mime::queue_id_of(parsed, delivery.mta_host);
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

Summary summarise(std::string_view message, const Delivery& delivery, const OwnDomains& own) {
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
  info.bounce = delivery.has_mail_from
                    ? delivery.mail_from.empty()
                    : std::any_of(parsed.parts.begin(), parsed.parts.end(), [](const mime::Part& part) {
                        return part.media_type == "message/delivery-status";
                      });
  info.direction = direction_of(parsed, delivery, own);
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
  summary.queue_id = queue_id_of(parsed, delivery);
  if (!summary.queue_id.empty() && info.message_id.empty()) summary.content = mime::content_key(message, parsed);
  return summary;
}

}  // namespace arch
