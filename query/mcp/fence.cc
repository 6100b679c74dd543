#include "query/mcp/fence.h"

#include <openssl/rand.h>

#include <cstdio>

#include "query/text/fold_table.h"

namespace arch::mcp {
namespace {

bool hides(uint32_t c) {
  if (c < 0x20) return c != '\n' && c != '\t';
  return (c >= 0x7f && c <= 0x9f) || (c >= 0x200b && c <= 0x200f) || c == 0x2060 || c == 0xfeff ||
         (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || (c >= 0xe0000 && c <= 0xe007f) ||
         c == 0x2028 || c == 0x2029 || c == 0x00ad || c == 0x061c || c == 0x180e || (c >= 0xfff9 && c <= 0xfffb);
}

}  // namespace

Fence::Fence() { draw(); }

void Fence::draw() {
  unsigned char random[8] = {};
  RAND_bytes(random, sizeof random);
  nonce_.clear();
  for (unsigned char byte : random) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", byte);
    nonce_ += digits;
  }
}

void Fence::avoid(std::string_view content) {
  while (content.find(nonce_) != std::string_view::npos) draw();
}

std::string Fence::clean(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    uint32_t code_point = 0;
    const size_t length = text::decode(text, at, &code_point);
    if (length == 0) {
      out += "\xef\xbf\xbd";
      ++at;
      continue;
    }
    if (code_point == '\r' && at + 1 < text.size() && text[at + 1] == '\n') {
      at += 1;
      continue;
    }
    if (hides(code_point)) {
      ++hidden_;
      char shown[16];
      std::snprintf(shown, sizeof shown, "\\u{%X}", code_point);
      out += shown;
    } else {
      out.append(text.substr(at, length));
    }
    at += length;
  }
  return out;
}

std::string Fence::fenced(std::string_view kind, std::string_view text) {
  std::string out = "<<MAIL " + nonce_ + " " + std::string(kind) + ">>\n";
  const uint64_t counted = hidden_;
  const std::string cleaned = clean(text);
  hidden_ = counted;
  std::string_view rest = cleaned;
  do {
    const size_t end = rest.find('\n');
    out += "| ";
    out += rest.substr(0, end);
    out += '\n';
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  } while (!rest.empty());
  return out + "<<END " + nonce_ + ">>\n";
}

}  // namespace arch::mcp
