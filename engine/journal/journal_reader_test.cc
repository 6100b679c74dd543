// Claim   The reader gives back every record that was promised and is intact, calls damage what was acknowledged and torn
//         what was not, never trusts a length before its checksum, never runs past a live writer, and changes nothing.
// Method  Files of known records, cut at each byte, followed by zeros and by garbage, with a bit flipped in every byte;
//         live files read beside their writer; random mutations on top.
// Teeth   A reader that stops at the first bad byte, skips a neighbour, takes a torn batch for damage or the other way
//         round, or believes a length, fails here.
#include "engine/journal/journal_reader.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <random>
#include <set>

#include "engine/base/bytes.h"
#include "engine/base/limits.h"
#include "engine/journal/journal_test_support.h"
#include "tests/faults/fault_fs.h"

namespace arch {
namespace {

using namespace journal_test;
using journal_format::kHeaderSize;
using journal_format::kRecordHeaderSize;
using journal_format::kRecordTrailerSize;

constexpr const char* kDirectory = "journal";
constexpr uint64_t kEndRecordSize = kRecordHeaderSize + kRecordTrailerSize;

// One file of batches: {{2, 1}, closed} has two batches, of two records and of one.
struct Sample {
  FaultFs fs;
  std::unique_ptr<JournalWriter> writer;
  std::string path;
  std::vector<RecordRef> refs;
  std::vector<std::string> messages;
  std::vector<uint64_t> batch_ends;

