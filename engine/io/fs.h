// Fs: the only code that opens, writes, syncs, renames or removes files of journal/ and segments/ (RocksDB and Xapian
// do their own). An interface, so that tests can put a disk with faults behind it (tests/faults/fault_fs.h).
//
// Threads   Fs: any thread. File: one thread at a time, except pread(), which any thread may call.
// Errors    fail_errno() codes, the path in `what`. A short write is an error. EINTR is retried here.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/buffer.h"
#include "engine/base/digest.h"
#include "engine/base/result.h"

namespace arch {

class File {
 public:
  virtual ~File() = default;  ///< closes; releases a lock
  /// Reads up to `size` bytes at `offset` into `buffer`; returns how many (fewer only at the end of the file).
  virtual Result<size_t> pread(uint64_t offset, void* buffer, size_t size) const = 0;
  /// Writes all of `parts` at `offset`.
  virtual Result<void> pwritev(uint64_t offset, std::vector<iovec> parts) = 0;
  virtual Result<void> fdatasync() = 0;
  /// posix_fallocate-like: extends the file to at least `size` bytes with room reserved; new bytes read as zero.
  virtual Result<void> allocate(uint64_t size) = 0;
  virtual Result<void> truncate(uint64_t size) = 0;
  virtual Result<uint64_t> size() const = 0;
  /// flock without waiting, exclusive or shared: true when taken, false when somebody else holds it. Held until the
  /// File is destroyed.
  virtual Result<bool> try_lock(bool shared = false) = 0;
  virtual Result<void> set_mode(uint32_t mode) = 0;
  virtual const std::string& path() const = 0;
};

class Fs {
 public:
  virtual ~Fs() = default;
  static Fs& real();

  virtual Result<std::unique_ptr<File>> open_read(const std::string& path) = 0;
  /// For reading and fdatasync: a derived store syncs a journal file before it applies what it read there.
  virtual Result<std::unique_ptr<File>> open_read_write(const std::string& path) = 0;
  /// O_CREAT|O_EXCL, mode 0640; kExists when there is one. The caller syncs the directory.
  virtual Result<std::unique_ptr<File>> create(const std::string& path) = 0;
  virtual Result<void> sync_directory(const std::string& path) = 0;
  /// Never replaces: kExists when `to` is there (renameat2 RENAME_NOREPLACE).
  virtual Result<void> rename_new(const std::string& from, const std::string& to) = 0;
  virtual Result<void> remove(const std::string& path) = 0;
  virtual Result<void> make_directory(const std::string& path) = 0;  ///< mode 0750; success when it is there already
  virtual Result<std::vector<std::string>> list(
      const std::string& directory) = 0;  ///< names, sorted, without . and ..
  virtual Result<bool> exists(const std::string& path) = 0;
  virtual Result<uint64_t> free_bytes(const std::string& path) = 0;  ///< of the file system, for unprivileged users
};

/// Writes a small file of state whole, in place of what was there: a temporary file beside it, fsync, rename, fsync of the
/// directory (made when it is missing). After a crash the old content is there or the new. Errors: fail_errno() codes.
Result<void> replace_file(const std::string& path, std::string_view bytes);
/// Reads a whole small file (at most `limit` bytes; kTooLarge above).
Result<std::string> read_file(Fs& fs, const std::string& path, uint64_t limit);
/// Reads exactly `size` bytes or fails with kCorrupt ("ends early").
Result<std::string> read_exact(const File& file, uint64_t offset, uint64_t size);
Result<Buffer> read_buffer(const File& file, uint64_t offset, uint64_t size);  ///< the same for what is large

}  // namespace arch
