#include "engine/mime/headers.h"

#include <algorithm>
#include <cstring>

#include "engine/base/limits.h"

namespace arch::mime::internal {

namespace {

constexpr int kJunkLinesAtStart = 8;  // a mail may begin with some lines that are no fields, if fields follow

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// Length of a line with its line end (LF or CRLF; a lone CR does not end a line).
size_t line_length(std::string_view text) {
  const void* newline = std::memchr(text.data(), '\n', text.size());
  return newline == nullptr ? text.size() : static_cast<size_t>(static_cast<const char*>(newline) - text.data()) + 1;
}

std::string_view without_line_end(std::string_view line) {
  if (!line.empty() && line.back() == '\n') line.remove_suffix(1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

// RFC 5322 section 3.6.8, and blanks before the colon as old mailers wrote them. 0 when the line begins no field,
// else the length of the name.
size_t field_name_length(std::string_view line) {
  size_t i = 0;
  while (i < line.size() && i < 256 && line[i] > 32 && line[i] < 127 && line[i] != ':') ++i;
  const size_t length = i;
  while (i < line.size() && is_blank(line[i])) ++i;
  return length > 0 && i < line.size() && line[i] == ':' ? length : 0;
}

// Does a field follow within a few lines, before an empty one?
bool field_follows(std::string_view text) {
  for (int lines = 0; lines < kJunkLinesAtStart && !text.empty(); ++lines) {
    const size_t length = line_length(text);
    std::string_view line = without_line_end(text.substr(0, length));
    if (line.empty()) return false;
    if (field_name_length(line) > 0) return true;
    text.remove_prefix(length);
  }
  return false;
}

}  // namespace

HeaderBlock scan_headers(std::string_view message) {
  HeaderBlock block;
  size_t at = 0;
  if (message.substr(0, 5) == "From ") at = line_length(message);
  block.begin = at;
  size_t header_bytes = 0;
  while (at < message.size()) {
    const size_t length = line_length(message.substr(at));
    std::string_view line = without_line_end(message.substr(at, length));
    if (line.empty()) {
      at += length;
      break;
    }
    const size_t name_length = is_blank(line.front()) ? 0 : field_name_length(line);
    if (is_blank(line.front()) && !block.fields.empty() && block.fields.back().end == at) {
      Field& field = block.fields.back();
      field.end = at + length;
    } else if (name_length > 0) {
      if (block.fields.size() >= limits::kHeaderCount || header_bytes > limits::kHeaderBytes) {
        block.partial = true;
      } else {
        Field field;
        field.name = line.substr(0, name_length);
        field.begin = at;
        field.end = at + length;
        block.fields.push_back(field);
      }
    } else {
      // No field: junk if fields go on behind it, else the body has begun without an empty line.
      if (!field_follows(message.substr(at + length))) break;
      if (block.junk.size() >= limits::kHeaderCount) {
        block.partial = true;
        break;
      }
      block.junk.emplace_back(at, at + length);
    }
    header_bytes += length;
    at += length;
  }
  block.end = at;
  for (Field& field : block.fields) {
    std::string_view whole = message.substr(field.begin, field.end - field.begin);
    field.value = without_line_end(whole.substr(whole.find(':') + 1));
    if (field.value.size() > limits::kHeaderFieldBytes) {
      field.value = field.value.substr(0, limits::kHeaderFieldBytes);
      block.partial = true;
    }
  }
  return block;
}

std::string unfold(std::string_view raw_value) {
  std::string out;
  out.reserve(raw_value.size());
  for (size_t i = 0; i < raw_value.size(); ++i) {
    char c = raw_value[i];
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
  size_t begin = out.find_first_not_of(" \t");
  if (begin == std::string::npos) return {};
  return out.substr(begin, out.find_last_not_of(" \t") - begin + 1);
}

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return (x >= 'A' && x <= 'Z' ? x + 32 : x) == (y >= 'A' && y <= 'Z' ? y + 32 : y);
         });
}

std::string working_copy(std::string_view message, const HeaderBlock& block) {
  // Long fields: every line that begins one, with its continuation lines, wherever it stands (embedded messages,
  // parts).
  std::vector<std::pair<uint64_t, uint64_t>> too_long;
  uint64_t field_begin = 0;
  bool in_field = false;
  auto end_field = [&](uint64_t end) {
    if (in_field && end - field_begin > limits::kHeaderFieldBytes)
      too_long.emplace_back(field_begin + limits::kHeaderFieldBytes, end);
    in_field = false;
  };
  if (message.size() > limits::kHeaderFieldBytes) {
    for (uint64_t at = 0; at < message.size();) {
      const size_t length = line_length(message.substr(at));
      std::string_view line = message.substr(at, length);
      if (!(is_blank(line.front()) && in_field)) {
        end_field(at);
        if (field_name_length(line.substr(0, 300)) > 0) {
          in_field = true;
          field_begin = at;
        }
      }
      at += length;
    }
    end_field(message.size());
  }
  const bool nuls = std::memchr(message.data(), '\0', message.size()) != nullptr;
  if (too_long.empty() && block.junk.empty() && !nuls) return {};

  std::string copy(message);
  if (nuls) std::replace(copy.begin(), copy.end(), '\0', ' ');
  for (const auto& [begin, end] : block.junk) {
    std::string_view line = without_line_end(message.substr(begin, end - begin));
    if (line.size() >= 2) {
      std::fill_n(copy.begin() + static_cast<std::ptrdiff_t>(begin), line.size(), ' ');
      copy[begin] = 'X';
      copy[begin + 1] = ':';
    } else {
      copy[begin] = ' ';
    }
  }
  for (const auto& [begin, end] : too_long)
    for (uint64_t i = begin; i < end; ++i)
      if (copy[i] != '\n' && copy[i] != '\r') copy[i] = ' ';
  return copy;
}

}  // namespace arch::mime::internal
