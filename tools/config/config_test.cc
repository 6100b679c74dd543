// Claim   A configuration is taken as written or refused with file and line; nothing in it is passed over.
// Method  Texts with one fault each; what `archctl config` prints is read again.
// Teeth   Each border of a range is tried on both sides.
#include "tools/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

namespace arch::config {
namespace {

using testing::HasSubstr;

std::string error_of(const std::string& text) {
  auto config = parse(text, "x.toml");
  if (config) return "no error";
  EXPECT_EQ(config.error().code, Code::kUsage);
  return describe(config.error());
}

TEST(Config, AnEmptyFileGivesTheDefaults) {
  auto config = parse("", "x.toml");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->cap_bytes, 100ull << 30);
  EXPECT_THAT(config->capture_lmtp, testing::ElementsAre("inet:127.0.0.1:2424"));
  EXPECT_THAT(config->capture_milter, testing::ElementsAre("inet:127.0.0.1:2425"));
  EXPECT_EQ(config->pack_age, kNsPerDay);
}

TEST(Config, EveryKeyIsRead) {
  auto config = parse(R"([archive]
data_dir = "/srv/mail"
cap_bytes = "1.5T"
reserve_bytes = 4096
timezone = "UTC"
[capture]
lmtp = "unix:/run/archd/lmtp.sock"
smtp = ["inet:127.0.0.1:2525", "unix:/run/archd/smtp.sock"]
milter = []
peers = "10.0.0.0/8"
accept_rcpt = ["archive@*"]
max_rcpt = 200
bare_newline = "reject"
oversize = "reject"
managed = false
max_connections = 10
[limits]
message_bytes = "32M"
[mta]
own_domains = ["example.fr", "Exemple.fr"]
[index]
languages = ["en"]
shard_messages = 1000
headers = ["X-Run-Id", "X-Job"]
[pack]
bytes = "64M"
age = "2h"
)",
                      "x.toml");
  ASSERT_TRUE(config) << describe(config.error());
  EXPECT_EQ(config->data_dir, "/srv/mail");
  EXPECT_EQ(config->cap_bytes, 3ull << 39);
  EXPECT_EQ(config->reserve_bytes, 4096u);
  EXPECT_EQ(config->timezone, "UTC");
  EXPECT_THAT(config->capture_lmtp, testing::ElementsAre("unix:/run/archd/lmtp.sock"));
  EXPECT_THAT(config->capture_smtp, testing::ElementsAre("inet:127.0.0.1:2525", "unix:/run/archd/smtp.sock"));
  EXPECT_THAT(config->capture_milter, testing::IsEmpty());
  EXPECT_THAT(config->capture_peers, testing::ElementsAre("10.0.0.0/8"));
  EXPECT_THAT(config->capture_accept_rcpt, testing::ElementsAre("archive@*"));
  EXPECT_EQ(config->capture_max_rcpt, 200u);
  EXPECT_THAT(config->index_headers, testing::ElementsAre("x-run-id", "x-job"));
  EXPECT_TRUE(config->capture_reject_bare_newline);
  EXPECT_TRUE(config->capture_reject_oversize);
  EXPECT_THAT(config->mta_own_domains, testing::ElementsAre("example.fr", "exemple.fr"));
  EXPECT_FALSE(config->capture_managed);
  EXPECT_EQ(config->capture_max_connections, 10u);
  EXPECT_EQ(config->message_bytes, 32ull << 20);
  EXPECT_EQ(config->index_languages, std::vector<std::string>{"en"});
  EXPECT_EQ(config->index_shard_messages, 1000u);
  EXPECT_EQ(config->pack_bytes, 64ull << 20);
  EXPECT_EQ(config->pack_age, 2 * 3600 * kNsPerSecond);
}

