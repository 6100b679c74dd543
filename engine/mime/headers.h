// Header fields by our own scanner: exact offsets, every field in order, bounded, and steady on what the wild sends
// (NULs, a first line that is no field, a missing empty line). Internal to engine/mime.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace arch::mime::internal {

struct Field {
  std::string_view name;   ///< as written, blanks before the colon dropped
  std::string_view value;  ///< raw, folded, without the last line end
  uint64_t begin = 0;      ///< of the line, in the message
  uint64_t end = 0;        ///< behind its last line end
};

struct HeaderBlock {
  std::vector<Field> fields;
  std::vector<std::pair<uint64_t, uint64_t>> junk;  ///< lines among the fields that are none
  uint64_t begin = 0;                               ///< behind a leading mbox "From " line
  uint64_t end = 0;                                 ///< first byte of the body
  bool partial = false;                             ///< a limit was met
};

HeaderBlock scan_headers(std::string_view message);

/// Line ends and the blanks that fold are one blank; NUL left out; trimmed.
std::string unfold(std::string_view raw_value);

bool same_name(std::string_view a, std::string_view b);  ///< ASCII case ignored

/// The working copy that GMime may see: equal length and offsets; NULs are blanks, junk lines among the header fields
/// are made fields, and whatever exceeds limits::kHeaderFieldBytes of anything that looks like a header field, at any
/// depth, is blanked out (GMime 3.2.13 overflows the stack on deeply nested groups). Empty when the message can be
/// shown as it is.
std::string working_copy(std::string_view message, const HeaderBlock& block);

}  // namespace arch::mime::internal
