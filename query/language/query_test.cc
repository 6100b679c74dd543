// Claim   The language means what docs/query-language.md says: precedence, fields and their French names, dates in the
//         archive's time zone, and an error with column and advice for whatever it does not know.
// Method  Tables of query text and its fully bracketed reading, or its error.
#include "query/language/query.h"

#include <gtest/gtest.h>

#include <random>

#include "engine/base/limits.h"

namespace arch::query {
namespace {

// 2024-05-15 12:00 UTC, a Wednesday.
constexpr UnixNs kNow = 1'715'774'400ll * kNsPerSecond;

ParseContext context(const char* zone = "Europe/Paris") { return {kNow, zone}; }

std::string reading(std::string_view text) {
  auto query = parse(text, context());
  return query ? query->interpreted : "ERROR " + describe(query.error());
}

TEST(QueryLanguage, IsReadAsDocumented) {
  const std::pair<const char*, const char*> table[] = {
      {"", ""},
      {"  ", ""},
      {"facture", "facture"},
      {"facture from:@dupont.example date:2024",
       "(facture AND from:@dupont.example AND date:2024-01-01..2024-12-31)"},
      {"devis OR facture -brouillon", "((devis OR facture) AND NOT brouillon)"},
      {"a b | c d", "(a AND (b OR c) AND d)"},
      {"(a b) OR c", "((a AND b) OR c)"},
      {"a AND NOT b", "(a AND NOT b)"},
      {"NOT NOT a", "a"},
      {"-brouillon", "NOT brouillon"},
      {"- a", "(- AND a)"},
      {"e-mail", "e-mail"},
      {"\"bon de commande\" has:attachment", "(\"bon de commande\" AND has:attachment)"},
      {"=\"côté\"", "=\"côté\""},
      {"=côté", "=\"côté\""},
      {"fact*", "fact*"},
      {"rcpt:paul@ex.fr -to:paul@ex.fr -cc:paul@ex.fr",
       "(rcpt:paul@ex.fr AND NOT to:paul@ex.fr AND NOT cc:paul@ex.fr)"},
      {"after:15/03/2024 before:01/04/2024", "(date:2024-03-15.. AND date:..2024-03-31)"},
      {"date:..2019-12-31", "date:..2019-12-31"},
      {"subject:(contrat OR avenant) from:\"Jean Dupont\"",
       "((subject:contrat OR subject:avenant) AND from:\"Jean Dupont\")"},
      {"l'entreprise", "l'entreprise"},
      {"de:zoé à:paul copie:x cci:y dest:z objet:o sujet:s corps:c pj:p fichier:f",
       "(from:zoé AND to:paul AND cc:x AND bcc:y AND rcpt:z AND subject:o AND subject:s AND body:c AND attachment:p "
       "AND filename:f)"},
      {"FROM:paul", "from:paul"},
      {"from: paul", "from:paul"},
      {"https://a.example/b?c=d", "https://a.example/b?c=d"},
      {"12:30", "12:30"},
      {"C:\\x", "C:\\x"},
      {"Re: Rép: Fwd: devis", "devis"},
      {"\"dit \\\"oui\\\" \\\\\"", "\"dit \\\"oui\\\" \\\\\""},
      {"and or not", "(and AND or AND not)"},
      {"id:<a@b> hash:3f2a9c0d thread:3f2a9c0d", "(id:<a@b> AND hash:3f2a9c0d AND thread:3f2a9c0d)"},
      {"is:unread is:partial has:pj", "(is:unread AND is:partial AND has:attachment)"},
  };
  for (const auto& [text, expected] : table) EXPECT_EQ(reading(text), expected) << text;
}

TEST(QueryLanguage, DatesAreDaysOfTheArchivesZone) {
  const std::pair<const char*, const char*> table[] = {
      {"date:2024", "date:2024-01-01..2024-12-31"},
      {"date:2024-02", "date:2024-02-01..2024-02-29"},
      {"date:02/2024", "date:2024-02-01..2024-02-29"},
      {"date:2024-03-15", "date:2024-03-15"},
      {"date:15.03.2024", "date:2024-03-15"},
      {"date:2024Q1", "date:2024-01-01..2024-03-31"},
      {"date:2024T4", "date:2024-10-01..2024-12-31"},
      {"date:mars-2024", "date:2024-03-01..2024-03-31"},
      {"date:Août-2024", "date:2024-08-01..2024-08-31"},
      {"date:march-2024", "date:2024-03-01..2024-03-31"},
      {"date:today", "date:2024-05-15"},
      {"date:aujourd'hui", "date:2024-05-15"},
      {"date:hier", "date:2024-05-14"},
      {"date:cette-semaine", "date:2024-05-13..2024-05-19"},
      {"date:last-week", "date:2024-05-06..2024-05-12"},
      {"date:mois-dernier", "date:2024-04-01..2024-04-30"},
      {"date:this-year", "date:2024-01-01..2024-12-31"},
      {"date:7j", "date:2024-05-08..2024-05-15"},
      {"date:2sem", "date:2024-05-01..2024-05-15"},
      {"date:3mois", "date:2024-02-15..2024-05-15"},
      {"date:1y", "date:2023-05-15..2024-05-15"},
      {"date:2024-01..2024-03-15", "date:2024-01-01..2024-03-15"},
      {"date:2024-06..", "date:2024-06-01.."},
      {"after:2024", "date:2024-01-01.."},
      {"before:2024", "date:..2023-12-31"},
  };
  for (const auto& [text, expected] : table) EXPECT_EQ(reading(text), expected) << text;

  auto paris = parse("date:2024-03-15", context());
  ASSERT_TRUE(paris);
  EXPECT_EQ(paris->root.from_s, 1710457200) << "midnight in Paris is 23:00 UTC in winter";
  EXPECT_EQ(paris->root.to_s, 1710457200 + 86400);
  auto change = parse("date:2024-03-31", context());
  EXPECT_EQ(change->root.to_s - change->root.from_s, 23 * 3600) << "the day that summer time begins has 23 hours";
  auto utc = parse("date:2024-03-15", context("UTC"));
  EXPECT_EQ(utc->root.from_s, 1710460800);
  auto unknown = parse("date:2024-03-15", context("Mars/Olympus"));
  EXPECT_EQ(unknown->root.from_s, 1710460800);
  ASSERT_FALSE(unknown->notices.empty());
  auto ambiguous = parse("date:03/04/2024", context());
  ASSERT_EQ(ambiguous->notices.size(), 1u);
  EXPECT_EQ(ambiguous->interpreted, "date:2024-04-03");
}

TEST(QueryLanguage, WhatItDoesNotKnowIsAnErrorWithColumnAndAdvice) {
  const std::tuple<const char*, const char*, const char*> table[] = {
      {"form:paul", "column 1: unknown operator form:", "did you mean from:?"},
      {"été suject:x", "column 5: unknown operator suject:", "did you mean subject:?"},
      {"zzzzzzzz:x", "unknown operator zzzzzzzz:", "between quotes"},
      {"larger:1M", "not supported in this version", "between quotes"},
      {"\"bon de", "column 1: the quote is not closed", "\""},
      {"(a b", "column 1: the bracket is not closed", ")"},
      {"a b)", "column 4:", "remove"},
      {"()", "nothing between the brackets", "remove"},
      {"a OR", "OR stands between", ""},
      {"OR a", "OR stands between", ""},
      {"a AND", "AND stands between", ""},
      {"AND a", "AND stands between", ""},
      {"a NOT", "NOT stands before", ""},
      {"from:", "from: says nothing", "from:@client.example"},
      {"*ture", "cannot begin with *", "fact*"},
      {"ab*", "too few letters", "3"},
      {"date:demain", "is no date", "2024-03-15"},
      {"date:2024-13", "is no date", ""},
      {"date:31/02/2024", "is no date", ""},
      {"date:15/03/24", "two digits", "four digits"},
      {"date:3m", "minutes or months", "3mo"},
      {"date:2024..2023", "ends before it begins", "earlier"},
      {"date:..", "at least one end", ""},
      {"after:2023..2024", "takes one date", "date:"},
      {"has:wings", "has:wings is not known", "has:attachment"},
      {"from:(subject:x)", "inside the brackets of from:", ""},
      {"a NEAR/5 b", "NEAR/", "quotes"},
  };
  for (const auto& [text, what, hint] : table) {
    auto query = parse(text, context());
    ASSERT_FALSE(query) << text << " was read as " << query->interpreted;
    EXPECT_EQ(query.error().code, Code::kInvalid);
    EXPECT_NE(query.error().what.find(what), std::string::npos) << text << ": " << query.error().what;
    EXPECT_NE(query.error().hint.find(hint), std::string::npos) << text << ": " << query.error().hint;
  }
}

TEST(QueryLanguage, LimitsHoldBelowAtAndAbove) {
  for (int over : {-1, 0, 1}) {
    std::string words, nested;
    for (int i = 0; i < static_cast<int>(limits::kQueryTerms) + over; ++i) words += "a ";
    EXPECT_EQ(parse(words, context()).has_value(), over <= 0) << over;
    const std::string brackets(limits::kQueryDepth + static_cast<size_t>(over), '(');
    nested = brackets + "a" + std::string(brackets.size(), ')');
    EXPECT_EQ(parse(nested, context()).has_value(), over <= 0) << over;
    EXPECT_EQ(parse(std::string(limits::kQueryBytes + static_cast<size_t>(over), 'a'), context()).has_value(),
              over <= 0)
        << over;
  }
}

TEST(QueryLanguage, RandomTextNeverCrashes) {
  const std::string_view pieces[] = {"a",     "été",  "\"",    "(",     ")",    "-",  " ",  " OR ",
                                     " AND ", "NOT ", "from:", "date:", "2024", "..", "*",  "=",
                                     "|",     "\\",   ":",     "has:",  "\xff", "é:", "..", "hier"};
  for (uint32_t seed = 0; seed < 20'000; ++seed) {
    std::mt19937 random(seed);
    std::string text;
    for (size_t i = random() % 30; i > 0; --i) text += pieces[random() % std::size(pieces)];
    auto query = parse(text, context());
    if (query) {
      // What was understood is itself a query that is understood the same way.
      auto again = parse(query->interpreted, context());
      if (again) {
        EXPECT_EQ(again->interpreted, query->interpreted) << text;
      }
    } else {
      EXPECT_FALSE(query.error().what.empty());
    }
  }
}

}  // namespace
}  // namespace arch::query
