// Claim   The core of a mail is the same in every copy that one server hands over, and differs when anything of the mail does;
//         the queue id is read only where our server wrote it.
// Method  One mail in the forms that Postfix 3.7 gives to a milter and to LMTP; each byte of the mail changed in turn.
// Teeth   Every single-byte change outside trace fields and line ends must change the key.
#include "engine/mime/trace.h"

#include <gtest/gtest.h>

namespace arch::mime {
namespace {

const std::string kMilter =
    "From: Zoe <zoe@nous.example>\r\nTo: x@eux.example\r\nSubject: Bonjour\r\n\tdeux lignes\r\n\r\ncorps\r\n..\r\n";
const std::string kReceived =
    "Received: from poste (poste [192.0.2.7])\r\n\tby mx.nous.example (Postfix) with ESMTPSA id 4ABC\r\n\tfor "
    "<x@eux.example>; Wed, 25 Nov 2026 10:00:00 +0100 (CET)\r\n";
const std::string kHost = "mx.nous.example";

std::string with_lf(std::string text) {
  for (size_t at; (at = text.find("\r\n")) != std::string::npos;) text.erase(at, 1);
  return text;
}

TEST(Trace, CopiesOfOneMailShareTheirCore) {
  const uint64_t core = core_key(kMilter, kHost);
  std::string blanks = kMilter;
  blanks.replace(blanks.find("To:"), 3, "To \t:");
  for (const std::string& copy : {kReceived + kMilter, kReceived + kReceived + kMilter,
                                  "Return-Path: <zoe@nous.example>\r\n" + kReceived + kMilter,
                                  "Delivered-To: a@b\r\nX-Original-To: a@b\r\n" + kMilter, with_lf(kMilter),
                                  with_lf(kReceived + kMilter), blanks, kMilter.substr(0, kMilter.size() - 2)})
    EXPECT_EQ(core_key(copy, kHost), core) << copy;
  EXPECT_EQ(core_key(kReceived + kMilter, "MX.nous.example"), core);
  EXPECT_NE(core_key(kReceived + kMilter, "autre.example"), core)
      << "a Received of another server is part of the mail";
  EXPECT_NE(core_key("X-Spam: no\r\n" + kMilter, kHost), core);
  EXPECT_NE(core_key(kMilter + "\r\n", kHost), core);
  EXPECT_NE(core_key("X-Spam: no\r\n" + kReceived + kMilter, kHost), core_key("X-Spam: no\r\n" + kMilter, kHost))
      << "only what is on top is left out";
}

TEST(Trace, AnyChangedByteChangesTheCore) {
  const std::string copy = kReceived + kMilter;
  const uint64_t core = core_key(copy, kHost);
  for (size_t at = kReceived.size(); at < copy.size(); ++at) {
    if (copy[at] == '\r' || copy[at] == '\n') continue;
    std::string changed = copy;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    EXPECT_NE(core_key(changed, kHost), core) << at;
  }
}

TEST(Trace, StrangeMailHasACoreToo) {
  for (const char* text : {"", "\r\n", "\n", "no field\r\n", ":\r\n", "a", "From x\nTo: y\n\n", "\r", "To", "To :"})
    EXPECT_EQ(core_key(text, kHost), core_key(text, kHost));
  EXPECT_NE(core_key("a", kHost), core_key("b", kHost));
}

TEST(Trace, TheQueueIdIsReadWhereOurServerWroteIt) {
  EXPECT_EQ(queue_id_of(kReceived + kMilter, kHost), "4ABC");
  EXPECT_EQ(queue_id_of("Return-Path: <>\r\n" + kReceived + kMilter, kHost), "4ABC");
  EXPECT_EQ(queue_id_of(kReceived + kMilter, "other.example"), "");
  EXPECT_EQ(queue_id_of(kReceived + kMilter, ""), "") << "it came by SMTP";
  const std::string local =
      "Received: by mx.nous.example (Postfix, from userid 0)\r\n\tid 5DEF01; Wed, 25 Nov 2026 10:00:00 +0100 "
      "(CET)\r\n";
  EXPECT_EQ(queue_id_of(local + kMilter, kHost), "5DEF01");
  EXPECT_EQ(queue_id_of(local + kMilter, ""), "5DEF01");
  EXPECT_EQ(queue_id_of(kMilter, kHost), "");
  EXPECT_EQ(queue_id_of("X: 1\r\n" + local, kHost), "") << "not on top";
  EXPECT_EQ(queue_id_of("Received: by mx.nous.example (Exim) id 1a-2b-3c; x\r\n\r\n", kHost), "");
  EXPECT_EQ(queue_id_of("Received: from a (by mx.nous.example id 9) by x (Postfix) id 7; d\r\n\r\n", kHost), "");
}

}  // namespace
}  // namespace arch::mime
