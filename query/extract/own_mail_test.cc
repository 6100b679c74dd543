// Claim   Every mail of tests/data/mail shows the subject, sender, attachment names and text that tests/data/MANIFEST.tsv says.
// Method  Reads each file as a message (an mbox: cut at its From lines, as the importer does) and extracts its text.
// Teeth   Every row has a word that must be found; the words that must not be found name what would leak in.
#include <gtest/gtest.h>

#include "query/extract/manifest.h"

namespace arch {
namespace {

using namespace manifest;  // NOLINT: the helpers of this test

const fs::path kDirectory = fs::path(ARCH_SOURCE_DIR) / "tests" / "data";

TEST(OwnMail, ShowsWhatTheManifestSays) {
  int rows = 0;
  for (auto& row : read_table(kDirectory / "MANIFEST.tsv")) {
    SCOPED_TRACE(row["file"] + ": " + row["trigger"]);
    ++rows;
    const std::string bytes = read_file(kDirectory / "mail" / row["file"]);
    ASSERT_FALSE(bytes.empty());
    std::string text;
    if (fs::path(row["file"]).extension() == ".mbox") {
      for (size_t at = 0; at < bytes.size();) {
        const size_t next = bytes.find("\nFrom ", at);
        const std::string one = bytes.substr(at, next == std::string::npos ? next : next + 1 - at);
        text += all_text(extract::extract(one, mime::parse(one), {}));
        at = next == std::string::npos ? bytes.size() : next + 1;
      }
    } else {
      const mime::Message parsed = mime::parse(bytes);
      const extract::Extracted extracted = extract::extract(bytes, parsed, {});
      text = all_text(extracted);
      EXPECT_FALSE(parsed.partial);
      EXPECT_FALSE(extracted.partial);
      EXPECT_EQ(parsed.subject, row["subject"]);
      EXPECT_EQ(parsed.from.empty() ? "" : parsed.from[0].address, row["from"]);
      for (const std::string& name : split_list(row["attachments"])) EXPECT_TRUE(has_name(extracted, name)) << name;
      for (const TextPiece& piece : extracted.pieces) {
        if (piece.field == TextPiece::kDocument)
          EXPECT_EQ(piece.text.size(), 32u);
        else
          EXPECT_EQ(piece.text, mime::to_utf8(piece.text, "utf-8"));
      }
    }
    EXPECT_FALSE(row["found"].empty());
    for (const std::string& word : split_list(row["found"]))
      EXPECT_NE(text.find(folded(word)), std::string::npos) << word << " is not in:\n" << text.substr(0, 2000);
    if (!row["absent"].empty()) {
      EXPECT_EQ(text.find(folded(row["absent"])), std::string::npos) << row["absent"];
    }
  }
  EXPECT_GE(rows, 55);
}

}  // namespace
}  // namespace arch
