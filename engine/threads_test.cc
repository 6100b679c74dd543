// Claim    Mails end in the same threads in whatever order they come, one by one or together, and after a rebuild: by the ids that
//          they name, known or not; as copies; and, where an answer names nothing, by subject, people and time. What only looks alike
//          stays apart.
// Method   A set of mails in random orders and batches; the partition is compared with the one written here; dump after a rebuild.
// Teeth    Sets are compared whole: a mail in a thread too many fails as well as one missing.
#include "engine/threads.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "engine/archive_test_support.h"

namespace arch {
namespace {

struct Mail {
  const char* name;
  const char* thread;
  std::string text;
};

std::string mail(const std::string& id, const std::string& from, const std::string& to, const std::string& subject,
                 int day, const std::string& more = {}) {
  char date[64];
  std::snprintf(date, sizeof date, "Date: %02d Nov 2026 10:00:00 +0000\r\n", day);
  return (id.empty() ? "" : "Message-ID: <" + id + "@x.example>\r\n") + "From: " + from + "@x.example\r\nTo: " + to +
         "@x.example\r\nSubject: " + subject + "\r\n" + date + more + "\r\n" + id + subject + "\r\n";
}

const std::vector<Mail>& mails() {
  static const std::vector<Mail> all = {
      {"root", "devis", mail("root", "zoe", "paul", "Devis cave", 1)},
      {"answer", "devis", mail("answer", "paul", "zoe", "Re: Devis cave", 2, "In-Reply-To: <root@x.example>\r\n")},
      {"deep", "devis",
       mail("deep", "zoe", "paul", "Re: Devis cave", 3, "References: <root@x.example> <answer@x.example>\r\n")},
      {"renamed", "devis", mail("renamed", "luc", "zoe", "Tout autre chose", 4, "In-Reply-To: <deep@x.example>\r\n")},
      // Two that name the same mail, which comes too, and one that never comes.
      {"left", "missing",
       mail("left", "luc", "zoe", "Gauche", 1, "References: <gone@x.example> <late@x.example>\r\n")},
      {"right", "missing", mail("right", "luc", "zoe", "Droite", 1, "References: <gone@x.example>\r\n")},
      {"late", "missing", mail("late", "zoe", "luc", "Plus tard", 1)},
      {"far", "missing", mail("far", "eva", "luc", "Loin", 5, "References: <never@x.example> <right@x.example>\r\n")},
      // Answers that name nothing.
      {"question", "subject", mail("question", "zoe", "client", "Commande 4711", 1)},
      {"bare", "subject", mail("bare", "client", "zoe", "RE : Commande 4711", 3)},
      {"again", "subject", mail("again", "client", "zoe", "Re: Commande 4711", 5)},
      {"stranger", "stranger", mail("stranger", "inconnu", "zoe", "Re: Commande 4711", 3)},
      {"same-words", "same-words", mail("same-words", "zoe", "autre", "Commande 4711", 4)},
      {"too-late", "too-late", mail("too-late", "zoe", "client", "Facture", 1)},
      {"too-late-answer", "too-late-answer",
       mail("too-late-answer", "client", "zoe", "Re: Facture", 1, "X-Later: yes\r\n").replace(0, 0, "")},
      {"short", "short", mail("short", "client", "zoe", "Re: ok", 1)},
      {"short-too", "short-too", mail("short-too", "zoe", "client", "ok", 1)},
      // Copies, with a Message-ID and without.
      {"copy", "devis",
       "Received: by mx; Sun, 01 Nov 2026 10:00:01 +0000\r\n" + mail("root", "zoe", "paul", "Devis cave", 1)},
      {"nameless", "nameless", mail("", "zoe", "paul", "Sans nom", 1)},
  };
  return all;
}

class ThreadsTest : public archive_test::ArchiveFixture {
 protected:
  std::map<std::string, std::string> names_;  // digest -> name
  void store(const Mail& each) {
    std::string text = each.text;
    if (std::string(each.name) == "too-late-answer")
      text.replace(text.find("Date: 01 Nov 2026"), 17, "Date: 15 Dec 2026");
    names_[append({}, text).hex()] = each.name;
  }
  std::set<std::set<std::string>> partition() {
    std::map<uint64_t, std::set<std::string>> threads;
    std::set<std::set<std::string>> out;
    EXPECT_TRUE(archive_->for_each_message(1, [&](const MessageInfo& info) {
      threads[info.thread].insert(names_[info.digest.hex()]);
      return true;
    }));
    for (const auto& [label, names] : threads) {
      std::set<std::string> listed;
      auto numbers = archive_->by_thread(label);
      EXPECT_TRUE(numbers);
      for (uint64_t number : *numbers) listed.insert(names_[archive_->info(number)->digest.hex()]);
      EXPECT_EQ(listed, names) << "rows of the thread and label of its mails differ";
      out.insert(names);
    }
    return out;
  }
  static std::set<std::set<std::string>> expected() {
    std::map<std::string, std::set<std::string>> threads;
    for (const Mail& each : mails()) threads[each.thread].insert(each.name);
    std::set<std::set<std::string>> out;
    for (const auto& [thread, names] : threads) out.insert(names);
    return out;
  }
  std::string dump() {
    std::string out;
    EXPECT_TRUE(archive_->dump([&](const std::string& line) { out += line + "\n"; }));
    return out;
  }
};

TEST_F(ThreadsTest, InWhateverOrderTheyCome) {
  std::mt19937 random(11);
  std::vector<Mail> order = mails();
  for (int round = 0; round < 24; ++round) {
    SCOPED_TRACE(round);
    TearDown();
    names_.clear();
    SetUp();
    if (round > 0) std::shuffle(order.begin(), order.end(), random);
    if (round == 1) std::reverse(order.begin(), order.end());
    const unsigned together = round % 3 == 0 ? 1 : round % 3 == 1 ? 100 : 3;
    for (size_t i = 0; i < order.size(); ++i) {
      store(order[i]);
      if ((i + 1) % together == 0) apply();
    }
    apply();
    ASSERT_EQ(partition(), expected());
    if (round % 10 != 0) continue;
    const std::string before = dump();
    const std::string directory = archive_->directory();
    archive_.reset();
    ASSERT_TRUE(discard_derived(Fs::real(), directory, true, true));
    open();
    apply();
    EXPECT_EQ(dump(), before);
    EXPECT_EQ(partition(), expected());
  }
}

TEST_F(ThreadsTest, LongThreadsThatMeetAreMovedOnce) {
  // Two halves of 300 mails each whose link comes last; then again with many small ones.
  for (int i = 0; i < 600; ++i) {
    const std::string id = "m" + std::to_string(i), before = "m" + std::to_string(i - 1);
    if (i == 300) continue;
    append({}, mail(id, "zoe", "paul", "Long", 1, i == 0 ? "" : "In-Reply-To: <" + before + "@x.example>\r\n"));
  }
  apply();
  auto first = archive_->info(uint64_t{1});
  ASSERT_TRUE(first);
  EXPECT_EQ(archive_->by_thread(first->thread)->size(), 300u);
  append({}, mail("m300", "zoe", "paul", "Long", 1, "In-Reply-To: <m299@x.example>\r\n"));
  apply();
  EXPECT_EQ(archive_->by_thread(archive_->info(uint64_t{1})->thread)->size(), 600u);
  EXPECT_EQ(archive_->info(uint64_t{1})->thread, archive_->info(uint64_t{599})->thread);
}

TEST_F(ThreadsTest, ThousandsWithOneSubjectAreNotCompared) {
  for (int i = 0; i < 3000; ++i) append({}, mail("a" + std::to_string(i), "robot", "zoe", "Re: Alerte", 1 + i % 20));
  apply();
  // Each writes again to whom it wrote before: one thread, found without looking at all of them.
  EXPECT_GE(archive_->by_thread(archive_->info(uint64_t{3000})->thread)->size(), 1000u);
}

}  // namespace
}  // namespace arch
