// The asking side of the socket (wire.h).
#pragma once

#include <string>

#include "engine/base/result.h"
#include "tools/ask/descriptor.h"
#include "tools/ask/wire.h"

namespace arch::ask {

/// What a command printed, whole: nothing of it is here before archd is done.
struct Printed {
  Answer answer;
  Descriptor file;        ///< with answer.in_file: holds what the answer counts
  Descriptor connection;  ///< kept as long as `file`, so that archd knows

  /// Writes all of it to stderr and stdout of this process. Errors: kIo (the file is not what was said; what stdout refuses is
  /// seen at its end).
  Result<void> write() const;
};

/// Asks the archd of this archive. Every error means that nothing was printed and the full program can be run: kNotFound (no
/// archd), kDenied (it belongs to somebody else), kTryAgain (it is busy, or ended meanwhile), kInvalid (it says no), kIo.
Result<Printed> ask(const std::string& archive, const Request& request);

}  // namespace arch::ask
