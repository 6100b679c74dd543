// Claim   What is appended is applied once, comes back byte for byte from journal and segment, and the catalog is the same
//         whether it grew in normal work, after a crash at any stage, or in a rebuild.
// Method  A temporary archive on a real file system; crashes are copies of the directory taken between two stages, opened
//         anew. Canonical dumps are compared as text.
// Teeth   Counts of deliveries and messages are literal; a doubled or lost delivery changes them.
#include "engine/archive.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

namespace arch {
namespace {

namespace stdfs = std::filesystem;

class FakeClock : public Clock {
 public:
  UnixNs now() override { return time += kNsPerSecond; }
  UnixNs time = 1'764'000'000 * kNsPerSecond;
};

class ArchiveTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "archive-test-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    directory_ = root_ + "/a";
    auto made = Archive::init(Fs::real(), directory_, clock_.now());
    ASSERT_TRUE(made) << describe(made.error());
  }
  void TearDown() override { stdfs::remove_all(root_); }

  std::unique_ptr<Archive> open(Archive::Mode mode, const std::string& directory = {}) {
    auto archive = Archive::open(Fs::real(), clock_, directory.empty() ? directory_ : directory, mode);
    EXPECT_TRUE(archive) << describe(archive.error());
    return archive ? std::move(*archive) : nullptr;
  }

  std::string mail(int number, int answered = 0) {
    std::string text = "From: Zo\xc3\xa9 <zoe@maison.example>\r\nTo: achat@client.example\r\nSubject: Commande " +
                       std::to_string(number) + "\r\nMessage-ID: <m" + std::to_string(number) +
                       "@maison.example>\r\nDate: Tue, 14 Oct 2025 09:10:00 +0200\r\n";
    if (answered != 0) text += "In-Reply-To: <m" + std::to_string(answered) + "@maison.example>\r\n";
    text +=
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: "
        "text/plain\r\n\r\nBonjour " +
        std::to_string(number) +
        "\r\n--b\r\nContent-Type: application/pdf; name=tarif.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n";
    // The same attachment in every mail: about 9 KB.
    for (int line = 0; line < 160; ++line) text += std::string(76, static_cast<char>('A' + line % 26)) + "\r\n";
    return text + "--b--\r\n";
  }

  void append(Archive& archive, int from, int to) {
    for (int number = from; number <= to; ++number) {
      Delivery delivery;
      delivery.captured = clock_.now();
      delivery.channel = Channel::kLmtp;
      delivery.has_mail_from = true;
      delivery.mail_from = "zoe@maison.example";
      delivery.rcpt.push_back({"archive@archive.example", "", ""});
      auto done = archive.append_staged(delivery, mail(number, number > 1 ? number - 1 : 0));
      ASSERT_TRUE(done) << describe(done.error());
    }
    ASSERT_TRUE(archive.flush());
  }

  void apply(Archive& archive) {
    auto applied = archive.apply();
    ASSERT_TRUE(applied) << describe(applied.error());
  }

  static std::string dump(const Archive& archive) {
    std::string text;
    auto dumped = archive.dump([&](const std::string& line) { text += line + "\n"; });
    EXPECT_TRUE(dumped) << describe(dumped.error());
    return text;
  }

  void expect_mails(const Archive& archive, int count, uint64_t deliveries) {
    auto usage = archive.usage();
    ASSERT_TRUE(usage);
    EXPECT_EQ(usage->messages, static_cast<uint64_t>(count));
    EXPECT_EQ(usage->deliveries, deliveries);
    for (int number = 1; number <= count; ++number) {
      const std::string text = mail(number, number > 1 ? number - 1 : 0);
      auto bytes = archive.get(Sha256::of(as_bytes(text)));
      ASSERT_TRUE(bytes) << describe(bytes.error());
      EXPECT_EQ(*bytes, text);
    }
  }

  std::string copy(const char* name) {
    const std::string to = root_ + "/" + name;
    stdfs::copy(directory_, to, stdfs::copy_options::recursive);
    return to;
  }

  FakeClock clock_;
  std::string root_, directory_;
};

