// HTML of a mail made fit to be shown: what comes out holds no script, no form, nothing that loads anything, and no markup but
// a short list of plain elements that this code wrote itself. The frame's sandbox and its Content-Security-Policy are the
// second wall; either one alone keeps the page safe.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace arch::page {

struct CleanHtml {
  std::string html;                ///< UTF-8; the content of a body element
  std::vector<std::string> links;  ///< full addresses of the links, in order, numbered in the text; at most 500
  size_t remote_images =
      0;               ///< pictures that would have been loaded from elsewhere; a box with the host's name is left
  size_t removed = 0;  ///< elements and attributes that were left out for safety
  bool cut = false;    ///< longer than kMaxCleanBytes
};

constexpr size_t kMaxCleanBytes = 4u << 20;  ///< of output
constexpr size_t kMaxCleanDepth = 100;  ///< of elements open at once; deeper ones lose their tags, not their text

/// "data:image/png;base64,…" of the part with this Content-ID; empty when there is none that may be shown.
using InlineImage = std::function<std::string(std::string_view content_id)>;

/// `html` is UTF-8 of any quality. Linear in its length; never fails.
CleanHtml clean_html(std::string_view html, const InlineImage& inline_image);

/// & < > " ' as references; also in attributes between double quotes.
std::string escape_html(std::string_view text);

}  // namespace arch::page
