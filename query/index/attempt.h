// Remembers, over the death of the process, which message was being read, so that one that kills the parser is left out of
// the index's text instead of ending every start that follows.
//
// One file of 16 bytes: sequence number and how often reading it was begun without an end. Not synced: a killed process
// leaves it in the page cache, and after a power cut nobody is to blame.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine/base/result.h"

namespace arch::index {

class Attempt {
 public:
  static constexpr uint64_t kTries = 2;  ///< a process may also be killed for other reasons

  /// Errors: kIo, kDenied. A file of another length counts as none.
  static Result<std::unique_ptr<Attempt>> open(const std::string& path);
  ~Attempt();

  /// True: read it. False: it ended the process kTries times before.
  Result<bool> begin(uint64_t sequence);
  /// Whatever was begun has ended well.
  Result<void> end();

 private:
  Attempt(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  Result<void> write(uint64_t sequence, uint64_t tries);
  std::string path_;
  int fd_;
  uint64_t suspect_ = 0;  // as found at open; numbers begin with 1
  uint64_t suspect_tries_ = 0;
};

}  // namespace arch::index