  explicit Sample(const std::vector<int>& batches, size_t message_bytes = 60, uint64_t reserve = 16 << 10) {
    EXPECT_TRUE(fs.make_directory(kDirectory));
    JournalWriter::Options options;
    options.reserve_bytes = reserve;
    writer = *JournalWriter::create(fs, kDirectory, test_archive(), 1, options);
    path = writer->path();
    for (int size : batches) add_batch(size, message_bytes);
  }
  void add_batch(int size, size_t message_bytes = 60) {
    std::vector<std::string> batch;
    const uint64_t first = messages.size();
    for (int i = 0; i < size; ++i) batch.push_back(message_of(first + static_cast<uint64_t>(i), message_bytes));
    for (int i = 0; i < size; ++i) {
      const std::string& message = batch[static_cast<size_t>(i)];
      refs.push_back(*writer->append(delivery_of(first + static_cast<uint64_t>(i), message), as_bytes(message)));
    }
    EXPECT_TRUE(writer->sync());
    messages.insert(messages.end(), batch.begin(), batch.end());
    batch_ends.push_back(writer->durable_end());
  }
  void close() {
    EXPECT_TRUE(writer->close());
    writer.reset();
  }
  void die() { writer.reset(); }
  std::set<std::string> keys_except(std::initializer_list<size_t> missing) const {
    std::set<std::string> keys;
    for (size_t i = 0; i < messages.size(); ++i) keys.insert("Q" + std::to_string(i));
    for (size_t i : missing) keys.erase("Q" + std::to_string(i));
    return keys;
  }
};

std::set<std::string> keys_of(const Found& found) {
  std::set<std::string> keys;
  for (const auto& [key, value] : found) keys.insert(key);
  return keys;
}

bool is_range(const BadRange& range, uint64_t begin, uint64_t end, bool damage) {
  return range.begin == begin && range.end == end && range.damage == damage;
}

TEST(JournalReader, GivesBackWhatWasWrittenInOrder) {
  Sample sample({3, 1, 2});
  sample.close();
  auto reader = *JournalReader::open(sample.fs, sample.path);
  EXPECT_EQ(reader->number(), 1u);
  EXPECT_EQ(reader->header().archive, test_archive());
  uint64_t offset = 0;
  for (size_t i = 0; i < sample.messages.size(); ++i) {
    JournalReader::Record record;
    std::string message;
    std::vector<BadRange> bad;
    ASSERT_TRUE(*reader->next(&offset, &record, &message, &bad));
    EXPECT_TRUE(bad.empty());
    EXPECT_EQ(record.ref, sample.refs[i]);
    EXPECT_EQ(record.header.ordinal, i);
    EXPECT_EQ(record.delivery, delivery_of(i, sample.messages[i]));
    EXPECT_EQ(message, sample.messages[i]);
    EXPECT_EQ(offset, record.ref.offset + record.ref.length);
    EXPECT_EQ(*reader->read_message(record.ref), message);
    EXPECT_EQ(reader->read_record(record.ref)->delivery, record.delivery);
    EXPECT_FALSE(reader->has_end());
  }
  const uint64_t end = offset;
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(*reader->next(&offset, nullptr, nullptr, nullptr));
    EXPECT_EQ(offset, end);
    EXPECT_TRUE(reader->has_end());
  }
}

TEST(JournalReader, ReadsTheGoldenFileOfVersion1) {
  auto bytes = read_file(Fs::real(), std::string(ARCH_SOURCE_DIR) + "/tests/golden/journal-v1.jnl", 1 << 20);
  ASSERT_TRUE(bytes);
  FaultFs fs;
  ASSERT_TRUE(fs.make_directory(kDirectory));
  const std::string path = kDirectory + std::string("/") + journal_file_name(1);
  ASSERT_TRUE(fs.create(path));
  fs.overwrite(path, 0, *bytes);
  EXPECT_EQ((*list_journal(fs, kDirectory))[0].state, JournalState::kClosed);
  auto reader = *JournalReader::open(fs, path);
  uint64_t offset = 0;
  JournalReader::Record record;
  std::string message;
  std::vector<BadRange> bad;
  ASSERT_TRUE(*reader->next(&offset, &record, &message, &bad));
  EXPECT_EQ(message, "Subject: hi\r\n\r\nHello.\r\n");
  EXPECT_EQ(record.delivery.mail_from, "a@example.org");
  EXPECT_EQ(record.delivery.rcpt.at(0).address, "b@example.net");
  EXPECT_EQ(record.delivery.queue_id, "4F1A");
  EXPECT_FALSE(*reader->next(&offset, &record, &message, &bad));
  EXPECT_TRUE(reader->has_end());
  EXPECT_TRUE(bad.empty());
}

TEST(JournalReader, AFileCutAtAnyByteKeepsEveryRecordBeforeTheCut) {
  Sample sample({2, 1, 2});
  sample.close();
  const std::string whole = sample.fs.contents(sample.path);
  for (uint64_t size = 0; size <= whole.size(); ++size) {
    SCOPED_TRACE(testing::Message() << "cut at " << size);
    auto disk = sample.fs.copy();
    disk->cut(sample.path, size);
    std::vector<BadRange> bad;
    auto found = read_all(*disk, sample.path, &bad);
    ASSERT_TRUE(found) << found.error().what;
    size_t whole_records = 0;
    uint64_t covered = std::min<uint64_t>(size, kHeaderSize);
    for (const RecordRef& ref : sample.refs)
      if (ref.offset + ref.length <= size) {
        ++whole_records;
        covered = ref.offset + ref.length;
      }
    EXPECT_EQ(found->size(), whole_records);
    if (size < kHeaderSize || covered == size || size == whole.size()) {
      EXPECT_TRUE(bad.empty());
    } else {
      ASSERT_EQ(bad.size(), 1u);
      EXPECT_EQ(bad[0].begin, covered);
      EXPECT_LE(bad[0].end, size);
      EXPECT_FALSE(bad[0].damage) << "no later record says that this was durable";
    }
    auto files = *list_journal(*disk, kDirectory);
    ASSERT_EQ(files.size(), 1u);
    EXPECT_EQ(files[0].state, size == whole.size() ? JournalState::kClosed : JournalState::kAbandoned);
  }
}

TEST(JournalReader, ZerosBehindTheLastRecordAreNotReportedAndGarbageIs) {
  for (bool closed : {false, true}) {
    Sample sample({2});
    if (closed)
      sample.close();
    else
      sample.die();
    const uint64_t end = sample.batch_ends.back() + (closed ? kEndRecordSize : 0);
    sample.fs.cut(sample.path, end);
    for (size_t zeros : {1, 15, 16, 88, 5000}) {
      auto disk = sample.fs.copy();
      disk->cut(sample.path, end + zeros);
      std::vector<BadRange> bad;
      EXPECT_EQ(read_all(*disk, sample.path, &bad)->size(), 2u);
      EXPECT_TRUE(bad.empty());
      disk->overwrite(sample.path, end + zeros, "?");
      disk->cut(sample.path, end + zeros + 100);
      EXPECT_EQ(read_all(*disk, sample.path, &bad)->size(), 2u);
      ASSERT_EQ(bad.size(), 1u);
      EXPECT_TRUE(is_range(bad[0], end, end + zeros + 1, false)) << bad[0].begin << "-" << bad[0].end;
    }
  }
}

TEST(JournalReader, AFlippedBitAnywhereInAClosedFileCostsOneRecordAndIsCalledDamage) {
  Sample sample({2, 1, 2});
  sample.close();
  const uint64_t size = sample.fs.contents(sample.path).size();
  const uint64_t end_record = size - kEndRecordSize;
  size_t hits = 0;
  for (uint64_t at = 0; at < size; ++at) {
    SCOPED_TRACE(testing::Message() << "bit flipped at " << at);
    auto disk = sample.fs.copy();
    disk->flip_bit(sample.path, at, static_cast<int>(at % 8));
    std::vector<BadRange> bad;
    auto found = read_all(*disk, sample.path, &bad);
    ASSERT_TRUE(found) << found.error().what;
    ASSERT_EQ(bad.size(), 1u);
    if (at < kHeaderSize) {
      EXPECT_EQ(keys_of(*found), sample.keys_except({})) << "no record depends on the file header";
      EXPECT_TRUE(is_range(bad[0], 0, kHeaderSize, true));
      EXPECT_EQ((*list_journal(*disk, kDirectory))[0].state, JournalState::kClosed);
    } else if (at >= end_record) {
      EXPECT_EQ(keys_of(*found), sample.keys_except({}));
      EXPECT_EQ(bad[0].begin, end_record);
    } else {
      size_t hit = 0;
      while (at >= sample.refs[hit].offset + sample.refs[hit].length) ++hit;
      const RecordRef& ref = sample.refs[hit];
      EXPECT_EQ(keys_of(*found), sample.keys_except({hit}));
      EXPECT_TRUE(is_range(bad[0], ref.offset, ref.offset + ref.length, true));
      // By its reference the damage is found as well.
      auto reader = *JournalReader::open(*disk, sample.path);
      auto record = reader->read_record(ref);
      ASSERT_FALSE(record);
      EXPECT_EQ(record.error().code, Code::kCorrupt);
      // The message itself is lost only when its own bytes or the header that names its digest are hit.
      const uint64_t message_at = ref.offset + ref.length - kRecordTrailerSize - sample.messages[hit].size();
      const bool message_hit =
          at < ref.offset + kRecordHeaderSize || (at >= message_at && at < message_at + sample.messages[hit].size());
      auto message = reader->read_message(ref);
      ASSERT_EQ(message.has_value(), !message_hit);
      if (message) {
        EXPECT_EQ(*message, sample.messages[hit]);
      }
      ++hits;
    }
  }
  EXPECT_EQ(hits, end_record - kHeaderSize);
}

TEST(JournalReader, InTheLastBatchOfADeadFileABadRangeIsCalledTorn) {
  Sample sample({2, 3});
  sample.die();
  for (size_t hit = 0; hit < sample.refs.size(); ++hit) {
    auto disk = sample.fs.copy();
    disk->flip_bit(sample.path, sample.refs[hit].offset + 100, 3);
    std::vector<BadRange> bad;
    EXPECT_EQ(keys_of(*read_all(*disk, sample.path, &bad)), sample.keys_except({hit}));
    ASSERT_EQ(bad.size(), 1u);
    EXPECT_EQ(bad[0].begin, sample.refs[hit].offset);
    EXPECT_EQ(bad[0].damage, hit < 2) << "the first batch is stated durable by the second, the second by nobody";
  }
}

TEST(JournalReader, TheProofOfDamageMayLieFarBehind) {
  // The neighbour behind the bad range belongs to the same batch and cannot state that it was durable; a later one does.
  Sample sample({3, 1});
  sample.die();
  auto disk = sample.fs.copy();
  disk->flip_bit(sample.path, sample.refs[0].offset + 5, 0);
  disk->flip_bit(sample.path, sample.refs[2].offset + 5, 0);
  std::vector<BadRange> bad;
  EXPECT_EQ(keys_of(*read_all(*disk, sample.path, &bad)), sample.keys_except({0, 2}));
  ASSERT_EQ(bad.size(), 2u);
  EXPECT_TRUE(bad[0].damage);
  EXPECT_TRUE(bad[1].damage);
}

TEST(JournalReader, SeveralBadRangesAndHolesAreEachLocated) {
  Sample sample({1, 1, 1, 1, 1, 1});
  sample.close();
  auto disk = sample.fs.copy();
  auto hole = [&](size_t first, size_t last, char with) {
    const uint64_t begin = sample.refs[first].offset, end = sample.refs[last].offset + sample.refs[last].length;
    disk->overwrite(sample.path, begin, std::string(end - begin, with));
  };
  hole(0, 0, '\0');
  hole(2, 3, '\xff');
  std::vector<BadRange> bad;
  EXPECT_EQ(keys_of(*read_all(*disk, sample.path, &bad)), sample.keys_except({0, 2, 3}));
  ASSERT_EQ(bad.size(), 2u);
  EXPECT_TRUE(is_range(bad[0], sample.refs[0].offset, sample.refs[1].offset, true));
  EXPECT_TRUE(is_range(bad[1], sample.refs[2].offset, sample.refs[4].offset, true));
}

// ── Beside a live writer ──

TEST(JournalReader, FollowsALiveWriterAndNeverPassesItsZeros) {
  Sample sample({});
  auto reader = *JournalReader::open(sample.fs, sample.path);
  uint64_t offset = 0;
  size_t seen = 0;
  std::vector<BadRange> bad;
  for (int round = 0; round < 10; ++round) {
    JournalReader::Record record;
    std::string message;
    while (*reader->next(&offset, &record, &message, &bad)) EXPECT_EQ(message, sample.messages.at(seen++));
    EXPECT_EQ(seen, sample.messages.size());
    EXPECT_EQ(offset, std::max<uint64_t>(kHeaderSize, sample.writer->durable_end()));
    sample.add_batch(1 + round % 3);
  }
  sample.close();
  JournalReader::Record record;
  while (*reader->next(&offset, &record, nullptr, &bad)) ++seen;
  EXPECT_EQ(seen, sample.messages.size());
  EXPECT_TRUE(reader->has_end());
  EXPECT_TRUE(bad.empty());
}

TEST(JournalReader, HalfABatchOfALiveWriterIsWaitedFor) {
  Sample sample({1, 2});
  const std::string now = sample.fs.contents(sample.path);
  const RecordRef half = sample.refs[1], last = sample.refs[2];
  // As if the pages of the last record were there before those of the one in front of it.
  sample.fs.overwrite(sample.path, half.offset + 50, std::string(half.length - 50, '\0'));
  auto reader = *JournalReader::open(sample.fs, sample.path);
  uint64_t offset = 0;
  std::vector<BadRange> bad;
  JournalReader::Record record;
  ASSERT_TRUE(*reader->next(&offset, &record, nullptr, &bad));
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(*reader->next(&offset, &record, nullptr, &bad));
  EXPECT_EQ(offset, half.offset);
  EXPECT_TRUE(bad.empty()) << "it may be on its way";
  sample.fs.overwrite(sample.path, 0, now);
  ASSERT_TRUE(*reader->next(&offset, &record, nullptr, &bad));
  EXPECT_EQ(record.ref, half);
  ASSERT_TRUE(*reader->next(&offset, &record, nullptr, &bad));
  EXPECT_EQ(record.ref, last);
  EXPECT_TRUE(bad.empty());
}

TEST(JournalReader, DamageBesideALiveWriterIsPassedOnceALaterRecordProvesIt) {
  Sample sample({1, 1, 1});
  sample.fs.flip_bit(sample.path, sample.refs[1].offset + 90, 0);
  auto reader = *JournalReader::open(sample.fs, sample.path);
  uint64_t offset = 0;
  std::vector<BadRange> bad;
  JournalReader::Record record;
  ASSERT_TRUE(*reader->next(&offset, &record, nullptr, &bad));
  ASSERT_TRUE(*reader->next(&offset, &record, nullptr, &bad));
  EXPECT_EQ(record.ref, sample.refs[2]) << "its record states that the second one was durable";
  ASSERT_EQ(bad.size(), 1u);
  EXPECT_TRUE(is_range(bad[0], sample.refs[1].offset, sample.refs[2].offset, true));
  // The last batch, however, nobody has stated durable yet.
  sample.fs.flip_bit(sample.path, sample.refs[2].offset + 90, 0);
  offset = sample.refs[2].offset;
  auto second = *JournalReader::open(sample.fs, sample.path);
  EXPECT_FALSE(*second->next(&offset, &record, nullptr, &bad));
  EXPECT_EQ(bad.size(), 1u);
  sample.add_batch(1);
  ASSERT_TRUE(*second->next(&offset, &record, nullptr, &bad));
  EXPECT_EQ(record.ref, sample.refs[3]);
  ASSERT_EQ(bad.size(), 2u);
  EXPECT_TRUE(bad[1].damage);
}

TEST(JournalReader, WhenTheWriterDiesItsTornTailIsReported) {
  Sample sample({1, 1});
  sample.fs.overwrite(sample.path, sample.batch_ends[1], "half a record");
  auto reader = *JournalReader::open(sample.fs, sample.path);
  uint64_t offset = 0;
  std::vector<BadRange> bad;
  while (*reader->next(&offset, nullptr, nullptr, &bad)) {
  }
  EXPECT_TRUE(bad.empty());
  sample.die();
  EXPECT_FALSE(*reader->next(&offset, nullptr, nullptr, &bad));
  ASSERT_EQ(bad.size(), 1u);
  EXPECT_TRUE(is_range(bad[0], sample.batch_ends[1], sample.batch_ends[1] + 13, false));
  EXPECT_EQ(offset, sample.batch_ends[1]);
}

// ── Hostile bytes ──

TEST(JournalReader, LengthsAreNotBelievedBeyondTheLimitsEvenUnderAGoodChecksum) {
  Sample sample({1});
  sample.die();
  auto header = *journal_format::decode_file_header(sample.fs.contents(sample.path).substr(0, kHeaderSize));
  struct Case {
    uint32_t fields;
    uint64_t message, durable;
  };
  for (const Case& hostile :
       {Case{UINT32_MAX, 0, 72}, Case{0, UINT64_MAX, 72}, Case{0, UINT64_MAX - 95, 72},
        Case{0, limits::kMessageBytes + 1, 72}, Case{0, limits::kMessageBytes, 72},
        Case{static_cast<uint32_t>(limits::kDeliveryBytes) + 1, 0, 72}, Case{0, 10, UINT64_MAX}, Case{0, 10, 0}}) {
    auto disk = sample.fs.copy();
    journal_format::RecordHeader record;
    record.fields_size = hostile.fields;
    record.message_size = hostile.message;
    record.durable_end = hostile.durable;
    record.ordinal = 1;
    disk->overwrite(sample.path, sample.batch_ends[0], journal_format::encode_record_header(header.marker, record));
    std::vector<BadRange> bad;
    auto found = read_all(*disk, sample.path, &bad);
    ASSERT_TRUE(found) << found.error().what;
    EXPECT_EQ(found->size(), 1u);
    EXPECT_EQ(bad.size(), 1u);
  }
}

TEST(JournalReader, ACopyOfTheFileInsideADamagedMessageYieldsNoRecords) {
  FaultFs fs;
  ASSERT_TRUE(fs.make_directory(kDirectory));
  JournalWriter::Options options;
  auto writer = *JournalWriter::create(fs, kDirectory, test_archive(), 1, options);
  std::string first = message_of(0, 60);
  ASSERT_TRUE(writer->append(delivery_of(0, first), as_bytes(first)));
  ASSERT_TRUE(writer->sync());
  std::string mailed =
      "somebody mails the journal file\r\n" + fs.contents(writer->path()).substr(0, writer->durable_end());
  auto ref = *writer->append(delivery_of(1, mailed), as_bytes(mailed));
  ASSERT_TRUE(writer->sync());
  std::string last = message_of(2, 60);
  ASSERT_TRUE(writer->append(delivery_of(2, last), as_bytes(last)));
  ASSERT_TRUE(writer->close());
  const std::string path = writer->path();
  fs.flip_bit(path, ref.offset + 20, 1);

  auto reader = *JournalReader::open(fs, path);
  uint64_t offset = 0;
  std::vector<BadRange> bad;
  JournalReader::Record record;
  std::vector<std::string> seen;
  while (*reader->next(&offset, &record, nullptr, &bad)) seen.push_back(record.delivery.queue_id);
  EXPECT_EQ(seen, (std::vector<std::string>{"Q0", "Q2"}));
  ASSERT_EQ(bad.size(), 1u);
  EXPECT_TRUE(is_range(bad[0], ref.offset, ref.offset + ref.length, true));
}

TEST(JournalReader, RandomMutationsNeverYieldARecordThatWasNotWritten) {
  Sample sample({2, 3, 1, 2}, 200);
  sample.close();
  const Found truth = *read_all(sample.fs, sample.path);
  const uint64_t size = sample.fs.contents(sample.path).size();
  for (uint64_t seed : test_seeds(400)) {
    SCOPED_TRACE(testing::Message() << "rerun with ARCH_SEED=" << seed);
    std::mt19937_64 random(seed);
    auto disk = sample.fs.copy();
    for (uint64_t n = random() % 6; n-- > 0;) {
      const uint64_t at = random() % size;
      switch (random() % 3) {
        case 0:
          disk->flip_bit(sample.path, at, static_cast<int>(random() % 8));
          break;
        case 1:
          disk->overwrite(sample.path, at, std::string(random() % 300, static_cast<char>(random())));
          break;
        default:
          disk->overwrite(sample.path, at, sample.fs.contents(sample.path).substr(random() % size, random() % 500));
      }
    }
    if (random() % 4 == 0) disk->cut(sample.path, random() % size);
    auto found = read_all(*disk, sample.path);
    if (!found) {
      EXPECT_NE(found.error().code, Code::kIo) << found.error().what;
      continue;
    }
    for (const auto& [key, value] : *found) EXPECT_EQ(truth.at(key), value);
  }
}

// ── Single records, sizes ──

TEST(JournalReader, RecordsLargerThanAReadAreGivenWhole) {
  for (size_t size : {(1u << 20) - 300, 1u << 20, (3u << 20) + 17}) {
    Sample sample({1, 1}, size, 8u << 20);
    sample.close();
    std::vector<BadRange> bad;
    auto found = read_all(sample.fs, sample.path, &bad);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->at("Q1"), value_of(delivery_of(1, sample.messages[1]), sample.messages[1]));
    EXPECT_TRUE(bad.empty());
    auto reader = *JournalReader::open(sample.fs, sample.path);
    uint64_t offset = 0;
    JournalReader::Record record;
    EXPECT_TRUE(*reader->next(&offset, &record, nullptr, &bad));
    EXPECT_TRUE(*reader->next(&offset, &record, nullptr, &bad));
    EXPECT_FALSE(*reader->next(&offset, &record, nullptr, &bad));
    for (uint64_t at : {uint64_t{90}, sample.refs[0].length / 2, sample.refs[0].length - 1}) {
      auto disk = sample.fs.copy();
      disk->flip_bit(sample.path, sample.refs[0].offset + at, 0);
      bad.clear();
      EXPECT_EQ(keys_of(*read_all(*disk, sample.path, &bad)), sample.keys_except({0}));
      ASSERT_EQ(bad.size(), 1u);
      EXPECT_TRUE(bad[0].damage);
    }
  }
}

