// Claim   Whatever lies at the paths given is handed over as a message, byte for byte, or refused with a reason; a run
//         repeats in the same order.
// Method  Folders made for each case; real pipes, sockets and links; an unprivileged child for files that may not be read.
// Teeth   Each case states the full list of what was handed over and what was refused.
#include "ingest/import/source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "engine/base/limits.h"

namespace arch::import {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const std::string kMail = "From: a@b.example\nSubject: x\n\nbody\n";

std::string read_whole(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

class Collect : public Visitor {
 public:
  Result<void> message(Item item) override {
    items.push_back(std::move(item));
    if (stop_after != 0 && items.size() >= stop_after) return fail(Code::kFull, "enough");
    return {};
  }
  void refused(const Refused& r) override { refusals.push_back(r); }
  void progress(uint64_t bytes_done) override {
    EXPECT_GE(bytes_done, done);
    done = bytes_done;
  }
  std::vector<Item> items;
  std::vector<Refused> refusals;
  uint64_t done = 0;
  size_t stop_after = 0;
};

class ImportSource : public testing::Test {
 protected:
  ImportSource() {
    std::string pattern = (fs::temp_directory_path() / "import_test.XXXXXX").string();
    root_ = fs::canonical(mkdtemp(pattern.data()));
  }
  ~ImportSource() override { fs::remove_all(root_); }

  std::string put(const std::string& name, const std::string& content = kMail) {
    fs::path path = root_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
    return path.string();
  }
  Collect run(std::vector<std::string> paths = {}, Options options = {}) {
    if (paths.empty()) paths.push_back(root_.string());
    Collect collect;
    auto result = walk(paths, options, collect);
    EXPECT_TRUE(result) << describe(result.error());
    auto totals = scan(paths, options);
    EXPECT_TRUE(totals);
    EXPECT_EQ(collect.done, totals ? totals->bytes : 0);
    return collect;
  }
  std::vector<std::string> origins(const Collect& collect) {
    std::vector<std::string> out;
    for (const Item& item : collect.items) out.push_back(item.origin.substr(root_.string().size() + 1));
    return out;
  }
  std::vector<std::string> refusals(const Collect& collect) {
    std::vector<std::string> out;
    for (const Refused& r : collect.refusals)
      out.push_back(r.origin.substr(root_.string().size() + 1) + ": " + r.reason);
    return out;
  }
  fs::path root_;
};

TEST_F(ImportSource, AnEmlFileIsOneMessageWhateverItsFirstLine) {
  put("a.eml",
      "From x@y.example Mon Jun  3 12:50:27 1996\nSubject: 1\n\n\nFrom x@y.example Mon Jun  3 12:50:27 1996\nS: 2\n");
  put("b.EML", "no header\n");
  put("c.eml", std::string("\0\r\n\xff", 4));
  auto c = run();
  EXPECT_THAT(origins(c), ElementsAre("a.eml", "b.EML", "c.eml"));
  EXPECT_EQ(c.items[2].message, std::string("\0\r\n\xff", 4));
  EXPECT_EQ(c.items[0].separator, "");
  EXPECT_THAT(c.refusals, IsEmpty());
}

TEST_F(ImportSource, AMaildirGivesItsMailWithStableNames) {
  put("m/cur/1:2,S");
  put("m/new/2", "whatever\n");
  put("m/tmp/3");
  put("m/dovecot.index.log", "binary");
  put("m/.Sent/cur/4:2,");
  put("m/.Sent/maildirfolder", "");
  auto c = run();
  EXPECT_THAT(origins(c), ElementsAre("m/.Sent/cur/4", "m/cur/1", "m/cur/2"));
  EXPECT_THAT(refusals(c), ElementsAre("m/tmp/3: in a Maildir's tmp/: never delivered"));
}

TEST_F(ImportSource, AMaildirWithOnlyNewOrOnlyCur) {
  put("a/new/1", "x");
  put("b/cur/1", "y");
  auto c = run();
  EXPECT_THAT(origins(c), ElementsAre("a/cur/1", "b/cur/1"));
}

TEST_F(ImportSource, OneFileOfAMaildirIsAMessage) {
  std::string path = put("m/new/1", "From here\n");
  auto c = run({path});
  EXPECT_THAT(origins(c), ElementsAre("m/cur/1"));
}

TEST_F(ImportSource, AFileThatBeginsWithFromIsAnMbox) {
  put("inbox", "From a@b.example Mon Jun  3 12:50:27 1996\nSubject: 1\n\none\n\nFrom - \nSubject: 2\n\ntwo\n");
  auto c = run();
  EXPECT_THAT(origins(c), ElementsAre("inbox#0", "inbox#59"));
  EXPECT_EQ(c.items[0].separator, "From a@b.example Mon Jun  3 12:50:27 1996");
  EXPECT_EQ(c.items[0].message, "Subject: 1\n\none\n\n");
  EXPECT_EQ(c.items[1].message, "Subject: 2\n\ntwo\n");
}

TEST_F(ImportSource, AnMboxWhoseFirstSeparatorHasNoDateIsAnMbox) {
  put("inbox", "From nobody\nSubject: 1\nTo: x@y.example\n\none\n");
  auto c = run();
  ASSERT_THAT(c.items, SizeIs(1));
  EXPECT_EQ(c.items[0].separator, "From nobody");
}

TEST_F(ImportSource, MboxrdIsUnquotedOnRequest) {
  put("inbox", "From a@b.example Mon Jun  3 12:50:27 1996\nSubject: 1\n\n>From x\n");
  EXPECT_EQ(run().items[0].message, "Subject: 1\n\n>From x\n");
  Options options;
  options.mboxrd = true;
  EXPECT_EQ(run({}, options).items[0].message, "Subject: 1\n\nFrom x\n");
}

TEST_F(ImportSource, ProseThatBeginsWithFromIsRefused) {
  put("letter.txt", "From the very first day\nwe knew.\n");
  auto c = run();
  EXPECT_THAT(c.items, IsEmpty());
  EXPECT_THAT(refusals(c), ElementsAre("letter.txt: not mail: no header field of a mail at its beginning"));
}

TEST_F(ImportSource, NestedFoldersAreReadInNameOrder) {
  put("b/2.eml");
  put("a/z/9.eml");
  put("a/1.eml");
  put("c.eml");
  auto c = run();
  EXPECT_THAT(origins(c), ElementsAre("c.eml", "a/1.eml", "a/z/9.eml", "b/2.eml"));
}

TEST_F(ImportSource, EmptyFilesAndOtherFilesAreRefusedWithAReason) {
  put("empty.eml", "");
  put("empty", "");
  put("notes.txt", "buy milk\n");
  put("mail.txt");
  auto c = run();
  EXPECT_THAT(origins(c), ElementsAre("mail.txt"));
  EXPECT_THAT(refusals(c), ElementsAre("empty: empty file", "empty.eml: empty file",
                                       "notes.txt: not mail: no header field of a mail at its beginning"));
}

TEST_F(ImportSource, PipesSocketsAndLinksAreRefused) {
  put("a.eml");
  ASSERT_EQ(mkfifo((root_ / "pipe").c_str(), 0600), 0);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::string name = (root_ / "sock").string();
  ASSERT_LT(name.size(), sizeof address.sun_path);
  name.copy(address.sun_path, name.size());
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  close(fd);
  fs::create_symlink("a.eml", root_ / "link.eml");
  fs::create_symlink("nowhere", root_ / "lost");
  auto c = run();
  EXPECT_THAT(origins(c), ElementsAre("a.eml"));
  EXPECT_THAT(refusals(c), ElementsAre("link.eml: symbolic link (use --follow-links to read it)",
                                       "lost: symbolic link (use --follow-links to read it)",
                                       "pipe: a pipe, not a file", "sock: a socket, not a file"));
}

TEST_F(ImportSource, FollowingLinksEndsInALoop) {
  put("d/a.eml");
  fs::create_directory_symlink("..", root_ / "d/up");
  fs::create_symlink("a.eml", root_ / "d/b.eml");
  Options options;
  options.follow_links = true;
  auto c = run({}, options);
  EXPECT_THAT(origins(c), ElementsAre("d/a.eml", "d/b.eml"));
}

TEST_F(ImportSource, APathThatIsALinkIsFollowed) {
  put("d/a.eml");
  fs::create_directory_symlink("d", root_ / "link");
  auto c = run({(root_ / "link").string()});
  EXPECT_THAT(origins(c), ElementsAre("d/a.eml"));
}

TEST_F(ImportSource, AMissingPathIsAnErrorBeforeAnythingIsRead) {
  Collect collect;
  auto result = walk({put("a.eml"), (root_ / "no").string()}, {}, collect);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kNotFound);
  EXPECT_THAT(result.error().what, HasSubstr("/no"));
  EXPECT_THAT(collect.items, IsEmpty());
}

TEST_F(ImportSource, PathsNamedTwiceAreReadOnce) {
  std::string a = put("d/a.eml");
  std::string d = (root_ / "d").string();
  auto c = run({a, d, d, a});
  EXPECT_THAT(origins(c), ElementsAre("d/a.eml"));
  put("dd/b.eml");  // "d" is no folder above "dd"
  EXPECT_THAT(origins(run({d, (root_ / "dd").string()})), ElementsAre("d/a.eml", "dd/b.eml"));
}

TEST_F(ImportSource, TheLargestMessageAllowed) {
  Options options;
  options.message_bytes = 100'000;
  for (size_t size : {99'999u, 100'000u, 100'001u})
    put(std::to_string(size) + ".eml", kMail + std::string(size - kMail.size(), 'x'));
  auto c = run({}, options);
  EXPECT_THAT(origins(c), ElementsAre("100000.eml", "99999.eml"));
  EXPECT_EQ(c.items[0].message.size(), 100'000u);
  EXPECT_THAT(refusals(c), ElementsAre("100001.eml: message of 100001 bytes is over the limit of 100000 bytes"));
}

TEST_F(ImportSource, TheLimitCannotBeRaised) {
  std::string path = put("big.eml", "x");
  fs::resize_file(path, limits::kMessageBytes + 1);
  Options options;
  options.message_bytes = limits::kMessageBytes * 2;
  EXPECT_THAT(run({}, options).refusals, SizeIs(1));
}

TEST_F(ImportSource, AnErrorOfTheVisitorStopsTheWalk) {
  put("a.eml");
  put("b.eml");
  Collect collect;
  collect.stop_after = 1;
  auto result = walk({root_.string()}, {}, collect);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kFull);
  EXPECT_THAT(collect.items, SizeIs(1));
}

TEST_F(ImportSource, FoldersNestToALimit) {
  std::string deep;
  for (int i = 0; i < 200; ++i) deep += "d/";
  put(deep + "a.eml");
  EXPECT_THAT(run().items, SizeIs(1));
  put(deep + "d/b.eml");
  auto c = run();
  EXPECT_THAT(c.items, SizeIs(1));
  ASSERT_THAT(c.refusals, SizeIs(1));
  EXPECT_EQ(c.refusals[0].reason, "folders nested deeper than 200");
}

TEST_F(ImportSource, WhatMayNotBeReadIsRefusedAndTheRestRead) {
  put("a.eml");
  fs::permissions(put("secret.eml"), fs::perms::none);
  put("hidden/b.eml");
  fs::permissions(root_ / "hidden", fs::perms::none);
  fs::permissions(root_, fs::perms::all);
  pid_t child = fork();
  if (child == 0) {  // root may read everything: ask as nobody
    if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(2);
    Collect collect;
    bool ok = walk({root_.string()}, {}, collect) && collect.items.size() == 1 && collect.refusals.size() == 2 &&
              collect.refusals[0].reason == "permission denied" &&
              collect.refusals[1].reason == "folder not readable: Permission denied";
    _exit(ok ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  fs::permissions(root_ / "hidden", fs::perms::owner_all);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

// The project's corpus, when it lies beside the source: every file of hard/ and reports/ is read, none refused.
TEST_F(ImportSource, EveryFileOfTheCorpusIsRead) {
  const char* given = std::getenv("ARCH_CORPUS");
  fs::path corpus = given != nullptr ? fs::path(given) : fs::path(ARCH_SOURCE_DIR) / "../shared/corpus";
  if (!fs::exists(corpus / "hard")) {
    std::puts("corpus not present: nothing compared");
    return;
  }
  size_t files = 0;
  for (const char* part : {"hard", "reports"}) {
    for (const auto& entry : fs::recursive_directory_iterator(corpus / part)) {
      std::string extension = entry.path().extension();
      if (extension != ".eml" && extension != ".mbox") continue;
      ++files;
      Collect collect;
      ASSERT_TRUE(walk({entry.path().string()}, {}, collect));
      EXPECT_THAT(collect.refusals, IsEmpty()) << entry.path();
      std::string bytes = read_whole(entry.path()), rebuilt;
      if (extension == ".eml") {
        ASSERT_THAT(collect.items, SizeIs(1)) << entry.path();
        rebuilt = collect.items[0].message;
      } else {
        for (const Item& item : collect.items) rebuilt += item.separator + "\n" + item.message;
      }
      EXPECT_EQ(rebuilt, bytes) << entry.path();
    }
  }
  EXPECT_GT(files, 300u);
}

}  // namespace
}  // namespace arch::import
