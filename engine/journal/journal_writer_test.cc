// Claim   What sync() promised is there, byte for byte, after any power cut; what it had not yet promised is there whole
//         or not at all. A file number is never used twice, a live file never has a second writer.
// Method  FaultFs logs every change as a step. after_cut(n) is a disk to wake up with, power lost before step n: each
//         write not yet synced is kept, dropped, torn or zeroed, by the seed. The Ledger holds what was promised and what
//         was pending at each step. Faults are injected at every call of a life.
// Teeth   A writer without the sync of the file, of its header or of the directory fails the first test; so does one that
//         names the file before its header is durable.
#include "engine/journal/journal_writer.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <random>
#include <set>
#include <thread>

#include "engine/base/limits.h"
#include "engine/journal/journal_test_support.h"
#include "tests/faults/fault_fs.h"
#include "tests/faults/ledger.h"

namespace arch {
namespace {

using namespace journal_test;
using Op = FaultFs::Op;

constexpr const char* kDirectory = "journal";

std::unique_ptr<FaultFs> new_disk(uint64_t seed) {
  auto fs = std::make_unique<FaultFs>(seed);
  EXPECT_TRUE(fs->make_directory(kDirectory));
  EXPECT_TRUE(fs->sync_directory("."));
  return fs;
}

JournalWriter::Options reserve(uint64_t bytes) {
  JournalWriter::Options options;
  options.reserve_bytes = bytes;
  return options;
}

// Three files: one closed, one left by a killed process, one still open; batches of one to four records.
Ledger write_batches(FaultFs& fs, uint64_t seed) {
  std::mt19937_64 random(seed);
  Ledger ledger;
  uint64_t number = 0;
  for (int file = 0; file < 3; ++file) {
    auto writer = JournalWriter::create(fs, kDirectory, test_archive(), 1, reserve(64 << 10));
    EXPECT_TRUE(writer);
    for (int batch = 0; batch < 4; ++batch) {
      std::vector<std::string> messages(1 + random() % 4);
      std::vector<std::string> keys;
      for (std::string& message : messages) {
        message = message_of(++number, 20 + random() % 3000);
        Delivery delivery = delivery_of(number, message);
        keys.push_back(delivery.queue_id);
        ledger.pending(delivery.queue_id, value_of(delivery, message));
        EXPECT_TRUE((*writer)->append(delivery, as_bytes(message)));
      }
      EXPECT_TRUE((*writer)->sync());
      for (const std::string& key : keys) ledger.promised(key, fs.steps());
    }
    if (file == 0) {
      EXPECT_TRUE((*writer)->close());
    }
  }
  return ledger;
}

TEST(JournalWriter, PromisedRecordsSurviveEveryCut) {
  size_t cuts = 0, promises = 0;
  for (uint64_t seed : test_seeds(20)) {
    SCOPED_TRACE(testing::Message() << "rerun with ARCH_SEED=" << seed);
    auto fs = new_disk(seed);
    Ledger ledger = write_batches(*fs, seed);
    for (size_t step = 0; step <= fs->steps(); ++step) {
      for (uint64_t turn = 0; turn < 3; ++turn) {
        SCOPED_TRACE(testing::Message() << "cut before step " << step << ": " << fs->describe(step) << ", turn "
                                        << turn);
        auto disk = fs->after_cut(step, turn);
        if (!*disk->exists(kDirectory)) continue;  // power went before the directory was durable
        auto found = recover_all(*disk, kDirectory);
        ASSERT_TRUE(found) << found.error().what;
        ASSERT_TRUE(ledger.promised_but_missing(step, *found).empty());
        ASSERT_TRUE(ledger.present_but_altered(*found).empty());
        ++cuts;
        promises += ledger.promises(step);
        if (turn > 0) continue;
        // Life goes on: the next writer takes a new number and its record is there beside the old ones.
        std::string message = message_of(1, 50);
        auto next = JournalWriter::create(*disk, kDirectory, test_archive(), 2, reserve(4096));
        ASSERT_TRUE(next) << next.error().what;
        ASSERT_TRUE((*next)->append(delivery_of(999, message), as_bytes(message)));
        ASSERT_TRUE((*next)->close());
        auto again = recover_all(*disk, kDirectory);
        ASSERT_TRUE(again);
        EXPECT_EQ(again->size(), found->size() + 1);
        const std::vector<std::string> names = *disk->list(kDirectory);
        for (const std::string& name : names)
          EXPECT_EQ(name.find(".new"), std::string::npos) << "a stillborn file was not cleared away";
      }
    }
  }
  EXPECT_GT(cuts, 30u);
  EXPECT_GT(promises, 100u) << "the cuts never met a promise: the test proves nothing";
}

TEST(JournalWriter, ABatchCostsOneWriteAndOneSync) {
  auto fs = new_disk(1);
  auto writer = *JournalWriter::create(*fs, kDirectory, test_archive(), 1, reserve(1 << 20));
  const uint64_t writes = fs->calls(Op::kWrite), syncs = fs->calls(Op::kSync);
  std::vector<std::string> messages;
  for (uint64_t i = 0; i < 100; ++i) messages.push_back(message_of(i, 100));
  for (uint64_t i = 0; i < 100; ++i) ASSERT_TRUE(writer->append(delivery_of(i, messages[i]), as_bytes(messages[i])));
  EXPECT_EQ(fs->calls(Op::kWrite), writes) << "append() only stages";
  ASSERT_TRUE(writer->sync());
  EXPECT_EQ(fs->calls(Op::kWrite), writes + 1);
  EXPECT_EQ(fs->calls(Op::kSync), syncs + 1);
  ASSERT_TRUE(writer->sync()) << "nothing new: nothing to do";
  EXPECT_EQ(fs->calls(Op::kSync), syncs + 1);
}

TEST(JournalWriter, AFailedSyncIsNeverRepeated) {
  auto fs = new_disk(1);
  auto writer = *JournalWriter::create(*fs, kDirectory, test_archive(), 1, reserve(64 << 10));
  std::string first = message_of(1, 100), second = message_of(2, 100);
  ASSERT_TRUE(writer->append(delivery_of(1, first), as_bytes(first)));
  ASSERT_TRUE(writer->sync());
  const uint64_t durable = writer->durable_end();
  ASSERT_TRUE(writer->append(delivery_of(2, second), as_bytes(second)));
  fs->fail(Op::kSync, 0, EIO);
  auto failed = writer->sync();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::kIo);
  EXPECT_TRUE(writer->dead());
  EXPECT_EQ(writer->durable_end(), durable) << "nothing was promised";

