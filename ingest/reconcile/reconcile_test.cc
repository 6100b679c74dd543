// Claim    Each mail that Postfix took on is counted once, as archived, missing or waiting, and each exception names its
//          reason; what was refused or never was anybody's mail does not count.
// Method   Logs in the words of Postfix 3.7.11, written for each case, beside evidence that is written down, not asked of an
//          archive (tests/e2e does that); random logs made of the same lines.
// Teeth    Whole reports are compared: a mail counted twice, or a reason that is another one's, shows.
#include "ingest/reconcile/reconcile.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

namespace arch::reconcile {
namespace {

constexpr UnixNs kNow = 1'795'618'800 * kNsPerSecond;  // 2026-11-25 15:00:00 UTC

class Lines : public LogSource {
 public:
  explicit Lines(std::vector<std::string> lines) : lines_(std::move(lines)) {}
  Result<bool> next(std::string* line) override {
    if (at_ == lines_.size()) return false;
    *line = lines_[at_++];
    return true;
  }

 private:
  std::vector<std::string> lines_;
  size_t at_ = 0;
};

struct WrittenDown : Evidence {
  std::set<std::string> marks, ids;
  Result<bool> holds_digest(const std::string& mark) override { return marks.count(mark) != 0; }
  Result<bool> holds_queue_id(const std::string& id, UnixNs from, UnixNs to) override {
    EXPECT_LT(from, to);
    return ids.count(id) != 0;
  }
};

/// A log under construction: one line a second.
class Log {
 public:
  Log& line(const std::string& program, const std::string& text) {
    const UnixNs time = start_ + seconds_++ * kNsPerSecond;
    lines_.push_back(format_rfc3339(time) + " mx postfix/" + program + "[100]: " + text);
    return *this;
  }
  Log& pause(int64_t seconds) {
    seconds_ += seconds;
    return *this;
  }
  Log& taken(const std::string& id, const std::string& sender = "zoe@maison.example") {
    line("smtpd", id + ": client=unknown[127.0.0.1]");
    line("cleanup", id + ": message-id=<" + id + "@maison.example>");
    return line("qmgr", id + ": from=<" + sender + ">, size=388, nrcpt=2 (queue active)");
  }
  Log& copied(const std::string& id, const std::string& mark) {
    return line("lmtp", id +
                            ": to=<archive@archive.invalid>, relay=127.0.0.1[127.0.0.1]:2424, delay=0.06, "
                            "delays=0.05/0.01/0/0, dsn=2.0.0, "
                            "status=sent (250 2.0.0 <archive@archive.invalid> archived arch:" +
                            mark + ")");
  }
  Log& sent(const std::string& id) {
    return line(
        "smtp",
        id + ": to=<paul@ailleurs.example>, relay=1.2.3.4[1.2.3.4]:25, delay=0.1, delays=0/0/0/0.1, dsn=2.0.0, "
             "status=sent (250 2.0.0 Ok: queued as 7C1B5A72FFF)");
  }
  Log& removed(const std::string& id) { return line("qmgr", id + ": removed"); }

