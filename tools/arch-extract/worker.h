// A worker's life: warm up, seal, greet, then read documents until its pipe ends. Protocol: query/document/wire.h.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "query/document/document.h"

namespace arch::extract_worker {

/// Limits::time is processor time of this process, here and in `read`: what the clock says depends on who else is busy.
using Read =
    std::function<document::DocumentText(std::span<const std::byte>, const document::Hint&, const document::Limits&)>;

struct Options {
  uint64_t memory_bytes = 256ull << 20;
  bool seal = true;               ///< off in the test of the sandbox alone, to see that its attempts are real
  std::function<void()> warm_up;  ///< opens all that the libraries will want; runs before the sandbox
  std::function<void()> sealed;   ///< runs behind it
  bool background = false;        ///< whoever else wants the processor or the disk has it first
  Read read;
  std::string version;  ///< of what reads: one line, kept beside each text
};

/// The program's exit status: 0 when the pipe ended, 64 for frames that are none, 70 without a pipe.
int run_worker(const Options& options);

}  // namespace arch::extract_worker