TEST(JournalReader, AnEmptyMessageAndAnEmptyEnvelopeAreRecordsToo) {
  FaultFs fs;
  ASSERT_TRUE(fs.make_directory(kDirectory));
  auto writer = *JournalWriter::create(fs, kDirectory, test_archive(), 1, {});
  Delivery delivery;
  delivery.digest = Sha256::of({});
  ASSERT_TRUE(writer->append(delivery, {}));
  ASSERT_TRUE(writer->close());
  auto reader = *JournalReader::open(fs, writer->path());
  uint64_t offset = 0;
  JournalReader::Record record;
  std::string message = "left over";
  ASSERT_TRUE(*reader->next(&offset, &record, &message, nullptr));
  EXPECT_EQ(message, "");
  EXPECT_EQ(record.delivery, delivery);
}

TEST(JournalReader, AReferenceThatLeadsNowhereIsNotFoundOrCorrupt) {
  Sample sample({1, 1});
  sample.close();
  auto reader = *JournalReader::open(sample.fs, sample.path);
  const uint64_t size = *reader->file_size();
  RecordRef ref = sample.refs[0];
  EXPECT_EQ(reader->read_message({1, size, ref.length}).error().code, Code::kNotFound);
  EXPECT_EQ(reader->read_message({1, ref.offset, size}).error().code, Code::kNotFound);
  EXPECT_EQ(reader->read_message({1, ref.offset, UINT64_MAX}).error().code, Code::kNotFound);
  EXPECT_EQ(reader->read_message({1, 0, ref.length}).error().code, Code::kNotFound);
  EXPECT_EQ(reader->read_message({1, ref.offset + 1, ref.length}).error().code, Code::kCorrupt);
  EXPECT_EQ(reader->read_message({1, ref.offset, ref.length - 1}).error().code, Code::kCorrupt);
  EXPECT_EQ(reader->read_record({1, size - kEndRecordSize, kEndRecordSize}).error().code, Code::kCorrupt) << "END";
}