  Report reconcile(WrittenDown& evidence, UnixNs since = 0) {
    Lines source(lines_);
    Options options;
    options.now = kNow;
    options.since = since;
    auto report = reconcile::reconcile(source, evidence, options);
    EXPECT_TRUE(report) << describe(report.error());
    return report ? *report : Report{};
  }
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  std::vector<std::string> lines_;
  UnixNs start_ = kNow - 2 * kNsPerDay;
  int64_t seconds_ = 0;
};

std::string mark(int number) {
  char text[17];
  std::snprintf(text, sizeof text, "%016x", number);
  return text;
}

/// queue id and reason of each exception
std::vector<std::string> reasons(const Report& report) {
  std::vector<std::string> out;
  for (const Finding& each : report.exceptions)
    out.push_back(each.queue_id + " " + std::string(reason_name(each.reason)));
  return out;
}
using Strings = std::vector<std::string>;

TEST(Reconcile, WhatIsThereIsThere) {
  Log log;
  WrittenDown evidence;
  for (int i = 0; i < 10; ++i) {
    const std::string id = "C9A7BA7213" + std::to_string(i);
    log.taken(id).copied(id, mark(i)).sent(id).removed(id);
    evidence.marks.insert(mark(i));
  }
  log.taken("D000000001").sent("D000000001").removed("D000000001");  // by the milter alone
  evidence.ids.insert("D000000001");
  Report report = log.reconcile(evidence);
  EXPECT_EQ(summary_line(report), "11 accepted, 11 archived, 0 missing");
  EXPECT_EQ(reasons(report), Strings{});
}

TEST(Reconcile, MissingIsNamedWithItsSender) {
  Log log;
  log.taken("A000000001", "paul@maison.example").sent("A000000001").removed("A000000001");
  WrittenDown evidence;
  Report report = log.reconcile(evidence);
  EXPECT_EQ(summary_line(report), "1 accepted, 0 archived, 1 missing");
  ASSERT_EQ(report.exceptions.size(), 1u);
  EXPECT_EQ(
      exception_line(report.exceptions[0]),
      "A000000001  2026-11-23T15:00:00Z  <paul@maison.example>  missing (message-id=<A000000001@maison.example>)");
}

TEST(Reconcile, AcknowledgedAndNotHeldIsTheWorst) {
  Log log;
  log.taken("A000000001").copied("A000000001", mark(1)).sent("A000000001").removed("A000000001");
  WrittenDown evidence;
  evidence.ids.insert("A000000001");  // another copy of it does not make the acknowledgement true
  Report report = log.reconcile(evidence);
  EXPECT_EQ(report.missing, 1u);
  EXPECT_EQ(reasons(report), Strings{"A000000001 lost"});
  EXPECT_EQ(report.exceptions[0].detail, "arch:" + mark(1));
}

TEST(Reconcile, RefusedAndGivenUpWasNobodysMail) {
  Log log;
  log.line(
      "smtpd",
      "NOQUEUE: reject: RCPT from unknown[1.2.3.4]: 550 5.1.1 <a@b>: Recipient address rejected; from=<x> to=<a@b>");
  log.line("smtpd", "A000000001: client=unknown[1.2.3.4]");
  log.line("smtpd", "lost connection after DATA (23 bytes) from unknown[1.2.3.4]");
  log.line("smtpd", "A000000002: client=unknown[1.2.3.4]");
  log.line("cleanup", "A000000002: message-id=<x>");
  log.line("cleanup",
           "A000000002: milter-reject: END-OF-MESSAGE from unknown[1.2.3.4]: 4.7.1 Service unavailable - try again "
           "later; from=<x@y> "
           "to=<a@b> proto=ESMTP helo=<h>");
  log.line("smtpd", "A000000003: client=unknown[1.2.3.4]");
  log.line("cleanup", "A000000003: discard: header Subject: buy from unknown[1.2.3.4]; from=<x@y> to=<a@b>");
  WrittenDown evidence;
  Report report = log.reconcile(evidence);
  EXPECT_EQ(summary_line(report), "0 accepted, 0 archived, 0 missing");
  EXPECT_EQ(reasons(report), (Strings{"A000000002 refused", "A000000003 refused"}));
  EXPECT_EQ(report.refused, 2u);
  EXPECT_EQ(report.given_up, 1u);
  EXPECT_EQ(report.rejected, 1u);
}

TEST(Reconcile, StillQueuedDeferredAndOnHoldAreWaiting) {
  Log log;
  log.taken("A000000001");
  log.taken("A000000002")
      .line(
          "lmtp",
          "A000000002: to=<archive@archive.invalid>, relay=none, delay=1, delays=1/0/0/0, dsn=4.4.1, status=deferred "
          "(connect to 127.0.0.1[127.0.0.1]:2424: Connection refused)");
  log.line("smtpd", "A000000003: client=unknown[1.2.3.4]");
  log.line("cleanup", "A000000003: message-id=<x>");
  log.line("cleanup", "A000000003: hold: header Subject: odd from unknown[1.2.3.4]; from=<x@y> to=<a@b>");
  WrittenDown evidence;
  Report report = log.reconcile(evidence);
  EXPECT_EQ(summary_line(report), "3 accepted, 0 archived, 0 missing");
  EXPECT_EQ(report.waiting, 3u);
  EXPECT_EQ(reasons(report), (Strings{"A000000001 queued", "A000000002 copy-deferred", "A000000003 on-hold"}));
  EXPECT_NE(report.exceptions[1].detail.find("Connection refused"), std::string::npos);
}

TEST(Reconcile, ACopyThatIsLateIsToldThoughTheMilterHasTheMail) {
  Log log;
  log.taken("A000000002")
      .line("lmtp",
            "A000000002: to=<archive@archive.invalid>, relay=none, delay=1, dsn=4.4.1, status=deferred (no route)");
  WrittenDown evidence;
  evidence.ids.insert("A000000002");
  Report report = log.reconcile(evidence);
  EXPECT_EQ(summary_line(report), "1 accepted, 1 archived, 0 missing");
  EXPECT_EQ(reasons(report), Strings{"A000000002 copy-deferred"});
}

TEST(Reconcile, ACopyGivenUpIsMissing) {
  Log log;
  log.taken("A000000001")
      .line("lmtp", "A000000001: to=<archive@archive.invalid>, relay=none, dsn=4.4.1, status=deferred (no route)");
  log.pause(5 * 86'400)
      .line("qmgr", "A000000001: from=<zoe@maison.example>, status=expired, returned to sender")
      .removed("A000000001");
  log.taken("A000000002")
      .line("lmtp",
            "A000000002: to=<archive@archive.invalid>, relay=a, dsn=5.0.0, status=bounced (host a said: 552 5.3.4 "
            "too big)");
  log.removed("A000000002");
  log.taken("A000000003").line("postsuper", "A000000003: removed");
  WrittenDown evidence;
  Report report = log.reconcile(evidence);
  EXPECT_EQ(summary_line(report), "3 accepted, 0 archived, 3 missing");
  EXPECT_EQ(reasons(report), (Strings{"A000000001 copy-lost", "A000000002 copy-lost", "A000000003 deleted"}));
}

TEST(Reconcile, AMailThatAFilterHandedBackIsOne) {
  Log log;
  log.taken("A000000001");
  log.line("smtpd",
           "B000000001: client=localhost[127.0.0.1], orig_queue_id=A000000001, orig_client=unknown[127.0.0.1]");
  log.line("cleanup", "B000000001: message-id=<A000000001@maison.example>");
  log.line("qmgr", "B000000001: from=<zoe@maison.example>, size=593, nrcpt=2 (queue active)");
  log.line("smtp",
           "A000000001: to=<p@q>, relay=127.0.0.1[127.0.0.1]:10025, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as "
           "B000000001)");
  log.removed("A000000001").pause(5000).copied("B000000001", mark(7)).removed("B000000001");
  // Without XFORWARD the log alone tells: queued as, and the same Message-ID.
  log.taken("A000000002");
  log.line("smtpd", "B000000002: client=localhost[127.0.0.1]");
  log.line("cleanup", "B000000002: message-id=<A000000002@maison.example>");
  log.line("qmgr", "B000000002: from=<zoe@maison.example>, size=593, nrcpt=2 (queue active)");
  log.line("smtp",
           "A000000002: to=<p@q>, relay=127.0.0.1[127.0.0.1]:10025, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as "
           "B000000002)");
  log.removed("A000000002").removed("B000000002");
  WrittenDown evidence;
  evidence.marks.insert(mark(7));
  evidence.ids.insert("B000000002");
  Report report = log.reconcile(evidence);
  EXPECT_EQ(summary_line(report), "2 accepted, 2 archived, 0 missing");
}

TEST(Reconcile, AnotherMachinesQueueIdIsNotOurs) {
  Log log;
  log.taken("A000000001").taken("7C1B5A72FFF");
  log.sent("A000000001").removed("A000000001").removed("7C1B5A72FFF");  // "queued as 7C1B5A72FFF", over there
  WrittenDown evidence;
  evidence.ids.insert("7C1B5A72FFF");
  Report report = log.reconcile(evidence);
  EXPECT_EQ(summary_line(report), "2 accepted, 1 archived, 1 missing");
  EXPECT_EQ(reasons(report), Strings{"A000000001 missing"});
}

TEST(Reconcile, QueueIdsRecur) {
  Log log;
  WrittenDown evidence;
  for (int i = 0; i < 3; ++i) {
    log.taken("A000000001").copied("A000000001", mark(i)).removed("A000000001");
    evidence.marks.insert(mark(i));
  }
  evidence.marks.erase(mark(1));
  Report report = log.reconcile(evidence);
  EXPECT_EQ(summary_line(report), "3 accepted, 2 archived, 1 missing");
}

TEST(Reconcile, AnIdThatRecursWhileItsMailGoesOnUnderAnother) {
  Log log;
  log.taken("A000000001");
  log.line("smtpd",
           "B000000001: client=localhost[127.0.0.1], orig_queue_id=A000000001, orig_client=unknown[127.0.0.1]");
  log.line("cleanup", "B000000001: message-id=<A000000001@maison.example>");
  log.removed("A000000001");
  log.taken("A000000001").copied("A000000001", mark(2)).removed("A000000001");
  log.copied("B000000001", mark(1)).removed("B000000001");
  WrittenDown evidence;
  evidence.marks = {mark(1), mark(2)};
  EXPECT_EQ(summary_line(log.reconcile(evidence)), "2 accepted, 2 archived, 0 missing");
}

TEST(Reconcile, ARequeuedMailIsOne) {
  Log log;
  log.taken("A000000001");
  log.line("postsuper", "A000000001: requeued");
  log.line("pickup", "C000000001: uid=101 from=<zoe@maison.example> orig_id=A000000001");
  log.line("cleanup", "C000000001: message-id=<A000000001@maison.example>");
  log.line("qmgr", "C000000001: from=<zoe@maison.example>, size=1, nrcpt=1 (queue active)");
  log.copied("C000000001", mark(1)).removed("C000000001");
  WrittenDown evidence;
  evidence.marks.insert(mark(1));
  EXPECT_EQ(summary_line(log.reconcile(evidence)), "1 accepted, 1 archived, 0 missing");
}

Log with_notice() {
  Log log;
  log.taken("A000000001").copied("A000000001", mark(1));
  log.line("cleanup", "B000000009: message-id=<20261125@mx>");
  log.line("qmgr", "B000000009: from=<>, size=2393, nrcpt=1 (queue active)");
  log.line("bounce", "A000000001: sender non-delivery notification: B000000009");
  log.removed("A000000001").sent("B000000009").removed("B000000009");
  return log;
}

TEST(Reconcile, NoticesAreExpectedWhereTheyAreCaptured) {
  WrittenDown evidence;
  evidence.marks.insert(mark(1));
  Report report = with_notice().reconcile(evidence);
  EXPECT_EQ(summary_line(report), "1 accepted, 1 archived, 0 missing");
  EXPECT_EQ(report.notices_not_captured, 1u);
  evidence.ids.insert("B000000009");
  EXPECT_EQ(summary_line(with_notice().reconcile(evidence)), "2 accepted, 2 archived, 0 missing");
  Log log = with_notice();  // one is captured, so the other should have been
  log.line("cleanup", "B000000010: message-id=<20261126@mx>");
  log.line("qmgr", "B000000010: from=<>, size=2393, nrcpt=1 (queue active)");
  log.removed("B000000010");
  report = log.reconcile(evidence);
  EXPECT_EQ(summary_line(report), "3 accepted, 2 archived, 1 missing");
  EXPECT_EQ(reasons(report), Strings{"B000000010 missing"});
}

TEST(Reconcile, ProbesAreNobodysMail) {
  Log log;
  log.line("cleanup", "B000000001: message-id=<20261125@mx>");
  log.line("qmgr", "B000000001: from=<double-bounce@mx>, size=200, nrcpt=1 (queue active)");
  log.line("smtp", "B000000001: to=<a@b>, relay=x, dsn=2.1.5, status=deliverable (250 2.1.5 Ok)");
  log.removed("B000000001");
  WrittenDown evidence;
  EXPECT_EQ(summary_line(log.reconcile(evidence)), "0 accepted, 0 archived, 0 missing");
}

TEST(Reconcile, WhatBeganBeforeTheLogOrBeforeSinceIsLeftOut) {
  Log log;
  log.copied("A000000001", mark(1)).removed("A000000001");
  log.taken("A000000002").removed("A000000002").pause(3600).taken("A000000003").removed("A000000003");
  WrittenDown evidence;
  Report report = log.reconcile(evidence, kNow - 2 * kNsPerDay + 1800 * kNsPerSecond);
  EXPECT_EQ(summary_line(report), "1 accepted, 0 archived, 1 missing");
  EXPECT_EQ(reasons(report), Strings{"A000000003 missing"});
}

TEST(Reconcile, ALogWithoutPostfixIsAnError) {
  Lines source({"Nov 25 15:56:17 mx sshd[1]: hello"});
  WrittenDown evidence;
  auto report = reconcile(source, evidence, Options{});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Code::kInvalid);
}

TEST(Reconcile, RandomLinesInRandomOrderAreCountedOnceEach) {
  Log log;
  std::mt19937 random(7);
  for (int i = 0; i < 200; ++i) {
    const std::string id = "A0000000" + std::to_string(10 + random() % 20);
    log.taken(id).copied(id, mark(static_cast<int>(random() % 50))).sent(id).removed(id);
    log.line("smtpd",
             id + ": client=localhost[127.0.0.1], orig_queue_id=A0000000" + std::to_string(10 + random() % 20));
    log.line("postsuper", id + ": removed").line("qmgr", id + ": from=<a>, status=expired, returned to sender");
  }
  for (int round = 0; round < 200; ++round) {
    std::vector<std::string> lines = log.lines();
    std::shuffle(lines.begin(), lines.end(), random);
    for (std::string& line : lines)
      if (random() % 16 == 0) line.resize(random() % (line.size() + 1));
    Lines source(std::move(lines));
    WrittenDown evidence;
    uint64_t told = 0;
    Options options;
    options.now = kNow;
    options.each = [&](const Finding&) { ++told; };
    auto report = reconcile(source, evidence, options);
    ASSERT_TRUE(report);
    EXPECT_EQ(report->accepted, report->archived + report->missing + report->waiting);
    EXPECT_EQ(told, report->accepted + report->refused);
  }
}

TEST(Reconcile, JsonHoldsWhatTheTextSays) {
  Log log;
  log.taken("A000000001", "\xff@x").removed("A000000001");
  WrittenDown evidence;
  Report report = log.reconcile(evidence);
  auto json = nlohmann::json::parse(report_json(report));
  EXPECT_EQ(json["schema"], "reconcile/1");
  EXPECT_EQ(json["missing"], 1);
  EXPECT_EQ(json["exceptions"][0]["reason"], "missing");
  EXPECT_EQ(nlohmann::json::parse(report_json(report, 0))["exceptions"].size(), 0u);
}

class LogFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "reconcileXXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << text;
    return folder_ + "/" + name;
  }
  std::string write_gz(const std::string& name, const std::string& text) {
    gzFile file = ::gzopen((folder_ + "/" + name).c_str(), "wb");
    ::gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
    ::gzclose(file);
    return folder_ + "/" + name;
  }
  Strings read(const Strings& names) {
    auto source = open_log(names, 0, kNow);
    EXPECT_TRUE(source) << describe(source.error());
    Strings lines;
    std::string line;
    while (source) {
      auto got = (*source)->next(&line);
      EXPECT_TRUE(got) << describe(got.error());
      if (!got || !*got) break;
      lines.push_back(line);
    }
    return lines;
  }
  std::string folder_;
};

