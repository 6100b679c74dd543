// winmail.dat ([MS-OXTNEF]): attributes one behind the other; those with MAPI properties inside hold what newer Outlooks say.
#include <algorithm>

#include "engine/mime/message.h"
#include "query/document/codepage.h"
#include "query/document/le.h"
#include "query/document/mapi.h"
#include "query/document/utf16.h"

namespace arch::document::internal {

namespace {

enum Attribute : uint16_t {
  kFrom = 0x8000,
  kSubject = 0x8004,
  kBody = 0x800c,
  kAttachData = 0x800f,
  kAttachTitle = 0x8010,
  kAttachRendData = 0x9002,
  kMapiProps = 0x9003,
  kRecipTable = 0x9004,
  kAttachment = 0x9005,
  kOemCodepage = 0x9007,
};

constexpr uint32_t kProperties = 10'000;  // of one attribute

std::string cut_at_nul(std::string_view text) { return std::string(text.substr(0, text.find('\0'))); }

// One list of MAPI properties; calls each(id, type, bytes) for every value. Returns where it ended.
template <class Each>
uint64_t properties(std::string_view bytes, uint64_t at, const Each& each) {
  const Le field(bytes);
  const uint32_t count = std::min(field.u32(at), kProperties);
  at += 4;
  for (uint32_t n = 0; n < count && at + 4 <= bytes.size(); ++n) {
    const uint16_t type = field.u16(at), id = field.u16(at + 2);
    at += 4;
    if (id >= 0x8000) {  // a named one: its set, then a number or a name
      const uint32_t kind = field.u32(at + 16);
      at += 20;
      if (kind == 0)
        at += 4;
      else
        at += 4 + (static_cast<uint64_t>(field.u32(at)) + 3) / 4 * 4;
    }
    const bool multiple = (type & 0x1000) != 0;
    const uint16_t base = type & 0xfff;
    const bool sized = base == 0x1e || base == 0x1f || base == 0x102 || base == 0x0d;
    uint32_t values = 1;
    if (multiple || sized) {
      values = std::min(field.u32(at), kProperties);
      at += 4;
    }
    for (uint32_t v = 0; v < values && at < bytes.size(); ++v) {
      uint64_t size;
      if (sized) {
        size = field.u32(at);
        at += 4;
      } else if (base == 0x48) {
        size = 16;
      } else if (base == 0x05 || base == 0x06 || base == 0x07 || base == 0x14 || base == 0x40) {
        size = 8;
      } else {
        size = 4;  // shorter ones are padded
      }
      each(id, base, field.bytes(at, size));
      at += (size + 3) / 4 * 4;
    }
  }
  return at;
}

struct Attachment {
  std::string title, long_name, media_type;
  std::string_view content;
  std::string_view object;  // an embedded message or object, behind its interface id
};

}  // namespace

void read_tnef(File& file) {
  const Le field(file.bytes);
  std::string charset;  // not said: guessed
  std::string subject, from;
  std::string people;
  Bodies bodies;
  std::vector<Attachment> attachments;
  std::string_view message_properties, recipients;

  uint64_t at = 6;
  bool whole = true;
  while (at + 9 <= file.bytes.size() && file.go_on()) {
    const uint8_t level = field.u8(at);
    if (level != 1 && level != 2) break;  // what mailers add behind the end
    const uint16_t id = field.u16(at + 1);
    const uint64_t size = field.u32(at + 5);
    const std::string_view value = field.bytes(at + 9, size);
    if (value.size() < size) whole = false;
    at += 9 + size + 2;
    switch (id) {
      case kOemCodepage:
        charset = codepage_name(Le(value).u32(0));
        break;
      case kSubject:
        subject = cut_at_nul(value);
        break;
      case kFrom: {  // a triple of lengths, then name and "SMTP:address"
        const Le triple(value);
        const uint64_t name = triple.u16(4), address = triple.u16(6);
        from = cut_at_nul(triple.bytes(8, name)) + ' ' + cut_at_nul(triple.bytes(8 + name, address));
        break;
      }
      case kBody:
        bodies.plain = cut_at_nul(value);
        break;
      case kMapiProps:
        message_properties = value;
        break;
      case kRecipTable:
        recipients = value;
        break;
      case kAttachRendData:
        if (attachments.size() < file.budget().limits().members) attachments.emplace_back();
        break;
      case kAttachTitle:
        if (!attachments.empty()) attachments.back().title = cut_at_nul(value);
        break;
      case kAttachData:
        if (!attachments.empty()) attachments.back().content = value;
        break;
      case kAttachment:
        if (attachments.empty()) break;
        properties(value, 0, [&](uint16_t property, uint16_t type, std::string_view bytes) {
          Attachment& one = attachments.back();
          if (property == 0x3707 || (property == 0x3001 && one.long_name.empty()))
            one.long_name = type == 0x1f ? utf16le(bytes) : mime::to_utf8(cut_at_nul(bytes), charset);
          if (property == 0x370e) one.media_type = type == 0x1f ? utf16le(bytes) : cut_at_nul(bytes);
          if (property == 0x3701 && type == 0x0d && bytes.size() > 16)
            one.object = bytes.substr(16);
          else if (property == 0x3701 && one.content.empty())
            one.content = bytes;
        });
        break;
      default:
        break;
    }
  }
  if (!whole) file.fail(Status::kBroken, "ends early");

  const auto decoded = [&](uint16_t type, std::string_view bytes) {
    std::string out = type == 0x1f ? utf16le(bytes) : mime::to_utf8(cut_at_nul(bytes), charset);
    while (!out.empty() && (out.back() == '\0' || out.back() == ' ')) out.pop_back();
    return out;
  };
  subject = mime::to_utf8(subject, charset);
  bodies.plain = mime::to_utf8(bodies.plain, charset);
  properties(message_properties, 0, [&](uint16_t property, uint16_t type, std::string_view bytes) {
    switch (property) {
      case 0x0037:
        subject = decoded(type, bytes);
        break;
      case 0x0049:  // of the mail that a receipt is about
      case 0x0070:
        if (subject.empty()) subject = decoded(type, bytes);
        break;
      case 0x0c1a:
      case 0x0c1f:
      case 0x5d01:
        people += decoded(type, bytes) + '\n';
        break;
      case 0x1000:
        if (type == 0x1e || type == 0x1f) bodies.plain = decoded(type, bytes);
        break;
      case 0x1009:
        if (type == 0x102) bodies.compressed_rtf = bytes;
        break;
      case 0x1013:
        bodies.html = type == 0x1f ? utf16le(bytes) : std::string(bytes);
        bodies.html_charset = type == 0x1f ? "utf-8" : charset;
        break;
      default:
        break;
    }
  });
  const uint32_t rows = std::min(Le(recipients).u32(0), kProperties);
  uint64_t row = 4;
  for (uint32_t i = 0; i < rows && row < recipients.size(); ++i)
    row = properties(recipients, row, [&](uint16_t property, uint16_t type, std::string_view bytes) {
      if (property == 0x3001 || property == 0x3003 || property == 0x39fe) people += decoded(type, bytes) + '\n';
    });

  for (const std::string& part : {subject, mime::to_utf8(from, charset), people}) {
    if (part.empty()) continue;
    file.add(part);
    file.end_line();
  }
  add_body(file, bodies);
  for (const Attachment& one : attachments) {
    if (!file.room_for_members() || !file.go_on()) break;
    Hint hint;
    hint.filename = one.long_name.empty() ? mime::to_utf8(one.title, charset) : one.long_name;
    hint.media_type = one.media_type;
    file.member(hint.filename.empty() ? "attachment" : hint.filename, hint,
                one.object.empty() ? one.content : one.object);
  }
}

}  // namespace arch::document::internal
