// Claim   Sequences find a run of words, or one of several, exactly where the texts have it, and leave to the text what they cannot tell.
// Method  Random texts over vocabularies of a few and of thousands of words, so that codes have one byte, two and three and end like
//         each other; random patterns, most of them taken from the texts.
// Teeth   Every message is asked for each pattern and compared with a search in its words; how much was decided is counted.
#include "query/index/sequences.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>

namespace arch::index {
namespace {

using Words = std::vector<std::string>;
struct Piece {
  uint8_t field;
  Words words;
};

constexpr uint32_t kEvery = 0x3e;  // subject to attachment

class SequencesTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = testing::TempDir() + "sequences-XXXXXX";
    ASSERT_NE(::mkdtemp(directory_.data()), nullptr);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string path() const { return directory_ + "/words.seq"; }
  std::string directory_;
};

MessageText text_of(const std::vector<Piece>& pieces) {
  MessageText out;
  for (const Piece& piece : pieces) {
    std::string text;
    for (const std::string& word : piece.words) text += word + (text.size() % 3 == 0 ? ", " : " ");
    out.push_back({piece.field, "", std::move(text)});
  }
  return out;
}

bool holds(const WordPattern& pattern, const std::vector<Piece>& pieces) {
  for (const Piece& piece : pieces) {
    if ((pattern.pieces >> piece.field & 1) == 0) continue;
    const auto end = piece.words.end();
    if (!pattern.sequence.empty() &&
        std::search(piece.words.begin(), end, pattern.sequence.begin(), pattern.sequence.end()) != end)
      return true;
    for (const std::string& single : pattern.singles)
      if (std::find(piece.words.begin(), end, single) != end) return true;
  }
  return false;
}

TEST_F(SequencesTest, FindWhatTheTextsHave) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    const auto below = [&random](uint64_t bound) { return random() % bound; };
    const uint64_t vocabulary = seed % 3 == 0 ? 12 : seed % 3 == 1 ? 900 : 30'000;
    // Common words are very common, as in mail.
    const auto draw = [&] {
      return "w" +
             std::to_string(below(2) == 0 ? below(1 + below(std::min<uint64_t>(vocabulary, 60))) : below(vocabulary));
    };
    const uint64_t first = 1 + below(1'000);
    SequenceWriter writer(first);
    std::vector<std::vector<Piece>> messages;
    for (size_t i = 0; i < 400; ++i) {
      std::vector<Piece> pieces;
      if (i % 50 != 7)  // some have no text
        for (size_t n = below(4); n > 0 || pieces.empty(); n -= n > 0 ? 1 : 0) {
          Piece piece{static_cast<uint8_t>(1 + below(6)), {}};  // kPeople is left out
          for (size_t w = below(250); w > 0; --w) piece.words.push_back(draw());
          pieces.push_back(std::move(piece));
        }
      writer.add(text_of(pieces));
      messages.push_back(std::move(pieces));
    }
    ASSERT_EQ(writer.last(), first + messages.size() - 1);
    const std::vector<LateText> late = {{first + 3, 1}, {first + 9, 4}};
    ASSERT_TRUE(writer.write(path(), late));
    auto opened = Sequences::open(path(), first, writer.last());
    ASSERT_TRUE(opened) << describe(opened.error());
    const Sequences& sequences = **opened;
    ASSERT_EQ(sequences.late().size(), 2u);
    EXPECT_EQ(sequences.late()[1].number, first + 9);
    EXPECT_EQ(sequences.late()[1].times, 4u);

    size_t hits = 0, decided = 0, asked = 0;
    for (size_t i = 0; i < 200; ++i) {
      WordPattern pattern;
      pattern.pieces = below(3) == 0 ? 1u << (1 + below(5)) : kEvery;
      const auto& from = messages[below(messages.size())];
      const size_t length = 1 + below(below(8) == 0 ? 40 : 3);
      if (!from.empty() && below(5) != 0) {
        const Words& words = from[below(from.size())].words;
        if (words.size() > length) {
          const auto at = words.begin() + static_cast<std::ptrdiff_t>(below(words.size() - length));
          pattern.sequence.assign(at, at + static_cast<std::ptrdiff_t>(length));
        }
      } else {
        for (size_t w = 0; w < length; ++w) pattern.sequence.push_back(draw());
      }
      if (below(4) == 0) pattern.singles = {draw(), draw()};
      if (pattern.sequence.empty() && pattern.singles.empty()) continue;
      Numbers numbers;
      for (size_t m = 0; m < messages.size(); ++m)
        if (below(4) != 0) numbers.push_back(first + m);
      Numbers found, undecided;
      sequences.look(pattern, numbers, &found, &undecided);
      for (uint64_t number : numbers) {
        const auto& pieces = messages[number - first];
        const bool is_found = std::binary_search(found.begin(), found.end(), number);
        const bool is_open = std::binary_search(undecided.begin(), undecided.end(), number);
        ASSERT_FALSE(is_found && is_open);
        if (pieces.empty()) {
          ASSERT_TRUE(is_open);
        }
        ++asked;
        hits += is_found ? 1 : 0;
        if (is_open) continue;
        ++decided;
        ASSERT_EQ(is_found, holds(pattern, pieces)) << "message " << number;
      }
    }
    EXPECT_GT(hits, 100u);
    EXPECT_GT(decided, asked / 2);
  }
}

