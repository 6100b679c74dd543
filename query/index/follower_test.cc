// Claim   The index follows the archive from its own mark: each message is found once by its words, later recipients are
//         found at it, texts are in the catalog before the index knows the message, and beginning again, from any mark or
//         from nothing, ends in the same answers.
// Method  A real archive in a temporary directory, small mails appended and applied; the writer dropped at will.
// Teeth   Answers are compared with the list of what was appended, and a rebuilt index with the first one, term by term.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "engine/archive.h"
#include "query/index/attempt.h"
#include "query/index/index.h"

namespace arch::index {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

std::string mail(int number) {
  std::string n = std::to_string(number);
  return "From: =?utf-8?q?Zo=C3=A9?= <zoe@sender.example>\r\nTo: list@dest.example\r\nSubject: Facture numero" + n +
         "\r\nMessage-ID: <m" + n +
         "@x.example>\r\nDate: Mon, 01 Jan 2024 00:00:00 +0000\r\n\r\nUn corps commun, mot" + n +
         " \xc3\xa9t\xc3\xa9.\r\n> cite" + n + "\r\n";
}

class Follower : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "arch-follow-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    directory_ = root_ + "/archive";
    auto made = Archive::init(Fs::real(), directory_, 1);
    ASSERT_TRUE(made) << describe(made.error());
    open_archive();
  }
  void TearDown() override {
    writer_.reset();
    archive_.reset();
    fs::remove_all(root_);
  }
  void open_archive() {
    writer_.reset();
    archive_.reset();
    auto opened = Archive::open(Fs::real(), Clock::system(), directory_, Archive::Mode::kEngine);
    ASSERT_TRUE(opened) << describe(opened.error());
    archive_ = std::move(*opened);
  }
  void open_writer() {
    writer_.reset();
    auto opened = IndexWriter::open(*archive_, options_);
    ASSERT_TRUE(opened) << describe(opened.error());
    writer_ = std::move(*opened);
  }
  void deliver(const std::string& message, std::vector<std::string> recipients) {
    Delivery delivery;
    delivery.captured = Clock::system().now();
    delivery.has_mail_from = true;
    delivery.mail_from = "bounce@sender.example";
    for (std::string& address : recipients) delivery.rcpt.push_back({std::move(address), "", ""});
    auto done = archive_->append(std::move(delivery), message);
    ASSERT_TRUE(done) << describe(done.error());
    ++deliveries_;
  }
  void apply() {
    auto done = archive_->apply();
    ASSERT_TRUE(done) << describe(done.error());
  }
  void follow() {
    auto done = writer_->follow({}, {});
    ASSERT_TRUE(done) << describe(done.error());
    ASSERT_EQ(*done, deliveries_);
    ASSERT_EQ(writer_->mark(), deliveries_);
  }
  Numbers ask(const std::string& term) {
    auto reader = IndexReader::open(directory_);
    EXPECT_TRUE(reader) << describe(reader.error());
    if (!reader) return {};
    auto found = (*reader)->postings(term);
    EXPECT_TRUE(found);
    return found ? found->list() : Numbers{};
  }
  std::map<std::string, Numbers> everything() {
    std::map<std::string, Numbers> out;
    auto reader = IndexReader::open(directory_);
    EXPECT_TRUE(reader);
    if (!reader) return out;
    EXPECT_TRUE((*reader)->vocabulary("", [&](const std::string& term, uint64_t) {
      out[term];
      return true;
    }));
    for (auto& [term, numbers] : out) numbers = (*reader)->postings(term)->list();
    return out;
  }

  std::string root_, directory_;
  Options options_;
  uint64_t deliveries_ = 0;
  std::unique_ptr<Archive> archive_;
  std::unique_ptr<IndexWriter> writer_;
};

TEST_F(Follower, AnEmptyArchiveIsFollowedToItsEnd) {
  open_writer();
  follow();
  EXPECT_EQ(writer_->begun_anew(), "");
  EXPECT_THAT(ask("corps"), IsEmpty());
}

