// Text of a mail made safe for a terminal, and numbers as people read them. Internal to query/api. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace arch::api {

/// One line: control characters and direction overrides become '?', line ends a blank, invalid UTF-8 U+FFFD.
std::string one_line(std::string_view text);
/// The same, but line feeds and tabs stay.
std::string lines(std::string_view text);
/// At most `cells` of a terminal (wide East Asian characters take 2), with an ellipsis when something is cut. 0: all.
std::string fit(std::string_view text, size_t cells);
std::string size_text(uint64_t bytes);    ///< "1.5 GiB"
std::string count_text(uint64_t number);  ///< "12,345"

}  // namespace arch::api
