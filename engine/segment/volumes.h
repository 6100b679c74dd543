// Where the segments of an archive lie: in ARCHIVE/segments, and on volumes that were added when more room was wanted.
//
// A volume is a directory with the file `volume` (whose archive it is, and which of its volumes) and segments/, tmp/. The
// archive lists them in ARCHIVE/volumes, oldest first. New segments go to the newest volume with room; none is ever moved. A
// directory without its file, such as a mount point with nothing mounted, is a missing volume: nothing is written there, and
// what lies on the others goes on being read.
//
// Files     "arch-volumes/1", then one line each: id added-at-ns reserve-bytes path.   `volume`: "arch-volume/1 archive-id id"
// Threads   No state: any thread. One process adds at a time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/clock.h"
#include "engine/io/fs.h"

namespace arch {

struct Volume {
  std::string id;    ///< 16 hex digits; empty: the archive's own directory
  std::string path;  ///< as it was given, absolute
  UnixNs added = 0;
  uint64_t reserve_bytes = 0;  ///< free room on its file system that new segments leave alone
  std::string missing;         ///< why it cannot be used now; empty: it can

  bool home() const { return id.empty(); }
  std::string segments() const { return path + "/segments"; }
  std::string tmp() const { return path + "/tmp"; }
};

/// The archive itself, then what was added, in order. A volume that cannot be used is no error: it says why. Errors:
/// kInvalid (ARCHIVE/volumes is damaged: says the line), kIo, kDenied.
Result<std::vector<Volume>> list_volumes(Fs& fs, const std::string& archive_directory);

/// Makes `directory` (absolute, empty or not there yet) a volume of the archive. Durable when it returns; a running engine
/// uses it for its next segment. Errors: kExists (holds other files, or a volume), kInvalid, kFull, kDenied, kIo.
Result<Volume> add_volume(Fs& fs, const std::string& archive_directory, const std::string& directory,
                          uint64_t reserve_bytes, UnixNs now);

struct SegmentFile {
  uint32_t number = 0;
  std::string path;
};
/// Every segment on a volume that can be read, by number. Of two with one number the one on the older volume counts. Errors:
/// as list_volumes.
Result<std::vector<SegmentFile>> list_segments(Fs& fs, const std::string& archive_directory);

/// Errors: kNotFound (names the volumes that are missing, if any), as list_volumes.
Result<std::string> find_segment(Fs& fs, const std::string& archive_directory, uint32_t number);

/// Where a segment of at most `bytes` goes: the newest volume with that much room above its reserve, the archive's own
/// directory when none has it.
Result<Volume> volume_for_new_segment(Fs& fs, const std::string& archive_directory, uint64_t bytes);

}  // namespace arch