TEST_F(LogFiles, PlainAndCompressedInTheOrderOfTheirTime) {
  const std::string new_one = write("mail.log", "2026-11-25T01:00:00Z c\n2026-11-25T02:00:00Z d");
  const std::string old_one = write_gz("mail.log.2.gz", "2026-11-23T01:00:00Z a\n");
  const std::string middle = write("mail.log.1", "continued\n2026-11-24T01:00:00Z b\n");
  EXPECT_EQ(read({new_one, middle, old_one}),
            (Strings{"2026-11-23T01:00:00Z a", "continued", "2026-11-24T01:00:00Z b", "2026-11-25T01:00:00Z c",
                     "2026-11-25T02:00:00Z d"}));
  auto names = with_rotated(new_one, 0);
  ASSERT_TRUE(names);
  EXPECT_EQ(names->size(), 3u);
  write("mail.log.bak", "no");
  write("mail.log-20261124", "yes");
  EXPECT_EQ(with_rotated(new_one, 0)->size(), 4u);
  EXPECT_EQ(with_rotated(new_one, Clock::system().now() + kNsPerDay)->size(), 1u);
}

TEST_F(LogFiles, LongLinesAreCutAndNothingElseIs) {
  const std::string name = write("long", std::string(200'000, 'x') + "\nshort\n");
  Strings lines = read({name});
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].size(), LogSource::kLineBytes);
  EXPECT_EQ(lines[1], "short");
}

