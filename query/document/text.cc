// What is text already: plain text and tables in any charset, HTML, XML, calendars and cards.
#include <algorithm>
#include <array>

#include "engine/base/ascii.h"
#include "engine/mime/message.h"
#include "query/document/reader.h"
#include "query/document/xml.h"
#include "query/extract/extract.h"

namespace arch::document::internal {

namespace {

using namespace std::literals;

constexpr size_t kMetaBytes = 4'096;  // where a page says its charset (HTML 5: the first 1024; not all obey)

// UTF-16 without a mark, seen by its zero bytes.
std::string_view unmarked_utf16(std::string_view bytes) {
  const std::string_view head = bytes.substr(0, 1'024);
  size_t even = 0, odd = 0;
  for (size_t i = 0; i < head.size(); ++i)
    if (head[i] == '\0') ++(i % 2 == 0 ? even : odd);
  if (std::max(even, odd) * 4 < head.size() || std::min(even, odd) * 50 >= std::max<size_t>(head.size(), 1))
    return {};
  return even > odd ? "utf-16be"sv : "utf-16le"sv;
}

// Of a byte order mark, else ""; UTF-32 comes first since it begins like UTF-16.
std::string_view charset_by_mark(std::string_view bytes) {
  if (bytes.substr(0, 4) == "\xff\xfe\0\0"sv) return "utf-32";
  if (bytes.substr(0, 4) == "\0\0\xfe\xff"sv) return "utf-32";
  if (bytes.substr(0, 2) == "\xff\xfe"sv || bytes.substr(0, 2) == "\xfe\xff"sv) return "utf-16";
  if (bytes.substr(0, 3) == "\xef\xbb\xbf"sv) return "utf-8";
  return {};
}

std::string meta_charset(std::string_view html) {
  const std::string head = ascii_lower(html.substr(0, kMetaBytes));
  for (size_t at = 0; (at = head.find("<meta", at)) != std::string::npos; ++at) {
    const size_t end = std::min(head.find('>', at), head.size());
    const std::string_view tag = std::string_view(head).substr(at, end - at);
    size_t value = tag.find("charset");
    if (value == std::string_view::npos) continue;
    value = tag.find_first_not_of(" =\"'\t\r\n", value + 7);
    if (value == std::string_view::npos) continue;
    const size_t stop = std::min(tag.find_first_of(" ;\"'/>\t\r\n", value), tag.size());
    return std::string(tag.substr(value, stop - value));
  }
  return {};
}

std::string unfolded(std::string text) {  // RFC 5545 section 3.1, RFC 6350 section 3.2
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r') continue;
    if (text[i] == '\n' && i + 1 < text.size() && (text[i + 1] == ' ' || text[i + 1] == '\t')) {
      ++i;
      continue;
    }
    out += text[i];
  }
  return out;
}

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = ascii_lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// A card of version 2.1 in quoted-printable; soft line ends are joined before.
std::string quoted_printable(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '=' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
      out += static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
      i += 2;
    } else if (text[i] != '=') {
      out += text[i];
    }
  }
  return out;
}

std::string unescaped(std::string_view text) {  // RFC 5545 section 3.3.11
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 >= text.size()) {
      out += text[i];
      continue;
    }
    ++i;
    out += text[i] == 'n' || text[i] == 'N' ? '\n' : text[i];
  }
  return out;
}

// "20240512T093000Z" also as 2024-05-12 09:30, which a person types.
std::string readable_time(std::string_view value) {
  const auto digits = [&](size_t from, size_t count) {
    return value.size() >= from + count && std::all_of(value.begin() + static_cast<ptrdiff_t>(from),
                                                       value.begin() + static_cast<ptrdiff_t>(from + count),
                                                       [](char c) { return c >= '0' && c <= '9'; });
  };
  if (!digits(0, 8)) return std::string(value);
  const std::string year(value.substr(0, 4)), month(value.substr(4, 2)), day(value.substr(6, 2));
  std::string out = year + '-' + month + '-' + day + ' ' + day + '/' + month + '/' + year;
  if (value.size() > 12 && value[8] == 'T' && digits(9, 4))
    out += ' ' + std::string(value.substr(9, 2)) + ':' + std::string(value.substr(11, 2));
  return out;
}

class XmlText : public XmlHandler {
 public:
  explicit XmlText(File& file) : file_(file) {}
  void start(std::string_view, const Attributes& attributes) override {
    attributes.each([&](std::string_view name, std::string_view value) {
      if (name.substr(0, 5) == "xmlns" || value.find("http://www.w3.org") == 0) return;
      blank();
      file_.add(value);
    });
    blank();
  }
  void end(std::string_view) override { file_.end_line(); }
  void characters(std::string_view text) override {
    const size_t begin = std::min(text.find_first_not_of(" \t\r\n"), text.size());
    if (begin > 0) blank();
    file_.add(text.substr(begin));
  }

 private:
  void blank() {
    if (!file_.text.empty() && file_.text.back() != '\n' && file_.text.back() != ' ') file_.add(" ");
  }
  File& file_;
};

}  // namespace

std::string decode_text(std::string_view bytes, std::string_view charset) {
  std::string name(charset_by_mark(bytes));
  if (name.empty()) name = unmarked_utf16(bytes);
  if (name.empty()) name = charset;
  if (name == "utf-8" && bytes.substr(0, 3) == "\xef\xbb\xbf"sv) bytes.remove_prefix(3);
  std::string out = mime::to_utf8(bytes, name);
  if (out.compare(0, 3, "\xef\xbb\xbf") == 0) out.erase(0, 3);
  return out;
}

