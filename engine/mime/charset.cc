// Bytes in any charset to UTF-8: ICU's converters, uchardet for what is not declared or declared wrongly.
#include <uchardet/uchardet.h>
#include <unicode/ucnv.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "engine/base/ascii.h"

#include "engine/mime/message.h"

namespace arch::mime {

namespace {

constexpr size_t kGuessBytes = 64u << 10;  // enough for a detector to see

// Length of the well-formed UTF-8 sequence at `at` (RFC 3629: no surrogates, no overlong forms, up to U+10FFFF); 0 if
// none.
size_t utf8_sequence(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : 0; };
  const auto tail = [&](size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const uint8_t lead = byte(at);
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return tail(at + 1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const uint8_t second = byte(at + 1);
    if (lead == 0xe0 && second < 0xa0) return 0;
    if (lead == 0xed && second > 0x9f) return 0;
    return tail(at + 1) && tail(at + 2) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const uint8_t second = byte(at + 1);
    if (lead == 0xf0 && second < 0x90) return 0;
    if (lead == 0xf4 && second > 0x8f) return 0;
    return tail(at + 1) && tail(at + 2) && tail(at + 3) ? 4 : 0;
  }
  return 0;
}

struct Utf8Count {
  size_t two = 0;      // sequences of two bytes
  size_t longer = 0;   // of three and four
  size_t invalid = 0;  // bytes that belong to none
  bool nul = false;
};

Utf8Count count_utf8(std::string_view text) {
  Utf8Count count;
  size_t at = 0;
  while (at < text.size()) {
    if (at + 8 <= text.size()) {
      uint64_t word;
      std::memcpy(&word, text.data() + at, 8);
      if ((word & 0x8080808080808080u) == 0 && ((word - 0x0101010101010101u) & 0x8080808080808080u) == 0) {
        at += 8;  // eight ASCII characters, none of them NUL
        continue;
      }
    }
    const size_t length = utf8_sequence(text, at);
    if (length == 0) ++count.invalid;
    if (length == 1 && text[at] == '\0') count.nul = true;
    if (length == 2) ++count.two;
    if (length > 2) ++count.longer;
    at += length == 0 ? 1 : length;
  }
  return count;
}

// Valid UTF-8 with NUL as a blank and U+FFFD for what is no sequence.
std::string repaired(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t length = utf8_sequence(text, at);
    if (length == 0) {
      out += "\xef\xbf\xbd";
      ++at;
    } else if (length == 1) {
      out.push_back(text[at] == '\0' ? ' ' : text[at]);
      ++at;
    } else {
      out.append(text, at, length);
      at += length;
    }
  }
  return out;
}

bool contains_escape(std::string_view text) { return text.find('\x1b') != std::string_view::npos; }

// What a declaration means in practice: the Windows superset where people declare the subset.
std::string practical_name(std::string_view declared) {
  std::string name = ascii_lower(declared);
  name.erase(
      std::remove_if(name.begin(), name.end(), [](char c) { return c == '"' || c == '\'' || c == ' ' || c == ';'; }),
      name.end());
  if (name.rfind("3d", 0) == 0) name.erase(0, 2);  // "charset=3Dutf-8": a quoted-printable "=" left over
  if (name == "us-ascii" || name == "ascii" || name == "iso-8859-1" || name == "latin1" || name == "iso8859-1" ||
      name == "ansi_x3.4-1968" || name == "cp-1252" || name == "iso-8859-1-windows-3.1-latin-1")
    return "windows-1252";
  if (name == "iso-8859-9") return "windows-1254";
  if (name == "gb2312" || name == "gbk" || name == "x-gbk") return "gb18030";
  if (name == "ks_c_5601-1987" || name == "euc-kr" || name == "ksc5601") return "windows-949";
  if (name == "shift_jis" || name == "shift-jis" || name == "x-sjis") return "windows-31j";
  if (name == "unicode-1-1-utf-7") return "utf-7";
  if (name == "utf8") return "utf-8";
  if (name == "unknown-8bit" || name == "x-unknown" || name == "unknown" || name == "default" || name == "8bit" ||
      name == "x-user-defined" || name == "_autodetect" || name == "binary" || name == "none")
    return {};
  return name;
}

// ICU 72 takes an escape sequence that another follows at once for an attack and puts U+FFFD; mail made of several encoded
// words, and some mailers' lines, have just that. Such a sequence selects nothing: left out.
std::string without_idle_escapes(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (size_t i = 0; i < bytes.size();) {
    if (bytes[i] == '\x1b' && i + 3 < bytes.size() && (bytes[i + 1] == '(' || bytes[i + 1] == '$') &&
        bytes[i + 3] == '\x1b') {
      i += 3;
    } else {
      out.push_back(bytes[i++]);
    }
  }
  return out;
}

// RFC 2781 section 4.3 reads UTF-16 without a byte order mark as big-endian; what lacks it in mail is little-endian. The
// zero bytes of ASCII characters, blanks at least, tell.
std::string utf16_order(std::string_view bytes) {
  if (bytes.substr(0, 2) == "\xff\xfe" || bytes.substr(0, 2) == "\xfe\xff") return "utf-16";
  size_t even = 0, odd = 0;
  for (size_t i = 0; i + 1 < bytes.size(); i += 2) {
    even += bytes[i] == '\0';
    odd += bytes[i + 1] == '\0';
  }
  return odd > even ? "utf-16le" : "utf-16be";
}

// False when ICU knows no such charset.
bool convert(std::string_view bytes, const std::string& charset, std::string* out) {
  UErrorCode status = U_ZERO_ERROR;
  std::unique_ptr<UConverter, void (*)(UConverter*)> from(ucnv_open(charset.c_str(), &status), ucnv_close);
  if (U_FAILURE(status) || !from) return false;
  status = U_ZERO_ERROR;
  std::unique_ptr<UConverter, void (*)(UConverter*)> to(ucnv_open("UTF-8", &status), ucnv_close);
  if (U_FAILURE(status) || !to) return false;
  std::string converted(bytes.size() * 3 + 16, '\0');
  size_t used = 0;
  const char* source = bytes.data();
  const char* const source_end = source + bytes.size();
  UChar pivot[4096];
  UChar* pivot_source = pivot;
  UChar* pivot_target = pivot;
  bool reset = true;
  while (true) {
    char* target = converted.data() + used;
    status = U_ZERO_ERROR;
    ucnv_convertEx(to.get(), from.get(), &target, converted.data() + converted.size(), &source, source_end, pivot,
                   &pivot_source, &pivot_target, pivot + std::size(pivot), reset, true, &status);
    used = static_cast<size_t>(target - converted.data());
    reset = false;
    if (status != U_BUFFER_OVERFLOW_ERROR) break;
    converted.resize(converted.size() * 2);
  }
  if (U_FAILURE(status)) return false;
  converted.resize(used);
  *out = repaired(converted);
  return true;
}

std::string guess(std::string_view bytes) {
  std::unique_ptr<uchardet, void (*)(uchardet_t)> detector(uchardet_new(), uchardet_delete);
  if (!detector) return "windows-1252";
  uchardet_handle_data(detector.get(), bytes.data(), std::min(bytes.size(), kGuessBytes));
  uchardet_data_end(detector.get());
  std::string name = ascii_lower(uchardet_get_charset(detector.get()));
  // Short Latin texts make the detector choose at random among Latin, Central European and Greek tables.
  if (name.empty() || name == "ascii" || name.rfind("iso-8859-", 0) == 0 || name.rfind("mac", 0) == 0 ||
      name == "windows-1250" || name == "windows-1252" || name == "windows-1253" || name == "windows-1257" ||
      name == "windows-1258" || name == "viscii" || name == "tis-620")
    return "windows-1252";
  return practical_name(name);
}

}  // namespace