TEST(JournalReader, AnErrorOfTheDeviceIsPassedOn) {
  Sample sample({1});
  sample.close();
  sample.fs.fail(FaultFs::Op::kRead, 0, EIO);
  EXPECT_EQ(JournalReader::open(sample.fs, sample.path).error().code, Code::kIo);
  sample.fs.clear_faults();
  auto reader = *JournalReader::open(sample.fs, sample.path);
  sample.fs.fail(FaultFs::Op::kRead, 0, EIO, FaultFs::Repeat::kForEver);
  EXPECT_EQ(reader->read_message(sample.refs[0]).error().code, Code::kIo);
}

TEST(JournalReader, AFailedSyncOfTheReaderIsNeverRepeated) {
  Sample sample({1});
  auto reader = *JournalReader::open(sample.fs, sample.path);
  ASSERT_TRUE(reader->make_durable());
  sample.fs.fail(FaultFs::Op::kSync, 0, EIO);
  EXPECT_EQ(reader->make_durable().error().code, Code::kIo);
  const uint64_t syncs = sample.fs.calls(FaultFs::Op::kSync);
  EXPECT_EQ(reader->make_durable().error().code, Code::kIo);
  EXPECT_EQ(sample.fs.calls(FaultFs::Op::kSync), syncs);
}

