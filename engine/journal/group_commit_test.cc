// Claim   Whoever is told "durable" finds the record after any cut; whoever is told an error was promised nothing; nobody is
//         told twice or never. Files roll by size, age and request, and an I/O error costs one file, not the service.
// Method  Many threads against FaultFs with faults injected into syncs, writes, renames and directory syncs, then a cut
//         before each step, compared with a Ledger; a callback that holds the commit thread makes queues of known length.
// Teeth   Acknowledging before the sync, writing on in a suspect file, or dropping a waiting record on an error fails here.
#include "engine/journal/group_commit.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <future>
#include <thread>

#include "engine/journal/journal_reader.h"
#include "engine/journal/journal_test_support.h"
#include "tests/faults/fault_fs.h"
#include "tests/faults/ledger.h"

namespace arch {
namespace {

using namespace journal_test;
using Op = FaultFs::Op;

constexpr const char* kDirectory = "journal";

class ManualClock : public Clock {
 public:
  UnixNs now() override { return now_.load(); }
  void advance(UnixNs by) { now_ += by; }

 private:
  std::atomic<UnixNs> now_{1'800'000'000 * kNsPerSecond};
};

struct Fixture {
  explicit Fixture(GroupCommit::Options given = small()) : options(given) {
    EXPECT_TRUE(fs.make_directory(kDirectory));
    EXPECT_TRUE(fs.sync_directory("."));
    commit = *GroupCommit::create(fs, clock, kDirectory, test_archive(), options);
  }
  static GroupCommit::Options small() {
    GroupCommit::Options options;
    options.roll_bytes = 16 << 10;
    options.reserve_free_bytes = 0;
    return options;
  }
  Result<RecordRef> append(uint64_t number, size_t size = 200) {
    std::string message = message_of(number, size);
    Delivery delivery = delivery_of(number, message);
    return commit->append(std::move(delivery), std::move(message));
  }
  std::vector<JournalFileInfo> files() { return *list_journal(fs, kDirectory); }
  /// Waits, by real time but without a fixed pause, until the commit thread has done what its polls find.
  bool wait_until(const std::function<bool()>& reached) {
    for (int i = 0; i < 2000; ++i) {
      if (reached()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }
  FaultFs fs;
  ManualClock clock;
  GroupCommit::Options options;
  std::unique_ptr<GroupCommit> commit;
};

// Keeps the commit thread busy from construction to release(): whatever is submitted meanwhile queues up.
class Hold {
 public:
  explicit Hold(Fixture& fixture) {
    std::string message = message_of(1'000'000, 50);
    Delivery delivery = delivery_of(1'000'000, message);
    EXPECT_TRUE(fixture.commit->submit(std::move(delivery), std::move(message), [this](Result<RecordRef> result) {
      EXPECT_TRUE(result);
      held_.set_value();
      release_.get_future().wait();
    }));
    held_.get_future().wait();
  }
  void release() { release_.set_value(); }

 private:
  std::promise<void> held_, release_;
};

TEST(GroupCommit, EveryThreadsRecordsAreThereInItsOrder) {
  TemporaryDirectory directory;
  GroupCommit::Options options;
  options.roll_bytes = 64 << 10;
  options.reserve_free_bytes = 0;
  auto commit = *GroupCommit::create(Fs::real(), Clock::system(), directory.path(), test_archive(), options);
  constexpr uint64_t kThreads = 16, kEach = 40;
  std::vector<std::thread> threads;
  std::vector<std::vector<RecordRef>> refs(kThreads);
  for (uint64_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (uint64_t i = 0; i < kEach; ++i) {
        const uint64_t number = thread * kEach + i;
        std::string message = message_of(number, 100 + number % 900);
        Delivery delivery = delivery_of(number, message);
        auto ref = commit->append(std::move(delivery), std::move(message));
        if (!ref) {
          ADD_FAILURE() << ref.error().what;
          return;
        }
        refs[thread].push_back(*ref);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const GroupCommit::Stats stats = commit->stats();
  EXPECT_EQ(stats.records, kThreads * kEach);
  EXPECT_EQ(stats.waiting_bytes, 0u);
  EXPECT_EQ(stats.failures, 0u);
  EXPECT_LT(stats.syncs, kThreads * kEach) << "nothing was ever shared";
  ASSERT_TRUE(commit->stop());
  for (uint64_t thread = 0; thread < kThreads; ++thread) {
    for (uint64_t i = 0; i < kEach; ++i) {
      const RecordRef& ref = refs[thread][i];
      if (i > 0) {
        const RecordRef& before = refs[thread][i - 1];
        EXPECT_TRUE(before.file < ref.file || (before.file == ref.file && before.offset < ref.offset));
      }
      auto reader = JournalReader::open(Fs::real(), directory.path() + "/" + journal_file_name(ref.file));
      ASSERT_TRUE(reader);
      const uint64_t number = thread * kEach + i;
      EXPECT_EQ(*(*reader)->read_message(ref), message_of(number, 100 + number % 900));
    }
  }
  auto files = *list_journal(Fs::real(), directory.path());
  EXPECT_GT(files.size(), 3u) << "it rolled";
  for (const JournalFileInfo& file : files) EXPECT_EQ(file.state, JournalState::kClosed);
}

TEST(GroupCommit, UnderInjectedErrorsAcknowledgedMeansThereAfterEveryCut) {
  size_t acknowledged = 0, refused = 0;
  for (uint64_t seed : test_seeds(4)) {
    SCOPED_TRACE(testing::Message() << "ARCH_SEED=" << seed);
    Fixture fixture;
    Ledger ledger;
    const Op kinds[] = {Op::kSync, Op::kWrite, Op::kRename, Op::kSyncDirectory, Op::kTruncate, Op::kCreate};
    for (uint64_t i = 0; i < 6; ++i)
      fixture.fs.fail(kinds[i], 1 + (seed + i) % 3, i % 2 == 0 ? EIO : ENOSPC, FaultFs::Repeat::kOnce,
                      static_cast<FaultFs::Effect>((seed + i) % 3));
    fixture.fs.fail(Op::kSync, 15 + seed, EIO);
    std::atomic<size_t> good{0}, bad{0};
    std::vector<std::thread> threads;
    for (uint64_t thread = 0; thread < 6; ++thread) {
      threads.emplace_back([&, thread] {
        for (uint64_t i = 0; i < 25; ++i) {
          const uint64_t number = thread * 100 + i;
          std::string message = message_of(number, 100 + number * 7 % 1500);
          Delivery delivery = delivery_of(number, message);
          const std::string key = delivery.queue_id;
          ledger.pending(key, value_of(delivery, message));
          std::promise<void> told;
          EXPECT_TRUE(fixture.commit->submit(std::move(delivery), std::move(message), [&](Result<RecordRef> result) {
            if (result) ledger.promised(key, fixture.fs.steps());
            ++(result ? good : bad);
            told.set_value();  // throws when told twice
          }));
          told.get_future().wait();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    auto stopped = fixture.commit->stop();
    EXPECT_EQ(good + bad, 150u);
    EXPECT_EQ(fixture.commit->stats().records, good.load());
    EXPECT_EQ(fixture.fs.faults_met(), 7u) << "a fault was never reached";
    EXPECT_GT(fixture.commit->stats().failures, 0u);
    EXPECT_FALSE(fixture.commit->stats().last_failure.empty());
    acknowledged += good;
    refused += bad;
    for (size_t step = 0; step <= fixture.fs.steps(); ++step) {
      auto disk = fixture.fs.after_cut(step);
      if (!*disk->exists(kDirectory)) continue;
      auto found = recover_all(*disk, kDirectory);
      ASSERT_TRUE(found) << found.error().what;
      ASSERT_TRUE(ledger.promised_but_missing(step, *found).empty())
          << ledger.promised_but_missing(step, *found)[0] << ", cut before step " << step << ": "
          << fixture.fs.describe(step);
      ASSERT_TRUE(ledger.present_but_altered(*found).empty());
    }
  }
  EXPECT_GT(acknowledged, 100u);
  EXPECT_GT(refused, 0u);
}

TEST(GroupCommit, OneSyncServesAllThatQueuedUpMeanwhile) {
  Fixture fixture;
  Hold hold(fixture);
  const uint64_t syncs = fixture.fs.calls(Op::kSync);
  std::atomic<int> told{0};
  std::vector<uint64_t> offsets;
  for (uint64_t i = 0; i < 30; ++i) {
    std::string message = message_of(i, 100);
    Delivery delivery = delivery_of(i, message);
    ASSERT_TRUE(fixture.commit->submit(std::move(delivery), std::move(message), [&](Result<RecordRef> result) {
      ASSERT_TRUE(result);
      offsets.push_back(result->offset);
      ++told;
    }));
  }
  hold.release();
  ASSERT_TRUE(fixture.wait_until([&] { return told == 30; }));
  EXPECT_EQ(fixture.fs.calls(Op::kSync), syncs + 1);
  EXPECT_TRUE(std::is_sorted(offsets.begin(), offsets.end())) << "records lie in the order of submit()";
}

// On a slow disk those who send again as soon as they are answered share every sync, not every second one.
TEST(GroupCommit, WhoWasJustAnsweredIsWaitedForALittle) {
  constexpr int kSenders = 8, kRounds = 8;
  auto options = Fixture::small();
  options.roll_bytes = 1 << 20;
  options.most_patience = 20 * kNsPerSecond;
  Fixture fixture(options);
  fixture.fs.set_sync_time(std::chrono::milliseconds(120));
  ASSERT_TRUE(fixture.append(1));
  const uint64_t before = fixture.commit->stats().syncs;
  std::vector<std::thread> senders;
  for (uint64_t sender = 0; sender < kSenders; ++sender)
    senders.emplace_back([&, sender] {
      for (uint64_t i = 0; i < kRounds; ++i) EXPECT_TRUE(fixture.append(2 + sender * kRounds + i));
    });
  for (std::thread& sender : senders) sender.join();
  EXPECT_LT(fixture.commit->stats().syncs - before, kRounds + kRounds / 2)
      << "in two halves it takes twice the rounds";
}

// A record that is alone is written by who brings it: done, on its own thread, before submit() returns.
TEST(GroupCommit, WhoIsAloneWritesItself) {
  Fixture fixture;
  uint64_t number = 0;
  struct Outcome {
    std::thread::id by;
    Result<RecordRef> ref;
  };
  auto submit = [&] {
    std::promise<Outcome> outcome;
    std::string message = message_of(++number, 200);
    Delivery delivery = delivery_of(number, message);
    EXPECT_TRUE(fixture.commit->submit(
        std::move(delivery), std::move(message),
        [&outcome](Result<RecordRef> result) {
          outcome.set_value({std::this_thread::get_id(), std::move(result)});
        },
        GroupCommit::By::kCaller));
    return outcome.get_future().get();
  };
  // The first one is not: only after a sync is it known how quick one is. Nor is one while the commit thread turns back to sleep.
  ASSERT_TRUE(fixture.append(++number));
  Outcome outcome = submit();
  for (int i = 0; i < 2000 && outcome.by != std::this_thread::get_id(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    outcome = submit();
  }
  ASSERT_EQ(outcome.by, std::this_thread::get_id());
  ASSERT_TRUE(outcome.ref);
  EXPECT_EQ(fixture.commit->stats().syncs, number);
  const std::thread::id by = outcome.by;

  // Its failure is its own, costs the file, and the next one goes on in another.
  const uint64_t file = outcome.ref->file;
  fixture.fs.fail(Op::kSync, 0, EIO);
  outcome = submit();
  ASSERT_FALSE(outcome.ref);
  EXPECT_EQ(outcome.ref.error().code, Code::kIo);
  outcome = submit();
  ASSERT_TRUE(outcome.ref);
  EXPECT_GT(outcome.ref->file, file);

  // While others wait, it queues up behind them.
  Hold hold(fixture);
  std::promise<void> done;
  std::string message = message_of(++number, 200);
  Delivery delivery = delivery_of(number, message);
  ASSERT_TRUE(fixture.commit->submit(
      std::move(delivery), std::move(message),
      [&](Result<RecordRef> result) {
        EXPECT_TRUE(result);
        EXPECT_NE(std::this_thread::get_id(), by);
        done.set_value();
      },
      GroupCommit::By::kCaller));
  hold.release();
  done.get_future().wait();
  EXPECT_TRUE(fixture.commit->stop());
}

// Callers and commit thread take turns at one file; nobody's record is lost or out of the order of its thread.
TEST(GroupCommit, CallersAndTheCommitThreadTakeTurns) {
  TemporaryDirectory directory;
  GroupCommit::Options options;
  options.roll_bytes = 64 << 10;
  options.reserve_free_bytes = 0;
  auto commit = *GroupCommit::create(Fs::real(), Clock::system(), directory.path(), test_archive(), options);
  constexpr uint64_t kThreads = 8, kEach = 100;
  std::atomic<uint64_t> good{0}, answered{0};
  std::vector<std::thread> threads;
  for (uint64_t thread = 0; thread < kThreads; ++thread)
    threads.emplace_back([&, thread] {
      for (uint64_t i = 0; i < kEach; ++i) {
        std::string message = message_of(thread * kEach + i, 300);
        Delivery delivery = delivery_of(thread * kEach + i, message);
        auto taken = commit->submit(
            std::move(delivery), std::move(message),
            [&](Result<RecordRef> result) {
              good += result ? 1 : 0;
              ++answered;
            },
            i % 3 == 0 ? GroupCommit::By::kCommitThread : GroupCommit::By::kCaller);
        EXPECT_TRUE(taken);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(commit->close_file());
  EXPECT_TRUE(commit->stop());
  EXPECT_EQ(good, kThreads * kEach);
  EXPECT_EQ(answered, kThreads * kEach);
  uint64_t records = 0;
  const auto files = *list_journal(Fs::real(), directory.path());
  for (const JournalFileInfo& file : files) {
    auto reader = *JournalReader::open(Fs::real(), file.path);
    uint64_t offset = 0;
    JournalReader::Record record;
    std::vector<BadRange> bad;
    while (*reader->next(&offset, &record, nullptr, &bad)) ++records;
    EXPECT_TRUE(bad.empty());
    EXPECT_TRUE(reader->has_end());
  }
  EXPECT_EQ(records, kThreads * kEach);
}

TEST(GroupCommit, ABatchIsBoundedInBytes) {
  GroupCommit::Options options = Fixture::small();
  options.batch_bytes = 1000;
  Fixture fixture(options);
  Hold hold(fixture);
  const uint64_t syncs = fixture.fs.calls(Op::kSync);
  std::atomic<int> told{0};
  for (uint64_t i = 0; i < 10; ++i) {
    std::string message = message_of(i, 500);
    Delivery delivery = delivery_of(i, message);
    ASSERT_TRUE(fixture.commit->submit(std::move(delivery), std::move(message), [&](Result<RecordRef>) { ++told; }));
  }
  hold.release();
  ASSERT_TRUE(fixture.wait_until([&] { return told == 10; }));
  EXPECT_EQ(fixture.fs.calls(Op::kSync), syncs + 5);
}

TEST(GroupCommit, WhoWaitsBehindAFailedSyncIsToldTheErrorAndTheNextRecordOpensANewFile) {
  Fixture fixture;
  const RecordRef first = *fixture.append(1);
  Hold hold(fixture);
  fixture.fs.fail(Op::kSync, 0, EIO);
  std::atomic<int> errors{0}, successes{0};
  for (uint64_t i = 10; i < 15; ++i) {
    std::string message = message_of(i, 100);
    Delivery delivery = delivery_of(i, message);
    ASSERT_TRUE(fixture.commit->submit(std::move(delivery), std::move(message), [&](Result<RecordRef> result) {
      if (result) {
        ++successes;
      } else {
        EXPECT_EQ(result.error().code, Code::kIo);
        ++errors;
      }
    }));
  }
  hold.release();
  ASSERT_TRUE(fixture.wait_until([&] { return errors + successes == 5; }));
  EXPECT_EQ(errors, 5);
  const std::string suspect = kDirectory + std::string("/") + journal_file_name(first.file);
  const std::string as_it_lies = fixture.fs.contents(suspect);
  const uint64_t syncs = fixture.fs.calls(Op::kSync, suspect), writes = fixture.fs.calls(Op::kWrite, suspect);
  auto next = fixture.append(2);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->file, first.file + 1);
  ASSERT_TRUE(fixture.commit->stop());
  EXPECT_EQ(fixture.fs.contents(suspect), as_it_lies);
  EXPECT_EQ(fixture.fs.calls(Op::kSync, suspect), syncs) << "a failed sync is never repeated";
  EXPECT_EQ(fixture.fs.calls(Op::kWrite, suspect), writes);
  EXPECT_EQ(fixture.files()[0].state, JournalState::kAbandoned);
}

TEST(GroupCommit, PressureIsGivenBackAboveTheLimitAndOneMessageOfAnySizeIsLetIn) {
  GroupCommit::Options options = Fixture::small();
  options.max_waiting_bytes = 1000;
  Fixture fixture(options);
  EXPECT_TRUE(fixture.append(1, 5000)) << "nothing waits: let in whatever its size";
  Hold hold(fixture);  // its own record is answered, so it does not count
  auto submit = [&](size_t size) {
    std::string message = message_of(2, size);
    Delivery delivery = delivery_of(2, message);
    return fixture.commit->submit(std::move(delivery), std::move(message), [](Result<RecordRef>) {});
  };
  EXPECT_TRUE(submit(400));
  EXPECT_EQ(submit(601).error().code, Code::kTryAgain);
  EXPECT_TRUE(submit(599));
  EXPECT_EQ(submit(2).error().code, Code::kTryAgain);
  EXPECT_TRUE(submit(1));
  EXPECT_EQ(submit(1).error().code, Code::kTryAgain);
  EXPECT_EQ(fixture.commit->stats().waiting_bytes, 1000u);
  hold.release();
  ASSERT_TRUE(fixture.wait_until([&] { return fixture.commit->stats().waiting_bytes == 0; }));
  EXPECT_TRUE(submit(1000));
}

TEST(GroupCommit, BelowTheReserveNothingIsTakenAndAfterRoomIsMadeItGoesOn) {
  GroupCommit::Options options = Fixture::small();
  options.reserve_free_bytes = 100 << 10;
  Fixture fixture(options);
  fixture.fs.set_capacity(100 << 10);
  ASSERT_TRUE(fixture.append(1)) << "exactly the reserve is free";
  const size_t steps = fixture.fs.steps();
  auto refused = fixture.append(2);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kFull);
  EXPECT_FALSE(refused.error().hint.empty());
  EXPECT_EQ(fixture.fs.steps(), steps) << "nothing was written";
  fixture.fs.set_capacity(200 << 10);
  EXPECT_TRUE(fixture.append(2));
}

TEST(GroupCommit, AFullDiskIsAnsweredWithFullAndTheServiceGoesOn) {
  Fixture fixture;
  fixture.fs.set_capacity(20 << 10);
  ASSERT_TRUE(fixture.append(1));
  ASSERT_TRUE(fixture.commit->close_file());
  fixture.fs.set_capacity(fixture.fs.used_bytes() + 100);
  EXPECT_EQ(fixture.append(2).error().code, Code::kFull);
  fixture.fs.set_capacity(1 << 20);
  EXPECT_TRUE(fixture.append(3));
}

TEST(GroupCommit, ARecordLargerThanAFileGetsOneOfItsOwn) {
  Fixture fixture;
  const uint64_t before = fixture.append(1)->file;
  const RecordRef large = *fixture.append(2, 100 << 10);
  const RecordRef after = *fixture.append(3);
  EXPECT_EQ(large.file, before + 1);
  EXPECT_EQ(after.file, large.file + 1);
  auto files = fixture.files();
  ASSERT_EQ(files.size(), 3u);
  EXPECT_EQ(files[0].state, JournalState::kClosed);
  EXPECT_EQ(files[1].state, JournalState::kClosed);
  EXPECT_EQ(files[2].state, JournalState::kOpen);
  EXPECT_EQ(read_all(fixture.fs, files[1].path)->size(), 1u);
}

TEST(GroupCommit, AFullFileIsClosedAndTheNextOneTakesTheRecord) {
  Fixture fixture;
  for (uint64_t i = 0; i < 20; ++i) ASSERT_TRUE(fixture.append(i, 3000));
  auto files = fixture.files();
  EXPECT_GE(files.size(), 4u);
  for (size_t i = 0; i + 1 < files.size(); ++i) {
    EXPECT_EQ(files[i].state, JournalState::kClosed);
    EXPECT_LE(files[i].size, fixture.options.roll_bytes);
  }
  EXPECT_EQ(recover_all(fixture.fs, kDirectory)->size(), 20u);
}

TEST(GroupCommit, AFileWithContentIsClosedWhenItIsOldEnough) {
  Fixture fixture;
  ASSERT_TRUE(fixture.append(1));
  fixture.clock.advance(kNsPerDay - kNsPerSecond);
  ASSERT_TRUE(fixture.append(2));
  EXPECT_EQ(fixture.commit->stats().current_file, 1u) << "a second too young";
  fixture.clock.advance(kNsPerSecond);
  EXPECT_TRUE(fixture.wait_until([&] { return fixture.commit->stats().current_file == 0; }));
  EXPECT_EQ(fixture.files()[0].state, JournalState::kClosed);
  EXPECT_EQ(fixture.append(3)->file, 2u);
}

TEST(GroupCommit, ARequestBesideTheFileClosesItAndIsTakenAway) {
  Fixture fixture;
  ASSERT_TRUE(fixture.append(1));
  const std::string path = fixture.files()[0].path;
  ASSERT_TRUE(request_close(fixture.fs, path));
  EXPECT_TRUE(fixture.wait_until([&] { return fixture.commit->stats().current_file == 0; }));
  EXPECT_TRUE(fixture.wait_until([&] { return !*fixture.fs.exists(close_request_path(path)); }));
  EXPECT_EQ(fixture.files()[0].state, JournalState::kClosed);
}

TEST(GroupCommit, ARequestIsSeenUnderLoadToo) {
  Fixture fixture(GroupCommit::Options{.reserve_free_bytes = 0});
  ASSERT_TRUE(fixture.append(0));
  std::atomic<bool> stop{false};
  std::thread load([&] {
    for (uint64_t i = 1; !stop; ++i) EXPECT_TRUE(fixture.append(i, 10));
  });
  ASSERT_TRUE(request_close(fixture.fs, kDirectory + std::string("/0000000001.jnl")));
  EXPECT_TRUE(fixture.wait_until([&] { return fixture.commit->stats().current_file > 1; }));
  stop = true;
  load.join();
  EXPECT_EQ(fixture.files()[0].state, JournalState::kClosed);
}

TEST(GroupCommit, CloseFileWaitsForWhatWasSubmittedBefore) {
  Fixture fixture;
  ASSERT_TRUE(fixture.commit->close_file()) << "none is open: nothing to do";
  EXPECT_TRUE(fixture.files().empty()) << "no file before the first record";
  Hold hold(fixture);
  std::atomic<bool> told{false};
  std::string message = message_of(1, 100);
  Delivery delivery = delivery_of(1, message);
  ASSERT_TRUE(fixture.commit->submit(std::move(delivery), std::move(message),
                                     [&](Result<RecordRef> r) { told = r.has_value(); }));
  auto closing = std::async(std::launch::async, [&] { return fixture.commit->close_file(); });
  hold.release();
  ASSERT_TRUE(closing.get());
  EXPECT_TRUE(told);
  ASSERT_EQ(fixture.files().size(), 1u);
  EXPECT_EQ(fixture.files()[0].state, JournalState::kClosed);
}

TEST(GroupCommit, AClosingThatFailsIsReportedAndTheRecordsStay) {
  Fixture fixture;
  ASSERT_TRUE(fixture.append(1));
  fixture.fs.fail(Op::kTruncate, 0, EIO);
  EXPECT_EQ(fixture.commit->close_file().error().code, Code::kIo);
  EXPECT_EQ(fixture.commit->stats().failures, 1u);
  EXPECT_EQ(recover_all(fixture.fs, kDirectory)->size(), 1u);
  EXPECT_EQ(fixture.append(2)->file, 2u);
}

TEST(GroupCommit, StopFinishesWhatWasSubmittedAndIsIdempotent) {
  Fixture fixture;
  Hold hold(fixture);
  std::atomic<int> told{0};
  for (uint64_t i = 0; i < 5; ++i) {
    std::string message = message_of(i, 100);
    Delivery delivery = delivery_of(i, message);
    ASSERT_TRUE(fixture.commit->submit(std::move(delivery), std::move(message),
                                       [&](Result<RecordRef> r) { told += r.has_value(); }));
  }
  hold.release();
  ASSERT_TRUE(fixture.commit->stop());
  ASSERT_TRUE(fixture.commit->stop());
  EXPECT_EQ(told, 5);
  EXPECT_EQ(fixture.files()[0].state, JournalState::kClosed);
  EXPECT_EQ(fixture.append(9).error().code, Code::kTryAgain);
  EXPECT_EQ(fixture.commit->close_file().error().code, Code::kTryAgain);
}

TEST(GroupCommit, AStopThatCannotCloseSaysSo) {
  Fixture fixture;
  ASSERT_TRUE(fixture.append(1));
  fixture.fs.fail(Op::kSync, 0, EIO);
  EXPECT_EQ(fixture.commit->stop().error().code, Code::kIo);
  EXPECT_EQ(fixture.commit->stop().error().code, Code::kIo);
}

TEST(GroupCommit, AnOversizedEnvelopeIsRefusedAtTheDoor) {
  Fixture fixture;
  Delivery delivery;
  delivery.rcpt.resize(10'001);
  EXPECT_EQ(fixture.commit->append(delivery, "x").error().code, Code::kTooLarge);
  EXPECT_TRUE(fixture.append(1));
}

TEST(GroupCommit, AMissingDirectoryIsNamed) {
  FaultFs fs;
  ManualClock clock;
  auto commit = GroupCommit::create(fs, clock, "nowhere", test_archive(), {});
  ASSERT_FALSE(commit);
  EXPECT_EQ(commit.error().code, Code::kNotFound);
}

}  // namespace
}  // namespace arch
