#include "engine/journal/group_commit.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "engine/base/limits.h"
#include "engine/journal/journal_reader.h"

namespace arch {

namespace {

constexpr auto kTick = std::chrono::milliseconds(200);  // how often a close request and the age are looked at
constexpr uint64_t kRecordOverhead =
    journal_format::kHeaderSize + 2 * (journal_format::kRecordHeaderSize + journal_format::kRecordTrailerSize);

}  // namespace

struct GroupCommit::State {
  State(Fs& given_fs, Clock& given_clock, std::string given_directory, const ArchiveId& given_archive,
        const Options& given)
      : fs(given_fs),
        clock(given_clock),
        directory(std::move(given_directory)),
        archive(given_archive),
        options(given) {}

  struct Waiting {
    Delivery delivery;
    std::string message;
    Done done;
  };

  Fs& fs;
  Clock& clock;
  const std::string directory;
  const ArchiveId archive;
  const Options options;

  mutable std::mutex mutex;
  std::condition_variable wake;    // the commit thread
  std::condition_variable closed;  // who waits in close_file() or stop()
  // guarded by mutex
  std::deque<Waiting> queue;
  uint64_t waiting_bytes = 0;  // in the queue and in the batch being written
  bool stopping = false;
  uint64_t close_wanted = 0, close_done = 0;  // tickets
  Result<void> close_result;
  Stats stats;

  // the commit thread's alone
  std::unique_ptr<JournalWriter> writer;
  std::thread thread;

