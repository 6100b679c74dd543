// Word 6 to 2003 ([MS-DOC]). The piece table lists where the text lies: body, footnotes, headers, comments, endnotes, text boxes, in
// this order, each piece in windows-1252 or UTF-16.
#include <algorithm>

#include "engine/mime/message.h"
#include "query/document/cfb.h"
#include "query/document/codepage.h"
#include "query/document/le.h"
#include "query/document/utf16.h"

namespace arch::document::internal {

namespace {

constexpr uint16_t kWord97 = 105;  // nFib; smaller: Word 6 and 95

// Word's own characters: marks of paragraphs, cells and fields. State goes from piece to piece.
class Characters {
 public:
  explicit Characters(File& file) : file_(file) {}

  bool put(std::string_view utf8) {
    std::string out;
    for (const char c : utf8) {
      switch (c) {
        case 0x13:  // a field: its instruction, then 0x14, then what is shown, then 0x15
          if (fields_.size() >= kFieldDepth) continue;
          fields_.push_back('i');
          ++instructions_;
          continue;
        case 0x14:
          if (!fields_.empty() && fields_.back() == 'i') {
            fields_.back() = 's';
            --instructions_;
          }
          continue;
        case 0x15:
          if (fields_.empty()) continue;
          if (fields_.back() == 'i') --instructions_;
          fields_.pop_back();
          continue;
        default:
          break;
      }
      if (instructions_ > 0) continue;
      switch (c) {
        case 0x07:
          out += '\t';
          break;
        case 0x0b:
        case 0x0c:
        case 0x0d:
          out += '\n';
          break;
        case 0x1e:
          out += '-';
          break;
        case '\t':
        case '\n':
          out += c;
          break;
        default:
          if (static_cast<unsigned char>(c) >= 32) out += c;
      }
    }
    return file_.add(out);
  }

 private:
  File& file_;
  static constexpr size_t kFieldDepth = 1'000;
  std::string fields_;  // 'i' while in the instruction, 's' while in what is shown
  size_t instructions_ = 0;
};

std::string charset_of_language(uint16_t lid) {
  switch (lid & 0x3ff) {
    case 0x19:  // Russian, Ukrainian, Bulgarian
    case 0x22:
    case 0x02:
      return "windows-1251";
    case 0x05:  // Czech, Polish, Hungarian
    case 0x15:
    case 0x0e:
      return "windows-1250";
    case 0x08:
      return "windows-1253";
    case 0x1f:
      return "windows-1254";
    case 0x11:
      return "windows-31j";
    default:
      return "windows-1252";
  }
}

}  // namespace

void read_word(File& file, const CompoundFile& ole, uint32_t storage) {
  const std::string main = ole.read(ole.find(storage, "WordDocument"), file);
  const Le fib(main);
  if (fib.u16(0) != 0xa5ec && fib.u16(0) != 0xa5dc) return file.fail(Status::kBroken, "no Word document inside");
  const uint16_t version = fib.u16(2), flags = fib.u16(0x0a);
  if ((flags & 0x0100) != 0) return file.fail(Status::kEncrypted, "a password opens it");
  const bool word97 = version >= kWord97;
  const std::string table =
      word97 ? ole.read(ole.find(storage, (flags & 0x0200) != 0 ? "1Table" : "0Table"), file) : main;
  const uint64_t clx_at = word97 ? fib.u32(0x1a2) : fib.u32(0x160);
  const uint64_t clx_size = word97 ? fib.u32(0x1a6) : fib.u32(0x164);
  const std::string old_charset = charset_of_language(fib.u16(6));
  Characters characters(file);

  const std::string_view clx = Le(table).bytes(clx_at, clx_size);
  const Le list(clx);
  uint64_t at = 0;
  while (at < clx.size() && list.u8(at) == 1) at += 3 + list.u16(at + 1);  // formatting of pieces
  if (at >= clx.size() || list.u8(at) != 2) {
    if (word97) return file.fail(Status::kBroken, "its list of pieces is damaged");
    // Not saved "fast": the text is one run.
    const uint64_t begin = fib.u32(0x18), end = fib.u32(0x1c);
    if (begin < end) characters.put(mime::to_utf8(fib.bytes(begin, end - begin), old_charset));
    return;
  }
  const uint64_t count = list.u32(at + 1) < 4 ? 0 : (std::min<uint64_t>(list.u32(at + 1), clx.size()) - 4) / 12;
  const uint64_t places = at + 5, pieces = places + 4 * (count + 1);
  for (uint64_t i = 0; i < count && file.go_on(); ++i) {
    const uint64_t from = list.u32(places + 4 * i), to = list.u32(places + 4 * i + 4);
    const uint32_t where = list.u32(pieces + 8 * i + 2);
    if (to <= from) continue;
    const uint64_t length = to - from;
    // Pieces may overlap: each is counted.
    if (!file.budget().expand(std::min<uint64_t>(length, main.size()))) {
      file.fail(Status::kOverLimit, "unpacks to more than the limit");
      return;
    }
    const bool bytes = !word97 || (where & 0x40000000) != 0;
    const uint64_t offset = !word97 ? where : bytes ? (where & 0x3fffffff) / 2 : where;
    const std::string_view raw = fib.bytes(offset, bytes ? length : length * 2);
    if (raw.size() < (bytes ? length : length * 2)) file.fail(Status::kBroken, "ends early");
    if (!characters.put(bytes ? mime::to_utf8(raw, word97 ? "windows-1252" : old_charset) : utf16le(raw))) return;
  }
}

}  // namespace arch::document::internal
