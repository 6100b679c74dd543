// Proves   The vector code gives what the tables give, for every length, every character at every place, and writes no further than it says.
// Method   Both over random bytes; against letters that are none; guards behind the room.
// Teeth    Every class of a wrong character (each of 256 values) stands once at each place of a run longer than a vector.
#include "engine/format/base64.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace arch::base64 {
namespace {

constexpr char kGuard = '\x5a';

std::string random_bytes(size_t size) {
  static std::mt19937 random(42);
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(random());
  return out;
}

struct Decoded {
  size_t taken = 0;
  std::string bytes;
  bool operator==(const Decoded&) const = default;
};

Decoded decoded_by(size_t (*decode)(std::string_view, char*), std::string_view text) {
  std::string room(text.size() / 4 * 3 + kDecodeRoom + 64, kGuard);
  Decoded out;
  out.taken = decode(text, room.data());
  const size_t size = out.taken / 4 * 3;
  EXPECT_EQ(room.substr(text.size() / 4 * 3 + kDecodeRoom), std::string(64, kGuard)) << text.size();
  out.bytes = room.substr(0, size);
  return out;
}

TEST(Base64, EveryLengthIsEncodedAsTheTablesDoAndComesBack) {
  for (size_t size = 0; size < 400; ++size) {
    const std::string content = random_bytes(size);
    const size_t length = (size + 2) / 3 * 4;
    std::string text(length + 64, kGuard), expected(length, '\0');
    ASSERT_EQ(encode(content, text.data()), text.data() + length);
    portable::encode(content, expected.data());
    EXPECT_EQ(text, expected + std::string(64, kGuard)) << size;
    const Decoded back = decoded_by(decode_groups, expected);
    EXPECT_EQ(back, decoded_by(portable::decode_groups, expected)) << size;
    EXPECT_EQ(back.taken, size / 3 * 4);  // a padded group is none
    EXPECT_EQ(back.bytes, content.substr(0, size / 3 * 3));
  }
}

TEST(Base64, EveryCharacterAtEveryPlaceIsALetterForBothOrForNone) {
  for (size_t place = 0; place < 76; ++place) {
    for (int c = 0; c < 256; ++c) {
      std::string text(76, 'Q');
      text[place] = static_cast<char>(c);
      const Decoded got = decoded_by(decode_groups, text);
      ASSERT_EQ(got, decoded_by(portable::decode_groups, text)) << place << " " << c;
      ASSERT_EQ(got.taken, letter_value(static_cast<char>(c)) >= 0 ? 76 : place / 4 * 4);
    }
  }
}

}  // namespace
}  // namespace arch::base64
