// What Outlook's two wrappings (msg files, winmail.dat) share. Internal to query/document.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "query/document/reader.h"

namespace arch::document::internal {

/// Compressed RTF ([MS-OXRTFCP]); at most `limit` bytes of it. Empty when it is none.
std::string decompress_rtf(std::string_view compressed, uint64_t limit);

/// The body of a message in the forms that it came in. The plain one is read unless it has no words; then HTML, then RTF.
struct Bodies {
  std::string plain;  ///< UTF-8
  std::string html;   ///< bytes, charset by its own meta or by `html_charset`
  std::string html_charset;
  std::string compressed_rtf;
};
void add_body(File& file, const Bodies& bodies);

}  // namespace arch::document::internal
