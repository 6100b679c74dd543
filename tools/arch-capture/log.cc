#include "tools/arch-capture/log.h"

#include <unistd.h>

#include <algorithm>

namespace arch::capture {

namespace {

std::string_view level_name(Level level) {
  switch (level) {
    case Level::kInfo:
      return "info";
    case Level::kWarning:
      return "warning";
    case Level::kError:
      return "error";
  }
  return "error";
}

// Within quotes: what a peer said may hold anything, and a line must stay one line of ASCII.
std::string quoted(std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out + '"';
}

bool is_plain(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f && c != '"'; });
}

}  // namespace

void Log::line(Level level, std::string_view event, const Fields& fields) {
  if (level < least_) return;
  std::string time = format_rfc3339(clock_.now(), 3);
  std::string out;
  if (json_) {
    out =
        "{\"time\":\"" + time + "\",\"level\":\"" + std::string(level_name(level)) + "\",\"event\":" + quoted(event);
    for (const auto& [key, value] : fields) out += ",\"" + std::string(key) + "\":" + quoted(value);
    out += "}\n";
  } else {
    out = time + " " + std::string(level_name(level)) + " " + std::string(event);
    for (const auto& [key, value] : fields)
      out += " " + std::string(key) + "=" + (is_plain(value) ? value : quoted(value));
    out += '\n';
  }
  // One write, so that lines of several processes do not mix. A log that is not taken must not stop mail.
  [[maybe_unused]] ssize_t written = write(STDERR_FILENO, out.data(), out.size());
}

void Log::stored(const ingest::Receipt& receipt, const RecordRef& place) {
  line(Level::kInfo, "stored",
       {{"queue_id", receipt.queue_id},
        {"size", std::to_string(receipt.size)},
        {"digest", receipt.digest.hex().substr(0, 16)},
        {"channel", std::string(channel_name(receipt.channel))},
        {"recipients", std::to_string(receipt.recipients)},
        {"peer", receipt.peer},
        {"answered", receipt.answered ? "yes" : "no"},
        {"journal", std::to_string(place.file) + ":" + std::to_string(place.offset)}});
}

void Log::not_stored(const ingest::Receipt& receipt, const Error& error) {
  line(Level::kError, "not-stored",
       {{"queue_id", receipt.queue_id},
        {"size", std::to_string(receipt.size)},
        {"digest", receipt.digest.hex().substr(0, 16)},
        {"peer", receipt.peer},
        {"code", std::string(code_name(error.code))},
        {"error", describe(error)}});
}

void Log::session_ended(const std::string& peer, const std::string& fault) {
  line(Level::kWarning, "session-ended", {{"peer", peer}, {"why", fault}});
}

void Log::notice(const std::string& text) { line(Level::kWarning, "notice", {{"text", text}}); }

}  // namespace arch::capture
