// FaultFs: a disk in memory that forgets what was not synced and fails when it is told to.
//
// Log        Every call that changes something is a step: create, write, allocate, truncate, sync, mode, directory sync,
//            rename, remove, make directory. after_cut(n) is the disk one may wake up with when power went before step
//            n. A file's bytes are certain up to its last sync; of each later change it is drawn by lot (seed, n) whether
//            it is kept, dropped, torn (512-byte sectors, each kept or dropped) or zeroed (its length kept, its bytes
//            not). A directory entry is certain once its directory was synced; a later change of it is kept or dropped.
// Faults     fail(op, nth, errno …): the nth call of a kind from now on fails, once or for ever. A failed write may have
//            written a part; a failed sync loses its pages for good while reads still see them, and a later sync that
//            succeeds does not bring them back (Linux: Rebello et al., ATC 2020).
// Space      set_capacity(): what files hold, reserved room included, above which allocate and write give ENOSPC.
// Threads    Any.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "engine/io/fs.h"

namespace arch {

class FaultFs : public Fs {
 public:
  enum class Op : uint8_t {
    kOpen,  // not a step
    kRead,  // not a step
    kList,  // not a step
    kCreate,
    kWrite,
    kAllocate,
    kTruncate,
    kSync,
    kMode,
    kSyncDirectory,
    kRename,
    kRemove,
    kMakeDirectory,
  };
  enum class Effect : uint8_t {
    kNone,    ///< the call fails and did nothing
    kPartly,  ///< a write fails after half of its bytes; otherwise as kNone
    kWhole,   ///< the call did everything, yet says that it failed
  };
  enum class Repeat : uint8_t { kOnce, kForEver };

  explicit FaultFs(uint64_t seed = 1);
  ~FaultFs() override;

  // ── Power cuts ──
  size_t steps() const;                     ///< so far
  std::string describe(size_t step) const;  ///< "write journal/0000000001.jnl 72+4096"; "the end" for steps()
  /// Everything on it is durable and its log is empty. The same (seed, step, turn) gives the same disk.
  std::unique_ptr<FaultFs> after_cut(size_t step, uint64_t turn = 0) const;
  /// The disk as it is seen now, nothing lost: another machine's view after a clean shutdown.
  std::unique_ptr<FaultFs> copy() const;

  // ── Faults ──
  /// The `nth` call (0 = the next) of kind `op`, counted from now, whose path contains `path_part`, fails with `error`.
  void fail(Op op, uint64_t nth, int error, Repeat repeat = Repeat::kOnce, Effect effect = Effect::kNone,
            std::string path_part = {});
  void clear_faults();
  uint64_t faults_met() const;                                     ///< calls that failed because of fail()
  uint64_t calls(Op op, const std::string& path_part = {}) const;  ///< steps of this kind, failed ones included
  void set_capacity(uint64_t bytes);
  void set_sync_time(std::chrono::milliseconds time);  ///< what a file's sync takes from now on; a copy's takes none
  uint64_t used_bytes() const;

  // ── Damage, on the disk as it lies ──
  void flip_bit(const std::string& path, uint64_t offset, int bit);
  void overwrite(const std::string& path, uint64_t offset, const std::string& bytes);
  void cut(const std::string& path, uint64_t size);
  std::string contents(const std::string& path) const;  ///< empty when there is no such file
  uint32_t mode(const std::string& path) const;

  // ── Fs ──
  Result<std::unique_ptr<File>> open_read(const std::string& path) override;
  Result<std::unique_ptr<File>> open_read_write(const std::string& path) override;
  Result<std::unique_ptr<File>> create(const std::string& path) override;
  Result<void> sync_directory(const std::string& path) override;
  Result<void> rename_new(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<void> make_directory(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<bool> exists(const std::string& path) override;
  Result<uint64_t> free_bytes(const std::string& path) override;

 private:
  struct Disk;
  class Handle;
  std::shared_ptr<Disk> disk_;
};

}  // namespace arch
