// Which reader takes a file. Internal to query/document.
#pragma once

#include <string>
#include <string_view>

#include "query/document/document.h"

namespace arch::document::internal {

enum class Format : uint8_t {
  kEmpty,
  kPdf,
  kZip,         // and office files
  kArchive,     // 7z, tar
  kCompressed,  // one file under gzip …
  kOle,
  kBiff,
  kRtf,
  kTnef,
  kMail,
  kSmime,
  kHtml,
  kXml,
  kFlatOdf,
  kCalendar,
  kText,
  kWordless,  // pictures, sound, fonts, keys
  kPgp,
  kUnknown,
};

Format find_format(std::string_view bytes, const Hint& hint);
/// As far as the content says; what only its reader sees is set there.
std::string media_type_of(Format format, std::string_view bytes, const Hint& hint);
/// ".pdf", lower case; empty when there is none.
std::string extension_of(std::string_view filename);

}  // namespace arch::document::internal
