// Claim   An answer holds exactly the mails that match, each mail once, newest first, with an exact total, whatever the operators;
//         words widen to their forms and to nothing else; a snippet shows why; the answer says how complete it is.
// Method  A temporary archive of mails made here, applied and indexed as the engine does; a table of queries with the mails they must find.
// Teeth   Every query names its whole answer: one too many fails as well as one missing.
#include "query/search/search.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <map>
#include <set>

#include "query/index/index.h"
#include "query/search/snippet.h"

namespace arch::search {
namespace {

struct Mail {
  const char* name;
  std::string text;
  std::vector<std::string> rcpt;
};

std::string mail(const std::string& from, const std::string& to, const std::string& subject, const std::string& date,
                 const std::string& body, const std::string& more = {}) {
  static int number = 0;
  std::string fields = "From: " + from + "\r\nTo: " + to + "\r\nSubject: " + subject + "\r\nDate: " + date + "\r\n";
  if (more.find("Message-ID") == std::string::npos)
    fields += "Message-ID: <auto" + std::to_string(++number) + "@maison.example>\r\n";
  if (more.find("Content-Type") == std::string::npos) fields += "Content-Type: text/plain; charset=utf-8\r\n";
  return fields + more + "\r\n" + body + "\r\n";
}

const std::vector<Mail>& mails() {
  static const std::vector<Mail> all = {
      {"devis",
       mail("Jean Dupont <jean@dupont.example>", "paul@maison.example", "Devis pour la cave",
            "Mon, 04 Mar 2024 10:00:00 +0100", "Voici le devis pour douze caisses. Bon de commande à suivre."),
       {}},
      {"commande",
       mail("Paul <paul@maison.example>", "jean@dupont.example", "Re: Devis pour la cave",
            "Tue, 05 Mar 2024 10:00:00 +0100", "Nous commandons.\r\n> Voici le devis pour douze caisses.",
            "Cc: compta@maison.example\r\nIn-Reply-To: <auto1@maison.example>\r\n"),
       {}},
      {"facture",
       mail("compta@dupont.example", "paul@maison.example", "Facture FA-2024-00123",
            "Fri, 15 Mar 2024 09:00:00 +0100", "",
            "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"),
       {}},
      {"cote",
       mail("Zoé <zoe@ailleurs.example>", "paul@maison.example", "Le côté jardin", "Sat, 01 Jun 2024 09:00:00 +0200",
            "Un cheval, des factures, l'avenant et aujourd'hui.", "Message-ID: <cote@ailleurs.example>\r\n"),
       {"secret@maison.example"}},
      {"cote-lf",
       "Received: by x; Sat, 01 Jun 2024 09:00:01 +0200\n" +
           [] {
             std::string text =
                 mail("Zoé <zoe@ailleurs.example>", "paul@maison.example", "Le côté jardin",
                      "Sat, 01 Jun 2024 09:00:00 +0200", "Un cheval, des factures, l'avenant et aujourd'hui.",
                      "Message-ID: <cote@ailleurs.example>\r\n");
             std::string out;
             for (char c : text)
               if (c != '\r') out += c;
             return out;
           }(),
       {}},
      {"anglais",
       mail("Sales <sales@client.example>", "paul@maison.example", "Shipping orders",
            "Mon, 01 Jul 2024 09:00:00 +0200", "The orders were shipped; shipping was late. order form 12."),
       {}},
  };
  return all;
}

class SearchTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::string pattern = testing::TempDir() + "search-test-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root() = pattern;
    ASSERT_TRUE(Archive::init(Fs::real(), root() + "/a", Clock::system().now()));
    auto engine = Archive::open(Fs::real(), Clock::system(), root() + "/a", Archive::Mode::kEngine,
                                {OwnDomains({"maison.example"})});
    ASSERT_TRUE(engine) << describe(engine.error());
    for (const Mail& each : mails()) {
      Delivery delivery;
      delivery.captured = Clock::system().now();
      delivery.has_mail_from = true;
      const std::string name = each.name;
      if (name.rfind("cote", 0) != 0)
        delivery.mail_from = name == "commande" ? "paul@maison.example" : "x@dupont.example";
      for (const std::string& address : each.rcpt) delivery.rcpt.push_back({address, "", ""});
      std::string text = each.text;
      if (std::string(each.name) == "facture")
        text +=
            "--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nLa côte de bœuf est facturée à part. De bon "
            "commande rien.\r\n--b\r\nContent-Type: text/csv; name=\"tarif "
            "été.csv\"\r\nContent-Disposition: attachment\r\n\r\nsalsifis;3\r\n--b--\r\n";
      sizes()[each.name] = text.size();
      digests()[each.name] = Sha256::of(as_bytes(text)).hex();
      ASSERT_TRUE((*engine)->append_staged(delivery, text));
    }
    ASSERT_TRUE((*engine)->close_journal());
    ASSERT_TRUE((*engine)->apply());
    auto index = index::IndexWriter::open(**engine, {});
    ASSERT_TRUE(index) << describe(index.error());
    ASSERT_TRUE((*index)->follow({}, {}));
    ASSERT_TRUE((*index)->close());
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(root()); }
  static std::string& root() {
    static std::string path;
    return path;
  }
  static std::map<std::string, std::string>& digests() {
    static std::map<std::string, std::string> table;
    return table;
  }

