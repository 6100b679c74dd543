#include "engine/mime/trace.h"

#include <algorithm>

#include "engine/base/bytes.h"
#include "engine/mime/headers.h"

namespace arch::mime {

namespace {

using internal::Field;
using internal::HeaderBlock;
using internal::same_name;
using internal::trimmed;

bool no_boundary(std::string_view) { return false; }

// The word behind `keyword`, outside comments and in front of the date. RFC 5321 section 4.4.
std::string_view word_behind(std::string_view received, std::string_view keyword) {
  int depth = 0;
  std::string_view before;
  for (size_t at = 0; at < received.size();) {
    const char c = received[at];
    if (c == '(') ++depth;
    if (c == ')') depth = std::max(0, depth - 1);
    if (c == ';' && depth == 0) break;
    if (depth > 0 || c == ')' || c == ' ' || c == '\t') {
      ++at;
      continue;
    }
    size_t end = received.find_first_of(" \t();", at);
    if (end == std::string_view::npos) end = received.size();
    const std::string_view word = received.substr(at, end - at);
    if (same_name(before, keyword)) return word;
    before = word;
    at = end;
  }
  return {};
}

bool is_trace(const Field& field, std::string_view mta_host) {
  for (std::string_view name : {"Return-Path", "Delivered-To", "X-Original-To", "X-Piler-Envelope-To"})
    if (same_name(field.name, name)) return true;
  return same_name(field.name, "Received") && !mta_host.empty() &&
         same_name(word_behind(internal::unfold(field.value), "by"), mta_host);
}

// Feeds text with every CR LF as LF.
class LineEnds {
 public:
  explicit LineEnds(Checksum64& hash) : hash_(hash) {}
  void add(std::string_view text) {
    while (!text.empty()) {
      const size_t at = text.find("\r\n");
      hash_.update(as_bytes(text.substr(0, at)));
      if (at == std::string_view::npos) return;
      text.remove_prefix(at + 1);
    }
  }

 private:
  Checksum64& hash_;
};

}  // namespace

uint64_t core_key(std::string_view message, std::string_view mta_host) {
  const HeaderBlock block = internal::scan_headers(message, 0, true, no_boundary);
  size_t first = 0;
  while (first < block.fields.size() && is_trace(block.fields[first], mta_host)) ++first;
  Checksum64 hash;
  LineEnds out(hash);
  uint64_t behind = first > 0 ? block.fields[first - 1].end : block.begin;
  for (size_t i = first; i < block.fields.size(); ++i) {
    const Field& field = block.fields[i];
    out.add(message.substr(behind, field.begin - behind));  // lines that are no field
    out.add(field.name);
    const std::string_view line = message.substr(field.begin, field.end - field.begin);
    const size_t colon = line.find(':', field.name.size());
    out.add(colon == std::string_view::npos ? line.substr(std::min(field.name.size(), line.size()))
                                            : line.substr(colon));
    behind = field.end;
  }
  std::string_view rest = message.substr(std::min<uint64_t>(behind, message.size()));
  if (!rest.empty() && rest.back() == '\n') rest.remove_suffix(1);
  if (!rest.empty() && rest.back() == '\r') rest.remove_suffix(1);
  out.add(rest);
  return hash.value();
}

std::string queue_id_of(std::string_view message, std::string_view mta_host) {
  const HeaderBlock block = internal::scan_headers(message, 0, true, no_boundary);
  for (const Field& field : block.fields) {
    if (!same_name(field.name, "Received")) {
      if (is_trace(field, {})) continue;
      return {};
    }
    const std::string received = internal::unfold(field.value);
    if (received.find("Postfix") == std::string::npos) return {};
    const bool ours = mta_host.empty() ? received.find("(Postfix, from userid ") != std::string::npos
                                       : same_name(word_behind(received, "by"), mta_host);
    return ours ? std::string(word_behind(received, "id")) : std::string();
  }
  return {};
}

}  // namespace arch::mime
