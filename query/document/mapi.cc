#include "query/document/mapi.h"

#include <algorithm>

#include "query/document/le.h"
#include "query/extract/extract.h"

namespace arch::document::internal {

std::string decompress_rtf(std::string_view compressed, uint64_t limit) {
  // The 207 bytes that the dictionary begins with ([MS-OXRTFCP] 2.1.2.1).
  static constexpr std::string_view kBegin =
      "{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS "
      "Sans "
      "SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par "
      "\\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";
  static_assert(kBegin.size() == 207);
  constexpr uint32_t kCompressed = 0x75465a4c, kStored = 0x414c454d;
  const Le field(compressed);
  limit = std::min<uint64_t>(limit, field.u32(4));
  if (field.u32(8) == kStored) return std::string(compressed.substr(std::min<size_t>(16, compressed.size()), limit));
  if (field.u32(8) != kCompressed) return {};
  std::string dictionary(kBegin);
  dictionary.resize(4096, ' ');
  size_t write = kBegin.size();
  std::string out;
  const auto put = [&](char c) {
    out.push_back(c);
    dictionary[write] = c;
    write = (write + 1) % dictionary.size();
  };
  size_t at = 16;
  while (at < compressed.size() && out.size() < limit) {
    uint8_t control = field.u8(at++);
    for (int bit = 0; bit < 8 && at < compressed.size() && out.size() < limit; ++bit, control >>= 1) {
      if ((control & 1) == 0) {
        put(compressed[at++]);
        continue;
      }
      const unsigned reference = static_cast<unsigned>(field.u8(at)) << 8 | field.u8(at + 1);
      at += 2;
      size_t from = reference >> 4;
      if (from == write) return out;  // the end's mark
      for (unsigned length = (reference & 0xf) + 2; length > 0 && out.size() < limit; --length) {
        put(dictionary[from]);
        from = (from + 1) % dictionary.size();
      }
    }
  }
  return out;
}

void add_body(File& file, const Bodies& bodies) {
  file.end_line();
  if (bodies.plain.find_first_not_of(" \t\r\n") != std::string::npos) {
    file.add(bodies.plain);
  } else if (!bodies.html.empty()) {
    file.add(extract::html_to_text(decode_html(bodies.html, bodies.html_charset)));
  } else if (!bodies.compressed_rtf.empty()) {
    const std::string rtf = decompress_rtf(bodies.compressed_rtf, file.budget().expansion_left());
    if (!file.budget().expand(rtf.size())) file.fail(Status::kOverLimit, "unpacks to more than the limit");
    if (rtf.empty()) file.fail(Status::kBroken, "its text is damaged");
    read_text_as_rtf(file, rtf);
  }
  file.end_line();
}

}  // namespace arch::document::internal