  const size_t steps = fs->steps();
  EXPECT_EQ(writer->sync().error().what, failed.error().what);
  EXPECT_EQ(writer->append(delivery_of(3, first), as_bytes(first)).error().what, failed.error().what);
  EXPECT_EQ(writer->close().error().what, failed.error().what);
  const std::string path = writer->path();
  writer.reset();
  EXPECT_EQ(fs->steps(), steps) << "a dead file was touched: " << fs->describe(steps);
  EXPECT_EQ((*list_journal(*fs, kDirectory)).at(0).state, JournalState::kAbandoned);
  EXPECT_TRUE((*read_all(*fs, path)).count("Q1"));
}

TEST(JournalWriter, AFullDiskMidwayLeavesSyncedRecordsReadable) {
  // Where room cannot be reserved (EOPNOTSUPP) a write may meet a full disk after half of its bytes.
  auto fs = new_disk(1);
  auto writer = *JournalWriter::create(*fs, kDirectory, test_archive(), 1, reserve(64 << 10));
  std::string first = message_of(1, 3000), second = message_of(2, 3000);
  ASSERT_TRUE(writer->append(delivery_of(1, first), as_bytes(first)));
  ASSERT_TRUE(writer->sync());
  ASSERT_TRUE(writer->append(delivery_of(2, second), as_bytes(second)));
  fs->fail(Op::kWrite, 0, ENOSPC, FaultFs::Repeat::kOnce, FaultFs::Effect::kPartly);
  EXPECT_EQ(writer->sync().error().code, Code::kFull);
  EXPECT_TRUE(writer->dead());
  const std::string path = writer->path();
  const uint64_t durable = writer->durable_end();
  writer.reset();
  std::vector<BadRange> bad;
  auto found = read_all(*fs, path, &bad);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->size(), 1u);
  ASSERT_EQ(bad.size(), 1u);
  EXPECT_EQ(bad[0].begin, durable);
  EXPECT_FALSE(bad[0].damage) << "nobody was told about it";
}

