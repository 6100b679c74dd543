// Claim   Segment structures encode and decode to the same values; any changed or missing byte is refused without asking for
//         memory that the input does not justify; base64 counts as exact only when encoding gives the very bytes again.
#include <gtest/gtest.h>

#include <random>

#include "engine/base/limits.h"
#include "engine/format/segment.h"

namespace arch::segment_format {
namespace {

TEST(SegmentFormat, Base64IsExactOrRefused) {
  std::mt19937 random(1);
  for (uint32_t line_length : {0u, 4u, 5u, 60u, 64u, 72u, 76u, 77u, 998u}) {
    for (bool crlf : {false, true}) {
      for (bool final_line_end : {false, true}) {
        for (size_t size : {1u, 2u, 3u, 44u, 45u, 46u, 57u, 58u, 114u, 1000u, 5000u}) {
          std::string content(size, '\0');
          for (char& c : content) c = static_cast<char>(random());
          const Base64Form form{line_length, crlf, final_line_end};
          std::string text;
          append_base64(content, form, &text);
          ASSERT_EQ(text.size(), base64_size(size, form));
          std::string decoded;
          Base64Form found;
          if (!decode_exact_base64(text, &decoded, &found)) {
            // One line's end cannot tell CR LF from LF where there is none; nothing else may be refused.
            ADD_FAILURE() << "line " << line_length << " crlf " << crlf << " final " << final_line_end << " size "
                          << size;
            continue;
          }
          EXPECT_EQ(decoded, content);
          std::string again;
          append_base64(decoded, found, &again);
          EXPECT_EQ(again, text);
        }
      }
    }
  }
}

// The letters one by one, six bits each (RFC 4648 s4): nothing in common with the tables of segment.cc.
std::string plain_base64(const std::string& content) {
  const std::string letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bits, out;
  for (unsigned char c : content)
    for (int i = 7; i >= 0; --i) bits += (c >> i & 1) != 0 ? '1' : '0';
  while (bits.size() % 6 != 0) bits += '0';
  for (size_t at = 0; at < bits.size(); at += 6) out += letters[std::stoul(bits.substr(at, 6), nullptr, 2)];
  while (out.size() % 4 != 0) out += '=';
  return out;
}

TEST(SegmentFormat, Base64IsThatOfTheStandardAndAnyChangeIsRefusedOrAnotherContent) {
  std::mt19937 random(2);
  const std::string letters = "ABCyz09+/=\r\n -\x80";
  for (size_t size = 1; size < 200; ++size) {
    std::string content(size, '\0');
    for (char& c : content) c = static_cast<char>(random());
    std::string text;
    append_base64(content, {}, &text);
    ASSERT_EQ(text, plain_base64(content));
    for (int i = 0; i < 50; ++i) {
      std::string changed = text;
      changed[random() % changed.size()] = letters[random() % letters.size()];
      if (i % 2 == 0) changed.erase(random() % changed.size(), random() % 5);
      std::string decoded, again;
      Base64Form form;
      if (!decode_exact_base64(changed, &decoded, &form)) continue;
      append_base64(decoded, form, &again);
      EXPECT_EQ(again, changed);
      if (changed != text && form == Base64Form{}) {
        EXPECT_NE(decoded, content);
      }
    }
  }
}

TEST(SegmentFormat, TextThatIsNotCanonicalBase64StaysAsItIs) {
  for (const char* text : {"", "=", "AB", "ABC", "ABCDE", "AB=C", "A===", "ABC=D", "AAAA AAAA", "AAAA\r\nAAAA\nAAAA",
                           "AAAA\n\nAAAA", "AAAAAAAA\nAAAA\nAAAAAAAA",
                           "QR==",  // bits behind the end that a canonical encoder leaves zero
                           "-_-_", "\n", "\r\n", "AAAA\r", "AAAA\n\n"}) {
    std::string content;
    Base64Form form;
    EXPECT_FALSE(decode_exact_base64(text, &content, &form)) << testing::PrintToString(text);
  }
}

Footer sample_footer() {
  Footer footer;
  footer.previous_footer_digest = Sha256::of(as_bytes("previous"));
  footer.first_sequence = 7;
  footer.last_sequence = 9;
  footer.deliveries = 3;
  footer.journal_files.push_back({3, {1, 2, 3}});
  Block block;
  block.stream = Stream::kSkeleton;
  block.stored_size = block.raw_size = 30;
  footer.blocks.push_back(block);
  block.stream = Stream::kSmallPart;
  block.codec = Codec::kZstd;
  block.level = 9;
  block.stored_size = 10;
  block.raw_size = 50;
  block.checksum = 77;
  footer.blocks.push_back(block);
  MessageEntry message;
  message.digest = Sha256::of(as_bytes("m1"));
  message.size = 100;
  message.skeleton_size = 20;
  message.crlf = true;
  message.steps = {{Step::Kind::kCopy, 15, {}},
                   {Step::Kind::kEncode, 5, {76, true, false}},
                   {Step::Kind::kBlob, 0, {}},
                   {Step::Kind::kBlobEncoded, 1, {60, false, true}}};
  footer.messages.push_back(message);
  message = MessageEntry{};
  message.digest = Sha256::of(as_bytes("m2"));
  message.size = 10;
  message.skeleton_size = 10;
  footer.messages.push_back(message);
  footer.blobs.push_back({Sha256::of(as_bytes("b")), 50, false});
  footer.foreign.push_back({Sha256::of(as_bytes("f")), 2});
  return footer;
}

TEST(SegmentFormat, FootersRoundTrip) {
  const Footer footer = sample_footer();
  std::string digests, meta;
  encode_footer(footer, &digests, &meta);
  auto decoded = decode_footer(digests, meta, kHeaderSize + 40);
  ASSERT_TRUE(decoded) << describe(decoded.error());
  EXPECT_EQ(decoded->messages[0].steps, footer.messages[0].steps);
  EXPECT_EQ(decoded->messages[1].digest, footer.messages[1].digest);
  EXPECT_EQ(decoded->blocks[1].offset, kHeaderSize + 30);
  EXPECT_EQ(decoded->journal_files, footer.journal_files);
  EXPECT_EQ(decoded->foreign[0].segment, 2u);
}

TEST(SegmentFormat, AFooterThatDoesNotAddUpIsRefused) {
  const auto refused = [](const std::function<void(Footer*)>& change) {
    Footer footer = sample_footer();
    change(&footer);
    std::string digests, meta;
    encode_footer(footer, &digests, &meta);
    auto decoded = decode_footer(digests, meta, kHeaderSize + 40);
    return !decoded && decoded.error().code == Code::kCorrupt;
  };
  EXPECT_FALSE(refused([](Footer*) {}));
  EXPECT_TRUE(refused([](Footer* footer) { footer->messages[0].skeleton_size += 1; }));
  EXPECT_TRUE(refused([](Footer* footer) { footer->messages[0].steps[0].value += 1; }));
  EXPECT_TRUE(refused([](Footer* footer) { footer->messages[0].steps[2].value = 2; })) << "a blob that is not there";
  EXPECT_TRUE(refused([](Footer* footer) { footer->messages[0].size = limits::kMessageBytes + 1; }));
  EXPECT_TRUE(refused([](Footer* footer) { footer->blobs[0].size += 1; }));
  EXPECT_TRUE(refused([](Footer* footer) { footer->blobs[0].large = true; }));
  EXPECT_TRUE(refused([](Footer* footer) { footer->blocks[0].stored_size += 1; }));
  EXPECT_TRUE(refused([](Footer* footer) { footer->blocks[1].raw_size = kMaxBlockRaw + 1; }));
  EXPECT_TRUE(refused([](Footer* footer) { footer->blocks[0].raw_size += 1; })) << "stored blocks have one size";
}

TEST(SegmentFormat, CutAndChangedMetaNeverCrashes) {
  std::string digests, meta;
  encode_footer(sample_footer(), &digests, &meta);
  for (size_t size = 0; size < meta.size(); ++size)
    EXPECT_FALSE(decode_footer(digests, std::string_view(meta).substr(0, size), kHeaderSize + 40)) << size;
  std::mt19937 random(2);
  for (int i = 0; i < 20'000; ++i) {
    std::string changed = meta;
    for (int j = 0; j < 3; ++j) changed[random() % changed.size()] = static_cast<char>(random());
    auto decoded = decode_footer(digests, changed, kHeaderSize + 40);
    if (!decoded) {
      EXPECT_EQ(decoded.error().code, Code::kCorrupt);
    }
  }
}

TEST(SegmentFormat, HeaderAndTrailerRefuseEveryChangedByte) {
  const std::string header =
      encode_header({*ArchiveId::from_hex("000102030405060708090a0b0c0d0e0f"), 12, 1'764'000'000'000'000'000});
  ASSERT_EQ(header.size(), kHeaderSize);
  ASSERT_TRUE(decode_header(header));
  EXPECT_EQ(decode_header(header)->number, 12u);
  Trailer trailer;
  trailer.footer_offset = 1000;
  trailer.digests_size = 64;
  trailer.footer_digest = Sha256::of(as_bytes("x"));
  const std::string end = encode_trailer(trailer);
  ASSERT_EQ(end.size(), kTrailerSize);
  ASSERT_TRUE(decode_trailer(end));
  EXPECT_EQ(decode_trailer(end)->footer_digest, trailer.footer_digest);
  for (size_t at = 0; at < kTrailerSize; ++at) {
    std::string changed = end;
    changed[at] ^= 4;
    EXPECT_FALSE(decode_trailer(changed)) << at;
    if (at >= kHeaderSize) continue;
    changed = header;
    changed[at] ^= 4;
    EXPECT_FALSE(decode_header(changed)) << at;
  }
}

}  // namespace
}  // namespace arch::segment_format