TEST(JournalReader, ReadingChangesNothing) {
  Sample sample({2, 2});
  sample.die();
  sample.fs.flip_bit(sample.path, sample.refs[1].offset + 3, 3);
  const std::string before = sample.fs.contents(sample.path);
  const size_t steps = sample.fs.steps();
  std::vector<BadRange> bad;
  ASSERT_TRUE(read_all(sample.fs, sample.path, &bad));
  ASSERT_TRUE(list_journal(sample.fs, kDirectory));
  EXPECT_EQ(sample.fs.steps(), steps);
  EXPECT_EQ(sample.fs.contents(sample.path), before);
}

// ── Opening, the directory ──

TEST(JournalReader, ForeignNewerAndStillbornFilesAreToldApart) {
  Sample sample({1});
  sample.close();
  const std::string good = sample.fs.contents(sample.path);
  auto open_with = [&](const std::string& bytes) {
    FaultFs fs;
    EXPECT_TRUE(fs.make_directory(kDirectory));
    EXPECT_TRUE(fs.create(sample.path));
    fs.overwrite(sample.path, 0, bytes);
    return JournalReader::open(fs, sample.path);
  };
  EXPECT_EQ(open_with(std::string(500, 'x')).error().code, Code::kInvalid);
  EXPECT_EQ(open_with(std::string(500, '\0')).error().code, Code::kInvalid);
  EXPECT_EQ(open_with("From nobody\n" + good).error().code, Code::kInvalid);
  std::string newer = good.substr(0, kHeaderSize - 8);
  newer[8] = 2;
  ByteWriter checksum;
  checksum.u64(checksum64(as_bytes(newer)));
  auto refused = open_with(newer + checksum.take() + good.substr(kHeaderSize));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kTooNew);
  EXPECT_NE(refused.error().what.find("2"), std::string::npos);
  std::string no_record = good.substr(0, kHeaderSize);
  no_record[20] ^= 1;
  EXPECT_EQ(open_with(no_record).error().code, Code::kCorrupt);
  EXPECT_EQ(JournalReader::open(sample.fs, "none.jnl").error().code, Code::kNotFound);
  for (size_t size : {size_t{0}, kHeaderSize - 1}) {
    auto empty = open_with(good.substr(0, size));
    ASSERT_TRUE(empty);
    EXPECT_EQ((*empty)->number(), 0u);
    uint64_t offset = 0;
    EXPECT_FALSE(*(*empty)->next(&offset, nullptr, nullptr, nullptr));
  }
}

