// Claim   What archctl asks of archd arrives as it was, within its limits; what it takes from a configuration without the loader is
//         what the loader finds there, or nothing.
// Method  Packets there and back, both sides of each limit; configurations beside config::parse().
// Teeth   Packets cut at every byte; every way of writing a key that this reader does not know.
#include <gtest/gtest.h>

#include "tools/ask/where.h"
#include "tools/ask/wire.h"
#include "tools/config/config.h"

namespace arch::ask {
namespace {

Request some_request() {
  Request request;
  request.version = "1.2.3";
  request.words = {"search", "--limit=5", "été", ""};
  request.config = "[archive]\n";
  request.archive_is_configured = true;
  request.data_dir = "./data";
  request.out = {true, true, 132};
  request.err = {false, false, 80};
  return request;
}

TEST(Request, ArrivesAsItWas) {
  auto got = parse_request(encode(some_request()));
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(*got, some_request());
}

TEST(Request, CutOrLongerIsNone) {
  const std::string packet = encode(some_request());
  for (size_t size = 0; size < packet.size(); ++size) EXPECT_FALSE(parse_request(packet.substr(0, size))) << size;
  EXPECT_FALSE(parse_request(packet + "x"));
}

TEST(Request, OfAnotherProtocolIsNone) {
  std::string packet = encode(some_request());
  packet[8] = static_cast<char>(kProtocol + 1);
  EXPECT_FALSE(parse_request(packet));
}

TEST(Request, HasLimits) {
  Request request = some_request();
  request.words.assign(kMaxWords, "x");
  EXPECT_TRUE(parse_request(encode(request)));
  request.words.emplace_back("x");
  EXPECT_FALSE(parse_request(encode(request)));
  request.words.assign(1, std::string(kMaxWordBytes, 'x'));
  EXPECT_TRUE(parse_request(encode(request)));
  request.words[0] += "x";
  EXPECT_FALSE(parse_request(encode(request)));
  request.words.assign(1, "x");
  request.config.assign(kMaxConfigBytes, '#');
  EXPECT_TRUE(parse_request(encode(request)));
  request.config += "#";
  EXPECT_FALSE(parse_request(encode(request)));
  request = some_request();
  const size_t rest = encode(request).size() - request.data_dir.size() + 2;  // its length takes two bytes more
  request.data_dir.assign(kMaxRequestBytes - rest, 'x');
  EXPECT_EQ(encode(request).size(), kMaxRequestBytes);
  EXPECT_TRUE(parse_request(encode(request)));
  request.data_dir += "x";
  EXPECT_FALSE(parse_request(encode(request)));
}

TEST(Reply, ArrivesAsItWas) {
  EXPECT_EQ(parse_reply(encode_taken())->reply, Reply::kTaken);
  auto no = parse_reply(encode_no("busy"));
  ASSERT_TRUE(no);
  EXPECT_EQ(no->reply, Reply::kNo);
  EXPECT_EQ(no->why, "busy");
  for (const Answer& answer :
       {Answer{1, 3, 2, false, "outer"}, Answer{0, 1u << 20, 5, true, ""}, Answer{66, 0, 0, false, ""}}) {
    auto got = parse_reply(encode(answer));
    ASSERT_TRUE(got) << got.error().what;
    EXPECT_EQ(got->reply, Reply::kAnswer);
    EXPECT_EQ(got->answer, answer);
  }
}

TEST(Reply, ThatDoesNotAddUpIsNone) {
  EXPECT_FALSE(parse_reply(""));
  EXPECT_FALSE(parse_reply("\x09"));
  EXPECT_FALSE(parse_reply(encode_taken() + "x"));
  EXPECT_FALSE(parse_reply(encode(Answer{0, 3, 2, false, "oute"})));
  EXPECT_FALSE(parse_reply(encode(Answer{0, 3, 2, true, "outer"})));
  EXPECT_FALSE(parse_reply(encode(Answer{0, kMaxAnswerBytes, 1, true, ""})));
  EXPECT_FALSE(parse_reply(encode(Answer{0, UINT32_MAX, UINT32_MAX, true, ""})));
}

TEST(DataDir, IsThatOfTheLoaderOrNone) {
  struct Case {
    const char* text;
    bool plain;
  };
  const Case cases[] = {
      {"", true},
      {"# nothing\n\n", true},
      {"[archive]\ndata_dir = \"/srv/mail\"\n", true},
      {"[archive]\r\ndata_dir = \"/srv/mail\"\r\n", true},
      {"  [archive] # ours\n\tdata_dir='/srv/m#il' # here\n", true},
      {"[archive]\ntimezone = \"UTC\"\n[capture]\nlmtp = [\n  \"inet:127.0.0.1:1\",\n  \"inet:127.0.0.1:2\",\n]\n",
       true},
      {"[log]\nlevel = \"warn\"\n[archive]\ndata_dir = \"a b\"", true},
      {"[mta]\nown_domains = [\"archive.example\"]\n", true},
      {"archive.data_dir = \"/srv/mail\"\n", false},
      {"archive = { data_dir = \"/srv/mail\" }\n", false},
      {"\"archive\".data_dir = \"/srv/mail\"\n", false},
      {"[ archive ]\ndata_dir = \"/srv/mail\"\n", false},
      {"[\"archive\"]\ndata_dir = \"/srv/mail\"\n", false},
      {"[archive]\n\"data_dir\" = \"/srv/mail\"\n", false},
      {"[archive]\ndata_dir = \"/srv/\\u006dail\"\n", false},
      {"[archive]\ndata_dir = \"\"\"/srv/mail\"\"\"\n", false},
      {"[archive]\ndata_dir = '''/srv/mail'''\n", false},
      {"[report]\nfrom = \"\"\"\n[archive]\ndata_dir = \"/srv/mail\"\n\"\"\"\n", false},
  };
  for (const Case& each : cases) {
    auto loaded = config::parse(each.text, "test");
    ASSERT_TRUE(loaded) << each.text << ": " << loaded.error().what;
    const auto found = plain_data_dir(each.text);
    EXPECT_EQ(found.has_value(), each.plain) << each.text;
    if (found) {
      EXPECT_EQ(*found, loaded->data_dir) << each.text;
    }
  }
}

TEST(DataDir, OfTheCommentedConfigurationIsPlain) {
  std::string text = config::effective(config::Config{});
  auto loaded = config::parse(text, "test");
  ASSERT_TRUE(loaded);
  EXPECT_EQ(plain_data_dir(text), loaded->data_dir);
}

}  // namespace
}  // namespace arch::ask
