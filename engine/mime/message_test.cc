// engine/mime/message_test.cc
// Claim   Part ranges are exact to the byte; fields, names, dates and addresses read as people meant them, in the forms the
//         wild sends; mail_key is equal for two captures of one mail and for nothing else.
// Method  Small messages written here, each with one trigger; ranges are compared as the text they cut out.
// Teeth   Each expectation is a literal; off by one line end, one charset or one quoted comma and it fails.
#include "engine/mime/message.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/base/limits.h"
#include "engine/mime/date.h"
#include "engine/mime/headers.h"

namespace arch::mime {
namespace {

std::string body_of(std::string_view message, const Part& part) {
  return std::string(message.substr(part.body_begin, part.body_end - part.body_begin));
}

std::vector<std::string> numbers(const Message& message) {
  std::vector<std::string> out;
  for (const Part& part : message.parts) out.push_back(part.number);
  return out;
}

std::string with_crlf(std::string text) {
  std::string out;
  for (char c : text) {
    if (c == '\n') out += '\r';
    out += c;
  }
  return out;
}

const char kNested[] =
    "From: a@firme.example\n"
    "Content-Type: multipart/mixed; boundary=outer\n"
    "\n"
    "preamble\n"
    "--outer\n"
    "Content-Type: multipart/alternative; boundary=\"in ner\"\n"
    "\n"
    "--in ner\n"
    "\n"
    "plain\n"
    "--in ner  \n"
    "Content-Type: text/html\n"
    "\n"
    "<p>html\n"
    "\n"
    "--in ner--\n"
    "epilogue\n"
    "--outer\n"
    "Content-Type: message/rfc822\n"
    "\n"
    "Subject: inside\n"
    "Content-Type: multipart/mixed; boundary=deep\n"
    "\n"
    "--deep\n"
    "\n"
    "leaf\n"
    "--deep--\n"
    "--outer\n"
    "Content-Type: message/rfc822\n"
    "\n"
    "Subject: single\n"
    "\n"
    "text\n"
    "--outer--\n"
    "the end\n";

TEST(PartTree, NumbersAreThoseOfImap) {
  EXPECT_EQ(numbers(parse(kNested)),
            (std::vector<std::string>{"", "1", "1.1", "1.2", "2", "2.TEXT", "2.1", "3", "3.1"}));
}

TEST(PartTree, RangesDelimitTheContentWithEitherLineEnd) {
  for (const std::string& message : {std::string(kNested), with_crlf(kNested)}) {
    const std::string eol = message == kNested ? "\n" : "\r\n";
    const Message parsed = parse(message);
    ASSERT_EQ(parsed.parts.size(), 9u);
    EXPECT_EQ(body_of(message, parsed.parts[2]), "plain");
    EXPECT_EQ(body_of(message, parsed.parts[3]), "<p>html" + eol);
    EXPECT_EQ(body_of(message, parsed.parts[6]), "leaf");
    EXPECT_EQ(body_of(message, parsed.parts[8]), "text");
    EXPECT_EQ(body_of(message, parsed.parts[1]).substr(0, 8), "--in ner");
    EXPECT_EQ(body_of(message, parsed.parts[1]).substr(body_of(message, parsed.parts[1]).size() - 8), "epilogue");
    EXPECT_EQ(parsed.parts[0].body_end, message.size());
    EXPECT_EQ(message.substr(parsed.parts[4].body_begin, 15), "Subject: inside");
    EXPECT_EQ(parsed.header_end, parsed.parts[0].body_begin);
    EXPECT_FALSE(parsed.partial);
  }
}

TEST(PartTree, EmptyPartsAndAMissingLastBoundaryAreExact) {
  const std::string message =
      "Content-Type: multipart/mixed; boundary=b\n\n--b\n--b\n\n--b\nX-A: 1\n\n\n--b\n\nopen end\n";
  const Message parsed = parse(message);
  ASSERT_EQ(parsed.parts.size(), 5u);
  EXPECT_EQ(body_of(message, parsed.parts[1]), "");
  EXPECT_EQ(body_of(message, parsed.parts[2]), "");
  EXPECT_EQ(body_of(message, parsed.parts[3]), "");
  EXPECT_EQ(body_of(message, parsed.parts[4]), "open end\n");
}

TEST(PartTree, AMultipartWhoseBoundaryNeverComesIsOneLeaf) {
  const std::string message = "Content-Type: multipart/mixed; boundary=b\n\nall the text\n";
  const Message parsed = parse(message);
  ASSERT_EQ(parsed.parts.size(), 1u);
  EXPECT_FALSE(parsed.parts[0].container);
  EXPECT_EQ(parsed.parts[0].number, "1");
  EXPECT_EQ(body_of(message, parsed.parts[0]), "all the text\n");
}

TEST(PartTree, AMissingBoundaryParameterIsReadFromTheBody) {
  const Message parsed = parse("Content-Type: multipart/mixed\n\n--x\nContent-Type: text/html\n\n<b>\n--x--\n");
  EXPECT_EQ(numbers(parsed), (std::vector<std::string>{"", "1"}));
  EXPECT_EQ(parsed.parts[1].media_type, "text/html");
}

TEST(PartTree, ABoundaryThatBeginsAnotherIsNotTakenForIt) {
  const std::string message =
      "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=bb\n\n"
      "--bb\n\none\n--bb--\n--b\n\ntwo\n--bx\n--b--\n";
  const Message parsed = parse(message);
  ASSERT_EQ(numbers(parsed), (std::vector<std::string>{"", "1", "1.1", "2"}));
  EXPECT_EQ(body_of(message, parsed.parts[2]), "one");
  EXPECT_EQ(body_of(message, parsed.parts[3]), "two\n--bx");
}

TEST(PartTree, PartsOfADigestAreMessages) {
  const Message parsed = parse(
      "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: one\n\nx\n--b\n\nSubject: two\n\ny\n--b--\n");
  EXPECT_EQ(numbers(parsed), (std::vector<std::string>{"", "1", "1.1", "2", "2.1"}));
  EXPECT_EQ(parsed.parts[1].media_type, "message/rfc822");
}

TEST(PartTree, AnEncodedMessageIsALeafUnlessTheEncodingIsALie) {
  const Message encoded =
      parse("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeAoKeQo=\n");
  ASSERT_EQ(encoded.parts.size(), 1u);
  EXPECT_EQ(encoded.parts[0].encoding, Encoding::kBase64);
  const Message lie = parse("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nSubject: x\n\ny\n");
  EXPECT_EQ(lie.parts.size(), 2u);
}

TEST(PartTree, WhatAPersonCallsAnAttachment) {
  const auto attachment = [](const char* fields) {
    return parse(std::string("Content-Type: multipart/mixed; boundary=b\n\n--b\n") + fields + "\n\nx\n--b--\n")
        .parts.at(1)
        .attachment;
  };
  EXPECT_FALSE(attachment("Content-Type: text/plain"));
  EXPECT_TRUE(attachment("Content-Type: text/plain\nContent-Disposition: attachment"));
  EXPECT_TRUE(attachment("Content-Type: text/plain; name=a.txt"));
  EXPECT_TRUE(attachment("Content-Type: application/pdf"));
  EXPECT_FALSE(attachment("Content-Type: image/png\nContent-ID: <logo>"));
  EXPECT_TRUE(attachment("Content-Type: image/png; name=plan.png\nContent-ID: <plan>"));
  EXPECT_FALSE(attachment("Content-Type: image/png; name=logo.png\nContent-ID: <logo>\nContent-Disposition: inline"));
  EXPECT_TRUE(attachment("Content-Type: image/png; name=photo.png\nContent-Disposition: inline"));
  EXPECT_TRUE(attachment("Content-Type: message/rfc822"));
}

TEST(PartTree, EncryptedMailIsToldFromSignedMail) {
  EXPECT_TRUE(parse("Content-Type: multipart/encrypted; boundary=b\n\n--b\n\nx\n--b--\n").encrypted);
  EXPECT_TRUE(parse("Content-Type: application/pkcs7-mime; smime-type=enveloped-data\n\nx\n").encrypted);
  EXPECT_FALSE(parse("Content-Type: application/pkcs7-mime; smime-type=signed-data\n\nx\n").encrypted);
  // The object identifier in the content decides before the parameter: 1.2.840.113549.1.7.3 is envelopedData.
  EXPECT_TRUE(
      parse("Content-Type: application/pkcs7-mime; smime-type=signed-data\nContent-Transfer-Encoding: base64\n"
            "\nMIIBAAYJKoZIhvcNAQcDoIIB\n")
          .encrypted);
}

TEST(FileNames, AreDecodedInEveryForm) {
  const auto name = [](const std::string& fields) { return parse(fields + "\n\nx\n").parts.at(0).filename; };
  EXPECT_EQ(name("Content-Disposition: attachment; filename=\"plan d'accès.pdf\""), "plan d'accès.pdf");
  EXPECT_EQ(name("Content-Disposition: attachment; filename*=utf-8''re%C3%A7u%20n%C2%B0%203.pdf"), "reçu n° 3.pdf");
  EXPECT_EQ(
      name("Content-Disposition: attachment;\n filename*0*=iso-8859-1'fr'%E9tude;\n filename*1=\" finale.odt\""),
      "étude finale.odt");
  EXPECT_EQ(name("Content-Type: application/pdf; name=\"=?utf-8?B?ZGV2aXMgw6l0w6kucGRm?=\""), "devis été.pdf");
  EXPECT_EQ(name("Content-Disposition: attachment; filename=\"C:\\TEMP\\note.txt\""), "C:\\TEMP\\note.txt");
  EXPECT_EQ(name("Content-Disposition: attachment; filename=\"../../etc/passwd\""), "../../etc/passwd");
  EXPECT_EQ(name("Content-Disposition: attachment; filename=\"\""), "");
  EXPECT_EQ(name("Content-Disposition: attachment; filename=\"\xe9t\xe9.txt\""), "été.txt");
}

TEST(HeaderFields, SurviveTheForms) {
  EXPECT_EQ(parse("Subject: one\n two\r\n\tthree\n\nx").subject, "one two three");
  EXPECT_EQ(parse("From bob@firme.example Thu Jan  1 00:00:00 2026\nSubject: mbox\n\nx").subject, "mbox");
  EXPECT_EQ(parse("\xef\xbb\xbfSubject: mark\n\nx").subject, "mark");
  EXPECT_EQ(parse(" first line\nSubject: continues\n\nx").subject, "continues");
  EXPECT_EQ(parse("no field here\nFrom: a@firme.example\nSubject: after\n\nx").subject, "after");
  EXPECT_EQ(parse("Subject : blank\n\nx").subject, "blank");
  EXPECT_EQ(parse("SUBJECT: case\n\nx").subject, "case");
  EXPECT_EQ(parse(std::string("Subject: a\0b\n\nx", 15)).subject, "ab");
  EXPECT_EQ(parse("Subject: first\nSubject: second\n\nx").subject, "first");
  EXPECT_EQ(parse("Subject:\n\nx").subject, "");
}

TEST(HeaderFields, ABodyWithoutSeparatorStaysBody) {
  const std::string message = "Subject: s\nThis line is text.\nNote: so is this one.\n";
  const Message parsed = parse(message);
  EXPECT_EQ(parsed.headers.size(), 1u);
  EXPECT_EQ(body_of(message, parsed.parts.at(0)), "This line is text.\nNote: so is this one.\n");
}

TEST(HeaderFields, EmptyAndFieldlessMessagesAreOnePart) {
  EXPECT_EQ(parse("").parts.size(), 1u);
  EXPECT_EQ(body_of("\n", parse("\n").parts.at(0)), "");
  const std::string text = "Just words,\nno fields.\n";
  EXPECT_EQ(body_of(text, parse(text).parts.at(0)), text);
}

TEST(EncodedWords, AreJoinedAndBrokenOnesKept) {
  const auto decoded = [](std::string_view text) { return internal::decode_text(text, {}); };
  EXPECT_EQ(decoded("=?iso-8859-1?Q?r=E9union_du_comit=E9?="), "réunion du comité");
  EXPECT_EQ(decoded("=?utf-8?B?w6k=?= =?utf-8?B?w6A=?= b"), "éà b");
  EXPECT_EQ(decoded("=?utf-8?Q?=C3?= =?utf-8?Q?=A9t=C3=A9?="), "été");  // a character cut in two
  EXPECT_EQ(decoded("=?utf-8*fr?q?=C3=A9?="), "é");
  EXPECT_EQ(decoded("=?iso-8859-1?Q?un deux?="), "un deux");
  EXPECT_EQ(decoded("a=?utf-8?Q?=C3=A9?=b"), "aéb");
  EXPECT_EQ(decoded("=?utf-8?Q?never closed"), "=?utf-8?Q?never closed");
  EXPECT_EQ(decoded("=?utf-8?X?abc?="), "=?utf-8?X?abc?=");
  EXPECT_EQ(decoded("=?utf-8?Q?a=0Ab?="), "a b");
  EXPECT_EQ(decoded("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?= =?iso-2022-jp?B?GyRCOGwbKEI=?="), "日本語");
  EXPECT_EQ(decoded("caf\xe9"), "café");
  EXPECT_EQ(decoded("café"), "café");
}

TEST(Addresses, AreReadAsPeopleMeantThem) {
  const auto list = [](const std::string& value) { return parse("To: " + value + "\n\nx").to; };
  const auto one = [&](const std::string& value) {
    const auto all = list(value);
    return all.size() == 1 ? all[0] : Address{"wrong count", std::to_string(all.size())};
  };
  using A = Address;
  EXPECT_EQ(one("a@firme.example"), (A{"", "a@firme.example"}));
  EXPECT_EQ(one("Zoé <z@firme.example>"), (A{"Zoé", "z@firme.example"}));
  EXPECT_EQ(one("\"Martin, Jean\" <j@firme.example>"), (A{"Martin, Jean", "j@firme.example"}));
  EXPECT_EQ(one("\"O\\\"Neil\" <o@firme.example>"), (A{"O\"Neil", "o@firme.example"}));
  EXPECT_EQ(one("j@firme.example (Jean (le) Martin)"), (A{"Jean (le) Martin", "j@firme.example"}));
  EXPECT_EQ(one("=?utf-8?Q?Martin=2C_J=C3=A9r=C3=B4me?= <j@firme.example>"),
            (A{"Martin, Jérôme", "j@firme.example"}));
  EXPECT_EQ(one("<@a.example,@b.example:c@d.example>"), (A{"", "c@d.example"}));
  EXPECT_EQ(one("\"deux mots\"@firme.example"), (A{"", "\"deux mots\"@firme.example"}));
  EXPECT_EQ(one("Jean <j@firme.example"), (A{"Jean", "j@firme.example"}));
  EXPECT_EQ(one("\"Jean <j@firme.example>"), (A{"Jean", "j@firme.example"}));
  EXPECT_EQ(one("Jean (Lyon <j@firme.example>"), (A{"Jean (Lyon", "j@firme.example"}));
  EXPECT_EQ(one("root"), (A{"", "root"}));
  EXPECT_EQ(one("Jean Martin"), (A{"Jean Martin", ""}));
  EXPECT_EQ(one("'Jean' <j@firme.example>"), (A{"Jean", "j@firme.example"}));
  EXPECT_EQ(one("j @ firme.example"), (A{"", "j@firme.example"}));
  EXPECT_EQ(one("jøran@firme.example"), (A{"", "jøran@firme.example"}));
  EXPECT_TRUE(list("undisclosed-recipients:;").empty());
  EXPECT_EQ(list("Equipe: a@firme.example, B <b@firme.example>;, c@firme.example").size(), 3u);
  EXPECT_EQ(list("a@firme.example; b@firme.example").size(), 2u);
  EXPECT_EQ(list(",, ,").size(), 0u);
}

TEST(Identifiers, AreReadWithAndWithoutBrackets) {
  const Message parsed = parse(
      "Message-ID: <m1@firme.example>\nReferences: <r1@x> <r2@x>\n <r1@x>\nIn-Reply-To: Your mail of <r3@x>\n"
      "List-Id: Annonces <annonces.firme.example>\n\nx");
  EXPECT_EQ(parsed.message_id, "m1@firme.example");
  EXPECT_EQ(parsed.references, (std::vector<std::string>{"r1@x", "r2@x", "r3@x"}));
  EXPECT_EQ(parsed.in_reply_to, "r3@x");
  EXPECT_EQ(parsed.list_id, "annonces.firme.example");
  EXPECT_EQ(parse("Message-ID: bare@firme.example\n\nx").message_id, "bare@firme.example");
  EXPECT_EQ(parse("Message-ID: 12345\n\nx").message_id, "12345");
  EXPECT_EQ(parse("Message-ID: <" + std::string(5000, 'm') + "@x>\n\nx").message_id.size(), 5002u);
}

TEST(Dates, OfEveryFormGiveTheInstant) {
  const auto date = [](std::string_view text) {
    const auto parsed = internal::parse_date(text);
    return parsed ? format_rfc3339(*parsed) : std::string("none");
  };
  EXPECT_EQ(date("Tue, 14 Oct 2025 09:12:31 +0200"), "2025-10-14T07:12:31Z");
  EXPECT_EQ(date("14 Oct 2025 09:12 +0200 (CEST)"), "2025-10-14T07:12:00Z");
  EXPECT_EQ(date("Tue, 14 Oct 25 09:12:31 GMT"), "2025-10-14T09:12:31Z");
  EXPECT_EQ(date("14 Oct 99 09:12:31 EST"), "1999-10-14T14:12:31Z");
  EXPECT_EQ(date("Mon, 14 Oct 100 09:12:31 GMT"), "2000-10-14T09:12:31Z");
  EXPECT_EQ(date("Tue Oct 14 09:12:31 2025"), "2025-10-14T09:12:31Z");
  EXPECT_EQ(date("Tue Oct 14 09:12:31 CEST 2025"), "2025-10-14T07:12:31Z");
  EXPECT_EQ(date("2025-10-14T09:12:31.123+02:00"), "2025-10-14T07:12:31Z");
  EXPECT_EQ(date("2025-10-14 09:12:31"), "2025-10-14T09:12:31Z");
  EXPECT_EQ(date("mar., 14 oct. 2025 09:12:31 +0200"), "2025-10-14T07:12:31Z");
  EXPECT_EQ(date("14 février 2025 09:12"), "2025-02-14T09:12:00Z");
  EXPECT_EQ(date("14/10/2025 9:12:31 PM"), "2025-10-14T21:12:31Z");
  EXPECT_EQ(date("10/14/2025 12:12:31 AM"), "2025-10-14T00:12:31Z");
  EXPECT_EQ(date("Tue, 14 Oct 2025 09.12.31 +0200"), "2025-10-14T07:12:31Z");
  EXPECT_EQ(date("Tue, 14-Oct-2025 09:12:31 -0000"), "2025-10-14T09:12:31Z");
  EXPECT_EQ(date("Tue, 14 Oct 2025 09:12:31 +9900"), "2025-10-14T09:12:31Z");
  EXPECT_EQ(date("Tue, 29 Feb 2028 09:12:31 +0000"), "2028-02-29T09:12:31Z");
  EXPECT_EQ(date("Tue, 14 Oct 2025 23:59:60 +0000"), "2025-10-15T00:00:00Z");
  EXPECT_EQ(date("Tue, 32 Oct 2025 09:12:31 +0000"), "none");
  EXPECT_EQ(date("Tue, 14 Oct 2025 25:12:31 +0000"), "none");
  EXPECT_EQ(date("Thu, 01 Jan 1601 00:00:00 +0000"), "none");
  EXPECT_EQ(date("soon"), "none");
  EXPECT_EQ(date(""), "none");
  EXPECT_EQ(date("99999999999999999999 Oct 2025"), "none");
}

TEST(SortDate, BelievesTheSenderOnlyNearTheArrival) {
  Message message;
  EXPECT_EQ(sort_date(message, 77), 77);
  message.has_date = true;
  message.date = 5;
  EXPECT_EQ(sort_date(message, 77), 5);
  message.has_received = true;
  message.received = 100 * kNsPerDay;
  const auto with_date = [&](UnixNs date) {
    message.date = date;
    return sort_date(message, 77);
  };
  EXPECT_EQ(with_date(message.received - 30 * kNsPerDay), message.received - 30 * kNsPerDay);
  EXPECT_EQ(with_date(message.received - 30 * kNsPerDay - 1), message.received);
  EXPECT_EQ(with_date(message.received + 2 * kNsPerDay), message.received + 2 * kNsPerDay);
  EXPECT_EQ(with_date(message.received + 2 * kNsPerDay + 1), message.received);
}

uint64_t key_of(const std::string& message) { return mail_key(message, parse(message)); }

TEST(MailKey, IsEqualForTwoCapturesOfOneMail) {
  const std::string mail = "Message-ID: <1@x>\nDate: d\nFrom: a@x\nSubject: s\n\nline one\nline two\n";
  EXPECT_EQ(key_of(mail), key_of(with_crlf(mail)));
  EXPECT_EQ(key_of(mail), key_of("Received: by mx; Tue, 14 Oct 2025 09:12:31 +0200\n" + mail));
  EXPECT_EQ(key_of(mail), key_of(mail + "\n\n"));
  std::string folded = mail;
  folded.replace(folded.find("Subject: s"), 10, "Subject:\n s");
  EXPECT_EQ(key_of(mail), key_of(folded));
}

TEST(MailKey, DiffersWhenAnythingThatMattersDoes) {
  const std::string mail = "Message-ID: <1@x>\nDate: d\nFrom: a@x\nSubject: s\n\nline one\nline two\n";
  for (const char* change : {"<1@x>", "d\n", "a@x", "s\n\n", "one", "two"}) {
    std::string other = mail;
    other.insert(other.find(change) + 1, "Z");
    EXPECT_NE(key_of(mail), key_of(other)) << change;
  }
  // A lone CR is content.
  EXPECT_NE(key_of(mail), key_of("Message-ID: <1@x>\nDate: d\nFrom: a@x\nSubject: s\n\nline one\r\r\nline two\n"));
}

TEST(MailKey, WithoutAMessageIdEveryFieldCounts) {
  const std::string alarm = "From: alarm@x\nSubject: a\n\nsame\n";
  EXPECT_EQ(key_of(alarm), key_of(with_crlf(alarm)));
  EXPECT_NE(key_of(alarm), key_of("X-Seen: 1\n" + alarm));
}

TEST(Content, EncodingsAreUndoneAndBounded) {
  const auto decoded = [](const std::string& encoding, const std::string& content, uint64_t limit = 1000) {
    const std::string message = "Content-Transfer-Encoding: " + encoding + "\n\n" + content;
    return decode_content(message, parse(message).parts.at(0), limit);
  };
  EXPECT_EQ(decoded("base64", "Qm9uam91cg==\n"), "Bonjour");
  EXPECT_EQ(decoded("BASE64 ", "Qm9u\r\nam91\r\ncg"), "Bonjour");
  EXPECT_EQ(decoded("base64", "Q!m9*u"), "Bon");
  EXPECT_EQ(decoded("quoted-printable", "caf=C3=A9 =\nnoir=\r\n !"), "café noir !");
  EXPECT_EQ(decoded("quoted-printable", "100=% =ZZ"), "100=% =ZZ");
  EXPECT_EQ(decoded("x-uuencode", "begin 644 a.txt\n'0F]N:F]U<@``\n`\nend\n"), "Bonjour");
  EXPECT_EQ(decoded("8bit", "caf\xc3\xa9"), "café");
  EXPECT_EQ(decoded("unknown-thing", "as it is"), "as it is");
  EXPECT_EQ(decoded("base64", "Qm9uam91cg==", 6), "Bonjou");
  EXPECT_EQ(decoded("base64", "Qm9uam91cg==", 7), "Bonjour");
  EXPECT_EQ(decoded("base64", "Qm9uam91cg==", 8), "Bonjour");
  EXPECT_EQ(decoded("7bit", "abc", 2), "ab");
}

TEST(Charsets, DeclaredWrongOrMissing) {
  EXPECT_EQ(to_utf8("\xe9t\xe9", "iso-8859-1"), "été");
  EXPECT_EQ(to_utf8("\x80 \x93q\x94", "iso-8859-1"), "€ “q”");  // what is called Latin-1 is windows-1252
  EXPECT_EQ(to_utf8("\xa4", "iso-8859-15"), "€");
  EXPECT_EQ(to_utf8("été", "iso-8859-1"), "été");   // UTF-8, wrongly declared
  EXPECT_EQ(to_utf8("\xe9t\xe9", "utf-8"), "été");  // the other way round
  EXPECT_EQ(to_utf8("\xe9t\xe9", ""), "été");
  EXPECT_EQ(to_utf8("\xe9t\xe9", "no-such-charset"), "été");
  EXPECT_EQ(to_utf8("+AOk-t+AOk-", "utf-7"), "été");
  EXPECT_EQ(to_utf8("\x1b$BF|K\\\x1b(B", "iso-2022-jp"), "日本");
  EXPECT_EQ(to_utf8("\xc4\xe3\xba\xc3", "gb2312"), "你好");
  EXPECT_EQ(to_utf8("\xf0\xd2\xc9\xd7\xc5\xd4", "koi8-r"), "Привет");
  EXPECT_EQ(to_utf8("\xcf\xf0\xe8\xe2\xe5\xf2", "windows-1251"), "Привет");
  EXPECT_EQ(to_utf8(std::string("h\0i\0", 4), "utf-16"), "hi");
  EXPECT_EQ(to_utf8(std::string("\xfe\xff\0h\0i", 6), "utf-16"), "hi");
  EXPECT_EQ(to_utf8(std::string("a\0b", 3), "us-ascii"), "a b");
  EXPECT_EQ(to_utf8("", "utf-8"), "");
  // One damaged byte does not turn the rest of a UTF-8 text into another charset.
  EXPECT_EQ(to_utf8("éléments détériorés \xff été", "utf-8"), "éléments détériorés \xef\xbf\xbd été");
}

}  // namespace
}  // namespace arch::mime
