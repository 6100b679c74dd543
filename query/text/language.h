// In which language a text is written, by CLD2 behind a wall.
#pragma once

#include <string>
#include <string_view>

namespace arch::text {

/// ISO 639 code ("fr", "en", "ar" …) of the language that most of the text is in; empty when it is too short or mixed to tell.
/// Looks at the first 8 KiB. UTF-8; any thread.
std::string language_of(std::string_view text);

}  // namespace arch::text
