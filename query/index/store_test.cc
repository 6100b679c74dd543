// Claim   The index answers by message number what was put into it, at any commit, before and after a shard was sealed,
//         beside its writer; what was not committed is as if it had never been; a damaged or foreign index is begun anew.
// Method  Small documents whose terms are known; shards of a few messages; Xapian opened beside it to count revisions and
//         to look at what lies on disk. A process that dies is one whose store is dropped without commit.
// Teeth   Each answer is compared with a model kept in maps; revisions are counted, so an extra commit fails the test.
#include "query/index/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <xapian.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "query/index/index.h"
#include "query/index/terms.h"

namespace arch::index {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

MessageInfo info(uint64_t number) {
  MessageInfo out;
  out.number = number;
  out.digest = Sha256::of(as_bytes("message " + std::to_string(number)));
  out.mail_key = 1000 + number;
  out.date = static_cast<UnixNs>(number) * 100 * kNsPerSecond;
  out.from = {{"Élodie Lefèvre", "Elodie@Sales.Example.org"}};
  out.to = {{"Paul", "paul@dest.example"}};
  return out;
}

MessageText text_of(uint64_t number) {
  return {{TextPiece::kSubject, "", "Facture n" + std::to_string(number)},
          {TextPiece::kBody, "", "le corps commun, reste" + std::to_string(number % 3)},
          {TextPiece::kFileName, "2", "plan" + std::to_string(number) + ".pdf"},
          {TextPiece::kPeople, "", "Élodie Lefèvre Elodie@Sales.Example.org seul@vrai.example"}};
}

class Store : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "arch-index-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    archive_ = name;
    index_ = archive_ + "/index";
  }
  void TearDown() override {
    store_.reset();
    fs::remove_all(archive_);
  }

  void open() {
    store_.reset();
    IndexStore::Options options;
    options.shard_messages = shard_messages_;
    options.open_messages = open_messages_;
    options.tidy_messages = 4;
    auto opened = IndexStore::open(index_, options, [&](uint64_t mark, const Digest& digest) -> Result<bool> {
      return mark <= archive_end_ && digest == info(mark).digest;
    });
    ASSERT_TRUE(opened) << describe(opened.error());
    store_ = std::move(*opened);
  }

  Document document(uint64_t number) {
    Flags flags;
    flags.partial = number % 5 == 0;
    flags.unread = number % 7 == 0;
    Document out = maker_.make(info(number), text_of(number), {}, flags);
    out.sequence = number;
    return out;
  }

  IndexStore::Batch batch(uint64_t from, uint64_t to) {
    IndexStore::Batch out;
    for (uint64_t number = from; number <= to; ++number) out.documents.push_back(document(number));
    out.mark = to;
    out.mark_digest = info(to).digest;
    return out;
  }

  void add(uint64_t from, uint64_t to) {
    auto done = store_->commit(batch(from, to));
    ASSERT_TRUE(done) << describe(done.error());
  }

  std::unique_ptr<IndexReader> reader() {
    auto opened = IndexReader::open(archive_);
    EXPECT_TRUE(opened) << describe(opened.error());
    return opened ? std::move(*opened) : nullptr;
  }

  Numbers ask(const std::string& term) {
    auto found = reader()->postings(term);
    EXPECT_TRUE(found) << describe(found.error());
    return found ? found->list() : Numbers{};
  }

  // Everything a reader says, compared with what the numbers 1..count must give.
  void expect_holds(IndexReader& reader, uint64_t count) {
    EXPECT_EQ(reader.mark(), count);
    EXPECT_EQ(reader.documents(), count);
    EXPECT_EQ(reader.partial(), count / 5);
    EXPECT_EQ(reader.unread(), count / 7);
    Numbers all, third;
    for (uint64_t number = 1; number <= count; ++number) {
      all.push_back(number);
      if (number % 3 == 0) third.push_back(number);
      EXPECT_THAT(*reader.postings("n" + std::to_string(number)), ElementsAre(number));
    }
    EXPECT_EQ(reader.all()->list(), all);
    EXPECT_EQ(reader.postings("corps")->list(), all);
    EXPECT_EQ(reader.postings("reste0")->list(), third);
    auto dates = reader.dates();
    ASSERT_TRUE(dates);
    for (uint64_t number : all) EXPECT_EQ(dates->of(number), number * 100);
    EXPECT_THAT(*reader.copies(*reader.all()), IsEmpty());
  }

  uint64_t revision(const std::string& name) { return Xapian::Database(index_ + "/g0001/" + name).get_revision(); }

  std::string archive_, index_;
  uint64_t shard_messages_ = 1000, open_messages_ = 1000;
  uint64_t archive_end_ = 1'000'000;
  DocumentMaker maker_;
  std::unique_ptr<IndexStore> store_;
};

