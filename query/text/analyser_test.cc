// Claim   Indexing and asking cut words by the same rules: what a person may write in two ways is found by both, and a
//         plain word never finds a text that does not hold it.
// Method  Tables of texts with their words, joined terms and askings; truncation and malformed UTF-8 at their limits.
// Teeth   Each table row names exact terms; the "finds" table has as many rows that must not match as rows that must.
#include "query/text/analyser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <thread>

namespace arch::text {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out;
  for (const Token& token : tokens(text)) out.push_back(token.term);
  return out;
}

std::vector<std::string> joined(std::string_view text) {
  std::vector<std::string> out;
  index_terms(text, [&](std::string_view term) {
    if (term[0] == '=' || term.find('@') != std::string_view::npos) out.emplace_back(term);
  });
  return out;
}

// Whether the asking, written by the rules of Ask, finds the text: what query/search does with index and text.
bool finds(std::string_view asked, std::string_view text) {
  std::set<std::string> terms;
  index_terms(text, [&](std::string_view term) { terms.emplace(term); });
  Ask ask = text::ask(asked);
  for (const std::string& whole : ask.whole)
    if (terms.count(whole) != 0) return true;
  if (ask.only_whole || ask.words.empty()) return false;
  for (const std::string& required : ask.required)
    if (terms.count(required) == 0) return false;
  std::vector<std::string> in_text = words(text);
  return std::search(in_text.begin(), in_text.end(), ask.words.begin(), ask.words.end()) != in_text.end();
}

TEST(Words, AreRunsOfLettersAndDigits) {
  EXPECT_THAT(words("La facture n°12, payée_hier (bc24)."),
              ElementsAre("la", "facture", "n", "12", "payee", "hier", "bc24"));
  EXPECT_THAT(words(""), IsEmpty());
  EXPECT_THAT(words(" -- … «»"), IsEmpty());
  EXPECT_THAT(words("x"), ElementsAre("x"));
}

TEST(Words, FoldCaseAccentsAndLigatures) {
  EXPECT_THAT(words("ÉLECTRICITÉ Noël BŒUF cœur Ægir Straße ﬁn oﬀre"),
              ElementsAre("electricite", "noel", "boeuf", "coeur", "aegir", "strasse", "fin", "offre"));
  EXPECT_THAT(words("e\u0301lan NOE\u0308L"), ElementsAre("elan", "noel"));  // decomposed, as some systems write
  EXPECT_THAT(words("ＦＵＬＬ ｗｉｄｔｈ １２"), ElementsAre("full", "width", "12"));
  EXPECT_THAT(words("Łódź Søren Đorđe ıstanbul İzmir"), ElementsAre("lodz", "soren", "dorde", "istanbul", "izmir"));
  EXPECT_THAT(words("10 m² nº 5"), ElementsAre("10", "m2", "no", "5"));
  EXPECT_THAT(words("1½ ⑴"), ElementsAre("1"));
}

TEST(Words, ElisionGivesTheWordBehindIt) {
  EXPECT_THAT(words("l'avenant d’Oléron QU'IL aujourd'hui"),
              ElementsAre("l", "avenant", "d", "oleron", "qu", "il", "aujourd", "hui"));
}

TEST(Words, SoftHyphensAndZeroWidthCharactersVanish) {
  EXPECT_THAT(words("fac\u00adture so\u200bci\u200d\u2060été \ufeffdébut\u200b fin\u00ad"),
              ElementsAre("facture", "societe", "debut", "fin"));
}

TEST(Words, OtherScripts) {
  EXPECT_THAT(words("Счёт № 5 ОПЛАЧЕН"), ElementsAre("счет", "5", "оплачен"));
  EXPECT_THAT(words("ΟΔΟΣ οδός"), ElementsAre("οδοσ", "οδοσ"));
  // Harakat and tatweel go; forms of alef, yeh and teh marbuta are one; Arabic digits are digits.
  EXPECT_THAT(words("فَاتُورَة أحمد إحمد ٱحمد آحمد محـــمد على ٢٠٢٤"),
              ElementsAre("فاتوره", "احمد", "احمد", "احمد", "احمد", "محمد", "علي", "2024"));
}

