// Header fields by our own scanner: exact offsets, every field in order, linear and bounded, and steady on what the wild
// sends (NULs, a first line that is no field, a missing empty line). Internal to engine/mime.
#pragma once

#include <cstdint>
#include <functional>
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
  std::vector<Field> fields;  ///< at most limits::kHeaderCount, limits::kHeaderBytes of them together
  uint64_t begin = 0;         ///< of the block, behind a leading mbox "From " line or byte order mark
  uint64_t end = 0;           ///< first byte of the body
  bool partial = false;       ///< a limit was met: fields are missing or cut

  /// The first field of that name, or nullptr.
  const Field* find(std::string_view name) const;
};

/// Reads the block at `begin`. `is_boundary` says whether a line (line end included) delimits an enclosing multipart: the
/// block ends there. `top` is true for a whole message: a mbox "From " line or byte order mark in front is skipped.
HeaderBlock scan_headers(std::string_view message, uint64_t begin, bool top,
                         const std::function<bool(std::string_view line)>& is_boundary);

/// Bytes of the first line with its line end (LF or CRLF; a lone CR ends none).
size_t line_length(std::string_view text);
std::string_view without_line_end(std::string_view line);

/// Line ends and the blanks behind them are one blank; NUL left out; trimmed.
std::string unfold(std::string_view raw_value);

bool same_name(std::string_view a, std::string_view b);  ///< ASCII case ignored
std::string_view trimmed(std::string_view text);         ///< blanks, tabs, line ends at both ends

/// Unfolded text with encoded words (RFC 2047, RFC 2231 section 5) decoded, broken ones left as they stand, raw 8-bit
/// bytes read as `charset_hint` or guessed. One line of valid UTF-8.
std::string decode_text(std::string_view raw_value, std::string_view charset_hint);

/// Only the encoded words of text that is UTF-8 already.
std::string decode_words(std::string_view text);

}  // namespace arch::mime::internal