TEST_F(ArchiveTest, MessagesComeBackFromJournalAndFromSegment) {
  auto archive = open(Archive::Mode::kEngine);
  append(*archive, 1, 50);
  apply(*archive);
  expect_mails(*archive, 50, 50);
  ASSERT_TRUE(archive->close_journal());
  apply(*archive);
  auto packed = archive->pack(0, 0);
  ASSERT_TRUE(packed) << describe(packed.error());
  EXPECT_EQ(packed->segments, 1u);
  EXPECT_EQ(packed->messages, 50u);
  EXPECT_EQ(packed->journal_files_released, 1u);
  EXPECT_LT(packed->segment_bytes * 20, packed->raw_bytes) << "the attachment is stored once";
  expect_mails(*archive, 50, 50);
  EXPECT_TRUE(archive->status()->alarms.empty());
}

TEST_F(ArchiveTest, ARebuildGivesTheSameDumpBeforeAndAfterPacking) {
  auto archive = open(Archive::Mode::kEngine);
  append(*archive, 1, 30);
  ASSERT_TRUE(archive->close_journal());
  apply(*archive);
  ASSERT_TRUE(archive->pack(0, 0));
  append(*archive, 31, 40);  // stays in the journal
  append(*archive, 1, 5);    // known: deliveries only
  apply(*archive);
  expect_mails(*archive, 40, 45);
  const std::string before = dump(*archive);
  archive.reset();
  ASSERT_TRUE(discard_derived(Fs::real(), directory_, true, true));
  archive = open(Archive::Mode::kEngine);
  EXPECT_TRUE(archive->rebuilding());
  apply(*archive);
  EXPECT_FALSE(archive->rebuilding());
  expect_mails(*archive, 40, 45);
  EXPECT_EQ(dump(*archive), before);
}

TEST_F(ArchiveTest, ADeliveryOfAKnownMessageIsRecordedAndStoresNoSecondCopy) {
  auto archive = open(Archive::Mode::kEngine);
  append(*archive, 1, 10);
  ASSERT_TRUE(archive->close_journal());
  apply(*archive);
  ASSERT_TRUE(archive->pack(0, 0));
  append(*archive, 1, 10);
  ASSERT_TRUE(archive->close_journal());
  apply(*archive);
  auto packed = archive->pack(0, 0);
  ASSERT_TRUE(packed) << describe(packed.error());
  EXPECT_EQ(packed->segments, 1u);
  EXPECT_EQ(packed->messages, 0u);
  expect_mails(*archive, 10, 20);
  auto info = archive->info(Sha256::of(as_bytes(mail(1))));
  ASSERT_TRUE(info);
  EXPECT_EQ(info->deliveries.size(), 2u);
}

TEST_F(ArchiveTest, ACrashAtAnyStageLosesAndDoublesNothing) {
  auto archive = open(Archive::Mode::kEngine);
  append(*archive, 1, 20);
  const std::string appended = copy("appended");
  apply(*archive);
  const std::string applied = copy("applied");
  ASSERT_TRUE(archive->close_journal());
  apply(*archive);
  const std::string closed = copy("closed");
  ASSERT_TRUE(archive->pack(0, 0));
  const std::string packed = copy("packed");
  // Published, and the catalog does not know: the segment beside the state before packing.
  const std::string published = root_ + "/published";
  stdfs::copy(closed, published, stdfs::copy_options::recursive);
  stdfs::copy(packed + "/segments", published + "/segments",
              stdfs::copy_options::recursive | stdfs::copy_options::skip_existing);
  // The same, with the catalog lost as well: deliveries must not come from both.
  const std::string published_lost = root_ + "/published-lost";
  stdfs::copy(published, published_lost, stdfs::copy_options::recursive);
  stdfs::remove_all(published_lost + "/catalog");
  const std::string expected = dump(*archive);
  archive.reset();
  for (const std::string& directory : {appended, applied, closed, packed, published, published_lost}) {
    SCOPED_TRACE(directory);
    auto again = open(Archive::Mode::kEngine, directory);
    ASSERT_NE(again, nullptr);
    apply(*again);
    ASSERT_TRUE(again->pack(0, 0));
    apply(*again);
    expect_mails(*again, 20, 20);
    EXPECT_EQ(dump(*again), expected);
    EXPECT_EQ(again->usage()->journal_count, 0u) << "packed and released";
    EXPECT_EQ(again->usage()->segment_count, 1u);
  }
}