  static std::map<std::string, size_t>& sizes() {
    static std::map<std::string, size_t> table;
    return table;
  }

  void SetUp() override {
    auto archive = Archive::open(Fs::real(), Clock::system(), root() + "/a", Archive::Mode::kReader);
    ASSERT_TRUE(archive) << describe(archive.error());
    archive_ = std::move(*archive);
    auto searcher = Searcher::open(*archive_);
    ASSERT_TRUE(searcher) << describe(searcher.error());
    searcher_ = std::move(*searcher);
  }

  Result<Answer> ask(const std::string& query, bool widen = false) {
    Request request;
    request.query = query;
    request.widen = widen;
    request.limit = 100;
    request.context.now = 1'720'000'000ll * kNsPerSecond;
    request.context.timezone = "Europe/Paris";
    return searcher_->search(request);
  }
  // Names of the mails found, in order; copies of one mail count once.
  std::vector<std::string> names(const std::string& query, bool widen = false) {
    auto answer = ask(query, widen);
    if (!answer) return {"ERROR " + describe(answer.error())};
    std::vector<std::string> out;
    for (const Hit& hit : answer->hits)
      for (const auto& [name, digest] : digests())
        if (digest == hit.message.digest.hex()) out.push_back(name == "cote-lf" ? "cote" : name);
    EXPECT_EQ(answer->total, out.size()) << query;
    EXPECT_TRUE(answer->total_exact);
    return out;
  }

  std::unique_ptr<Archive> archive_;
  std::unique_ptr<Searcher> searcher_;
};

using Names = std::vector<std::string>;

