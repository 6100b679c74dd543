#include "query/text/fold_table.h"

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/uscript.h>

#include <array>
#include <atomic>
#include <cstring>
#include <memory>

#include "engine/base/result.h"

namespace arch::text {
namespace {

constexpr uint32_t kBlock = 256;
constexpr uint32_t kBlocks = 0x110000 / kBlock;

bool is_word(UChar32 c) {
  return u_isalpha(c) || u_charType(c) == U_DECIMAL_DIGIT_NUMBER || u_charType(c) == U_OTHER_NUMBER ||
         u_charType(c) == U_LETTER_NUMBER;
}

bool script_without_spaces(UChar32 c) {
  if (c == 0x30fc || c == 0xff70) return true;  // the long-vowel sign belongs to both kana
  UErrorCode error = U_ZERO_ERROR;
  switch (uscript_getScript(c, &error)) {
    case USCRIPT_HAN:
    case USCRIPT_HIRAGANA:
    case USCRIPT_KATAKANA:
    case USCRIPT_BOPOMOFO:
    case USCRIPT_HANGUL:
    case USCRIPT_THAI:
    case USCRIPT_LAO:
    case USCRIPT_KHMER:
    case USCRIPT_MYANMAR:
      return true;
    default:
      return false;
  }
}

// Letters that Unicode does not decompose, and forms that writers of the language take for one letter.
UChar32 unified(UChar32 c) {
  switch (c) {
    case 0x0142:
      return 'l';  // ł
    case 0x00f8:
      return 'o';  // ø
    case 0x0111:
      return 'd';  // đ
    case 0x0127:
      return 'h';  // ħ
    case 0x0131:
      return 'i';  // ı
    case 0x0167:
      return 't';  // ŧ
    case 0x0671:
      return 0x0627;  // alef wasla → alef
    case 0x0649:      // alef maqsura and
    case 0x06cc:
      return 0x064a;  // Farsi yeh → yeh
    case 0x0629:
      return 0x0647;  // teh marbuta → heh
    case 0x06a9:
      return 0x0643;  // keheh → kaf
    default:
      return c;
  }
}

Folding make(UChar32 c) {
  Folding out;
  int8_t type = u_charType(c);
  if (c == 0x0640) {  // tatweel only stretches a word
    out.kind = Kind::kNothing;
    return out;
  }
  if (type == U_UNASSIGNED || type == U_SURROGATE || type == U_CONTROL_CHAR) return out;
  bool mark = type == U_NON_SPACING_MARK || type == U_ENCLOSING_MARK;
  bool spacing_mark = type == U_COMBINING_SPACING_MARK;
  bool word = is_word(c) || spacing_mark;

  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* casefold = icu::Normalizer2::getNFKCCasefoldInstance(error);
  const icu::Normalizer2* decompose = icu::Normalizer2::getNFDInstance(error);
  const icu::Normalizer2* compose = icu::Normalizer2::getNFCInstance(error);
  ARCH_CHECK(U_SUCCESS(error));  // ICU's data is part of its library
  icu::UnicodeString folded = casefold->normalize(icu::UnicodeString(c), error);
  folded = decompose->normalize(folded, error);
  ARCH_CHECK(U_SUCCESS(error));
  if (mark || folded.isEmpty()) {  // NFKC_Casefold drops what is ignorable by default
    out.kind = Kind::kNothing;
    return out;
  }
  icu::UnicodeString kept;
  for (int32_t i = 0; i < folded.length(); i = folded.moveIndex32(i, 1)) {
    UChar32 f = folded.char32At(i);
    int8_t folded_type = u_charType(f);
    if (folded_type == U_NON_SPACING_MARK || folded_type == U_ENCLOSING_MARK) continue;
    if (f == 0x00e6) {
      kept.append(icu::UnicodeString("ae"));
    } else if (f == 0x0153) {
      kept.append(icu::UnicodeString("oe"));
    } else if (folded_type == U_DECIMAL_DIGIT_NUMBER) {
      kept.append(static_cast<UChar32>('0' + u_charDigitValue(f)));
    } else if (word && !is_word(f) && folded_type != U_COMBINING_SPACING_MARK) {
      if (type == U_OTHER_NUMBER) return out;  // ½ is "1⁄2" and ⑴ is "(1)": signs, not words
      continue;
    } else {
      kept.append(unified(f));
    }
  }
  kept = compose->normalize(kept, error);
  ARCH_CHECK(U_SUCCESS(error));
  if (kept.isEmpty()) {
    out.kind = word ? Kind::kNothing : Kind::kSeparator;
    return out;
  }
  std::string bytes;
  kept.toUTF8String(bytes);
  size_t size = bytes.size();
  if (size > sizeof out.bytes) {  // a few Arabic ligatures stand for whole phrases
    size = sizeof out.bytes;
    while ((static_cast<unsigned char>(bytes[size]) & 0xc0) == 0x80) --size;
  }
  std::memcpy(out.bytes, bytes.data(), size);
  out.size = static_cast<uint8_t>(size);
  if (word) out.kind = script_without_spaces(kept.char32At(0)) ? Kind::kSingle : Kind::kWord;
  return out;
}

using Block = std::array<Folding, kBlock>;
std::array<std::atomic<const Block*>, kBlocks> g_blocks;  // zero at start; a block lives as long as the program

const Block* fill(uint32_t number) {
  auto block = std::make_unique<Block>();
  for (uint32_t i = 0; i < kBlock; ++i) (*block)[i] = make(static_cast<UChar32>(number * kBlock + i));
  const Block* expected = nullptr;
  if (g_blocks[number].compare_exchange_strong(expected, block.get(), std::memory_order_acq_rel))
    return block.release();
  return expected;  // another thread was faster
}

uint32_t continuation(std::string_view text, size_t at) { return static_cast<unsigned char>(text[at]) & 0x3f; }
bool continues(std::string_view text, size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80;
}

size_t decode_plain(std::string_view text, size_t at, uint32_t* code_point) {
  auto lead = static_cast<unsigned char>(text[at]);
  if (lead < 0x80) {
    *code_point = lead;
    return 1;
  }
  if (lead < 0xc2) return 0;
  if (!continues(text, at + 1)) return 0;
  if (lead < 0xe0) {
    *code_point = (lead & 0x1fu) << 6 | continuation(text, at + 1);
    return 2;
  }
  if (!continues(text, at + 2)) return 0;
  if (lead < 0xf0) {
    uint32_t value = (lead & 0x0fu) << 12 | continuation(text, at + 1) << 6 | continuation(text, at + 2);
    if (value < 0x800 || (value >= 0xd800 && value < 0xe000)) return 0;
    *code_point = value;
    return 3;
  }
  if (lead > 0xf4 || !continues(text, at + 3)) return 0;
  uint32_t value = (lead & 0x07u) << 18 | continuation(text, at + 1) << 12 | continuation(text, at + 2) << 6 |
                   continuation(text, at + 3);
  if (value < 0x10000 || value > 0x10ffff) return 0;
  *code_point = value;
  return 4;
}

}  // namespace

const Folding& folding(uint32_t code_point) {
  uint32_t number = code_point / kBlock;
  const Block* block = g_blocks[number].load(std::memory_order_acquire);
  if (block == nullptr) block = fill(number);
  return (*block)[code_point % kBlock];
}

size_t decode(std::string_view text, size_t at, uint32_t* code_point) {
  size_t size = decode_plain(text, at, code_point);
  if (size == 0 || *code_point < 0x1100 || *code_point > 0x1112) return size;
  // Unicode 3.12, conjoining jamo: syllable = base + (lead * 21 + vowel) * 28 + tail
  uint32_t vowel = 0;
  uint32_t tail = 0;
  size_t vowel_size = at + size < text.size() ? decode_plain(text, at + size, &vowel) : 0;
  if (vowel_size == 0 || vowel < 0x1161 || vowel > 0x1175) return size;
  *code_point = 0xac00 + ((*code_point - 0x1100) * 21 + (vowel - 0x1161)) * 28;
  size += vowel_size;
  size_t tail_size = at + size < text.size() ? decode_plain(text, at + size, &tail) : 0;
  if (tail_size == 0 || tail < 0x11a8 || tail > 0x11c2) return size;
  *code_point += tail - 0x11a7;
  return size + tail_size;
}

}  // namespace arch::text
