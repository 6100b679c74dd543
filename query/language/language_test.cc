// Claim   A query is read as docs/query-language.md says, or refused with the column and what to write instead; nothing
//         is guessed, nothing crashes.
// Method  Tables of query and its bracketed reading, which shows tree, fields and dates; tables of query and column of the
//         error; random queries made of the language's own pieces, each reading read again.
// Teeth   Readings are literal. The second reading must equal the first, so that a missing bracket or escape shows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "engine/base/limits.h"
#include "query/language/query.h"

namespace arch::query {
namespace {

using testing::HasSubstr;

constexpr UnixNs kNow = 1'710'506'096 * kNsPerSecond;  // 2024-03-15T12:34:56Z

ParseContext context(const std::string& timezone = "UTC") { return {kNow, timezone}; }

std::string read(std::string_view text) {
  auto query = parse(text, context());
  return query ? query->interpreted : "error: " + query.error().what;
}

Query good(std::string_view text, const std::string& timezone = "UTC") {
  auto query = parse(text, context(timezone));
  EXPECT_TRUE(query) << text << ": " << describe(query.error());
  return query ? *query : Query();
}

TEST(Language, SizesAndKindsAreReadAndWrittenAlike) {
  const std::pair<const char*, const char*> kCases[] = {
      {"larger:1M", "size:1048576.."},
      {"r\u00e9siliation NEAR/5 bail", "r\u00e9siliation NEAR/5 bail"},
      {"objet:(\"mise en demeure\" NEAR/3 bail)", "subject:(\"mise en demeure\" NEAR/3 bail)"},
      {"a NEAR/2 b OR c", "a NEAR/2 b OR c"},
      {"-a NEAR/2 b", "NOT a NEAR/2 b"},
      {"liste:Dev.Lists.Example", "list:dev.lists.example"},
      {"tag:\"\u00c0 faire\"", "tag:\"a faire\""},
      {"langue:Fran\u00e7ais", "lang:fr"},
      {"lang:EN", "lang:en"},
      {"ent\u00eate:X-Run-Id", "header:x-run-id"},
      {"header:X-Run-Id=4711", "header:x-run-id=4711"},
      {"header:\"x-run-id=deux mots\"", "header:\"x-run-id=deux mots\""},
      {"has:lien", "has:link"},
      {"is:nonlu", "is:unread"},
      {"plusgrand:1Mo", "size:1048576.."},
      {"smaller:500K", "size:0..511999"},
      {"size:1.5k..2,25k", "size:1536..2304"},
      {"taille:..1G", "size:0..1073741824"},
      {"seq:7", "seq:7..7"},
      {"numero:7..", "seq:7.."},
      {"in:sortant", "in:outgoing"},
      {"sens:interne", "in:internal"},
      {"type:PDF", "type:pdf"},
      {"type:image/png", "type:image/png"},
      {"has:pdf", "has:pdf"},
      {"received:2024-03", "received:2024-03-01..2024-03-31"},
      {"archived:..2024", "archived:..2024-12-31"},
  };
  for (const auto& [text, expected] : kCases) {
    EXPECT_EQ(read(text), expected);
    EXPECT_EQ(read(expected), expected);
  }
}

TEST(Language, NumbersInGroupsAreAlsoAskedTogether) {
  const std::pair<const char*, const char*> kCases[] = {
      {"01 23 45 67 89", "0123456789 OR \"01 23 45 67 89\""},
      {"appel 01 23 45 67 89 hier", "appel AND (0123456789 OR \"01 23 45 67 89\") AND hier"},
      {"-01 23 45 67 89", "NOT (0123456789 OR \"01 23 45 67 89\")"},
      {"01\u00a023\u00a045\u00a067\u00a089", "0123456789 OR \"01\u00a023\u00a045\u00a067\u00a089\""},
      {"01.23.45.67.89", "01.23.45.67.89"},
      {"0123456789", "0123456789"},
      {"\"01 23 45 67 89\"", "\"01 23 45 67 89\""},
      {"+33 (0)1 23 45 67 89", "0123456789 OR 33123456789 OR \"+33 (0)1 23 45 67 89\""},
      {"+33123456789", "0123456789 OR 33123456789 OR \"+33123456789\""},
      {"0033123456789", "0123456789 OR 33123456789 OR \"0033123456789\""},
      {"+44 20 7946 0958 | fax", "(442079460958 OR \"+44 20 7946 0958\") OR fax"},
      {"732 829 320 00074", "73282932000074 OR \"732 829 320 00074\""},
      {"FR76 3000 6000 0112 3456 7890 189 virement",
       "(fr7630006000011234567890189 OR \"FR76 3000 6000 0112 3456 7890 189\") AND virement"},
      {"1 234,56 \u20ac", "1234,56 OR \"1 234,56\""},
      {"1 234,56\u20ac", "1234,56 OR \"1 234,56\""},
      {"12 500 euros", "(12500 OR (12 AND 500)) AND euros"},
      {"objet:(12 500)", "subject:12500 OR (subject:12 AND subject:500)"},
      // Other numbers stay what they are.
      {"2023 2024", "2023 AND 2024"},
      {"12 50", "12 AND 50"},
      {"facture 2024 12", "facture AND 2024 AND 12"},
      {"1 2 3 4 5 6 7 8 9", "1 AND 2 AND 3 AND 4 AND 5 AND 6 AND 7 AND 8 AND 9"},
      {"01 AND 23 AND 45 AND 67 AND 89", "01 AND 23 AND 45 AND 67 AND 89"},
      {"date:2024 01 23", "date:2024-01-01..2024-12-31 AND 01 AND 23"},
  };
  for (const auto& [text, expected] : kCases) {
    EXPECT_EQ(read(text), expected) << text;
    EXPECT_EQ(read(expected), expected) << text;
  }
}

TEST(Language, QueriesAreReadAsTheManualSays) {
  const std::pair<const char*, const char*> kCases[] = {
      {"", ""},
      {"  ", ""},
      {"facture", "facture"},
      {"facture avoir", "facture AND avoir"},
      {"facture AND avoir", "facture AND avoir"},
      {"a b OR c", "a AND (b OR c)"},
      {"a OR b c", "(a OR b) AND c"},
      {"a OR b OR c", "a OR b OR c"},
      {"a|b", "a OR b"},
      {"a | b", "a OR b"},
      {"(a b) OR c", "(a AND b) OR c"},
      {"((a))", "a"},
      {"-a", "NOT a"},
      {"NOT a", "NOT a"},
      {"NOT (a b)", "NOT (a AND b)"},
      {"-(a OR b) c", "NOT (a OR b) AND c"},
      {"NOT NOT a", "a"},
      {"NOT -a", "a"},
      {"e-mail", "e-mail"},
      {"\"bon de commande\"", "\"bon de commande\""},
      {"\"dit \\\"oui\\\" et \\\\\"", "\"dit \\\"oui\\\" et \\\\\""},
      {"=c\u00f4t\u00e9", "=\"c\u00f4t\u00e9\""},
      {"=\"mot \u00e0 mot\"", "=\"mot \u00e0 mot\""},
      {"cour*", "cour*"},
      {"FA-2024-*", "FA-2024-*"},
      {"from:paul", "from:paul"},
      {"FROM:paul", "from:paul"},
      {"from: paul", "from:paul"},
      {"de:paul", "from:paul"},
      {"\u00e0:paul", "to:paul"},
      {"\u00c0:paul", "to:paul"},
      {"pour:paul", "to:paul"},
      {"copie:paul cci:jean dest:zoe", "cc:paul AND bcc:jean AND rcpt:zoe"},
      {"objet:devis sujet:devis", "subject:devis AND subject:devis"},
      {"fichier:tarif pj:clause corps:bail", "filename:tarif AND attachment:clause AND body:bail"},
      {"from:@dupont.example", "from:@dupont.example"},
      {"subject:\"bon de commande\"", "subject:\"bon de commande\""},
      {"subject:=\u00e9t\u00e9", "subject:=\"\u00e9t\u00e9\""},
      {"filename:fact*", "filename:fact*"},
      {"from:(paul OR jean)", "from:paul OR from:jean"},
      {"subject:(a -b)", "subject:a AND NOT subject:b"},
      {"https://x.example/a?b=1", "https://x.example/a?b=1"},
      {"12:30", "12:30"},
      {"C:\\x", "C:\\x"},
      {"has:attachment", "has:attachment"},
      {"has:pi\u00e8ce-jointe", "has:attachment"},
      {"avec:pj", "has:attachment"},
      {"is:partial", "is:partial"},
      {"est:partiel", "is:partial"},
      {"id:<a.b@c.example>", "id:a.b@c.example"},
      {"id:a-b@c.example", "id:\"a-b@c.example\""},
      {"hash:ABCDEF12", "hash:abcdef12"},
      {"thread:x@y.example", "thread:x@y.example"},
      {"date:2024", "date:2024-01-01..2024-12-31"},
      {"date:2024-03..2024-05", "date:2024-03-01..2024-05-31"},
      {"date:..2019-12-31", "date:..2019-12-31"},
      {"date:2019..", "date:2019-01-01.."},
      {"date:hier", "date:2024-03-14..2024-03-14"},
      {"date:7d", "date:2024-03-08..2024-03-15"},
      {"date:30d..7d", "date:2024-02-14..2024-03-08"},
      {"after:7d", "date:2024-03-08.."},
      {"before:2024", "date:..2023-12-31"},
      {"after:2024-03-15", "date:2024-03-15.."},
      {"date:(2023-01 OR 2024-01)", "date:2023-01-01..2023-01-31 OR date:2024-01-01..2024-01-31"},
      // Examples of the specification.
      {"facture from:@dupont.example date:2024", "facture AND from:@dupont.example AND date:2024-01-01..2024-12-31"},
      {"devis OR facture -brouillon", "(devis OR facture) AND NOT brouillon"},
      {"rcpt:paul@ex.example -to:paul@ex.example -cc:paul@ex.example",
       "rcpt:paul@ex.example AND NOT to:paul@ex.example AND NOT cc:paul@ex.example"},
      {"after:15/03/2024 before:01/04/2024", "date:2024-03-15.. AND date:..2024-03-31"},
      {"subject:(contrat OR avenant) from:\"Jean Dupont\"",
       "(subject:contrat OR subject:avenant) AND from:\"Jean Dupont\""},
      {"l'entreprise", "l'entreprise"},
      {"=\"c\u00f4t\u00e9\"", "=\"c\u00f4t\u00e9\""},
      {"\"bon de commande\" has:attachment", "\"bon de commande\" AND has:attachment"},
      // Pasted subjects.
      {"Re: Commande 12", "Commande AND 12"},
      {"RE : TR : Commande", "Commande"},
      {"R\u00e9p: Fwd: Fw: Aw: devis", "devis"},
      {"a OR Re: b", "a OR b"},
      // Signs.
      {"Commande - relance", "Commande AND relance"},
      {"a & b", "a AND b"},
      {"a OR &", "a"},
      {"or and not", "or AND and AND not"},
      {"\"OR\"", "\"OR\""},
      {"a\tb\nc", "a AND b AND c"},
      {"a\u00a0b", "a AND b"},
      {"a\xff"
       "b",
       "a\xef\xbf\xbd"
       "b"},
      {"thisisafarlongername:x", "thisisafarlongername:x"},
  };
  for (const auto& [text, want] : kCases) EXPECT_EQ(read(text), want) << text;
}

TEST(Language, ErrorsNameTheColumnAndSayWhatToWrite) {
  struct Case {
    const char* text;
    int column;
    const char* what;
    const char* hint;
  };
  const Case kCases[] = {
      {"form:paul", 1, "unknown operator 'form:'", "did you mean from:?"},
      {"\u00e9t\u00e9 form:paul", 5, "unknown operator", "double quotes"},
      {"sender:paul", 1, "unknown operator", "did you mean from:?"},
      {"subjcet:x", 1, "unknown operator", "did you mean subject:?"},
      {"zzzzz:x", 1, "unknown operator", "double quotes"},
      {"Note: voir", 1, "unknown operator", "double quotes"},
      {"re:facture", 1, "unknown operator", "double quotes"},
      {"inline:x", 1, "not supported in this version", "double quotes"},
      {"has:ocr", 5, "'has:ocr' is not supported", "attachment"},
      {"a lang:klingon", 8, "lang: knows no 'klingon'", "lang:fr"},
      {"list:&", 6, "no letter or digit", "write a word"},
      {"header:\"a b=c\"", 8, "no name of a header field", "header:x-run-id"},
      {"header:x-id=", 8, "no letter or digit behind '='", "header:x-id"},
      {"larger:fat", 8, "'fat' is no size", "larger:500K"},
      {"larger:1.5", 8, "is no size", "larger:500K"},
      {"larger:1M..2M", 8, "takes one size", "size:1M..2M"},
      {"size:1M", 6, "takes a range", "larger:1M"},
      {"size:5M..1M", 6, "ends before it begins", "smaller one first"},
      {"size:..", 6, "on one side", ""},
      {"smaller:0", 9, "nothing is smaller", "larger"},
      {"seq:1K", 5, "is no number", "seq:"},
      {"a in:limbo", 6, "in: knows no 'limbo'", "in:incoming"},
      {"type:a*b", 6, "no kind of file", "type:pdf"},
      {"is:wings", 4, "is: knows no 'wings'", "is:partial"},
      {"has:wings", 5, "has: knows no 'wings'", "knows attachment"},
      {"a NEAR b", 3, "without its distance", "NEAR/5"},
      {"a NEAR/0 b", 3, "a number from 1 to 50", "NEAR/5"},
      {"a NEAR/51 b", 3, "a number from 1 to 50", "NEAR/5"},
      {"a NEAR/99999999999999999999 b", 3, "a number from 1 to 50", ""},
      {"a NEAR/ b", 3, "a number from 1 to 50", ""},
      {"NEAR/5 b", 1, "'NEAR' has nothing on its left", "double quotes"},
      {"a NEAR/5", 3, "no word or phrase on its right", "write one"},
      {"a NEAR/5 (b c)", 3, "no word or phrase on its right", "write one"},
      {"a NEAR/5 from:b", 3, "no word or phrase on its right", "write one"},
      {"a NEAR/5 bail*", 3, "takes words and phrases", "whole"},
      {"a NEAR/5 b NEAR/5 c", 12, "joins two", "AND"},
      {"from:(a NEAR/5 b)", 9, "not at people", "from:"},
      {"a \"b c", 3, "never closed", "closing"},
      {"a (b c", 3, "'(' is never closed", "')'"},
      {"a b) c", 4, "closes no bracket", "remove"},
      {"a ()", 3, "nothing between the brackets", "double quotes"},
      {"AND a", 1, "'AND' has nothing on its left", "double quotes"},
      {"a AND", 3, "'AND' has nothing on its right", "double quotes"},
      {"a AND AND b", 7, "nothing on its left", "double quotes"},
      {"OR a", 1, "'OR' has nothing on its left", "double quotes"},
      {"a OR", 3, "'OR' has nothing on its right", "double quotes"},
      {"a OR OR b", 3, "nothing on its right", "double quotes"},
      {"a OR AND b", 3, "nothing on its right", "double quotes"},
      {"a NOT", 3, "'NOT' has nothing on its right", "double quotes"},
      {"(a OR) b", 4, "nothing on its right", "double quotes"},
      {"-OR a", 2, "nothing on its left", "double quotes"},
      {"*tion", 1, "cannot stand in front", "cour*"},
      {"a*b", 1, "only stand at the end", "double quotes"},
      {"co*", 1, "fewer than 3 letters", "more"},
      {"from:", 1, "nothing follows 'from:'", "from:paul"},
      {"(from:)", 2, "nothing follows 'from:'", "from:paul"},
      {"from:-paul", 6, "'-' stands behind", "-from:"},
      {"from:&", 6, "no letter or digit", "write a word"},
      {"\"\"", 1, "no letter or digit", "write a word"},
      {"subject:(a from:b)", 12, "stands inside the brackets of subject:", "close them"},
      {"date:=2024", 6, "'=' has no meaning", "without"},
      {"date:15/03/24", 6, "two digits", "four digits"},
      {"date:7m", 6, "minutes or months", "7mo"},
      {"date:soon", 6, "'soon' is no date", "2024-03-15"},
      {"date:..", 6, "date on one side", ""},
      {"date:2024..2023", 6, "ends before it begins", "earlier"},
      {"before:2023..2024", 8, "not a range", "date:2023..2024"},
      {"hash:xyz", 6, "", ""},
      {"& ...", 1, "no letter or digit", "write a word"},
  };
  for (const Case& c : kCases) {
    auto query = parse(c.text, context());
    ASSERT_FALSE(query) << c.text << " was read as " << query->interpreted;
    EXPECT_EQ(query.error().code, Code::kInvalid);
    EXPECT_THAT(query.error().what, HasSubstr("column " + std::to_string(c.column) + ": ")) << c.text;
    EXPECT_THAT(query.error().what, HasSubstr(c.what)) << c.text;
    EXPECT_THAT(query.error().hint, HasSubstr(c.hint)) << c.text;
  }
}

TEST(Language, NoticesSayWhatWasDone) {
  const std::pair<const char*, const char*> kCases[] = {
      {"Re: Commande", "reply mark 'Re:'"},
      {"a - b", "'-' has no letter or digit"},
      {"invoice or quote", "the operator is OR"},
      {"date:03/04/2024", "read as day/month/year"},
      {"\u00ab bon de commande \u00bb", "typographic quotation marks"},
  };
  for (const auto& [text, want] : kCases) {
    Query query = good(text);
    ASSERT_FALSE(query.notices.empty()) << text;
    EXPECT_THAT(query.notices[0].text, HasSubstr(want)) << text;
  }
  EXPECT_TRUE(good("facture from:paul date:13/04/2024").notices.empty());
  EXPECT_EQ(good("a - b").notices[0].column, 3u);
}

TEST(Language, LeavesCarryFieldTextAndColumn) {
  Query query = good("\u00e9t\u00e9 subject:\"Bon de\" date:2024-03-15 cour*");
  ASSERT_EQ(query.root.kind, Node::Kind::kAnd);
  ASSERT_EQ(query.root.children.size(), 4u);
  const Node& word = query.root.children[0];
  EXPECT_EQ(word.kind, Node::Kind::kWord);
  EXPECT_EQ(word.text, "\u00e9t\u00e9");
  EXPECT_EQ(word.column, 1u);
  const Node& phrase = query.root.children[1];
  EXPECT_EQ(phrase.kind, Node::Kind::kPhrase);
  EXPECT_EQ(phrase.field, "subject");
  EXPECT_EQ(phrase.text, "Bon de");
  const Node& date = query.root.children[2];
  EXPECT_EQ(date.kind, Node::Kind::kDate);
  EXPECT_EQ(date.from_s, 1'710'460'800);
  EXPECT_EQ(date.to_s, 1'710'547'200);
  const Node& prefix = query.root.children[3];
  EXPECT_EQ(prefix.kind, Node::Kind::kPrefix);
  EXPECT_EQ(prefix.text, "cour");
}

TEST(Language, OpenRangesAreOpen) {
  EXPECT_EQ(good("date:2024..").root.to_s, INT64_MAX);
  EXPECT_EQ(good("date:..2024").root.from_s, INT64_MIN);
  EXPECT_EQ(good("before:2024").root.from_s, INT64_MIN);
  EXPECT_EQ(good("after:2024").root.to_s, INT64_MAX);
}

TEST(Language, DaysBeginAtMidnightOfTheZone) {
  Query query = good("date:2024-03-15", "Europe/Paris");
  if (!query.notices.empty()) GTEST_SKIP() << query.notices[0].text;
  EXPECT_EQ(query.root.from_s, 1'710'457'200);
  EXPECT_EQ(query.root.to_s, 1'710'543'600);
}

TEST(Language, AnUnknownZoneIsUtcWithANotice) {
  Query query = good("date:2024-03-15", "Mars/Olympus");
  ASSERT_EQ(query.notices.size(), 1u);
  EXPECT_THAT(query.notices[0].text, HasSubstr("days are those of UTC"));
  EXPECT_EQ(query.root.from_s, 1'710'460'800);
  EXPECT_TRUE(good("facture", "Mars/Olympus").notices.empty()) << "no date, no need of a zone";
}

std::string repeated(const std::string& piece, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += piece;
  return out;
}

TEST(Language, TheLongestQueryIsReadAndOneByteMoreIsNot) {
  EXPECT_TRUE(parse(std::string(limits::kQueryBytes - 1, 'a'), context()));
  EXPECT_TRUE(parse(std::string(limits::kQueryBytes, 'a'), context()));
  auto over = parse(std::string(limits::kQueryBytes + 1, 'a'), context());
  ASSERT_FALSE(over);
  EXPECT_THAT(over.error().what, HasSubstr("longer than"));
}

TEST(Language, AsManyTermsAsAllowedAreReadAndOneMoreIsNot) {
  EXPECT_TRUE(parse(repeated("a ", limits::kQueryTerms - 1), context()));
  EXPECT_TRUE(parse(repeated("a ", limits::kQueryTerms), context()));
  auto over = parse(repeated("a ", limits::kQueryTerms + 1), context());
  ASSERT_FALSE(over);
  EXPECT_THAT(over.error().what, HasSubstr("column 201: more than 100"));
  EXPECT_FALSE(parse(repeated("date:2024 ", limits::kQueryTerms + 1), context())) << "dates count too";
}

TEST(Language, BracketsAsDeepAsAllowedAreReadAndOneMoreIsNot) {
  auto nested = [](size_t depth) { return repeated("(", depth) + "a" + repeated(")", depth); };
  EXPECT_TRUE(parse(nested(limits::kQueryDepth - 1), context()));
  EXPECT_TRUE(parse(nested(limits::kQueryDepth), context()));
  auto over = parse(nested(limits::kQueryDepth + 1), context());
  ASSERT_FALSE(over);
  EXPECT_THAT(over.error().what, HasSubstr("column 21: more than 20 brackets"));
  EXPECT_FALSE(parse("subject:" + nested(limits::kQueryDepth + 1), context())) << "brackets of a field count too";
  EXPECT_FALSE(parse(repeated("(", limits::kQueryBytes), context()));
}

TEST(Language, EveryOperatorOfTheTableIsReadByEachOfItsNames) {
  ASSERT_GE(fields().size(), 16u);
  for (const FieldInfo& field : fields()) {
    auto example = parse(field.example, context());
    EXPECT_TRUE(example) << field.example;
    std::string value(field.example.substr(field.example.find(':') + 1));
    for (std::string_view alias : field.aliases) {
      auto query = parse(std::string(alias) + ":" + value, context());
      ASSERT_TRUE(query) << alias;
      EXPECT_EQ(query->interpreted, example->interpreted);
    }
    EXPECT_FALSE(field.meaning.empty());
  }
}

TEST(Language, RandomQueriesAreReadOrRefusedAndTheReadingStands) {
  const char* kPieces[] = {"a",
                           "bc ",
                           "\"",
                           "\"x y\" ",
                           "(",
                           ")",
                           " ",
                           "-",
                           "NOT ",
                           "AND ",
                           " OR ",
                           "|",
                           "=",
                           "=\"e\u00e9\" ",
                           "*",
                           "abc*",
                           "from:",
                           "date:",
                           "2024",
                           "..",
                           "\\",
                           "to:(",
                           "subject:",
                           "Re: ",
                           ":",
                           "//",
                           "\u00e0:",
                           "\u00a0",
                           "\xff",
                           "id:<x@y> ",
                           "hash:",
                           "0123456789",
                           "l'",
                           "NEAR/3 ",
                           "has:attachment ",
                           "7d",
                           "15/03/2024",
                           "\u4e2d\u6587",
                           "01 23 45 67 89",
                           "+33 ",
                           "(0)1",
                           "12 500",
                           ",56"};
  std::mt19937 random(20'240'315);
  size_t read_count = 0;
  for (int round = 0; round < 30'000; ++round) {
    std::string text;
    for (size_t i = 0, n = random() % 14; i < n; ++i) text += kPieces[random() % std::size(kPieces)];
    SCOPED_TRACE(text);
    auto query = parse(text, context());
    if (!query) {
      EXPECT_THAT(query.error().what, HasSubstr("column "));
      continue;
    }
    ++read_count;
    auto again = parse(query->interpreted, context());
    ASSERT_TRUE(again) << query->interpreted << ": " << describe(again.error());
    ASSERT_EQ(again->interpreted, query->interpreted);
  }
  EXPECT_GT(read_count, 3'000u);
}

TEST(Language, RandomBytesNeverEndTheProcess) {
  std::mt19937 random(3);
  size_t answered = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text(random() % 60, '\0');
    for (char& c : text) c = static_cast<char>(random() % 4 == 0 ? random() : " ()\"-:=*|ab."[random() % 12]);
    auto query = parse(text, context());
    answered += query || !query.error().what.empty();
  }
  EXPECT_EQ(answered, 20'000u);
}

}  // namespace
}  // namespace arch::query
