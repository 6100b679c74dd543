// Promise: what is read of an attachment is kept once, told to the index once for each mail that has it, and told again only when it
//          says something else; whatever comes first, the mail or what was read, neither misses the other.
#include "engine/documents.h"

#include <gmock/gmock.h>

#include "engine/archive_test_support.h"

namespace arch {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

class DocumentsTest : public archive_test::ArchiveFixture {
 protected:
  static MessageText referring(const Digest& digest, bool waiting) {
    MessageText text;
    text.push_back({TextPiece::kBody, "", "corps"});
    text.push_back({TextPiece::kDocument, "2", std::string(digest.view())});
    text.back().waiting = waiting;
    return text;
  }
  static KeptDocument said(const std::string& text) {
    KeptDocument document;
    document.status = DocumentStatus::kRead;
    document.media_type = "application/pdf";
    document.text = text;
    return document;
  }
  std::vector<std::pair<Digest, uint64_t>> fresh() { return *archive_->new_documents(100); }
  const Digest pdf_ = Sha256::of(as_bytes(std::string_view("pdf")));
};

TEST_F(DocumentsTest, EncodingKeepsEverything) {
  KeptDocument document = said("texte");
  document.why = "parce que";
  document.tool = "poppler";
  document.readers = "1";
  document.language = "fr";
  document.members.push_back({"a/b.txt", "text/plain", DocumentStatus::kEncrypted, "clé", "mots"});
  auto again = decode_document(encode_document(document));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, document);
  EXPECT_TRUE(again->unread());
  const std::string bytes = encode_document(document);
  const size_t before = bytes.size() - 3;  // what was written before the language was
  document.language.clear();
  again = decode_document(bytes.substr(0, before));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, document);
  for (size_t size = 0; size < bytes.size(); ++size)
    if (size != before) {
      EXPECT_FALSE(decode_document(bytes.substr(0, size))) << size;
    }
}

TEST_F(DocumentsTest, TheMailFirstThenWhatWasRead) {
  ASSERT_TRUE(archive_->put_texts({{1, referring(pdf_, true)}, {2, referring(pdf_, true)}}));
  auto waiting = archive_->waiting_documents(10);
  ASSERT_TRUE(waiting);
  ASSERT_THAT(*waiting, SizeIs(1)) << "once, whatever number of mails has it";
  EXPECT_EQ((*waiting)[0].message, 1u);
  EXPECT_EQ((*waiting)[0].part, "2");
  EXPECT_THAT(*archive_->text(1), SizeIs(1));
  ASSERT_TRUE(archive_->put_document(pdf_, said("mots")));
  EXPECT_THAT(*archive_->waiting_documents(10), IsEmpty());
  EXPECT_THAT(fresh(), UnorderedElementsAre(std::pair(pdf_, uint64_t{1}), std::pair(pdf_, uint64_t{2})));
  ASSERT_TRUE(archive_->took_documents(fresh()));
  EXPECT_THAT(fresh(), IsEmpty());
  auto text = archive_->text(2);
  ASSERT_TRUE(text);
  ASSERT_THAT(*text, SizeIs(2));
  EXPECT_EQ((*text)[1], (TextPiece{TextPiece::kAttachment, "2", "mots"}));
  EXPECT_THAT(*archive_->documents_of(2), ElementsAre(std::pair(std::string("2"), pdf_)));
}

TEST_F(DocumentsTest, WhatIsReadWhileTheMailIsLookedAtIsToldOfIt) {
  // The mail was looked at before, and its text comes after, what was read.
  ASSERT_TRUE(archive_->put_document(pdf_, said("mots")));
  ASSERT_TRUE(archive_->put_texts({{7, referring(pdf_, true)}}));
  EXPECT_THAT(*archive_->waiting_documents(10), IsEmpty());
  EXPECT_THAT(fresh(), ElementsAre(std::pair(pdf_, uint64_t{7})));
  // One that saw it needs no telling.
  ASSERT_TRUE(archive_->took_documents(fresh()));
  ASSERT_TRUE(archive_->put_texts({{8, referring(pdf_, false)}}));
  EXPECT_THAT(fresh(), IsEmpty());
}

TEST_F(DocumentsTest, ReadAgainOnlyWhatSaysSomethingElseIsTold) {
  ASSERT_TRUE(archive_->put_texts({{1, referring(pdf_, true)}}));
  ASSERT_TRUE(archive_->put_document(pdf_, said("mots")));
  ASSERT_TRUE(archive_->took_documents(fresh()));
  EXPECT_EQ(*archive_->read_again([](const KeptDocument& document) { return document.media_type == "text/plain"; }),
            0u);
  EXPECT_EQ(*archive_->read_again([](const KeptDocument&) { return true; }), 1u);
  ASSERT_THAT(*archive_->waiting_documents(10), SizeIs(1));
  EXPECT_THAT(*archive_->text(1), SizeIs(2)) << "what is known stays until then";
  ASSERT_TRUE(archive_->put_document(pdf_, said("mots")));
  EXPECT_THAT(fresh(), IsEmpty());
  EXPECT_THAT(*archive_->waiting_documents(10), IsEmpty());
  ASSERT_TRUE(archive_->put_document(pdf_, said("d'autres mots")));
  EXPECT_THAT(fresh(), SizeIs(1));
}

