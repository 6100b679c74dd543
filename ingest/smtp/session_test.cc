// Claim   The session gives the replies of RFC 2033 and 5321 in every state, takes content apart exactly (dots, end,
//         flags), never sees two messages where the client sent one, never says 250 before complete(), and keeps its
//         bounds on any input.
// Method  Dialogues with literal replies; every limit below, at and above. Content is compared with a second, simple
//         reading of the whole stream (Oracle). The smuggling matrix: 8 endings that are none, 5 splits, with and
//         without pipelining, with a NUL in three places. Random commands and bytes with fixed seeds (ARCH_SEED=n
//         runs one).
// Teeth   The oracle shares no code with the session; the matrix counts what it ran; random runs assert that they
//         reached stored messages, refused commands and closed sessions.
#include "ingest/smtp/session.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <random>

namespace arch::smtp {
namespace {

using std::string;
using std::string_view;
using namespace std::string_literals;
using namespace std::string_view_literals;

Options test_options() {
  Options options;
  options.hostname = "archive.example";
  return options;
}

const Peer kTrusted{"192.0.2.1", "4711", true};
const Peer kStranger{"198.51.100.9", "25", false};
const Error kDiskFull{Code::kFull, "disk full", {}, 0};

// A session, the messages it handed over, and what it said since last asked.
struct Talk {
  explicit Talk(Protocol protocol = Protocol::kLmtp, Options given = test_options(), Peer peer = kTrusted)
      : options(std::move(given)), session(protocol, options, std::move(peer)) {
    greeting = session.take_output();
  }
  // Sends and gives the reply; messages are acknowledged as they come.
  string say(string_view bytes) {
    session.receive(bytes);
    acknowledge();
    return session.take_output();
  }
  void acknowledge() {
    while (session.waiting()) {
      auto finished = session.take_finished();
      ASSERT_TRUE(finished.has_value());
      stored.push_back(std::move(*finished));
      session.complete(outcome);
    }
  }
  string start(string_view mail = "MAIL FROM:<a@b.example>", string_view rcpt = "RCPT TO:<archive@b.example>") {
    string replies = say("LHLO mx.b.example\r\n");
    replies = say(string(mail) + "\r\n");
    return replies + say(string(rcpt) + "\r\n");
  }
  Options options;
  Session session;
  string greeting;
  Result<void> outcome;
  std::vector<Finished> stored;
};

Talk ready_for_data() {
  Talk talk;
  EXPECT_EQ(talk.start(), "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n");
  EXPECT_EQ(talk.say("DATA\r\n"), "354 End data with <CR><LF>.<CR><LF>\r\n");
  return talk;
}

// ---- 1. Dialogue ----

TEST(SmtpSession, GreetsByProtocol) {
  EXPECT_EQ(Talk(Protocol::kLmtp).greeting, "220 archive.example LMTP archd\r\n");
  EXPECT_EQ(Talk(Protocol::kSmtp).greeting, "220 archive.example ESMTP archd\r\n");
}

TEST(SmtpSession, ListsItsExtensionsToATrustedPeer) {
  EXPECT_EQ(Talk().say("LHLO mx.example\r\n"),
            "250-archive.example\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
            "250-DSN\r\n250-XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE\r\n250 SIZE 0\r\n");
  string to_stranger = Talk(Protocol::kLmtp, test_options(), kStranger).say("LHLO mx.example\r\n");
  EXPECT_EQ(to_stranger.find("XFORWARD"), string::npos);
  EXPECT_NE(to_stranger.find("250 SIZE 0\r\n"), string::npos);
}

TEST(SmtpSession, StatesItsLimitOnlyWhenItRejectsAboveIt) {
  Options options = test_options();
  options.message_bytes = 12345;
  EXPECT_NE(Talk(Protocol::kLmtp, options).say("LHLO x\r\n").find("250 SIZE 0\r\n"), string::npos);
  options.reject_oversize = true;
  EXPECT_NE(Talk(Protocol::kLmtp, options).say("LHLO x\r\n").find("250 SIZE 12345\r\n"), string::npos);
}

TEST(SmtpSession, EachProtocolKnowsItsOwnHello) {
  EXPECT_EQ(Talk(Protocol::kLmtp).say("EHLO x\r\n").substr(0, 9), "500 5.5.1");
  EXPECT_EQ(Talk(Protocol::kLmtp).say("HELO x\r\n").substr(0, 9), "500 5.5.1");
  EXPECT_EQ(Talk(Protocol::kSmtp).say("LHLO x\r\n").substr(0, 9), "500 5.5.1");
  EXPECT_EQ(Talk(Protocol::kSmtp).say("HELO x\r\n"), "250 archive.example\r\n");
  EXPECT_EQ(Talk(Protocol::kSmtp).say("EHLO x\r\n").substr(0, 19), "250-archive.example");
  EXPECT_EQ(Talk().say("LHLO\r\n").substr(0, 9), "501 5.5.4");
  EXPECT_EQ(Talk().say("LHLO " + string(255, 'h') + "\r\n").substr(0, 4), "250-");
  EXPECT_EQ(Talk().say("LHLO " + string(256, 'h') + "\r\n").substr(0, 9), "501 5.5.4");
}

struct Row {
  const char* before;  // commands already given, answered positively
  const char* command;
  const char* reply;  // how the reply starts
};

TEST(SmtpSession, AnswersEveryCommandInEveryState) {
  const char* kHello = "LHLO mx\r\n";
  const char* kMail = "LHLO mx\r\nMAIL FROM:<a@b>\r\n";
  const char* kRcpt = "LHLO mx\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n";
  const char* kUtf8 = "LHLO mx\r\nMAIL FROM:<a@b> SMTPUTF8\r\n";
  const Row rows[] = {
      {"", "MAIL FROM:<a@b>", "503 5.5.1"},
      {"", "RCPT TO:<a@b>", "503 5.5.1"},
      {"", "DATA", "503 5.5.1"},
      {"", "RSET", "250 2.0.0"},
      {"", "NOOP", "250 2.0.0"},
      {"", "NOOP with words", "250 2.0.0"},
      {"", "QUIT", "221 2.0.0"},
      {"", "quit", "221 2.0.0"},
      {"", "VRFY someone", "252 2.5.0"},
      {"", "EXPN list", "502 5.5.1"},
      {"", "HELP", "502 5.5.1"},
      {"", "STARTTLS", "502 5.5.1"},
      {"", "AUTH PLAIN", "502 5.5.1"},
      {"", "BDAT 10 LAST", "502 5.5.1"},
      {"", "FOO", "500 5.5.2"},
      {"", "", "500 5.5.2"},
      {"", "RSET now", "501 5.5.4"},
      {"", "QUIT now", "501 5.5.4"},
      {kHello, "MAIL FROM:<>", "250 2.1.0"},
      {kHello, "mail from:<a@b>", "250 2.1.0"},
      {kHello, "MAIL FROM: <a@b>", "250 2.1.0"},
      {kHello, "MAIL FROM:<a@b> ", "250 2.1.0"},
      {kHello, "MAIL FROM:<@x,@y:a@b>", "250 2.1.0"},
      {kHello, "MAIL FROM:<\"a > b\"@c>", "250 2.1.0"},
      {kHello, "MAIL FROM:<\"a\\\"b\"@c>", "250 2.1.0"},
      {kHello, "MAIL", "501 5.5.4"},
      {kHello, "MAIL TO:<a@b>", "501 5.5.4"},
      {kHello, "MAIL FROM:a@b", "501 5.1.7"},
      {kHello, "MAIL FROM:", "501 5.1.7"},
      {kHello, "MAIL FROM:<a@b", "501 5.1.7"},
      {kHello, "MAIL FROM:<a b@c>", "501 5.1.7"},
      {kHello, "MAIL FROM:<a<b@c>", "501 5.1.7"},
      {kHello, "MAIL FROM:<\"a@b>", "501 5.1.7"},
      {kHello, "MAIL FROM:<a\x01@b>", "501 5.1.7"},
      {kHello, "MAIL FROM:<a@b>SIZE=1", "555 5.5.4"},
      {kHello, "MAIL FROM:<a@b> SIZE=0", "250 2.1.0"},
      {kHello, "MAIL FROM:<a@b> size=10 body=8bitmime", "250 2.1.0"},
      {kHello, "MAIL FROM:<a@b> BODY=7BIT", "250 2.1.0"},
      {kHello, "MAIL FROM:<a@b> BODY=BINARYMIME", "555 5.5.4"},
      {kHello, "MAIL FROM:<a@b> BODY", "555 5.5.4"},
      {kHello, "MAIL FROM:<a@b> SIZE=", "555 5.5.4"},
      {kHello, "MAIL FROM:<a@b> SIZE=-1", "555 5.5.4"},
      {kHello, "MAIL FROM:<a@b> SIZE=1 SIZE=1", "555 5.5.4"},
      {kHello, "MAIL FROM:<a@b> SIZE=1 size=1", "555 5.5.4"},
      {kHello, "MAIL FROM:<a@b> SIZE=123456789012345678901", "555 5.5.4"},
      {kHello, "MAIL FROM:<a@b> SIZE=99999999999999999999", "452 4.3.4"},
      {kHello, "MAIL FROM:<a@b> SIZE=18446744073709551616", "452 4.3.4"},
      {kHello, "MAIL FROM:<a@b> SMTPUTF8", "250 2.1.0"},
      {kHello, "MAIL FROM:<a@b> SMTPUTF8=yes", "555 5.5.4"},
      {kHello, "MAIL FROM:<a@b> RET=FULL ENVID=x+2By", "250 2.1.0"},
      {kHello, "MAIL FROM:<a@b> RET=HDRS", "250 2.1.0"},
      {kHello, "MAIL FROM:<a@b> RET=SOME", "555 5.5.4"},
      {kHello, "MAIL FROM:<a@b> ENVID=x+2", "555 5.5.4"},
      {kHello, "MAIL FROM:<a@b> ENVID=x+2b", "555 5.5.4"},
      {kHello, "MAIL FROM:<a@b> ENVID", "555 5.5.4"},
      {kHello, "MAIL FROM:<a@b> AUTH=<>", "555 5.5.4"},
      {kHello, "MAIL FROM:<a@b> =x", "555 5.5.4"},
      {kHello, "MAIL FROM:<\xC3\xA9@b>", "553 5.6.7"},
      {kHello, "MAIL FROM:<\xC3\xA9@b> SMTPUTF8", "250 2.1.0"},
      {kHello, "RCPT TO:<a@b>", "503 5.5.1"},
      {kHello, "XFORWARD NAME=a.example ADDR=192.0.2.9", "250 2.0.0"},
      {kHello, "XFORWARD name=[UNAVAILABLE]", "250 2.0.0"},
      {kHello, "XFORWARD", "501 5.5.4"},
      {kHello, "XFORWARD NAME", "501 5.5.4"},
      {kHello, "XFORWARD NAME=", "501 5.5.4"},
      {kHello, "XFORWARD NAME=a+2", "501 5.5.4"},
      {kHello, "XFORWARD NAME=a+0Ab", "501 5.5.4"},
      {kHello, "XFORWARD LOGIN=zoe", "501 5.5.4"},
      {kMail, "MAIL FROM:<x@y>", "503 5.5.1"},
      {kMail, "DATA", "503 5.5.1"},
      {kMail, "XFORWARD NAME=a", "503 5.5.1"},
      {kMail, "RCPT TO:<postmaster>", "250 2.1.5"},
      {kMail, "rcpt to:<c@d>", "250 2.1.5"},
      {kMail, "RCPT TO:<c@d> NOTIFY=NEVER ORCPT=rfc822;c@d", "250 2.1.5"},
      {kMail, "RCPT TO:<c@d> NOTIFY=SUCCESS,FAILURE,DELAY", "250 2.1.5"},
      {kMail, "RCPT TO:<c@d> NOTIFY=NEVER,DELAY", "555 5.5.4"},
      {kMail, "RCPT TO:<c@d> NOTIFY=SUCCESS,", "555 5.5.4"},
      {kMail, "RCPT TO:<c@d> NOTIFY", "555 5.5.4"},
      {kMail, "RCPT TO:<c@d> ORCPT=c@d", "555 5.5.4"},
      {kMail, "RCPT TO:<c@d> ORCPT=;c@d", "555 5.5.4"},
      {kMail, "RCPT TO:<c@d> ORCPT", "555 5.5.4"},
      {kMail, "RCPT TO:<c@d> SIZE=1", "555 5.5.4"},
      {kMail, "RCPT", "501 5.5.4"},
      {kMail, "RCPT TO:c@d", "501 5.1.3"},
      {kMail, "RCPT TO:<>", "501 5.1.3"},
      {kMail, "RCPT TO:<c d@e>", "501 5.1.3"},
      {kMail, "RCPT TO:<\xC3\xA9@d>", "553 5.6.7"},
      {kUtf8, "RCPT TO:<\xC3\xA9@d>", "250 2.1.5"},
      {kRcpt, "DATA now", "501 5.5.4"},
      {kRcpt, "DATA", "354"},
      {kRcpt, "RSET", "250 2.0.0"},
      {kRcpt, "NOOP", "250 2.0.0"},
      {kRcpt, "LHLO again", "250-"},
      {kRcpt, "VRFY x", "252 2.5.0"},
      {kRcpt, "QUIT", "221 2.0.0"},
  };
  size_t checked = 0;
  for (const Row& row : rows) {
    SCOPED_TRACE(string(row.before) + row.command);
    Talk talk;
    string before = talk.say(row.before);
    ASSERT_EQ(before.find("\r\n5"), string::npos) << before;
    string got = talk.say(string(row.command) + "\r\n");
    EXPECT_EQ(got.substr(0, strlen(row.reply)), row.reply);
    EXPECT_EQ(talk.session.closing(), string(row.reply).substr(0, 3) == "221");
    ++checked;
  }
  EXPECT_GT(checked, 80u);
}

TEST(SmtpSession, RsetAndHelloForgetTheTransaction) {
  for (const char* command : {"RSET\r\n", "LHLO again\r\n"}) {
    Talk talk;
    talk.start();
    talk.say(command);
    EXPECT_EQ(talk.say("RCPT TO:<c@d>\r\n").substr(0, 3), "503");
    EXPECT_EQ(talk.say("DATA\r\n").substr(0, 3), "503");
  }
}

TEST(SmtpSession, AStrangerMayNotForward) {
  Talk talk(Protocol::kLmtp, test_options(), kStranger);
  talk.say("LHLO x\r\n");
  EXPECT_EQ(talk.say("XFORWARD NAME=a\r\n").substr(0, 9), "550 5.7.0");
}

TEST(SmtpSession, TenErrorsAreAnsweredTheNextEndsTheSession) {
  Talk talk;
  for (size_t i = 0; i < kMaxErrors; ++i) ASSERT_EQ(talk.say("FOO\r\n").substr(0, 9), "500 5.5.2");
  EXPECT_EQ(talk.say("NOOP\r\n"), "250 2.0.0 Ok\r\n");
  EXPECT_FALSE(talk.session.closing());
  EXPECT_EQ(talk.say("FOO\r\n"), "421 4.7.0 archive.example too many errors\r\n");
  EXPECT_TRUE(talk.session.closing());
  EXPECT_EQ(talk.session.fault(), "too many errors");
  EXPECT_EQ(talk.say("NOOP\r\n"), "");
}

TEST(SmtpSession, UnknownRecipientsAreRefusedAndCostNoError) {
  Options options = test_options();
  options.accept_recipients = {"archive@*", "*@KEEP.example"};
  Talk talk(Protocol::kLmtp, options);
  talk.say("LHLO x\r\nMAIL FROM:<a@b>\r\n");
  for (int i = 0; i < 30; ++i) ASSERT_EQ(talk.say("RCPT TO:<other@x.example>\r\n").substr(0, 9), "550 5.1.1");
  EXPECT_EQ(talk.say("DATA\r\n").substr(0, 9), "503 5.5.1");
  EXPECT_EQ(talk.say("RCPT TO:<Archive@anything>\r\n").substr(0, 9), "250 2.1.5");
  EXPECT_EQ(talk.say("RCPT TO:<zoe@keep.EXAMPLE>\r\n").substr(0, 9), "250 2.1.5");
  EXPECT_EQ(talk.say("RCPT TO:<zoe@keep.example.org>\r\n").substr(0, 9), "550 5.1.1");
}

// ---- 2. Lines and limits ----

TEST(SmtpSession, CommandLinesAreBounded) {
  for (int more = -1; more <= 1; ++more) {
    for (size_t piece : {size_t{1}, size_t{7}, size_t{100000}}) {
      SCOPED_TRACE(testing::Message() << "limit " << more << " in pieces of " << piece);
      string line = "NOOP ";
      line.append(kMaxLineBytes - 2 - line.size() + static_cast<size_t>(more + 1) - 1, 'x');
      line += "\r\nNOOP\r\n";
      ASSERT_EQ(line.find("\r\n") + 2, kMaxLineBytes + static_cast<size_t>(more + 1) - 1);
      Talk talk;
      string got;
      for (size_t at = 0; at < line.size(); at += piece) got += talk.say(string_view(line).substr(at, piece));
      EXPECT_EQ(got, more <= 0 ? "250 2.0.0 Ok\r\n250 2.0.0 Ok\r\n" : "500 5.5.2 Line too long\r\n250 2.0.0 Ok\r\n");
    }
  }
}

TEST(SmtpSession, AnEndlessLineIsDiscardedInConstantMemory) {
  Talk talk;
  string block(64 << 10, 'x');
  for (int i = 0; i < 100; ++i) EXPECT_EQ(talk.say(block), "");
  EXPECT_EQ(talk.say("\r"), "");
  EXPECT_EQ(talk.say("\nNOOP\r\n"), "500 5.5.2 Line too long\r\n250 2.0.0 Ok\r\n");
}

TEST(SmtpSession, BareNewlinesAndNulInACommandEndTheSession) {
  const string bad[] = {"NOOP\n",
                        "NOOP\rNOOP\r\n",
                        "NO\0OP\r\n"s,
                        "NOOP\r\r\n",
                        "\nNOOP\r\n",
                        "NOOP x\ny\r\n",
                        "MAIL FROM:<a\r@b>\r\n",
                        string(5000, 'x') + "\n",
                        string(5000, 'x') + "\0\r\n"s,
                        string(5000, 'x') + "\ry\r\n"};
  for (const string& bytes : bad) {
    for (size_t piece : {size_t{1}, size_t{100000}}) {
      Talk talk;
      talk.say("LHLO x\r\n");
      string got;
      for (size_t at = 0; at < bytes.size(); at += piece) got += talk.say(string_view(bytes).substr(at, piece));
      EXPECT_EQ(got, "500 5.5.2 Lines end with <CR><LF>\r\n");
      EXPECT_TRUE(talk.session.closing());
      EXPECT_FALSE(talk.session.fault().empty());
    }
  }
}

TEST(SmtpSession, AddressesAreBounded) {
  for (int more = -1; more <= 1; ++more) {
    Talk talk;
    talk.say("LHLO x\r\n");
    string address(kMaxAddressBytes + static_cast<size_t>(more + 1) - 1, 'a');
    EXPECT_EQ(talk.say("MAIL FROM:<" + address + ">\r\n").substr(0, 3), more <= 0 ? "250" : "501");
    if (more > 0) talk.say("MAIL FROM:<a@b>\r\n");
    EXPECT_EQ(talk.say("RCPT TO:<" + address + ">\r\n").substr(0, 3), more <= 0 ? "250" : "501");
  }
}

TEST(SmtpSession, RecipientsAreBoundedByNumber) {
  Options options = test_options();
  options.max_recipients = 3;
  Talk talk(Protocol::kLmtp, options);
  talk.say("LHLO x\r\nMAIL FROM:<a@b>\r\n");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(talk.say("RCPT TO:<c@d>\r\n"), "250 2.1.5 Ok\r\n");
  EXPECT_EQ(talk.say("RCPT TO:<c@d>\r\n"), "452 4.5.3 Too many recipients\r\n");
  EXPECT_EQ(talk.say("DATA\r\n").substr(0, 3), "354");
  string replies = talk.say("x\r\n.\r\n");
  EXPECT_EQ(std::count(replies.begin(), replies.end(), '\n'), 3);
  ASSERT_EQ(talk.stored.size(), 1u);
  EXPECT_EQ(talk.stored[0].delivery.rcpt.size(), 3u);
}

TEST(SmtpSession, RecipientsAreBoundedByBytesSoThatADeliveryStaysEncodable) {
  Talk talk;
  talk.say("LHLO x\r\nMAIL FROM:<a@b>\r\n");
  string command = "RCPT TO:<" + string(kMaxAddressBytes, 'a') + "> ORCPT=rfc822;" + string(2000, 'o') + "\r\n";
  size_t accepted = 0;
  while (talk.say(command).substr(0, 3) == "250") ASSERT_LT(++accepted, limits::kMaxRecipients);
  EXPECT_EQ(accepted, kMaxEnvelopeBytes / (kMaxAddressBytes + 7 + 2000));
  EXPECT_EQ(talk.say("DATA\r\n").substr(0, 3), "354");
  talk.say(".\r\n");
  ASSERT_EQ(talk.stored.size(), 1u);
  EXPECT_LT(encode_delivery(talk.stored[0].delivery).size(), limits::kDeliveryBytes);
}

TEST(SmtpSession, ForwardedValuesAreBounded) {
  for (int more = -1; more <= 1; ++more) {
    Talk talk;
    string value(kMaxXforwardBytes + static_cast<size_t>(more + 1) - 1, 'v');
    EXPECT_EQ(talk.say("XFORWARD HELO=" + value + "\r\n").substr(0, 3), more <= 0 ? "250" : "501");
  }
}

TEST(SmtpSession, TheSizeLimitHoldsAtMailAndInContent) {
  for (bool reject : {false, true}) {
    Options options = test_options();
    options.message_bytes = 1000;
    options.reject_oversize = reject;
    const string refusal = reject ? "552 5.3.4" : "452 4.3.4";
    for (size_t size : {999u, 1000u, 1001u}) {
      SCOPED_TRACE(size);
      Talk announced(Protocol::kLmtp, options);
      announced.say("LHLO x\r\n");
      EXPECT_EQ(announced.say("MAIL FROM:<a@b> SIZE=" + std::to_string(size) + "\r\n").substr(0, 9),
                size <= 1000 ? "250 2.1.0" : refusal);
      EXPECT_FALSE(announced.session.closing());

      for (size_t piece : {size_t{1}, size_t{100}, size_t{5000}}) {
        Talk counted(Protocol::kLmtp, options);
        counted.start();
        counted.say("DATA\r\n");
        string content = string(size - 2, 'x') + "\r\n.\r\n", got;
        for (size_t at = 0; at < content.size(); at += piece) {
          got += counted.say(string_view(content).substr(at, piece));
          EXPECT_LE(counted.session.buffered_bytes(), 1000u);
        }
        EXPECT_EQ(got.substr(0, 9), size <= 1000 ? "250 2.0.0" : refusal);
        EXPECT_EQ(counted.stored.size(), size <= 1000 ? 1u : 0u);
        EXPECT_EQ(counted.say("MAIL FROM:<next@b>\r\n"), "250 2.1.0 Ok\r\n");
      }
    }
  }
}

TEST(SmtpSession, TheLimitCountsContentWithoutStuffedDots) {
  Options options = test_options();
  options.message_bytes = 6;
  Talk talk(Protocol::kLmtp, options);
  talk.start();
  talk.say("DATA\r\n");
  EXPECT_EQ(talk.say("..\r\n..\r\n.\r\n").substr(0, 9), "250 2.0.0");
  ASSERT_EQ(talk.stored.size(), 1u);
  EXPECT_EQ(talk.stored[0].message, ".\r\n.\r\n");
}

// ---- 3. Replies at the end of a message ----

TEST(SmtpSession, LmtpGivesOneReplyForEachRecipientInOrder) {
  Talk talk;
  talk.start("MAIL FROM:<a@b>", "RCPT TO:<one@b>");
  talk.say("RCPT TO:<two@b>\r\nRCPT TO:bad\r\nRCPT TO:<one@b>\r\n");
  talk.say("DATA\r\n");
  string content = "Subject: x\r\n\r\n";
  string mark = Sha256::of(as_bytes(content)).hex().substr(0, 16);
  EXPECT_EQ(talk.say(content + ".\r\n"), "250 2.0.0 <one@b> archived arch:" + mark + "\r\n" +
                                             "250 2.0.0 <two@b> archived arch:" + mark + "\r\n" +
                                             "250 2.0.0 <one@b> archived arch:" + mark + "\r\n");
}

TEST(SmtpSession, SmtpGivesOneReply) {
  Talk talk(Protocol::kSmtp);
  talk.say("EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<one@b>\r\nRCPT TO:<two@b>\r\nDATA\r\n");
  string mark = Sha256::of(as_bytes("hi\r\n"sv)).hex().substr(0, 16);
  EXPECT_EQ(talk.say("hi\r\n.\r\n"), "250 2.0.0 archived arch:" + mark + "\r\n");
  ASSERT_EQ(talk.stored.size(), 1u);
  EXPECT_EQ(talk.stored[0].delivery.channel, Channel::kSmtp);
  EXPECT_EQ(talk.stored[0].delivery.rcpt.size(), 2u);
}

TEST(SmtpSession, NothingIsAnsweredBeforeTheRecordIsDurable) {
  Talk talk = ready_for_data();
  talk.session.receive("hi\r\n.\r\nNOOP\r\n");
  EXPECT_TRUE(talk.session.waiting());
  EXPECT_EQ(talk.session.take_output(), "");
  auto finished = talk.session.take_finished();
  ASSERT_TRUE(finished);
  EXPECT_FALSE(talk.session.take_finished());
  talk.session.receive("NOOP\r\n");
  EXPECT_EQ(talk.session.take_output(), "");
  talk.session.complete({});
  EXPECT_EQ(talk.session.take_output().substr(0, 9), "250 2.0.0");
}

TEST(SmtpSession, PipelinedCommandsBehindTheMessageAreAnsweredAfterIt) {
  Talk talk = ready_for_data();
  string got = talk.say("one\r\n.\r\nMAIL FROM:<x@y>\r\nRCPT TO:<z@y>\r\nDATA\r\n");
  EXPECT_EQ(got.substr(0, 9), "250 2.0.0");
  EXPECT_EQ(got.substr(got.find('\n') + 1),
            "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n");
  talk.say("two\r\n.\r\n");
  ASSERT_EQ(talk.stored.size(), 2u);
  EXPECT_EQ(talk.stored[0].message, "one\r\n");
  EXPECT_EQ(talk.stored[1].message, "two\r\n");
  EXPECT_EQ(talk.stored[1].delivery.mail_from, "x@y");
}

TEST(SmtpSession, InputKeptBackWhileWaitingIsBounded) {
  for (int more = 0; more <= 1; ++more) {
    Talk talk = ready_for_data();
    talk.session.receive("x\r\n.\r\n");
    talk.session.receive(string(kMaxKeptBack, 'x'));
    if (more > 0) talk.session.receive("x");
    EXPECT_EQ(talk.session.closing(), more > 0);
    EXPECT_EQ(talk.session.waiting(), more == 0);
    EXPECT_EQ(talk.session.fault().empty(), more == 0);
  }
}

TEST(SmtpSession, StoreErrorsHaveTheirCodes) {
  const std::pair<Code, string> rows[] = {
      {Code::kFull, "452 4.3.1 <archive@b.example> insufficient archive storage\r\n"},
      {Code::kTooLarge, "452 4.3.4 <archive@b.example> message over archive limit\r\n"},
      {Code::kIo, "451 4.3.0 <archive@b.example> archive storage error\r\n"},
      {Code::kTryAgain, "451 4.3.0 <archive@b.example> archive storage error\r\n"},
      {Code::kCorrupt, "451 4.3.0 <archive@b.example> archive storage error\r\n"},
      {Code::kDenied, "451 4.3.0 <archive@b.example> archive storage error\r\n"},
  };
  for (const auto& [code, reply] : rows) {
    Talk talk = ready_for_data();
    talk.outcome = tl::unexpected<Error>(Error{code, "test", {}, 0});
    EXPECT_EQ(talk.say("x\r\n.\r\n"), reply);
    EXPECT_EQ(talk.say("MAIL FROM:<again@b>\r\n"), "250 2.1.0 Ok\r\n");
  }
}

TEST(SmtpSession, ASickStoreIsToldAtMail) {
  Talk talk;
  talk.say("LHLO x\r\n");
  talk.session.set_health(StoreHealth::kFull);
  EXPECT_EQ(talk.say("MAIL FROM:<a@b>\r\n"), "452 4.3.1 insufficient archive storage\r\n");
  talk.session.set_health(StoreHealth::kFailed);
  EXPECT_EQ(talk.say("MAIL FROM:<a@b>\r\n"), "451 4.3.0 archive storage error\r\n");
  talk.session.set_health(StoreHealth::kGood);
  EXPECT_EQ(talk.say("MAIL FROM:<a@b>\r\n"), "250 2.1.0 Ok\r\n");
}

TEST(SmtpSession, ShedContentIsAnswered451) {
  Talk talk = ready_for_data();
  talk.say("first part\r\n");
  EXPECT_GT(talk.session.buffered_bytes(), 0u);
  talk.session.shed();
  EXPECT_EQ(talk.session.buffered_bytes(), 0u);
  talk.say(string(1 << 20, 'x'));
  EXPECT_EQ(talk.session.buffered_bytes(), 0u);
  EXPECT_EQ(talk.say("\r\n.\r\n").substr(0, 9), "451 4.3.0");
  EXPECT_TRUE(talk.stored.empty());
}

TEST(SmtpSession, DrainingEndsAtTheNextBorderOfATransaction) {
  Talk idle;
  idle.say("LHLO x\r\n");
  idle.session.drain();
  EXPECT_EQ(idle.session.take_output(), "421 4.3.2 archive.example shutting down\r\n");
  EXPECT_TRUE(idle.session.closing());

  Talk busy;
  busy.start();
  busy.session.drain();
  EXPECT_EQ(busy.session.take_output(), "");
  EXPECT_EQ(busy.say("DATA\r\n").substr(0, 3), "354");
  string got = busy.say("x\r\n.\r\nMAIL FROM:<a@b>\r\n");
  EXPECT_EQ(got.substr(0, 9), "250 2.0.0");
  EXPECT_EQ(got.substr(got.find('\n') + 1), "421 4.3.2 archive.example shutting down\r\n");
  EXPECT_TRUE(busy.session.closing());
  EXPECT_EQ(busy.stored.size(), 1u);

  Talk undecided;
  undecided.start();
  undecided.session.drain();
  EXPECT_EQ(undecided.say("RSET\r\n"), "250 2.0.0 Ok\r\n421 4.3.2 archive.example shutting down\r\n");
}

TEST(SmtpSession, ATimeoutIsSaidAndLeavesNoTrace) {
  Talk talk = ready_for_data();
  talk.say("half a mess");
  talk.session.time_out();
  EXPECT_EQ(talk.session.take_output(), "421 4.4.2 archive.example timeout exceeded\r\n");
  EXPECT_TRUE(talk.session.closing());
  EXPECT_EQ(talk.session.fault(), "timeout");
  EXPECT_EQ(talk.session.buffered_bytes(), 0u);
}

TEST(SmtpSession, RepliesKeepToAsciiAndOneLine) {
  Talk talk;
  talk.start("MAIL FROM:<a@b> SMTPUTF8", "RCPT TO:<\xC3\xA9@b>");
  talk.say("RCPT TO:<" + string(1000, 'r') + ">\r\n");
  talk.say("DATA\r\n");
  string got = talk.say("x\r\n.\r\n");
  EXPECT_EQ(got.substr(0, 17), "250 2.0.0 <??@b> ");
  for (size_t at = 0; at < got.size();) {
    size_t end = got.find('\n', at);
    EXPECT_LE(end + 1 - at, 512u);
    at = end + 1;
  }
  EXPECT_EQ(talk.stored[0].delivery.rcpt[0].address, "\xC3\xA9@b");
  EXPECT_EQ(talk.stored[0].delivery.rcpt[1].address.size(), 1000u);
}

// ---- 4. The delivery ----

TEST(SmtpSession, TheDeliveryRecordsWhatWasSaid) {
  Talk talk;
  talk.say("LHLO mx.b.example\r\n");
  talk.say(
      "XFORWARD NAME=client.example ADDR=IPV6:2001:db8::7 PORT=5555\r\n"
      "XFORWARD PROTO=ESMTP HELO=h+3Dost IDENT=4ABCdefG SOURCE=REMOTE\r\n");
  talk.say(
      "MAIL FROM:<paul@ailleurs.example> SIZE=77 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=QQ+2B1\r\n"
      "RCPT TO:<archive@b.example> ORCPT=rfc822;achat+2Bx@b.example NOTIFY=NEVER\r\n");
  talk.say("DATA\r\n");
  talk.say("bare\nand\rand\0\r\n.\r\n"s);
  ASSERT_EQ(talk.stored.size(), 1u);
  Delivery expected;
  expected.digest = Sha256::of(as_bytes("bare\nand\rand\0\r\n"sv));
  expected.channel = Channel::kLmtp;
  expected.flags = kFlagBareLf | kFlagBareCr | kFlagNul | kFlagSmtpUtf8 | kFlag8BitMime;
  expected.mail_from = "paul@ailleurs.example";
  expected.has_mail_from = true;
  expected.rcpt = {{"archive@b.example", "rfc822;achat+x@b.example", "NEVER"}};
  expected.client_name = "client.example";
  expected.client_addr = "2001:db8::7";
  expected.client_port = "5555";
  expected.client_helo = "h=ost";
  expected.client_proto = "ESMTP";
  expected.queue_id = "4ABCdefG";
  expected.mta_host = "mx.b.example";
  expected.params = {{"SIZE", "77"}, {"RET", "HDRS"}, {"ENVID", "QQ+1"}, {"SOURCE", "REMOTE"}};
  EXPECT_EQ(talk.stored[0].delivery, expected);
  EXPECT_EQ(talk.stored[0].message, "bare\nand\rand\0\r\n"s);
}

TEST(SmtpSession, ForwardedAttributesHoldForOneTransactionAndNeverMix) {
  Talk talk;
  talk.say("LHLO mx\r\nXFORWARD ADDR=192.0.2.77 NAME=[UNAVAILABLE] IDENT=FIRST\r\n");
  for (int i = 0; i < 2; ++i) {
    talk.say("MAIL FROM:<>\r\nRCPT TO:<c@d>\r\nDATA\r\n");
    talk.say("x\r\n.\r\n");
  }
  ASSERT_EQ(talk.stored.size(), 2u);
  const Delivery& first = talk.stored[0].delivery;
  EXPECT_EQ(first.client_addr, "192.0.2.77");
  EXPECT_EQ(first.client_name + first.client_port + first.client_helo + first.client_proto, "");
  EXPECT_EQ(first.queue_id, "FIRST");
  const Delivery& second = talk.stored[1].delivery;
  EXPECT_EQ(second.client_addr, kTrusted.address);
  EXPECT_EQ(second.client_port, kTrusted.port);
  EXPECT_EQ(second.client_helo, "mx");
  EXPECT_EQ(second.client_proto, "LMTP");
  EXPECT_EQ(second.queue_id, "");
  EXPECT_TRUE(second.has_mail_from);
  EXPECT_EQ(second.mail_from, "");
}

TEST(SmtpSession, RsetForgetsForwardedAttributes) {
  Talk talk;
  talk.say("LHLO mx\r\nXFORWARD IDENT=OLD\r\nRSET\r\nMAIL FROM:<>\r\nRCPT TO:<c@d>\r\nDATA\r\n");
  talk.say(".\r\n");
  ASSERT_EQ(talk.stored.size(), 1u);
  EXPECT_EQ(talk.stored[0].delivery.queue_id, "");
}

// ---- 5. Content ----

// A second reading of content, over the whole stream at once: where the message ends and what it is.
struct Oracle {
  explicit Oracle(const string& stream) {
    string all = "\r\n" + stream;
    size_t end = all.find("\r\n.\r\n");
    complete = end != string::npos;
    if (!complete) return;
    used = end + 5 - 2;
    string content = all.substr(0, end + 2);
    for (size_t at = 0; (at = content.find("\r\n.", at)) != string::npos; at += 2) content.erase(at + 2, 1);
    message = content.substr(2);
    for (size_t i = 0; i < message.size(); ++i) {
      bool lf_before = i > 0 && message[i - 1] == '\r';
      if (message[i] == '\n' && !lf_before) flags |= kFlagBareLf;
      if (message[i] == '\r' && (i + 1 == message.size() || message[i + 1] != '\n')) flags |= kFlagBareCr;
      if (message[i] == '\0') flags |= kFlagNul;
    }
  }
  bool complete = false;
  size_t used = 0;
  string message;
  uint32_t flags = 0;
};

void expect_content(const string& stream, size_t piece) {
  Oracle oracle(stream);
  Talk talk = ready_for_data();
  for (size_t at = 0; at < stream.size() && talk.stored.empty(); at += piece)
    talk.say(string_view(stream).substr(at, piece));
  ASSERT_EQ(talk.stored.size(), oracle.complete ? 1u : 0u);
  if (!oracle.complete) return;
  EXPECT_EQ(talk.stored[0].message, oracle.message);
  EXPECT_EQ(talk.stored[0].delivery.flags, oracle.flags);
  EXPECT_EQ(talk.stored[0].delivery.digest, Sha256::of(as_bytes(oracle.message)));
}

TEST(SmtpSession, ContentComesOutAsTheClientMeantIt) {
  const std::pair<string, string> rows[] = {
      {".\r\n", ""},
      {"\r\n.\r\n", "\r\n"},
      {"a\r\n.\r\n", "a\r\n"},
      {"..\r\n.\r\n", ".\r\n"},
      {".a\r\n.\r\n", "a\r\n"},
      {"a\r\n..b\r\n...\r\n.\r\n", "a\r\n.b\r\n..\r\n"},
      {"a\n.b\r\n.\r\n", "a\n.b\r\n"},
      {"a\r.b\r\n.\r\n", "a\r.b\r\n"},
      {"a\n..b\r\n.\r\n", "a\n..b\r\n"},
      {".\ra\r\n.\r\n", "\ra\r\n"},
      {".\r\r\n.\r\n", "\r\r\n"},
      {".\n\r\n.\r\n", "\n\r\n"},
      {"a\r\r\n.\r\n", "a\r\r\n"},
      {"\0.\r\n.\r\n"s, "\0.\r\n"s},
      {string(10000, 'x') + "\r\n.\r\n", string(10000, 'x') + "\r\n"},
  };
  for (const auto& [stream, message] : rows) {
    SCOPED_TRACE(testing::PrintToString(stream.substr(0, 40)));
    EXPECT_EQ(Oracle(stream).message, message);
    for (size_t piece : {1u, 2u, 3u, 100000u}) expect_content(stream, piece);
  }
}

TEST(SmtpSession, EveryShortStreamIsReadAsTheOracleReadsIt) {
  // All streams of up to 7 octets over the alphabet that matters, each behind a line and followed by a true end.
  constexpr string_view kAlphabet("\r\n.x", 4);
  size_t streams = 0, ended_early = 0;
  Options options = test_options();
  for (size_t length = 0; length <= 7; ++length) {
    size_t count = size_t{1} << (2 * length);
    for (size_t number = 0; number < count; ++number) {
      string stream;
      for (size_t i = 0; i < length; ++i) stream += kAlphabet[number >> (2 * i) & 3];
      stream += "\r\n.\r\n";
      Oracle oracle(stream);
      ASSERT_TRUE(oracle.complete);
      Session session(Protocol::kLmtp, options, kTrusted);
      session.receive("LHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n");
      size_t split = number % (stream.size() + 1);
      session.receive(string_view(stream).substr(0, split));
      session.receive(string_view(stream).substr(split));
      auto finished = session.take_finished();
      ASSERT_TRUE(finished) << testing::PrintToString(stream);
      ASSERT_EQ(finished->message, oracle.message) << testing::PrintToString(stream);
      ASSERT_EQ(finished->delivery.flags, oracle.flags) << testing::PrintToString(stream);
      ++streams;
      if (oracle.used < stream.size()) ++ended_early;
    }
  }
  EXPECT_EQ(streams, 21845u);
  EXPECT_GT(ended_early, 10u);
}

TEST(SmtpSession, BareNewlinesCanBeRejected) {
  Options options = test_options();
  options.reject_bare_newline = true;
  for (const char* content : {"a\nb\r\n.\r\n", "a\rb\r\n.\r\n"}) {
    Talk talk(Protocol::kLmtp, options);
    talk.start();
    talk.say("DATA\r\n");
    EXPECT_EQ(talk.say(content).substr(0, 9), "554 5.6.0");
    EXPECT_TRUE(talk.stored.empty());
    EXPECT_EQ(talk.say("MAIL FROM:<a@b>\r\n"), "250 2.1.0 Ok\r\n");
  }
}

TEST(SmtpSession, ContentSentBefore354EndsTheSession) {
  Talk talk;
  talk.start();
  EXPECT_EQ(talk.say("DATA\r\nSubject: early\r\n.\r\n"), "503 5.5.1 Wait for 354 before sending data\r\n");
  EXPECT_TRUE(talk.session.closing());
  EXPECT_TRUE(talk.stored.empty());
}

// ---- 6. Smuggling ----

// What a smuggler hopes the archive takes for the end of a message, and the second message hidden behind it.
TEST(SmtpSession, NoFalseEndingHidesASecondMessage) {
  // {CR LF, LF, CR}² without the true one.
  const string breaks[] = {"\r\n", "\n", "\r"};
  std::vector<string> endings;
  for (const string& before : breaks)
    for (const string& after : breaks)
      if (before + after != "\r\n\r\n") endings.push_back(before + "." + after);
  ASSERT_EQ(endings.size(), 8u);
  // Where NULs stand: nowhere, before the dot, behind it.
  size_t runs = 0;
  for (const string& plain : endings) {
    for (int nul = 0; nul < 3; ++nul) {
      string ending = plain;
      if (nul == 1) ending.insert(ending.find('.'), 1, '\0');
      if (nul == 2) ending.insert(ending.find('.') + 1, 1, '\0');
      string hidden = "MAIL FROM:<evil@x>\r\nRCPT TO:<victim@b>\r\nDATA\r\nhidden\r\n";
      string stream = "Subject: outer\r\n\r\nbody" + ending + hidden + ".\r\n";
      size_t dot = stream.find(ending) + ending.find('.');
      for (int split = 0; split < 5; ++split) {
        for (bool pipelined : {false, true}) {
          SCOPED_TRACE(testing::Message()
                       << testing::PrintToString(ending) << " split " << split << (pipelined ? " pipelined" : ""));
          Talk talk;
          string group = "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n";
          talk.say("LHLO x\r\n");
          if (pipelined) {
            ASSERT_EQ(talk.say(group).substr(28, 3), "354");
          } else {
            for (size_t at = 0; at < group.size(); at = group.find('\n', at) + 1)
              talk.say(string_view(group).substr(at, group.find('\n', at) + 1 - at));
          }
          size_t cuts[] = {0, dot, dot + 1, dot + 2};
          if (split == 4) {
            for (char c : stream) talk.say(string_view(&c, 1));
          } else {
            talk.say(string_view(stream).substr(0, cuts[split]));
            talk.say(string_view(stream).substr(cuts[split]));
          }
          ASSERT_EQ(talk.stored.size(), 1u);
          EXPECT_EQ(talk.stored[0].message, Oracle(stream).message);
          EXPECT_NE(talk.stored[0].message.find("hidden\r\n"), string::npos);
          ++runs;
        }
      }
    }
  }
  EXPECT_EQ(runs, 240u);
}

// ---- 7. Anything ----

TEST(SmtpSession, AnySplitOfADialogueGivesTheSameReplies) {
  const string before =
      "LHLO mx\r\nXFORWARD IDENT=Q1\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<bad\r\nRCPT TO:<e@f>\r\nDATA\r\n";
  const string behind = "Subject: x\r\n\r\n..dots\r\nlast\r\n.\r\nMAIL FROM:<g@h>\r\nRSET\r\nFOO\r\nQUIT\r\n";
  Talk whole;
  string expected = whole.say(before);
  expected += whole.say(behind);
  ASSERT_EQ(whole.stored.size(), 1u);
  for (size_t cut = 0; cut <= before.size() + behind.size(); ++cut) {
    // The client waits for 354, so the two halves are never one piece.
    size_t at_first = std::min(cut, before.size()), at_second = cut - at_first;
    Talk talk;
    string got = talk.say(string_view(before).substr(0, at_first));
    got += talk.say(string_view(before).substr(at_first));
    got += talk.say(string_view(behind).substr(0, at_second));
    got += talk.say(string_view(behind).substr(at_second));
    ASSERT_EQ(got, expected) << "cut at " << cut;
    ASSERT_EQ(talk.stored.size(), 1u);
    ASSERT_EQ(talk.stored[0].delivery, whole.stored[0].delivery);
  }
}

TEST(SmtpSession, RandomInputNeverBreaksTheRules) {
  const char* const pieces[] = {"LHLO x\r\n",
                                "EHLO x\r\n",
                                "MAIL FROM:<a@b>\r\n",
                                "MAIL FROM:<> SIZE=10\r\n",
                                "RCPT TO:<c@d>\r\n",
                                "RCPT TO:<e@f> NOTIFY=NEVER\r\n",
                                "DATA\r\n",
                                "text\r\n",
                                ".\r\n",
                                "\r\n.\r\n",
                                "..\r\n",
                                "\n",
                                "\r",
                                ".",
                                "RSET\r\n",
                                "NOOP\r\n",
                                "XFORWARD NAME=x IDENT=y\r\n",
                                "QUI",
                                "T\r\n",
                                "FOO\r\n",
                                "VRFY\r\n",
                                " ",
                                "<",
                                ">",
                                "\xC3\xA9",
                                "SIZE=",
                                "BDAT 5\r\n",
                                "MAIL FROM:<",
                                "=",
                                "+2B",
                                "HELO\r\n",
                                "\r\n"};
  const char* only = std::getenv("ARCH_SEED");
  uint64_t first = only ? std::strtoull(only, nullptr, 10) : 1, last = only ? first : 4000;
  size_t stored = 0, refused = 0, closed = 0;
  Options options = test_options();
  options.message_bytes = 200;
  options.max_recipients = 3;
  for (uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE(testing::Message() << "rerun with ARCH_SEED=" << seed);
    std::mt19937_64 random(seed);
    Session session(seed % 4 == 0 ? Protocol::kSmtp : Protocol::kLmtp, options, seed % 3 == 0 ? kStranger : kTrusted);
    string said;
    if (seed % 2 == 0) session.receive("LHLO mx\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n");
    if (seed % 8 == 2) session.receive("DATA\r\n");
    for (int step = 0; step < 60 && !session.closing(); ++step) {
      string bytes;
      if (random() % 12 == 0) {
        for (size_t i = random() % 40; i > 0; --i) bytes += static_cast<char>(random());
      } else {
        bytes = pieces[random() % std::size(pieces)];
      }
      string before = session.take_output();
      said += before;
      session.receive(bytes);
      ASSERT_LE(session.buffered_bytes(), options.message_bytes);
      if (session.waiting()) {
        ASSERT_EQ(session.take_output().find(" archived arch:"), string::npos);
        auto finished = session.take_finished();
        ASSERT_TRUE(finished);
        ASSERT_LE(finished->message.size(), options.message_bytes);
        ASSERT_TRUE(finished->message.empty() || finished->message.substr(finished->message.size() - 2) == "\r\n");
        ASSERT_EQ(finished->delivery.digest, Sha256::of(as_bytes(finished->message)));
        ASSERT_GE(finished->delivery.rcpt.size(), 1u);
        ASSERT_LE(finished->delivery.rcpt.size(), options.max_recipients);
        ++stored;
        session.complete(random() % 5 == 0 ? Result<void>(tl::unexpected<Error>(kDiskFull)) : Result<void>());
      }
    }
    said += session.take_output();
    // Every reply is whole lines of printable ASCII that begin with a code.
    for (size_t at = 0; at < said.size();) {
      size_t end = said.find("\r\n", at);
      ASSERT_NE(end, string::npos);
      ASSERT_GE(end - at, 4u);
      ASSERT_TRUE(said[at] >= '2' && said[at] <= '5') << said.substr(at, end - at);
      ASSERT_TRUE(said[at + 3] == ' ' || said[at + 3] == '-');
      for (size_t i = at; i < end; ++i) ASSERT_TRUE(said[i] >= ' ' && said[i] < 0x7f);
      if (said[at] == '5') ++refused;
      at = end + 2;
    }
    if (session.closing()) ++closed;
  }
  if (only) return;
  EXPECT_GT(stored, 100u);
  EXPECT_GT(refused, 1000u);
  EXPECT_GT(closed, 500u);
}

}  // namespace
}  // namespace arch::smtp
