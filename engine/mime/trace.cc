#include "engine/mime/trace.h"

#include <algorithm>

#include "engine/mime/headers.h"

namespace arch::mime {

namespace {

using internal::same_name;

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

// What may stand above the topmost Received field.
bool is_delivery_field(std::string_view name) {
  for (std::string_view known : {"Return-Path", "Delivered-To", "X-Original-To"})
    if (same_name(name, known)) return true;
  return false;
}

}  // namespace

std::string queue_id_of(const Message& message, std::string_view mta_host) {
  for (const auto& [name, value] : message.headers) {
    if (!same_name(name, "Received")) {
      if (is_delivery_field(name)) continue;
      return {};
    }
    if (value.find("Postfix") == std::string::npos) return {};
    const bool ours = mta_host.empty() ? value.find("(Postfix, from userid ") != std::string::npos
                                       : same_name(word_behind(value, "by"), mta_host);
    return ours ? std::string(word_behind(value, "id")) : std::string();
  }
  return {};
}

}  // namespace arch::mime
