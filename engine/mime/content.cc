// The transfer encodings undone: quoted-printable by GMime 3.2.13; base64 here, since GMime ends at the first padding and
// drops an unpadded last group (two streams in one part, cut mails); uuencode here, since GMime wants its begin line apart.
#include <gmime/gmime.h>

#include <algorithm>
#include <array>

#include "engine/mime/gmime_init.h"
#include "engine/mime/headers.h"
#include "engine/mime/message.h"

namespace arch::mime {

namespace {

constexpr size_t kChunk = 256u << 10;  // encoded bytes handed to GMime at once, so that `limit` bounds memory

std::string decode_quoted_printable(std::string_view encoded, uint64_t limit) {
  internal::init_gmime();
  GMimeEncoding state;
  g_mime_encoding_init_decode(&state, GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
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

constexpr uint8_t kSkip = 64, kPadding = 128;

constexpr std::array<uint8_t, 256> base64_values() {
  std::array<uint8_t, 256> table{};
  table.fill(kSkip);
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < kAlphabet.size(); ++i)
    table[static_cast<unsigned char>(kAlphabet[i])] = static_cast<uint8_t>(i);
  table['='] = kPadding;
  return table;
}

// RFC 2045 section 6.8: what is not of the alphabet is skipped. Padding ends a group, not the content.
std::string decode_base64(std::string_view encoded, uint64_t limit) {
  static constexpr std::array<uint8_t, 256> kValues = base64_values();
  std::string out;
  out.resize(std::min<uint64_t>(encoded.size() / 4 * 3, limit) + 3);  // what junk leaves unused is cut below
  char* to = out.data();
  const auto* from = reinterpret_cast<const unsigned char*>(encoded.data());
  const auto* const end = from + encoded.size();
  uint32_t bits = 0;
  int have = 0;  // bits not put out yet
  const auto below_limit = [&] { return static_cast<uint64_t>(to - out.data()) < limit; };
  while (from < end && below_limit()) {
    if (have == 0) {
      while (end - from >= 4 && below_limit()) {
        const uint32_t a = kValues[from[0]], b = kValues[from[1]], c = kValues[from[2]], d = kValues[from[3]];
        if ((a | b | c | d) >= kSkip) break;
        const uint32_t group = a << 18 | b << 12 | c << 6 | d;
        to[0] = static_cast<char>(group >> 16);
        to[1] = static_cast<char>(group >> 8);
        to[2] = static_cast<char>(group);
        to += 3;
        from += 4;
      }
      if (from == end || !below_limit()) break;
    }
    const uint8_t value = kValues[*from++];
    if (value == kPadding) {
      bits = 0;
      have = 0;
    } else if (value < kSkip) {
      bits = bits << 6 | value;
      have += 6;
      if (have >= 8) {
        have -= 8;
        *to++ = static_cast<char>(bits >> have);
      }
    }
  }
  out.resize(std::min<uint64_t>(static_cast<uint64_t>(to - out.data()), limit));
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
      return decode_base64(encoded, limit);
    case Encoding::kQuotedPrintable:
      return decode_quoted_printable(encoded, limit);
    case Encoding::kUuencode:
      return decode_uuencode(encoded, limit);
  }
  return std::string(encoded.substr(0, limit));
}

}  // namespace arch::mime
