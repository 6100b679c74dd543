// Bytes in any charset to UTF-8: ICU's converters, uchardet for what is not declared or declared wrongly.
#include <uchardet/uchardet.h>
#include <unicode/ucnv.h>

#include <algorithm>
#include <memory>

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

enum class Utf8 : uint8_t { kAscii, kMultibyte, kInvalid };

Utf8 classify(std::string_view text) {
  Utf8 kind = Utf8::kAscii;
  for (size_t at = 0; at < text.size();) {
    if (static_cast<uint8_t>(text[at]) < 0x80) {
      ++at;
      continue;
    }
    const size_t length = utf8_sequence(text, at);
    if (length == 0) return Utf8::kInvalid;
    kind = Utf8::kMultibyte;
    at += length;
  }
  return kind;
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

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

bool contains_escape(std::string_view text) { return text.find('\x1b') != std::string_view::npos; }

// What a declaration means in practice: the Windows superset where people declare the subset.
std::string practical_name(std::string_view declared) {
  std::string name = lower(declared);
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
  std::string name = lower(uchardet_get_charset(detector.get()));
  // Short Latin texts make the detector choose at random among Latin, Central European and Greek tables.
  if (name.empty() || name == "ascii" || name.rfind("iso-8859-", 0) == 0 || name.rfind("mac", 0) == 0 ||
      name == "windows-1250" || name == "windows-1252" || name == "windows-1253" || name == "windows-1257" ||
      name == "windows-1258" || name == "viscii" || name == "tis-620")
    return "windows-1252";
  return practical_name(name);
}

// A text cut or damaged in places is still UTF-8; one whose high bytes hardly ever form sequences never was.
bool mostly_utf8(std::string_view text) {
  size_t good = 0, bad = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t length = utf8_sequence(text, at);
    if (length > 1) ++good;
    if (length == 0) ++bad;
    at += std::max<size_t>(length, 1);
  }
  return good >= bad;
}

}  // namespace

std::string to_utf8(std::string_view bytes, std::string_view charset) {
  const std::string name = practical_name(charset);
  const bool stateful = name == "utf-7" || name.rfind("iso-2022", 0) == 0 || name == "hz-gb-2312" ||
                        name.rfind("utf-16", 0) == 0 || name.rfind("utf-32", 0) == 0 ||
                        (name.empty() && contains_escape(bytes));
  if (!stateful) {
    // Text that is well-formed UTF-8 with multi-byte characters is UTF-8, whatever was declared: other charsets do
    // not produce that by accident.
    const Utf8 kind = classify(bytes);
    if (kind != Utf8::kInvalid && name.rfind("ebcdic", 0) != 0 && name.rfind("cp037", 0) != 0) return repaired(bytes);
  }
  if (name == "utf-8" && mostly_utf8(bytes)) return repaired(bytes);
  std::string out;
  if (!name.empty() && name != "utf-8" && convert(bytes, name, &out)) return out;
  if (convert(bytes, guess(bytes), &out)) return out;
  return repaired(bytes);
}

}  // namespace arch::mime