// journalctl is stood in for by a script: what it is asked, what it prints, how it ends.
TEST_F(LogFiles, TheSystemsJournal) {
  const std::string before = std::getenv("PATH");
  auto script = [&](const std::string& text) {
    std::ofstream(folder_ + "/journalctl") << "#!/bin/sh\necho \"$@\"\n" << text;
    std::filesystem::permissions(folder_ + "/journalctl", std::filesystem::perms::owner_all);
    ::setenv("PATH", (folder_ + ":" + before).c_str(), 1);
  };
  script("exit 0\n");
  EXPECT_EQ(read({"journal:postfix.service"}),
            Strings{"--quiet --no-pager --output=short-iso-precise --unit=postfix.service"});
  EXPECT_EQ(read({"journal"}), Strings{"--quiet --no-pager --output=short-iso-precise SYSLOG_FACILITY=2"});
  auto since = open_log({"journal"}, 60 * kNsPerSecond, kNow);
  std::string line;
  ASSERT_TRUE(since && *(*since)->next(&line));
  EXPECT_NE(line.find("--since=@60 "), std::string::npos) << line;
  script("exit 1\n");
  auto failing = open_log({"journal"}, 0, kNow);
  ASSERT_TRUE(failing && *(*failing)->next(&line));
  EXPECT_EQ((*failing)->next(&line).error().code, Code::kIo);
  script("yes\n");  // it prints for ever: who reads no further must not wait for it
  EXPECT_TRUE(open_log({"journal"}, 0, kNow));
  ::setenv("PATH", "/nonexistent", 1);
  auto none = open_log({"journal"}, 0, kNow);
  EXPECT_FALSE(none);
  EXPECT_FALSE(none.error().hint.empty());
  ::setenv("PATH", before.c_str(), 1);
}

TEST_F(LogFiles, WhatCannotBeReadIsSaid) {
  EXPECT_EQ(open_log({folder_ + "/none"}, 0, kNow).error().code, Code::kNotFound);
  EXPECT_EQ(open_log({folder_}, 0, kNow).error().code, Code::kUsage);
  EXPECT_EQ(open_log({"journal", folder_ + "/x"}, 0, kNow).error().code, Code::kUsage);
  std::string text = write_gz("cut.gz", std::string(100'000, 'a') + std::to_string(std::mt19937()()) + "\n");
  std::filesystem::resize_file(text, std::filesystem::file_size(text) / 2);
  auto source = open_log({text}, 0, kNow);
  bool told = !source;
  std::string line;
  while (source) {
    auto got = (*source)->next(&line);
    if (!got) told = true;
    if (!got || !*got) break;
  }
  EXPECT_TRUE(told) << "a compressed log that ends early was taken for whole";
}

}  // namespace
}  // namespace arch::reconcile
