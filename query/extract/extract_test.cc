// query/extract/extract_test.cc
// Claim   What a person reads in a mail is in its text, in the right piece; what he does not see is not; and no input makes
//         that slow, deep or large.
// Method  Small inputs with the literal output; then shapes of megabytes that are quadratic in other readers of HTML, and
//         each limit below, at and above it.
// Teeth   Literals throughout; a quadratic search runs into ctest's limit, a recursion overflows the stack.
#include "query/extract/extract.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/base/limits.h"
#include "query/extract/entities.h"
#include "query/extract/smime.h"

namespace arch::extract {
namespace {

std::string repeated(std::string_view text, size_t times) {
  std::string out;
  out.reserve(text.size() * times);
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

Extracted extracted(const std::string& message, const std::vector<Recipient>& envelope = {}) {
  return extract(message, mime::parse(message), envelope);
}

// Texts of one field, joined by "|".
std::string texts(const Extracted& from, TextPiece::Field field) {
  std::string out;
  for (const TextPiece& piece : from.pieces)
    if (piece.field == field) out += (out.empty() ? "" : "|") + piece.text;
  return out;
}

std::string alternative(const std::string& plain, const std::string& html) {
  return "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain; charset=utf-8\n\n" +
         plain + "\n--b\nContent-Type: text/html; charset=utf-8\n\n" + html + "\n--b--\n";
}

// ── HTML ──

TEST(Html, BlocksSplitWordsAndInlineTagsDoNot) {
  EXPECT_EQ(html_to_text("<p>un <b>mot</b>cle</p><div>deux</div>trois<br>quatre"),
            "un motcle\n\ndeux\ntrois\nquatre");
  EXPECT_EQ(html_to_text("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>"), "a b\nc");
  EXPECT_EQ(html_to_text("a\n  b\t c"), "a b c");
  EXPECT_EQ(html_to_text("<pre>a\n  b</pre>"), "a\n  b");
  EXPECT_EQ(html_to_text("in&shy;vi\xe2\x80\x8bsible"), "invisible");
  EXPECT_EQ(html_to_text("<o:p>mot</o:p><v:x>suite</v:x>"), "motsuite");
}

TEST(Html, ReferencesAreDecoded) {
  EXPECT_EQ(html_to_text("&eacute;&#233;&#xE9;&#XE9; &lt;p&gt; &amp;amp; &euro;"), "éééé <p> &amp; €");
  EXPECT_EQ(html_to_text("&eacute &copy2 &nope; & &; &# &#x; a&b"), "é &copy2 &nope; & &; &# &#x; a&b");
  EXPECT_EQ(html_to_text("&#146;&#128;"), "’€");
  EXPECT_EQ(html_to_text("&#0;&#xD800;&#99999999999;"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(html_to_text("a&nbsp;b"), "a b");
  EXPECT_TRUE(std::is_sorted(std::begin(internal::kNamedCharacters), std::end(internal::kNamedCharacters),
                             [](const auto& a, const auto& b) { return a.name < b.name; }));
}

TEST(Html, WhatIsNotSeenIsDropped) {
  std::string title;
  EXPECT_EQ(html_to_text("<head><title>T &amp; t</title><style>s</style></head>a<script>if (a</b) x</script>b"
                         "<!-- c --><!doctype d><?php e ?>f<STYLE>g</Style>h",
                         false, &title),
            "abfh");
  EXPECT_EQ(title, "T & t");
  EXPECT_EQ(html_to_text("<head><p>a head that is never closed"), "a head that is never closed");
  EXPECT_EQ(html_to_text("<style>never closed"), "never closed");
  EXPECT_EQ(html_to_text("a<!--[if mso]>x<![endif]-->b<![if !mso]>c<![endif]>"), "abc");
}

TEST(Html, WhatIsNoMarkupIsText) {
  EXPECT_EQ(html_to_text("1 < 2 > 1 <"), "1 < 2 > 1 <");
  EXPECT_EQ(html_to_text("<marie@firme.example>"), "<marie@firme.example>");
  EXPECT_EQ(html_to_text("<a title=\"x > y\">z</a>"), "z");
  EXPECT_EQ(html_to_text("<p class=\"open>a</p>b"), "a\n\nb");
  EXPECT_EQ(html_to_text("<p class=isn't>it</p>"), "it");
  EXPECT_EQ(html_to_text("never closed <p"), "never closed <p");
}

TEST(Html, LinksAndPicturesSpeak) {
  EXPECT_EQ(html_to_text("<a href=\"http://x.example/?a=1&amp;b=2\">ici</a>", true),
            "ici [http://x.example/?a=1&b=2]");
  EXPECT_EQ(html_to_text("<a href='http://x.example'>ici</a>"), "ici");
  EXPECT_EQ(html_to_text("a<img alt=\"le &eacute;tang\" src=x>b"), "a le étang b");
}

TEST(Html, AnAnsweredMailIsMarkedAsQuoted) {
  EXPECT_EQ(html_to_text("oui<blockquote type=\"cite\">a<br>b<p>c</blockquote>non"), "oui\n> a\n> b\n\n> c\nnon");
  EXPECT_EQ(html_to_text("oui<blockquote>en retrait</blockquote>"), "oui\nen retrait");
}

TEST(Html, HostileShapesStayLinear) {
  const size_t n = 2u << 20;
  for (const char* piece : {"<div>",     "</div>",  "<",           "<!--",
                            "<!",        "<a b=\"", "<p a=1 b=2 ", "&",
                            "&#",        "&amp",    "<script>",    "<style><!--",
                            "<title>",   "</",      "<a\"=",       "<blockquote type=cite>",
                            "<p><font>", "<pre>",   "<img alt=\"", "<![",
                            "='",        "<head>"}) {
    const std::string out = html_to_text(repeated(piece, n / std::string_view(piece).size()), true);
    EXPECT_LE(out.size(), 4 * n) << piece;
  }
  EXPECT_EQ(html_to_text("<p" + repeated(" a=b", 100'000) + ">x"), "x");
  EXPECT_EQ(html_to_text(repeated("<div>", 100'000) + "x"), "x");
}

// ── own and quoted ──

struct Split {
  std::string own, quoted;
  explicit Split(std::string_view body) { split_quoted(body, &own, &quoted); }
};

TEST(Quoted, MarkedLinesAreQuotedAndAnswersBetweenAreOwn) {
  const Split split("oui\n> question une\nréponse\n > question deux\nfin\n");
  EXPECT_EQ(split.own, "oui\nréponse\nfin\n");
  EXPECT_EQ(split.quoted, "> question une\n > question deux\n");
}

TEST(Quoted, IntroductionsOfTheCommonProgramsAreSeen) {
  for (const char* introduction :
       {"On Mon, 13 Oct 2025 at 18:20, A <a@x.example> wrote:\n",
        "Le lun. 6 oct. 2025 à 08:41, A <a@x.example> a écrit :\n", "Le 6 oct. 2025, A a écrit\xc2\xa0:\n",
        "On Mon, 13 Oct 2025 at 18:20, A\n<a@x.example> wrote:\n", "Am 13.10.2025 um 18:20 schrieb A:\n",
        "-----Original Message-----\n", "-----Message d'origine-----\n", "---------- Forwarded message ---------\n",
        "De : A\nEnvoyé : lundi 13 octobre\n", "From: A\nSent: Monday\n", "*From:* A\n*Date:* Monday\n"}) {
    const Split split(std::string("propre\n\n") + introduction + "\ncité\n");
    EXPECT_EQ(split.own, "propre\n\n") << introduction;
    EXPECT_NE(split.quoted.find("cité"), std::string::npos) << introduction;
  }
}

TEST(Quoted, BehindAnIntroductionOnlyMarkedLinesAreQuotedIfThereAreAny) {
  const Split split("a\nOn Monday, B wrote:\n> b\nc\n");
  EXPECT_EQ(split.own, "a\nc\n");
  EXPECT_EQ(split.quoted, "On Monday, B wrote:\n> b\n");
}

TEST(Quoted, OrdinarySentencesAreOwn) {
  for (const char* own : {"On y va demain.\n", "Le prix est : 5\n", "De : la farine\n", "From: here on\n", "--- \n",
                          "- un tiret\n", "On the whole\n\nshe wrote:\n", "-- \nsignature\n"})
    EXPECT_EQ(Split(own).own, own);
}

TEST(Quoted, EveryLineGoesToOneOfTheTwo) {
  const std::string body = repeated("On a,\n", 200'000) + repeated("> x\nFrom: a\n-----\n", 100'000);
  const Split split(body);
  EXPECT_EQ(split.own.size() + split.quoted.size(), body.size());
}

// ── a whole message ──

TEST(Extract, PiecesAreWhatTheySay) {
  const Extracted out = extracted(
      "From: Zoé <z@x.example>\nTo: b@x.example\nCc: b@x.example\nSubject: objet\nContent-Type: multipart/mixed; "
      "boundary=b\n\n--b\nContent-Type: text/plain; charset=utf-8\n\npropre\n> cité\n--b\nContent-Type: text/csv; "
      "name=l.csv\n\nx;y\n--b\nContent-Type: application/pdf; name=p.pdf\n\n%PDF\n--b--\n",
      {{"cache@x.example", "", ""}});
  EXPECT_EQ(texts(out, TextPiece::kSubject), "objet");
  EXPECT_EQ(texts(out, TextPiece::kBody), "propre\n");
  EXPECT_EQ(texts(out, TextPiece::kQuoted), "> cité");
  EXPECT_EQ(texts(out, TextPiece::kFileName), "l.csv|p.pdf");
  EXPECT_EQ(texts(out, TextPiece::kAttachment), "x;y");
  EXPECT_EQ(texts(out, TextPiece::kPeople), "Zoé z@x.example\nb@x.example\ncache@x.example\n");
  EXPECT_EQ(out.unread_parts, 1u);
  EXPECT_FALSE(out.partial);
  for (const TextPiece& piece : out.pieces) {
    if (piece.field == TextPiece::kAttachment) {
      EXPECT_EQ(piece.part, "2");
    }
  }
}

TEST(Extract, AnAlternativeIsReadOnceUnlessTheHtmlSaysMore) {
  EXPECT_EQ(texts(extracted(alternative("un deux trois quatre", "<p>Un deux <b>trois</b> quatre")), TextPiece::kBody),
            "un deux trois quatre");
  EXPECT_EQ(texts(extracted(alternative(" \n", "<p>un deux")), TextPiece::kBody), "un deux");
  EXPECT_EQ(texts(extracted(alternative("illisible", "<p>un deux trois")), TextPiece::kBody),
            "illisible\nun deux trois");
}

TEST(Extract, WordsOfThreeInFourDecideAboutTheHtml) {
  const std::string html = "<p>aa bb cc dd ee ff gg hh";  // 8 words: up to 2 missing in the plain text it is not read
  EXPECT_EQ(texts(extracted(alternative("aa bb cc dd ee ff gg", html)), TextPiece::kBody), "aa bb cc dd ee ff gg");
  EXPECT_EQ(texts(extracted(alternative("aa bb cc dd ee ff", html)), TextPiece::kBody), "aa bb cc dd ee ff");
  EXPECT_EQ(texts(extracted(alternative("aa bb cc dd ee", html)), TextPiece::kBody),
            "aa bb cc dd ee\naa bb cc dd ee ff gg hh");
}

TEST(Extract, BytesThatAreNoTextAreNotIndexed) {
  std::string bytes;
  for (int i = 0; i < 600; ++i) bytes += static_cast<char>((i * 89 + 7) % 256);
  const Extracted out = extracted("Subject: s\nContent-Type: text/plain\n\n" + bytes);
  EXPECT_EQ(texts(out, TextPiece::kBody), "");
  EXPECT_EQ(out.unread_parts, 1u);
}

TEST(Extract, TextIsKeptUpToTheLimit) {
  const auto with_body = [](size_t size) { return extracted("X: y\n\n" + std::string(size, 'a')); };
  for (size_t size : {limits::kTextBytes - 1, limits::kTextBytes}) {
    const Extracted out = with_body(size);
    EXPECT_EQ(texts(out, TextPiece::kBody).size(), size);
    EXPECT_FALSE(out.partial);
  }
  const Extracted out = with_body(limits::kTextBytes + 1);
  EXPECT_EQ(texts(out, TextPiece::kBody).size(), limits::kTextBytes);
  EXPECT_TRUE(out.partial);
  // Not inside a character.
  const Extracted cut = extracted("X: y\n\na" + repeated("é", limits::kTextBytes / 2));
  EXPECT_EQ(texts(cut, TextPiece::kBody).size(), limits::kTextBytes - 1);
}

// CMS SignedData around `content`, without signers.
std::string signed_data(const std::string& content) {
  const auto der = [](char tag, const std::string& body) {
    // The shortest form of the length, as DER (X.690 10.1) wants it: some releases of OpenSSL insist.
    std::string out(1, tag);
    if (body.size() < 128) return out + static_cast<char>(body.size()) + body;
    int bytes = 1;
    while (body.size() >> (8 * bytes) != 0) ++bytes;
    out += static_cast<char>(0x80 | bytes);
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += static_cast<char>(body.size() >> shift);
    return out + body;
  };
  const auto oid = [&](char last) { return der(6, std::string("\x2a\x86\x48\x86\xf7\x0d\x01\x07", 8) + last); };
  return der(0x30,
             oid(2) + der('\xa0', der(0x30, der(2, "\x01") + der(0x31, "") +
                                                der(0x30, oid(1) + der('\xa0', der(4, content))) + der(0x31, ""))));
}

TEST(Extract, OpaqueSignaturesAreOpenedUpToADepth) {
  std::string content = "Content-Type: text/plain\n\nau fond\n";
  ASSERT_EQ(internal::signed_content(signed_data(content)), content);
  for (int depth = 1; depth <= 9; ++depth) {
    content = "Content-Type: application/pkcs7-mime; smime-type=signed-data\nContent-Transfer-Encoding: 8bit\n\n" +
              signed_data(content);
    const Extracted out = extracted(content);
    EXPECT_EQ(texts(out, TextPiece::kBody) == "au fond\n", depth <= 8) << depth;
    EXPECT_EQ(out.partial, depth > 8) << depth;
  }
}

TEST(Extract, RubbishInsteadOfASignatureIsNoText) {
  for (const char* content : {"", "x", "0\x80", "\x30\x84\xff\xff\xff\xff"}) {
    const Extracted out = extracted(std::string("Subject: s\nContent-Type: application/pkcs7-mime\n\n") + content);
    EXPECT_EQ(texts(out, TextPiece::kBody), "");
  }
  EXPECT_EQ(internal::signed_content(repeated("\x30\x80", 100'000)), std::nullopt);
}

TEST(Extract, HostileMailStaysBounded) {
  std::string deep;
  for (int i = 0; i < 20'000; ++i)
    deep += "Content-Type: multipart/mixed; boundary=b" + std::to_string(i) + "\n\n--b" + std::to_string(i) + "\n";
  EXPECT_TRUE(extracted(deep + "\nx\n").partial);
  EXPECT_TRUE(extracted(repeated("Content-Type: message/rfc822\n\n", 100'000) + "Subject: x\n\ny\n").partial);
  EXPECT_TRUE(
      extracted("Content-Type: multipart/alternative; boundary=b\n\n" + repeated("--b\n\nx\n", 50'000) + "--b--\n")
          .partial);
  EXPECT_FALSE(extracted("X: y\n\n" + repeated("begin 644 a\n", 200'000)).pieces.empty());
  EXPECT_FALSE(extracted("X: y\n\n" + repeated("begin 644 a\nM\nend\n", 100'000)).pieces.empty());
  EXPECT_FALSE(extracted("X: y\n\n" + repeated("=ybegin a\n", 200'000)).pieces.empty());
  // Alternatives inside each other, each with a text of its own.
  std::string nested = "X: y\n";
  for (size_t i = 0; i < limits::kMimeDepth; ++i) {
    const std::string b = std::to_string(i);
    nested += "Content-Type: multipart/alternative; boundary=b" + b + "x\n\n--b" + b + "x\n\ntext " + b + "\n--b" +
              b + "x\n";
  }
  EXPECT_NE(texts(extracted(nested + "Content-Type: text/html\n\n<p>z"), TextPiece::kBody).find("text 63"),
            std::string::npos);
}

}  // namespace
}  // namespace arch::extract
