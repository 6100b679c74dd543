#include "ingest/import/looks.h"

#include <algorithm>
#include <array>
#include <string>

#include "engine/base/ascii.h"

namespace arch::import {
namespace {

bool blank(char c) { return c == ' ' || c == '\t'; }
bool digit(char c) { return c >= '0' && c <= '9'; }

std::string_view without_line_end(std::string_view line) {
  if (!line.empty() && line.back() == '\n') line.remove_suffix(1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

/// The field's name; empty when the line is no field.
std::string_view field_name(std::string_view line) {
  size_t end = 0;
  while (end < line.size() && line[end] > ' ' && line[end] < 127 && line[end] != ':') ++end;
  size_t colon = end;
  while (colon < line.size() && blank(line[colon])) ++colon;
  if (end == 0 || end > 76 || colon >= line.size() || line[colon] != ':') return {};
  return line.substr(0, end);
}

// Names that nothing but mail begins with: one is enough.
constexpr std::array<std::string_view, 31> kStrong = {
    "received",
    "return-path",
    "message-id",
    "mime-version",
    "content-type",
    "delivered-to",
    "delivery-date",
    "envelope-to",
    "dkim-signature",
    "domainkey-signature",
    "reply-to",
    "in-reply-to",
    "references",
    "content-transfer-encoding",
    "content-disposition",
    "list-id",
    "list-unsubscribe",
    "authentication-results",
    "arc-seal",
    "received-spf",
    "x-mailer",
    "x-original-to",
    "x-gmail-labels",
    "x-mozilla-status",
    "x-spam-status",
    "x-originating-ip",
    "user-agent",
    "thread-topic",
    "thread-index",
    "apparently-to",
    "errors-to",
};
// Names that a memo or a configuration file may hold too: two different ones are wanted.
constexpr std::array<std::string_view, 11> kWeak = {
    "from", "to", "cc", "bcc", "subject", "date", "sender", "importance", "priority", "organization", "status",
};

template <size_t N>
bool among(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string_view next_word(std::string_view* text) {
  while (!text->empty() && blank(text->front())) text->remove_prefix(1);
  size_t end = 0;
  while (end < text->size() && !blank((*text)[end])) ++end;
  std::string_view word = text->substr(0, end);
  text->remove_prefix(end);
  return word;
}

bool is_month(std::string_view word) {
  constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                        "jul", "aug", "sep", "oct", "nov", "dec"};
  return word.size() >= 3 && among(kMonths, ascii_lower(word.substr(0, 3)));
}

/// hh:mm, hh:mm:ss
bool is_time(std::string_view word) {
  size_t colon = word.find(':');
  if (colon == 0 || colon > 2 || colon == std::string_view::npos || word.size() < colon + 3) return false;
  for (size_t i = 0; i < colon; ++i)
    if (!digit(word[i])) return false;
  return digit(word[colon + 1]) && digit(word[colon + 2]) && (word.size() == colon + 3 || word[colon + 3] == ':');
}

bool is_year(std::string_view word) {
  return word.size() == 4 && std::all_of(word.begin(), word.end(), digit) && (word[0] == '1' || word[0] == '2');
}

}  // namespace

bool is_header_field(std::string_view line) { return !field_name(without_line_end(line)).empty(); }

FromLine classify_from_line(std::string_view line) {
  line = without_line_end(line);
  if (line.substr(0, 5) != "From " || line.size() > 1000) return FromLine::kNo;
  std::string_view rest = line.substr(5);
  std::string_view sender = next_word(&rest);
  if (sender == "-" && rest.find_first_not_of(" \t") == std::string_view::npos) return FromLine::kSeparator;
  // The order of weekday, day, zone and year differs between programs; a month, a time and a year are always there.
  bool month = false, time = false, year = false;
  for (int words = 0; words < 14; ++words) {  // a sender may hold blanks ("From Jane Doe Mon Jun …")
    std::string_view word = next_word(&rest);
    if (word.empty()) break;
    if (word.back() == ',') word.remove_suffix(1);
    month = month || is_month(word);
    time = time || is_time(word);
    year = year || is_year(word);
  }
  return month && time && year ? FromLine::kSeparator : FromLine::kNo;
}

bool looks_like_mail(std::string_view beginning) {
  constexpr int kLines = 200;
  std::array<bool, kWeak.size()> weak{};
  bool strong = false, any_field = false;
  for (int number = 0; number < kLines && !beginning.empty(); ++number) {
    size_t end = beginning.find('\n');
    std::string_view line = without_line_end(beginning.substr(0, end == std::string_view::npos ? end : end + 1));
    beginning.remove_prefix(end == std::string_view::npos ? beginning.size() : end + 1);
    if (line.find_first_not_of(" \t") == std::string_view::npos) {
      if (any_field) break;  // end of the header; blank lines before any field are junk to be passed over
      continue;
    }
    while (!any_field && !line.empty() && blank(line.front())) line.remove_prefix(1);  // " From: …" as the first line
    std::string name = ascii_lower(field_name(line));
    if (name.empty()) continue;
    strong = strong || among(kStrong, name);
    for (size_t i = 0; i < kWeak.size(); ++i) weak[i] = weak[i] || name == kWeak[i];
    any_field = strong || std::find(weak.begin(), weak.end(), true) != weak.end();
  }
  return strong || std::count(weak.begin(), weak.end(), true) >= 2;
}

}  // namespace arch::import
