// engine/mime/hostile_test.cc
// Claim   No mail makes reading it slow, deep or large: every limit of limits.h holds, is met exactly, and what lies below
//         it is read whole (docs/mail-limits.md).
// Method  Messages of a few megabytes made to hit one limit each, one below, at and one above it; shapes that are quadratic
//         in other readers. Work is bounded by the test's own time limit, not by a clock inside.
// Teeth   A recursion overflows the stack here, a quadratic search runs into ctest's limit.
#include <gtest/gtest.h>

#include "engine/base/limits.h"
#include "engine/mime/message.h"

namespace arch::mime {
namespace {

std::string repeated(std::string_view text, size_t times) {
  std::string out;
  out.reserve(text.size() * times);
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

// Multiparts inside each other, `depth` of them, with one text inside.
std::string nested_multiparts(size_t depth) {
  std::string out = "Subject: deep\n";
  for (size_t i = 0; i < depth; ++i)
    out += "Content-Type: multipart/mixed; boundary=b" + std::to_string(i) + "\n\n--b" + std::to_string(i) + "\n";
  return out + "\nbottom\n";
}

std::string many_parts(size_t leaves) {
  return "Content-Type: multipart/mixed; boundary=b\n\n" + repeated("--b\n\nx\n", leaves) + "--b--\n";
}

std::string many_fields(size_t count) { return repeated("X-Field: value\n", count) + "Subject: last\n\nbody\n"; }

TEST(Hostile, NestedGroupsOfAddresses) {
  const Message parsed = parse("From: a@x.example\nTo: " + repeated("g:", 100'000) + "b@x.example" +
                               std::string(100'000, ';') + "\n\nx");
  ASSERT_EQ(parsed.to.size(), 1u);
  EXPECT_EQ(parsed.to[0].address, "b@x.example");
}

TEST(Hostile, DepthIsReadUpToTheLimit) {
  for (size_t depth : {limits::kMimeDepth - 1, limits::kMimeDepth}) {
    const Message parsed = parse(nested_multiparts(depth));
    EXPECT_FALSE(parsed.partial) << depth;
    EXPECT_EQ(parsed.parts.size(), depth + 1);
    EXPECT_EQ(parsed.parts.back().depth, static_cast<int>(depth));
  }
  const Message parsed = parse(nested_multiparts(limits::kMimeDepth + 1));
  EXPECT_TRUE(parsed.partial);
  EXPECT_EQ(parsed.parts.size(), limits::kMimeDepth + 1);
  EXPECT_FALSE(parsed.parts.back().container);
}

TEST(Hostile, TwentyThousandNestedMultiparts) {
  const Message parsed = parse(nested_multiparts(20'000));
  EXPECT_TRUE(parsed.partial);
  EXPECT_EQ(parsed.subject, "deep");
}

TEST(Hostile, AHundredThousandNestedMessages) {
  const Message parsed = parse(repeated("Content-Type: message/rfc822\n\n", 100'000) + "Subject: x\n\ny\n");
  EXPECT_TRUE(parsed.partial);
  EXPECT_LE(parsed.parts.size(), limits::kMimeDepth + 1);
}

TEST(Hostile, PartsAreReadUpToTheLimit) {
  for (size_t parts : {limits::kMimeParts - 1, limits::kMimeParts}) {
    const Message parsed = parse(many_parts(parts - 1));  // and the multipart itself
    EXPECT_EQ(parsed.parts.size(), parts);
    EXPECT_FALSE(parsed.partial);
  }
  for (size_t leaves : {limits::kMimeParts, size_t{50'000}}) {
    const std::string message = many_parts(leaves);
    const Message parsed = parse(message);
    EXPECT_TRUE(parsed.partial);
    EXPECT_EQ(parsed.parts.size(), limits::kMimeParts);
    EXPECT_EQ(
        message.substr(parsed.parts.back().body_begin, parsed.parts.back().body_end - parsed.parts.back().body_begin),
        "x");
  }
}

TEST(Hostile, FieldsAreReadUpToTheLimit) {
  Message parsed = parse(many_fields(limits::kHeaderCount - 2));
  EXPECT_EQ(parsed.headers.size(), limits::kHeaderCount - 1);
  EXPECT_FALSE(parsed.partial);
  parsed = parse(many_fields(limits::kHeaderCount - 1));
  EXPECT_EQ(parsed.headers.size(), limits::kHeaderCount);
  EXPECT_EQ(parsed.subject, "last");
  EXPECT_FALSE(parsed.partial);
  parsed = parse(many_fields(limits::kHeaderCount));
  EXPECT_EQ(parsed.headers.size(), limits::kHeaderCount);
  EXPECT_TRUE(parsed.partial);
  const std::string message = many_fields(100'000);
  parsed = parse(message);
  EXPECT_TRUE(parsed.partial);
  EXPECT_EQ(message.substr(parsed.header_end), "body\n");  // the body is found all the same
}

TEST(Hostile, FieldBytesAreReadUpToTheLimit) {
  const auto value_of = [](size_t size) { return parse("Subject:" + std::string(size, 's') + "\n\nbody"); };
  for (size_t size : {limits::kHeaderBytes - 1, limits::kHeaderBytes}) {
    EXPECT_EQ(value_of(size).subject.size(), size);
    EXPECT_FALSE(value_of(size).partial);
  }
  EXPECT_EQ(value_of(limits::kHeaderBytes + 1).subject.size(), limits::kHeaderBytes);
  EXPECT_TRUE(value_of(limits::kHeaderBytes + 1).partial);
}

TEST(Hostile, ParametersAreReadUpToTheLimit) {
  const auto with_size = [](size_t size) {
    const std::string head = " text/plain; charset=utf-8; name=x;";
    return parse("Content-Type:" + head + std::string(size - head.size(), ' ') + "\n\nbody");
  };
  EXPECT_FALSE(with_size(limits::kHeaderFieldBytes - 1).partial);
  EXPECT_FALSE(with_size(limits::kHeaderFieldBytes).partial);
  EXPECT_TRUE(with_size(limits::kHeaderFieldBytes + 1).partial);
  EXPECT_EQ(with_size(limits::kHeaderFieldBytes + 1).parts.at(0).filename, "x");
  const Message parsed =
      parse("Content-Disposition: attachment; " + repeated("filename*1=x; ", 100'000) + "\n\nbody");
  EXPECT_TRUE(parsed.partial);
}

TEST(Hostile, ALineOfTenMegabytes) {
  const std::string line(10u << 20, 'x');
  EXPECT_EQ(parse(line).parts.size(), 1u);
  const std::string in_header = "Subject: s\nX-Long: " + line + "\nTo: b@x.example\n\nbody\n";
  const Message parsed = parse(in_header);
  EXPECT_TRUE(parsed.partial);
  EXPECT_EQ(parsed.subject, "s");
  EXPECT_EQ(in_header.substr(parsed.header_end), "body\n");
  EXPECT_EQ(
      parse("Content-Type: multipart/mixed; boundary=b\n\n--b\n\n" + line + "\n--b--\n").parts.at(1).body_end -
          parse("Content-Type: multipart/mixed; boundary=b\n\n--b\n\n" + line + "\n--b--\n").parts.at(1).body_begin,
      line.size());
}

TEST(Hostile, ShapesThatAreQuadraticElsewhere) {
  const size_t n = 500'000;
  EXPECT_EQ(parse("Subject: " + repeated("=?a?q?", n / 6) + "\n\nx").parts.size(), 1u);
  EXPECT_EQ(parse("Subject: " + repeated("=?utf-8?q?a?= ", n / 14) + "\n\nx").subject.size(), n / 14);
  for (const char* piece : {"<", "\"", "(", ")", "\\", "<a,", "(a\"", "a@", ":", ",", "a <b> ", "<\""})
    EXPECT_EQ(parse("To: " + repeated(piece, n / 4) + "\n\nx").parts.size(), 1u) << piece;
  EXPECT_EQ(parse("References: " + repeated("<a", n / 2) + "\n\nx").parts.size(), 1u);
  EXPECT_EQ(parse("Date: " + repeated("1 ", n / 2) + "\n\nx").parts.size(), 1u);
  // Dashes at line begins while as many boundaries are open as may be.
  std::string open = nested_multiparts(limits::kMimeDepth);
  open += repeated("--b\n", n / 4);
  EXPECT_EQ(parse(open).parts.size(), limits::kMimeDepth + 1);
  // Lines that are no fields among fields.
  EXPECT_GT(parse("A: 1\n" + repeated("no field\nTo: x@x.example\n", 1'000) + "\n\nx").to.size(), 900u);
}

TEST(Hostile, EveryPrefixOfAMessageIsReadWithRangesInside) {
  const std::string message =
      "From: \"A\" <a@x.example>\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n\r\n--b\r\n"
      "Content-Type: message/rfc822\r\n\r\nSubject: =?utf-8?Q?=C3=A9?=\r\n\r\ninner\r\n--b\r\n"
      "Content-Disposition: attachment; filename*=utf-8''%C3%A9\r\nContent-Transfer-Encoding: "
      "base64\r\n\r\nAAAA\r\n--b--\r\n";
  for (size_t size = 0; size <= message.size(); ++size) {
    const std::string_view cut = std::string_view(message).substr(0, size);
    const Message parsed = parse(cut);
    ASSERT_FALSE(parsed.parts.empty());
    for (const Part& part : parsed.parts) {
      ASSERT_LE(part.header_begin, part.body_begin) << size;
      ASSERT_LE(part.body_begin, part.body_end) << size;
      ASSERT_LE(part.body_end, size) << size;
    }
  }
}

}  // namespace
}  // namespace arch::mime
