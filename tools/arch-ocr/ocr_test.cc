// Claim   Pictures and scans give the words that a person reads in them; what is no page of text, broken or too much says so; nothing
//         costs more time or memory than its limits.
// Method  Our own pictures (tests/data/make_documents.py draws them, OCR.tsv says what must come out) through a real worker, sealed as in
//         production (not in builds with sanitizers), with the languages that Debian's packages brought.
// Teeth   French with accents and English in one picture; the scan's text is in no other form in the file; the attackers claim or unpack
//         to hundreds of megapixels.
#include <gtest/gtest.h>

#include "query/document/own_documents.h"
#include "query/document/pool.h"

namespace arch::document {
namespace {

using std::chrono::milliseconds;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSealed = false;
#else
constexpr bool kSealed = true;
#endif

Pool::Options options() {
  Pool::Options out;
  out.program = std::string(ARCH_BINARY_DIR) + "/bin/arch-ocr";
  out.arguments = {"--languages=fra+eng"};
  out.limits.time = milliseconds(120'000);
  out.limits.memory_bytes = 384u << 20;
  out.require_sandbox = kSealed;
  out.patience = 20;
  out.start = milliseconds(600'000);
  return out;
}

std::unique_ptr<Pool> started(const Pool::Options& wanted) {
  auto pool = Pool::start(wanted);
  if (!pool) {
    ADD_FAILURE() << describe(pool.error());
    return nullptr;
  }
  return std::move(*pool);
}

std::vector<OwnDocument> pictures() { return own_documents("OCR.tsv"); }

OwnDocument own(const std::string& file) {
  for (OwnDocument& one : pictures())
    if (one.file == file) return one;
  ADD_FAILURE() << file << " is not among our pictures";
  return {};
}

DocumentText read(Pool& pool, const OwnDocument& document) {
  auto text = pool.read(std::as_bytes(std::span(document.bytes)), document.hint);
  if (!text) {
    ADD_FAILURE() << document.file << ": " << describe(text.error());
    return {};
  }
  return std::move(*text);
}

TEST(Ocr, GivesTheWordsOfEachPicture) {
  const auto pool = started(options());
  ASSERT_TRUE(pool);
  size_t files = 0;
  for (const OwnDocument& wanted : pictures()) {
    ++files;
    EXPECT_EQ(differences(wanted, read(*pool, wanted)), "") << wanted.file;
  }
  EXPECT_GE(files, 12u);
  EXPECT_EQ(pool->stats().crashes, 0u) << "no attacker gets its worker down";
  EXPECT_NE(pool->readers_version().find("tesseract-"), std::string::npos);
  EXPECT_NE(pool->readers_version().find("fra+eng"), std::string::npos);
  if (kSealed) {
    pool->stop();
    EXPECT_LT(pool->stats().peak_rss_bytes, 512ull << 20);
  }
}

TEST(Ocr, TheOtherReadersLeaveItWhatIsAPicture) {
  for (const OwnDocument& wanted : pictures())
    EXPECT_TRUE(read_bytes(wanted.bytes, wanted.hint).for_ocr) << wanted.file;
  for (const OwnDocument& other : own_documents())
    if (other.file == "logo.png" || other.file == "simple.pdf" || other.file == "picture.png") {
      EXPECT_FALSE(read_bytes(other.bytes, other.hint).for_ocr) << other.file;
    }
}

TEST(Ocr, EachLimitHoldsAtItsValue) {
  Pool::Options wanted = options();
  wanted.limits.ocr_pages = 2;
  auto pool = started(wanted);
  ASSERT_TRUE(pool);
  EXPECT_EQ(read(*pool, own("fax.tif")).status, Status::kRead);
  EXPECT_EQ(read(*pool, own("scanned.pdf")).status, Status::kRead);
  wanted.limits.ocr_pages = 1;
  wanted.limits.text_bytes = 64u << 10;
  pool = started(wanted);
  ASSERT_TRUE(pool);
  for (const char* file : {"fax.tif", "scanned.pdf"}) {
    const DocumentText cut = read(*pool, own(file));
    EXPECT_EQ(cut.status, Status::kOverLimit) << file;
    EXPECT_EQ(cut.why, "more pages than the limit") << file;
    EXPECT_FALSE(cut.text.empty()) << file;
  }
  wanted.limits.text_bytes = 10;
  pool = started(wanted);
  ASSERT_TRUE(pool);
  EXPECT_EQ(read(*pool, own("letter.png")).why, "more text than the limit");
  wanted = options();
  wanted.limits.time = milliseconds(20);  // for a page that takes a tenth of a second
  pool = started(wanted);
  ASSERT_TRUE(pool);
  EXPECT_EQ(read(*pool, own("letter.png")).status, Status::kOverLimit);
  // A picture of half a megapixel, at six bytes each.
  wanted = options();
  wanted.limits.memory_bytes = 2u << 20;
  pool = started(wanted);
  ASSERT_TRUE(pool);
  const DocumentText large = read(*pool, own("letter.png"));
  EXPECT_EQ(large.status, Status::kOverLimit);
  EXPECT_NE(large.why.find("more memory than the limit"), std::string::npos) << large.why;
}

TEST(Ocr, WithoutItsLanguagesItDoesNotStart) {
  Pool::Options wanted = options();
  wanted.arguments = {"--languages=none_such"};
  EXPECT_FALSE(Pool::start(wanted));
  wanted.arguments = {"--languages=none_such+eng"};
  const auto pool = started(wanted);
  ASSERT_TRUE(pool);
  EXPECT_NE(pool->readers_version().find(" eng "), std::string::npos) << pool->readers_version();
}

}  // namespace
}  // namespace arch::document
