// Copies everything that is whole out of a damaged archive into a new one, and says what is not. The old one is only read.
//
// Whole is a message whose bytes have its SHA-256, wherever they lie: another segment, a journal file that was kept. Bytes,
// envelopes and times of capture stay; sequence numbers are given anew. Nothing is guessed: a message with a damaged block is
// listed, never stored half.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/archive.h"

namespace arch {

struct SalvageLoss {
  Digest digest;     ///< zero when it is not known which message it was
  std::string file;  ///< empty: known by the catalog alone
  std::string what;
  std::vector<Delivery> envelopes;  ///< as far as segment, journal or the old catalog still tell
};

struct SalvageReport {
  uint64_t deliveries = 0, messages = 0, bytes = 0;  ///< that are in the new archive; bytes of messages
  std::vector<SalvageLoss> losses;
};

/// `to` was opened kEngine, is empty and another archive; what is copied is durable in its journal when this returns, and not
/// yet applied. Errors: kNotFound, kInvalid (`from` is no archive), kFull, kIo (writing; a file of `from` that cannot be
/// read is a loss), kTryAgain (`stop`).
Result<SalvageReport> salvage(Fs& fs, const std::string& from, Archive& to, const std::function<bool()>& stop,
                              const std::function<void(const SalvageReport&)>& progress);

}  // namespace arch
