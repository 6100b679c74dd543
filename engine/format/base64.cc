#include "engine/format/base64.h"

#include <array>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace arch::base64 {
namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<int8_t, 256> make_reverse() {
  std::array<int8_t, 256> table{};
  for (auto& value : table) value = -1;
  for (int i = 0; i < 64; ++i) table[static_cast<uint8_t>(kAlphabet[i])] = static_cast<int8_t>(i);
  return table;
}
constexpr std::array<int8_t, 256> kReverse = make_reverse();

// Tables for 12 bits, and for each place in a group of four.
constexpr std::array<std::array<char, 2>, 4096> make_pairs() {
  std::array<std::array<char, 2>, 4096> table{};
  for (size_t i = 0; i < table.size(); ++i) table[i] = {kAlphabet[i >> 6], kAlphabet[i & 63]};
  return table;
}
constexpr std::array<std::array<char, 2>, 4096> kPairs = make_pairs();

constexpr uint32_t kNoLetter = 1u << 31;
constexpr std::array<std::array<uint32_t, 256>, 4> make_places() {
  std::array<std::array<uint32_t, 256>, 4> table{};
  for (size_t place = 0; place < 4; ++place)
    for (size_t c = 0; c < 256; ++c)
      table[place][c] = kReverse[c] < 0 ? kNoLetter : static_cast<uint32_t>(kReverse[c]) << (18 - 6 * place);
  return table;
}
constexpr std::array<std::array<uint32_t, 256>, 4> kPlaces = make_places();

#if defined(__x86_64__)

const bool kHasAvx2 = __builtin_cpu_supports("avx2") != 0;

// Both lanes alike: tables and shuffles of 16 bytes.
__attribute__((target("avx2"))) inline __m256i twice(__m128i lane) { return _mm256_broadcastsi128_si256(lane); }

// 24 bytes at a time; gives how many were taken.
__attribute__((target("avx2"))) size_t encode_avx2(const char* in, size_t size, char* to) {
  // A letter is its value and an offset, by the run of the alphabet that it is in: of 26..51 number 0, of the digits 1 to 10, then + and /,
  // and of the capitals number 13.
  const __m256i offsets = twice(_mm_setr_epi8('a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
                                              '0' - 52, '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0));
  const __m256i spread = twice(_mm_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10));
  size_t at = 0;
  for (; at + 28 <= size; at += 24, to += 32) {  // the second load ends at 28
    const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + at));
    const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + at + 12));
    const __m256i bytes = _mm256_shuffle_epi8(_mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1), spread);
    // Of each group of 32 bits, b1 b0 b2 b1: shifts by multiplication put 6 bits into each byte.
    const __m256i outer =
        _mm256_mulhi_epu16(_mm256_and_si256(bytes, _mm256_set1_epi32(0x0fc0fc00)), _mm256_set1_epi32(0x04000040));
    const __m256i inner =
        _mm256_mullo_epi16(_mm256_and_si256(bytes, _mm256_set1_epi32(0x003f03f0)), _mm256_set1_epi32(0x01000010));
    const __m256i values = _mm256_or_si256(outer, inner);
    const __m256i capital = _mm256_cmpgt_epi8(_mm256_set1_epi8(26), values);
    const __m256i run = _mm256_or_si256(_mm256_subs_epu8(values, _mm256_set1_epi8(51)),
                                        _mm256_and_si256(capital, _mm256_set1_epi8(13)));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_add_epi8(values, _mm256_shuffle_epi8(offsets, run)));
  }
  return at;
}

