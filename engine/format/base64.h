// Base64 letters (RFC 4648, section 4) by the run: what lies between line ends. Most of what mail brings is base64, and is decoded and made
// again several times on its way into a segment, so that nothing is taken for exact that is not. With AVX2 where the processor has it: 32
// letters at a time, by nibble lookups (W. Muła, D. Lemire: Faster Base64 Encoding and Decoding Using AVX2 Instructions, 2018).
#pragma once

#include <cstddef>
#include <string_view>

namespace arch::base64 {

/// Writes (content.size() + 2) / 3 * 4 characters, padded; returns their end.
char* encode(std::string_view content, char* to);

/// Decodes groups of four letters from the front of `text` as long as they follow each other; gives how many characters that were, a multiple
/// of four, each group three bytes at `to`. Up to kDecodeRoom bytes behind them are written over.
size_t decode_groups(std::string_view text, char* to);
inline constexpr size_t kDecodeRoom = 8;

/// The value of a letter; -1 for any other character.
int letter_value(char c);

/// The same without AVX2, for tests on a machine that has it.
namespace portable {
char* encode(std::string_view content, char* to);
size_t decode_groups(std::string_view text, char* to);
}  // namespace portable

}  // namespace arch::base64
