// Claim   A milter's copy and an always_bcc copy of one mail share a mail key, whichever came first, in one step or two, with
//         or without Message-ID; what only looks alike is kept apart. The direction of a mail follows from our domains, and a
//         catalog made with others is made anew by itself.
// Method  Deliveries appended to a real archive and applied; then the catalog is thrown away and rebuilt, from journal and
//         from segments, and the dumps compared.
// Teeth   Each case that joins has a neighbour, different in one thing, that must not.
#include <gtest/gtest.h>

#include "engine/archive_test_support.h"

namespace arch {
namespace {

constexpr const char* kHost = "mx.nous.example";

std::string mail(const std::string& message_id, const std::string& body = "corps", const std::string& more = {}) {
  return "From: zoe@nous.example\r\nTo: x@eux.example\r\nSubject: Bonjour\r\nDate: Tue, 14 Oct 2025 09:10:00 "
         "+0200\r\n" +
         (message_id.empty() ? "" : "Message-ID: <" + message_id + ">\r\n") + more + "\r\n" + body + "\r\n";
}
std::string received(const std::string& queue_id) {
  return "Received: from poste ([192.0.2.7])\r\n\tby " + std::string(kHost) + " (Postfix) with ESMTP id " + queue_id +
         ";\r\n\tTue, 14 Oct 2025 09:10:01 +0200 (CEST)\r\n";
}

class JoinTest : public archive_test::ArchiveFixture {
 protected:
  Delivery milter(const std::string& queue_id) {
    Delivery delivery;
    delivery.channel = Channel::kMilter;
    delivery.has_mail_from = true;
    delivery.mail_from = "zoe@nous.example";
    delivery.rcpt = {{"x@eux.example", "", ""}, {"cache@eux.example", "", ""}};
    delivery.queue_id = queue_id;
    delivery.mta_host = kHost;
    return delivery;
  }
  Delivery lmtp(const std::string& queue_id) {
    Delivery delivery = milter(queue_id);
    delivery.channel = Channel::kLmtp;
    delivery.rcpt = {{"archive@archive.invalid", "rfc822;archive@archive.invalid", "NEVER"}};
    return delivery;
  }
  size_t copies(const Digest& digest) {
    auto info = archive_->info(digest);
    EXPECT_TRUE(info);
    auto found = archive_->copies(*info);
    EXPECT_TRUE(found);
    return found->size();
  }
  std::string dump() {
    std::string text;
    EXPECT_TRUE(archive_->dump([&](const std::string& line) { text += line + "\n"; }));
    return text;
  }
  void expect_same_after_rebuild() {
    const std::string before = dump();
    const auto status = *archive_->status();
    archive_.reset();
    ASSERT_TRUE(discard_derived(Fs::real(), root_ + "/a", true, false));
    open();
    apply();
    EXPECT_EQ(dump(), before);
    EXPECT_EQ(archive_->status()->joined_same, status.joined_same);
    EXPECT_EQ(archive_->status()->joined_differing, status.joined_differing);
  }
};

TEST_F(JoinTest, CopiesOfOneMailMeetWhicheverComesFirst) {
  for (bool one_step : {true, false}) {
    for (bool milter_first : {true, false}) {
      for (bool with_id : {true, false}) {
        const std::string name = std::to_string(one_step) + std::to_string(milter_first) + std::to_string(with_id);
        SCOPED_TRACE(name);
        const std::string text = mail(with_id ? name + "@nous.example" : "", "corps " + name);
        const std::string queue_id = "4A" + name;
        Digest first =
            milter_first ? append(milter(queue_id), text) : append(lmtp(queue_id), received(queue_id) + text);
        if (!one_step) apply();
        Digest second =
            milter_first ? append(lmtp(queue_id), received(queue_id) + text) : append(milter(queue_id), text);
        apply();
        EXPECT_NE(first, second);
        EXPECT_EQ(copies(first), 2u);
        EXPECT_EQ(copies(second), 2u);
        EXPECT_EQ(archive_->by_queue_id(queue_id)->size(), 2u);
      }
    }
  }
  auto status = archive_->status();
  EXPECT_EQ(status->joined_same, 8u);
  EXPECT_EQ(status->joined_differing, 0u);
  expect_same_after_rebuild();
  ASSERT_TRUE(archive_->request_close_all(kNsPerSecond));
  apply();
  ASSERT_TRUE(archive_->pack(0, 0));
  expect_same_after_rebuild();
}

TEST_F(JoinTest, ALocalSubmissionIsJoinedByItsReceivedField) {
  const std::string text = mail("local@nous.example");
  const std::string trace = "Received: by " + std::string(kHost) +
                            " (Postfix, from userid 0)\r\n\tid 5DEF; Tue, 14 Oct 2025 09:10:01 +0200 (CEST)\r\n";
  Digest first = append(milter("5DEF"), text);
  Digest second = append(lmtp(""), trace + text);
  apply();
  EXPECT_EQ(copies(first), 2u);
  EXPECT_EQ(copies(second), 2u);
  EXPECT_EQ(archive_->status()->joined_same, 1u);
  EXPECT_EQ(archive_->by_queue_id("5DEF")->size(), 2u);
}

TEST_F(JoinTest, DifferentBytesOfOneMailAreOneMailInTwoVariants) {
  Digest first = append(milter("4ABC"), mail("v@nous.example", "corps"));
  Digest second = append(lmtp("4ABC"), received("4ABC") + mail("v@nous.example", "corps\r\n-- \r\nfiltre"));
  apply();
  EXPECT_EQ(copies(first), 2u);
  EXPECT_EQ(copies(second), 2u);
  EXPECT_EQ(archive_->status()->joined_same, 0u);
  EXPECT_EQ(archive_->status()->joined_differing, 1u);
  expect_same_after_rebuild();
}

TEST_F(JoinTest, WhatOnlySharesAQueueIdOrAMessageIdIsKeptApart) {
  Digest mail_one = append(milter("4ABC"), mail("one@nous.example", "un"));
  Digest other_id = append(lmtp("4ABC"), mail("two@nous.example", "deux"));
  Digest other_queue = append(lmtp("4DEF"), mail("one@nous.example", "autre corps"));
  Digest no_id = append(milter("4FFF"), mail("", "sans"));
  Digest no_id_other = append(lmtp("4FFF"), mail("", "sans", "X-A: b\r\n").replace(0, 5, "From:  b"));
  Digest much_later = append(lmtp("4ABC"), received("4ABC") + mail("one@nous.example", "un peu"), 8 * kNsPerDay);
  apply();
  for (const Digest& digest : {mail_one, other_id, other_queue, no_id, no_id_other, much_later})
    EXPECT_EQ(copies(digest), 1u) << digest.hex();
  EXPECT_EQ(archive_->status()->joined_same + archive_->status()->joined_differing, 0u);
}

TEST_F(JoinTest, TheSameMailAgainMeetsItsOwnCopies) {
  for (bool one_step : {true, false}) {
    for (bool with_id : {true, false}) {
      const std::string name = std::to_string(one_step) + std::to_string(with_id);
      SCOPED_TRACE(name);
      const std::string text = mail(with_id ? name + "@nous.example" : "", "corps " + name);
      const Digest digest = append(milter("6A" + name), text);
      append(lmtp("6A" + name), received("6A" + name) + text);
      if (!one_step) apply();
      append(milter("6B" + name), text);
      append(lmtp("6B" + name), received("6B" + name) + text);
      apply();
      EXPECT_EQ(copies(digest), 3u);
    }
  }
  EXPECT_EQ(archive_->status()->joined_same, 8u);
  EXPECT_EQ(archive_->status()->joined_differing, 0u);
  expect_same_after_rebuild();
}

TEST_F(JoinTest, AnImportedMailThatComesAgainWithinOneStepIsFine) {
  Delivery import;
  import.channel = Channel::kImport;
  import.origin = "x.eml";
  const Digest digest = append(import, mail("one@nous.example"));
  append(milter("4ABC"), mail("one@nous.example"));
  append(lmtp("4ABC"), received("4ABC") + mail("one@nous.example"));
  apply();
  EXPECT_EQ(copies(digest), 2u);
}

TEST_F(JoinTest, TheSameMailAgainIsOneMessageWithTwoDeliveries) {
  Digest digest = append(milter("4ABC"), mail("one@nous.example"));
  append(milter("4DEF"), mail("one@nous.example"));
  apply();
  EXPECT_EQ(copies(digest), 1u);
  EXPECT_EQ(archive_->info(digest)->deliveries.size(), 2u);
  EXPECT_EQ(archive_->by_queue_id("4DEF")->size(), 1u);
}

TEST_F(JoinTest, TheDirectionFollowsFromOurDomainsAndTheCatalogFromTheDirection) {
  Delivery internal = milter("1");
  internal.rcpt = {{"lea@nous.example", "", ""}};
  Delivery incoming = milter("2");
  incoming.mail_from = "x@eux.example";
  Delivery bounce = milter("3");
  bounce.mail_from = "";
  const Digest out = append(milter("0"), mail("0@x")), in = append(incoming, mail("1@x")),
               within = append(internal, mail("2@x")), back = append(bounce, mail("3@x")),
               copy = append(lmtp("4"), mail("4@x"));
  apply();
  EXPECT_EQ(archive_->info(out)->direction, Direction::kUnknown);
  open(OwnDomains({"nous.example"}));
  EXPECT_TRUE(archive_->rebuilding());
  apply();
  EXPECT_EQ(archive_->info(out)->direction, Direction::kOutgoing);
  EXPECT_EQ(archive_->info(in)->direction, Direction::kIncoming);
  EXPECT_EQ(archive_->info(within)->direction, Direction::kInternal);
  EXPECT_EQ(archive_->info(copy)->direction, Direction::kOutgoing) << "the archive's own address is no recipient";
  EXPECT_TRUE(archive_->info(back)->bounce);
  EXPECT_FALSE(archive_->info(out)->bounce);
  EXPECT_EQ(archive_->status()->own_domains, std::vector<std::string>{"nous.example"});
  open();  // says nothing about domains: they stay
  EXPECT_FALSE(archive_->rebuilding());
  EXPECT_EQ(archive_->info(out)->direction, Direction::kOutgoing);
  open(OwnDomains({"NOUS.example"}));
  EXPECT_FALSE(archive_->rebuilding());
}

}  // namespace
}  // namespace arch