// Two writers at once: their deliveries get numbers in turn, and each one's file becomes a segment of its own.
TEST_F(ArchiveTest, ARebuildMergesSegmentsWhoseNumbersLieBetweenEachOthers) {
  auto engine = open(Archive::Mode::kEngine);
  auto other = open(Archive::Mode::kReader);  // appending needs no engine
  for (int number = 1; number <= 24; number += 2) {
    append(*engine, number, number);
    apply(*engine);
    append(*other, number + 1, number + 1);
    apply(*engine);
  }
  append(*other, 1, 3);  // known messages: one the engine's file holds first, one its own
  apply(*engine);
  for (Archive* writer : {other.get(), engine.get()}) {  // the second file's numbers begin before the first one's
    ASSERT_TRUE(writer->close_journal());
    apply(*engine);
    auto packed = engine->pack(0, 0);
    ASSERT_TRUE(packed) << describe(packed.error());
    ASSERT_EQ(packed->segments, 1u);
  }
  expect_mails(*engine, 24, 27);
  const std::string before = dump(*engine);
  std::vector<Digest> order;
  ASSERT_TRUE(engine->for_each_message(1, [&](const MessageInfo& info) {
    order.push_back(info.digest);
    return true;
  }));
  other.reset();
  engine.reset();
  ASSERT_TRUE(discard_derived(Fs::real(), directory_, true, true));
  engine = open(Archive::Mode::kEngine);
  apply(*engine);
  expect_mails(*engine, 24, 27);
  EXPECT_EQ(dump(*engine), before);
  std::vector<Digest> again;
  ASSERT_TRUE(engine->for_each_message(1, [&](const MessageInfo& info) {
    again.push_back(info.digest);
    return true;
  }));
  EXPECT_EQ(again, order) << "messages have the numbers they had";
}