TEST_F(DocumentsTest, WhatWaitsForOcrIsUnreadUntilItWasThere) {
  KeptDocument picture = said("");
  picture.media_type = "image/png";
  picture.status = DocumentStatus::kWaitsForOcr;
  EXPECT_TRUE(picture.unread());
  const auto ocr_queue = [&] { return *archive_->waiting_documents(10, DocumentQueue::kOcr); };
  ASSERT_TRUE(archive_->put_document(pdf_, picture));
  EXPECT_THAT(ocr_queue(), IsEmpty()) << "no mail is known to have it: its bytes cannot be had";
  EXPECT_EQ(archive_->document_counts()->waiting_for_ocr, 1u);
  ASSERT_TRUE(archive_->put_texts({{3, referring(pdf_, false)}}));
  ASSERT_THAT(ocr_queue(), SizeIs(1));
  EXPECT_EQ(ocr_queue()[0].message, 3u);
  EXPECT_THAT(*archive_->waiting_documents(10), IsEmpty());

  KeptDocument read = said("lettre");
  read.media_type = "image/png";
  read.tool = kOcrTool;
  ASSERT_TRUE(archive_->put_document(pdf_, read));
  EXPECT_THAT(ocr_queue(), IsEmpty());
  EXPECT_THAT(fresh(), ElementsAre(std::pair(pdf_, uint64_t{3})));

  // Read again by those that see only a picture: it waits once more, and its words stay until then.
  ASSERT_TRUE(archive_->put_document(pdf_, picture));
  EXPECT_THAT(ocr_queue(), SizeIs(1));
  EXPECT_EQ(archive_->document(pdf_)->value().text, "lettre");
  picture.status = DocumentStatus::kNoText;
  ASSERT_TRUE(archive_->put_document(pdf_, picture));
  EXPECT_EQ(archive_->document(pdf_)->value().text, "lettre") << "also when OCR is off by now";
  EXPECT_THAT(ocr_queue(), IsEmpty());
}

TEST_F(DocumentsTest, OcrThatIsTurnedOffLeavesNothingWaiting) {
  KeptDocument picture = said("");
  picture.status = DocumentStatus::kWaitsForOcr;
  ASSERT_TRUE(archive_->put_document(pdf_, picture));
  ASSERT_TRUE(archive_->put_texts({{3, referring(pdf_, false)}}));
  EXPECT_EQ(*archive_->forget_ocr(), 1u);
  auto counts = archive_->document_counts();
  EXPECT_EQ(counts->waiting_for_ocr, 0u);
  ASSERT_THAT(counts->rows, SizeIs(1));
  EXPECT_EQ(counts->rows[0].status, DocumentStatus::kNoText);
  EXPECT_THAT(fresh(), ElementsAre(std::pair(pdf_, uint64_t{3})));
}

TEST_F(DocumentsTest, CountsFollow) {
  ASSERT_TRUE(archive_->put_document(pdf_, said("mots")));
  KeptDocument locked = said("");
  locked.status = DocumentStatus::kEncrypted;
  ASSERT_TRUE(archive_->put_document(Sha256::of(as_bytes(std::string_view("2"))), locked));
  ASSERT_TRUE(archive_->put_document(Sha256::of(as_bytes(std::string_view("3"))), locked));
  ASSERT_TRUE(archive_->put_texts({{1, referring(Sha256::of(as_bytes(std::string_view("4"))), true)}}));
  auto counts = archive_->document_counts();
  ASSERT_TRUE(counts);
  EXPECT_EQ(counts->waiting, 1u);
  ASSERT_THAT(counts->rows, SizeIs(2));
  EXPECT_EQ(counts->rows[0].status, DocumentStatus::kEncrypted);
  EXPECT_EQ(counts->rows[0].count, 2u);
  ASSERT_TRUE(archive_->put_document(Sha256::of(as_bytes(std::string_view("3"))), said("ouvert")));
  counts = archive_->document_counts();
  EXPECT_EQ(counts->rows[0].status, DocumentStatus::kRead);
  EXPECT_EQ(counts->rows[0].count, 2u);
  EXPECT_EQ(counts->rows[1].count, 1u);
}

}  // namespace
}  // namespace arch