TEST(Config, WhatIsPrintedReadsBackTheSame) {
  Config config;
  config.data_dir = "/srv/a \"b\" \\c";
  config.cap_bytes = (1ull << 40) + 1024;
  config.capture_managed = false;
  std::string text = effective(config);
  auto again = parse(text, "x.toml");
  ASSERT_TRUE(again) << describe(again.error());
  for (const Key& key : keys()) {
    EXPECT_EQ(key.get(*again), key.get(config)) << key.name;
    EXPECT_THAT(text, HasSubstr("\n" + std::string(key.name) + " = "));
    EXPECT_FALSE(key.meaning.empty());
  }
}

TEST(Config, KeysAreUnique) {
  std::set<std::string> seen;
  for (const Key& key : keys())
    EXPECT_TRUE(seen.insert(std::string(key.section) + "." + std::string(key.name)).second);
}

TEST(Config, AnUnknownKeyNamesLineAndNeighbour) {
  EXPECT_EQ(error_of("[archive]\n\ncap_byte = \"1G\"\n"),
            "x.toml:3: unknown key archive.cap_byte — did you mean cap_bytes?");
  EXPECT_EQ(error_of("[archiv]\nx = 1\n"), "x.toml:1: unknown section [archiv] — did you mean archive?");
  EXPECT_THAT(error_of("data_dir = \"x\"\n"), HasSubstr("x.toml:1: unknown section [data_dir]"));
  EXPECT_THAT(error_of("[archive.data_dir]\n"), HasSubstr("a string is wanted"));
}

TEST(Config, AWrongValueNamesLineAndRange) {
  EXPECT_THAT(error_of("[archive]\ndata_dir = 1\n"), HasSubstr("x.toml:2: archive.data_dir: a string is wanted"));
  EXPECT_THAT(error_of("[capture]\nmanaged = \"yes\"\n"), HasSubstr("true or false"));
  EXPECT_THAT(error_of("[capture]\nlmtp = \"127.0.0.1:24\"\n"), HasSubstr("unix:/PATH or inet:HOST:PORT"));
  EXPECT_THAT(error_of("[index]\nlanguages = [\"de\"]\n"), HasSubstr("known: \"fr\", \"en\""));
  EXPECT_THAT(error_of("[pack]\nage = 10\n"), HasSubstr("a string is wanted"));
  EXPECT_THAT(error_of("[archive]\ncap_bytes = -1\n"), HasSubstr("a string is wanted"));
}

TEST(Config, RangesHoldAtTheirBorders) {
  for (auto [value, good] : {std::pair{"0", false}, {"1", true}, {"10000", true}, {"10001", false}})
    EXPECT_EQ(bool(parse(std::string("[capture]\nmax_connections = ") + value, "x")), good) << value;
  for (auto [value, good] : {std::pair{"256M", true}, {"257M", false}, {"64K", true}, {"63K", false}})
    EXPECT_EQ(bool(parse(std::string("[limits]\nmessage_bytes = \"") + value + "\"", "x")), good) << value;
  for (auto [value, good] : {std::pair{"59s", false}, {"60s", true}, {"365d", true}, {"366d", false}})
    EXPECT_EQ(bool(parse(std::string("[pack]\nage = \"") + value + "\"", "x")), good) << value;
}

TEST(Config, ASyntaxErrorNamesTheLine) {
  EXPECT_THAT(error_of("[archive]\n[\n"), HasSubstr("x.toml:2: "));
  EXPECT_THAT(error_of("[archive]\ncap_bytes = \n"), HasSubstr("x.toml:2: "));
}

TEST(Config, AFileThatWasAskedForMustBeThere) {
  auto config = load("/nonexistent/archd.toml");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, Code::kNotFound);
  setenv("ARCHD_CONFIG", "/nonexistent/other.toml", 1);
  config = load("");
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().what, HasSubstr("other.toml"));
  unsetenv("ARCHD_CONFIG");
}

TEST(Config, ADirectoryIsNoFile) {
  auto config = load("/");
  EXPECT_FALSE(config);
}

}  // namespace
}  // namespace arch::config