TEST_F(ArchiveTest, ADamagedRecordCostsOnlyItselfAndItsFileIsKept) {
  auto archive = open(Archive::Mode::kEngine);
  append(*archive, 1, 12);
  ASSERT_TRUE(archive->close_journal());
  apply(*archive);
  const std::string journal = directory_ + "/journal/0000000001.jnl";
  {
    std::ifstream in(journal, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    const size_t at = bytes.find("Bonjour 5");
    ASSERT_NE(at, std::string::npos);
    std::fstream out(journal, std::ios::binary | std::ios::in | std::ios::out);
    out.seekp(static_cast<std::streamoff>(at));
    out << "Bonsoir";
  }
  const Digest lost = Sha256::of(as_bytes(mail(5, 4)));
  const auto expect_the_rest = [&](const Archive& with) {
    for (int number = 1; number <= 12; ++number) {
      const std::string text = mail(number, number > 1 ? number - 1 : 0);
      auto bytes = with.get(Sha256::of(as_bytes(text)));
      EXPECT_EQ(bytes.has_value(), number != 5) << number;
      EXPECT_TRUE(!bytes || *bytes == text) << number;
    }
  };
  auto packed = archive->pack(0, 0);
  ASSERT_TRUE(packed) << describe(packed.error());
  EXPECT_EQ(packed->segments, 1u);
  EXPECT_EQ(packed->messages, 11u);
  EXPECT_EQ(packed->journal_files_released, 0u);
  EXPECT_TRUE(stdfs::exists(journal));
  const auto alarms = archive->status()->alarms;
  ASSERT_FALSE(alarms.empty());
  EXPECT_NE(alarms.front().find(lost.hex()), std::string::npos) << alarms.front();
  EXPECT_NE(alarms.front().find("zoe@maison.example"), std::string::npos) << alarms.front();
  expect_the_rest(*archive);
  EXPECT_TRUE(archive->info(lost)) << "it is known by name";
  // Later passes, a restart and a rebuild leave the file where it is, and double nothing.
  for (int round = 0; round < 3; ++round) {
    archive.reset();
    if (round == 2) {
      ASSERT_TRUE(discard_derived(Fs::real(), directory_, true, true));
    }
    archive = open(Archive::Mode::kEngine);
    apply(*archive);
    packed = archive->pack(0, 0);
    ASSERT_TRUE(packed) << describe(packed.error());
    EXPECT_EQ(packed->segments, 0u);
    EXPECT_TRUE(stdfs::exists(journal)) << round;
    EXPECT_EQ(archive->usage()->deliveries, round == 2 ? 11u : 12u);
    expect_the_rest(*archive);
  }
  // Another copy of the mail comes: it is whole again.
  append(*archive, 5, 5);
  ASSERT_TRUE(archive->close_journal());
  apply(*archive);
  ASSERT_TRUE(archive->pack(0, 0));
  EXPECT_EQ(*archive->get(lost), mail(5, 4));
}

TEST_F(ArchiveTest, ASegmentThatIsAwayIsSaidAndItsNumberNotGivenAgain) {
  auto archive = open(Archive::Mode::kEngine);
  for (int first : {1, 11}) {
    append(*archive, first, first + 9);
    ASSERT_TRUE(archive->close_journal());
    apply(*archive);
    ASSERT_TRUE(archive->pack(0, 0));
  }
  archive.reset();
  const std::string second = directory_ + "/segments/00000002.seg", away = root_ + "/away.seg";
  stdfs::rename(second, away);
  archive = open(Archive::Mode::kEngine);
  EXPECT_FALSE(archive->rebuilding());
  apply(*archive);
  ASSERT_EQ(archive->status()->alarms.size(), 1u);
  EXPECT_NE(archive->status()->alarms[0].find(second), std::string::npos);
  EXPECT_TRUE(archive->get(Sha256::of(as_bytes(mail(3, 2)))));
  EXPECT_FALSE(archive->get(Sha256::of(as_bytes(mail(13, 12)))));
  append(*archive, 21, 25);
  ASSERT_TRUE(archive->close_journal());
  apply(*archive);
  ASSERT_TRUE(archive->pack(0, 0));
  EXPECT_TRUE(stdfs::exists(directory_ + "/segments/00000003.seg"));
  stdfs::rename(away, second);
  expect_mails(*archive, 25, 25);
  // The first one in the second one's place: not what was stored there.
  archive.reset();
  stdfs::rename(second, away);
  stdfs::copy(directory_ + "/segments/00000001.seg", second);
  auto reader = open(Archive::Mode::kReader);  // it looks at no segment before it needs one
  auto wrong = reader->get(Sha256::of(as_bytes(mail(13, 12))));
  ASSERT_FALSE(wrong) << "another message is handed out";
  EXPECT_EQ(wrong.error().code, Code::kCorrupt);
  reader.reset();
  archive = open(Archive::Mode::kEngine);
  EXPECT_TRUE(archive->rebuilding());
  EXPECT_FALSE(archive->status()->alarms.empty());
  apply(*archive);
  EXPECT_TRUE(archive->get(Sha256::of(as_bytes(mail(3, 2)))));
  EXPECT_FALSE(archive->get(Sha256::of(as_bytes(mail(13, 12)))));
}

// The same file with fewer records in it than were applied: a device that forgot, or an older copy.
TEST_F(ArchiveTest, ACatalogAheadOfItsJournalIsMadeAnew) {
  auto archive = open(Archive::Mode::kEngine);
  append(*archive, 1, 10);
  stdfs::copy(directory_ + "/journal", root_ + "/journal-of-before");
  append(*archive, 11, 20);
  apply(*archive);
  archive.reset();
  stdfs::remove_all(directory_ + "/journal");
  stdfs::copy(root_ + "/journal-of-before", directory_ + "/journal");
  archive = open(Archive::Mode::kEngine);
  EXPECT_TRUE(archive->rebuilding());
  apply(*archive);
  expect_mails(*archive, 10, 10);
}

// Only what the engine itself could sync is applied: no derived row is ahead of the durable journal.
TEST_F(ArchiveTest, WhatCannotBeSyncedIsNotApplied) {
  class Refusing : public Fs {
   public:
    class Handle : public File {
     public:
      explicit Handle(std::unique_ptr<File> file) : file_(std::move(file)) {}
      Result<size_t> pread(uint64_t offset, void* buffer, size_t size) const override {
        return file_->pread(offset, buffer, size);
      }
      Result<void> pwritev(uint64_t offset, std::vector<iovec> parts) override {
        return file_->pwritev(offset, std::move(parts));
      }
      Result<void> fdatasync() override { return fail(Code::kIo, "refused", {}, EIO); }
      Result<void> allocate(uint64_t size) override { return file_->allocate(size); }
      Result<void> truncate(uint64_t size) override { return file_->truncate(size); }
      Result<uint64_t> size() const override { return file_->size(); }
      Result<bool> try_lock(bool shared) override { return file_->try_lock(shared); }
      Result<void> set_mode(uint32_t mode) override { return file_->set_mode(mode); }
      const std::string& path() const override { return file_->path(); }

     private:
      std::unique_ptr<File> file_;
    };
    Result<std::unique_ptr<File>> open_read(const std::string& path) override {
      ARCH_TRY(auto file, Fs::real().open_read(path));
      return std::unique_ptr<File>(std::make_unique<Handle>(std::move(file)));
    }
    Result<std::unique_ptr<File>> open_read_write(const std::string& path) override { return open_read(path); }
    Result<std::unique_ptr<File>> create(const std::string& path) override { return Fs::real().create(path); }
    Result<void> sync_directory(const std::string& path) override { return Fs::real().sync_directory(path); }
    Result<void> rename_new(const std::string& from, const std::string& to) override {
      return Fs::real().rename_new(from, to);
    }
    Result<void> remove(const std::string& path) override { return Fs::real().remove(path); }
    Result<void> make_directory(const std::string& path) override { return Fs::real().make_directory(path); }
    Result<std::vector<std::string>> list(const std::string& directory) override {
      return Fs::real().list(directory);
    }
    Result<bool> exists(const std::string& path) override { return Fs::real().exists(path); }
    Result<uint64_t> free_bytes(const std::string& path) override { return Fs::real().free_bytes(path); }
  } refusing;
  auto writer = open(Archive::Mode::kReader);
  append(*writer, 1, 3);
  auto engine = Archive::open(refusing, clock_, directory_, Archive::Mode::kEngine);
  ASSERT_TRUE(engine) << describe(engine.error());
  for (int attempt = 0; attempt < 2; ++attempt) {  // and the sync is not tried again on what failed once
    auto applied = (*engine)->apply();
    ASSERT_FALSE(applied);
    EXPECT_EQ(applied.error().code, Code::kIo);
    EXPECT_EQ((*engine)->usage()->deliveries, 0u);
  }
  engine->reset();
  auto sound = open(Archive::Mode::kEngine);
  apply(*sound);
  expect_mails(*sound, 3, 3);
}

TEST_F(ArchiveTest, AReaderFollowsACatalogThatIsMadeAnew) {
  auto engine = open(Archive::Mode::kEngine);
  append(*engine, 1, 10);
  apply(*engine);
  auto reader = open(Archive::Mode::kReader);
  const std::string numbering = *reader->numbering();
  expect_mails(*reader, 10, 10);
  engine.reset();
  ASSERT_TRUE(discard_derived(Fs::real(), directory_, true, false));
  engine = open(Archive::Mode::kEngine);
  append(*engine, 11, 12);
  apply(*engine);
  ASSERT_TRUE(reader->refresh());
  expect_mails(*reader, 12, 12);
  EXPECT_NE(*reader->numbering(), numbering);
  EXPECT_EQ(*reader->numbering(), *engine->numbering());
  ASSERT_TRUE(engine->compact());
  ASSERT_TRUE(reader->refresh());
  expect_mails(*reader, 12, 12);
}

TEST_F(ArchiveTest, AReaderSeesWhatTheEngineDoesBesideIt) {
  auto engine = open(Archive::Mode::kEngine);
  auto early = open(Archive::Mode::kReader);
  EXPECT_EQ(early->usage()->messages, 0u);
  append(*engine, 1, 10);
  EXPECT_GT(early->status()->pending_bytes, 0u);
  apply(*engine);
  ASSERT_TRUE(early->refresh());
  expect_mails(*early, 10, 10);
  auto reader = open(Archive::Mode::kReader);
  ASSERT_TRUE(engine->close_journal());
  apply(*engine);
  ASSERT_TRUE(engine->pack(0, 0));
  expect_mails(*reader, 10, 10);  // its view still points into the journal file that is gone
}

// A reader does not catch up with a catalog in which nothing was written since it looked; whatever is written has to be noticed.
TEST_F(ArchiveTest, AReaderOfACatalogThatHasSettledFollowsItStill) {
  auto engine = open(Archive::Mode::kEngine);
  append(*engine, 1, 5);
  apply(*engine);
  auto reader = open(Archive::Mode::kReader);
  const auto settle = [&](int count) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1'100));
    ASSERT_TRUE(reader->refresh());
    ASSERT_TRUE(reader->refresh());
    expect_mails(*reader, count, static_cast<uint64_t>(count));
  };
  settle(5);
  append(*engine, 6, 6);
  apply(*engine);  // a log grows
  ASSERT_TRUE(reader->refresh());
  expect_mails(*reader, 6, 6);
  settle(6);
  ASSERT_TRUE(engine->compact());  // all files are others
  ASSERT_TRUE(reader->refresh());
  append(*engine, 7, 8);
  apply(*engine);
  ASSERT_TRUE(reader->refresh());
  expect_mails(*reader, 8, 8);
  settle(8);
}