TEST_F(SequencesTest, AFileThatIsNotWholeIsRefused) {
  SequenceWriter writer(5);
  for (int i = 0; i < 20; ++i) writer.add({{TextPiece::kBody, "", "bon de commande bon de commande"}});
  ASSERT_TRUE(writer.write(path(), {}));
  EXPECT_TRUE(Sequences::open(path(), 5, 24));
  EXPECT_FALSE(Sequences::open(path(), 5, 25));
  EXPECT_FALSE(Sequences::open(path(), 4, 24));
  const auto size = std::filesystem::file_size(path());
  for (uintmax_t cut : {uintmax_t{0}, uintmax_t{10}, uintmax_t{64}, size / 2, size - 1}) {
    std::filesystem::resize_file(path(), cut);
    auto opened = Sequences::open(path(), 5, 24);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Code::kCorrupt);
  }
}

// Whatever bit is another one: nothing is found by this file any more, and the texts are asked.
TEST_F(SequencesTest, AFlippedBitAnywhereLeavesEverythingToTheTexts) {
  SequenceWriter writer(1);
  std::mt19937_64 random(7);
  for (int i = 0; i < 60; ++i) {
    std::string text;
    for (int w = 0; w < 80; ++w) text += "mot" + std::to_string(random() % 300) + " ";
    writer.add({{TextPiece::kBody, "", text}});
  }
  ASSERT_TRUE(writer.write(path(), {{3, 1}, {9, 2}}));
  std::ifstream in(path(), std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(in)), {});
  Numbers all;
  for (uint64_t number = 1; number <= 60; ++number) all.push_back(number);
  const WordPattern pattern{{"mot1", "mot2"}, {"mot3"}, kEvery};
  Numbers found, undecided;
  (*Sequences::open(path(), 1, 60))->look(pattern, all, &found, &undecided);
  ASSERT_GT(found.size(), 5u);
  const Numbers sound = found;
  for (size_t at = 0; at < whole.size(); at += 1 + random() % 16) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1 << random() % 8);
    std::ofstream(path(), std::ios::binary) << damaged;
    auto opened = Sequences::open(path(), 1, 60);
    if (!opened) continue;
    found.clear(), undecided.clear();
    (*opened)->look(pattern, all, &found, &undecided);
    EXPECT_TRUE(found.empty()) << at;
    EXPECT_EQ(undecided, all) << at;
  }
}

}  // namespace
}  // namespace arch::index
