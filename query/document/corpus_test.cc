// Claim   Every document of the corpus whose manifest names a word is found by it; protected ones say so; hostile ones end within their
//         limits.
// Method  Reads the folder docs/ of the corpus that ARCH_CORPUS names (or ../shared/corpus beside the source tree). What must be found is
//         prose in its manifest, so the words are listed here; each file of the manifest must be in the list.
// Teeth   A reader that loses footnotes, names, charsets or members turns up as a file and a word.
#include <gtest/gtest.h>
#include <unicode/normalizer2.h>

#include <chrono>
#include <cstdlib>

#include "query/document/document.h"
#include "query/extract/manifest.h"

namespace arch::document {
namespace {

using namespace manifest;  // NOLINT: the helpers of this test

// As the index folds: Arabic presentation forms and directional marks go.
std::string normal(const std::string& text) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* normalizer = icu::Normalizer2::getNFKCCasefoldInstance(status);
  std::string out;
  normalizer->normalize(icu::UnicodeString::fromUTF8(text), status).toUTF8String(out);
  return out;
}

struct Wanted {
  std::vector<std::string> words;
  std::vector<Status> statuses;  // one of; empty: any
  std::vector<std::string> absent = {};
};

const std::map<std::string, Wanted>& wanted_of_all() {
  using S = Status;
  static const std::map<std::string, Wanted> wanted = {
      {"pdf-simple.pdf", {{"undergoing"}, {S::kRead}}},
      {"pdf-french-diacritics.pdf", {{"àÀâÂäÄçÇéÉèÈêÊëËîÎïÏôÔùÙûÛüÜ"}, {S::kRead}}},
      {"pdf-arabic-truetype.pdf", {{"العربية", "انواع"}, {S::kRead}}},
      {"pdf-arabic-habibi.pdf", {{"habibi"}, {S::kRead}}},
      {"pdf-attachment.pdf", {{"attachment", "foo.txt", "bar baz"}, {S::kRead}}},
      {"pdf-package.pdf", {{"Acrobat", "PDF1.pdf", "PDF2.pdf"}, {S::kRead}}},
      {"pdf-deep-attachments.pdf", {{"orig(10).pdf"}, {}}},
      {"pdf-3langs-title.pdf", {{"Hello"}, {S::kRead}}},
      {"pdf-acroform.pdf", {{"comboItemB"}, {S::kRead}}},
      {"pdf-encrypted-user-pw.pdf", {{}, {S::kEncrypted}}},
      {"pdf-encrypted-unicode-pw.pdf", {{}, {S::kEncrypted}}},
      {"pdf-no-extract-owner.pdf", {{"Hello"}, {S::kRead}}},
      {"pdf-bad-page.pdf", {{"Enforcement"}, {}}},
      {"pdf-fuzzed-gs.pdf", {{}, {}}},
      {"pdf-fuzzed-poppler-742.pdf", {{}, {}}},
      {"pdf-fuzzed-poppler-937.pdf", {{}, {}}},
      {"pdf-scan-ocr.pdf", {{}, {S::kNoText}}},
      {"pdf-attachment-encrypted.pdf", {{"Example"}, {}}},
      {"docx-simple.docx", {{"Calibri"}, {S::kRead}}},
      {"docx-unicode.docx", {{"Molière", "mensonge"}, {S::kRead}}},
      {"docx-textbox.docx", {{"inside"}, {S::kRead}}},
      {"docx-comment.docx", {{"comment", "Here"}, {S::kRead}}},
      {"docx-footnotes.docx", {{"snoska", "prostoy"}, {S::kRead}}},
      {"docx-embedded-pdf.docx", {{"embedded", "embedded as an icon"}, {S::kRead}}},
      {"docx-protected.docx", {{}, {S::kEncrypted}}},
      {"docx-external-entity.docx", {{"Here should not be"}, {}, {"poi.apache.org", "root:"}}},
      {"docx-recursive.docx", {{"embed_0", "embed_1a"}, {S::kOverLimit}}},
      {"docx-fuzz.docx", {{}, {}}},
      {"doc-unicode.doc", {{"Molière", "mensonge"}, {S::kRead}}},
      {"doc-password.doc", {{}, {S::kEncrypted}}},
      {"doc-fuzz.doc", {{}, {}}},
      {"xlsx-simple.xlsx", {{"spreadsheet"}, {S::kRead}}},
      {"xlsx-phonetic.xlsx", {{"豊田", "コメント"}, {S::kRead}}},
      {"xlsx-xmlbomb.xlsx", {{}, {}}},
      {"xlsx-xmlbomb-empty.xlsx", {{}, {}}},
      {"xlsx-54764.xlsx", {{}, {}}},
      {"xlsm-attachments.xlsm", {{"Русский", "ўбориш"}, {S::kRead}}},
      {"xls-simple.xls", {{"spreadsheet"}, {S::kRead}}},
      {"xls-chinese.xls", {{"Anhui", "安徽"}, {S::kRead}}},
      {"xls-excel5.xls", {{"Squares"}, {S::kRead}}},
      {"pptx-japanese.pptx", {{"Footnote", "Keyword1"}, {S::kRead}}},
      {"ppt-simple.ppt", {{"Powerpoint"}, {S::kRead}}},
      {"ppt-chinese.ppt", {{"複数の文字"}, {S::kRead}}},
      {"odt-simple.odt", {{"Lucene", "footnote"}, {S::kRead}}},
      {"odt-not-a-zip.odt", {{"not a zip"}, {S::kRead}}},
      {"ods-simple.ods", {{"spreadsheet"}, {S::kRead}}},
      {"odp-master.odp", {{"Master footer is here"}, {S::kRead}}},
      {"rtf-simple.rtf", {{"indexation"}, {S::kRead}, {"dindexation"}}},
      {"rtf-cp1250.rtf", {{"zażółć gęślą jaźń"}, {S::kRead}}},
      {"rtf-hex-in-word.rtf", {{"ESPÍRITO SANTO"}, {S::kRead}}},
      {"txt-french.txt", {{"comme", "ça"}, {S::kRead}}},
      {"txt-win1252.txt", {{"trigger", "CharsetRecog_sbcs"}, {S::kRead}}},
      {"txt-multilang.txt", {{"internship"}, {S::kRead}}},
      {"html-utf16le.html", {{"sample"}, {S::kRead}}},
      {"html-arabic-misleading.html", {{"في قرية"}, {S::kRead}}},
      {"html-utf8.html", {{"Tilte", "åäö"}, {S::kRead}}},
      {"csv-simple.csv", {{"Squares", "OpenOffice"}, {S::kRead}}},
      {"ics-simple.ics", {{"Hyldgaard", "Montréal"}, {S::kRead}}},
      {"ics-james.ics", {{"Sprint", "METHOD REQUEST"}, {S::kRead}}},
      {"zip-of-zip.zip", {{"just", "text.html", "html-within-zip.zip"}, {}}},
      {"zip-encrypted.zip", {{"hello", "unencrypted.txt", "/encrypted.txt"}, {S::kEncrypted}}},
      {"zip-sjis-names.zip", {{"文章1.txt", "文章2.txt", "かきくけこ"}, {}}},
      {"zip-gbk-names.zip", {{"审计", "自动巡检需求文档"}, {}}},
      {"zip-droste.zip", {{"droste.jpg"}, {S::kOverLimit}}},
      {"zip-corrupt-oom.zip", {{}, {S::kBroken, S::kOverLimit}}},
      {"zip-datadescriptor.zip", {{"en0", "en1", "en2", "en3", "en4"}, {}}},
      {"7z-documents.7z", {{"undergoing"}, {}}},
      {"7z-protected.7z", {{"text.txt"}, {S::kEncrypted}}},
      {"jpg-ocr.jpg", {{}, {S::kNoText}}},
      {"jpg-exif.jpg", {{}, {S::kNoText}}},
      {"tiff-multipage.tif", {{}, {S::kNoText}}},
      {"msg-attachment.msg", {{"test-unicode", "nicolas1"}, {S::kRead}}},
      {"msg-chinese.msg", {{"Alfresco", "格式測試"}, {S::kRead}}},
      {"msg-cyrillic.msg", {{"niips", "Почта России"}, {S::kRead}}},
      {"msg-chinese-tika.msg", {{"Alfresco"}, {S::kRead}}},
      {"tnef-one-file.tnef", {{"AUTHORS"}, {S::kRead}}},
      {"tnef-body.tnef", {{"THE BILL OF"}, {S::kRead}}},
      {"tnef-rtf.tnef", {{"Senior Engineer"}, {S::kRead}}},
      {"tnef-long-name.tnef", {{"allproductsmar2000.dat"}, {S::kRead}}},
      {"tnef-umlaut.tnef", {{"UmlautAnhang", "TBZ PARIV GmbH.jpg", "image003.jpg"}, {S::kRead}}},
      {"tnef-garbage-end.tnef", {{}, {}}},
      {"tnef-minimal.tnef", {{}, {}}},
      {"xml-xxe.xml", {{}, {}, {"root:"}}},
      {"eml-lotus.eml", {{"Message body"}, {S::kRead}}},
      {"emlx-apple.emlx", {{"RFC822 messages"}, {S::kRead}, {"plist"}}},
      {"foxmail.box", {{}, {}}},
      {"pages.pages", {{"Consectetur"}, {}}},
      {"zip-bomb-own-1gib-nested.zip", {{"inner.zip"}, {S::kOverLimit}}},
  };
  return wanted;
}

TEST(DocumentCorpus, EveryDocumentIsFoundByItsWord) {
  const char* from_environment = std::getenv("ARCH_CORPUS");
  const fs::path directory =
      fs::path(from_environment != nullptr ? from_environment : std::string(ARCH_SOURCE_DIR) + "/../shared/corpus") /
      "docs";
  if (!fs::exists(directory / "MANIFEST.tsv")) GTEST_SKIP() << "skipped: no corpus at " << directory;
  size_t files = 0, words = 0;
  std::map<std::string, size_t> by_status;
  for (auto& row : read_table(directory / "MANIFEST.tsv")) {
    const std::string& file = row["file"];
    SCOPED_TRACE(file);
    const auto found = wanted_of_all().find(file);
    if (found == wanted_of_all().end()) {
      ADD_FAILURE() << "not in this test's list";
      continue;
    }
    const std::string bytes = read_file(directory / file);
    Hint hint;
    hint.filename = file;
    const auto begin = std::chrono::steady_clock::now();
    const DocumentText read = read_document(std::as_bytes(std::span(bytes)), hint);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, Limits().time);
    std::string text;  // a member's name from the slash on, so that one name is not taken for the end of another
    for (const Member& member : read.members) text += '/' + member.name + '\n' + member.text + '\n';
    text = normal(text + read.text);
    for (const std::string& word : found->second.words) {
      EXPECT_NE(text.find(normal(word)), std::string::npos) << word << "\n" << text.substr(0, 500);
      ++words;
    }
    for (const std::string& word : found->second.absent)
      EXPECT_EQ(text.find(normal(word)), std::string::npos) << word;
    const std::vector<Status>& statuses = found->second.statuses;
    if (!statuses.empty()) {
      EXPECT_NE(std::find(statuses.begin(), statuses.end(), read.status), statuses.end()) << status_name(read.status);
    }
    // The name alone must not decide: nothing is declared and the name says nothing.
    const DocumentText unnamed = read_document(std::as_bytes(std::span(bytes)), {});
    if (!found->second.words.empty() && read.status == Status::kRead) {
      EXPECT_EQ(unnamed.status, Status::kRead) << unnamed.media_type;
    }
    ++by_status[std::string(status_name(read.status))];
    ++files;
  }
  EXPECT_GE(files, 80u);
  std::printf("%zu files, %zu words:", files, words);
  for (const auto& [status, count] : by_status) std::printf(" %s %zu", status.c_str(), count);
  std::printf("\n");
}

}  // namespace
}  // namespace arch::document
