// Claim    A line of Postfix is read the same whoever wrote it down, its time in UTC; other lines are none; queue ids of both
//          forms are told from words.
// Method   Lines in the shapes that syslog, Postfix, journalctl and containers write.
// Teeth    Exact times and fields; words with the letters of a queue id are among the refused.
#include "ingest/reconcile/postfix_line.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace arch::reconcile {
namespace {

constexpr UnixNs kNow = 1'795'618'800 * kNsPerSecond;  // 2026-11-25 15:00:00 UTC
constexpr const char* kBody =
    "mx postfix/qmgr[11150]: C9A7BA72139: from=<client@ailleurs.example>, size=388, nrcpt=2 (queue active)";

class PostfixLineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ::setenv("TZ", "Europe/Paris", 1);
    ::tzset();
  }
  void TearDown() override {
    ::unsetenv("TZ");
    ::tzset();
  }
  LineParser parser_{kNow};
};

TEST_F(PostfixLineTest, EveryTimeStampIsTheSameMoment) {
  for (const char* stamp : {"Nov 25 15:56:17 ", "2026-11-25T15:56:17+01:00 ", "2026-11-25T14:56:17.000000+0000 ",
                            "2026-11-25T14:56:17Z ", "<22>Nov 25 15:56:17 ", "<22>1 2026-11-25T14:56:17Z "}) {
    const std::string text = std::string(stamp) + kBody;
    auto line = LineParser(kNow + kNsPerDay).parse(text);
    ASSERT_TRUE(line) << text;
    EXPECT_EQ(format_rfc3339(line->time), "2026-11-25T14:56:17Z") << text;
    EXPECT_EQ(line->program, "qmgr");
    EXPECT_EQ(line->queue_id, "C9A7BA72139");
    EXPECT_EQ(line->text.substr(0, 8), "from=<cl");
  }
}

TEST_F(PostfixLineTest, AFractionOfASecondIsKept) {
  auto line = parser_.parse(std::string("2026-11-25T14:56:17.123456+00:00 ") + kBody);
  ASSERT_TRUE(line);
  EXPECT_EQ(format_rfc3339(line->time, 6), "2026-11-25T14:56:17.123456Z");
}

TEST_F(PostfixLineTest, ADecemberSeenFromNovemberIsLastYears) {
  auto line = parser_.parse(std::string("Dec  3 00:00:01 ") + kBody);
  ASSERT_TRUE(line);
  EXPECT_EQ(format_rfc3339(line->time), "2025-12-02T23:00:01Z");
}

TEST_F(PostfixLineTest, AContainersLineInsideTheHosts) {
  auto line = parser_.parse(std::string("2026-11-25T15:56:18.1+0100 box mailserver[2211]: Nov 25 15:56:17 ") + kBody);
  ASSERT_TRUE(line);
  EXPECT_EQ(format_rfc3339(line->time), "2026-11-25T14:56:17Z");
  EXPECT_EQ(line->queue_id, "C9A7BA72139");
}

TEST_F(PostfixLineTest, InstancesAndServicesHaveNamesOfTheirOwn) {
  for (const char* tag : {"postfix/submission/smtpd[1]:", "postfix-out/smtpd[1]:", "mx/relay/smtpd[99]:"}) {
    auto line = parser_.parse(std::string("Nov 25 15:56:17 mx ") + tag +
                              " 4cXyz01Bz2Qz1k3: client=a[10.0.0.1], sasl_username=zoe");
    ASSERT_TRUE(line) << tag;
    EXPECT_EQ(line->program, "smtpd");
    EXPECT_EQ(line->queue_id, "4cXyz01Bz2Qz1k3");
  }
}

TEST_F(PostfixLineTest, LinesAboutNoQueueFile) {
  for (const char* text :
       {"warning: hostname a does not resolve", "connect from unknown[127.0.0.1]", "NOQUEUE: reject: RCPT from a",
        "statistics: max connection rate 1/60s", "fatal: no way", "disconnect from a[1] ehlo=1 quit=1"}) {
    auto line = parser_.parse(std::string("Nov 25 15:56:17 mx postfix/smtpd[1]: ") + text);
    ASSERT_TRUE(line) << text;
    EXPECT_EQ(line->queue_id, "") << text;
    EXPECT_EQ(line->text, text);
  }
}

TEST_F(PostfixLineTest, OtherLinesAreNone) {
  for (const char* text :
       {"", " ", "garbage", "Nov 25 15:56:17", "Nov 25 15:56:17 mx sshd[1]: C9A7BA72139: from=<a>",
        "Nov 25 15:56:17 mx dovecot: lmtp(1): C9A7BA72139: saved",
        "Xxx 25 15:56:17 mx postfix/qmgr[1]: C9A7BA72139: removed",
        "2026-13-45T99:99:99Z mx postfix/qmgr[1]: C9A7BA72139: removed", "<22", "<>", "<1>1 ", "2026-11-25T14:56:17"})
    EXPECT_FALSE(parser_.parse(text)) << text;
}

TEST_F(PostfixLineTest, QueueIds) {
  for (const char* id : {"C9A7BA72139", "05153A7201B", "4jZ6Rm6279z1cM49", "ABCDEF", "3zcD6bQnLJz4w"})
    EXPECT_TRUE(is_queue_id(id)) << id;
  for (const char* word : {"warning", "NOQUEUE", "connect", "", "ABC", "lowercase", "zzzz", "4jZ6Rm6279a1cM49",
                           "c9a7ba72139", "C9A7BA72139 "})
    EXPECT_FALSE(is_queue_id(word)) << word;
}

TEST_F(PostfixLineTest, Fields) {
  const std::string_view text =
      "to=<a,b c@x>, orig_to=<o@x>, relay=127.0.0.1[127.0.0.1]:2424, delay=0.06, dsn=2.0.0, status=sent (250 "
      "to=<no>)";
  EXPECT_EQ(field_of(text, "to"), "a,b c@x");
  EXPECT_EQ(field_of(text, "orig_to"), "o@x");
  EXPECT_EQ(field_of(text, "status"), "sent");
  EXPECT_EQ(field_of(text, "dela"), "");
  EXPECT_EQ(field_of("from=<open", "from"), "open");
  EXPECT_EQ(field_of("from=<>", "from"), "");
  EXPECT_EQ(field_of("", "from"), "");
}

}  // namespace
}  // namespace arch::reconcile
