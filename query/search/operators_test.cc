// Claim   What a mail's header and form say is found: lists, tags, languages, further fields, inline images, signatures, links,
//         hidden recipients, stored variants; words near each other; mail to the aliases of a mailbox; and a slip of the pen is
//         answered with the word that was probably meant, never silently.
// Method  A temporary archive of mails made here, each for one operator, applied and indexed as the engine does.
// Teeth   Each query names its whole answer.
#include <gtest/gtest.h>

#include "engine/archive_test_support.h"
#include "query/index/index.h"
#include "query/search/search.h"

namespace arch::search {
namespace {

using Names = std::vector<std::string>;

constexpr const char* kFrench =
    "Bonjour, nous vous confirmons la livraison de votre commande avant la fin de la semaine prochaine, sauf "
    "imprévu.";
constexpr const char* kEnglish =
    "Hello, we would like to confirm that your order will be delivered before the end of next week, as agreed "
    "before.";

class OperatorsTest : public archive_test::ArchiveFixture {
 protected:
  void SetUp() override {
    ArchiveFixture::SetUp();
    const std::string plain = "Content-Type: text/plain; charset=utf-8\r\n\r\n";
    add("liste", "List-Id: Les développeurs <dev.lists.maison.example>\r\n" + plain + "Message de la liste.",
        {"paul@maison.example"});
    add("taguee", "X-Keywords: À faire, urgent\r\nX-Gmail-Labels: Clients/Dupont\r\n" + plain + "Avec des marques.");
    add("francais", plain + kFrench);
    add("anglais", plain + kEnglish);
    add("service", "X-Run-Id: nightly-4711 done\r\n" + plain + "ok");
    add("image", multipart("related", "<p>voir <img src=\"cid:a\"></p>", "image/png", "Content-ID: <a>\r\n"));
    add("signe",
        multipart("signed; protocol=\"application/pgp-signature\"", "signé", "application/pgp-signature", ""));
    add("lien", plain + "Voir https://maison.example/page pour la suite.");
    add("lien-html", "Content-Type: text/html; charset=utf-8\r\n\r\n<a href=\"https://maison.example/\">ici</a>");
    add("image-distante",
        "Content-Type: text/html; charset=utf-8\r\n\r\n<img src=\"https://maison.example/p.gif\">rien");
    add("cache", plain + "Copie cachée.", {"client@ailleurs.example", "secret@maison.example"});
    add("alias", plain + "À un alias.", {"orders@maison.example"});
    add("direct", plain + "À la boîte.", {"commandes@maison.example"});
    add("pres", plain + "La résiliation anticipée du bail est possible.");
    add("loin",
        plain + "La résiliation est une chose, dont on parle ici longuement avant de parler du tout du bail.");
    add("variante", plain + "Deux fois la même.");
    add("variante", plain + "Deux fois la même.", {},
        "Received: by mx.maison.example; Wed, 25 Nov 2026 10:00:00 +0000\r\n");
    index::Options options;
    options.headers = {"x-run-id"};
    auto writer = index::IndexWriter::open(*archive_, options);
    ASSERT_TRUE(writer) << describe(writer.error());
    ASSERT_TRUE((*writer)->follow({}, {}));
    ASSERT_TRUE((*writer)->close());
    auto searcher = Searcher::open(*archive_);
    ASSERT_TRUE(searcher) << describe(searcher.error());
    searcher_ = std::move(*searcher);
  }

  static std::string multipart(const std::string& type, const std::string& text, const std::string& other,
                               const std::string& fields) {
    return "MIME-Version: 1.0\r\nContent-Type: multipart/" + type +
           "; boundary=b\r\n\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + text +
           "\r\n--b\r\nContent-Type: " + other + "\r\n" + fields + "\r\nxxxx\r\n--b--\r\n";
  }

  void add(const std::string& name, const std::string& rest, std::vector<std::string> rcpt = {},
           const std::string& trace = {}) {
    const std::string message =
        trace + "From: zoe@maison.example\r\nTo: client@ailleurs.example\r\nSubject: " + name +
        "\r\nDate: Wed, 25 Nov 2026 10:00:00 +0000\r\nMessage-ID: <" + name + "@maison.example>\r\n" + rest + "\r\n";
    Delivery delivery;
    delivery.has_mail_from = true;
    for (std::string& address : rcpt) delivery.rcpt.push_back({std::move(address), "", ""});
    append(std::move(delivery), message);
    apply();
  }

  Answer ask(const std::string& query, bool widen = false, const Aliases* aliases = nullptr) {
    Request request;
    request.query = query;
    request.widen = widen;
    request.limit = 100;
    request.aliases = aliases;
    auto answer = searcher_->search(request);
    EXPECT_TRUE(answer) << query << ": " << describe(answer.error());
    return answer ? *answer : Answer{};
  }
  Names names(const std::string& query, bool widen = false, const Aliases* aliases = nullptr) {
    Names out;
    for (const Hit& hit : ask(query, widen, aliases).hits) out.push_back(hit.message.subject);
    std::sort(out.begin(), out.end());
    return out;
  }