TEST_F(ArchiveTest, TwoEnginesAreRefused) {
  auto engine = open(Archive::Mode::kEngine);
  auto second = Archive::open(Fs::real(), clock_, directory_, Archive::Mode::kEngine);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kTryAgain);
  EXPECT_NE(second.error().what.find(std::to_string(::getpid())), std::string::npos) << second.error().what;
}

TEST_F(ArchiveTest, AnOlderOrForeignCatalogIsCaughtUpOrThrownAway) {
  auto archive = open(Archive::Mode::kEngine);
  append(*archive, 1, 10);
  apply(*archive);
  archive.reset();
  const std::string older = copy("older");
  archive = open(Archive::Mode::kEngine);
  append(*archive, 11, 20);
  apply(*archive);
  const std::string expected = dump(*archive);
  archive.reset();
  const std::string newer = copy("newer");
  // The catalog of before, put back: it catches up.
  stdfs::remove_all(directory_ + "/catalog");
  stdfs::copy(older + "/catalog", directory_ + "/catalog", stdfs::copy_options::recursive);
  archive = open(Archive::Mode::kEngine);
  EXPECT_FALSE(archive->rebuilding());
  apply(*archive);
  EXPECT_EQ(dump(*archive), expected);
  archive.reset();
  // A journal of before under the newer catalog: the catalog is ahead, and made anew.
  stdfs::remove_all(directory_ + "/journal");
  stdfs::copy(older + "/journal", directory_ + "/journal", stdfs::copy_options::recursive);
  archive = open(Archive::Mode::kEngine);
  EXPECT_TRUE(archive->rebuilding());
  apply(*archive);
  expect_mails(*archive, 10, 10);
  archive.reset();
  // Garbage where the catalog should be.
  for (const auto& entry : stdfs::directory_iterator(directory_ + "/catalog"))
    if (entry.path().filename().string().rfind("MANIFEST", 0) == 0) std::ofstream(entry.path()) << "garbage";
  archive = open(Archive::Mode::kEngine);
  ASSERT_NE(archive, nullptr);
  EXPECT_TRUE(archive->rebuilding());
  apply(*archive);
  expect_mails(*archive, 10, 10);
}

