// A copy of an archive that is consistent while mail goes on coming in, and an archive out of such a copy.
//
// What is copied is what everything else is made from: archive.toml, journal/, segments/ of every volume, and state/ (tokens,
// saved searches, the access log). Segments never change, so each is copied once; the next run copies what is new. The copy
// is laid out as an archive and can be read and verified as one; its file `backup` keeps engines from working on it.
//
// Order     journal/ is copied before segments/. A journal file goes away only once its mail lies in a published segment: what
//           is missed in the first is found in the second, and what is in both is known as one delivery (adoption). A journal
//           file is taken out of the copy once the source has it no more and a segment in the copy was born from it.
// Each file is written beside its place, synced, checked and renamed: a run that is cut off leaves a good copy, of an earlier
// moment or of now.
// Threads   One run on one target at a time (a lock on the target's archive.toml); beside engines and readers of the source.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/base/clock.h"
#include "engine/io/fs.h"

namespace arch {

struct BackupOptions {
  uint64_t bytes_per_second = 0;  ///< of copying; 0: as fast as it can
  std::function<bool()> stop;     ///< true: ends with kTryAgain; what was copied stays, and the next run goes on
};
struct BackupProgress {
  uint64_t bytes_done = 0, bytes_total = 0;
};
struct BackupReport {
  uint64_t segments = 0;         ///< in the copy
  uint64_t segments_copied = 0;  ///< by this run
  uint64_t journal_files = 0;    ///< in the copy
  uint64_t bytes_copied = 0;
  /// What could not be copied, or was damaged when it was read back: the copy is not whole. One sentence each.
  std::vector<std::string> problems;
};

/// `target`: an earlier copy of this archive, an empty directory, or none. Errors: kNotFound (no archive), kExists (the target
/// holds something else, an archive in use or a copy of another archive), kTryAgain, kFull, kDenied, kIo.
Result<BackupReport> backup_archive(Fs& fs, const std::string& archive, const std::string& target, UnixNs now,
                                    const BackupOptions& options,
                                    const std::function<void(const BackupProgress&)>& progress);

/// Makes `target`, an empty directory or none, an archive with everything that the copy holds: same id, same mail, no catalog
/// and no index yet. Reading it back is the caller's (verify_archive). Errors: as backup_archive; kNotFound: `copy` is none.
Result<BackupReport> restore_archive(Fs& fs, const std::string& copy, const std::string& target,
                                     const BackupOptions& options,
                                     const std::function<void(const BackupProgress&)>& progress);

/// When the last run over it ended; 0: none did. Errors: kNotFound (no copy), kIo, kDenied.
Result<UnixNs> read_backup_time(Fs& fs, const std::string& directory);

}  // namespace arch
