// Work on many rows by two threads, newest first. Internal to query/search.
#pragma once

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>

#include "engine/base/result.h"

namespace arch::search {

constexpr size_t kChunk = 32;          // rows read at once by a thread
constexpr size_t kChunksOfThread = 4;  // so many are worth a second thread

/// call(begin, end) for all of [0, count) in chunks, on this thread and, when there are many, on a second one. Ends with the first
/// error.
template <class Call>
Result<void> in_chunks(size_t count, const Call& call, size_t chunk_rows = kChunk) {
  const size_t chunks = (count + chunk_rows - 1) / chunk_rows;
  std::atomic<size_t> next{0};
  std::mutex mutex;
  std::optional<Error> error;  // mutex
  auto work = [&] {
    for (;;) {
      size_t taken = next.fetch_add(1);
      if (taken >= chunks) return;
      size_t chunk = chunks - 1 - taken;  // newest first
      auto done = call(chunk * chunk_rows, std::min(count, (chunk + 1) * chunk_rows));
      if (done) continue;
      std::lock_guard<std::mutex> lock(mutex);
      if (!error) error = done.error();
      next = chunks;
      return;
    }
  };
  if (chunks >= kChunksOfThread) {
    std::thread other(work);
    work();
    other.join();
  } else {
    work();
  }
  if (error) return tl::unexpected<Error>(std::move(*error));
  return {};
}

}  // namespace arch::search