TEST_F(ArchiveTest, PrefixesResolveWhenUniqueAndSayWhenNot) {
  auto archive = open(Archive::Mode::kEngine);
  append(*archive, 1, 3);
  apply(*archive);
  const Digest digest = Sha256::of(as_bytes(mail(1)));
  for (size_t digits : {8u, 9u, 63u, 64u}) {
    auto found = archive->resolve(*DigestPrefix::parse(digest.hex().substr(0, digits)));
    ASSERT_TRUE(found) << digits;
    EXPECT_EQ(*found, digest);
  }
  std::string other = digest.hex();
  other[7] = other[7] == '0' ? '1' : '0';
  auto missing = archive->resolve(*DigestPrefix::parse(other));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
}

TEST_F(ArchiveTest, UsageIsExactToTheByte) {
  auto archive = open(Archive::Mode::kEngine);
  append(*archive, 1, 10);
  ASSERT_TRUE(archive->close_journal());
  apply(*archive);
  ASSERT_TRUE(archive->pack(0, 0));
  append(*archive, 11, 12);
  apply(*archive);
  archive.reset();
  auto reader = open(Archive::Mode::kReader);
  auto usage = reader->usage();
  ASSERT_TRUE(usage);
  uint64_t all = 0;
  for (const auto& entry : stdfs::recursive_directory_iterator(directory_))
    if (entry.is_regular_file()) all += entry.file_size();
  EXPECT_EQ(usage->total(), all);
  uint64_t received = 0;
  for (int number = 1; number <= 12; ++number) received += mail(number, number > 1 ? number - 1 : 0).size();
  EXPECT_EQ(usage->received_bytes, received);
  EXPECT_EQ(usage->message_bytes, received);
}

