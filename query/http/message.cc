#include "query/http/message.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace arch::http {
namespace {

constexpr size_t kNameBytes = 150;

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// False: a broken percent sign, or a character that no name of ours has.
bool decode(std::string_view text, bool form, std::string* out) {
  out->clear();
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size() || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0) return false;
      c = static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
      i += 2;
    } else if (form && c == '+') {
      c = ' ';
    }
    if (c == '\0') return false;
    out->push_back(c);
  }
  return true;
}

std::string_view title(int status) {
  switch (status) {
    case 400:
      return "Bad request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not found";
    case 405:
      return "Method not allowed";
    case 406:
      return "Not acceptable";
    case 413:
      return "Too large";
    case 415:
      return "Unsupported media type";
    case 429:
      return "Too many requests";
    case 503:
      return "Service unavailable";
    default:
      return "Error";
  }
}

}  // namespace

std::string_view Request::header(std::string_view name) const {
  for (const auto& [each, value] : headers)
    if (each == name) return value;
  return {};
}

bool Request::has_header(std::string_view name) const {
  return std::any_of(headers.begin(), headers.end(), [&](const auto& each) { return each.first == name; });
}

std::string_view Request::parameter(std::string_view name) const {
  for (const auto& [each, value] : query)
    if (each == name) return value;
  return {};
}

bool parse_target(std::string_view target, std::string* path,
                  std::vector<std::pair<std::string, std::string>>* query) {
  if (target.empty() || target.front() != '/') return false;
  const size_t mark = target.find('?');
  const std::string_view raw = target.substr(0, mark);
  // What decodes to a separator would make two paths of one.
  std::string lower(raw);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  if (lower.find("%2f") != std::string::npos || lower.find("%5c") != std::string::npos ||
      lower.find('\\') != std::string::npos)
    return false;
  if (!decode(raw, false, path)) return false;
  for (size_t at = 0; at < path->size();) {
    const size_t end = std::min(path->find('/', at + 1), path->size());
    const std::string_view segment = std::string_view(*path).substr(at + 1, end - at - 1);
    if (segment == "." || segment == ".." || (segment.empty() && end != path->size())) return false;
    at = end;
  }
  for (char c : *path)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  if (mark == std::string_view::npos) return true;
  return parse_form(target.substr(mark + 1), query);
}

bool parse_form(std::string_view body, std::vector<std::pair<std::string, std::string>>* fields) {
  while (!body.empty()) {
    const size_t end = std::min(body.find('&'), body.size());
    const std::string_view pair = body.substr(0, end);
    body.remove_prefix(std::min(end + 1, body.size()));
    if (pair.empty()) continue;
    const size_t sign = std::min(pair.find('='), pair.size());
    std::string name, value;
    if (!decode(pair.substr(0, sign), true, &name) ||
        !decode(sign == pair.size() ? std::string_view() : pair.substr(sign + 1), true, &value))
      return false;
    fields->emplace_back(std::move(name), std::move(value));
  }
  return true;
}

Response problem(int status, std::string_view code, std::string_view detail, std::string_view hint) {
  nlohmann::ordered_json body = {
      {"type", "about:blank"}, {"title", title(status)}, {"status", status}, {"code", code}, {"detail", detail}};
  if (!hint.empty()) body["hint"] = hint;
  Response out;
  out.status = status;
  out.content_type = "application/problem+json";
  out.body = body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  return out;
}

std::string attachment_disposition(std::string_view name) {
  std::string clean;
  for (size_t i = 0; i < name.size(); ++i) {
    const auto c = static_cast<unsigned char>(name[i]);
    if (c < 0x20 || c == 0x7f || std::string_view("/\\:*?\"<>|").find(name[i]) != std::string_view::npos) continue;
    // U+202A–202E, U+2066–2069, U+200B–200F
    if (c == 0xe2 && i + 2 < name.size()) {
      const auto a = static_cast<unsigned char>(name[i + 1]), b = static_cast<unsigned char>(name[i + 2]);
      if ((a == 0x80 && ((b >= 0xaa && b <= 0xae) || (b >= 0x8b && b <= 0x8f))) ||
          (a == 0x81 && b >= 0xa6 && b <= 0xa9)) {
        i += 2;
        continue;
      }
    }
    clean += name[i];
  }
  while (!clean.empty() && (clean.front() == '.' || clean.front() == ' ')) clean.erase(0, 1);
  if (clean.size() > kNameBytes) {
    // The ending says what it is.
    const size_t dot = clean.rfind('.');
    const std::string ending =
        dot != std::string::npos && clean.size() - dot <= 12 ? clean.substr(dot) : std::string();
    size_t cut = kNameBytes - ending.size();
    while (cut > 0 && (static_cast<unsigned char>(clean[cut]) & 0xc0) == 0x80) --cut;
    clean = clean.substr(0, cut) + ending;
  }
  if (clean.empty()) clean = "file";
  std::string ascii, encoded;
  for (char c : clean) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      ascii += c;
    } else if ((byte & 0xc0) != 0x80) {
      ascii += '_';
    }
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
        std::string_view("!#$&+-.^_`|~").find(c) != std::string_view::npos) {
      encoded += c;
    } else {
      constexpr char kDigits[] = "0123456789ABCDEF";
      encoded += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return "attachment; filename=\"" + ascii + "\"; filename*=UTF-8''" + encoded;
}

}  // namespace arch::http
