// Claim   Every format gives the words a person sees in it, and no others; what is protected, broken or too much says so; each limit
//         holds at its value.
// Method  Documents of our own (tests/data/make_documents.py), each with the words that must and must not come out; small ones made here
//         for the limits.
// Teeth   The words lie where naive readers miss them: footnotes, split runs, cut strings, shared strings, two widths of letters, charsets
//         that nobody names, members of members. The forbidden ones lie where naive readers find them: styles, field codes, masters.
#include <gtest/gtest.h>

#include <set>

#include "engine/mime/message.h"
#include "query/document/own_documents.h"
#include "query/document/spreadsheet.h"

namespace arch::document {
namespace {

// Takes the time of a worker: poppler unpacks 300 MiB in one call. The pool's test reads it.
const std::set<std::string> kForWorkersOnly = {"flate-bomb.pdf"};

OwnDocument own(const std::string& file) {
  for (OwnDocument& one : own_documents())
    if (one.file == file) return one;
  ADD_FAILURE() << file << " is not among our documents";
  return {};
}

TEST(Document, EveryFormatGivesItsWords) {
  size_t files = 0;
  for (const OwnDocument& wanted : own_documents()) {
    if (kForWorkersOnly.count(wanted.file) != 0) continue;
    const DocumentText read = read_bytes(wanted.bytes, wanted.hint);
    EXPECT_EQ(differences(wanted, read), "") << wanted.file << " as " << read.media_type;
    EXPECT_FALSE(read.tool.empty());
    EXPECT_EQ(read.text, mime::to_utf8(read.text, "utf-8")) << wanted.file << ": not valid UTF-8";
    EXPECT_TRUE(read.status == Status::kRead || read.status == Status::kNoText || !read.why.empty()) << wanted.file;
    ++files;
  }
  EXPECT_GE(files, 80u);
}

TEST(Document, ContentDecidesBeforeDeclarationAndName) {
  const std::string pdf = own("simple.pdf").bytes;
  for (const Hint& hint : {Hint{"application/msword", "a.doc", ""}, Hint{"text/plain", "a.txt", ""},
                           Hint{"image/png", "a.png", ""}, Hint{}})
    EXPECT_EQ(read_bytes(pdf, hint).media_type, "application/pdf") << hint.filename;
  EXPECT_EQ(read_bytes(own("simple.docx").bytes, {"application/zip", "a.zip", ""}).media_type,
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document");
  // Where the content says nothing, they decide.
  EXPECT_EQ(read_bytes("a;b\n", {"text/csv", "", ""}).media_type, "text/csv");
  EXPECT_EQ(read_bytes("a;b\n", {"", "a.csv", ""}).media_type, "text/csv");
  EXPECT_EQ(read_bytes("a < b", {"Text/HTML; charset=x", "", ""}).media_type, "text/html");
}

TEST(Document, TextEndsAtItsLimit) {
  Limits limits;
  limits.text_bytes = 10;
  EXPECT_EQ(read_bytes("123456789", {}, limits).status, Status::kRead);
  EXPECT_EQ(read_bytes("1234567890", {}, limits).status, Status::kRead);
  const DocumentText over = read_bytes("12345678901", {}, limits);
  EXPECT_EQ(over.status, Status::kOverLimit);
  EXPECT_EQ(over.text, "1234567890");
  EXPECT_EQ(read_bytes("123456789\xc3\xa9", {}, limits).text, "123456789") << "cut inside a character";
}

TEST(Document, DocumentsAreRefusedAboveTheirLimit) {
  Limits limits;
  limits.document_bytes = 5;
  EXPECT_EQ(read_bytes("12345", {}, limits).status, Status::kRead);
  EXPECT_EQ(read_bytes("123456", {}, limits).status, Status::kOverLimit);
}

TEST(Document, NestingMembersAndExpansionEndAtTheirLimits) {
  const std::string nested = own("nested.zip").bytes;
  for (uint32_t depth : {0u, 1u, 3u, 6u}) {
    Limits limits;
    limits.depth = depth;
    const DocumentText read = read_bytes(nested, {}, limits);
    uint32_t deepest = 0;
    for (const Member& member : read.members)
      if (member.status != Status::kOverLimit || !member.media_type.empty())
        deepest = std::max(deepest, member.depth);
    EXPECT_EQ(deepest, depth);
    EXPECT_EQ(read.all_text().find("immortelle") != std::string::npos, depth >= 6);
    EXPECT_EQ(read.status == Status::kOverLimit, depth < 6);
  }
  Limits members;
  members.members = 3'000;
  EXPECT_EQ(read_bytes(own("many.zip").bytes, {}, members).status, Status::kNoText);
  members.members = 2'999;
  EXPECT_EQ(read_bytes(own("many.zip").bytes, {}, members).status, Status::kOverLimit);
  EXPECT_EQ(read_bytes(own("many.zip").bytes, {}, members).members.size(), 2'999u);

  const OwnDocument note = own("journal.log.gz");
  Limits expansion;
  expansion.expansion = 0;
  expansion.expansion_floor_bytes = 15;  // "note immortelle"
  EXPECT_EQ(read_bytes(note.bytes, note.hint, expansion).status, Status::kNoText);
  expansion.expansion_floor_bytes = 14;
  EXPECT_EQ(read_bytes(note.bytes, note.hint, expansion).status, Status::kOverLimit);
}

TEST(Document, TimeOverIsSaidAndKeepsWhatWasRead) {
  Limits limits;
  limits.time = std::chrono::milliseconds(0);
  const DocumentText read = read_bytes(own("simple.pdf").bytes, {}, limits);
  EXPECT_EQ(read.status, Status::kOverLimit);
  EXPECT_NE(read.text.find("bruyère"), std::string::npos) << "the title comes before the first page";
}

TEST(Document, CutAnywhereNothingIsLostButTheEnd) {
  // Every prefix of every small document: ends, never hangs, stays valid UTF-8.
  for (const OwnDocument& wanted : own_documents()) {
    if (wanted.bytes.size() > 60'000) continue;
    const size_t step = std::max<size_t>(wanted.bytes.size() / 60, 1);
    for (size_t size = 0; size < wanted.bytes.size(); size += step) {
      const DocumentText read = read_bytes(wanted.bytes.substr(0, size), wanted.hint);
      ASSERT_EQ(read.text, mime::to_utf8(read.text, "utf-8")) << wanted.file << " cut at " << size;
    }
  }
}

TEST(Document, NumbersReadAsTheyAreTyped) {
  using internal::kind_of_format;
  using internal::number_text;
  using internal::NumberKind;
  EXPECT_EQ(number_text(1234.5, NumberKind::kPlain, false), "1234.5");
  EXPECT_EQ(number_text(0.1 + 0.2, NumberKind::kPlain, false), "0.3");
  EXPECT_EQ(number_text(45424, NumberKind::kDate, false), "2024-05-12 12/05/2024");
  EXPECT_EQ(number_text(59, NumberKind::kDate, false), "1900-02-28 28/02/1900");
  EXPECT_EQ(number_text(61, NumberKind::kDate, false), "1900-03-01 01/03/1900");
  EXPECT_EQ(number_text(1, NumberKind::kDate, false), "1900-01-01 01/01/1900");
  EXPECT_EQ(number_text(0, NumberKind::kDate, true), "1904-01-01 01/01/1904");
  EXPECT_EQ(number_text(45424.39583333, NumberKind::kDateTime, false), "2024-05-12 12/05/2024 09:30");
  EXPECT_EQ(number_text(0.999999, NumberKind::kTime, false), "00:00");
  EXPECT_EQ(number_text(-5, NumberKind::kDate, false), "-5");
  EXPECT_EQ(number_text(1e300, NumberKind::kDate, false), "1e+300");
  EXPECT_EQ(number_text(0.196, NumberKind::kPercent, false), "19.6 %");
  EXPECT_EQ(kind_of_format("General"), NumberKind::kPlain);
  EXPECT_EQ(kind_of_format("#,##0.00 \"days\""), NumberKind::kPlain);
  EXPECT_EQ(kind_of_format("[$-40C]d mmmm yyyy;@"), NumberKind::kDate);
  EXPECT_EQ(kind_of_format("[h]:mm"), NumberKind::kTime);
  EXPECT_EQ(kind_of_format("[Red]0.00"), NumberKind::kPlain);
  EXPECT_EQ(kind_of_format("dd/mm/yyyy hh:mm"), NumberKind::kDateTime);
  EXPECT_EQ(kind_of_format("0.0 %"), NumberKind::kPercent);
  EXPECT_EQ(kind_of_format("\""), NumberKind::kPlain);
  EXPECT_EQ(kind_of_format("["), NumberKind::kPlain);
}

TEST(Document, APicturesSizeIsInItsHeader) {
  const std::string jpeg_head("\xff\xd8\xff\xe0\0\4ab\xff\xff\xfe\0\3c", 14);
  const std::string cases[] = {
      jpeg_head + std::string("\xff\xc2\0\x11\x08\1\xe0\2\x80\3", 10),
      std::string("GIF89a\x80\2\xe0\1\0\0\0", 13),
      std::string("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\2\x80\0\0\1\xe0", 24),
      std::string("II*\0\x8\0\0\0\2\0\0\1\3\0\1\0\0\0\x80\2\0\0\1\1\4\0\1\0\0\0\xe0\1\0\0", 34),
      std::string("MM\0*\0\0\0\x8\0\2\1\0\0\3\0\0\0\1\2\x80\0\0\1\1\0\4\0\0\0\1\0\0\1\xe0", 34),
      "BM" + std::string("\0\0\0\0\0\0\0\0\0\0\0\0\x28\0\0\0\x80\2\0\0\x20\xfe\xff\xff\1\0", 26),
      std::string("RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\1\x2a\x80\2\xe0\1", 30),
      std::string("RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f\x7f\xc2\x77\0\0\0\0\0\0", 30),
      std::string("RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0\x7f\2\0\xdf\1\0", 30),
  };
  for (const std::string& bytes : cases) {
    const std::string name = bytes.substr(0, 4) + bytes.substr(bytes.size() > 15 ? 12 : 0, 4);
    Limits limits;
    limits.ocr_pixels = 640 * 480;
    DocumentText read = read_bytes(bytes, {}, limits);
    EXPECT_EQ(read.status, Status::kNoText) << name;
    EXPECT_TRUE(read.for_ocr) << name;
    EXPECT_EQ(read.why, "a picture of 640 x 480 pixels") << name;
    ++limits.ocr_pixels;
    read = read_bytes(bytes, {}, limits);
    EXPECT_FALSE(read.for_ocr) << name;
    EXPECT_EQ(read.why, "a picture of 640 x 480 pixels, too small for OCR") << name;
    limits.ocr_pixels = 1;
    EXPECT_FALSE(read_bytes(bytes.substr(0, bytes.size() - 4), {}, limits).for_ocr) << name << ", cut in its size";
  }
}

}  // namespace
}  // namespace arch::document
