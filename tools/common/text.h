// Numbers, sizes and columns as people read them. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace arch::tool {

/// 12345678 -> "12,345,678"
std::string count_text(uint64_t number);
/// 1536 -> "1.5 KiB"; below 1 KiB "123 B"
std::string size_text(uint64_t bytes);
/// 75 -> "1:15", 3675 -> "1:01:15"
std::string duration_text(uint64_t seconds);
/// part of whole in per cent with one decimal: "12.3 %"; whole 0 gives "0.0 %"
std::string percent_text(uint64_t part, uint64_t whole);

/// "100G", "64 MiB", "1.5T", "4096": 1024-based, unit letter in either case with an optional "B" or "iB". Errors: kInvalid.
Result<uint64_t> parse_size(std::string_view text);
/// "90s", "15m", "24h", "7d", in nanoseconds. Errors: kInvalid.
Result<int64_t> parse_duration(std::string_view text);
/// The shortest spelling that parse_size reads back: "100G", "1536".
std::string format_size(uint64_t bytes);
std::string format_duration(int64_t nanoseconds);

/// Cells a terminal uses for this UTF-8 text: marks count 0, wide East Asian characters 2, control characters 1 (they are
/// shown as "?" by printable()).
size_t width(std::string_view utf8);
/// At most `cells`, cut at a character with "…" when something is left out.
std::string fit(std::string_view utf8, size_t cells);
/// `fit` and filled up with blanks on the right.
std::string pad(std::string_view utf8, size_t cells);
/// Text of a mail made safe for a terminal: control characters (escape sequences, line ends, direction overrides) become
/// "?" or a blank, invalid UTF-8 becomes U+FFFD.
std::string printable(std::string_view text);
/// Words of `text` wrapped to lines of at most `cells`, each begun by `indent` blanks.
std::string wrap(std::string_view text, size_t cells, size_t indent);

/// Columns lined up; numbers are right-aligned by `right`.
class Table {
 public:
  explicit Table(std::vector<bool> right) : right_(std::move(right)) {}
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  std::string text(size_t indent = 2) const;

 private:
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;
};

/// Nearest of `known` by edit distance, empty when none is near: "did you mean".
std::string nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace arch::tool
