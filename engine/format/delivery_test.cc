// Claim   A delivery comes back from its encoding as it went in, fields of a later version included; bytes that no version
//         of ours wrote are refused, whatever they are.
// Method  Golden bytes; round trips; every field cut, doubled, swapped; random bytes.
// Teeth   Renumbering a tag, dropping an unknown field or reading past an end fails here.
#include "engine/format/delivery.h"

#include <gtest/gtest.h>

#include <random>

#include "engine/base/bytes.h"
#include "engine/base/limits.h"

namespace arch {
namespace {

Delivery full_delivery() {
  Delivery delivery;
  delivery.digest = Sha256::of(as_bytes("message"));
  delivery.captured = 1'764'043'200'123'456'789;
  delivery.channel = Channel::kSmtp;
  delivery.flags = kFlagBareLf | kFlag8BitMime;
  delivery.has_mail_from = true;
  delivery.mail_from = "a@example.org";
  delivery.rcpt = {{"b@example.net", "", ""}, {"c@example.net", "rfc822;c@old.example", "SUCCESS,FAILURE"}};
  delivery.client_name = "mx.example.org";
  delivery.client_addr = "192.0.2.1";
  delivery.client_port = "2525";
  delivery.client_helo = "helo.example.org";
  delivery.client_proto = "ESMTP";
  delivery.queue_id = "4F1a2B";
  delivery.mta_host = "mail.example.net";
  delivery.auth_user = "user";
  delivery.origin = "/var/mail/old.mbox#17";
  delivery.separator = "From a@example.org Thu Jan  1 00:00:00 1970";
  delivery.params = {{"RET", "HDRS"}, {"ENVID", "x"}};
  delivery.unknown = {{17, "later"}, {17, "and again"}, {200, std::string("\0\xff", 2)}};
  return delivery;
}

TEST(DeliveryFormat, ComesBackAsItWentIn) {
  const Delivery delivery = full_delivery();
  auto decoded = decode_delivery(encode_delivery(delivery), delivery.digest);
  ASSERT_TRUE(decoded) << decoded.error().what;
  EXPECT_EQ(*decoded, delivery);
  EXPECT_EQ(encode_delivery(*decoded), encode_delivery(delivery));
}

TEST(DeliveryFormat, AnEmptyReversePathIsNotAnUnknownOne) {
  Delivery delivery;
  for (bool known : {false, true}) {
    delivery.has_mail_from = known;
    EXPECT_EQ(decode_delivery(encode_delivery(delivery), Digest())->has_mail_from, known);
  }
}

TEST(DeliveryFormat, TimesBeforeTheEpochAndEveryFlagAndChannelFit) {
  Delivery delivery;
  for (UnixNs time : {INT64_MIN, int64_t{-1}, int64_t{0}, INT64_MAX}) {
    for (uint32_t flags : {0u, 1u, UINT32_MAX}) {
      for (int channel : {1, 5, 255}) {
        delivery.captured = time;
        delivery.flags = flags;
        delivery.channel = static_cast<Channel>(channel);
        EXPECT_EQ(*decode_delivery(encode_delivery(delivery), Digest()), delivery);
      }
    }
  }
}

TEST(DeliveryFormat, TheBytesAreThese) {
  Delivery delivery;
  delivery.captured = 300;
  delivery.channel = Channel::kImport;
  delivery.flags = kFlagNul;
  delivery.has_mail_from = true;
  delivery.mail_from = "a";
  delivery.rcpt = {{"b", "", ""}, {"c", "d", "e"}};
  delivery.client_name = "f";
  delivery.client_addr = "g";
  delivery.client_port = "h";
  delivery.client_helo = "i";
  delivery.client_proto = "j";
  delivery.queue_id = "k";
  delivery.mta_host = "l";
  delivery.auth_user = "m";
  delivery.origin = "n";
  delivery.separator = "o";
  delivery.params = {{"p", "q"}};
  const char golden[] =
      "\x01\x02\xac\x02"
      "\x02\x01\x05"
      "\x03\x01\x04"
      "\x04\x01"
      "a"
      "\x05\x02\x01"
      "b"
      "\x05\x06\x01"
      "c\x01"
      "d\x01"
      "e"
      "\x06\x01"
      "f\x07\x01"
      "g\x08\x01"
      "h\x09\x01"
      "i\x0a\x01"
      "j\x0b\x01"
      "k\x0c\x01"
      "l\x0d\x01"
      "m\x0e\x01"
      "n\x0f\x01"
      "o"
      "\x10\x04\x01"
      "p\x01"
      "q";
  EXPECT_EQ(encode_delivery(delivery), std::string(golden, sizeof golden - 1));
}

TEST(DeliveryFormat, WhatIsCutAnywhereIsRefusedOrALessFullDelivery) {
  const std::string whole = encode_delivery(full_delivery());
  size_t refused = 0;
  for (size_t size = 0; size < whole.size(); ++size) {
    auto decoded = decode_delivery(std::string_view(whole).substr(0, size), Digest());
    if (decoded) {
      EXPECT_EQ(encode_delivery(*decoded), whole.substr(0, size)) << "cut exactly between two fields";
    } else {
      EXPECT_EQ(decoded.error().code, Code::kInvalid);
      ++refused;
    }
  }
  EXPECT_GT(refused, whole.size() * 8 / 10);
}

std::string field(int tag, std::string_view value) {
  ByteWriter out;
  out.u8(static_cast<uint8_t>(tag));
  out.sized(value);
  return out.take();
}

TEST(DeliveryFormat, WhatNoVersionWroteIsRefused) {
  const std::string time = field(1, "\x01"), channel = field(2, "\x01");
  EXPECT_TRUE(decode_delivery(time + channel, Digest()));
  for (const std::string& bad : std::vector<std::string>{"",
                                                         time,
                                                         channel,
                                                         channel + time,
                                                         time + time + channel,
                                                         time + channel + channel,
                                                         time + field(2, std::string(1, '\0')),
                                                         time + field(2, "\x80\x02"),
                                                         time + field(2, "\x01\x01"),
                                                         time + field(2, ""),
                                                         time + channel + field(3, "\xff\xff\xff\xff\x7f"),
                                                         time + channel + field(4, "a") + field(4, "a"),
                                                         time + channel + field(5, "\x05xy"),
                                                         time + channel + field(5, ""),
                                                         time + channel + field(5, "\x01x\x01y"),
                                                         time + channel + field(16, "\x01n"),
                                                         time + channel + field(16, "\x01n\x01v!"),
                                                         field(0, "") + time + channel,
                                                         time + channel + field(17, "") + field(16, "\x01n\x01v"),
                                                         time + channel + "\x11",
                                                         time + channel + "\x11\xff"}) {
    auto decoded = decode_delivery(bad, Digest());
    ASSERT_FALSE(decoded) << testing::PrintToString(bad);
    EXPECT_EQ(decoded.error().code, Code::kInvalid);
  }
}

TEST(DeliveryFormat, LimitsAreKeptOneBelowAtAndOneAbove) {
  const std::string head = field(1, "\x01") + field(2, "\x01");
  for (int64_t difference : {-1, 0, 1}) {
    const size_t value = limits::kDeliveryBytes - head.size() - 5 + difference;  // tag, and a length of four bytes
    const std::string encoded = head + field(17, std::string(value, 'x'));
    ASSERT_EQ(encoded.size(), limits::kDeliveryBytes + difference);
    EXPECT_EQ(decode_delivery(encoded, Digest()).has_value(), difference <= 0);
  }
  for (size_t count : {limits::kMaxRecipients - 1, limits::kMaxRecipients, limits::kMaxRecipients + 1}) {
    Delivery delivery;
    delivery.rcpt.resize(count);
    EXPECT_EQ(decode_delivery(encode_delivery(delivery), Digest()).has_value(), count <= limits::kMaxRecipients);
  }
}

TEST(DeliveryFormat, RandomBytesAreRefusedOrStable) {
  std::mt19937_64 random(1);
  const std::string whole = encode_delivery(full_delivery());
  size_t accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = whole;
    for (uint64_t n = 1 + random() % 3; n-- > 0;) bytes[random() % bytes.size()] = static_cast<char>(random());
    auto decoded = decode_delivery(bytes, Digest());
    if (!decoded) continue;
    ++accepted;
    auto again = decode_delivery(encode_delivery(*decoded), Digest());
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, *decoded);
  }
  EXPECT_GT(accepted, 1000u);
}

TEST(DeliveryFormat, EveryChannelHasItsName) {
  EXPECT_EQ(channel_name(Channel::kLmtp), "lmtp");
  EXPECT_EQ(channel_name(Channel::kSmtp), "smtp");
  EXPECT_EQ(channel_name(Channel::kMilter), "milter");
  EXPECT_EQ(channel_name(Channel::kPipe), "pipe");
  EXPECT_EQ(channel_name(Channel::kImport), "import");
  EXPECT_EQ(channel_name(static_cast<Channel>(77)), "unknown");
}

}  // namespace
}  // namespace arch
