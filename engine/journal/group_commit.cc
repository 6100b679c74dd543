#include "engine/journal/group_commit.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "engine/journal/journal_reader.h"

namespace arch {

namespace {

// How often a close request and the age of the file are looked at while a file is open.
constexpr std::chrono::milliseconds kPoll{250};
constexpr UnixNs kSlowSync = 1'000'000;  // from here on it pays to wait a little for more records before the next one

}  // namespace

struct GroupCommit::State {
  struct Item {
    Delivery delivery;
    std::string message;
    Done done;                                 // of a record
    std::function<void(Result<void>)> closed;  // of a request to close the file; then the rest is empty
  };

  State(Fs& fs_in, Clock& clock_in, std::string directory_in, const ArchiveId& archive_in, const Options& options_in)
      : fs(fs_in), clock(clock_in), directory(std::move(directory_in)), archive(archive_in), options(options_in) {}

  Fs& fs;
  Clock& clock;
  const std::string directory;
  const ArchiveId archive;
  const Options options;

  // Under `mutex`.
  mutable std::mutex mutex;
  std::condition_variable wake;
  std::deque<Item> queue;
  uint64_t waiting_bytes = 0;  // of `queue` and of the batch being written
  bool stopping = false;
  bool busy = false;  // somebody writes: the writer is theirs until it is false again
  size_t company =
      0;  // how many there are that send one after another, by the last batch and what had queued up behind it
  Stats stats;
  UnixNs last_sync = INT64_MAX;  // how long it took

  // Of whoever made `busy` true.
  std::unique_ptr<JournalWriter> writer;
  std::chrono::steady_clock::time_point next_poll{};

  std::mutex stop_mutex;  // who joins
  std::thread thread;
  std::optional<Error> stop_error;

  void run();
  void commit(std::vector<Item>* batch);
  Result<void> close_writer();
  Result<void> acknowledge(std::vector<Item*>* staged, std::vector<RecordRef>* refs);
  void poll();
  void note_failure(const Error& error);
};

void GroupCommit::State::note_failure(const Error& error) {
  std::lock_guard lock(mutex);
  ++stats.failures;
  stats.last_failure = describe(error);
}

// Whatever happens the file is not ours afterwards: an I/O error leaves it as it lies.
Result<void> GroupCommit::State::close_writer() {
  if (!writer) return {};
  const std::string path = writer->path();
  Result<void> closed = writer->close();
  writer.reset();
  {
    std::lock_guard lock(mutex);
    stats.current_file = 0;
  }
  if (closed) {
    auto removed = fs.remove(close_request_path(path));
    if (!removed && removed.error().code != Code::kNotFound) closed = tl::unexpected<Error>(removed.error());
  }
  if (!closed) note_failure(closed.error());
  return closed;
}

// One pwritev and fdatasync; then everybody who waited for it hears of it.
Result<void> GroupCommit::State::acknowledge(std::vector<Item*>* staged, std::vector<RecordRef>* refs) {
  if (staged->empty()) return {};
  const auto begun = std::chrono::steady_clock::now();
  auto synced = writer->sync();
  if (!synced) return tl::unexpected<Error>(synced.error());
  const UnixNs took =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - begun).count();
  {
    std::lock_guard lock(mutex);
    last_sync = took;
    ++stats.syncs;
    stats.records += staged->size();
    for (const Item* item : *staged) {
      stats.bytes += item->message.size();
      waiting_bytes -= item->message.size();
    }
  }
  for (size_t i = 0; i < staged->size(); ++i) {
    (*staged)[i]->done((*refs)[i]);
    (*staged)[i]->done = nullptr;
  }
  staged->clear();
  refs->clear();
  return {};
}

