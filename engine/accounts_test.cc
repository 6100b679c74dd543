// Promise: what the accounts say is the sum of what came, whichever way the catalog got there.
#include "engine/accounts.h"

#include <gmock/gmock.h>

#include "engine/archive_test_support.h"

namespace arch {
namespace {

using testing::ElementsAre;

TEST(ContentKindTest, TypeFirstThenName) {
  EXPECT_EQ(content_kind("text/plain", ""), ContentKind::kText);
  EXPECT_EQ(content_kind("application/pdf", "x.bin"), ContentKind::kPdf);
  EXPECT_EQ(content_kind("application/octet-stream", "Facture.PDF"), ContentKind::kPdf);
  EXPECT_EQ(content_kind("application/vnd.openxmlformats-officedocument.wordprocessingml.document", ""),
            ContentKind::kOffice);
  EXPECT_EQ(content_kind("text/plain", "tarif.xls"), ContentKind::kOffice);
  EXPECT_EQ(content_kind("image/jpeg", "photo"), ContentKind::kImages);
  EXPECT_EQ(content_kind("application/x-zip-compressed", "a.zip"), ContentKind::kArchives);
  EXPECT_EQ(content_kind("application/octet-stream", ""), ContentKind::kOther);
  EXPECT_EQ(content_kind("", ""), ContentKind::kOther);
}

TEST(ContentKindTest, BytesAddUpToTheSizeWhateverTheParts) {
  const std::vector<MessageInfo::Attachment> parts = {{"2", "application/pdf", "a.pdf", 600},
                                                      {"3", "image/png", "b.png", 700},
                                                      {"4", "message/rfc822", "", 900}};
  const auto bytes = content_bytes(parts, 1'000);
  EXPECT_THAT(bytes, ElementsAre(0, 400, 600, 0, 0, 0));
  EXPECT_THAT(content_bytes({}, 10), ElementsAre(10, 0, 0, 0, 0, 0));
}

TEST(MonthTest, CountsFromYearZero) {
  EXPECT_EQ(month_of(0), 1970 * 12);
  EXPECT_EQ(month_of(-1), 1969 * 12 + 11);
}

class AccountsTest : public archive_test::ArchiveFixture {
 protected:
  using Accounts = std::map<ArchiveUsage::AccountKey, ArchiveUsage::Account>;
  Accounts accounts() {
    auto found = archive_->accounts();
    EXPECT_TRUE(found);
    return found ? *found : Accounts();
  }
  ArchiveUsage::Account one(AccountKind kind, const std::string& name) {
    ArchiveUsage::Account sum;
    for (const auto& [key, account] : accounts())
      if (key.kind == kind && key.name == name) sum += account;
    return sum;
  }
  static Delivery over_lmtp(const std::string& from, const std::vector<std::string>& to) {
    Delivery delivery;
    delivery.channel = Channel::kLmtp;
    delivery.has_mail_from = true;
    delivery.mail_from = from;
    for (const std::string& address : to) delivery.rcpt.push_back({address, "", ""});
    return delivery;
  }
};

TEST_F(AccountsTest, EachMailboxOnceTheSecondCopyBringsNothingNew) {
  open(OwnDomains({"dupont.example"}));
  const std::string message = "From: x@y.example\r\nTo: Paul@Dupont.example\r\nSubject: a\r\n\r\nbonjour\r\n";
  append(over_lmtp("x@y.example", {"Paul@Dupont.example", "paul@dupont.example", "anne@dupont.example"}), message);
  append(over_lmtp("x@y.example", {"anne@dupont.example"}), message);
  apply();
  const uint64_t size = message.size();
  EXPECT_EQ(one(AccountKind::kMailbox, "paul@dupont.example"), (ArchiveUsage::Account{1, size, size}));
  EXPECT_EQ(one(AccountKind::kMailbox, "anne@dupont.example"), (ArchiveUsage::Account{2, 2 * size, size}));
  EXPECT_EQ(one(AccountKind::kDomain, "dupont.example"), (ArchiveUsage::Account{2, 2 * size, size}));
  EXPECT_EQ(one(AccountKind::kDirection, "incoming"), (ArchiveUsage::Account{2, 2 * size, size}));
  EXPECT_EQ(one(AccountKind::kContent, "text"), (ArchiveUsage::Account{2, 2 * size, size}));
  EXPECT_EQ(one(AccountKind::kMailbox, "x@y.example"), ArchiveUsage::Account());
}

TEST_F(AccountsTest, AnImportIsNoGrowthAndCountsByItsHeader) {
  open(OwnDomains({"dupont.example"}));
  Delivery delivery;
  delivery.channel = Channel::kImport;
  delivery.origin = "old.mbox:1";
  const std::string message = "From: anne@dupont.example\r\nTo: x@y.example\r\nSubject: b\r\n\r\nvieux\r\n";
  append(delivery, message);
  apply();
  auto usage = archive_->usage();
  ASSERT_TRUE(usage);
  ASSERT_EQ(usage->days.size(), 1u);
  EXPECT_EQ(usage->days.begin()->second.imported_bytes, message.size());
  EXPECT_EQ(usage->days.begin()->second.new_bytes, message.size());
  EXPECT_EQ(one(AccountKind::kMailbox, "anne@dupont.example").new_bytes, message.size());
  EXPECT_EQ(one(AccountKind::kDirection, "outgoing").deliveries, 1u);
}

TEST_F(AccountsTest, ARestartAndARebuildGiveTheSameSumsAndTheyAddUp) {
  open(OwnDomains({"dupont.example"}));
  for (int i = 0; i < 120; ++i) {
    const std::string from = i % 3 == 0 ? "anne@dupont.example" : "x" + std::to_string(i % 5) + "@y.example";
    append(over_lmtp(from, {"p" + std::to_string(i % 7) + "@dupont.example"}),
           "From: " + from + "\r\nSubject: " + std::to_string(i % 50) + "\r\n\r\n" + std::string(100 + i % 50, 'x'),
           i * 6 * 3'600 * kNsPerSecond);
    if (i % 10 == 0) apply();
  }
  apply();
  const Accounts before = accounts();
  uint64_t by_direction = 0, by_content = 0;
  for (const auto& [key, account] : before) {
    if (key.kind == AccountKind::kDirection) by_direction += account.bytes;
    if (key.kind == AccountKind::kContent) by_content += account.bytes;
  }
  EXPECT_EQ(by_direction, archive_->usage()->received_bytes);
  EXPECT_EQ(by_content, archive_->usage()->received_bytes);
  const auto days = archive_->usage()->days;

  open(OwnDomains({"dupont.example"}));
  apply();
  EXPECT_EQ(accounts(), before);
  ASSERT_TRUE(archive_->close_journal());
  apply();
  ASSERT_TRUE(archive_->pack(0, 0));
  archive_.reset();
  ASSERT_TRUE(discard_derived(Fs::real(), root_ + "/a", true, true));
  open(OwnDomains({"dupont.example"}));
  apply();
  EXPECT_EQ(accounts(), before);
  EXPECT_EQ(archive_->usage()->days, days);
}

}  // namespace
}  // namespace arch
