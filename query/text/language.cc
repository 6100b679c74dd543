#include "query/text/language.h"

#include <cld2/public/compact_lang_det.h>

#include <algorithm>

namespace arch::text {
namespace {

constexpr size_t kLookedAt = 8u << 10;
constexpr size_t kLeast = 20;  // bytes; "Bonjour" alone is a name as well

}  // namespace

std::string language_of(std::string_view text) {
  if (text.size() < kLeast) return {};
  text = text.substr(0, kLookedAt);
  while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xc0) == 0x80) text.remove_suffix(1);
  if (!text.empty() && static_cast<unsigned char>(text.back()) >= 0xc0) text.remove_suffix(1);
  bool reliable = false;
  const CLD2::Language language = CLD2::DetectLanguage(text.data(), static_cast<int>(text.size()), true, &reliable);
  if (!reliable || language == CLD2::UNKNOWN_LANGUAGE) return {};
  std::string code = CLD2::LanguageCode(language);
  code.resize(std::min(code.find('-'), code.size()));  // zh-Hant
  return code == "un" || code == "xxx" ? std::string() : code;
}

}  // namespace arch::text