void GroupCommit::State::commit(std::vector<Item>* batch) {
  std::vector<Item*> staged;
  std::vector<RecordRef> refs;
  auto open_writer = [&](uint64_t reserve) -> Result<void> {
    JournalWriter::Options writer_options;
    writer_options.reserve_bytes = reserve;
    ARCH_TRY(writer, JournalWriter::create(fs, directory, archive, clock.now(), writer_options));
    std::lock_guard lock(mutex);
    stats.current_file = writer->number();
    return {};
  };
  auto stage = [&](Item* item) -> Result<void> {
    auto ref = writer->append(item->delivery, as_bytes(item->message));
    if (!ref) return tl::unexpected<Error>(ref.error());
    staged.push_back(item);
    refs.push_back(*ref);
    return {};
  };
  // A file that cannot be closed has been noted and left; what it holds is durable, so the next record is not its
  // victim.
  auto roll = [&]() -> Result<void> {
    ARCH_TRY_VOID(acknowledge(&staged, &refs));
    static_cast<void>(close_writer());
    return {};
  };
  auto put = [&](Item* item) -> Result<void> {
    const uint64_t alone = JournalWriter::file_bytes_for(item->delivery, item->message.size());
    const bool own_file = alone > options.roll_bytes;
    if (own_file && writer) ARCH_TRY_VOID(roll());
    if (!writer) ARCH_TRY_VOID(open_writer(std::max(options.roll_bytes, alone)));
    auto staged_now = stage(item);
    if (!staged_now && staged_now.error().code == Code::kFull && !writer->dead()) {
      ARCH_TRY_VOID(roll());
      ARCH_TRY_VOID(open_writer(options.roll_bytes));
      staged_now = stage(item);
    }
    ARCH_TRY_VOID(staged_now);
    if (own_file) ARCH_TRY_VOID(roll());
    return {};
  };

  Result<void> result;
  for (Item& item : *batch) {
    if (item.closed) {
      result = acknowledge(&staged, &refs);
      if (!result) break;
      item.closed(close_writer());
      item.closed = nullptr;
    } else {
      result = put(&item);
      if (!result) break;
    }
  }
  if (result) result = acknowledge(&staged, &refs);
  if (result) return;

  // The file is suspect. Nothing that waits is acknowledged, whether it was written, staged or still in the queue.
  note_failure(result.error());
  writer.reset();
  std::vector<Item> failed = std::move(*batch);
  {
    std::lock_guard lock(mutex);
    stats.current_file = 0;
    std::move(queue.begin(), queue.end(), std::back_inserter(failed));
    queue.clear();
    for (const Item& item : failed)
      if (item.done) waiting_bytes -= item.message.size();
  }
  for (Item& item : failed) {
    if (item.done) item.done(tl::unexpected<Error>(result.error()));
    if (item.closed) item.closed(tl::unexpected<Error>(result.error()));
  }
}

// Closes the file when it is old or when somebody asks for it.
void GroupCommit::State::poll() {
  if (!writer) return;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_poll) return;
  next_poll = now + kPoll;
  bool close = clock.now() - writer->created() >= options.roll_age;
  if (!close) {
    auto asked = fs.exists(close_request_path(writer->path()));
    if (!asked) {
      note_failure(asked.error());
      return;
    }
    close = *asked;
  }
  // A failure has been noted; the next record opens a new file either way.
  if (close) static_cast<void>(close_writer());
}

void GroupCommit::State::run() {
  std::unique_lock lock(mutex);
  while (true) {
    auto ready = [&] { return !busy && (!queue.empty() || stopping); };
    if (!ready()) {
      if (stats.current_file != 0)
        wake.wait_for(lock, kPoll, ready);
      else
        wake.wait(lock, ready);
    }
    if (busy) continue;
    if (queue.empty() && stopping) break;
    // Whoever has just been answered is about to send again. Without a little patience those and the ones that queued up behind
    // them share the syncs in two halves for ever, each waiting for the other's.
    if (last_sync >= kSlowSync && queue.size() < company) {
      const UnixNs patience = std::min(last_sync / 3, options.most_patience);
      wake.wait_for(lock, std::chrono::nanoseconds(patience), [&] { return queue.size() >= company || stopping; });
    }
    busy = true;
    // Everything that queued up while the last sync ran, up to a bound on one write.
    std::vector<Item> batch;
    uint64_t bytes = 0;
    while (!queue.empty() && (batch.empty() || bytes + queue.front().message.size() <= options.batch_bytes)) {
      bytes += queue.front().message.size();
      batch.push_back(std::move(queue.front()));
      queue.pop_front();
    }
    const size_t taken = batch.size();
    lock.unlock();
    if (!batch.empty()) commit(&batch);
    poll();
    batch.clear();
    lock.lock();
    busy = false;
    company = taken + queue.size();
  }
  lock.unlock();
  auto closed = close_writer();
  if (!closed) stop_error = closed.error();
}