TEST_F(Store, AnEmptyIndexAnswersNothing) {
  EXPECT_EQ(IndexReader::open(archive_).error().code, Code::kNotFound);
  open();
  EXPECT_EQ(store_->mark(), 0u);
  auto view = reader();
  EXPECT_EQ(view->mark(), 0u);
  EXPECT_EQ(view->documents(), 0u);
  EXPECT_THAT(*view->all(), IsEmpty());
  EXPECT_THAT(*view->postings("corps"), IsEmpty());
  EXPECT_THAT(*view->date_range(0, 1'000'000), IsEmpty());
  EXPECT_EQ(view->dates()->of(1), 0u);
  EXPECT_THAT(*view->copies(Numbers{1, 2}), IsEmpty());
}

TEST_F(Store, WhatWasCommittedIsFoundAfterReopening) {
  open();
  add(1, 10);
  add(11, 21);
  expect_holds(*reader(), 21);
  open();
  EXPECT_EQ(store_->begun_anew(), "");
  EXPECT_EQ(store_->mark(), 21u);
  EXPECT_EQ(store_->last_number(), 21u);
  add(22, 30);
  expect_holds(*reader(), 30);
}

TEST_F(Store, TermsLieInTheirFields) {
  open();
  IndexStore::Batch one = batch(1, 1);
  MessageInfo message = info(2);
  message.cc = {{"Zoé", "zoe@x.y.example"}};
  message.attachment_count = 1;
  message.encrypted = true;
  message.bcc = {{"", "cache@bcc.example"}};
  one.documents.push_back(
      maker_.make(message, text_of(2), {{"Rcpt@Env.example", "", ""}, {"PAUL@dest.example", "", ""}}, {}));
  one.documents.back().sequence = 2;
  one.mark = 2;
  ASSERT_TRUE(store_->commit(one));
  EXPECT_THAT(ask("Sfacture"), ElementsAre(1, 2));
  EXPECT_THAT(ask("Sn2"), ElementsAre(2));
  EXPECT_THAT(ask("Scorps"), IsEmpty());
  EXPECT_THAT(ask("Nplan2"), ElementsAre(2));
  EXPECT_THAT(ask("plan2"), ElementsAre(2));
  EXPECT_THAT(ask("Flefevre"), ElementsAre(1, 2));
  EXPECT_THAT(ask("Felodie@sales.example.org"), ElementsAre(1, 2));
  EXPECT_THAT(ask("F@sales.example.org"), ElementsAre(1, 2));
  EXPECT_THAT(ask("F@example.org"), ElementsAre(1, 2));
  EXPECT_THAT(ask("F@org"), IsEmpty());
  EXPECT_THAT(ask("Tpaul@dest.example"), ElementsAre(1, 2));
  EXPECT_THAT(ask("Czoe"), ElementsAre(2));
  EXPECT_THAT(ask("Tzoe"), IsEmpty());
  EXPECT_THAT(ask("Rzoe@x.y.example"), ElementsAre(2));
  EXPECT_THAT(ask("Brcpt@env.example"), ElementsAre(2));
  EXPECT_THAT(ask("Bcache"), ElementsAre(2));
  EXPECT_THAT(ask("Bpaul"), IsEmpty());  // in To: not hidden
  EXPECT_THAT(ask("Rrcpt@env.example"), ElementsAre(2));
  EXPECT_THAT(ask("Trcpt@env.example"), IsEmpty());
  EXPECT_THAT(ask(std::string(kHasAttachment)), ElementsAre(2));
  EXPECT_THAT(ask(std::string(kIsEncrypted)), ElementsAre(2));
  // Of people a bare asking finds names, whole addresses and domains, not the words of addresses.
  EXPECT_THAT(ask("elodie@sales.example.org"), ElementsAre(1, 2));
  EXPECT_THAT(ask("seul@vrai.example"), ElementsAre(1, 2));
  EXPECT_THAT(ask("@env.example"), ElementsAre(2));
  EXPECT_THAT(ask("lefevre"), ElementsAre(1, 2));
  EXPECT_THAT(ask("zoe"), ElementsAre(2));
  EXPECT_THAT(ask("sales"), IsEmpty());
  EXPECT_EQ(reader()->frequency("Sfacture"), 2u);
  EXPECT_EQ(reader()->frequency("Sabsent"), 0u);
}

