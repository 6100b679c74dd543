// Claim   A word is found however people write it: another case, no accents, an elision, a hyphen or none, groups of digits in any
//         spacing; by its parts too; and by nothing that is another word (issue: search, "Words"; docs/search.md, "Words" and "Numbers").
// Method  A table: the text of a mail, queries that must find it, queries that must not. Each row is a mail of one archive; it is
//         asked without widening, in its body and in its subject, then with widening, by which nothing may be lost.
// Teeth   Every row has queries that must not find it. A kind of the issue without a row fails. Every query that finds a mail has
//         to mark a piece of its body, in the mail's own spelling.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <map>
#include <set>

#include "query/index/index.h"
#include "query/search/search.h"
#include "query/text/analyser.h"

namespace arch::search {
namespace {

struct Row {
  std::string kind;
  std::string text;
  std::vector<std::string> finds, not_finds;
};

const std::vector<Row>& rows() {
  static const std::vector<Row> table = [] {
    std::vector<Row> all = {
        {"case",
         "Le DEVIS Urgent de mcDonald",
         {"devis", "DEVIS", "Devis", "urgent", "MCDONALD"},
         {"devi", "urgents", "donald"}},
        {"accents",
         "Société élevée à Orléans, où ça gêne Noël",
         {"societe", "société", "SOCIÉTÉ", "socie\u0301te\u0301", "orleans", "elevee", "noel", "gene", "ca",
          "=\"société\"", "=où"},
         {"sociét", "=societe", "=ou", "=\"ca\"", "orlean"}},
        {"accents",
         "De\u0301cision de\u0301compose\u0301e",
         {"décision", "decomposee", "DÉCOMPOSÉE", "=décision"},
         {"de\u0301cisio", "=decision"}},
        {"ligatures",
         "Le cœur de l'Œuvre, un curriculum vitæ, Straße und Größe, \ufb01nance, e\ufb04uent, Łódź, Øster, İzmir, "
         "ırmak",
         {"coeur", "cœur", "COEUR", "oeuvre", "ŒUVRE", "vitae", "vitæ", "strasse", "STRASSE", "straße", "grosse",
          "finance", "effluent", "lodz", "oster", "izmir", "irmak"},
         {"cour", "ceur", "strase", "nance", "uvre", "vita"}},
        {"full-width",
         "\uff26\uff21\uff23\uff34\uff35\uff32\uff25\u3000\uff11\uff12\uff13\uff14\uff15",
         {"facture", "12345", "\uff46\uff41\uff43\uff54\uff55\uff52\uff45", "facture 12345", "=facture"},
         {"factur", "1234", "2345"}},
        {"invisible", "dé\u00adpart ra\u200bpide \u0130stanbul", {"départ", "rapide", "istanbul"}, {"part", "pide"}},
        // Whole, and by what stands behind the apostrophe.
        {"elisions",
         "It's late, we\u2019re closed and d'accord; fin.Le reste suit",
         {"it's", "we're", "late", "accord", "d'accord", "fin", "le"},
         {"its", "were", "daccord", "finle", "\"its late\"", "its NEAR/3 closed"}},
        {"whole elisions",
         "Aujourd'hui le prud'homme est entr'ouvert",
         {"aujourd'hui", "aujourd\u2019hui", "aujourdhui", "AUJOURDHUI", "hui", "\"aujourd'hui\"", "prud'homme",
          "prudhomme", "prud\u2019homme", "homme", "entrouvert"},
         {"aujourd'huit", "\"hui aujourd\"", "prudhommes", "prud'hommie", "ujourdhui"}},
        {"whole elisions",
         "Aujourd\u2019hui le prud\u2019homme",
         {"aujourd'hui", "aujourd\u2019hui", "aujourdhui", "prud'homme", "prudhomme"},
         {"aujourd'huit", "prudhommes"}},
        {"hyphens",
         "Un porte-avions et un sous\u2011marin, Saint\u2010Malo, Paris\u2013Lyon, arc-en-ciel",
         {"porte", "avions", "porte-avions", "porteavions", "PORTE-AVIONS", "porte\u2011avions", "\"porte avions\"",
          "sous-marin", "sousmarin", "marin", "saint-malo", "saintmalo", "paris", "lyon", "arc-en-ciel", "arcenciel",
          "ciel", "porte-av*"},
         {"porte-avion", "porteavion", "\"avions porte\"", "avions-porte", "arcciel", "\"arc ciel\"", "malosaint"}},
        {"hyphens",
         "une tête-\r\nà-queue, bien-\r\nfondé",
         {"tête-à-queue", "bien-fondé", "\"bien fonde\""},
         {"queue-tete", "fonde-bien"}},
        {"addresses",
         "Écrire à jean.martin@ventes.dupont.example, ou <Marie_Claire+abo@sous.exemple-prod.example> ; "
         "mailto:x-y@z.example",
         {"jean.martin@ventes.dupont.example", "JEAN.MARTIN@VENTES.DUPONT.EXAMPLE", "@ventes.dupont.example", "jean",
          "martin", "jean.martin", "ventes", "dupont", "ventes.dupont.example", "dupont.example",
          "marie_claire+abo@sous.exemple-prod.example", "@sous.exemple-prod.example", "marie", "exemple-prod",
          "x-y@z.example", "@z.example", "claire abo"},
         {"martin@ventes.dupont.example", "jean.martin@ventes.dupont", "@ventes.dupont.exampl", "jean.marti", "jea",
          "@exemple-prod.example", "y@z.example", "\"martin jean\""}},
        {"file names",
         "Voir rapport_2024-final(v2).pdf, C:\\Users\\Paul\\Documents\\bilan été.xlsx, "
         "\\\\serveur\\partage\\contrat.docx et archive.tar.gz",
         {"rapport_2024-final(v2).pdf", "rapport", "final", "\"rapport_2024-final\"", "v2", "bilan",
          "\"bilan été.xlsx\"", "xlsx", "documents", "users\\paul", "partage", "contrat.docx", "CONTRAT.DOCX",
          "serveur\\partage", "archive.tar.gz", "tar.gz", "rapport_2024*"},
         {"rapport_2025", "contrat.doc", "contrat.docxx", "bilan.xls", "\"paul users\"", "archive.tgz"}},
        {"paths",
         "/var/log/mail.log et ~/.config/arch/archd.toml, "
         "https://www.exemple.example/chemin/page.html?id=42&lang=fr#haut",
         {"/var/log/mail.log", "var/log", "mail.log", "archd.toml", "arch/archd.toml", "~/.config/arch/archd.toml",
          "\"https://www.exemple.example/chemin/page.html\"", "www.exemple.example", "exemple.example", "page.html",
          "chemin/page.html", "chemin"},
         {"/log/var", "mail.logs", "archd.tom", "\"exemple.example/page\"", "/var/mail"}},
        {"versions",
         "Postfix 3.7.11-0+deb12u1, noyau v6.1.0-28-amd64, Xapian 1.4.22, OpenSSL 3.0.15-1~deb12u1",
         {"3.7.11", "1.4.22", "v6.1.0", "v6.1.0-28-amd64", "deb12u1", "\"postfix 3.7.11\"", "6.1.0-28 OR v6.1.0-28",
          "amd64", "3.0.15-1"},
         {"3.7.1", "3.7.12", "1.4.2", "3711", "1422", "11.7.3", "4.22.1"}},
        {"reference numbers",
         "Facture FA-2024-00123 jointe",
         {"FA-2024-00123", "fa-2024-00123", "fa202400123", "FA202400123", "FA 2024 00123", "\"FA 2024 00123\"",
          "2024-00123", "00123", "FA-2024", "fa/2024/00123", "fa_2024_00123", "FA-2024*", "FA-2024-001*"},
         {"FA-2024-00124", "FA-2024-0012", "fa20240012", "00124", "2024-00124", "A-2024-00123", "\"2024 FA\"",
          "FA-2025*"}},
        {"reference numbers",
         "Facture FA202400123 jointe",
         {"FA-2024-00123", "fa202400123", "FA/2024/00123"},
         {"FA-2024-0012", "2024-00123", "00123"}},
        {"reference numbers",
         "Facture FA 2024 00123 jointe",
         {"FA-2024-00123", "\"fa 2024 00123\"", "00123"},
         {"FA-2024-00124", "FA-00123"}},
        {"reference numbers",
         "Commande BC/FA-2024-00123/B",
         {"FA-2024-00123", "BC/FA-2024-00123/B", "00123"},
         {"FA-2024-00123-C", "BC-2024"}},
        {"reference numbers",
         "Dossier n°2024/B-17, lot#12, réf:AZ12",
         {"2024/B-17", "2024-b-17", "2024b17", "lot", "AZ12"},
         {"2024/B-18", "B-2024", "AZ1"}},
        {"dates",
         "Le 12/05/2024, le 3 mars 2024, le 2024-06-30 à 14:30 et le 1er juin",
         {"12/05/2024", "12.05.2024", "12-05-2024", "12052024", "\"3 mars 2024\"", "2024-06-30", "2024/06/30",
          "20240630", "14:30", "\"1er juin\""},
         {"05/12/2024", "12/05/2025", "2024-06-3", "\"mars 3\"", "13/05/2024", "30:14"}},
        {"Arabic",
         "أحمد إلى الإدارة فاتورة مُحَمَّد كـــتاب مدرسة على ١٢٣",
         {"احمد", "أحمد", "إحمد", "الادارة", "الإداره", "محمد", "مُحَمَّد", "كتاب", "كـتاب", "مدرسه", "مدرسة", "علي",
          "123", "١٢٣"},
         {"حمد", "كتب", "ادارة", "124", "محمود"}},
        {"CJK",
         "東京都の請求書を送りました。 한국어 문서 ﾃｽﾄ",
         {"東京", "東京都", "請求書", "請求", "送り", "한국어", "한국", "\"東京都の請求書\"", "テスト", "東"},
         {"京東", "都請求", "求請", "어국", "\"請求書東京\"", "西京"}},
        {"Cyrillic",
         "Счёт-фактура №42 от ООО «Ёлка», Київ",
         {"счет", "СЧЁТ", "счет-фактура", "фактура", "елка", "Ёлка", "счетфактура", "київ"},
         {"сче", "счета", "лка", "елки"}},
        {"Greek", "Τιμολόγιο Αθήνας", {"τιμολογιο", "ΤΙΜΟΛΌΓΙΟ", "αθηνασ", "ΑΘΗΝΑΣ"}, {"τιμολογι", "αθηνα"}},
        {"mixed scripts",
         "Réf東京2024 devis見積 Invoiceсчёт ΩΩ12 modèleX-日本語版",
         {"東京", "見積", "devis", "devis見積", "réf東京2024", "invoiceсчет", "ωω12", "日本語版", "modèleX"},
         {"京東", "積見", "\"見積devis\"", "invoice", "ωω1", "modele"}},
        {"IBAN",
         "Notre IBAN: FR76 3000 6000 0112 3456 7890 189, merci",
         {"FR76 3000 6000 0112 3456 7890 189", "FR7630006000011234567890189", "fr7630006000011234567890189",
          "FR76-3000-6000-0112-3456-7890-189", "FR76", "\"3456 7890\"",
          "FR76\u00a03000\u00a06000\u00a00112\u00a03456\u00a07890\u00a0189", "FR763000*"},
         {"FR7630006000011234567890188", "FR76 3000 6000 0112 3456 7890 188", "FR763000600001123456789",
          "7630006000011234567890189", "merci189"}},
        {"IBAN",
         "virement sur FR7630006000011234567890189.",
         {"FR76 3000 6000 0112 3456 7890 189", "FR7630006000011234567890189", "FR76-3000-6000-0112-3456-7890-189"},
         {"FR76 3000 6000 0112 3456 7890 188", "FR76", "3000"}},
        {"IBAN",
         "IBAN BE68 5390 0754 7034 avec BIC GKCCBEBB, puis GB29 NWBK 6016 1331 9268 19 2024",
         {"BE68539007547034", "BE68 5390 0754 7034", "GB29NWBK60161331926819", "GB29 NWBK 6016 1331 9268 19"},
         {"BE68539007547034avec", "BE68539007547035", "GB29NWBK60161331926818", "BE68 5390 0754 7035"}},
        {"IBAN",
         "FR76\u202f3000\u202f6000\u202f0112\u202f3456\u202f7890\u202f189",
         {"FR7630006000011234567890189", "FR76 3000 6000 0112 3456 7890 189"},
         {"FR7630006000011234567890180"}},
        {"SIRET",
         "SIRET 732 829 320 00074, TVA FR40 732 829 320",
         {"732 829 320 00074", "73282932000074", "732829320", "732 829 320", "732-829-320-00074", "732.829.320.00074",
          "00074"},
         {"732 829 320 00075", "73282932000075", "7328293200007", "\"829 732\"", "832829320"}},
        {"SIRET",
         "Siret: 73282932000074",
         {"732 829 320 00074", "73282932000074", "732\u00a0829\u00a0320\u00a000074", "7328293*"},
         {"732 829 320 00075", "732829320", "829"}},
        {"French telephones",
         "Tél. 01 23 45 67 89 (bureau)",
         {"01 23 45 67 89", "0123456789", "01.23.45.67.89", "01-23-45-67-89", "01\u00a023\u00a045\u00a067\u00a089",
          "+33 1 23 45 67 89", "+33123456789", "+33 (0)1 23 45 67 89", "0033 1 23 45 67 89", "0033123456789",
          "\"01 23 45 67 89\"", "bureau 01 23 45 67 89"},
         {"01 23 45 67 88", "0123456788", "\"23 01 67 45 89\"", "+33 1 23 45 67 88", "0223456789",
          "+34 1 23 45 67 89", "12345678"}},
        {"French telephones",
         "Tel 0123456789.",
         {"01 23 45 67 89", "0123456789", "01.23.45.67.89", "+33 1 23 45 67 89", "+33123456789"},
         {"01 23 45 67 88", "123456789"}},
        {"French telephones",
         "Tel 01.23.45.67.89",
         {"01 23 45 67 89", "0123456789", "01-23-45-67-89", "+33123456789"},
         {"01 23 45 67 88", "0123456788"}},
        {"French telephones",
         "Tel +33 1 23 45 67 89 2024 et +33 (0)6.11.22.33.44",
         {"01 23 45 67 89", "0123456789", "+33 1 23 45 67 89", "+33123456789", "0033123456789", "06 11 22 33 44",
          "0611223344", "+33 6 11 22 33 44", "+33611223344"},
         {"01 23 45 67 88", "0611223345", "+33 6 11 22 33 45", "06 23 45 67 89"}},
        {"French telephones",
         "Tel +33123456789",
         {"01 23 45 67 89", "0123456789", "+33 1 23 45 67 89", "33123456789"},
         {"01 23 45 67 88", "23"}},
        {"French telephones",
         "Tel 0033 123456789 ou 01 2345 6789",
         {"01 23 45 67 89", "0123456789", "+33 1 23 45 67 89"},
         {"01 23 45 67 88"}},
        {"international telephones",
         "Call +44 20 7946 0958 or +1 (555) 123-4567, Büro +49 30 12345678",
         {"+44 20 7946 0958", "+442079460958", "442079460958", "0044 20 7946 0958", "+44 2079 460958",
          "+1 555 123 4567", "+15551234567", "+1 (555) 123-4567", "+49 30 1234 5678", "+493012345678",
          "\"7946 0958\""},
         {"+44 20 7946 0959", "+442079460959", "+1 555 123 4568", "+49 30 1234 5679", "2079460958"}},
        {"amounts",
         "Total: 1 234,56 € TTC",
         {"1 234,56 €", "1 234,56", "1234,56", "1234.56", "1.234,56", "1,234.56", "1234,56€", "1\u00a0234,56",
          "1\u202f234,56 €", "1234", "234,56"},
         {"1 234,57", "1234,57", "1235,56", "12345,6", "234,57", "11 234,56", "2 234,56 €", "123456"}},
        {"amounts",
         "Total: 1234,56 € TTC",
         {"1 234,56 €", "1234,56", "1234.56", "1.234,56", "1 234.56"},
         {"1 234,57 €", "12 34,56", "11 234,56"}},
        {"amounts", "Total: $1,234.56", {"1 234,56 €", "1234,56", "1234.56", "1,234.56"}, {"1 234,57", "1234.5"}},
        {"amounts",
         "Total: 1\u202f234\u202f567,80 €",
         {"1 234 567,80", "1234567,80", "1234567.80", "1.234.567,80", "1234567"},
         {"234 567,81", "1234567,81"}},
        {"amounts",
         "Soit 12 500 euros, ou 12.500,00",
         {"12 500", "12500", "12 500 euros", "12500,00", "12.500"},
         {"12 501", "12501", "1250"}},
    };
    // Each elision with either apostrophe.
    for (const char* elided :
         {"l", "d", "j", "n", "s", "t", "c", "m", "qu", "jusqu", "lorsqu", "puisqu", "quoiqu", "presqu"})
      for (const char* apostrophe : {"'", "\u2019"}) {
        const std::string word = std::string("avenir") + elided;  // in no other row
        const auto with = [&](const char* sign) { return elided + std::string(sign) + word; };
        std::string upper = with(apostrophe);
        upper[0] = static_cast<char>(upper[0] - 'a' + 'A');
        all.push_back({std::string("elision ") + elided,
                       "Voici: " + (apostrophe[0] == '\'' ? upper : with(apostrophe)) + " ici",
                       {word, with("'"), with("\u2019"), "\"" + with("'") + "\"", "\"" + with("\u2019") + " ici\"",
                        word.substr(0, 7) + "*"},
                       {elided + word, word + "s", "x" + word, "\"" + word + " " + elided + "\""}});
      }
    return all;
  }();
  return table;
}

class Words : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::string pattern = testing::TempDir() + "words-test-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root() = pattern;
    ASSERT_TRUE(Archive::init(Fs::real(), root() + "/a", Clock::system().now()));
    auto engine = Archive::open(Fs::real(), Clock::system(), root() + "/a", Archive::Mode::kEngine);
    ASSERT_TRUE(engine) << describe(engine.error());
    for (size_t i = 0; i < rows().size(); ++i)
      for (bool subject : {false, true}) {
        std::string line = rows()[i].text;
        for (char& c : line)
          if (subject && (c == '\r' || c == '\n')) c = ' ';
        const std::string number = std::to_string(i);
        const std::string mail =
            "From: <a@quelquun.example>\r\nTo: <b@quelquun.example>\r\nSubject: " + (subject ? line : "zzz") +
            "\r\nDate: Mon, 04 Mar 2024 10:00:00 +0100\r\nMessage-ID: <w" + number + (subject ? "s" : "b") +
            "@quelquun.example>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + (subject ? "zzz" : line) +
            "\r\n";
        (subject ? subjects() : bodies())[Sha256::of(as_bytes(mail)).hex()] = i;
        Delivery delivery;
        delivery.captured = Clock::system().now();
        ASSERT_TRUE((*engine)->append_staged(delivery, mail));
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
  // digest -> row
  static std::map<std::string, size_t>& bodies() {
    static std::map<std::string, size_t> table;
    return table;
  }
  static std::map<std::string, size_t>& subjects() {
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

  struct Found {
    std::set<size_t> bodies, subjects;
    std::map<size_t, Snippet> snippets;  // of bodies
  };
  Found ask(const std::string& query, bool widen, bool snippets = false) {
    Request request;
    request.query = query;
    request.widen = widen;
    request.snippets = snippets;
    request.limit = 10'000;
    request.context.now = 1'720'000'000ll * kNsPerSecond;
    auto answer = searcher_->search(request);
    EXPECT_TRUE(answer) << query << ": " << describe(answer.error());
    Found out;
    if (!answer) return out;
    for (const Hit& hit : answer->hits) {
      const std::string digest = hit.message.digest.hex();
      if (auto row = bodies().find(digest); row != bodies().end()) {
        out.bodies.insert(row->second);
        out.snippets[row->second] = hit.snippet;
      } else {
        out.subjects.insert(subjects().at(digest));
      }
    }
    return out;
  }

  std::unique_ptr<Archive> archive_;
  std::unique_ptr<Searcher> searcher_;
};

TEST_F(Words, AreFoundAsPeopleWriteThemAndNotByOthers) {
  size_t asked = 0;
  for (size_t i = 0; i < rows().size(); ++i) {
    const Row& row = rows()[i];
    ASSERT_FALSE(row.finds.empty());
    ASSERT_FALSE(row.not_finds.empty());
    const std::string which = row.kind + ": \"" + row.text + "\"";
    for (const std::string& query : row.finds) {
      ++asked;
      const Found found = ask(query, false);
      EXPECT_TRUE(found.bodies.count(i)) << which << " is not found by " << query;
      EXPECT_TRUE(found.subjects.count(i)) << which << " as a subject is not found by " << query;
      EXPECT_TRUE(ask(query, true).bodies.count(i)) << which << " is lost by widening " << query;
    }
    for (const std::string& query : row.not_finds) {
      ++asked;
      const Found found = ask(query, false);
      EXPECT_FALSE(found.bodies.count(i)) << which << " is found by " << query;
      EXPECT_FALSE(found.subjects.count(i)) << which << " as a subject is found by " << query;
    }
  }
  std::printf("%zu rows, %zu queries\n", rows().size(), asked);
}

TEST_F(Words, BehindAFieldAreTheSameWords) {
  for (size_t i = 0; i < rows().size(); ++i)
    for (const std::string& query : rows()[i].finds) {
      const std::string which = rows()[i].kind + ": \"" + rows()[i].text + "\" is not found by ";
      EXPECT_TRUE(ask("body:(" + query + ")", false).bodies.count(i)) << which << "body:(" << query << ")";
      EXPECT_TRUE(ask("subject:(" + query + ")", false).subjects.count(i)) << which << "subject:(" << query << ")";
    }
  // The text decides here, and must not find more than the index would.
  for (size_t i = 0; i < rows().size(); ++i)
    for (const std::string& query : rows()[i].not_finds)
      EXPECT_FALSE(ask("body:(" + query + ")", false).bodies.count(i))
          << rows()[i].kind << ": \"" << rows()[i].text << "\" is found by body:(" << query << ")";
}

TEST_F(Words, AreMarkedInTheMailsOwnSpelling) {
  for (size_t i = 0; i < rows().size(); ++i) {
    const Row& row = rows()[i];
    for (const std::string& query : row.finds) {
      const Found found = ask(query, false, true);
      if (!found.bodies.count(i)) continue;  // the first test tells
      const Snippet& snippet = found.snippets.at(i);
      EXPECT_EQ(snippet.where, "body") << query;
      EXPECT_FALSE(snippet.marks.empty())
          << row.kind << ": " << query << " marks nothing in \"" << snippet.text << "\"";
      for (const auto& [begin, end] : snippet.marks) {
        ASSERT_LT(begin, end);
        ASSERT_LE(end, snippet.text.size());
        const std::string marked = snippet.text.substr(begin, end - begin);
        std::string flat = row.text;  // blanks and line ends are one blank in a snippet
        for (size_t at; (at = flat.find("\r\n")) != std::string::npos;) flat.replace(at, 2, " ");
        EXPECT_NE(flat.find(marked), std::string::npos)
            << query << " marks \"" << marked << "\", which is not the mail's spelling";
      }
    }
  }
}

TEST_F(Words, EveryKindOfTheIssueHasARow) {
  std::set<std::string> kinds;
  for (const Row& row : rows()) kinds.insert(row.kind);
  for (const char* kind : {"case",
                           "accents",
                           "ligatures",
                           "full-width",
                           "whole elisions",
                           "hyphens",
                           "addresses",
                           "file names",
                           "paths",
                           "versions",
                           "reference numbers",
                           "IBAN",
                           "SIRET",
                           "French telephones",
                           "international telephones",
                           "amounts",
                           "dates",
                           "Arabic",
                           "CJK",
                           "Cyrillic",
                           "mixed scripts",
                           "elision l",
                           "elision d",
                           "elision j",
                           "elision n",
                           "elision s",
                           "elision t",
                           "elision c",
                           "elision m",
                           "elision qu",
                           "elision jusqu",
                           "elision lorsqu",
                           "elision puisqu",
                           "elision quoiqu",
                           "elision presqu"})
    EXPECT_EQ(kinds.count(kind), 1u) << kind;
}

}  // namespace
}  // namespace arch::search