  std::unique_ptr<Searcher> searcher_;
};

TEST_F(OperatorsTest, EachFindsItsMailsAndNoOther) {
  const std::pair<const char*, Names> table[] = {
      {"list:dev", {"liste"}},
      {"list:dev.lists.maison.example", {"liste"}},
      {"liste:lists", {"liste"}},
      {"list:\"dev lists\"", {"liste"}},
      {"list:autre", {}},
      {"tag:urgent", {"taguee"}},
      {"tag:\"à faire\"", {"taguee"}},
      {"tag:faire", {"taguee"}},
      {"tag:dupont", {"taguee"}},
      {"tag:liste", {}},
      {"lang:fr subject:francais", {"francais"}},
      {"lang:anglais", {"anglais"}},
      {"lang:de", {}},
      {"header:x-run-id", {"service"}},
      {"header:x-run-id=4711", {"service"}},
      {"header:x-run-id=nightly-4711", {"service"}},
      {"header:\"x-run-id=done nightly\"", {"service"}},
      {"header:x-run-id=4712", {}},
      {"has:inline", {"image"}},
      {"has:signature", {"signe"}},
      {"has:link", {"lien", "lien-html"}},
      {"has:bcc", {"cache"}},
      {"has:variant", {"variante"}},
      {"résiliation NEAR/3 bail", {"pres"}},
      {"bail NEAR/3 resiliation", {"pres"}},
      {"résiliation NEAR/2 bail", {}},
      {"résiliation NEAR/50 bail", {"loin", "pres"}},
      {"\"la résiliation\" NEAR/3 \"du bail\"", {"pres"}},
      {"subject:(pres NEAR/5 loin)", {}},
      {"(résiliation NEAR/3 bail) OR list:dev", {"liste", "pres"}},
      {"bail -(résiliation NEAR/3 bail)", {"loin"}},
  };
  for (const auto& [query, expected] : table) EXPECT_EQ(names(query), expected) << query;
}

TEST_F(OperatorsTest, AFieldThatIsNotIndexedIsSaid) {
  Answer answer = ask("header:x-other=1");
  ASSERT_EQ(answer.notices.size(), 1u);
  EXPECT_NE(answer.notices[0].text.find("index.headers"), std::string::npos);
}

TEST_F(OperatorsTest, AliasesOfAMailboxJoin) {
  Aliases aliases;
  aliases.add("orders@maison.example commandes@maison.example\nachats@maison.example orders@maison.example\n");
  EXPECT_EQ(names("rcpt:commandes@maison.example", true, &aliases), Names({"alias", "direct"}));
  EXPECT_EQ(names("rcpt:commandes@", true, &aliases), Names({"alias", "direct"}));
  EXPECT_EQ(names("to:commandes", true, &aliases), Names({"alias", "direct"}));
  EXPECT_EQ(names("rcpt:orders@maison.example", true, &aliases), Names({"alias"})) << "an alias is not its mailbox";
  EXPECT_EQ(names("rcpt:commandes@maison.example", false, &aliases), Names({"direct"}))
      << "not unless words are widened";
  EXPECT_EQ(names("from:zoe@maison.example alias", true, &aliases), Names({"alias"}));
  Answer answer = ask("rcpt:commandes@maison.example", true, &aliases);
  ASSERT_EQ(answer.notices.size(), 1u);
  EXPECT_NE(answer.notices[0].text.find("achats@maison.example, orders@maison.example"), std::string::npos)
      << answer.notices[0].text;
}

TEST_F(OperatorsTest, ASlipIsAnsweredWithTheWordThatWasMeant) {
  const std::pair<const char*, const char*> slips[] = {
      {"comande", "commande"},
      {"livriason prochaine", "livraison prochaine"},
      {"été resiliaton", ""},               // été is there in no mail and too short to guess
      {"objet:fracais", "objet:francais"},  // the word, not the operator
      {"zoologique", ""},
      {"commande", ""},
      {"-comande liste", ""},  // what is left out may be missing
      {"ocmmande", "commande"},
  };
  for (const auto& [query, better] : slips) {
    Answer answer = ask(query);
    if (std::string(query).rfind("été", 0) == 0) {
      EXPECT_EQ(answer.did_you_mean, "été resiliation");
      continue;
    }
    EXPECT_EQ(answer.did_you_mean, better) << query;
    EXPECT_EQ(answer.total == 0 || answer.did_you_mean.empty(), true) << query;
  }
}

}  // namespace
}  // namespace arch::search