TEST_F(Store, OneCommitPerBatchAndNoOther) {
  open();
  uint64_t before = revision("shard1");
  uint64_t late_before = revision("late");
  for (uint64_t i = 0; i < 5; ++i) {
    add(1 + i * 20, 20 + i * 20);
    ASSERT_EQ(revision("shard1"), before + i + 1);
  }
  EXPECT_EQ(revision("late"), late_before);
  store_.reset();  // ending commits nothing
  EXPECT_EQ(revision("shard1"), before + 5);
  open();
  EXPECT_EQ(revision("shard1"), before + 5);  // nor does opening
  ASSERT_TRUE(store_->close());
  EXPECT_EQ(revision("shard1"), before + 5);
}

TEST_F(Store, ManyDocumentsInOneBatchAreStillOneCommit) {
  // Xapian's own threshold for a commit is 10,000 documents.
  shard_messages_ = open_messages_ = 100'000;
  open();
  uint64_t before = revision("shard1");
  IndexStore::Batch many;
  for (uint64_t number = 1; number <= 10'500; ++number) {
    Document one;
    one.number = one.sequence = number;
    many.documents.push_back(std::move(one));
  }
  many.mark = 10'500;
  many.mark_digest = info(10'500).digest;
  ASSERT_TRUE(store_->commit(many));
  EXPECT_EQ(revision("shard1"), before + 1);
  EXPECT_EQ(reader()->documents(), 10'500u);
}

TEST_F(Store, AFailedBatchLeavesNothingAndIsFedAgain) {
  open();
  add(1, 10);
  IndexStore::Batch broken = batch(11, 15);
  broken.documents.push_back(document(12));  // not rising: refused in the middle of the transaction
  auto done = store_->commit(broken);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kCorrupt);
  EXPECT_FALSE(store_->commit(batch(11, 15)));  // dead for good
  EXPECT_EQ(revision("shard1"), 2u);
  // kCorrupt: the generation is thrown away and the next open begins another.
  open();
  EXPECT_EQ(store_->mark(), 0u);
  EXPECT_EQ(store_->directory(), index_ + "/g0002");
  add(1, 15);
  expect_holds(*reader(), 15);
}

TEST_F(Store, ShardsFillAndAreSealed) {
  shard_messages_ = 10;
  open();
  for (uint64_t number = 1; number <= 35; number += 5) add(number, number + 4);
  expect_holds(*reader(), 35);
  EXPECT_TRUE(fs::is_regular_file(index_ + "/g0001/shard1-10.glass"));
  EXPECT_TRUE(fs::is_regular_file(index_ + "/g0001/shard21-30.glass"));
  EXPECT_FALSE(fs::exists(index_ + "/g0001/shard21"));
  EXPECT_TRUE(fs::is_directory(index_ + "/g0001/shard31"));
  open();
  EXPECT_EQ(store_->last_number(), 35u);
  add(36, 41);
  expect_holds(*reader(), 41);
}

TEST_F(Store, AShardIsSealedWhenTheNextMessageComesNotBefore) {
  shard_messages_ = 10;
  open();
  add(1, 9);
  add(10, 10);
  EXPECT_FALSE(fs::exists(index_ + "/g0001/shard11"));
  add(11, 11);
  EXPECT_TRUE(fs::exists(index_ + "/g0001/shard11"));
  expect_holds(*reader(), 11);
}

TEST_F(Store, ABatchMayCrossSeveralShards) {
  shard_messages_ = 10;
  open();
  add(1, 47);
  expect_holds(*reader(), 47);
  EXPECT_TRUE(fs::exists(index_ + "/g0001/shard31-40.glass"));
  open();
  EXPECT_EQ(store_->mark(), 47u);
}

TEST_F(Store, ACutBetweenShardsLeavesAMarkThatFitsTheDocuments) {
  shard_messages_ = 10;
  open();
  IndexStore::Batch crossing = batch(1, 15);
  crossing.documents.push_back(document(3));  // refused behind the first shard's commit
  ASSERT_FALSE(store_->commit(crossing));
  store_.reset();
  // What the first commit left, read as Xapian has it.
  Xapian::Database sealed(index_ + "/g0001/shard1-10.glass");
  EXPECT_EQ(sealed.get_doccount(), 10u);
  EXPECT_EQ(sealed.get_metadata("mark"), std::string("\0\0\0\0\0\0\0\x0a", 8));
  Xapian::Database next(index_ + "/g0001/shard11");
  EXPECT_EQ(next.get_doccount(), 0u);
  EXPECT_EQ(next.get_metadata("mark"), std::string("\0\0\0\0\0\0\0\x0a", 8));
}

TEST_F(Store, TheOpenShardJoinsTheSealedOneBeforeItUntilThatIsFull) {
  shard_messages_ = 25;
  open_messages_ = 10;
  open();
  add(1, 10);
  add(11, 20);
  EXPECT_TRUE(fs::exists(index_ + "/g0001/shard1-10.glass"));
  add(21, 30);
  EXPECT_TRUE(fs::exists(index_ + "/g0001/shard1-20.glass"));
  EXPECT_FALSE(fs::exists(index_ + "/g0001/shard1-10.glass"));
  add(31, 36);
  EXPECT_TRUE(fs::exists(index_ + "/g0001/shard21-30.glass"));  // 30 would be more than 25
  expect_holds(*reader(), 36);
  open();
  EXPECT_EQ(store_->begun_anew(), "");
  ASSERT_TRUE(store_->tidy());
  EXPECT_TRUE(fs::exists(index_ + "/g0001/shard21-36.glass"));
  expect_holds(*reader(), 36);
  add(37, 39);
  ASSERT_TRUE(store_->tidy());  // three are too few
  EXPECT_FALSE(fs::exists(index_ + "/g0001/shard37-39.glass"));
  add(40, 40);
  ASSERT_TRUE(store_->tidy());  // four are enough
  EXPECT_TRUE(fs::exists(index_ + "/g0001/shard21-40.glass"));
  expect_holds(*reader(), 40);
  EXPECT_EQ(Xapian::Database(index_ + "/g0001/shard21-40.glass").get_metadata("first").back(), 21);
}

TEST_F(Store, ShardsWithMissingNumbersAreNotJoined) {
  shard_messages_ = 100;
  open_messages_ = 10;
  open();
  add(1, 4);
  ASSERT_TRUE(store_->tidy());
  add(7, 10);  // 5 and 6 never came
  ASSERT_TRUE(store_->tidy());
  add(11, 14);
  ASSERT_TRUE(store_->tidy());
  EXPECT_TRUE(fs::exists(index_ + "/g0001/shard1-4.glass"));
  EXPECT_TRUE(fs::exists(index_ + "/g0001/shard5-10.glass"));
  EXPECT_TRUE(fs::exists(index_ + "/g0001/shard11-14.glass"));
  EXPECT_THAT(ask("corps"), ElementsAre(1, 2, 3, 4, 7, 8, 9, 10, 11, 12, 13, 14));
  EXPECT_THAT(*reader()->all(), testing::SizeIs(12));
}

TEST_F(Store, LateRecipientsAreFoundAtTheMessage) {
  shard_messages_ = 10;
  open();
  add(1, 25);
  auto late = [&](uint64_t number, const std::string& address) {
    Document out;
    out.number = number;
    out.terms = maker_.recipients(info(number), {{address, "", ""}});
    return out;
  };
  IndexStore::Batch more;
  more.late = {late(3, "first@late.example"), late(22, "second@late.example"), late(3, "third@late.example")};
  more.mark = 26;
  more.mark_digest = info(26).digest;
  ASSERT_TRUE(store_->commit(more));
  ASSERT_TRUE(store_->commit(more));  // fed twice: the same
  EXPECT_THAT(ask("Rfirst@late.example"), ElementsAre(3));
  EXPECT_THAT(ask("Bthird@late.example"), ElementsAre(3));
  EXPECT_THAT(ask("R@late.example"), ElementsAre(3, 22));
  EXPECT_THAT(ask("second@late.example"), ElementsAre(22));
  EXPECT_EQ(reader()->documents(), 25u);
  EXPECT_EQ(reader()->mark(), 26u);
  EXPECT_THAT(*reader()->all(), testing::SizeIs(25));
}

TEST_F(Store, VocabularyIsMergedOverShards) {
  shard_messages_ = 10;
  open();
  add(1, 25);
  std::map<std::string, uint64_t> found;
  std::string last;
  auto view = reader();
  ASSERT_TRUE(view->vocabulary("reste", [&](const std::string& term, uint64_t frequency) {
    EXPECT_LT(last, term);
    last = term;
    found[term] = frequency;
    return true;
  }));
  EXPECT_EQ(found, (std::map<std::string, uint64_t>{{"reste0", 8}, {"reste1", 9}, {"reste2", 8}}));
  int count = 0;
  ASSERT_TRUE(view->vocabulary("", [&](const std::string&, uint64_t) { return ++count < 4; }));
  EXPECT_EQ(count, 4);
  ASSERT_TRUE(view->vocabulary("zzz", [&](const std::string&, uint64_t) {
    ADD_FAILURE();
    return false;
  }));
}

TEST_F(Store, WhatSealedShardsSayOfABeginningIsKeptAndTheOpenOneAdds) {
  shard_messages_ = 10;
  open();
  add(1, 25);
  const auto words = [](IndexReader& view) {
    std::map<std::string, uint64_t> found;
    EXPECT_TRUE(view.vocabulary("reste", [&](const std::string& term, uint64_t frequency) {
      found[term] = frequency;
      return true;
    }));
    return found;
  };
  const std::map<std::string, uint64_t> before = {{"reste0", 8}, {"reste1", 9}, {"reste2", 8}};
  auto view = reader();
  // A walk that was ended early says nothing of the rest.
  ASSERT_TRUE(view->vocabulary("reste", [&](const std::string&, uint64_t) { return false; }));
  EXPECT_EQ(words(*view), before);
  EXPECT_EQ(words(*view), before);
  EXPECT_EQ(view->frequency("reste1"), 9u);
  EXPECT_THAT(*view->postings("reste1"), testing::SizeIs(9));
  EXPECT_EQ(view->frequency("reste1"), 9u);  // by the postings that are kept now
  add(26, 28);
  ASSERT_TRUE(view->refresh());
  EXPECT_EQ(words(*view), (std::map<std::string, uint64_t>{{"reste0", 9}, {"reste1", 10}, {"reste2", 9}}));
  EXPECT_EQ(view->frequency("reste1"), 10u);
  add(29, 31);  // seals another
  ASSERT_TRUE(view->refresh());
  EXPECT_EQ(words(*view), (std::map<std::string, uint64_t>{{"reste0", 10}, {"reste1", 11}, {"reste2", 10}}));
}

TEST_F(Store, AReaderOfAnIndexThatHasSettledFollowsItStill) {
  shard_messages_ = 10;
  open();
  add(1, 15);
  auto view = reader();
  std::this_thread::sleep_for(std::chrono::milliseconds(1'100));  // now its state is not read again at every look
  ASSERT_TRUE(view->refresh());
  ASSERT_TRUE(view->refresh());
  expect_holds(*view, 15);
  add(16, 17);  // the open shard moves, the state does not
  ASSERT_TRUE(view->refresh());
  expect_holds(*view, 17);
  add(18, 25);  // a shard is sealed
  ASSERT_TRUE(view->refresh());
  expect_holds(*view, 25);
}

TEST_F(Store, AViewKnowsUpToWhereItHasEverything) {
  shard_messages_ = 100;
  open_messages_ = 10;
  open();
  EXPECT_TRUE(reader()->contains_all_to(0));
  EXPECT_FALSE(reader()->contains_all_to(1));
  add(1, 4);
  ASSERT_TRUE(store_->tidy());
  add(5, 9);
  EXPECT_TRUE(reader()->contains_all_to(9));
  EXPECT_FALSE(reader()->contains_all_to(10));
  add(12, 14);  // 10 and 11 never came
  EXPECT_TRUE(reader()->contains_all_to(4));
  EXPECT_FALSE(reader()->contains_all_to(14));
}

TEST_F(Store, DateRangesAreThoseOfEachDateLookedAtAlone) {
  shard_messages_ = 100;
  open();
  add(1, 230);
  auto view = reader();
  for (uint64_t from = 0; from <= 23'100; from += 700)
    for (uint64_t to = from; to <= 23'100; to += 500) {
      Numbers wanted;
      for (uint64_t number = 1; number <= 230; ++number)
        if (number * 100 >= from && number * 100 < to) wanted.push_back(number);
      ASSERT_EQ(view->date_range(static_cast<int64_t>(from), static_cast<int64_t>(to))->list(), wanted)
          << from << ".." << to;
    }
  EXPECT_THAT(*view->date_range(0, int64_t{1} << 40), testing::SizeIs(230));
  EXPECT_THAT(*view->date_range(int64_t{1} << 31, int64_t{1} << 40), IsEmpty());
}

TEST_F(Store, AWalkOverDatesSaysWhatTheySay) {
  shard_messages_ = 100;
  open();
  add(1, 230);
  const Dates dates = *reader()->dates();
  Dates::Walk down(dates), up(dates);
  for (uint64_t number = 240; number-- > 0;) EXPECT_EQ(down.of(number), dates.of(number)) << number;
  for (uint64_t number = 0; number < 240; ++number) EXPECT_EQ(up.of(number), dates.of(number)) << number;
  for (uint64_t first = 0; first < 256; first += 64)
    for (uint32_t date = 0; date < 24'000; date += 900)
      EXPECT_EQ(down.any_younger(first, first + 63, date), dates.any_younger(first, first + 63, date))
          << first << " " << date;
}

TEST_F(Store, DateRangesHaveALowerEndInsideAndAnUpperOutside) {
  shard_messages_ = 10;
  open();
  add(1, 25);
  auto view = reader();
  EXPECT_THAT(*view->date_range(900, 1200), ElementsAre(9, 10, 11));
  EXPECT_THAT(*view->date_range(901, 1201), ElementsAre(10, 11, 12));
  EXPECT_THAT(*view->date_range(1000, 1000), IsEmpty());
  EXPECT_THAT(*view->date_range(INT64_MIN, 101), ElementsAre(1));
  EXPECT_THAT(*view->date_range(2500, INT64_MAX), ElementsAre(25));
  EXPECT_THAT(*view->date_range(INT64_MIN, INT64_MAX), testing::SizeIs(25));
}

TEST_F(Store, UnknownNumbersHaveNoDate) {
  shard_messages_ = 10;
  open();
  add(1, 12);
  const Dates dates = *reader()->dates();
  EXPECT_EQ(dates.of(2), 200u);
  EXPECT_EQ(dates.of(12), 1200u);
  for (uint64_t number : {0, 13, 99}) EXPECT_EQ(dates.of(number), 0u);
}

// Every copy names the first of its mail, whether that lies in the open shard, in the same sealed one, or in one before; nothing else
// is a copy. The writer is opened anew and shards are sealed at random, so that the keys it knows come from all three places.
TEST_F(Store, CopiesAreKnownAcrossShardsAndStarts) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    const auto below = [&random](uint64_t bound) { return random() % bound; };
    store_.reset();
    fs::remove_all(index_);
    shard_messages_ = 20 + below(60);
    open_messages_ = 5 + below(15);
    open();
    std::map<uint64_t, uint64_t> first_of_key;
    std::vector<Copy> expected;
    Numbers all;
    for (uint64_t number = 1; number <= 150;) {
      IndexStore::Batch some;
      for (uint64_t end = std::min<uint64_t>(150, number + below(9)); number <= end; ++number) {
        Document one = document(number);
        one.mail_key = below(4) == 0 ? ~uint64_t{0} - below(5) : 1000 + below(200);
        const auto [known, fresh] = first_of_key.emplace(one.mail_key, number);
        if (!fresh) expected.push_back({number, known->second});
        all.push_back(number);
        some.documents.push_back(std::move(one));
      }
      some.mark = number - 1;
      some.mark_digest = info(number - 1).digest;
      ASSERT_TRUE(store_->commit(some));
      if (below(5) == 0) open();
      if (below(7) == 0) {
        ASSERT_TRUE(store_->tidy());
      }
      Numbers asked;
      for (uint64_t each : all)
        if (below(3) != 0) asked.push_back(each);
      const auto holds = [](const std::vector<Copy>& copies) {
        std::vector<std::pair<uint64_t, uint64_t>> out;
        for (const Copy& copy : copies) out.emplace_back(copy.number, copy.first);
        return out;
      };
      std::vector<Copy> among;
      for (const Copy& copy : expected)
        if (std::binary_search(asked.begin(), asked.end(), copy.number)) among.push_back(copy);
      auto view = reader();
      ASSERT_EQ(holds(*view->copies(asked)), holds(among));
      ASSERT_EQ(holds(*view->copies(*view->all())), holds(expected));
    }
  }
}

TEST_F(Store, ASecondWriterIsRefused) {
  open();
  auto second = IndexStore::open(index_, {}, [](uint64_t, const Digest&) -> Result<bool> { return true; });
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kTryAgain);
  EXPECT_FALSE(second.error().hint.empty());
}

TEST_F(Store, AnIndexAheadOfTheArchiveIsBegunAnew) {
  open();
  add(1, 10);
  archive_end_ = 10;
  open();
  EXPECT_EQ(store_->mark(), 10u);
  archive_end_ = 9;
  open();
  EXPECT_EQ(store_->mark(), 0u);
  EXPECT_FALSE(fs::exists(index_ + "/g0001"));
  EXPECT_EQ(store_->directory(), index_ + "/g0002");
}

TEST_F(Store, AnIndexOfAnotherNumberingIsBegunAnew) {
  open();
  IndexStore::Batch other = batch(1, 5);
  other.mark_digest = info(77).digest;
  ASSERT_TRUE(store_->commit(other));
  open();
  EXPECT_EQ(store_->mark(), 0u);
}

TEST_F(Store, ADamagedIndexIsThrownAwayAndBuiltAgain) {
  shard_messages_ = 10;
  std::vector<std::pair<std::string, std::function<void(const std::string&)>>> damages = {
      {"state.json cut", [](const std::string& g) { fs::resize_file(g + "/state.json", 20); }},
      {"state.json gone", [](const std::string& g) { fs::remove(g + "/state.json"); }},
      {"state.json of deep nesting",
       [](const std::string& g) { std::ofstream(g + "/state.json") << std::string(100'000, '['); }},
      {"state.json names a path",
       [](const std::string& g) {
         std::ofstream(g + "/state.json")
             << R"({"schema":1,"complete":true,"shards":[{"name":"../x","first":1,"sealed":false}]})";
       }},
      {"sealed shard gone", [](const std::string& g) { fs::remove(g + "/shard1-10.glass"); }},
      {"sealed shard empty", [](const std::string& g) { fs::resize_file(g + "/shard1-10.glass", 0); }},
      {"columns gone", [](const std::string& g) { fs::remove(g + "/shard1-10.columns"); }},
      {"columns cut", [](const std::string& g) { fs::resize_file(g + "/shard1-10.columns", 100); }},
      {"a bit of the columns turned",
       [](const std::string& g) {
         std::fstream file(g + "/shard1-10.columns", std::ios::in | std::ios::out | std::ios::binary);
         file.seekp(70);
         file.put('\x7f');
       }},
      {"open shard gone", [](const std::string& g) { fs::remove_all(g + "/shard11"); }},
      {"open shard's version overwritten",
       [](const std::string& g) { std::ofstream(g + "/shard11/iamglass") << "rubbish"; }},
      {"open shard's postings cut", [](const std::string& g) { fs::resize_file(g + "/shard11/postlist.glass", 0); }},
      {"late gone", [](const std::string& g) { fs::remove_all(g + "/late"); }},
  };
  open();
  add(1, 15);
  store_.reset();
  fs::rename(index_, archive_ + "/sound");
  for (auto& [name, damage] : damages) {
    SCOPED_TRACE(name);
    store_.reset();
    fs::remove_all(index_);
    fs::copy(archive_ + "/sound", index_, fs::copy_options::recursive);
    damage(index_ + "/g0001");
    open();
    ASSERT_EQ(store_->mark(), 0u);
    ASSERT_NE(store_->begun_anew(), "");
    ASSERT_FALSE(fs::exists(index_ + "/g0001"));
  }
  add(1, 15);
  expect_holds(*reader(), 15);
}

TEST_F(Store, ANewerSchemaIsLeftAlone) {
  open();
  add(1, 3);
  store_.reset();
  std::ofstream(index_ + "/g0001/state.json") << R"({"schema":999,"complete":true,"shards":[]})";
  auto opened = IndexStore::open(index_, {}, [](uint64_t, const Digest&) -> Result<bool> { return true; });
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::kTooNew);
  EXPECT_TRUE(fs::exists(index_ + "/g0001/shard1"));
  EXPECT_EQ(IndexReader::open(archive_).error().code, Code::kTooNew);
}

TEST_F(Store, ReadersTurnToTheNewestCompleteGeneration) {
  open();
  add(1, 5);
  ASSERT_TRUE(store_->set_complete());
  EXPECT_TRUE(store_->complete());
  store_.reset();
  // A generation being built beside it.
  fs::copy(index_ + "/g0001", index_ + "/g0002", fs::copy_options::recursive);
  auto state = read_state(index_, 2);
  ASSERT_TRUE(state);
  state->complete = false;
  ASSERT_TRUE(write_state(*state));
  EXPECT_EQ(current_generation(index_)->number, 1u);
  open();
  EXPECT_EQ(store_->directory(), index_ + "/g0002");
  EXPECT_TRUE(fs::exists(index_ + "/g0001"));
  add(6, 9);
  EXPECT_EQ(reader()->mark(), 5u);
  ASSERT_TRUE(store_->set_complete());
  EXPECT_EQ(reader()->mark(), 9u);
  EXPECT_FALSE(fs::exists(index_ + "/g0001"));
}

TEST_F(Store, LeftoversOfACrashAreIgnoredAndReplaced) {
  shard_messages_ = 10;
  open();
  add(1, 10);
  store_.reset();
  // As after a crash while the first shard was sealed: compacted, the next shard made, state.json not yet written.
  fs::create_directories(index_ + "/g0001/shard11");
  std::ofstream(index_ + "/g0001/shard11/iamglass") << "half";
  std::ofstream(index_ + "/g0001/shard1-10.glass") << "half";
  std::ofstream(index_ + "/g0001/shard1-10.columns") << "half";
  std::ofstream(index_ + "/g0001/shard1-9.columns") << "half";
  std::ofstream(index_ + "/g0001/columns.tmp") << "half";
  std::ofstream(index_ + "/g0001/compacting.tmp") << "half";
  std::ofstream(index_ + "/g0001/state.json.tmp") << "half";
  fs::create_directories(index_ + "/g0002/shard1");  // a generation that was never born
  open();
  EXPECT_EQ(store_->mark(), 10u);
  add(11, 25);
  expect_holds(*reader(), 25);
  EXPECT_FALSE(fs::exists(index_ + "/g0002"));
  EXPECT_FALSE(fs::exists(index_ + "/g0001/shard1-9.columns"));
}

TEST_F(Store, AReaderThatIsOvertakenTurnsToTheNewView) {
  open();
  add(1, 50);
  auto view = reader();
  EXPECT_EQ(view->mark(), 50u);
  for (uint64_t number = 51; number <= 90; number += 4)
    add(number, number + 3);  // ten commits: blocks are used again
  auto found = view->postings("corps");
  ASSERT_TRUE(found) << describe(found.error());
  for (uint64_t number = 1; number <= 50; ++number) EXPECT_THAT(*found, testing::Contains(number));
  ASSERT_TRUE(view->refresh());
  expect_holds(*view, 90);
}

TEST_F(Store, ReadersGoOnBesideAWriterThatSealsShards) {
  shard_messages_ = 20;
  open();
  add(1, 5);
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> rounds{0};
  std::thread reading([&] {
    uint64_t last = 0;
    auto view = IndexReader::open(archive_);
    ASSERT_TRUE(view) << describe(view.error());
    while (!stop) {
      auto found = (*view)->postings("corps");
      ASSERT_TRUE(found) << describe(found.error());
      ASSERT_GE(found->size(), last);
      ASSERT_TRUE(std::is_sorted(found->begin(), found->end()));
      last = found->size();
      if (last > 0) {
        auto dates = (*view)->dates();
        ASSERT_TRUE(dates) << describe(dates.error());
        ASSERT_EQ(dates->of(last), last * 100);
      }
      if (++rounds % 3 == 0) {
        ASSERT_TRUE((*view)->refresh());
      }
    }
  });
  for (uint64_t number = 6; number <= 125; number += 5) add(number, number + 4);
  while (rounds < 5) std::this_thread::yield();
  stop = true;
  reading.join();
  expect_holds(*reader(), 125);
}

TEST_F(Store, ADocumentWithManyTermsKeepsThemAll) {
  open();
  std::string body;
  for (int i = 0; i < 20'000; ++i) body += "mot" + std::to_string(i) + (i % 2 ? " de " : " ");
  Document out = maker_.make(info(1), {{TextPiece::kBody, "", body}, {TextPiece::kBody, "", body}}, {}, {});
  out.sequence = 1;
  IndexStore::Batch one;
  one.documents.push_back(std::move(out));
  one.mark = 1;
  ASSERT_TRUE(store_->commit(one));
  auto view = reader();
  for (int i = 0; i < 20'000; i += 997) EXPECT_THAT(*view->postings("mot" + std::to_string(i)), ElementsAre(1));
}

TEST(Documents, AreTheSameWhateverWasMadeBefore) {
  DocumentMaker fresh, used;
  for (uint64_t number = 1; number < 50; ++number) used.make(info(number), text_of(number), {}, {});
  Document a = fresh.make(info(7), text_of(7), {}, {});
  Document b = used.make(info(7), text_of(7), {}, {});
  ASSERT_EQ(a.terms.entries.size(), b.terms.entries.size());
  for (size_t i = 0; i < a.terms.entries.size(); ++i) {
    EXPECT_EQ(a.terms.term(a.terms.entries[i]), b.terms.term(b.terms.entries[i]));
    EXPECT_EQ(a.terms.entries[i].count, b.terms.entries[i].count);
    if (i > 0) {
      EXPECT_LT(a.terms.term(a.terms.entries[i - 1]), a.terms.term(a.terms.entries[i]));
    }
  }
}

TEST(Documents, DatesAreClamped) {
  DocumentMaker maker;
  MessageInfo message = info(1);
  message.date = -1 * kNsPerSecond;
  EXPECT_EQ(maker.make(message, {}, {}, {}).date_s, 0u);
  message.date = static_cast<UnixNs>(UINT32_MAX) * kNsPerSecond;
  EXPECT_EQ(maker.make(message, {}, {}, {}).date_s, UINT32_MAX);
  message.date += kNsPerSecond;
  EXPECT_EQ(maker.make(message, {}, {}, {}).date_s, UINT32_MAX);
}

TEST(Documents, MergeIsAUnion) {
  DocumentMaker maker;
  TermList one = maker.recipients(info(1), {{"a@x.example", "", ""}});
  TermList two = maker.recipients(info(1), {{"b@x.example", "", ""}});
  TermList both = maker.recipients(info(1), {{"a@x.example", "", ""}, {"b@x.example", "", ""}});
  TermList merged = merge(one, two);
  ASSERT_EQ(merged.entries.size(), both.entries.size());
  for (size_t i = 0; i < both.entries.size(); ++i)
    EXPECT_EQ(merged.term(merged.entries[i]), both.term(both.entries[i]));
}

}  // namespace
}  // namespace arch::index