GroupCommit::GroupCommit() = default;

GroupCommit::~GroupCommit() {
  // Who wants to know whether the END record got there calls stop(); all that was acknowledged is durable without it.
  static_cast<void>(stop());
}

Result<std::unique_ptr<GroupCommit>> GroupCommit::create(Fs& fs, Clock& clock, std::string journal_directory,
                                                         const ArchiveId& archive, const Options& options) {
  ARCH_TRY(bool there, fs.exists(journal_directory));
  if (!there)
    return fail(Code::kNotFound, "there is no directory " + journal_directory,
                "is this an archive? archctl init makes one");
  auto commit = std::unique_ptr<GroupCommit>(new GroupCommit);
  commit->state_ = std::make_unique<State>(fs, clock, std::move(journal_directory), archive, options);
  State* state = commit->state_.get();
  state->thread = std::thread([state] { state->run(); });
  return commit;
}

Result<void> GroupCommit::submit(Delivery delivery, std::string message, Done done, By by) {
  State& state = *state_;
  ARCH_TRY_VOID(JournalWriter::check_limits(delivery, message.size()));
  const uint64_t size = message.size();
  ARCH_TRY(uint64_t free, state.fs.free_bytes(state.directory));
  if (free < state.options.reserve_free_bytes)
    return fail(Code::kFull,
                "only " + std::to_string(free) + " bytes are free in " + state.directory + ", " +
                    std::to_string(state.options.reserve_free_bytes) + " are kept in reserve",
                "make room or add a volume; nothing was stored, the sender tries again");
  std::vector<State::Item> alone;
  {
    std::lock_guard lock(state.mutex);
    if (state.stopping) return fail(Code::kTryAgain, "the journal writer is stopping");
    if (state.waiting_bytes > 0 &&
        size > state.options.max_waiting_bytes - std::min(state.waiting_bytes, state.options.max_waiting_bytes))
      return fail(Code::kTryAgain, std::to_string(state.waiting_bytes) + " bytes wait for the disk already");
    state.waiting_bytes += size;
    State::Item item{std::move(delivery), std::move(message), std::move(done), nullptr};
    if (by == By::kCaller && !state.busy && state.queue.empty() && state.last_sync <= kQuickSync) {
      state.busy = true;
      alone.push_back(std::move(item));
    } else {
      state.queue.push_back(std::move(item));
    }
  }
  if (!alone.empty()) {
    state.commit(&alone);
    std::lock_guard lock(state.mutex);
    state.busy = false;
    if (state.queue.empty() && !state.stopping) return {};
  }
  state.wake.notify_one();
  return {};
}

Result<RecordRef> GroupCommit::append(Delivery delivery, std::string message) {
  std::promise<Result<RecordRef>> promise;
  auto future = promise.get_future();
  ARCH_TRY_VOID(submit(std::move(delivery), std::move(message),
                       [&promise](Result<RecordRef> result) { promise.set_value(std::move(result)); }));
  return future.get();
}

Result<void> GroupCommit::close_file() {
  State& state = *state_;
  std::promise<Result<void>> promise;
  auto future = promise.get_future();
  {
    std::lock_guard lock(state.mutex);
    if (state.stopping) return fail(Code::kTryAgain, "the journal writer is stopping");
    state.queue.push_back(
        {{}, {}, nullptr, [&promise](Result<void> result) { promise.set_value(std::move(result)); }});
  }
  state.wake.notify_one();
  return future.get();
}

Result<void> GroupCommit::stop() {
  State& state = *state_;
  {
    std::lock_guard lock(state.mutex);
    state.stopping = true;
  }
  state.wake.notify_one();
  std::lock_guard lock(state.stop_mutex);
  if (state.thread.joinable()) state.thread.join();
  if (state.stop_error) return tl::unexpected<Error>(*state.stop_error);
  return {};
}

GroupCommit::Stats GroupCommit::stats() const {
  std::lock_guard lock(state_->mutex);
  Stats stats = state_->stats;
  stats.waiting_bytes = state_->waiting_bytes;
  return stats;
}

}  // namespace arch
