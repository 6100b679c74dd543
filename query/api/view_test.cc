// Claim   Whichever copy of a mail is opened, its view names every person it was for with where that is known from, every
//         delivery of every copy, and how the copies differ.
// Method  A milter copy with a Bcc recipient and an always_bcc copy of one mail in a real archive; both are opened.
// Teeth   Lists are compared whole.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/archive_test_support.h"
#include "query/api/api.h"

namespace arch::api {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

class ViewTest : public archive_test::ArchiveFixture {
 protected:
  void SetUp() override {
    ArchiveFixture::SetUp();
    open(OwnDomains({"nous.example"}));
  }
  std::string deliver(Channel channel, std::vector<Recipient> rcpt, const std::string& message) {
    Delivery delivery;
    delivery.channel = channel;
    delivery.has_mail_from = true;
    delivery.mail_from = "zoe@nous.example";
    delivery.rcpt = std::move(rcpt);
    delivery.queue_id = "4ABC";
    delivery.mta_host = "mx.nous.example";
    const std::string id = append(delivery, message).hex();
    apply();
    return id;
  }
};

TEST_F(ViewTest, BothCopiesOfAMailTellTheWholeStory) {
  const std::string mail =
      "From: Zoe <zoe@nous.example>\r\nTo: Paul <paul@eux.example>, PAUL@eux.example\r\nCc: lea@nous.example\r\n"
      "Subject: Bonjour\r\nMessage-ID: <1@nous.example>\r\nDate: Tue, 14 Oct 2025 09:10:00 +0200\r\n\r\ncorps\r\n";
  const std::string received = "Received: by mx.nous.example (Postfix) id 4ABC; Tue, 14 Oct 2025 09:10:00 +0200\r\n";
  const std::string milter = deliver(
      Channel::kMilter, {{"paul@eux.example", "", ""}, {"lea@nous.example", "", ""}, {"cache@eux.example", "", ""}},
      "X-Avant: oui\r\n" + mail);
  const std::string lmtp = deliver(Channel::kLmtp, {{"archive@archive.invalid", "", "NEVER"}}, received + mail);
  for (const auto& [opened, other] : {std::pair(milter, lmtp), std::pair(lmtp, milter)}) {
    auto view = view_message(*archive_, opened);
    ASSERT_TRUE(view) << describe(view.error());
    EXPECT_EQ(view->info.direction, Direction::kOutgoing);
    std::vector<std::pair<std::string, std::vector<std::string_view>>> people;
    for (const RecipientView& each : view->recipients) people.emplace_back(each.address, each.sources);
    using Sources = std::vector<std::string_view>;
    EXPECT_THAT(people, ElementsAre(Pair("paul@eux.example", Sources{"rcpt-to", "to"}),
                                    Pair("lea@nous.example", Sources{"rcpt-to", "cc"}),
                                    Pair("cache@eux.example", Sources{"rcpt-to"})));
    EXPECT_EQ(view->recipients[0].name, "Paul");
    ASSERT_EQ(view->deliveries.size(), 2u);
    EXPECT_EQ(view->delivery_count, 2u);
    EXPECT_EQ(view->deliveries[0].delivery.digest.hex(), milter);
    EXPECT_EQ(view->deliveries[1].delivery.digest.hex(), lmtp);
    ASSERT_EQ(view->variants.size(), 1u);
    const VariantView& variant = view->variants[0];
    EXPECT_EQ(variant.digest.hex(), other);
    EXPECT_TRUE(variant.compared);
    EXPECT_TRUE(variant.same_body);
    EXPECT_THAT(variant.channels, ElementsAre(opened == milter ? Channel::kLmtp : Channel::kMilter));
    const auto& of_milter = opened == milter ? variant.only_here : variant.only_there;
    const auto& of_lmtp = opened == milter ? variant.only_there : variant.only_here;
    EXPECT_THAT(of_milter, ElementsAre(Pair("X-Avant", "oui")));
    EXPECT_THAT(of_lmtp, ElementsAre(Pair("Received", HasSubstr("4ABC"))));
    const std::string text = message_text(*view, {});
    EXPECT_THAT(text, HasSubstr("cache@eux.example  (by the envelope alone)"));
    EXPECT_THAT(text, HasSubstr("same text"));
    EXPECT_THAT(message_json(*view), HasSubstr("\"sources\":[\"rcpt-to\",\"cc\"]"));
  }
}

TEST_F(ViewTest, AChangedBodyIsSaidToBeOne) {
  const std::string mail = "From: zoe@nous.example\r\nMessage-ID: <2@nous.example>\r\n\r\n";
  const std::string one = deliver(Channel::kMilter, {{"a@eux.example", "", ""}}, mail + "corps\r\n");
  deliver(Channel::kLmtp, {{"archive@archive.invalid", "", "NEVER"}}, mail + "corps\r\n-- \r\nfiltre\r\n");
  auto view = view_message(*archive_, one);
  ASSERT_TRUE(view);
  ASSERT_EQ(view->variants.size(), 1u);
  EXPECT_FALSE(view->variants[0].same_body);
  EXPECT_TRUE(view->variants[0].only_here.empty());
  EXPECT_THAT(message_text(*view, {}), HasSubstr("other text"));
}

}  // namespace
}  // namespace arch::api
