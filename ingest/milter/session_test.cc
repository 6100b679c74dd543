// Claim   The session speaks milter protocol 6 as Postfix does, rebuilds the message byte for byte, answers "accept"
// only
//         after complete(), never refuses for content, and ends on any packet it does not understand.
// Method  Packets built by hand from the protocol's description; every script is also fed one byte at a time and in
// two
//         pieces. Random packet sequences with fixed seeds.
// Teeth   Expected answers are literal bytes.
#include "ingest/milter/session.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace arch::milter {
namespace {

using ingest::Finished;
using ingest::StoreHealth;
using std::string;
using namespace std::string_literals;

string packet(char code, const string& data = {}) {
  uint32_t length = static_cast<uint32_t>(data.size() + 1);
  string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(length >> shift);
  return out + code + data;
}
string z(const string& text) { return text + '\0'; }

// What Postfix 3.7 offers: version 6, actions 0x1ff, steps 0x1fffff.
const string kNegotiate = "\x00\x00\x00\x0d\x4f\x00\x00\x00\x06\x00\x00\x01\xff\x00\x1f\xff\xff"s;
const string kConnect = packet('D', "C" + z("j") + z("mx.maison.example") + z("{daemon_name}") + z("mx")) +
                        packet('C', z("client.example") + "4" + "\x04\x01"s + z("192.0.2.7"));
const string kHelo = packet('D', "H") + packet('H', z("client.example"));
const string kMail =
    packet('D', "M" + z("i") + z("4ABC") + z("{auth_authen}") + z("zoe") + z("{auth_type}") + z("PLAIN")) +
    packet('M', z("<paul@ailleurs.example>") + z("BODY=8BITMIME") + z("SIZE=100") + z("ENVID=a+2Bb"));
const string kRcpt =
    packet('D', "R") + packet('R', z("<achat@maison.example>") + z("NOTIFY=NEVER") + z("ORCPT=rfc822;x+40y"));
const string kData = packet('D', "T") + packet('T');
const string kHeaders = packet('D', "L") + packet('L', z("Subject") + z(" Bonjour\n\tdeux lignes")) +
                        packet('D', "L") + packet('L', z("X-Empty") + z("")) + packet('D', "N") + packet('N');
const string kBody = packet('D', "B") + packet('B', "premi\xc3\xa8re\r\n..point\r\n") + packet('B', "fin\r\n");
const string kEnd = packet('D', "E" + z("i") + z("4ABC")) + packet('E');
const string kScript = kNegotiate + kConnect + kHelo + kMail + kRcpt + kData + kHeaders + kBody + kEnd;
const string kMessage = "Subject: Bonjour\r\n\tdeux lignes\r\nX-Empty:\r\n\r\npremi\xc3\xa8re\r\n..point\r\nfin\r\n";

void feed(Session& session, const string& bytes, size_t piece) {
  for (size_t at = 0; at < bytes.size(); at += piece) session.receive(std::string_view(bytes).substr(at, piece));
}

TEST(MilterSession, NegotiatesWhatItNeedsAndNothingThatModifies) {
  Session session{Options{}};
  session.receive(kNegotiate);
  string answer = session.take_output();
  ASSERT_GT(answer.size(), 17u);
  EXPECT_EQ(answer.substr(4, 13), "O\x00\x00\x00\x06\x00\x00\x01\x00\x00\x1d\xb1\x80"s);
  EXPECT_NE(answer.find("{client_addr}"), string::npos);
  EXPECT_NE(answer.find("{auth_authen}"), string::npos);
}

TEST(MilterSession, OffersNoMoreThanWasOffered) {
  Session session{Options{}};
  session.receive("\x00\x00\x00\x0d\x4f\x00\x00\x00\x02\x00\x00\x00\x3f\x00\x00\x00\x7f"s);
  EXPECT_EQ(session.take_output(), "\x00\x00\x00\x0d\x4f\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00"s);
}

TEST(MilterSession, RebuildsTheMessageAndItsEnvelopeHoweverTheBytesAreSplit) {
  for (size_t piece : {size_t{1}, size_t{2}, size_t{7}, kScript.size()}) {
    SCOPED_TRACE(piece);
    Session session{Options{}};
    feed(session, kScript, piece);
    ASSERT_FALSE(session.closing()) << session.fault();
    ASSERT_TRUE(session.waiting());
    auto finished = session.take_finished();
    ASSERT_TRUE(finished);
    EXPECT_EQ(finished->message, kMessage);
    const Delivery& delivery = finished->delivery;
    EXPECT_EQ(delivery.digest, Sha256::of(as_bytes(kMessage)));
    EXPECT_EQ(delivery.channel, Channel::kMilter);
    EXPECT_EQ(delivery.mail_from, "paul@ailleurs.example");
    ASSERT_EQ(delivery.rcpt.size(), 1u);
    EXPECT_EQ(delivery.rcpt[0], (Recipient{"achat@maison.example", "rfc822;x@y", "NEVER"}));
    EXPECT_EQ(delivery.client_addr, "192.0.2.7");
    EXPECT_EQ(delivery.client_port, "1025");
    EXPECT_EQ(delivery.client_helo, "client.example");
    EXPECT_EQ(delivery.queue_id, "4ABC");
    EXPECT_EQ(delivery.mta_host, "mx.maison.example");
    EXPECT_EQ(delivery.auth_user, "zoe");
    EXPECT_EQ(delivery.flags, static_cast<uint32_t>(kFlag8BitMime));
    EXPECT_NE(std::find(delivery.params.begin(), delivery.params.end(), std::make_pair("ENVID"s, "a+b"s)),
              delivery.params.end());
  }
}

TEST(MilterSession, AcceptsOnlyAfterComplete) {
  Session session{Options{}};
  session.receive(kScript);
  string answers = session.take_output();
  EXPECT_EQ(answers.substr(answers.size() - 5), packet('c')) << "the answer to MAIL is the last before the end";
  session.progress();
  EXPECT_EQ(session.take_output(), packet('p'));
  session.complete({});
  EXPECT_EQ(session.take_output(), packet('a'));
  session.progress();
  EXPECT_EQ(session.take_output(), "") << "nobody waits any more";
}

TEST(MilterSession, AStoreThatFailsIsAlwaysATemporaryAnswer) {
  const std::pair<Code, string> cases[] = {{Code::kFull, "y452 4.3.1 insufficient archive storage"},
                                           {Code::kTooLarge, "y452 4.3.4 message over archive limit"},
                                           {Code::kIo, "y451 4.3.0 archive storage error"},
                                           {Code::kInvalid, "y451 4.3.0 archive storage error"}};
  for (const auto& [code, answer] : cases) {
    Session session{Options{}};
    session.receive(kScript);
    session.take_output();
    session.complete(fail(code, "test"));
    EXPECT_EQ(session.take_output(), packet(answer[0], answer.substr(1) + '\0'));
    EXPECT_FALSE(session.closing());
  }
}

TEST(MilterSession, ASickStoreIsToldAtMail) {
  Session session{Options{}};
  session.receive(kNegotiate + kConnect + kHelo);
  session.take_output();
  session.set_health(StoreHealth::kFull);
  session.receive(kMail);
  EXPECT_EQ(session.take_output(), packet('y', "452 4.3.1 insufficient archive storage\0"s));
  session.set_health(StoreHealth::kGood);
  session.receive(packet('A') + kMail);
  EXPECT_EQ(session.take_output(), packet('c'));
}

TEST(MilterSession, TakesSeveralMessagesAndForgetsAnAbortedOne) {
  Session session{Options{}};
  session.receive(kNegotiate + kConnect + kHelo + kMail + kRcpt + kData + kHeaders + packet('A'));
  const string second = packet('D', "M" + z("i") + z("5DEF")) + packet('M', z("<>")) + packet('R', z("x@y.example"));
  session.receive(second + kHeaders + kBody + packet('E'));
  auto finished = session.take_finished();
  ASSERT_TRUE(finished);
  EXPECT_EQ(finished->message, kMessage);
  EXPECT_EQ(finished->delivery.queue_id, "5DEF");
  EXPECT_EQ(finished->delivery.auth_user, "") << "the login of the message before must not stick";
  EXPECT_EQ(finished->delivery.mail_from, "");
  EXPECT_EQ(finished->delivery.rcpt[0].address, "x@y.example");
  session.complete({});
  session.receive(kMail + kRcpt + kHeaders + packet('E', "tail"));
  finished = session.take_finished();
  ASSERT_TRUE(finished);
  EXPECT_EQ(finished->message, "Subject: Bonjour\r\n\tdeux lignes\r\nX-Empty:\r\n\r\ntail");
}

TEST(MilterSession, LimitsHoldBelowAtAndAbove) {
  for (int over : {-1, 0, 1}) {
    Options options;
    options.message_bytes = kMessage.size() - over;
    Session session{options};
    session.receive(kScript);
    EXPECT_EQ(session.waiting(), over <= 0) << over;
    if (over > 0) {
      string answers = session.take_output();
      EXPECT_NE(answers.find("452 4.3.4"), string::npos);
      session.receive(kMail);
      EXPECT_FALSE(session.closing()) << "the next message is served";
    }
  }
  for (size_t recipients : {1u, 2u, 3u}) {
    Options options;
    options.max_recipients = 2;
    Session session{options};
    session.receive(kNegotiate + kConnect + kHelo + kMail);
    for (size_t i = 0; i < recipients; ++i) session.receive(kRcpt);
    session.receive(kHeaders + kBody + packet('E'));
    EXPECT_EQ(session.waiting(), recipients <= 2);
  }
  for (int over : {-1, 0, 1}) {
    Session session{Options{}};
    session.receive(kNegotiate + kConnect + kHelo + kMail + kHeaders);
    session.receive(packet('B', string(kMaxPacket - 1 + over, 'x')));
    EXPECT_EQ(session.closing(), over > 0);
  }
}

TEST(MilterSession, APacketOutOfOrderOrMalformedEndsItWithoutATrace) {
  const string start = kNegotiate + kConnect + kHelo;
  const string scripts[] = {
      kConnect,
      packet('A'),
      packet('D', "C"),
      packet('O', "short"),
      kNegotiate + kNegotiate,
      kNegotiate + kMail,
      kNegotiate + packet('C', z("h")),
      kNegotiate + packet('C', z("h") + "4\x00"s),
      start + kRcpt,
      start + kHeaders,
      start + packet('B', "x"),
      start + packet('E'),
      start + kMail + kMail,
      start + kMail + packet('B', "x"),
      start + kMail + packet('E'),
      start + kMail + packet('L', "no terminator"),
      start + kMail + packet('L', z("name only")),
      start + kMail + packet('R', "no terminator"),
      start + packet('D', "M" + z("name without value")),
      start + packet('z'),
      start + string(4, '\0'),
      start + "\x7f\xff\xff\xff",
      start + packet('M', z(string(kMaxAddressBytes + 1, 'a'))),
      start + packet('D', "M" + z("big") + z(string(kMaxMacroBytes, 'a'))),
  };
  for (const string& script : scripts) {
    Session session{Options{}};
    session.receive(script);
    EXPECT_TRUE(session.closing()) << testing::PrintToString(script.substr(0, 60));
    EXPECT_FALSE(session.fault().empty());
    EXPECT_FALSE(session.take_finished());
    EXPECT_EQ(session.buffered_bytes(), 0u);
  }
}

TEST(MilterSession, QuitIsNoFault) {
  Session session{Options{}};
  session.receive(kScript);
  session.take_finished();
  session.complete({});
  session.receive(packet('Q'));
  EXPECT_TRUE(session.closing());
  EXPECT_EQ(session.fault(), "");
}

TEST(MilterSession, InputBehindTheEndOfAMessageWaitsForItsAnswer) {
  Session session{Options{}};
  session.receive(kScript + kMail);
  ASSERT_TRUE(session.take_finished());
  session.take_output();
  session.complete({});
  EXPECT_EQ(session.take_output(), packet('a') + packet('c'));
}

TEST(MilterSession, ContentGivenBackIsAnsweredForLaterAndTheNextMessageIsServed) {
  Session session{Options{}};
  session.receive(kNegotiate + kConnect + kHelo + kMail + kRcpt + kData + kHeaders);
  EXPECT_TRUE(session.holds_content());
  EXPECT_GT(session.buffered_bytes(), 0u);
  session.shed();
  EXPECT_FALSE(session.holds_content());
  EXPECT_EQ(session.buffered_bytes(), 0u);
  session.take_output();
  session.receive(kBody + kEnd);
  EXPECT_FALSE(session.take_finished());
  EXPECT_NE(session.take_output().find("451 4.3.0"), string::npos);
  session.receive(kMail + kRcpt + kData + kHeaders + kBody + kEnd);
  ASSERT_TRUE(session.take_finished());
}

TEST(MilterSession, DrainingFinishesWhatIsUnderWayAndBeginsNothing) {
  Session idle{Options{}};
  idle.receive(kNegotiate + kConnect);
  idle.drain();
  EXPECT_TRUE(idle.closing());
  EXPECT_EQ(idle.fault(), "");

  Session busy{Options{}};
  busy.receive(kNegotiate + kConnect + kHelo + kMail + kRcpt + kData + kHeaders);
  busy.drain();
  EXPECT_FALSE(busy.closing());
  busy.receive(kBody + kEnd);
  ASSERT_TRUE(busy.take_finished());
  busy.take_output();
  busy.complete({});
  EXPECT_EQ(busy.take_output(), packet('a'));
  EXPECT_TRUE(busy.closing());

  Session aborted{Options{}};
  aborted.receive(kNegotiate + kConnect + kHelo + kMail + kRcpt);
  aborted.drain();
  aborted.receive(packet('A'));
  EXPECT_TRUE(aborted.closing());
}

TEST(MilterSession, SilenceIsAllowedUntilTheContentComes) {
  Session session{Options{}};
  EXPECT_TRUE(session.speaks_for_another());
  session.receive(kNegotiate + kConnect + kHelo + kMail + kRcpt);
  EXPECT_TRUE(session.speaks_for_another());
  EXPECT_TRUE(session.in_transaction());
  session.receive(kData + kHeaders);
  EXPECT_FALSE(session.speaks_for_another());
  EXPECT_TRUE(session.receiving_content());
  session.time_out();
  EXPECT_TRUE(session.closing());
  EXPECT_EQ(session.fault(), "timeout");
  EXPECT_FALSE(session.in_transaction());
}

TEST(MilterSession, RandomSequencesNeverHangCrashOrAnswerTwice) {
  const string pieces[] = {kConnect,
                           kHelo,
                           kMail,
                           kRcpt,
                           kData,
                           kHeaders,
                           kBody,
                           kEnd,
                           packet('A'),
                           packet('K'),
                           packet('U', z("XYZZY")),
                           packet('Q'),
                           packet('E'),
                           packet('N'),
                           "\x00\x00"s,
                           "garbage"};
  for (uint32_t seed = 0; seed < 10'000; ++seed) {
    std::mt19937 random(seed);
    Session session{Options{}};
    session.receive(kNegotiate);
    session.take_output();
    size_t finished = 0, accepted = 0;
    for (int step = 0; step < 30 && !session.closing(); ++step) {
      // Mostly in order, so that the later states are reached.
      size_t index = random() % 4 != 0 ? static_cast<size_t>(step % 8) : random() % std::size(pieces);
      string bytes = pieces[index];
      if (random() % 50 == 0 && !bytes.empty())
        bytes[random() % bytes.size()] ^= static_cast<char>(1 << random() % 8);
      session.receive(bytes);
      if (session.take_finished()) ++finished;
      if (session.waiting()) session.complete({});
      string output = session.take_output();
      for (size_t at = output.find(packet('a')); at != string::npos; at = output.find(packet('a'), at + 5))
        ++accepted;
    }
    ASSERT_EQ(finished, accepted) << "seed " << seed;
  }
}

}  // namespace
}  // namespace arch::milter
