// Claim   Mail is told from what is not mail by what stands at its beginning, and mbox separators from sentences.
// Method  Tables of both kinds.
// Teeth   Every table has lines on both sides of the border.
#include "ingest/import/looks.h"

#include <gtest/gtest.h>

#include <string>

namespace arch::import {
namespace {

TEST(LooksLikeMail, OrdinaryHeadersAreMail) {
  EXPECT_TRUE(looks_like_mail("From: a@b.example\r\nSubject: x\r\n\r\nbody"));
  EXPECT_TRUE(looks_like_mail("Received: by mx\n\n"));
  EXPECT_TRUE(looks_like_mail("Content-Type: multipart/mixed; boundary=foo\n\n--foo\n"));
  EXPECT_TRUE(looks_like_mail("X-Unknown: 1\nX-Other: 2\nMessage-ID: <1@x.example>\n\n"));
  EXPECT_TRUE(looks_like_mail("Message-ID: <1@x.example>"));  // no line end at all
}

TEST(LooksLikeMail, JunkBeforeTheFirstFieldIsForgiven) {
  EXPECT_TRUE(looks_like_mail("                    \nDelivered-To: bob@b.example\nReceived: by mx\n\nx"));
  EXPECT_TRUE(looks_like_mail(" From: J <j@b.example>\nSubject: plain\nDate: x\n\nx"));
  EXPECT_TRUE(looks_like_mail("* Waiting for a message...\n=====\nContent-type: text/plain\n\nx"));
  EXPECT_TRUE(looks_like_mail("ligne sans deux-points qui n'est pas un champ\nReturn-Path: <y@b.example>\n\nx"));
}

TEST(LooksLikeMail, OtherTextIsNotMail) {
  EXPECT_FALSE(looks_like_mail(""));
  EXPECT_FALSE(looks_like_mail("\n\n\n"));
  EXPECT_FALSE(looks_like_mail("Dear Sir,\nplease find\n\nSubject: in the body"));
  EXPECT_FALSE(looks_like_mail("store: 5 messages\nreport: 5 read\n must be found by: abricot\n"));
  EXPECT_FALSE(looks_like_mail("#include <string>\nint main() { return 0; }\n"));
  EXPECT_FALSE(looks_like_mail("date: 2024-01-01\ntitle: a page\n"));  // one weak name is not enough
  EXPECT_FALSE(looks_like_mail(std::string("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16)));
}

TEST(LooksLikeMail, FieldsBehindTheHeaderDoNotCount) {
  EXPECT_FALSE(looks_like_mail("Subject: memo\n\nMessage-ID: <quoted@b.example>\n"));
}

TEST(LooksLikeMail, LooksAtABoundedNumberOfLines) {
  std::string below, above;
  for (int i = 0; i < 199; ++i) below += "junk\n";
  for (int i = 0; i < 200; ++i) above += "junk\n";
  EXPECT_TRUE(looks_like_mail(below + "Received: by mx\n\n"));
  EXPECT_FALSE(looks_like_mail(above + "Received: by mx\n\n"));
}

TEST(HeaderField, NameAndColon) {
  for (const char* line : {"Subject: x", "X-1:", "Subject : x", "a:b:c\r\n", "List-ID:\t<x>"})
    EXPECT_TRUE(is_header_field(line)) << line;
  for (const char* line : {"", ":", " Subject: x", "\tcontinued: x", "two words: x", "no colon", "caf\xc3\xa9: x"})
    EXPECT_FALSE(is_header_field(line)) << line;
  EXPECT_TRUE(is_header_field(std::string(76, 'a') + ":"));
  EXPECT_FALSE(is_header_field(std::string(77, 'a') + ":"));
}

TEST(FromLine, SeparatorsOfManyPrograms) {
  for (const char* line :
       {"From alice@b.example Mon Jun  3 12:50:27 1996", "From - Mon Jun  3 12:50:27 1996", "From - ", "From -",
        "From MAILER-DAEMON Fri Jul 8 12:08:34 2011", "From a@b.example Wed, 08 Sep 2010 17:02:52 +0200",
        "From a@b.example  Fri Dec  7 11:07 2001", "From a@b.example Thu Aug 22 12:36:23 2002 remote from uucp",
        "From a@b.example Tue Oct 14 09:11:00 CEST 2025", "From Jane Doe Mon Jun 03 10:00:00 2009",
        "From 1234567890@xxx Sat Mar 02 10:11:12 +0000 2013\r\n", "From a@b.example 14 Oct 2025 09:11:00 +0200"})
    EXPECT_EQ(classify_from_line(line), FromLine::kSeparator) << line;
}

TEST(FromLine, SentencesAreNoSeparators) {
  for (const char* line : {"From the very first day", "From Monday, 3 June on", "From: a@b.example",
                           "from a@b.example Mon Jun 3 12:50:27 1996", ">From a@b.example Mon Jun  3 12:50:27 1996",
                           "From May 1996 to June", "From 10:00 to 12:00 in May", "From ", "From", "From - a dash"})
    EXPECT_EQ(classify_from_line(line), FromLine::kNo) << line;
}

TEST(FromLine, AtMostAThousandBytes) {
  std::string date = " Mon Jun  3 12:50:27 1996";
  EXPECT_EQ(classify_from_line("From " + std::string(995 - date.size(), 'a') + date), FromLine::kSeparator);
  EXPECT_EQ(classify_from_line("From " + std::string(996 - date.size(), 'a') + date), FromLine::kNo);
}

}  // namespace
}  // namespace arch::import