// 32 letters at a time; gives how many were taken. Writes 32 bytes for 24.
__attribute__((target("avx2"))) size_t decode_avx2(const char* in, size_t size, char* to) {
  // A character is none of the alphabet when the classes of its two nibbles have a bit in common.
  const __m256i low_class = twice(
      _mm_setr_epi8(0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x13, 0x1a, 0x1b, 0x1b, 0x1b, 0x1a));
  const __m256i high_class = twice(
      _mm_setr_epi8(0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10));
  // By the high nibble, one less for '/': what turns a letter into its value.
  const __m256i offsets = twice(
      _mm_setr_epi8(0, 63 - '/', 62 - '+', 52 - '0', 0 - 'A', 0 - 'A', 26 - 'a', 26 - 'a', 0, 0, 0, 0, 0, 0, 0, 0));
  const __m256i pack = twice(_mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1));
  const __m256i nibble = _mm256_set1_epi8(0x2f);  // a byte with its highest bit set selects 0: bit 5 does no harm
  size_t at = 0;
  for (; at + 32 <= size; at += 32, to += 24) {
    const __m256i text = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + at));
    const __m256i high = _mm256_and_si256(_mm256_srli_epi32(text, 4), nibble);
    const __m256i low = _mm256_and_si256(text, nibble);
    if (_mm256_testz_si256(_mm256_shuffle_epi8(low_class, low), _mm256_shuffle_epi8(high_class, high)) == 0) break;
    const __m256i slash = _mm256_cmpeq_epi8(text, _mm256_set1_epi8('/'));
    const __m256i values = _mm256_add_epi8(text, _mm256_shuffle_epi8(offsets, _mm256_add_epi8(slash, high)));
    // 6 bits each: pairs to 12, pairs of those to 24, whose bytes are put in order and side by side.
    const __m256i twelve = _mm256_maddubs_epi16(values, _mm256_set1_epi32(0x01400140));
    const __m256i groups = _mm256_madd_epi16(twelve, _mm256_set1_epi32(0x00011000));
    const __m256i bytes =
        _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(groups, pack), _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 7));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), bytes);
  }
  return at;
}

#endif

}  // namespace

int letter_value(char c) { return kReverse[static_cast<uint8_t>(c)]; }

namespace portable {

char* encode(std::string_view content, char* to) {
  const auto* in = reinterpret_cast<const uint8_t*>(content.data());
  size_t left = content.size();
  for (; left >= 3; left -= 3, in += 3, to += 4) {
    const uint32_t bits = static_cast<uint32_t>(in[0]) << 16 | static_cast<uint32_t>(in[1]) << 8 | in[2];
    std::memcpy(to, kPairs[bits >> 12].data(), 2);
    std::memcpy(to + 2, kPairs[bits & 4095].data(), 2);
  }
  if (left > 0) {
    const uint32_t bits = static_cast<uint32_t>(in[0]) << 16 | (left > 1 ? static_cast<uint32_t>(in[1]) << 8 : 0u);
    std::memcpy(to, kPairs[bits >> 12].data(), 2);
    to[2] = left > 1 ? kAlphabet[bits >> 6 & 63] : '=';
    to[3] = '=';
    to += 4;
  }
  return to;
}

size_t decode_groups(std::string_view text, char* to) {
  size_t at = 0;
  for (; at + 4 <= text.size(); at += 4) {
    const auto place = [&](size_t i) { return kPlaces[i][static_cast<uint8_t>(text[at + i])]; };
    const uint32_t group = place(0) | place(1) | place(2) | place(3);
    if ((group & kNoLetter) != 0) break;
    *to++ = static_cast<char>(group >> 16);
    *to++ = static_cast<char>(group >> 8);
    *to++ = static_cast<char>(group);
  }
  return at;
}

}  // namespace portable

char* encode(std::string_view content, char* to) {
#if defined(__x86_64__)
  if (kHasAvx2) {
    const size_t taken = encode_avx2(content.data(), content.size(), to);
    content.remove_prefix(taken);
    to += taken / 3 * 4;
  }
#endif
  return portable::encode(content, to);
}

size_t decode_groups(std::string_view text, char* to) {
  size_t taken = 0;
#if defined(__x86_64__)
  if (kHasAvx2) taken = decode_avx2(text.data(), text.size(), to);
#endif
  return taken + portable::decode_groups(text.substr(taken), to + taken / 4 * 3);
}

}  // namespace arch::base64
