// The transfer encodings undone: base64 and quoted-printable by GMime 3.2.13, uuencode here.
#include <gmime/gmime.h>

#include <algorithm>

#include "engine/mime/gmime_init.h"
#include "engine/mime/headers.h"
#include "engine/mime/message.h"

namespace arch::mime {

namespace {

constexpr size_t kChunk = 256u << 10;  // encoded bytes handed to GMime at once, so that `limit` bounds memory

std::string decode_with_gmime(std::string_view encoded, GMimeContentEncoding encoding, uint64_t limit) {
  internal::init_gmime();
  GMimeEncoding state;
  g_mime_encoding_init_decode(&state, encoding);
  std::string out;
  out.reserve(std::min<uint64_t>(limit, encoded.size()) + 16);
  while (!encoded.empty() && out.size() < limit) {
    const std::string_view chunk = encoded.substr(0, kChunk);
    const size_t used = out.size();
    out.resize(used + g_mime_encoding_outlen(&state, chunk.size()) + 16);
    out.resize(used + g_mime_encoding_step(&state, chunk.data(), chunk.size(), out.data() + used));
    encoded.remove_prefix(chunk.size());
  }
  const size_t used = out.size();
  out.resize(used + 256);
  out.resize(used + g_mime_encoding_flush(&state, "", 0, out.data() + used));
  if (out.size() > limit) out.resize(limit);
  return out;
}

std::string decode_uuencode(std::string_view encoded, uint64_t limit) {
  std::string out;
  bool begun = false;
  while (!encoded.empty() && out.size() < limit) {
    const size_t length = internal::line_length(encoded);
    const std::string_view line = internal::without_line_end(encoded.substr(0, length));
    encoded.remove_prefix(length);
    if (!begun) {
      begun = line.rfind("begin ", 0) == 0;
      continue;
    }
    if (line == "end" || line.empty()) break;
    const auto value = [&](size_t i) -> uint32_t {
      return i < line.size() ? (static_cast<uint32_t>(line[i]) - 32) & 0x3f : 0;
    };
    size_t left = value(0);
    if (left == 0) break;
    for (size_t i = 1; left > 0; i += 4) {
      const uint32_t bits = value(i) << 18 | value(i + 1) << 12 | value(i + 2) << 6 | value(i + 3);
      for (int shift = 16; shift >= 0 && left > 0; shift -= 8, --left)
        out.push_back(static_cast<char>(bits >> shift));
    }
  }
  if (out.size() > limit) out.resize(limit);
  return out;
}

}  // namespace

std::string decode_content(std::string_view message, const Part& part, uint64_t limit) {
  const uint64_t begin = std::min<uint64_t>(part.body_begin, message.size());
  const uint64_t end = std::clamp<uint64_t>(part.body_end, begin, message.size());
  const std::string_view encoded = message.substr(begin, end - begin);
  switch (part.encoding) {
    case Encoding::kIdentity:
      break;
    case Encoding::kBase64:
      return decode_with_gmime(encoded, GMIME_CONTENT_ENCODING_BASE64, limit);
    case Encoding::kQuotedPrintable:
      return decode_with_gmime(encoded, GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE, limit);
    case Encoding::kUuencode:
      return decode_uuencode(encoded, limit);
  }
  return std::string(encoded.substr(0, limit));
}

}  // namespace arch::mime
