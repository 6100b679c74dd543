#include "ingest/reconcile/postfix_line.h"

#include <algorithm>
#include <array>
#include <ctime>

namespace arch::reconcile {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
// Whose lines say something of a queue file. Anything may be the instance's name in front of them (syslog_name).
constexpr std::array<std::string_view, 16> kPrograms = {"smtpd", "pickup", "cleanup", "qmgr",     "nqmgr",  "smtp",
                                                        "lmtp",  "pipe",   "local",   "virtual",  "bounce", "error",
                                                        "retry", "relay",  "discard", "postsuper"};

bool digits(std::string_view text, size_t at, size_t count) {
  return at + count <= text.size() && std::all_of(text.begin() + static_cast<std::ptrdiff_t>(at),
                                                  text.begin() + static_cast<std::ptrdiff_t>(at + count),
                                                  [](char c) { return c >= '0' && c <= '9'; });
}

int number(std::string_view text, size_t at, size_t count) {
  int value = 0;
  for (char c : text.substr(at, count)) value = value * 10 + (c - '0');
  return value;
}

std::string_view take_word(std::string_view* line) {
  size_t end = std::min(line->find(' '), line->size());
  std::string_view word = line->substr(0, end);
  line->remove_prefix(std::min(end + 1, line->size()));
  return word;
}

// "2026-11-25T14:56:17.123456+01:00", the fraction and the colon of the zone left out or not.
std::optional<UnixNs> take_iso_time(std::string_view* line) {
  std::string_view text = *line;
  if (!digits(text, 0, 4) || text.size() < 20 || text[4] != '-' || !digits(text, 5, 2) || !digits(text, 8, 2) ||
      (text[10] != 'T' && text[10] != ' ') || !digits(text, 11, 2) || !digits(text, 14, 2) || !digits(text, 17, 2))
    return std::nullopt;
  const int month = number(text, 5, 2), day = number(text, 8, 2);
  if (month < 1 || month > 12 || day < 1 || day > 31) return std::nullopt;
  UnixNs time =
      (days_from_civil(number(text, 0, 4), static_cast<unsigned>(month), static_cast<unsigned>(day)) * 86'400 +
       number(text, 11, 2) * 3600 + number(text, 14, 2) * 60 + number(text, 17, 2)) *
      kNsPerSecond;
  size_t at = 19;
  if (at < text.size() && (text[at] == '.' || text[at] == ',')) {
    UnixNs unit = kNsPerSecond / 10;
    for (++at; at < text.size() && digits(text, at, 1); ++at, unit /= 10) time += (text[at] - '0') * unit;
  }
  if (at >= text.size()) return std::nullopt;
  if (text[at] == '+' || text[at] == '-') {
    const int sign = text[at] == '+' ? 1 : -1;
    if (!digits(text, at + 1, 2)) return std::nullopt;
    const size_t minutes = at + 3 + (at + 3 < text.size() && text[at + 3] == ':' ? 1 : 0);
    if (!digits(text, minutes, 2)) return std::nullopt;
    time -= sign * (number(text, at + 1, 2) * 3600 + number(text, minutes, 2) * 60) * kNsPerSecond;
    at = minutes + 2;
  } else if (text[at] == 'Z') {
    ++at;
  }
  if (at >= text.size() || text[at] != ' ') return std::nullopt;
  line->remove_prefix(at + 1);
  return time;
}

}  // namespace

bool is_queue_id(std::string_view text) {
  if (text.size() < 6 || text.size() > 32) return false;
  bool hex = true, long_form = text.size() >= 10 && text.find('z') != std::string_view::npos;
  for (char c : text) {
    const bool digit = c >= '0' && c <= '9', upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z';
    hex = hex && (digit || (c >= 'A' && c <= 'F'));
    long_form =
        long_form && (digit || upper || lower) && std::string_view("AEIOUaeiou").find(c) == std::string_view::npos;
  }
  return hex || long_form;
}