std::string to_utf8(std::string_view bytes, std::string_view charset) {
  const std::string name = practical_name(charset);
  const bool stateful = name == "utf-7" || name.rfind("iso-2022", 0) == 0 || name.rfind("hz", 0) == 0 ||
                        name.rfind("utf-16", 0) == 0 || name.rfind("utf-32", 0) == 0 || name == "ucs-2" ||
                        name == "unicode" || (name.empty() && contains_escape(bytes));
  std::string out;
  if (!stateful && name.rfind("ebcdic", 0) != 0 && name.rfind("cp037", 0) != 0) {
    // Well-formed multi-byte UTF-8 does not come about by accident: it is UTF-8 whatever was declared. Except that a few
    // East Asian double-byte characters can look like it.
    const Utf8Count count = count_utf8(bytes);
    const bool double_byte = name == "gb18030" || name == "big5" || name == "windows-949" || name == "windows-31j" ||
                             name == "euc-jp" || name == "big5-hkscs" || name == "euc-tw";
    if (count.invalid == 0 && (!double_byte || count.two + count.longer == 0 || count.longer >= 2))
      return count.nul ? repaired(bytes) : std::string(bytes);
    // Declared or plainly UTF-8, with some damage.
    if ((name == "utf-8" || name.empty()) && count.invalid * 4 <= count.two + count.longer) return repaired(bytes);
  }
  if ((name == "utf-16" || name == "ucs-2" || name == "unicode") && convert(bytes, utf16_order(bytes), &out))
    return out;
  if (name.rfind("iso-2022", 0) == 0 && convert(without_idle_escapes(bytes), name, &out)) return out;
  if (!name.empty() && name != "utf-8" && convert(bytes, name, &out)) return out;
  if (convert(bytes, guess(bytes), &out)) return out;
  return repaired(bytes);
}

}  // namespace arch::mime