TEST(JournalWriter, AFullDiskAtBirthLeavesNothingBehind) {
  auto fs = new_disk(1);
  fs->set_capacity(64 << 10);
  auto refused = JournalWriter::create(*fs, kDirectory, test_archive(), 1, reserve((64 << 10) + 1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kFull);
  EXPECT_TRUE(fs->list(kDirectory)->empty());
  EXPECT_EQ(fs->used_bytes(), 0u);
  EXPECT_TRUE(JournalWriter::create(*fs, kDirectory, test_archive(), 1, reserve(64 << 10)));
}

TEST(JournalWriter, AnErrorAtAnyCallOfABirthIsReportedAndTheNextBirthSucceeds) {
  uint64_t met = 0;
  for (Op op :
       {Op::kList, Op::kCreate, Op::kAllocate, Op::kWrite, Op::kSync, Op::kRename, Op::kSyncDirectory, Op::kRemove}) {
    for (uint64_t nth = 0; nth < 2; ++nth) {
      auto fs = new_disk(1);
      {  // two files before, so that there is a number to forget
        auto first = *JournalWriter::create(*fs, kDirectory, test_archive(), 1, reserve(4096));
        auto second = *JournalWriter::create(*fs, kDirectory, test_archive(), 1, reserve(4096));
      }
      fs->fail(op, nth, EIO);
      auto writer = JournalWriter::create(*fs, kDirectory, test_archive(), 1, reserve(4096));
      if (fs->faults_met() == 0) {
        EXPECT_TRUE(writer);
        continue;
      }
      met += 1;
      ASSERT_FALSE(writer) << "op " << static_cast<int>(op) << " call " << nth;
      EXPECT_EQ(writer.error().code, Code::kIo);
      fs->clear_faults();
      auto next = JournalWriter::create(*fs, kDirectory, test_archive(), 1, reserve(4096));
      ASSERT_TRUE(next) << next.error().what;
      EXPECT_GE((*next)->number(), 3u);
      EXPECT_EQ(list_journal(*fs, kDirectory)->size(), 3u);
    }
  }
  EXPECT_GE(met, 9u);
}

TEST(JournalWriter, ARecordGoesInWhenItFitsToTheLastByteAndNotOneMore) {
  const std::string message = message_of(1, 1000);
  const Delivery delivery = delivery_of(1, message);
  const uint64_t needed = JournalWriter::file_bytes_for(delivery, message.size());
  for (int64_t difference : {-1, 0, 1}) {
    auto fs = new_disk(1);
    auto writer = *JournalWriter::create(*fs, kDirectory, test_archive(), 1, reserve(needed + difference));
    auto appended = writer->append(delivery, as_bytes(message));
    EXPECT_EQ(appended.has_value(), difference >= 0);
    if (!appended) {
      EXPECT_EQ(appended.error().code, Code::kFull);
      EXPECT_FALSE(writer->dead());
      EXPECT_EQ(writer->staged_end(), journal_format::kHeaderSize) << "nothing was staged";
      continue;
    }
    ASSERT_TRUE(writer->close());
    EXPECT_EQ(fs->contents(kDirectory + std::string("/0000000001.jnl")).size(), needed) << "the rest is given back";
  }
}

TEST(JournalWriter, LimitsAreKeptOneBelowAtAndOneAbove) {
  Delivery delivery;
  EXPECT_TRUE(JournalWriter::check_limits(delivery, limits::kMessageBytes - 1));
  EXPECT_TRUE(JournalWriter::check_limits(delivery, limits::kMessageBytes));
  EXPECT_EQ(JournalWriter::check_limits(delivery, limits::kMessageBytes + 1).error().code, Code::kTooLarge);
  for (size_t count : {limits::kMaxRecipients - 1, limits::kMaxRecipients, limits::kMaxRecipients + 1}) {
    delivery.rcpt.assign(count, {"a@b", "", ""});
    EXPECT_EQ(JournalWriter::check_limits(delivery, 0).has_value(), count <= limits::kMaxRecipients);
    EXPECT_EQ(decode_delivery(encode_delivery(delivery), Digest()).has_value(), count <= limits::kMaxRecipients)
        << "what the writer takes the reader understands, and nothing else";
  }
  delivery.rcpt.clear();
  delivery.origin = "x";
  const size_t rest = limits::kDeliveryBytes - encode_delivery(delivery).size();
  for (int64_t difference : {-1, 0, 1}) {
    delivery.origin.assign(rest + 1 - 3 + difference, 'x');  // a length of this size takes three bytes more
    ASSERT_EQ(encode_delivery(delivery).size(), limits::kDeliveryBytes + difference);
    EXPECT_EQ(JournalWriter::check_limits(delivery, 0).has_value(), difference <= 0);
  }
}

TEST(JournalWriter, WhenCloseHasReturnedTheEndIsDurableAndTheRestGivenBack) {
  auto fs = new_disk(1);
  auto writer = *JournalWriter::create(*fs, kDirectory, test_archive(), 1, reserve(4096));
  const std::string message = message_of(1, 100);
  ASSERT_TRUE(writer->append(delivery_of(1, message), as_bytes(message)));
  ASSERT_TRUE(writer->close());
  for (uint64_t turn = 0; turn < 50; ++turn) {
    auto files = *list_journal(*fs->after_cut(fs->steps(), turn), kDirectory);
    ASSERT_EQ(files.size(), 1u);
    EXPECT_EQ(files[0].state, JournalState::kClosed);
    EXPECT_EQ(files[0].size, JournalWriter::file_bytes_for(delivery_of(1, message), message.size()));
  }
}

TEST(JournalWriter, AFileWithoutRecordsIsRemovedWhenClosed) {
  auto fs = new_disk(1);
  auto writer = *JournalWriter::create(*fs, kDirectory, test_archive(), 1, reserve(4096));
  EXPECT_TRUE(*fs->exists(writer->path()));
  ASSERT_TRUE(writer->close());
  EXPECT_TRUE(list_journal(*fs, kDirectory)->empty());
}

TEST(JournalWriter, ANumberIsNeverUsedTwiceEvenWhenEveryFileIsGone) {
  auto fs = new_disk(1);
  for (uint64_t expected = 1; expected <= 5; ++expected) {
    auto writer = *JournalWriter::create(*fs, kDirectory, test_archive(), 1, reserve(4096));
    EXPECT_EQ(writer->number(), expected);
    const std::string path = writer->path(), message = message_of(1, 10);
    ASSERT_TRUE(writer->append(delivery_of(1, message), as_bytes(message)));
    ASSERT_TRUE(writer->close());
    ASSERT_TRUE(fs->remove(path));  // as the packer does
    ASSERT_TRUE(fs->sync_directory(kDirectory));
    EXPECT_LE(fs->list(kDirectory)->size(), 1u) << "one name remembers the number, not one per file";
    fs = fs->after_cut(fs->steps());
  }
}

TEST(JournalWriter, ALiveFileHasOneWriter) {
  auto fs = new_disk(1);
  auto writer = *JournalWriter::create(*fs, kDirectory, test_archive(), 1, reserve(4096));
  auto intruder = *fs->open_read_write(writer->path());
  EXPECT_FALSE(*intruder->try_lock());
  EXPECT_FALSE(*intruder->try_lock(true));
  EXPECT_EQ((*list_journal(*fs, kDirectory)).at(0).state, JournalState::kOpen);
  writer.reset();
  EXPECT_EQ((*list_journal(*fs, kDirectory)).at(0).state, JournalState::kAbandoned);
}

TEST(JournalWriter, WritersBornAtOnceInOneDirectoryGetDifferentNumbers) {
  TemporaryDirectory directory;
  constexpr int kWriters = 8, kFilesEach = 8;
  std::mutex mutex;
  std::multiset<uint64_t> numbers;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kWriters; ++thread) {
    threads.emplace_back([&, thread] {
      for (int file = 0; file < kFilesEach; ++file) {
        auto writer = JournalWriter::create(Fs::real(), directory.path(), test_archive(), 1, reserve(4096));
        if (!writer) {
          ADD_FAILURE() << writer.error().what;
          return;
        }
        const uint64_t number = static_cast<uint64_t>(thread * kFilesEach + file);
        const std::string message = message_of(number, 100);
        EXPECT_TRUE((*writer)->append(delivery_of(number, message), as_bytes(message)));
        EXPECT_TRUE((*writer)->close());
        std::lock_guard lock(mutex);
        numbers.insert((*writer)->number());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(std::set<uint64_t>(numbers.begin(), numbers.end()).size(), size_t{kWriters} * kFilesEach);
  auto found = recover_all(Fs::real(), directory.path());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->size(), size_t{kWriters} * kFilesEach);
}

TEST(JournalWriter, NamesAndNumbersConvertBothWays) {
  EXPECT_EQ(journal_file_name(1), "0000000001.jnl");
  for (uint64_t number : {uint64_t{1}, uint64_t{42}, uint64_t{9'999'999'999}, uint64_t{10'000'000'000}})
    EXPECT_EQ(journal_file_number(journal_file_name(number)), number);
  for (const char* name : {"", ".jnl", "1.jnl", "0000000001", "0000000001.jnl.close", "000000000a.jnl",
                           "00000000001.jnl", "0000000001.last", "99999999999999999999.jnl", "-000000001.jnl"})
    EXPECT_EQ(journal_file_number(name), 0u) << name;
}

TEST(JournalWriter, AMissingDirectoryIsNamed) {
  FaultFs fs(1);
  auto writer = JournalWriter::create(fs, "nowhere", test_archive(), 1, {});
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().code, Code::kNotFound);
  EXPECT_NE(writer.error().what.find("nowhere"), std::string::npos);
}

}  // namespace
}  // namespace arch