TEST_F(ArchiveTest, ThreadsFollowAnswersAndTextsAreKept) {
  auto archive = open(Archive::Mode::kEngine);
  append(*archive, 1, 4);
  apply(*archive);
  auto first = archive->info(uint64_t{1});
  ASSERT_TRUE(first);
  auto thread = archive->by_thread(first->thread);
  ASSERT_TRUE(thread);
  EXPECT_EQ(thread->size(), 4u);
  EXPECT_EQ(*archive->by_message_id("m2@maison.example"), std::vector<uint64_t>{2});
  EXPECT_FALSE(archive->text(1));
  const MessageText text{{TextPiece::kBody, "1", "Bonjour"}, {TextPiece::kFileName, "2", "tarif.pdf"}};
  ASSERT_TRUE(archive->put_texts({{1, text}}));
  EXPECT_EQ(*archive->text(1), text);
  auto fed = archive->feed(1, 2, 1 << 20);
  ASSERT_TRUE(fed);
  ASSERT_EQ(fed->size(), 2u);
  EXPECT_EQ(fed->front().delivery.sequence, 2u);
  EXPECT_TRUE(fed->front().first);
  EXPECT_EQ(fed->front().bytes, mail(2, 1));
}

TEST_F(ArchiveTest, ManyInfosAtOnceAreTheSameAsEachForItself) {
  auto archive = open(Archive::Mode::kEngine);
  for (int i = 0; i < 300; ++i) {
    const std::string number = std::to_string(i);
    // Threads that meet later, and messages that came more than once.
    const std::string message = "From: a@b.example\r\nMessage-ID: <" + number + "@x>\r\n" +
                                (i % 3 == 0 ? "References: <" + std::to_string(299 - i) + "@x>\r\n" : "") +
                                "Subject: s" + number + "\r\n\r\n" + number + "\r\n";
    for (int copy = 0; copy <= i % 4; ++copy) {
      Delivery delivery;
      delivery.captured = (i * 10 + copy + 1) * kNsPerSecond;
      ASSERT_TRUE(archive->append_staged(delivery, message));
    }
  }
  ASSERT_TRUE(archive->flush());
  ASSERT_TRUE(archive->apply());
  std::vector<std::vector<uint64_t>> wanted(4);
  for (uint64_t number = 300; number >= 1; --number) {
    wanted[0].push_back(number);
    if (number % 40 == 1) wanted[1].push_back(number);
  }
  wanted[2] = {7, 7, 300, 1, 7, 2, 2};
  wanted[3] = {5};
  for (const std::vector<uint64_t>& numbers : wanted) {
    auto infos = archive->infos(numbers);
    ASSERT_TRUE(infos) << describe(infos.error());
    ASSERT_EQ(infos->size(), numbers.size());
    for (size_t i = 0; i < numbers.size(); ++i) {
      auto alone = archive->info(numbers[i]);
      ASSERT_TRUE(alone);
      EXPECT_EQ((*infos)[i].number, numbers[i]);
      EXPECT_EQ((*infos)[i].digest, alone->digest);
      EXPECT_EQ((*infos)[i].thread, alone->thread) << numbers[i];
      EXPECT_EQ((*infos)[i].deliveries, alone->deliveries) << numbers[i];
    }
  }
  EXPECT_EQ(archive->infos({1, 2, 3, 4, 5, 6, 7, 301}).error().code, Code::kNotFound);
  EXPECT_EQ(archive->infos({1, 301}).error().code, Code::kNotFound);
  EXPECT_TRUE(archive->infos({})->empty());
}

}  // namespace
}  // namespace arch
