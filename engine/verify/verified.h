// When each segment was last read whole and found sound: ARCHIVE/state/verified, a small text file beside the archive's data.
// Losing it costs nothing but the knowledge: everything is then checked anew.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/io/fs.h"

namespace arch {

struct VerifiedSegment {
  Digest footer_digest;  ///< of the file that was read: another file under its name counts as never verified
  UnixNs when = 0;
  bool sound = true;
};

struct Verified {
  std::map<uint32_t, VerifiedSegment> segments;
  UnixNs run_begun = 0;  ///< of a whole verification that has not come to its end; 0: none
};

/// An archive without the file, or with a damaged one, has verified nothing. Errors: kIo, kDenied.
Result<Verified> read_verified(Fs& fs, const std::string& archive_directory);
/// Durable when it returns. Errors: kFull, kIo, kDenied (an archive that is mounted read-only).
Result<void> write_verified(const std::string& archive_directory, const Verified& verified);

/// For `status`: the segments as they lie there now. A segment that was never verified since its birth counts from its birth:
/// it was read back whole before it was published.
struct VerifiedSummary {
  uint64_t segments = 0;
  UnixNs oldest = 0;            ///< 0: there is no segment
  uint32_t oldest_segment = 0;  ///< which is next
  uint64_t damaged = 0;         ///< found damaged when last read
};
/// Reads header and trailer of each segment, no more. Errors: kNotFound (no archive), kIo, kDenied.
Result<VerifiedSummary> summarise_verified(Fs& fs, const std::string& archive_directory);

}  // namespace arch
