// Claim   The queue id is read only where our server wrote it.
// Method  One mail in the forms that Postfix 3.7 gives to a milter and to LMTP.
// Teeth   Each form that tells has a neighbour that must not.
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

std::string queue_id(const std::string& message, std::string_view host) { return queue_id_of(parse(message), host); }

TEST(Trace, TheQueueIdIsReadWhereOurServerWroteIt) {
  EXPECT_EQ(queue_id(kReceived + kMilter, kHost), "4ABC");
  EXPECT_EQ(queue_id("Return-Path: <>\r\n" + kReceived + kMilter, kHost), "4ABC");
  EXPECT_EQ(queue_id(kReceived + kMilter, "other.example"), "");
  EXPECT_EQ(queue_id(kReceived + kMilter, ""), "") << "it came by SMTP";
  const std::string local =
      "Received: by mx.nous.example (Postfix, from userid 0)\r\n\tid 5DEF01; Wed, 25 Nov 2026 10:00:00 +0100 "
      "(CET)\r\n";
  EXPECT_EQ(queue_id(local + kMilter, kHost), "5DEF01");
  EXPECT_EQ(queue_id(local + kMilter, ""), "5DEF01");
  EXPECT_EQ(queue_id(kMilter, kHost), "");
  EXPECT_EQ(queue_id("X: 1\r\n" + local, kHost), "") << "not on top";
  EXPECT_EQ(queue_id("Received: by mx.nous.example (Exim) id 1a-2b-3c; x\r\n\r\n", kHost), "");
  EXPECT_EQ(queue_id("Received: from a (by mx.nous.example id 9) by x (Postfix) id 7; d\r\n\r\n", kHost), "");
}

}  // namespace
}  // namespace arch::mime
