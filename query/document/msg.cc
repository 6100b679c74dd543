// Outlook's message files ([MS-OXMSG]): a storage with a stream per property, storages for recipients and attachments.
#include <algorithm>

#include "engine/mime/message.h"
#include "query/document/cfb.h"
#include "query/document/codepage.h"
#include "query/document/le.h"
#include "query/document/mapi.h"
#include "query/document/utf16.h"

namespace arch::document::internal {

namespace {

// Properties by id ([MS-OXPROPS]).
enum Property : uint16_t {
  kSubject = 0x0037,
  kSenderName = 0x0c1a,
  kSenderAddress = 0x0c1f,
  kSenderSmtp = 0x5d01,
  kSentForName = 0x0042,
  kBcc = 0x0e02,
  kCc = 0x0e03,
  kTo = 0x0e04,
  kBody = 0x1000,
  kRtf = 0x1009,
  kHtml = 0x1013,
  kDisplayName = 0x3001,
  kAddress = 0x3003,
  kSmtpAddress = 0x39fe,
  kContent = 0x3701,
  kShortName = 0x3704,
  kLongName = 0x3707,
  kMediaType = 0x370e,
};

class Message {
 public:
  Message(File& file, const CompoundFile& ole, uint32_t storage, std::string charset)
      : file_(file), ole_(ole), storage_(storage), charset_(std::move(charset)) {}

  std::string raw(uint16_t property, const char* type) const {
    char name[32];
    std::snprintf(name, sizeof name, "__substg1.0_%04X%s", property, type);
    return ole_.read(ole_.find(storage_, name), file_);
  }
  /// UTF-8, from whichever form it has.
  std::string text(uint16_t property) const {
    const std::string wide = raw(property, "001F");
    std::string out = wide.empty() ? mime::to_utf8(raw(property, "001E"), charset_) : utf16le(wide);
    while (!out.empty() && (out.back() == ' ' || out.back() == '\0'))
      out.pop_back();  // some writers end it with NULs
    return out;
  }

 private:
  File& file_;
  const CompoundFile& ole_;
  const uint32_t storage_;
  const std::string charset_;
};

// A number among the fixed properties of a message; 0 when absent. `header` differs between a file and a message inside.
uint32_t fixed_property(std::string_view stream, uint32_t tag, size_t header) {
  const Le field(stream);
  for (uint64_t at = header; at + 16 <= stream.size(); at += 16)
    if (field.u32(at) == tag) return field.u32(at + 8);
  return 0;
}

bool begins(const std::string& name, std::string_view with) { return name.compare(0, with.size(), with) == 0; }

void line(File& file, std::initializer_list<std::string> words) {
  std::string out;
  for (const std::string& word : words)
    if (!word.empty()) out += (out.empty() ? "" : " ") + word;
  if (out.empty()) return;
  file.add(out);
  file.end_line();
}

}  // namespace

void read_msg(File& file, const CompoundFile& ole, uint32_t storage) {
  const std::string fixed = ole.read(ole.find(storage, "__properties_version1.0"), file);
  const size_t header = storage == 0 ? 32 : 24;
  const uint32_t message_codepage = fixed_property(fixed, 0x3ffd0003, header);
  const uint32_t internet_codepage = fixed_property(fixed, 0x3fde0003, header);
  // Neither: to_utf8() guesses.
  const std::string charset = message_codepage != 0    ? codepage_name(message_codepage)
                              : internet_codepage != 0 ? codepage_name(internet_codepage)
                                                       : std::string();
  const Message message(file, ole, storage, charset);
  line(file, {message.text(kSubject)});
  line(file, {message.text(kSenderName), message.text(kSenderSmtp), message.text(kSenderAddress)});
  line(file, {message.text(kSentForName)});
  for (const uint16_t people : {kTo, kCc, kBcc}) line(file, {message.text(people)});

  std::vector<uint32_t> attachments;
  for (uint32_t i = 1; i < ole.entries().size() && file.go_on(); ++i) {
    const CompoundFile::Entry& entry = ole.entries()[i];
    if (!entry.storage || entry.parent != storage) continue;
    if (begins(entry.name, "__recip_version1.0_")) {
      const Message person(file, ole, i, charset);
      line(file, {person.text(kDisplayName), person.text(kSmtpAddress), person.text(kAddress)});
    } else if (begins(entry.name, "__attach_version1.0_")) {
      attachments.push_back(i);
    }
  }

  Bodies bodies;
  bodies.plain = message.text(kBody);
  bodies.html = message.raw(kHtml, "0102");
  bodies.html_charset = internet_codepage != 0 ? codepage_name(internet_codepage) : charset;
  if (bodies.html.empty()) {
    bodies.html = message.text(kHtml);
    if (!bodies.html.empty()) bodies.html_charset = "utf-8";
  }
  bodies.compressed_rtf = message.raw(kRtf, "0102");
  add_body(file, bodies);

  for (const uint32_t attachment : attachments) {
    if (!file.room_for_members() || !file.go_on()) break;
    const Message one(file, ole, attachment, charset);
    Hint hint;
    hint.filename = one.text(kLongName);
    if (hint.filename.empty()) hint.filename = one.text(kShortName);
    if (hint.filename.empty()) hint.filename = one.text(kDisplayName);
    hint.media_type = one.text(kMediaType);
    if (const uint32_t inside = ole.find(attachment, "__substg1.0_3701000D");
        inside != 0 && ole.entries()[inside].storage) {
      const bool is_message = ole.find(inside, "__properties_version1.0") != 0;
      file.member_by(hint.filename.empty() ? "message" : hint.filename, hint, [&](File& inner) {
        inner.media_type = is_message ? "application/vnd.ms-outlook" : "application/x-ole-storage";
        if (is_message)
          read_msg(inner, ole, inside);
        else
          inner.fail(Status::kUnknownFormat, "an embedded object");
      });
      continue;
    }
    const std::string content = one.raw(kContent, "0102");
    if (content.empty() && hint.filename.empty()) continue;
    file.member(hint.filename, hint, content, true);
  }
}

}  // namespace arch::document::internal