TEST_F(Follower, EachMessageIsFoundByItsWords) {
  for (int i = 1; i <= 5; ++i) deliver(mail(i), {"r" + std::to_string(i) + "@env.example"});
  apply();
  open_writer();
  std::vector<uint64_t> told;
  auto done = writer_->follow({}, [&](uint64_t mark) { told.push_back(mark); });
  ASSERT_TRUE(done) << describe(done.error());
  EXPECT_THAT(told, ElementsAre(5));
  EXPECT_THAT(ask("corps"), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(ask("mot3"), ElementsAre(3));
  EXPECT_THAT(ask("Snumero4"), ElementsAre(4));
  EXPECT_THAT(ask("cite2"), ElementsAre(2));
  EXPECT_THAT(ask("ete"), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(ask("Fzoe"), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(ask("Br3@env.example"), ElementsAre(3));
  EXPECT_THAT(ask("r3@env.example"), ElementsAre(3));
  auto text = archive_->text(3);
  ASSERT_TRUE(text) << describe(text.error());
  EXPECT_FALSE(text->empty());
}

TEST_F(Follower, LaterRecipientsOfTheSameMessageAreFoundAtIt) {
  deliver(mail(1), {"a@env.example"});
  deliver(mail(1), {"b@env.example"});  // in the same batch
  deliver(mail(2), {});
  apply();
  open_writer();
  follow();
  deliver(mail(1), {"c@env.example"});  // in a later one
  deliver(mail(1), {});
  apply();
  follow();
  EXPECT_THAT(ask("Ra@env.example"), ElementsAre(1));
  EXPECT_THAT(ask("Rb@env.example"), ElementsAre(1));
  EXPECT_THAT(ask("Rc@env.example"), ElementsAre(1));
  EXPECT_THAT(ask("R@env.example"), ElementsAre(1));
  EXPECT_THAT(ask("corps"), ElementsAre(1, 2));
}

TEST_F(Follower, SmallBatchesAndShardsGiveTheSameAsOneLargeOne) {
  for (int i = 1; i <= 23; ++i) {
    deliver(mail(i), {"r" + std::to_string(i) + "@env.example"});
    if (i % 4 == 0) deliver(mail(i / 4), {"later" + std::to_string(i) + "@env.example"});
  }
  apply();
  open_writer();
  follow();
  auto large = everything();
  EXPECT_GT(large.size(), 100u);
  writer_.reset();
  fs::remove_all(directory_ + "/index");
  options_.batch_messages = 3;
  options_.shard_messages = 5;
  open_writer();
  follow();
  EXPECT_EQ(everything(), large);
}

TEST_F(Follower, AnIndexThatIsBehindGoesOnFromItsMark) {
  for (int i = 1; i <= 10; ++i) deliver(mail(i), {"r" + std::to_string(i) + "@env.example"});
  apply();
  options_.batch_messages = 2;
  open_writer();
  int asked = 0;
  auto part = writer_->follow([&] { return ++asked > 3; }, {});
  ASSERT_TRUE(part) << describe(part.error());
  ASSERT_GT(*part, 0u);
  ASSERT_LT(*part, 10u);
  EXPECT_EQ(writer_->mark(), *part);
  EXPECT_EQ(ask("corps").size(), *part);
  open_writer();
  EXPECT_EQ(writer_->mark(), *part);
  follow();
  EXPECT_EQ(ask("corps").size(), 10u);
}

TEST_F(Follower, AKillBetweenTextAndIndexFeedsTheSameAgain) {
  for (int i = 1; i <= 3; ++i) deliver(mail(i), {"r@env.example"});
  apply();
  open_writer();
  follow();
  auto before = everything();
  writer_.reset();
  fs::remove_all(directory_ + "/index");  // the texts are in the catalog, the index knows nothing of them
  ASSERT_TRUE(archive_->text(2));
  open_writer();
  EXPECT_EQ(writer_->mark(), 0u);
  follow();
  EXPECT_EQ(everything(), before);
}

TEST_F(Follower, AMessageThatEndedTheProcessTwiceIsIndexedByItsHeader) {
  for (int i = 1; i <= 3; ++i) deliver(mail(i), {"r" + std::to_string(i) + "@env.example"});
  apply();
  open_writer();
  writer_.reset();
  for (uint64_t i = 0; i < Attempt::kTries; ++i) {
    auto attempt = Attempt::open(directory_ + "/index/attempt");
    ASSERT_TRUE(attempt);
    ASSERT_TRUE(*(*attempt)->begin(2));
  }
  open_writer();
  follow();
  EXPECT_EQ(writer_->given_up(), 1u);
  EXPECT_THAT(ask("corps"), ElementsAre(1, 3));
  EXPECT_THAT(ask("Snumero2"), ElementsAre(2));
  EXPECT_THAT(ask("Fzoe@sender.example"), ElementsAre(1, 2, 3));
  EXPECT_THAT(ask("Rr2@env.example"), ElementsAre(2));
  auto reader = IndexReader::open(directory_);
  ASSERT_TRUE(reader);
  EXPECT_EQ((*reader)->partial(), 1u);
}

TEST_F(Follower, AnIndexOfAnotherArchiveIsBegunAnew) {
  deliver(mail(1), {});
  deliver(mail(2), {});
  apply();
  open_writer();
  follow();
  writer_.reset();
  fs::rename(directory_ + "/index", root_ + "/foreign");
  // Another archive, with other mail under the same numbers.
  archive_.reset();
  directory_ = root_ + "/second";
  ASSERT_TRUE(Archive::init(Fs::real(), directory_, 1));
  open_archive();
  deliveries_ = 0;
  deliver(mail(8), {});
  deliver(mail(9), {});
  apply();
  fs::remove_all(directory_ + "/index");
  fs::rename(root_ + "/foreign", directory_ + "/index");
  open_writer();
  EXPECT_NE(writer_->begun_anew(), "");
  follow();
  EXPECT_THAT(ask("mot9"), ElementsAre(2));
  EXPECT_THAT(ask("mot2"), IsEmpty());
}

TEST_F(Follower, BatchesBoundedByBytesCoverEverything) {
  for (int i = 1; i <= 6; ++i) deliver(mail(i) + std::string(10'000, 'x') + "\r\n", {});
  apply();
  options_.batch_bytes = 1;  // the smallest batch is one message
  open_writer();
  follow();
  EXPECT_EQ(ask("corps").size(), 6u);
}

TEST_F(Follower, TheArchivesOwnAddressIsNobodysRecipient) {
  open_writer();
  Delivery delivery;
  delivery.captured = Clock::system().now();
  delivery.has_mail_from = true;
  delivery.mail_from = "zoe@sender.example";
  delivery.rcpt = {{"archive@archive.invalid", "rfc822;archive@archive.invalid", "NEVER"}};
  ASSERT_TRUE(archive_->append(delivery, mail(1)));
  delivery.rcpt[0].notify.clear();  // somebody really wrote to it
  ASSERT_TRUE(archive_->append(delivery, mail(2)));
  deliveries_ += 2;
  apply();
  follow();
  for (const char* term : {"Rarchive@archive.invalid", "Tarchive@archive.invalid", "Barchive@archive.invalid"})
    EXPECT_THAT(ask(term), ElementsAre(2)) << term;
  EXPECT_THAT(ask("Rlist@dest.example"), ElementsAre(1, 2));
}

TEST_F(Follower, HeaderFieldsAreSearchedWhenTheOperatorAsksForThem) {
  options_.headers = {"x-run-id"};
  open_writer();
  deliver("X-Run-ID: Nuit-4711/b\r\nX-Other: 4711\r\nx-run-id: deux\r\n" + mail(1), {});
  deliver("X-Other: 4711\r\n" + mail(2), {});
  apply();
  follow();
  EXPECT_THAT(ask("Hx-run-id"), ElementsAre(1));
  EXPECT_THAT(ask("Hx-run-id 4711"), ElementsAre(1));
  EXPECT_THAT(ask("Hx-run-id nuit"), ElementsAre(1));
  EXPECT_THAT(ask("Hx-run-id deux"), ElementsAre(1));
  EXPECT_THAT(ask("Hx-other"), IsEmpty());
  EXPECT_THAT(ask("4711"), IsEmpty()) << "a header is no text of the mail";
  auto text = archive_->text(1);
  ASSERT_TRUE(text);
  EXPECT_EQ(std::count_if(text->begin(), text->end(),
                          [](const TextPiece& piece) { return piece.field == TextPiece::kHeader; }),
            2);
}

}  // namespace
}  // namespace arch::index