TEST(Words, CharactersWithoutSpacesAreAWordEach) {
  EXPECT_THAT(words("請求書2024号"), ElementsAre("請", "求", "書", "2024", "号"));
  EXPECT_THAT(words("Tokyo東京駅ABC"), ElementsAre("tokyo", "東", "京", "駅", "abc"));
  EXPECT_THAT(words("ガ ｶﾞ か\u3099"), ElementsAre("カ", "カ", "か"));
  EXPECT_THAT(words("한국"), ElementsAre("한", "국"));
  EXPECT_THAT(words("\u1112\u1161\u11ab\u1100\u116e\u11a8"), ElementsAre("한", "국"));  // the same, decomposed
  std::vector<std::string> terms;
  index_terms("請求書", [&](std::string_view term) { terms.emplace_back(term); });
  EXPECT_THAT(terms, ElementsAre("請", "求", "請求", "書", "求書"));
  terms.clear();
  index_terms("請 求", [&](std::string_view term) { terms.emplace_back(term); });
  EXPECT_THAT(terms, ElementsAre("請", "求"));
}

TEST(Words, SayWhereTheyStand) {
  std::string text = "d'É\u00adté e\u0301";
  std::vector<Token> found = tokens(text);
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(text.substr(found[0].begin, found[0].end - found[0].begin), "d");
  EXPECT_EQ(text.substr(found[1].begin, found[1].end - found[1].begin), "É\u00adté");
  EXPECT_EQ(text.substr(found[2].begin, found[2].end - found[2].begin), "e\u0301");
}

TEST(Words, AreCutAtTheirLimitOnACharacter) {
  for (size_t size : {kWordBytes - 1, kWordBytes, kWordBytes + 1, kWordBytes * 1000}) {
    std::string text(size, 'x');
    ASSERT_THAT(words(text), ElementsAre(std::string(std::min(size, kWordBytes), 'x')));
    ASSERT_EQ(tokens(text)[0].end, size);
  }
  std::string cyrillic = "x";
  for (int i = 0; i < 40; ++i) cyrillic += "ж";
  EXPECT_EQ(words(cyrillic)[0].size(), 63u);
  // Nothing behind the cut is taken up again, though it would fit.
  EXPECT_THAT(words(cyrillic + "yz"), ElementsAre(words(cyrillic)[0]));
}

TEST(Words, MalformedUtf8Separates) {
  EXPECT_THAT(words("ab\xff"
                    "cd\xc3"),
              ElementsAre("ab", "cd"));
  EXPECT_THAT(words("é\xc3("), ElementsAre("e"));
  EXPECT_THAT(words("\xed\xa0\x80x\xf5\x80\x80\x80y\xc0\xaf"), ElementsAre("x", "y"));
  EXPECT_THAT(words(std::string_view("a\0b", 3)), ElementsAre("a", "b"));
}

TEST(Words, RandomBytesNeverBreakTheScanner) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::string text(random() % 200, '\0');
    for (char& c : text) {
      uint32_t r = random();
      c = static_cast<char>((r & 3) == 0 ? "\xe2\x80\x99-.@ '=\xc3\xe3"[r % 12] : r >> 8);
    }
    size_t last = 0;
    for (const Token& token : tokens(text)) {
      ASSERT_LE(last, token.begin);
      ASSERT_LT(token.begin, token.end);
      ASSERT_LE(token.end, text.size());
      ASSERT_FALSE(token.term.empty());
      ASSERT_LE(token.term.size(), kWordBytes);
      last = token.end;
    }
    index_terms(text, [](std::string_view term) { ASSERT_LE(term.size(), kAddressBytes); });
    ask(text);
    fold(text);
  }
}

TEST(Words, SeveralThreadsFillTheTableAtOnce) {
  std::vector<std::thread> threads;
  std::vector<std::vector<std::string>> found(4);
  for (auto& out : found) threads.emplace_back([&out] { out = words("ԱՐԵՎ ᏣᎳᎩ ΆΛΦΑ हिन्दी"); });
  for (auto& thread : threads) thread.join();
  for (auto& out : found) EXPECT_EQ(out, found[0]);
  EXPECT_EQ(found[0].size(), 4u);
}