  void run();
  void write_batch(std::vector<Waiting>* batch);
  Result<void> ensure_writer(uint64_t record_bytes);
  Result<void> close_writer();
  void finish(std::vector<std::pair<Waiting*, RecordRef>>* staged, const Result<uint64_t>& synced);
  bool close_due();
};

GroupCommit::GroupCommit() = default;
GroupCommit::~GroupCommit() {
  // Whoever cares for the outcome has called stop(): records are durable already, only the END record may be missing,
  // and a file without one is closed by whoever finds its lock free.
  if (state_) static_cast<void>(stop().has_value());
}

Result<std::unique_ptr<GroupCommit>> GroupCommit::create(Fs& fs, Clock& clock, std::string journal_directory,
                                                         const ArchiveId& archive, const Options& options) {
  ARCH_TRY(bool there, fs.exists(journal_directory));
  if (!there)
    return fail(Code::kNotFound, journal_directory + " does not exist",
                "is this an archive? see: archctl init --help");
  auto commit = std::unique_ptr<GroupCommit>(new GroupCommit);
  commit->state_ = std::make_unique<State>(fs, clock, std::move(journal_directory), archive, options);
  State* state = commit->state_.get();
  state->thread = std::thread([state] { state->run(); });
  return commit;
}

Result<void> GroupCommit::submit(Delivery delivery, std::string message, Done done) {
  if (message.size() > limits::kMessageBytes)
    return fail(Code::kTooLarge, "a message of " + std::to_string(message.size()) + " bytes is over the limit of " +
                                     std::to_string(limits::kMessageBytes));
  ARCH_TRY(uint64_t free, state_->fs.free_bytes(state_->directory));
  if (free < state_->options.reserve_free_bytes + message.size())
    return fail(Code::kFull,
                "only " + std::to_string(free) + " bytes are free under " + state_->directory + ", the reserve is " +
                    std::to_string(state_->options.reserve_free_bytes),
                "free some space or add a volume; taking mail resumes by itself");
  std::lock_guard lock(state_->mutex);
  if (state_->stopping) return fail(Code::kTryAgain, "the journal is being closed");
  if (state_->waiting_bytes > 0 && state_->waiting_bytes + message.size() > state_->options.max_waiting_bytes)
    return fail(Code::kTryAgain, std::to_string(state_->waiting_bytes) + " bytes wait to be written already");
  state_->waiting_bytes += message.size();
  state_->queue.push_back({std::move(delivery), std::move(message), std::move(done)});
  state_->wake.notify_one();
  return {};
}

Result<RecordRef> GroupCommit::append(Delivery delivery, std::string message) {
  std::mutex mutex;
  std::condition_variable ready;
  bool finished = false;
  Result<RecordRef> outcome = RecordRef{};
  ARCH_TRY_VOID(submit(std::move(delivery), std::move(message), [&](Result<RecordRef> result) {
    std::lock_guard lock(mutex);
    outcome = std::move(result);
    finished = true;
    ready.notify_one();
  }));
  std::unique_lock lock(mutex);
  ready.wait(lock, [&] { return finished; });
  return outcome;
}

Result<void> GroupCommit::close_file() {
  std::unique_lock lock(state_->mutex);
  if (!state_->thread.joinable()) return {};
  const uint64_t ticket = ++state_->close_wanted;
  state_->wake.notify_one();
  state_->closed.wait(lock, [&] { return state_->close_done >= ticket; });
  return state_->close_result;
}

Result<void> GroupCommit::stop() {
  {
    std::lock_guard lock(state_->mutex);
    if (!state_->thread.joinable()) return state_->close_result;
    state_->stopping = true;
    state_->wake.notify_one();
  }
  state_->thread.join();
  state_->thread = std::thread();
  return state_->close_result;
}

GroupCommit::Stats GroupCommit::stats() const {
  std::lock_guard lock(state_->mutex);
  return state_->stats;
}

void GroupCommit::State::run() {
  std::unique_lock lock(mutex);
  while (true) {
    auto something = [&] { return !queue.empty() || stopping || close_wanted > close_done; };
    if (writer)
      wake.wait_for(lock, kTick, something);
    else
      wake.wait(lock, something);

    if (!queue.empty()) {
      std::vector<Waiting> batch;
      uint64_t bytes = 0;
      while (!queue.empty() && (batch.empty() || bytes + queue.front().message.size() <= options.batch_bytes)) {
        bytes += queue.front().message.size();
        batch.push_back(std::move(queue.front()));
        queue.pop_front();
      }
      lock.unlock();
      write_batch(&batch);
      batch.clear();
      lock.lock();
      waiting_bytes -= bytes;
      if (!queue.empty()) continue;  // a close request waits for what was submitted before it
    }
    const uint64_t wanted = close_wanted;
    const bool asked = wanted > close_done || stopping;
    lock.unlock();
    const bool close_now = writer && (asked || close_due());
    Result<void> result;
    if (close_now) result = close_writer();
    lock.lock();
    if (asked || !result) close_result = result;
    close_done = std::max(close_done, wanted);
    closed.notify_all();
    if (stopping && queue.empty()) return;
  }
}

bool GroupCommit::State::close_due() {
  if (writer->records() == 0) return false;
  if (writer->staged_end() >= options.roll_bytes) return true;
  if (clock.now() - writer->created() >= options.roll_age) return true;
  auto wanted = fs.exists(close_request_path(writer->path()));
  return wanted && *wanted;
}

Result<void> GroupCommit::State::close_writer() {
  const std::string path = writer->path();
  auto result = writer->close();
  writer.reset();
  {
    std::lock_guard lock(mutex);
    stats.current_file = 0;
    if (!result) ++stats.failures;
  }
  auto wanted = fs.exists(close_request_path(path));
  // A request that cannot be removed outlives its file; the engine removes it then.
  if (wanted && *wanted) static_cast<void>(fs.remove(close_request_path(path)).has_value());
  return result;
}

Result<void> GroupCommit::State::ensure_writer(uint64_t record_bytes) {
  if (writer) return {};
  JournalWriter::Options writer_options;
  writer_options.reserve_bytes = std::max(options.roll_bytes, record_bytes + kRecordOverhead);
  ARCH_TRY(writer, JournalWriter::create(fs, directory, archive, clock.now(), writer_options));
  std::lock_guard lock(mutex);
  stats.current_file = writer->number();
  return {};
}

// One sync for everything staged since the last; then each of them is told.
void GroupCommit::State::finish(std::vector<std::pair<Waiting*, RecordRef>>* staged, const Result<uint64_t>& synced) {
  {
    std::lock_guard lock(mutex);
    ++stats.syncs;
    if (synced) {
      stats.records += staged->size();
      for (const auto& [waiting, ref] : *staged) stats.bytes += waiting->message.size();
    } else {
      ++stats.failures;
      stats.current_file = 0;
    }
  }
  if (!synced) writer.reset();  // suspect: left as it lies; the next record opens a new file
  for (auto& [waiting, ref] : *staged) {
    if (synced)
      waiting->done(ref);
    else
      waiting->done(tl::unexpected<Error>(synced.error()));
  }
  staged->clear();
}

void GroupCommit::State::write_batch(std::vector<Waiting>* batch) {
  std::vector<std::pair<Waiting*, RecordRef>> staged;
  for (Waiting& waiting : *batch) {
    const uint64_t record_bytes = waiting.message.size() + encode_delivery(waiting.delivery).size();
    for (int attempt = 0;; ++attempt) {
      auto ready = ensure_writer(record_bytes);
      if (!ready) {
        waiting.done(tl::unexpected<Error>(ready.error()));
        break;
      }
      auto ref = writer->append(waiting.delivery, as_bytes(waiting.message));
      if (ref) {
        staged.emplace_back(&waiting, *ref);
        break;
      }
      if (ref.error().code != Code::kFull || attempt > 0) {
        waiting.done(tl::unexpected<Error>(ref.error()));
        break;
      }
      // No room left in this file: what is staged becomes durable here, the record goes to a new one.
      if (!staged.empty()) finish(&staged, writer->sync());
      if (writer) {
        auto closed_well = close_writer();
        if (!closed_well) {  // its records are durable; only the END record is missing
          std::lock_guard lock(mutex);
          close_result = closed_well;
        }
      }
    }
  }
  if (!staged.empty()) finish(&staged, writer->sync());
}

}  // namespace arch
