// Content-Type and Content-Disposition (RFC 2045 section 5.1, RFC 2183, RFC 2231). The parameters are read by GMime 3.2.13.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace arch::mime::internal {

struct TypedValue {
  std::string
      value;  ///< what stands before the parameters, lower case: "text/plain", "attachment"; empty when unparsable
  std::vector<std::pair<std::string, std::string>> params;  ///< names lower case, values decoded, valid UTF-8
  bool cut = false;  ///< longer than limits::kHeaderFieldBytes: read up to there

  /// Empty when absent.
  const std::string& param(std::string_view name) const;
};

TypedValue parse_content_type(std::string_view raw_value, std::string_view charset_hint);
TypedValue parse_disposition(std::string_view raw_value, std::string_view charset_hint);

}  // namespace arch::mime::internal