TEST(JournalReader, TheDirectoryTellsOpenClosedAndAbandonedApart) {
  Sample open({1});
  JournalWriter::Options options;
  options.reserve_bytes = 4096;
  const std::string message = message_of(7, 60);
  auto dead = *JournalWriter::create(open.fs, kDirectory, test_archive(), 1, options);
  ASSERT_TRUE(dead->append(delivery_of(7, message), as_bytes(message)));
  ASSERT_TRUE(dead->sync());
  dead.reset();
  auto closed = *JournalWriter::create(open.fs, kDirectory, test_archive(), 1, options);
  ASSERT_TRUE(closed->append(delivery_of(7, message), as_bytes(message)));
  ASSERT_TRUE(closed->close());
  closed.reset();
  ASSERT_TRUE(open.fs.create(kDirectory + std::string("/README")));
  auto files = *list_journal(open.fs, kDirectory);
  ASSERT_EQ(files.size(), 3u);
  EXPECT_EQ(files[0].state, JournalState::kOpen);
  EXPECT_EQ(files[1].state, JournalState::kAbandoned);
  EXPECT_EQ(files[2].state, JournalState::kClosed);
  for (uint64_t i = 0; i < 3; ++i) EXPECT_EQ(files[i].number, i + 1);
  EXPECT_EQ(list_journal(open.fs, "none").error().code, Code::kNotFound);
}

TEST(JournalReader, ARequestToCloseNeedsAFileAndMayBeRepeated) {
  Sample sample({1});
  ASSERT_TRUE(request_close(sample.fs, sample.path));
  ASSERT_TRUE(request_close(sample.fs, sample.path));
  EXPECT_TRUE(*sample.fs.exists(close_request_path(sample.path)));
  EXPECT_EQ(list_journal(sample.fs, kDirectory)->size(), 1u) << "the request is no journal file";
  EXPECT_EQ(request_close(sample.fs, "journal/0000000099.jnl").error().code, Code::kNotFound);
}

}  // namespace
}  // namespace arch
