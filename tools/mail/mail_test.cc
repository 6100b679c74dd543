// Claim    What the archive writes is read back by its own parser as it was meant; sendmail gets sender, recipients and bytes, and
//          one that fails, hangs up or is not there is an error that says so.
// Method   Draft to bytes to mime::parse; shell scripts in place of sendmail.
// Teeth    Bytes and arguments are compared; each failing script fails in its own way.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "engine/mime/message.h"
#include "tools/mail/client.h"
#include "tools/mail/compose.h"

namespace arch::mail {
namespace {

TEST(Compose, IsReadBackAsItWasMeant) {
  Draft draft;
  draft.from = "archd@maison.example";
  draft.subject = "Archive : 3 messages manquent \xe2\x80\x94 \xc3\xa0 voir";
  draft.body = "Bonjour,\n\nl'\xc3\xa9t\xc3\xa9.\n.\nFrom ici\n" + std::string(2000, 'x') + "\n";
  draft.headers = {{"Auto-Submitted", "auto-generated"}, {"X-Archd-Alert", "reconcile-missing"}};
  draft.files = {{"t\xc3\xa9moin.pdf", "application/pdf", std::string("%PDF-1.4\0\xff\r\n", 12)}};
  draft.date = 1'795'618'800 * kNsPerSecond;
  draft.message_id = "abc@maison.example";
  const std::string bytes = compose(draft);
  mime::Message parsed = mime::parse(bytes);
  EXPECT_EQ(parsed.subject, draft.subject);
  EXPECT_EQ(parsed.message_id, draft.message_id);
  EXPECT_EQ(parsed.date, draft.date);
  ASSERT_EQ(parsed.from.size(), 1u);
  EXPECT_EQ(parsed.from[0].address, draft.from);
  EXPECT_TRUE(parsed.to.empty());
  for (const auto& header : draft.headers)
    EXPECT_EQ(std::count(parsed.headers.begin(), parsed.headers.end(), header), 1) << header.first;
  ASSERT_EQ(parsed.parts.size(), 3u);
  std::string body = mime::decode_content(bytes, parsed.parts[1], 1 << 20);
  std::erase(body, '\r');
  EXPECT_EQ(body, draft.body);
  EXPECT_EQ(parsed.parts[2].filename, draft.files[0].name);
  EXPECT_EQ(parsed.parts[2].media_type, "application/pdf");
  EXPECT_EQ(mime::decode_content(bytes, parsed.parts[2], 1 << 20), draft.files[0].bytes);
  for (size_t at = bytes.find('\n'); at != std::string::npos; at = bytes.find('\n', at + 1))
    ASSERT_EQ(bytes[at - 1], '\r');
  size_t line = 0;
  for (char c : bytes) {
    line = c == '\n' ? 0 : line + 1;
    ASSERT_LE(line, 998u);
  }
}

class SendmailTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "sendmailXXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string script(const std::string& text) {
    const std::string path = folder_ + "/sendmail";
    std::ofstream(path) << "#!/bin/sh\ncd " << folder_ << "\n" << text;
    ::chmod(path.c_str(), 0755);
    return path;
  }
  std::string read(const std::string& name) {
    std::ifstream in(folder_ + "/" + name);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }
  std::string folder_;
};

TEST_F(SendmailTest, GetsArgumentsAndBytes) {
  const std::string message = "Subject: x\r\n\r\n" + std::string(1 << 20, 'y');
  auto sent = run_sendmail(script("echo \"$@\" >arguments; cat >message\n"), {"archd@mx", {"a@b", "c@d"}}, message);
  ASSERT_TRUE(sent) << describe(sent.error());
  EXPECT_EQ(read("arguments"), "-i -f archd@mx -- a@b c@d\n");
  EXPECT_EQ(read("message"), message);
}

TEST_F(SendmailTest, FailuresAreSaid) {
  const std::string message(1 << 20, 'y');
  EXPECT_EQ(run_sendmail(folder_ + "/none", {"a", {"b"}}, message).error().code, Code::kNotFound);
  auto status = run_sendmail(script("cat >/dev/null; exit 75\n"), {"a", {"b"}}, message);
  EXPECT_NE(status.error().what.find("status 75"), std::string::npos);
  auto deaf = run_sendmail(script("exit 0\n"), {"a", {"b"}}, message);  // it cannot have read it all
  EXPECT_FALSE(deaf);
  auto killed = run_sendmail(script("kill -9 $$\n"), {"a", {"b"}}, "short");
  EXPECT_NE(killed.error().what.find("signal 9"), std::string::npos);
  EXPECT_EQ(run_sendmail(script("exit 0\n"), {"a", {}}, "x").error().code, Code::kUsage);
  EXPECT_EQ(run_sendmail(script("exit 0\n"), {"a", {"b\nc"}}, "x").error().code, Code::kUsage);
}

TEST(SmtpClient, AddressesThatAreNone) {
  EXPECT_EQ(send("nowhere", Protocol::kSmtp, {"a", {"b"}}, "x").error().code, Code::kUsage);
  EXPECT_EQ(send("inet:127.0.0.1:1", Protocol::kSmtp, {"a", {"b>"}}, "x").error().code, Code::kUsage);
  EXPECT_FALSE(send("unix:/nonexistent/socket", Protocol::kLmtp, {"a", {"b"}}, "x"));
}

}  // namespace
}  // namespace arch::mail
