// Documents read by worker processes that can do nothing but read them (tools/arch-extract, tools/arch-ocr): the parent's side. A document that crashes
// its reader, takes too long or too much memory costs one worker, which is replaced, and is blamed alone.
//
// Threads   Any number of threads may call read() at once; as many documents are read at a time as there are workers, the others wait.
// Bounds    read() returns within Options::wait and twice Limits::time (times Options::patience) and Options::start, whatever the worker does.
// Trust     An answer is parsed as hostile input. A worker that was taken over can still lie about the words of the documents that it
//           is given until it is replaced (Options::documents_per_worker); it reaches nothing else.
// Signals   A broken pipe raises no SIGPIPE here. Children are reaped by their own process id.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "query/document/document.h"

namespace arch::document {

class Pool {
 public:
  struct Options {
    std::string program;                 ///< arch-extract; see worker_program()
    std::vector<std::string> arguments;  ///< for tests
    size_t workers = 1;                  ///< processes; started when first needed
    Limits limits;  ///< memory_bytes is set when a worker starts, the others go with each document
    uint64_t documents_per_worker = 500;
    std::chrono::milliseconds wait{600'000};  ///< for a free worker
    std::chrono::milliseconds start{30'000};  ///< for a worker to load its libraries on a busy host
    /// How many times Limits::time may pass on the clock before a worker is ended: it counts the processor's time itself, and one in the
    /// background only gets what is left over.
    uint32_t patience = 1;
    bool require_sandbox = true;  ///< refuse a worker that is not sealed; off only in builds with sanitizers
  };
  struct Stats {
    uint64_t documents = 0, started = 0, crashes = 0, timeouts = 0, out_of_memory = 0, repeated = 0;
    uint64_t peak_rss_bytes = 0;  ///< of the workers that have ended
  };

  /// Starts one worker to see that it can be done. Errors: kNotFound (no such program), kDenied (not sealed), kIo.
  static Result<std::unique_ptr<Pool>> start(Options options);
  ~Pool();  ///< stop()s, and waits for the calls in read()

  /// What is wrong with the document is in the status (kCrashed, kOverLimit among them). Errors say that no worker could be had:
  /// kTryAgain (none was free within the wait; stop() was called), kNotFound, kDenied, kIo. A crash in a worker that had read other
  /// documents before is tried once more in a fresh one, so that no document is blamed for what another left behind.
  Result<DocumentText> read(std::span<const std::byte> bytes, const Hint& hint);

  /// Ends the workers; read() gives kTryAgain from now on. From any thread, also while others read.
  void stop();

  Stats stats() const;
  /// document::readers_version() of the workers: what a kept text was read by.
  const std::string& readers_version() const;
  /// What of the sandbox the kernel does not offer, for the log; empty when all holds.
  const std::string& sandbox_gaps() const;

 private:
  Pool();
  struct State;
  std::unique_ptr<State> state_;
};

/// Where arch-extract, or another worker of ours, is: beside the running program, else in bin of the same prefix, else by $PATH.
std::string worker_program(const std::string& name = "arch-extract");

}  // namespace arch::document
