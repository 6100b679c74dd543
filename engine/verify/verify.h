// Reads an archive and says whether it holds what it claims. Never writes, never repairs, takes no lock.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/base/digest.h"
#include "engine/io/fs.h"

namespace arch {

struct VerifyOptions {
  bool data = true;                ///< compare each SHA-256; false: structure and checksums only
  std::vector<uint32_t> segments;  ///< empty: all, and the journal
};
struct VerifyFault {
  std::string file;
  uint64_t offset = 0;
  Digest digest;  ///< zero when not one message's or blob's
  std::string what;
};
struct VerifyReport {
  std::vector<VerifyFault> faults;  ///< damage
  std::vector<VerifyFault> notes;   ///< torn batches nobody was told about, leftovers in tmp/
  uint64_t segments = 0, journal_files = 0, messages = 0, deliveries = 0, blobs = 0, bytes = 0;
};
struct VerifyProgress {
  uint64_t bytes_done = 0, bytes_total = 0;
};

/// Checks archive.toml, every segment (chain of footer digests and gapless numbers included) and every journal file.
/// Errors: only what keeps it from checking at all (kNotFound, kIo); faults are in the report.
Result<VerifyReport> verify_archive(Fs& fs, const std::string& directory, const VerifyOptions& options,
                                    const std::function<void(const VerifyProgress&)>& progress);

}  // namespace arch
