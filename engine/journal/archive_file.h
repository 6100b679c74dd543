// archive.toml and the directories around it: what makes a directory an archive. Small on purpose: arch-capture needs
// it and links neither RocksDB nor Xapian.
#pragma once

#include <string>

#include "engine/base/clock.h"
#include "engine/format/journal.h"
#include "engine/io/fs.h"

namespace arch {

constexpr uint32_t kArchiveFormatVersion = 1;

struct ArchiveFile {
  ArchiveId id;
  uint32_t format = kArchiveFormatVersion;
  UnixNs created = 0;
};

/// Paths inside an archive.
std::string journal_directory(const std::string& archive);   // ARCHIVE/journal
std::string segments_directory(const std::string& archive);  // ARCHIVE/segments
std::string catalog_directory(const std::string& archive);   // ARCHIVE/catalog
std::string index_directory(const std::string& archive);     // ARCHIVE/index
std::string tmp_directory(const std::string& archive);       // ARCHIVE/tmp

/// The file that says that a directory is a copy made by `archctl backup`: read, and never worked on.
std::string backup_mark_path(const std::string& directory);
/// kDenied for such a copy, with what to do; what would write asks first.
Result<void> check_no_backup(Fs& fs, const std::string& directory);

/// Makes `directory` (parents too) with journal/, segments/, catalog/, index/, tmp/ and archive.toml, which is
/// written last, synced and renamed into place: a directory without it is no archive. Errors: kExists (an archive is
/// there, or the directory holds other files), kFull, kDenied, kIo.
Result<ArchiveFile> create_archive(Fs& fs, const std::string& directory, UnixNs now);

/// Errors: kNotFound ("DIR is no archive", hint: archctl init), kInvalid (damaged: says the line; hint: the id stands
/// in the header of every segment and journal file), kTooNew (names both versions), kDenied, kIo.
Result<ArchiveFile> read_archive_file(Fs& fs, const std::string& directory);

}  // namespace arch