std::string decode_html(std::string_view bytes, std::string_view charset) {
  const std::string meta = charset.empty() ? meta_charset(bytes) : std::string(charset);
  // A page that says UTF-16 in letters of one byte is not in UTF-16.
  return decode_text(bytes, meta.compare(0, 6, "utf-16") == 0 && unmarked_utf16(bytes).empty() ? "" : meta);
}

void read_plain(File& file) {
  // Charsets shrink: a wide one to a third at most of the bytes of UTF-8. More than the room for text is not decoded.
  const size_t most = file.budget().text_left() * 4;
  if (file.bytes.size() > most) file.fail(Status::kOverLimit, "more text than the limit");
  file.add(decode_text(file.bytes.substr(0, most), file.hint.charset));
}

void read_html(File& file) {
  // Markup is dropped: of a page more is decoded than of a text.
  const size_t most = std::max<size_t>(file.budget().text_left() * 4, 1);
  if (file.bytes.size() > most) file.fail(Status::kOverLimit, "more text than the limit");
  std::string title;
  file.add(extract::html_to_text(decode_html(file.bytes.substr(0, most), file.hint.charset), false, &title));
  if (!title.empty() && file.text.find(title) == std::string::npos) {
    file.end_line();
    file.add(title);
  }
}

void read_xml(File& file) {
  const std::string_view head = file.bytes.substr(0, 200);
  std::string charset = file.hint.charset;
  if (const size_t at = head.find("encoding="); at != std::string_view::npos && at + 10 < head.size())
    charset = std::string(head.substr(at + 10, std::min(head.find(head[at + 9], at + 10), head.size()) - at - 10));
  const size_t most = file.budget().text_left() * 4;
  if (file.bytes.size() > most) file.fail(Status::kOverLimit, "more text than the limit");
  const std::string text = decode_text(file.bytes.substr(0, most), ascii_lower(charset));
  XmlText handler(file);
  XmlParser parser(handler, file, true);
  parser.feed(text);
  parser.finish();
}

void read_calendar(File& file) {
  static constexpr std::array<std::string_view, 25> kSilent = {
      "BEGIN",      "END",     "VERSION", "PRODID",  "UID",     "SEQUENCE",      "CALSCALE", "REV",   "PHOTO",
      "LOGO",       "KEY",     "SOUND",   "DTSTAMP", "CLASS",   "TRANSP",        "PRIORITY", "RRULE", "TZOFFSETFROM",
      "TZOFFSETTO", "TRIGGER", "ATTACH",  "TZURL",   "CREATED", "LAST-MODIFIED", "STATUS"};
  const std::string text = unfolded(decode_text(file.bytes, file.hint.charset));
  bool zone = false;  // time zones list their changes; no words of the meeting
  for (size_t at = 0; at < text.size() && file.go_on();) {
    size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    at = end + 1;
    // Soft line ends of quoted-printable, inside one property.
    const size_t first_colon = line.find(':');
    if (first_colon != std::string::npos &&
        ascii_lower(line.substr(0, first_colon)).find("quoted-printable") != std::string::npos)
      while (!line.empty() && line.back() == '=' && at < text.size()) {
        line.pop_back();
        end = std::min(text.find('\n', at), text.size());
        line += text.substr(at, end - at);
        at = end + 1;
      }
    // The colon behind the parameters; one inside quotes belongs to them.
    bool quoted = false;
    size_t colon = 0;
    while (colon < line.size() && (quoted || line[colon] != ':')) {
      if (line[colon] == '"') quoted = !quoted;
      ++colon;
    }
    if (colon >= line.size()) continue;
    std::string head = line.substr(0, colon);
    std::string value = line.substr(colon + 1);
    std::string name = head.substr(0, head.find(';'));
    if (const size_t group = name.find('.'); group != std::string::npos) name.erase(0, group + 1);
    for (char& c : name) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    if (name == "BEGIN" || name == "END") {
      if (ascii_lower(value).rfind("vtimezone", 0) == 0) zone = name == "BEGIN";
      continue;
    }
    if (zone || std::find(kSilent.begin(), kSilent.end(), name) != kSilent.end()) continue;
    if (name.rfind("X-", 0) == 0 && name != "X-WR-CALNAME" && name != "X-ALT-DESC") continue;
    const std::string parameters = ascii_lower(head);
    if (parameters.find("encoding=b") != std::string::npos) continue;  // a picture
    if (parameters.find("quoted-printable") != std::string::npos) {
      const size_t charset = parameters.find("charset=");
      value = mime::to_utf8(quoted_printable(value),
                            charset == std::string::npos
                                ? std::string()
                                : parameters.substr(charset + 8, parameters.find(';', charset) - charset - 8));
    }
    if (const size_t who = parameters.find("cn="); who != std::string::npos) {
      std::string person = head.substr(who + 3);
      person = !person.empty() && person[0] == '"' ? person.substr(1, person.find('"', 1) - 1)
                                                   : person.substr(0, person.find(';'));
      file.add(person + ' ');
    }
    if (name == "METHOD") file.add("METHOD ");
    if (name.rfind("DT", 0) == 0 || name == "DUE" || name == "BDAY" || name == "ANNIVERSARY" ||
        name == "RECURRENCE-ID") {
      value = readable_time(value);
    } else if (name == "X-ALT-DESC") {
      value = extract::html_to_text(unescaped(value));
    } else {
      value = unescaped(value);
      if (ascii_lower(value.substr(0, 7)) == "mailto:") value.erase(0, 7);
      if (name == "N" || name == "ADR" || name == "ORG") std::replace(value.begin(), value.end(), ';', ' ');
    }
    file.add(value);
    file.end_line();
  }
}

}  // namespace arch::document::internal