TEST_F(SearchTest, EveryOperatorFindsItsMailsAndNoOther) {
  const std::pair<const char*, Names> table[] = {
      {"", {"anglais", "cote", "facture", "commande", "devis"}},
      {"devis", {"commande", "devis"}},
      {"DEVIS caisses", {"commande", "devis"}},
      {"devis -suivre", {"commande"}},
      {"-devis", {"anglais", "cote", "facture"}},
      {"devis OR jardin", {"cote", "commande", "devis"}},
      {"(devis suivre) OR jardin", {"cote", "devis"}},
      {"boeuf", {"facture"}},
      {"bœuf", {"facture"}},
      {"cote", {"cote", "facture"}},
      {"=\"côté\"", {"cote"}},
      {"=côte", {"facture"}},
      {"\"bon de commande\"", {"devis"}},
      {"\"bon commande\"", {"facture"}},
      {"\"de bon\"", {"facture"}},
      {"avenant", {"cote"}},
      {"\"l'avenant\"", {"cote"}},
      {"aujourd'hui", {"cote"}},
      {"FA-2024-00123", {"facture"}},
      {"fa202400123", {"facture"}},
      {"\"FA 2024 00123\"", {"facture"}},
      {"fact*", {"cote", "facture"}},
      {"salsifis", {"facture"}},
      {"attachment:salsifis", {"facture"}},
      {"body:salsifis", {}},
      {"body:devis", {"commande", "devis"}},
      {"subject:devis", {"commande", "devis"}},
      {"subject:caisses", {}},
      {"subject:(jardin OR facture)", {"cote", "facture"}},
      {"filename:ete", {"facture"}},
      {"has:attachment", {"facture"}},
      {"-has:attachment devis", {"commande", "devis"}},
      {"from:dupont", {"facture", "devis"}},
      {"from:\"Jean Dupont\"", {"devis"}},
      {"from:jean@dupont.example", {"devis"}},
      {"from:@dupont.example", {"facture", "devis"}},
      {"from:zoe", {"cote"}},
      {"to:jean@dupont.example", {"commande"}},
      {"to:compta@maison.example", {"commande"}},
      {"cc:compta", {"commande"}},
      {"to:secret@maison.example", {"cote"}},
      {"bcc:secret@maison.example", {"cote"}},
      {"rcpt:@maison.example", {"anglais", "cote", "facture", "commande", "devis"}},
      {"date:2024-03", {"facture", "commande", "devis"}},
      {"date:2024-03-15", {"facture"}},
      {"after:2024-06", {"anglais", "cote"}},
      {"before:15/03/2024", {"commande", "devis"}},
      {"date:2024-03-05..2024-06-01 -devis", {"cote", "facture"}},
      {"received:2024-06-01 jardin", {"cote"}},
      {"received:2024-03", {}},
      {"archived:2024-03", {}},
      {"archived:..1999", {}},
      {"archived:1999.. devis", {"commande", "devis"}},
      {"size:1..100K devis", {"commande", "devis"}},
      {"larger:1M", {}},
      {"taille:..100Ko", {"anglais", "cote", "facture", "commande", "devis"}},
      {"seq:1", {"devis"}},
      {"seq:2..3", {"facture", "commande"}},
      {"seq:100..", {}},
      {"type:csv", {"facture"}},
      {"type:text/csv", {"facture"}},
      {"type:text", {"facture"}},
      {"type:pdf OR has:office OR avec:calendrier", {}},
      {"in:bounce", {"cote"}},
      {"in:outgoing", {"commande"}},
      {"in:interne", {}},
      {"in:entrant -jardin", {"anglais", "facture", "devis"}},
      {"id:<cote@ailleurs.example>", {"cote"}},
      {"zzyzx", {}},
      {"devis zzyzx", {}},
      {"-zzyzx jardin", {"cote"}},
  };
  for (const auto& [query, expected] : table) EXPECT_EQ(names(query), expected) << query;
}

TEST_F(SearchTest, ASizeIsHeldToTheByte) {
  const uint64_t size = sizes()["anglais"];
  const std::string here = std::to_string(size);
  const std::string above = std::to_string(size + 1);
  for (const std::string& query : {"larger:" + here, "smaller:" + above, "size:" + here + ".." + here})
    EXPECT_EQ(names("orders " + query), Names({"anglais"})) << query;
  for (const std::string& query : {"larger:" + above, "smaller:" + here, "size:" + above + ".."})
    EXPECT_EQ(names("orders " + query), Names({})) << query;
}