std::string_view field_of(std::string_view text, std::string_view name) {
  for (size_t at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
    const size_t value = at + name.size();
    if ((at != 0 && text[at - 1] != ' ') || value >= text.size() || text[value] != '=') continue;
    std::string_view rest = text.substr(value + 1);
    if (!rest.empty() && rest[0] == '<') {
      size_t end = rest.find('>');
      return end == std::string_view::npos ? rest.substr(1) : rest.substr(1, end - 1);
    }
    return rest.substr(0, std::min({rest.find(", "), rest.find(' '), rest.size()}));
  }
  return {};
}

// "Nov 25 14:56:17", local time without a year.
std::optional<UnixNs> LineParser::take_bsd_time(std::string_view* line) {
  std::string_view text = *line;
  if (text.size() < 16 || text[3] != ' ' || text[6] != ' ' || text[9] != ':' || text[12] != ':' || text[15] != ' ' ||
      !digits(text, 7, 2) || !digits(text, 10, 2) || !digits(text, 13, 2) || !digits(text, 5, 1) ||
      (text[4] != ' ' && !digits(text, 4, 1)))
    return std::nullopt;
  if (text.substr(0, 9) != hour_) {
    auto month = std::find(kMonths.begin(), kMonths.end(), text.substr(0, 3));
    if (month == kMonths.end()) return std::nullopt;
    const std::time_t now = static_cast<std::time_t>(now_ / kNsPerSecond);
    std::tm today{};
    ::localtime_r(&now, &today);
    std::tm hour{};
    hour.tm_year = today.tm_year;
    hour.tm_mon = static_cast<int>(month - kMonths.begin());
    hour.tm_mday = (text[4] == ' ' ? 0 : number(text, 4, 1) * 10) + number(text, 5, 1);
    hour.tm_hour = number(text, 7, 2);
    hour.tm_isdst = -1;
    std::tm same = hour;
    std::time_t seconds = std::mktime(&same);
    if (seconds > now + 86'400) {  // a December seen from January
      --hour.tm_year;
      seconds = std::mktime(&hour);
    }
    hour_ = text.substr(0, 9);
    hour_time_ = static_cast<UnixNs>(seconds) * kNsPerSecond;
  }
  line->remove_prefix(16);
  return hour_time_ + (number(text, 10, 2) * 60 + number(text, 13, 2)) * kNsPerSecond;
}

std::optional<UnixNs> LineParser::take_time(std::string_view* line) {
  if (!line->empty() && line->front() == '<') {  // a priority, as some relays keep it
    size_t end = line->find('>');
    if (end == std::string_view::npos || end > 4) return std::nullopt;
    line->remove_prefix(end + 1);
    if (digits(*line, 0, 1) && line->substr(1, 1) == " ") line->remove_prefix(2);  // RFC 5424's version
  }
  if (auto time = take_iso_time(line)) return time;
  return take_bsd_time(line);
}

std::optional<UnixNs> LineParser::time_of(std::string_view line) { return take_time(&line); }

std::optional<PostfixLine> LineParser::parse(std::string_view line) {
  // Twice: a container's log has the container's own line inside the host's.
  for (int depth = 0; depth < 2; ++depth) {
    PostfixLine out;
    auto time = take_time(&line);
    if (!time) return std::nullopt;
    out.time = *time;
    take_word(&line);  // the host
    std::string_view tag = take_word(&line);
    if (!tag.empty() && tag.back() == ':') tag.remove_suffix(1);
    tag = tag.substr(0, tag.find('['));
    const size_t slash = tag.rfind('/');
    out.program = slash == std::string_view::npos ? std::string_view() : tag.substr(slash + 1);
    if (std::find(kPrograms.begin(), kPrograms.end(), out.program) == kPrograms.end()) continue;
    const size_t colon = line.find(": ");
    if (colon != std::string_view::npos && is_queue_id(line.substr(0, colon))) {
      out.queue_id = line.substr(0, colon);
      line.remove_prefix(colon + 2);
    }
    out.text = line;
    return out;
  }
  return std::nullopt;
}

}  // namespace arch::reconcile
