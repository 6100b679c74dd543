// Claim   Counts add up to the mails that match, each once; relevance puts the mail that is about the words first; pages of one
//         as_of neither shift nor repeat while mail comes; what lies outside a scope is nowhere: not in totals, counts, threads.
// Method  A temporary archive of mails made here; a second one holds only what the scope may see.
// Teeth   Whole orders and whole counts are compared; the scoped archive's answers with those of the small one, query by query.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/archive_test_support.h"
#include "query/index/index.h"
#include "query/search/search.h"

namespace arch::search {
namespace {

using Names = std::vector<std::string>;

struct Mail {
  const char* subject;
  const char* from;
  const char* to;
  const char* date;
  const char* body;
  const char* more = "";
  std::vector<std::string> rcpt = {};
};

const std::vector<Mail>& mails() {
  static const std::vector<Mail> all = {
      {"Livraison de la semaine", "zoe@maison.example", "paul@dupont.example", "Mon, 05 Oct 2026 10:00:00 +0000",
       "Le devis viendra plus tard, merci de confirmer la livraison avant vendredi prochain s'il vous plaît."},
      {"Devis cave", "paul@dupont.example", "zoe@maison.example", "Tue, 06 Oct 2026 10:00:00 +0000",
       "Voici le devis. Le devis comprend douze caisses ; ce devis est valable trente jours.",
       "Message-ID: <devis@x>\r\n"},
      {"Re: Devis cave",
       "zoe@maison.example",
       "paul@dupont.example",
       "Fri, 06 Nov 2026 10:00:00 +0000",
       "Merci pour tout.",
       "In-Reply-To: <devis@x>\r\n",
       {"secret@autre.example"}},
      {"Contrat", "eva@autre.example", "luc@ailleurs.example", "Sat, 07 Nov 2026 10:00:00 +0000",
       "Rien de spécial, un seul devis.", "List-Id: <dev.lists.example>\r\n"},
      {"Rappel", "eva@autre.example", "zoe@maison.example", "Sat, 31 Oct 2026 23:30:00 +0000",
       "Un rappel de rappel, avec le mot devis deux fois : devis."},
  };
  return all;
}

class AnswersTest : public archive_test::ArchiveFixture {
 protected:
  void SetUp() override {
    ArchiveFixture::SetUp();
    open(OwnDomains({"maison.example"}));
  }
  void add(const Mail& mail) {
    const std::string message = std::string("From: ") + mail.from + "\r\nTo: " + mail.to +
                                "\r\nSubject: " + mail.subject + "\r\nDate: " + mail.date +
                                "\r\nContent-Type: text/plain; charset=utf-8\r\n" + mail.more + "\r\n" + mail.body +
                                "\r\n";
    Delivery delivery;
    delivery.has_mail_from = true;
    delivery.mail_from = mail.from;
    for (const std::string& address : mail.rcpt) delivery.rcpt.push_back({address, "", ""});
    append(std::move(delivery), message);
  }
  void ready() {
    apply();
    auto writer = index::IndexWriter::open(*archive_, {});
    ASSERT_TRUE(writer) << describe(writer.error());
    ASSERT_TRUE((*writer)->follow({}, {}));
    ASSERT_TRUE((*writer)->close());
    auto searcher = Searcher::open(*archive_);
    ASSERT_TRUE(searcher) << describe(searcher.error());
    searcher_ = std::move(*searcher);
  }
  void add_all() {
    for (const Mail& mail : mails()) add(mail);
    ready();
  }
  Answer ask(const Request& request) {
    auto answer = searcher_->search(request);
    EXPECT_TRUE(answer) << request.query << ": " << describe(answer.error());
    return answer ? *answer : Answer{};
  }
  Request query(const std::string& text, Order order = Order::kNewest) {
    Request request;
    request.query = text;
    request.order = order;
    request.limit = 100;
    request.context.timezone = "Europe/Paris";
    return request;
  }
  static Names subjects(const Answer& answer) {
    Names out;
    for (const Hit& hit : answer.hits) out.push_back(hit.message.subject);
    return out;
  }
  std::string counted(const std::string& by, const std::string& text = "", size_t limit = 100,
                      const Scope& scope = {}) {
    Request request = query(text);
    request.scope = scope;
    auto answer = searcher_->count(request, by, limit);
    EXPECT_TRUE(answer) << describe(answer.error());
    std::string out;
    for (const CountAnswer::Bucket& bucket : answer->buckets)
      out += bucket.key + "=" + std::to_string(bucket.count) + " ";
    return out + "other=" + std::to_string(answer->other) + " missing=" + std::to_string(answer->missing) +
           " total=" + std::to_string(answer->total);
  }
  std::unique_ptr<Searcher> searcher_;
};

TEST_F(AnswersTest, CountsAddUp) {
  add_all();
  EXPECT_EQ(counted("year"), "2026=5 other=0 missing=0 total=5");
  EXPECT_EQ(counted("month"), "2026-10=2 2026-11=3 other=0 missing=0 total=5")
      << "31 October, 23:30 UTC, is November in Paris";
  EXPECT_EQ(counted("day", "devis cave"), "2026-10-06=1 2026-11-06=1 other=0 missing=0 total=2")
      << "as far as both words go";
  EXPECT_EQ(counted("from"),
            "eva@autre.example=2 zoe@maison.example=2 paul@dupont.example=1 other=0 missing=0 total=5");
  EXPECT_EQ(counted("domain", "", 1), counted("from_domain", "", 1));
  EXPECT_EQ(counted("to", "", 9), counted("rcpt", "", 9));
  EXPECT_EQ(counted("type", "", 9), counted("attachment_type", "", 9));
  EXPECT_EQ(counted("from_domain", "", 1), "autre.example=2 other=3 missing=0 total=5");
  EXPECT_EQ(counted("rcpt_domain"),
            "dupont.example=2 maison.example=2 ailleurs.example=1 autre.example=1 other=0 missing=0 total=5");
  EXPECT_EQ(counted("direction"), "incoming=3 outgoing=2 other=0 missing=0 total=5");
  EXPECT_EQ(counted("list"), "dev.lists.example=1 other=0 missing=4 total=5");
  EXPECT_EQ(counted("language", "livraison"), "fr=1 other=0 missing=0 total=1");
  EXPECT_EQ(counted("attachment_type"), "other=0 missing=5 total=5");
  EXPECT_EQ(counted("size_class"), "under 10K=5 other=0 missing=0 total=5");
  EXPECT_EQ(counted("month", "zzz"), "other=0 missing=0 total=0");
  auto wrong = searcher_->count(query(""), "colour", 10);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Code::kUsage);
  EXPECT_NE(wrong.error().hint.find("from_domain"), std::string::npos);
}

TEST_F(AnswersTest, RelevancePutsWhatIsAboutTheWordsFirst) {
  add_all();
  EXPECT_EQ(subjects(ask(query("devis", Order::kRelevance))),
            (Names{"Devis cave", "Re: Devis cave", "Rappel", "Contrat", "Livraison de la semaine"}));
  EXPECT_EQ(subjects(ask(query("devis", Order::kOldest))).front(), "Livraison de la semaine");
  EXPECT_EQ(subjects(ask(query("", Order::kRelevance))).front(), "Contrat") << "without words, the newest";
}

TEST_F(AnswersTest, PagesOfOneAsOfStayWhatTheyAre) {
  add_all();
  const Answer first = ask(query("devis"));
  EXPECT_EQ(first.as_of, 5u);
  const Names before = subjects(first);
  add({"Devis tout neuf", "eva@autre.example", "zoe@maison.example", "Tue, 10 Nov 2026 10:00:00 +0000", "devis"});
  ready();
  EXPECT_EQ(ask(query("devis")).total, first.total + 1);
  Request again = query("devis");
  again.as_of = first.as_of;
  Names paged;
  again.limit = 2;
  for (again.offset = 0; again.offset < first.total; again.offset += 2) {
    const Answer page = ask(again);
    EXPECT_EQ(page.total, first.total);
    EXPECT_EQ(page.as_of, first.as_of);
    for (const std::string& subject : subjects(page)) paged.push_back(subject);
  }
  EXPECT_EQ(paged, before);
}

TEST_F(AnswersTest, OutsideAScopeThereIsNothing) {
  Scope people;
  people.domains = {"autre.example"};
  Scope both = people;
  both.addresses = {"paul@dupont.example"};
  Scope time;
  time.after = 1'793'000'000ll * kNsPerSecond;  // 2026-10-26
  const std::pair<Scope, Names> scopes[] = {
      {people, {"Re: Devis cave", "Contrat", "Rappel"}},  // one of them only by a hidden recipient
      {both, {"Livraison de la semaine", "Devis cave", "Re: Devis cave", "Contrat", "Rappel"}},
      {time, {"Re: Devis cave", "Contrat", "Rappel"}},
  };
  const char* queries[] = {
      "",           "devis",       "-devis",       "cave OR rappel", "from:zoe",     "thread:devis@x",
      "id:devis@x", "in:incoming", "date:2026-10", "has:attachment", "\"le devis\"", "-from:eva",
      "lang:fr"};
  add_all();
  for (const auto& [scope, visible] : scopes) {
    // What the scope may see, in an archive of its own.
    std::vector<std::pair<std::string, Names>> expected;
    std::vector<std::string> counts;
    {
      auto all = std::move(archive_);
      auto all_searcher = std::move(searcher_);
      const std::string all_root = root_;
      ArchiveFixture::SetUp();
      open(OwnDomains({"maison.example"}));
      for (const Mail& mail : mails())
        if (std::find(visible.begin(), visible.end(), mail.subject) != visible.end()) add(mail);
      ready();
      for (const char* text : queries) expected.emplace_back(text, subjects(ask(query(text))));
      for (const char* by : {"month", "from", "rcpt", "direction", "list"}) counts.push_back(counted(by));
      ArchiveFixture::TearDown();
      root_ = all_root;
      archive_ = std::move(all);
      searcher_ = std::move(all_searcher);
    }
    for (const auto& [text, names] : expected) {
      // A thread is asked for by a mail that the scope may not see: there is no such thread.
      Request request = query(text);
      request.scope = scope;
      const Answer answer = ask(request);
      if (text != "thread:devis@x") {
        EXPECT_EQ(subjects(answer), names) << text;
      }
      for (const std::string& subject : subjects(answer))
        EXPECT_TRUE(std::find(visible.begin(), visible.end(), subject) != visible.end()) << text;
      EXPECT_EQ(answer.total, answer.hits.size());
    }
    size_t at = 0;
    for (const char* by : {"month", "from", "rcpt", "direction", "list"})
      EXPECT_EQ(counted(by, "", 100, scope), counts[at++]) << by;
  }
}

}  // namespace
}  // namespace arch::search