TEST_F(SearchTest, WordsWidenToTheirFormsOnlyWhenAsked) {
  EXPECT_EQ(names("factures"), Names({"cote"}));
  EXPECT_EQ(names("factures", true), Names({"cote", "facture"}));
  EXPECT_EQ(names("ship"), Names({}));
  EXPECT_EQ(names("ship", true), Names({"anglais"}));
  EXPECT_EQ(names("\"factures\"", true), Names({"cote"})) << "no other forms between quotes";
}

TEST_F(SearchTest, CopiesOfOneMailAreOneResultWithItsVariants) {
  auto answer = ask("jardin");
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->hits.size(), 1u);
  EXPECT_EQ(answer->total, 1u);
  EXPECT_EQ(answer->messages, 2u);
  ASSERT_EQ(answer->hits[0].variants.size(), 1u);
}

TEST_F(SearchTest, AThreadIsFoundByAnyOfItsMails) {
  EXPECT_EQ(names("thread:" + digests()["devis"]), Names({"commande", "devis"}));
  EXPECT_EQ(names("hash:" + digests()["devis"].substr(0, 8)), Names({"devis"}));
}

TEST_F(SearchTest, PagesNeitherRepeatNorSkip) {
  std::vector<std::string> seen;
  for (size_t offset = 0; offset < 6; offset += 2) {
    Request request;
    request.limit = 2;
    request.offset = offset;
    auto answer = searcher_->search(request);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->total, 5u);
    for (const Hit& hit : answer->hits) seen.push_back(hit.message.digest.hex());
  }
  EXPECT_EQ(seen.size(), 5u);
  EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), 5u);
}

TEST_F(SearchTest, SnippetsShowTheMatchInTheMailsOwnSpelling) {
  auto answer = ask("BOEUF");
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->hits.size(), 1u);
  const Snippet& snippet = answer->hits[0].snippet;
  ASSERT_EQ(snippet.marks.size(), 1u);
  EXPECT_EQ(snippet.text.substr(snippet.marks[0].first, snippet.marks[0].second - snippet.marks[0].first), "bœuf");
}

// A phrase that the end of the snippet cut in two was once marked up to there.
TEST(Snippets, AMarkIsAWholeMatchWhereverTheTextIsCut) {
  const Pattern word = Pattern::phrase({"alpha"}), phrase = Pattern::phrase({"bon", "de", "commande"});
  size_t both = 0;
  for (size_t filler = 0; filler < 300; ++filler) {
    const std::string body = "alpha " + std::string(filler, 'x') + " bon  de\r\ncommande et la suite";
    const Snippet snippet = make_snippet({{TextPiece::kBody, "1", body}}, {{&word, piece_bit(TextPiece::kBody)},
                                                                           {&phrase, piece_bit(TextPiece::kBody)}});
    ASSERT_FALSE(snippet.marks.empty());
    for (const auto& [begin, end] : snippet.marks) {
      const std::string marked = snippet.text.substr(begin, end - begin);
      EXPECT_TRUE(marked == "alpha" || marked == "bon de commande") << filler << ": " << marked;
    }
    both += snippet.marks.size() == 2 ? 1 : 0;
  }
  EXPECT_GT(both, 100u);
  EXPECT_LT(both, 200u) << "the cut never came";
}

TEST_F(SearchTest, TheAnswerSaysHowCompleteItIs) {
  auto answer = ask("devis");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->index.stored, mails().size());
  EXPECT_EQ(answer->index.indexed, mails().size());
  EXPECT_EQ(answer->index.pending, 0u);
  EXPECT_GT(answer->index.complete_to, 0);
}

TEST_F(SearchTest, MistakesAreErrorsWithAdvice) {
  for (const char* query : {"form:paul", "\"open", "has:ocr", "size:1M", "date:demain", "(devis"}) {
    auto answer = ask(query);
    ASSERT_FALSE(answer) << query;
    EXPECT_EQ(answer.error().code, Code::kInvalid);
    EXPECT_NE(answer.error().what.find("column"), std::string::npos);
  }
}

}  // namespace
}  // namespace arch::search
