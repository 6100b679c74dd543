// Claim   An mbox gives back exactly the bytes between its separators, whatever is broken inside, in memory bounded by the
//         largest message allowed.
// Method  Small files read in every chunk size; the concatenation of separators and messages must be the file.
// Teeth   A reader that forgets bytes at a chunk's border fails ReadsTheSameInChunksOfEverySize.
#include "ingest/import/mbox.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace arch::import {
namespace {

std::vector<MboxMessage> read_all(const std::string& file, size_t chunk = 1u << 20, bool mboxrd = false,
                                  uint64_t limit = 1u << 20) {
  size_t at = 0;
  ReadSome read = [&](char* buffer, size_t size) -> Result<size_t> {
    size_t n = std::min({size, chunk, file.size() - at});
    file.copy(buffer, n, at);
    at += n;
    return n;
  };
  std::vector<MboxMessage> messages;
  MboxOptions options;
  options.mboxrd = mboxrd;
  options.message_bytes = limit;
  auto result = read_mbox(
      read, options,
      [&](MboxMessage m) -> Result<void> {
        messages.push_back(std::move(m));
        return {};
      },
      [](uint64_t) {});
  EXPECT_TRUE(result) << describe(result.error());
  return messages;
}

const std::string kFrom1 = "From a@b.example Mon Jun  3 12:50:27 1996";
const std::string kFrom2 = "From c@d.example Tue Jun  4 12:50:27 1996";

TEST(Mbox, EverythingBetweenTwoSeparatorsIsTheMessage) {
  auto m = read_all(kFrom1 + "\nSubject: 1\n\none\n\n" + kFrom2 + "\nSubject: 2\n\ntwo\n");
  ASSERT_EQ(m.size(), 2u);
  EXPECT_EQ(m[0].separator, kFrom1);
  EXPECT_EQ(m[0].message, "Subject: 1\n\none\n\n");
  EXPECT_EQ(m[0].offset, 0u);
  EXPECT_EQ(m[1].separator, kFrom2);
  EXPECT_EQ(m[1].message, "Subject: 2\n\ntwo\n");
  EXPECT_EQ(m[1].offset, kFrom1.size() + 18);
}

TEST(Mbox, CrLfIsKept) {
  auto m = read_all(kFrom1 + "\r\nSubject: 1\r\n\r\none\r\n\r\n" + kFrom2 + "\r\nSubject: 2\r\n\r\ntwo");
  ASSERT_EQ(m.size(), 2u);
  EXPECT_EQ(m[0].separator, kFrom1);
  EXPECT_EQ(m[0].message, "Subject: 1\r\n\r\none\r\n\r\n");
  EXPECT_EQ(m[1].message, "Subject: 2\r\n\r\ntwo");
}

TEST(Mbox, AFromLineInABodyIsNoSeparator) {
  std::string body = "Subject: 1\n\nFrom the first day\n\nFrom here on\ntext\n" + kFrom2 + "\nand more text\n";
  auto m = read_all(kFrom1 + "\n" + body);
  ASSERT_EQ(m.size(), 1u);
  EXPECT_EQ(m[0].message, body);
}

TEST(Mbox, AMissingEmptyLineIsForgivenWhenAHeaderFollows) {
  auto m = read_all("From - \nSubject: 1\n\n--x--\n" + kFrom2 + "\nSubject: 2\n\ntwo\nFrom - \nSubject: 3\n\n");
  ASSERT_EQ(m.size(), 3u);
  EXPECT_EQ(m[0].message, "Subject: 1\n\n--x--\n");
  EXPECT_EQ(m[2].separator, "From - ");
}

TEST(Mbox, ContentLengthIsIgnored) {
  auto m = read_all(kFrom1 + "\nContent-Length: 100000\n\none\n\n" + kFrom2 + "\nContent-Length: 0\n\ntwo\n");
  ASSERT_EQ(m.size(), 2u);
}

TEST(Mbox, ABrokenMailDoesNotEndTheFile) {
  std::string mail = "no header at all\n--zz\n" + std::string(8192, 'x') + "\n\n";
  auto m = read_all(kFrom1 + "\n" + mail + kFrom2 + "\nSubject: 2\n\ntwo\n");
  ASSERT_EQ(m.size(), 2u);
  EXPECT_EQ(m[0].message, mail);
}

TEST(Mbox, AMailWithoutHeaderIsAMail) {
  auto m = read_all(kFrom1 + "\n\nTest content 1\n\n" + kFrom2 + "\n\nTest content 2\n");
  ASSERT_EQ(m.size(), 2u);
  EXPECT_EQ(m[0].message, "\nTest content 1\n\n");
}

TEST(Mbox, QuotedFromStandsUnlessMboxrd) {
  std::string file = kFrom1 + "\nSubject: 1\n\n>From x\n>>From y\n> From z\n>Fro\ntail >From\n";
  EXPECT_EQ(read_all(file)[0].message, "Subject: 1\n\n>From x\n>>From y\n> From z\n>Fro\ntail >From\n");
  EXPECT_EQ(read_all(file, 1u << 20, true)[0].message, "Subject: 1\n\nFrom x\n>From y\n> From z\n>Fro\ntail >From\n");
}

TEST(Mbox, OnlyASeparator) {
  for (const std::string end : {"", "\n", "\r\n"}) {
    auto m = read_all(kFrom1 + end);
    ASSERT_EQ(m.size(), 1u);
    EXPECT_EQ(m[0].separator, kFrom1);
    EXPECT_EQ(m[0].size, 0u);
  }
}

TEST(Mbox, AnEmptyFileHoldsNothing) { EXPECT_TRUE(read_all("").empty()); }

TEST(Mbox, AFirstLineTooLongForASeparatorBelongsToTheMessage) {
  std::string file = "From " + std::string(996, 'a') + "\nSubject: 1\n\n";
  auto m = read_all(file);
  ASSERT_EQ(m.size(), 1u);
  EXPECT_EQ(m[0].separator, "");
  EXPECT_EQ(m[0].message, file);
}

TEST(Mbox, AMessageOverTheLimitIsPassedOverAndTheNextOneRead) {
  for (int excess : {-1, 0, 1}) {
    std::string big = "Subject: 1\n\n";
    big += std::string(static_cast<size_t>(1000 + excess) - big.size() - 2, 'x') + "\n\n";
    auto m = read_all(kFrom1 + "\n" + big + kFrom2 + "\nSubject: 2\n\ntwo\n", 100, false, 1000);
    ASSERT_EQ(m.size(), 2u);
    EXPECT_EQ(m[0].size, big.size());
    EXPECT_EQ(m[0].message, excess > 0 ? "" : big);
    EXPECT_EQ(m[1].message, "Subject: 2\n\ntwo\n");
  }
}

TEST(Mbox, ReadsTheSameInChunksOfEverySize) {
  std::string file;
  for (int i = 0; i < 40; ++i) {
    file += i % 3 == 0 ? kFrom1 + "\n" : kFrom2 + "\r\n";
    file += "Subject: " + std::to_string(i) + "\n\n" + std::string(static_cast<size_t>(i * 37), 'x') +
            "\nFrom me to you\n\n";
    if (i % 5 == 0) file += std::string(300'000, 'y') + "\n\n";
  }
  auto whole = read_all(file);
  ASSERT_EQ(whole.size(), 40u);
  for (size_t chunk :
       {size_t{7}, size_t{64}, size_t{4095}, size_t{4096}, size_t{262'143}, size_t{262'144}, size_t{262'145}}) {
    auto m = read_all(file, chunk);
    ASSERT_EQ(m.size(), whole.size()) << chunk;
    for (size_t i = 0; i < m.size(); ++i) {
      ASSERT_EQ(m[i].message, whole[i].message) << chunk << " " << i;
      ASSERT_EQ(m[i].offset, whole[i].offset);
      ASSERT_EQ(file.compare(m[i].offset, m[i].separator.size(), m[i].separator), 0);
    }
  }
}

// Separators at every place relative to the reader's buffer of 256 KiB.
TEST(Mbox, ASeparatorMayLieAnywhereInTheBuffer) {
  const std::string head = kFrom1 + "\nSubject: 1\n\n";
  for (size_t at = 262'144 - 80; at <= 262'144 + 10; ++at) {
    std::string file = head + std::string(at - head.size() - 2, 'x') + "\n\n" + kFrom2 + "\nSubject: 2\n\ntwo\n";
    auto m = read_all(file);
    ASSERT_EQ(m.size(), 2u) << at;
    ASSERT_EQ(m[1].offset, at);
  }
}

TEST(Mbox, AnErrorOfTheReaderIsHandedUp) {
  ReadSome read = [](char*, size_t) -> Result<size_t> { return fail(Code::kIo, "disk"); };
  MboxOptions options;
  options.message_bytes = 10;
  auto result = read_mbox(
      read, options, [](MboxMessage) -> Result<void> { return {}; }, [](uint64_t) {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().what, "disk");
}

}  // namespace
}  // namespace arch::import
