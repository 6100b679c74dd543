// Claim   Any flipped bit of a segment or a journal file is found and located, and costs no neighbour; a torn end never costs
//         what was acknowledged, and what was acknowledged and is damaged is called damage; a segment that is missing, swapped or
//         old, and a catalog or index that is older or newer than the segments, is noticed at open or by verify.
// Method  In process: FaultFs for the bytes, a small archive on a real file system for whole files. Places and kinds of damage
//         are drawn by a fixed seed (ARCH_SEED). ARCH_FAULTS_LONG=1 runs the counts of tools/faults --long.
// Teeth   Each case compares every neighbour byte for byte; the undamaged state is checked to be sound between cases.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <set>

#include "engine/archive.h"
#include "engine/format/segment.h"
#include "engine/journal/journal_reader.h"
#include "engine/journal/journal_writer.h"
#include "engine/pack/packer.h"
#include "engine/segment/segment_reader.h"
#include "engine/verify/verify.h"
#include "tests/faults/fault_fs.h"

namespace arch {
namespace {

namespace stdfs = std::filesystem;

size_t count_of(size_t usual, size_t in_long_form) {
  return ::getenv("ARCH_FAULTS_LONG") != nullptr ? in_long_form : usual;
}
uint64_t seed() {
  const char* wanted = ::getenv("ARCH_SEED");
  return wanted == nullptr ? 1 : std::strtoull(wanted, nullptr, 10);
}

std::string mail(uint64_t number, size_t size = 400) {
  std::mt19937_64 random(number);
  std::string text = "From: a@maison.example\r\nSubject: n" + std::to_string(number) + "\r\nMessage-ID: <" +
                     std::to_string(number) + "@maison.example>\r\n\r\n";
  while (text.size() < size) text += static_cast<char>('a' + random() % 26);
  return text + "\r\n";
}

Delivery delivery_of(uint64_t number) {
  Delivery delivery;
  delivery.digest = Sha256::of(as_bytes(mail(number)));
  delivery.captured = static_cast<UnixNs>(number) * kNsPerSecond;
  delivery.queue_id = "Q" + std::to_string(number);
  return delivery;
}

// ── the journal ──

struct Journal {
  FaultFs fs{7};
  std::string path;
  std::vector<uint64_t> ends;          // behind each record
  std::vector<uint64_t> acknowledged;  // the durable end when it was known
  uint64_t records = 0;
};

// `batches` syncs of a few records each; without END when the writer dies.
void write_journal(Journal* journal, int batches, bool closed) {
  ArchiveId id;
  id.bytes.fill(3);
  ASSERT_TRUE(journal->fs.make_directory("j"));
  JournalWriter::Options options;
  options.reserve_bytes = 64u << 10;
  auto writer = JournalWriter::create(journal->fs, "j", id, 1, options);
  ASSERT_TRUE(writer) << describe(writer.error());
  for (int batch = 0; batch < batches; ++batch) {
    std::vector<std::string> kept;
    for (int i = 0; i <= batch % 3; ++i) kept.push_back(mail(journal->records + 1 + static_cast<uint64_t>(i)));
    for (const std::string& text : kept) {
      auto ref = (*writer)->append(delivery_of(++journal->records), as_bytes(text));
      ASSERT_TRUE(ref);
      journal->ends.push_back(ref->offset + ref->length);
    }
    auto end = (*writer)->sync();
    ASSERT_TRUE(end);
    journal->acknowledged.push_back(*end);
  }
  journal->path = (*writer)->path();
  if (closed) {
    ASSERT_TRUE((*writer)->close());
  }
}

struct Read {
  std::set<std::string> found;  // queue ids
  std::vector<BadRange> bad;
  bool opened = false;
};

Read read_journal(Fs& fs, const std::string& path) {
  Read out;
  auto reader = JournalReader::open(fs, path);
  if (!reader) return out;
  out.opened = true;
  (*reader)->set_live(false);
  uint64_t offset = 0;
  JournalReader::Record record;
  std::string message;
  while (true) {
    auto more = (*reader)->next(&offset, &record, &message, &out.bad);
    if (!more || !*more) break;
    EXPECT_EQ(Sha256::of(as_bytes(message)), record.header.digest) << "altered bytes are handed out";
    out.found.insert(record.delivery.queue_id);
  }
  return out;
}

TEST(Damage, ATornEndCostsNothingThatWasAcknowledged) {
  Journal journal;
  ASSERT_NO_FATAL_FAILURE(write_journal(&journal, 12, false));
  const std::string whole = journal.fs.contents(journal.path);
  std::mt19937_64 random(seed());
  const size_t wanted = count_of(4'000, 100'000);
  for (size_t round = 0; round < wanted; ++round) {
    // The writer was in the middle of the batch behind acknowledged[b] when it ended.
    const size_t batch = random() % (journal.acknowledged.size() - 1);
    const uint64_t durable = journal.acknowledged[batch], next = journal.acknowledged[batch + 1];
    const uint64_t cut = round < next - durable ? durable + round : durable + random() % (next - durable);
    std::string bytes = whole.substr(0, cut);
    const int kind = static_cast<int>(random() % 4);
    const size_t rest = whole.size() - cut;
    if (kind == 1) bytes.append(rest, '\0');
    if (kind == 2) bytes.append(whole, 0, std::min<size_t>(rest, 2'000));  // what lay in these blocks before
    if (kind == 3)
      for (size_t i = 0; i < std::min<size_t>(rest, 3'000); ++i) bytes += static_cast<char>(random());
    SCOPED_TRACE("cut at " + std::to_string(cut) + ", kind " + std::to_string(kind) + ", round " +
                 std::to_string(round));
    FaultFs fs(1);
    ASSERT_TRUE(fs.make_directory("j"));
    ASSERT_TRUE(fs.create(journal.path));
    fs.overwrite(journal.path, 0, bytes);
    const Read read = read_journal(fs, journal.path);
    for (size_t record = 0; record < journal.ends.size() && journal.ends[record] <= durable; ++record)
      ASSERT_EQ(read.found.count("Q" + std::to_string(record + 1)), 1u) << "acknowledged and lost: " << record + 1;
    for (const BadRange& range : read.bad) ASSERT_FALSE(range.damage) << "a torn batch is called damage";
  }
}

TEST(Damage, DamageBelowTheDurableEndIsCalledDamage) {
  Journal journal;
  ASSERT_NO_FATAL_FAILURE(write_journal(&journal, 12, false));
  const std::string whole = journal.fs.contents(journal.path);
  std::mt19937_64 random(seed());
  for (size_t round = 0; round < count_of(500, 20'000); ++round) {
    // Anywhere in what a later record of another batch calls durable.
    const uint64_t at = 72 + random() % (journal.acknowledged[journal.acknowledged.size() - 2] - 72);
    std::string bytes = whole;
    for (size_t i = at; i < std::min<size_t>(at + 1 + random() % 64, bytes.size()); ++i)
      bytes[i] ^= static_cast<char>(1 + random() % 255);
    FaultFs fs(1);
    ASSERT_TRUE(fs.make_directory("j"));
    ASSERT_TRUE(fs.create(journal.path));
    fs.overwrite(journal.path, 0, bytes);
    const Read read = read_journal(fs, journal.path);
    const bool named = std::any_of(read.bad.begin(), read.bad.end(), [&](const BadRange& range) {
      return range.damage && range.begin <= at && at < range.end;
    });
    ASSERT_TRUE(named) << "at " << at;
  }
}

TEST(Damage, AFlippedBitOfAJournalIsFoundAndCostsOneRecord) {
  Journal journal;
  ASSERT_NO_FATAL_FAILURE(write_journal(&journal, 12, true));
  const std::string whole = journal.fs.contents(journal.path);
  std::mt19937_64 random(seed());
  for (size_t round = 0; round < count_of(1'500, 500'000); ++round) {
    const size_t at = random() % whole.size();
    const int bit = static_cast<int>(random() % 8);
    SCOPED_TRACE("byte " + std::to_string(at) + " bit " + std::to_string(bit));
    journal.fs.flip_bit(journal.path, at, bit);
    const Read read = read_journal(journal.fs, journal.path);
    ASSERT_FALSE(read.bad.empty()) << "not found";
    ASSERT_GE(read.found.size() + 1, journal.records) << "more than one record is lost";
    for (size_t record = 0; record < journal.ends.size(); ++record) {
      const uint64_t begin = record == 0 ? 72 : journal.ends[record - 1];
      if (at >= begin && at < journal.ends[record]) continue;
      ASSERT_EQ(read.found.count("Q" + std::to_string(record + 1)), 1u) << "a neighbour is lost: " << record + 1;
    }
    journal.fs.flip_bit(journal.path, at, bit);
  }
}

// ── a segment ──

class Mails : public PackSource {
 public:
  explicit Mails(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      std::string text = mail(i + 1, 900);
      if (i % 3 == 0) {
        text = "Subject: p\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nt" +
               std::to_string(i) +
               "\r\n--b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n";
        for (int line = 0; line < 90; ++line)
          text += std::string(76, static_cast<char>('A' + (i + line) % 26)) + "\r\n";
        text += "--b--\r\n";
      }
      mails.push_back(text);
    }
  }
  Result<Delivery> read(size_t i, std::string* message) override {
    if (message != nullptr) *message = mails[i];
    Delivery delivery = delivery_of(i + 1);
    delivery.digest = Sha256::of(as_bytes(mails[i]));
    return delivery;
  }
  Result<Delivery> read_delivery(size_t i) override { return read(i, nullptr); }
  Result<std::optional<BlobPlace>> find_blob(const Digest&) override { return std::optional<BlobPlace>(); }
  Result<std::string> read_blob(const Digest&, uint32_t) override {
    return fail(Code::kNotFound, "no other segment");
  }
  std::vector<std::string> mails;
};

TEST(Damage, AFlippedBitOfASegmentIsFoundAndLocatedAndCostsNoOtherBlock) {
  FaultFs fs(9);
  for (const char* directory : {"t", "s"}) ASSERT_TRUE(fs.make_directory(directory));
  Mails source(40);
  std::vector<PackItem> items;
  for (size_t i = 0; i < source.mails.size(); ++i)
    items.push_back({i + 1, Sha256::of(as_bytes(source.mails[i])), source.mails[i].size(), true});
  PackOptions options;
  options.block_bytes = 4'000;  // many small blocks: neighbours to keep
  ArchiveId id;
  id.bytes.fill(3);
  auto packed = pack_segment(fs, id, 1, Digest{}, 1, "t", "s", items, {}, source, options);
  ASSERT_TRUE(packed) << describe(packed.error());
  const std::string path = packed->path;
  const uint64_t size = fs.contents(path).size();
  std::mt19937_64 random(seed());
  size_t readable = 0, opened = 0;
  for (size_t round = 0; round < count_of(1'500, 500'000); ++round) {
    const uint64_t at = random() % size;
    const int bit = static_cast<int>(random() % 8);
    SCOPED_TRACE("byte " + std::to_string(at) + " bit " + std::to_string(bit));
    fs.flip_bit(path, at, bit);
    auto reader = SegmentReader::open(fs, path);
    if (reader) {
      ++opened;
      auto faults = (*reader)->verify(false, {}, {});
      ASSERT_TRUE(faults);
      ASSERT_FALSE(faults->empty()) << "not found";
      ASSERT_LE(faults->front().offset, at) << "located behind it";
      if (at >= segment_format::kHeaderSize && at < size - (*reader)->sizes().footer) {
        ASSERT_GT(faults->front().offset, 0u) << "not located";
      }
      // Who sent it to whom is compared too: nothing but the block's checksum guards these.
      static_cast<void>((*reader)->for_each_delivery([&](const SegmentReader::DeliveryEntry& entry) {
        Delivery wanted = delivery_of(entry.sequence);
        wanted.digest = entry.delivery.digest;
        EXPECT_EQ(entry.delivery, wanted) << "an altered envelope is handed out";
        return entry.delivery == wanted;
      }));
      size_t whole = 0;
      for (uint32_t i = 0; i < (*reader)->message_count(); ++i) {
        auto bytes = (*reader)->read_message(i, {}, nullptr);
        ASSERT_TRUE(!bytes || Sha256::of(as_bytes(*bytes)) == (*reader)->message_digest(i));
        whole += bytes.has_value();
      }
      readable += whole;
      ASSERT_GE(whole, source.mails.size() / 2) << "one bit costs more than its block";
    } else {
      ASSERT_EQ(reader.error().code == Code::kCorrupt || reader.error().code == Code::kInvalid ||
                    reader.error().code == Code::kTooNew,
                true);
    }
    fs.flip_bit(path, at, bit);
  }
  EXPECT_GT(opened, 0u);
  EXPECT_GT(readable, opened * source.mails.size() * 8 / 10);
}

// ── whole files ──

class Files : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (::access("/dev/shm", W_OK) == 0 ? "/dev/shm/" : testing::TempDir()) + "damage-test-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    ASSERT_TRUE(Archive::init(Fs::real(), root_ + "/a", 1));
    auto archive = Archive::open(Fs::real(), Clock::system(), root_ + "/a", Archive::Mode::kEngine);
    ASSERT_TRUE(archive);
    (*archive)->set_reserve_bytes(0);
    for (uint64_t segment = 0; segment < 4; ++segment) {
      stdfs::copy(root_ + "/a/catalog", root_ + "/catalog" + std::to_string(segment), stdfs::copy_options::recursive);
      for (uint64_t i = 1; i <= 5; ++i) {
        const uint64_t number = segment * 5 + i;
        ASSERT_TRUE((*archive)->append_staged(delivery_of(number), mail(number)));
      }
      ASSERT_TRUE((*archive)->close_journal());
      ASSERT_TRUE((*archive)->apply());
      ASSERT_TRUE((*archive)->pack(0, 0));
      if (segment == 0) put(root_ + "/a", root_ + "/d");
    }
    // What the archive would have become, had other mail come after its first segment.
    stdfs::remove_all(root_ + "/d/catalog");
    auto branch = Archive::open(Fs::real(), Clock::system(), root_ + "/d", Archive::Mode::kEngine);
    (*branch)->set_reserve_bytes(0);
    ASSERT_TRUE((*branch)->apply());
    ASSERT_TRUE((*branch)->append_staged(delivery_of(99), mail(99)));
    ASSERT_TRUE((*branch)->close_journal());
    ASSERT_TRUE((*branch)->apply());
    ASSERT_TRUE((*branch)->pack(0, 0));
    // Another archive, to take foreign files from.
    ASSERT_TRUE(Archive::init(Fs::real(), root_ + "/b", 1));
    auto other = Archive::open(Fs::real(), Clock::system(), root_ + "/b", Archive::Mode::kEngine);
    (*other)->set_reserve_bytes(0);
    ASSERT_TRUE((*other)->append_staged(delivery_of(1), mail(1)));
    ASSERT_TRUE((*other)->close_journal());
    ASSERT_TRUE((*other)->apply());
    ASSERT_TRUE((*other)->pack(0, 0));
  }
  void TearDown() override { stdfs::remove_all(root_); }

  static std::string segment(const std::string& archive, uint32_t number) {
    return archive + "/segments/" + segment_file_name(number);
  }
  static void put(const std::string& from, const std::string& to) {
    stdfs::remove_all(to);
    stdfs::copy(from, to, stdfs::copy_options::recursive);
  }

  std::string root_;
};

TEST_F(Files, WhatIsMissingSwappedOrOldIsNoticedAndNeverSilentlyWrong) {
  std::mt19937_64 random(seed());
  const std::string work = root_ + "/w";
  size_t noticed_at_open = 0, noticed_by_verify = 0;
  for (size_t round = 0; round < count_of(500, 10'000); ++round) {
    put(root_ + "/a", work);
    bool harmless = false;
    const uint32_t one = 1 + static_cast<uint32_t>(random() % 4), other = 1 + static_cast<uint32_t>(random() % 4);
    const int kind = static_cast<int>(random() % 6);
    SCOPED_TRACE("round " + std::to_string(round) + " kind " + std::to_string(kind) + " " + std::to_string(one) +
                 " " + std::to_string(other));
    std::set<uint32_t> away;
    switch (kind) {
      case 0:
        stdfs::remove(segment(work, one));
        away = {one};
        break;
      case 1:  // swapped, or one in the place of two
        put(segment(root_ + "/a", other), segment(work, one));
        harmless = one == other;
        if (!harmless) away = {one};
        break;
      case 2:
        put(segment(root_ + "/b", 1), segment(work, one));
        away = {one};
        break;
      case 3: {  // cut short
        stdfs::permissions(segment(work, one), stdfs::perms::owner_write, stdfs::perm_options::add);
        stdfs::resize_file(segment(work, one), random() % stdfs::file_size(segment(work, one)));
        away = {one};
        break;
      }
      case 4:  // a catalog of before: it catches up
        put(root_ + "/catalog" + std::to_string(one - 1), work + "/catalog");
        harmless = true;
        break;
      default:  // the catalog of the whole archive over fewer segments
        stdfs::remove(segment(work, 4));
        away = {4};
        if (one % 2 == 0) {
          stdfs::remove(segment(work, 3));
          away.insert(3);
        }
        break;
    }
    auto report = verify_archive(Fs::real(), work, {}, {});
    ASSERT_TRUE(report);
    // Opening a catalog takes longer than all the rest: a share of the rounds does.
    if (round % 5 == 0) {
      auto archive = Archive::open(Fs::real(), Clock::system(), work, Archive::Mode::kEngine);
      ASSERT_TRUE(archive) << describe(archive.error());
      ASSERT_TRUE((*archive)->apply());
      const bool said = !(*archive)->status()->alarms.empty();
      for (uint64_t number = 1; number <= 20; ++number) {
        auto bytes = (*archive)->get(Sha256::of(as_bytes(mail(number))));
        const bool lies_away = away.count(static_cast<uint32_t>((number - 1) / 5 + 1)) != 0;
        ASSERT_EQ(bytes.has_value(), !lies_away) << number;
        ASSERT_TRUE(!bytes || *bytes == mail(number)) << number;
      }
      ASSERT_EQ(said, !harmless);
      noticed_at_open += said;
    } else if (!harmless && kind != 5) {
      // The last segments missing without a catalog that knew them is what no file can tell.
      ASSERT_TRUE(!report->faults.empty() || (kind == 0 && one == 4)) << "not noticed by verify";
    }
    noticed_by_verify += !report->faults.empty();
    ASSERT_TRUE(!harmless || report->faults.empty());
  }
  EXPECT_GT(noticed_at_open, 0u);
  EXPECT_GT(noticed_by_verify, 0u);
}

// The right archive, the right number, whole in itself: only the segment behind it knows better.
TEST_F(Files, ASegmentFromAnotherPastIsNoticed) {
  put(segment(root_ + "/d", 2), segment(root_ + "/a", 2));
  auto report = verify_archive(Fs::real(), root_ + "/a", {}, {});
  ASSERT_TRUE(report);
  ASSERT_EQ(report->faults.size(), 1u);
  EXPECT_EQ(report->faults[0].file, segment(root_ + "/a", 3));
}

// The only segment there is: no chain tells.
TEST_F(Files, ASegmentOfAnotherArchiveIsNoticedByItself) {
  ASSERT_TRUE(Archive::init(Fs::real(), root_ + "/c", 2));
  put(segment(root_ + "/b", 1), segment(root_ + "/c", 1));
  auto report = verify_archive(Fs::real(), root_ + "/c", {}, {});
  ASSERT_TRUE(report);
  ASSERT_EQ(report->faults.size(), 1u);
  EXPECT_NE(report->faults[0].what.find("another archive"), std::string::npos);
}

}  // namespace
}  // namespace arch