TEST(Joined, CompoundsGiveOneTerm) {
  EXPECT_THAT(joined("FA-2024-00123"), ElementsAre("=fa202400123"));
  EXPECT_THAT(joined("le porte-avions, l'e-mail"), ElementsAre("=porteavions", "=email"));
  EXPECT_THAT(joined("aujourd'hui prud’homme O'Brien"), ElementsAre("=aujourdhui", "=prudhomme", "=obrien"));
  EXPECT_THAT(joined("83921/40557-C FR-2025/000987"), ElementsAre("=8392140557c", "=fr2025000987"));
  EXPECT_THAT(joined("12/05/2024 01.23.45.67.89"), ElementsAre("=12052024", "=0123456789"));
  EXPECT_THAT(joined("S.A.R.L. R&D"), ElementsAre("=sarl", "=rd"));
}

TEST(Joined, NumbersHaveOneFormInAllCountries) {
  EXPECT_THAT(joined("12.500,00"), ElementsAre("=12500", "=12500,00"));
  EXPECT_THAT(joined("12,500.00"), ElementsAre("=12500", "=12500,00"));
  EXPECT_THAT(joined("12\u202f500,00"), ElementsAre("=12500", "=12500,00"));
  EXPECT_THAT(joined("12\u00a0500"), ElementsAre("=12500"));
  EXPECT_THAT(joined("1 234 567"), ElementsAre("=1234567"));
  EXPECT_THAT(joined("12 500,00 EUR"), ElementsAre("=12500", "=12500,00"));
  EXPECT_THAT(joined("1 234.56 1 300,00"), ElementsAre("=1234", "=1234,56", "=1300", "=1300,00"));
  EXPECT_THAT(joined("12 50 le 3 mars 2024 123 fois"), IsEmpty());
  EXPECT_THAT(joined("1284,50"), ElementsAre("=1284,50"));
}

