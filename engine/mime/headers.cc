#include "engine/mime/headers.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "engine/base/ascii.h"
#include "engine/base/limits.h"
#include "engine/mime/message.h"

namespace arch::mime::internal {

namespace {

// Lines that are no fields may stand among the fields, and more of them in front, if known fields follow so soon.
constexpr int kLookAheadLines = 8;
constexpr int kLookAheadLinesInFront = 32;

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// RFC 5322 section 3.6.8, and blanks before the colon as old mailers wrote them. 0 when the line begins no field, else the
// length of the name.
size_t field_name_length(std::string_view line) {
  size_t i = 0;
  while (i < line.size() && i < 256 && line[i] > 32 && line[i] < 127 && line[i] != ':') ++i;
  const size_t length = i;
  while (i < line.size() && i < 512 && is_blank(line[i])) ++i;
  return length > 0 && i < line.size() && line[i] == ':' ? length : 0;
}

// Fields that mail has in practice. Text such as "Note: …" must not make the scanner take a body for header fields.
bool is_known_field(std::string_view name) {
  static constexpr std::array kNames = {"from",
                                        "to",
                                        "cc",
                                        "bcc",
                                        "subject",
                                        "date",
                                        "sender",
                                        "reply-to",
                                        "message-id",
                                        "mime-version",
                                        "received",
                                        "references",
                                        "in-reply-to",
                                        "return-path",
                                        "delivered-to",
                                        "importance",
                                        "priority",
                                        "precedence",
                                        "organization",
                                        "user-agent",
                                        "lines",
                                        "status",
                                        "errors-to",
                                        "keywords",
                                        "thread-topic",
                                        "thread-index",
                                        "auto-submitted",
                                        "authentication-results"};
  static constexpr std::array kPrefixes = {"x-", "content-", "list-", "resent-", "dkim-", "arc-", "received-"};
  const std::string low = ascii_lower(name);
  return std::any_of(kNames.begin(), kNames.end(), [&](const char* known) { return low == known; }) ||
         std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [&](const char* prefix) { return low.rfind(prefix, 0) == 0; });
}

bool known_field_follows(std::string_view text, int within) {
  for (int lines = 0; lines < within && !text.empty(); ++lines) {
    const size_t length = line_length(text);
    const std::string_view line = without_line_end(text.substr(0, length));
    if (line.empty()) return false;
    const size_t name = field_name_length(line);
    if (name > 0 && is_known_field(line.substr(0, name))) return true;
    text.remove_prefix(length);
  }
  return false;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

std::string decode_q(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '_') {
      out.push_back(' ');
    } else if (text[i] == '=' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
      out.push_back(static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

std::string decode_b(std::string_view text) {
  std::string out;
  uint32_t bits = 0;
  int have = 0;
  for (char c : text) {
    int value;
    if (c >= 'A' && c <= 'Z')
      value = c - 'A';
    else if (c >= 'a' && c <= 'z')
      value = c - 'a' + 26;
    else if (c >= '0' && c <= '9')
      value = c - '0' + 52;
    else if (c == '+')
      value = 62;
    else if (c == '/')
      value = 63;
    else if (c == '=') {
      have = 0;
      bits = 0;
      continue;
    } else
      continue;
    bits = bits << 6 | static_cast<uint32_t>(value);
    have += 6;
    if (have >= 8) {
      have -= 8;
      out.push_back(static_cast<char>(bits >> have & 0xff));
    }
  }
  return out;
}

// A decoded field is one line: control characters become blanks.
void make_one_line(std::string* text) {
  for (char& c : *text)
    if (static_cast<unsigned char>(c) < 32 || c == 127) c = ' ';
}

}  // namespace

size_t line_length(std::string_view text) {
  const void* newline = text.empty() ? nullptr : std::memchr(text.data(), '\n', text.size());
  return newline == nullptr ? text.size() : static_cast<size_t>(static_cast<const char*>(newline) - text.data()) + 1;
}

std::string_view without_line_end(std::string_view line) {
  if (!line.empty() && line.back() == '\n') line.remove_suffix(1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return (x >= 'A' && x <= 'Z' ? x + 32 : x) == (y >= 'A' && y <= 'Z' ? y + 32 : y);
         });
}

const Field* HeaderBlock::find(std::string_view name) const {
  for (const Field& field : fields)
    if (same_name(field.name, name)) return &field;
  return nullptr;
}

HeaderBlock scan_headers(std::string_view message, uint64_t begin, bool top,
                         const std::function<bool(std::string_view line)>& is_boundary) {
  HeaderBlock block;
  uint64_t at = begin;
  if (top && message.substr(at, 3) == "\xef\xbb\xbf") at += 3;
  if (top && message.substr(at, 5) == "From ") at += line_length(message.substr(at));
  block.begin = at;
  size_t field_bytes = 0;
  bool in_field = false;  // the last line belonged to fields.back()
  bool dropping = false;  // the last line belonged to a field over a limit
  while (at < message.size()) {
    const size_t length = line_length(message.substr(at));
    const std::string_view whole_line = message.substr(at, length);
    const std::string_view line = without_line_end(whole_line);
    if (line.empty()) {
      at += length;
      break;
    }
    if (is_boundary(whole_line)) break;
    const bool continues = is_blank(line.front());
    const size_t name_length = continues ? 0 : field_name_length(line);
    if (continues && (in_field || dropping)) {
      if (in_field) block.fields.back().end = at + length;
    } else if (name_length > 0) {
      in_field = block.fields.size() < limits::kHeaderCount && field_bytes < limits::kHeaderBytes;
      dropping = !in_field;
      if (in_field) {
        Field field;
        field.name = line.substr(0, name_length);
        field.begin = at;
        field.end = at + length;
        block.fields.push_back(field);
      } else {
        block.partial = true;
      }
    } else {
      // No field: passed over if known fields go on behind it, else the body has begun without an empty line.
      in_field = dropping = false;
      const int within = block.fields.empty() && top ? kLookAheadLinesInFront : kLookAheadLines;
      if (!known_field_follows(message.substr(at + length), within)) break;
    }
    if (in_field) field_bytes += length;
    at += length;
  }
  block.end = at;
  uint64_t budget = limits::kHeaderBytes;
  for (Field& field : block.fields) {
    const std::string_view whole = message.substr(field.begin, field.end - field.begin);
    field.value = without_line_end(whole.substr(whole.find(':') + 1));
    if (field.value.size() > budget) {
      field.value = field.value.substr(0, budget);
      block.partial = true;
    }
    budget -= field.value.size();
  }
  return block;
}

std::string unfold(std::string_view raw_value) {
  std::string out;
  out.reserve(raw_value.size());
  for (size_t i = 0; i < raw_value.size(); ++i) {
    const char c = raw_value[i];
    if (c == '\r' || c == '\n') {
      // One blank for the line end and the blanks that follow it.
      while (i + 1 < raw_value.size() &&
             (is_blank(raw_value[i + 1]) || raw_value[i + 1] == '\r' || raw_value[i + 1] == '\n'))
        ++i;
      out.push_back(' ');
    } else if (c != '\0') {
      out.push_back(c);
    }
  }
  return std::string(trimmed(out));
}

std::string decode_words(std::string_view text) {
  if (text.find("=?") == std::string_view::npos) {
    std::string out(text);
    make_one_line(&out);
    return out;
  }
  std::string out;
  std::string pending, pending_charset;  // decoded bytes of neighbouring words: a character may be cut between two
  bool after_word = false;
  const auto flush = [&] {
    if (!pending.empty()) out += to_utf8(pending, pending_charset);
    pending.clear();
  };
  bool no_more_ends = false;
  size_t plain_begin = 0;  // text not yet put out
  size_t at = 0;
  while (at < text.size()) {
    const size_t start = no_more_ends ? std::string_view::npos : text.find("=?", at);
    if (start == std::string_view::npos) break;
    at = start + 2;
    size_t charset_end = at;
    while (charset_end < text.size() && charset_end - at <= 64 && text[charset_end] != '?' &&
           text[charset_end] != ' ' && text[charset_end] != '=')
      ++charset_end;
    if (charset_end + 2 >= text.size() || charset_end == at || text[charset_end] != '?' ||
        text[charset_end + 2] != '?')
      continue;
    const char encoding = static_cast<char>(text[charset_end + 1] | 0x20);
    if (encoding != 'q' && encoding != 'b') continue;
    const size_t text_begin = charset_end + 3;
    const size_t text_end = text.find("?=", text_begin);
    if (text_end == std::string_view::npos) {
      no_more_ends = true;
      break;
    }
    std::string charset = ascii_lower(text.substr(at, charset_end - at));
    if (const size_t star = charset.find('*'); star != std::string::npos) charset.resize(star);  // RFC 2231 language
    const std::string_view plain = text.substr(plain_begin, start - plain_begin);
    const bool joined = after_word && trimmed(plain).empty();
    if (!joined) {
      flush();
      out += plain;
    } else if (charset != pending_charset) {
      flush();
    }
    const std::string_view encoded = text.substr(text_begin, text_end - text_begin);
    pending += encoding == 'q' ? decode_q(encoded) : decode_b(encoded);
    pending_charset = charset;
    after_word = true;
    at = plain_begin = text_end + 2;
  }
  flush();
  out += text.substr(plain_begin);
  make_one_line(&out);
  return out;
}

std::string decode_text(std::string_view raw_value, std::string_view charset_hint) {
  return std::string(trimmed(decode_words(to_utf8(unfold(raw_value), charset_hint))));
}

}  // namespace arch::mime::internal
