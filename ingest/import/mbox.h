// One mbox file to its messages, streaming. Memory: the largest message accepted, and a read buffer.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace arch::import {

struct MboxOptions {
  bool mboxrd = false;
  uint64_t message_bytes = 0;  ///< larger messages are passed over and reported; must not be 0
};

struct MboxMessage {
  uint64_t offset = 0;    ///< of the separator in the file
  std::string separator;  ///< without its line end
  std::string message;    ///< everything up to the next separator, the empty line before that included
  uint64_t size = 0;      ///< bytes in the file; message is empty when this is over MboxOptions::message_bytes
};

/// Reads up to `size` bytes into `buffer`; 0 at the end of the file.
using ReadSome = std::function<Result<size_t>(char* buffer, size_t size)>;

/// A separator is a "From " line with a sender and a date (or Netscape's bare "From - ") that stands at the start of the
/// file or behind an empty line; behind another line only when a header field follows it, since some programs leave the
/// empty line out and a sentence in a body is not followed by one. Content-Length is ignored. A file whose first line is
/// a "From " line without a date is read all the same: its first line is a separator.
/// Calls `each` for every message and `progress` with bytes consumed so far. Errors: what read and `each` return.
Result<void> read_mbox(const ReadSome& read, const MboxOptions& options,
                       const std::function<Result<void>(MboxMessage)>& each,
                       const std::function<void(uint64_t)>& progress);

/// Takes one ">" from each line that matches ^>+From (mboxrd).
void unquote_mboxrd(std::string* message);

}  // namespace arch::import