TEST(Joined, NumbersInGroupsAreWrittenTogether) {
  EXPECT_THAT(joined("Tél. 01 23 45 67 89, fax"), ElementsAre("=0123456789", "=0123456789"));
  EXPECT_THAT(joined("du 12 01 23 45 67 89 2024"), Contains("=0123456789"));
  EXPECT_THAT(joined("+33 1 23 45 67 89"), ElementsAre("=0123456789", "=33123456789", "=33123456789"));
  EXPECT_THAT(joined("0033 1 23 45 67 89 12"), Contains("=0123456789"));
  EXPECT_THAT(joined("+33 (0)1 23 45 67 89"), Contains("=33123456789"));
  EXPECT_THAT(joined("+33123456789"), Contains("=0123456789"));
  EXPECT_THAT(joined("33123456789 1+33123456789"), Not(Contains("=0123456789")));  // no sign of its own in front
  EXPECT_THAT(joined("+44 20 7946 0958"), ElementsAre("=442079460958"));
  EXPECT_THAT(joined("+1 (555) 123-4567"), Contains("=15551234567"));
  EXPECT_THAT(joined("732 829 320 00074"), AllOf(Contains("=73282932000074"), Contains("=732829320")));
  EXPECT_THAT(joined("012 345 678 00012"), AllOf(Contains("=01234567800012"), Contains("=012345678")));
  EXPECT_THAT(joined("FR76 3000 6000 0112 3456 7890 189 merci"), ElementsAre("=fr7630006000011234567890189"));
  EXPECT_THAT(joined("GB29 NWBK 6016 1331 9268 19"), Contains("=gb29nwbk60161331926819"));
  EXPECT_THAT(joined("BE68 5390 0754 7034 avec 2024"),
              Contains("=be68539007547034"));  // its check digits say where it ends
  EXPECT_THAT(joined("AB12 this word will not do"), IsEmpty());
  EXPECT_THAT(joined("01 23\r\n45 67 89"), IsEmpty()) << "another line is another number";
  EXPECT_THAT(joined("2023 ou 2024  2025, 12:30 14:30, 2023 2024 2025"), IsEmpty());
  EXPECT_THAT(joined("1 2 3 4 5 6 7 8 9"), IsEmpty());
  std::string endless;
  for (int i = 0; i < 10'000; ++i) endless += "12 ";
  for (const std::string& term : joined(endless)) EXPECT_LE(term.size(), kWordBytes);
}

TEST(NumberForms, AreWhatOthersWrite) {
  const auto forms = [](std::string_view text) { return number_forms(text).together; };
  EXPECT_THAT(forms("01 23 45 67 89"), ElementsAre("0123456789"));
  EXPECT_TRUE(number_forms("01 23 45 67 89").shape);
  EXPECT_THAT(forms("01\u00a023\u00a045\u00a067\u00a089"), ElementsAre("0123456789"));
  EXPECT_THAT(forms("+33 (0)1 23 45 67 89"), ElementsAre("0123456789", "33123456789"));
  EXPECT_THAT(forms("+33123456789"), ElementsAre("0123456789", "33123456789"));
  EXPECT_THAT(forms("0044 20 7946 0958"), ElementsAre("442079460958"));
  EXPECT_THAT(forms("FR76 3000 6000 0112 3456 7890 189"), ElementsAre("fr7630006000011234567890189"));
  EXPECT_THAT(forms("732 829 320 00074"), ElementsAre("73282932000074"));
  EXPECT_THAT(forms("1 234,56"), ElementsAre("1234,56"));
  EXPECT_TRUE(number_forms("1 234,56").shape);
  EXPECT_THAT(forms("12 500"), ElementsAre("12500"));
  EXPECT_FALSE(number_forms("12 500").shape);
  for (const char* text :
       {"", "facture", "2024", "12", "01.23.45.67.89", "01 23 45 67 89 x", "12 50", "1 2 3", "+442079460958", "FR76",
        " 01 23 45 67 89", "01 23 45 67 89.", "AB12 this will", "12/05/2024"})
    EXPECT_THAT(forms(text), IsEmpty()) << text;
}

TEST(Joined, NeverMakesAWordThatIsAnother) {
  EXPECT_THAT(joined("we're I'll she'd company's don't"), IsEmpty());
  EXPECT_THAT(joined("l'avenant d’accord qu'il jusqu'ici"), IsEmpty());
  EXPECT_THAT(joined("3.12.1 12/24 12,50 1.5kg"), IsEmpty());
  EXPECT_THAT(joined("fin.Le et/ou a - b c--d"), IsEmpty());
}

TEST(Joined, AddressesAndTheirDomains) {
  EXPECT_THAT(joined("<Paul.O-Neil@Example.ORG>, x"), ElementsAre("paul.o-neil@example.org", "@example.org"));
  EXPECT_THAT(joined("mailto:a_b+c@d.fr/x"), ElementsAre("a_b+c@d.fr", "@d.fr"));
  EXPECT_THAT(joined("d'élodie@ex.fr"), ElementsAre("elodie@ex.fr", "@ex.fr"));
  EXPECT_THAT(joined("a@b@c"), ElementsAre("a@b", "@b"));
  EXPECT_THAT(joined("@nom"), IsEmpty());
}

TEST(Joined, StopsAtItsLimits) {
  std::string eight = "a-b-c-d-e-f-g-hh";
  EXPECT_THAT(joined(eight), ElementsAre("=abcdefghh"));
  EXPECT_THAT(joined(eight + "-i"), IsEmpty());
  std::string half(kWordBytes / 2, 'x');
  EXPECT_THAT(joined(half + "-" + half), ElementsAre("=" + half + half));
  EXPECT_THAT(joined(half + "-" + half + "-y"), IsEmpty());
  std::string host;
  for (int i = 0; i < 100; ++i) host += "ab.";
  std::vector<std::string> terms = joined("x@" + host + "fr");
  ASSERT_EQ(terms.size(), 2u);
  EXPECT_LE(terms[0].size(), kAddressBytes);
  std::string chain;
  for (int i = 0; i < 10'000; ++i) chain += "a-";
  EXPECT_THAT(joined(chain), IsEmpty());  // a compound without end gives nothing, whatever piece of it is looked at
}

TEST(Ask, FindsWhatIsWrittenAnotherWay) {
  struct {
    const char* asked;
    const char* text;
    bool found;
  } rows[] = {
      {"FA-2024-00123", "voir fa202400123", true},
      {"fa202400123", "voir FA-2024-00123", true},
      {"FA-2024-00123", "voir FA 2024 00123", true},
      {"FA 2024 00123", "voir FA-2024-00123", true},
      {"FA-2024-00123", "voir FA 2024 00124", false},
      {"FA-2024-00123", "2024 00123 FA", false},
      {"email", "un e-mail", true},
      {"e-mail", "un email", true},
      {"mail", "un e-mail", true},
      {"porteavions", "porte-avions", true},
      {"porte", "portail", false},
      {"avenant", "l'avenant", true},
      {"l'avenant", "L’AVENANT", true},
      {"l'avenant", "un avenant", false},
      {"aujourd'hui", "aujourdhui", true},
      {"aujourdhui", "aujourd’hui", true},
      {"were", "we're", false},
      {"2024", "20.24", false},
      {"15kg", "1.5kg", false},
      {"12500", "12 500,00 EUR", true},
      {"2500", "12 500,00 EUR", false},
      {"0123456789", "au 01 23 45 67 89.", true},
      {"0123456789", "au +33 (0)1 23 45 67 89.", true},
      {"123456789", "au 01 23 45 67 89.", false},
      {"73282932000074", "SIRET 732 829 320 00074", true},
      {"12500", "12\u202f500,00 EUR", true},
      {"12500,00", "12.500,00", true},
      {"12500,00", "12.500,01", false},
      {"0123456789", "01.23.45.67.89", true},
      {"Paul@Example.org", "de paul@example.org", true},
      {"paul@example.org", "de jean.paul@example.org", false},
      {"paul@example.org", "paul at example.org", false},
      {"@example.org", "de jean.paul@example.org", true},
      {"@example.org", "www.example.org", false},
      {"example.org", "de jean.paul@example.org", true},
      {"temoin-glycine.dat", "voir temoin-glycine.dat", true},
      {"請求書", "この請求書は", true},
      {"請書", "この請求書は", false},
      {"naïf", "NAIF", true},
      {"naif", "nai\u0308f", true},
  };
  for (const auto& row : rows) EXPECT_EQ(finds(row.asked, row.text), row.found) << row.asked << " in " << row.text;
}

TEST(Ask, NothingThatIsAWordAsksNothing) {
  EXPECT_THAT(ask("").words, IsEmpty());
  EXPECT_THAT(ask(" -@. ").words, IsEmpty());
  EXPECT_THAT(ask(" -@. ").whole, IsEmpty());
}

TEST(Fold, KeepsSeparatorsAndIsStable) {
  EXPECT_EQ(fold("L'Été, à NÎMES — 5 €"), "l'ete, a nimes — 5 €");
  EXPECT_EQ(fold("ａ＠ｂ"), "a@b");
  EXPECT_EQ(fold("a\xff"), "a\ufffd");
  for (const char* text : {"ŒUVRE ﬃ ǅ ẞ", "ΑΣ ς", "م‍ـحمد أ", "ｶﾞ"})
    EXPECT_EQ(fold(fold(text)), fold(text)) << text;
}

TEST(AddressTerm, IsWhatTheTextGives) {
  EXPECT_EQ(address_term(" Élodie.X@Ex.FR\r\n"), "elodie.x@ex.fr");
  EXPECT_EQ(address_term(std::string(1000, 'a') + "@b").size(), kAddressBytes);
}

TEST(Stems, BringFormsTogether) {
  Stemmer french(Stemmer::Language::kFrench);
  EXPECT_EQ(french.stem("équipements"), french.stem("équipement"));
  EXPECT_EQ(french.stem("esquisses"), french.stem("esquisse"));
  EXPECT_NE(french.stem("facture"), french.stem("fracture"));
  Stemmer english(Stemmer::Language::kEnglish);
  EXPECT_EQ(english.stem("shipments"), english.stem("shipment"));
}

}  // namespace
}  // namespace arch::text
