#include "tests/faults/fault_fs.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>
#include <vector>

namespace arch {

namespace {

constexpr size_t kSector = 512;
constexpr uint64_t kUnlimited = uint64_t{1} << 60;

std::string parent_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

const char* op_name(FaultFs::Op op) {
  switch (op) {
    case FaultFs::Op::kOpen:
      return "open";
    case FaultFs::Op::kRead:
      return "read";
    case FaultFs::Op::kList:
      return "list";
    case FaultFs::Op::kCreate:
      return "create";
    case FaultFs::Op::kWrite:
      return "write";
    case FaultFs::Op::kAllocate:
      return "allocate";
    case FaultFs::Op::kTruncate:
      return "truncate";
    case FaultFs::Op::kSync:
      return "sync";
    case FaultFs::Op::kMode:
      return "mode";
    case FaultFs::Op::kSyncDirectory:
      return "sync directory";
    case FaultFs::Op::kRename:
      return "rename";
    case FaultFs::Op::kRemove:
      return "remove";
    case FaultFs::Op::kMakeDirectory:
      return "make directory";
  }
  return "?";
}

void write_at(std::string* bytes, uint64_t offset, std::string_view data) {
  if (data.empty()) return;
  if (bytes->size() < offset + data.size()) bytes->resize(offset + data.size());
  std::memcpy(bytes->data() + offset, data.data(), data.size());
}

}  // namespace

// One file's bytes, whatever its names are.
struct Inode {
  uint64_t id = 0;
  std::string bytes;
  uint32_t mode = 0640;
  bool locked_exclusive = false;
  int locked_shared = 0;
};

struct FaultFs::Disk {
  struct Step {
    Op op = Op::kWrite;
    std::string path, to;
    uint64_t inode = 0;   // of a file's change, a created or a renamed or removed name
    uint64_t offset = 0;  // of a write; the size of allocate and truncate; the mode
    std::string data;
    bool lost = false;    // its pages were dropped by a failed sync
    bool failed = false;  // a sync that made nothing durable
  };
  struct Fault {
    Op op;
    uint64_t left;  // calls until it strikes
    int error;
    Repeat repeat;
    Effect effect;
    std::string path_part;
    bool spent = false;
  };

  mutable std::mutex mutex;
  uint64_t seed = 1;
  std::map<std::string, std::shared_ptr<Inode>> files;
  std::set<std::string> directories;
  uint64_t next_inode = 1;
  uint64_t capacity = kUnlimited;
  std::atomic<std::chrono::milliseconds> sync_time{};
  std::vector<Step> log;
  std::vector<Fault> faults;
  uint64_t faults_met = 0;
  // What the log starts from: durable.
  std::map<std::string, uint64_t> base_files;
  std::map<uint64_t, Inode> base_inodes;
  std::set<std::string> base_directories;

  // The fault that strikes this call, if any.
  const Fault* strike(Op op, const std::string& path) {
    const Fault* hit = nullptr;
    for (Fault& fault : faults) {
      if (fault.spent || fault.op != op || path.find(fault.path_part) == std::string::npos) continue;
      if (fault.left > 0) {
        --fault.left;
        continue;
      }
      if (fault.repeat == Repeat::kOnce) fault.spent = true;
      if (hit == nullptr) hit = &fault;
    }
    if (hit != nullptr) ++faults_met;
    return hit;
  }

  uint64_t used() const {
    uint64_t bytes = 0;
    for (const auto& [path, inode] : files) bytes += inode->bytes.size();
    return bytes;
  }
  bool has_room(const Inode& inode, uint64_t new_size) const {
    return new_size <= inode.bytes.size() || used() - inode.bytes.size() + new_size <= capacity;
  }

  void freeze() {  // the present becomes the durable past
    log.clear();
    base_files.clear();
    base_inodes.clear();
    base_directories = directories;
    for (const auto& [path, inode] : files) {
      base_files[path] = inode->id;
      Inode& base = base_inodes[inode->id];
      base = *inode;
      base.locked_exclusive = false;
      base.locked_shared = 0;
    }
  }
};

class FaultFs::Handle : public File {
 public:
  Handle(std::shared_ptr<Disk> disk, std::shared_ptr<Inode> inode, std::string path, bool writable)
      : disk_(std::move(disk)), inode_(std::move(inode)), path_(std::move(path)), writable_(writable) {}
  ~Handle() override {
    std::lock_guard lock(disk_->mutex);
    unlock();
  }

  Result<size_t> pread(uint64_t offset, void* buffer, size_t size) const override {
    std::lock_guard lock(disk_->mutex);
    if (const auto* fault = disk_->strike(Op::kRead, path_)) return fail_errno(fault->error, "cannot read " + path_);
    if (offset >= inode_->bytes.size()) return size_t{0};
    const size_t count = std::min<uint64_t>(size, inode_->bytes.size() - offset);
    std::memcpy(buffer, inode_->bytes.data() + offset, count);
    return count;
  }

  Result<void> pwritev(uint64_t offset, std::vector<iovec> parts) override {
    std::lock_guard lock(disk_->mutex);
    std::string data;
    for (const iovec& part : parts) data.append(static_cast<const char*>(part.iov_base), part.iov_len);
    int error = writable_ ? 0 : EBADF;
    if (const auto* fault = disk_->strike(Op::kWrite, path_)) {
      error = fault->error;
      if (fault->effect == Effect::kNone) data.clear();
      if (fault->effect == Effect::kPartly) data.resize(data.size() / 2);
    } else if (!disk_->has_room(*inode_, offset + data.size())) {
      // As the kernel does it: what fits is written, then ENOSPC.
      const uint64_t others = disk_->used() - inode_->bytes.size();
      const uint64_t largest = disk_->capacity > others ? disk_->capacity - others : 0;
      const uint64_t end = std::max<uint64_t>(largest, inode_->bytes.size());
      data.resize(end > offset ? std::min<uint64_t>(data.size(), end - offset) : 0);
      error = ENOSPC;
    }
    write_at(&inode_->bytes, offset, data);
    note(Op::kWrite, offset, std::move(data));
    if (error != 0) return fail_errno(error, "cannot write " + path_);
    return {};
  }

  Result<void> fdatasync() override {
    std::this_thread::sleep_for(disk_->sync_time.load());
    std::lock_guard lock(disk_->mutex);
    const auto* fault = disk_->strike(Op::kSync, path_);
    const bool durable = fault == nullptr || fault->effect == Effect::kWhole;
    if (!durable) {
      for (size_t i = disk_->log.size(); i-- > 0;) {
        Disk::Step& step = disk_->log[i];
        if (step.inode != inode_->id) continue;
        if (step.op == Op::kSync && !step.failed) break;
        if (step.op == Op::kWrite) step.lost = true;
      }
    }
    note(Op::kSync, 0, {});
    disk_->log.back().failed = !durable;
    if (fault != nullptr) return fail_errno(fault->error, "cannot sync " + path_);
    return {};
  }

  Result<void> allocate(uint64_t size) override {
    std::lock_guard lock(disk_->mutex);
    int error = 0;
    const auto* fault = disk_->strike(Op::kAllocate, path_);
    if (fault != nullptr)
      error = fault->error;
    else if (!disk_->has_room(*inode_, size))
      error = ENOSPC;
    if (error != 0 && !(fault != nullptr && fault->effect == Effect::kWhole)) {
      note(Op::kAllocate, 0, {});
      return fail_errno(error, "cannot reserve " + std::to_string(size) + " bytes for " + path_);
    }
    if (inode_->bytes.size() < size) inode_->bytes.resize(size);
    note(Op::kAllocate, size, {});
    if (error != 0) return fail_errno(error, "cannot reserve " + std::to_string(size) + " bytes for " + path_);
    return {};
  }

  Result<void> truncate(uint64_t size) override {
    std::lock_guard lock(disk_->mutex);
    const auto* fault = disk_->strike(Op::kTruncate, path_);
    if (fault == nullptr || fault->effect == Effect::kWhole) {
      inode_->bytes.resize(size);
      note(Op::kTruncate, size, {});
    } else {
      note(Op::kTruncate, inode_->bytes.size(), {});
    }
    if (fault != nullptr) return fail_errno(fault->error, "cannot cut " + path_);
    return {};
  }

  Result<uint64_t> size() const override {
    std::lock_guard lock(disk_->mutex);
    return static_cast<uint64_t>(inode_->bytes.size());
  }

  Result<bool> try_lock(bool shared) override {
    std::lock_guard lock(disk_->mutex);
    const bool others_exclusive = inode_->locked_exclusive && held_ != Held::kExclusive;
    const int others_shared = inode_->locked_shared - (held_ == Held::kShared ? 1 : 0);
    if (others_exclusive || (!shared && others_shared > 0)) return false;
    unlock();
    held_ = shared ? Held::kShared : Held::kExclusive;
    if (shared)
      ++inode_->locked_shared;
    else
      inode_->locked_exclusive = true;
    return true;
  }

  Result<void> set_mode(uint32_t mode) override {
    std::lock_guard lock(disk_->mutex);
    if (const auto* fault = disk_->strike(Op::kMode, path_)) {
      note(Op::kMode, inode_->mode, {});
      return fail_errno(fault->error, "cannot change the mode of " + path_);
    }
    inode_->mode = mode;
    note(Op::kMode, mode, {});
    return {};
  }

  const std::string& path() const override { return path_; }

 private:
  enum class Held : uint8_t { kNone, kShared, kExclusive };
  void unlock() {
    if (held_ == Held::kShared) --inode_->locked_shared;
    if (held_ == Held::kExclusive) inode_->locked_exclusive = false;
    held_ = Held::kNone;
  }
  void note(Op op, uint64_t offset, std::string data) {
    Disk::Step step;
    step.op = op;
    step.path = path_;
    step.inode = inode_->id;
    step.offset = offset;
    step.data = std::move(data);
    disk_->log.push_back(std::move(step));
  }

  const std::shared_ptr<Disk> disk_;
  const std::shared_ptr<Inode> inode_;
  const std::string path_;
  const bool writable_;
  Held held_ = Held::kNone;
};

FaultFs::FaultFs(uint64_t seed) : disk_(std::make_shared<Disk>()) {
  disk_->seed = seed;
  disk_->directories = {".", "/"};
  disk_->freeze();
}
FaultFs::~FaultFs() = default;

// ── Power cuts ──

size_t FaultFs::steps() const {
  std::lock_guard lock(disk_->mutex);
  return disk_->log.size();
}

std::string FaultFs::describe(size_t number) const {
  std::lock_guard lock(disk_->mutex);
  if (number >= disk_->log.size()) return "the end";
  const Disk::Step& step = disk_->log[number];
  std::string text = std::string(op_name(step.op)) + " " + step.path;
  if (!step.to.empty()) text += " to " + step.to;
  if (step.op == Op::kWrite) text += " " + std::to_string(step.offset) + "+" + std::to_string(step.data.size());
  if (step.op == Op::kAllocate || step.op == Op::kTruncate) text += " " + std::to_string(step.offset);
  if (step.failed) text += " (failed)";
  return text;
}

std::unique_ptr<FaultFs> FaultFs::after_cut(size_t cut_step, uint64_t turn) const {
  std::lock_guard lock(disk_->mutex);
  const Disk& disk = *disk_;
  const size_t end = std::min(cut_step, disk.log.size());
  std::seed_seq sequence{disk.seed, static_cast<uint64_t>(end), turn};
  std::mt19937_64 random(sequence);
  auto draw = [&](uint64_t sides) { return random() % sides; };

  // What was made certain, by step number: a file's changes below its last good sync, an entry below its directory's.
  std::map<uint64_t, size_t> file_certain;
  std::map<std::string, size_t> directory_certain;
  for (size_t i = 0; i < end; ++i) {
    const Disk::Step& step = disk.log[i];
    if (step.failed) continue;
    if (step.op == Op::kSync) file_certain[step.inode] = i;
    if (step.op == Op::kSyncDirectory) directory_certain[step.path] = i;
  }
  auto entry_is_certain = [&](size_t i, const std::string& path) {
    auto certain = directory_certain.find(parent_of(path));
    return certain != directory_certain.end() && i < certain->second;
  };

  auto woken = std::make_unique<FaultFs>(disk.seed);
  Disk& to = *woken->disk_;
  to.capacity = disk.capacity;
  to.next_inode = disk.next_inode;
  std::map<uint64_t, Inode> inodes = disk.base_inodes;
  std::map<std::string, uint64_t> names = disk.base_files;
  to.directories = disk.base_directories;
  for (size_t i = 0; i < end; ++i) {
    const Disk::Step& step = disk.log[i];
    if (step.failed) continue;
    auto certain = file_certain.find(step.inode);
    const bool durable = certain != file_certain.end() && i < certain->second && !step.lost;
    std::string* bytes = step.inode == 0 ? nullptr : &inodes[step.inode].bytes;
    switch (step.op) {
      case Op::kWrite: {
        const uint64_t lot = durable ? 0 : draw(4);
        if (lot == 0) write_at(bytes, step.offset, step.data);  // kept
        if (lot == 2) {                                         // torn
          for (size_t at = 0; at < step.data.size();) {
            const size_t size = std::min(step.data.size() - at, kSector - (step.offset + at) % kSector);
            if (draw(2) == 0) write_at(bytes, step.offset + at, std::string_view(step.data).substr(at, size));
            at += size;
          }
        }
        if (lot == 3) write_at(bytes, step.offset, std::string(step.data.size(), '\0'));  // zeroed
        break;
      }
      case Op::kAllocate:
        if ((durable || draw(2) == 0) && bytes->size() < step.offset) bytes->resize(step.offset);
        break;
      case Op::kTruncate:
        if (durable || draw(2) == 0) bytes->resize(step.offset);
        break;
      case Op::kMode:
        if (durable || draw(2) == 0) inodes[step.inode].mode = static_cast<uint32_t>(step.offset);
        break;
      case Op::kCreate:
        inodes[step.inode].id = step.inode;
        if (entry_is_certain(i, step.path) || draw(2) == 0) names[step.path] = step.inode;
        break;
      case Op::kRename:
        // One transaction of the journal of the file system: both names change, or none.
        if (entry_is_certain(i, step.to) || draw(2) == 0) {
          auto from = names.find(step.path);
          if (from != names.end() && from->second == step.inode) names.erase(from);
          names[step.to] = step.inode;
        }
        break;
      case Op::kRemove:
        if (entry_is_certain(i, step.path) || draw(2) == 0) {
          auto entry = names.find(step.path);
          if (entry != names.end() && entry->second == step.inode) names.erase(entry);
        }
        break;
      case Op::kMakeDirectory:
        if (entry_is_certain(i, step.path) || draw(2) == 0) to.directories.insert(step.path);
        break;
      default:
        break;
    }
  }
  for (const auto& [path, id] : names) {
    if (to.directories.count(parent_of(path)) == 0) continue;  // its directory never got there
    auto inode = std::make_shared<Inode>(inodes[id]);
    inode->id = id;
    to.files[path] = std::move(inode);
  }
  to.freeze();
  return woken;
}

std::unique_ptr<FaultFs> FaultFs::copy() const {
  std::lock_guard lock(disk_->mutex);
  auto other = std::make_unique<FaultFs>(disk_->seed);
  Disk& to = *other->disk_;
  to.directories = disk_->directories;
  to.next_inode = disk_->next_inode;
  to.capacity = disk_->capacity;
  for (const auto& [path, inode] : disk_->files) {
    auto twin = std::make_shared<Inode>(*inode);
    twin->locked_exclusive = false;
    twin->locked_shared = 0;
    to.files[path] = std::move(twin);
  }
  to.freeze();
  return other;
}

// ── Faults ──

void FaultFs::fail(Op op, uint64_t nth, int error, Repeat repeat, Effect effect, std::string path_part) {
  std::lock_guard lock(disk_->mutex);
  disk_->faults.push_back({op, nth, error, repeat, effect, std::move(path_part)});
}

void FaultFs::clear_faults() {
  std::lock_guard lock(disk_->mutex);
  disk_->faults.clear();
}

uint64_t FaultFs::faults_met() const {
  std::lock_guard lock(disk_->mutex);
  return disk_->faults_met;
}

uint64_t FaultFs::calls(Op op, const std::string& path_part) const {
  std::lock_guard lock(disk_->mutex);
  return static_cast<uint64_t>(std::count_if(disk_->log.begin(), disk_->log.end(), [&](const Disk::Step& step) {
    return step.op == op && step.path.find(path_part) != std::string::npos;
  }));
}

void FaultFs::set_sync_time(std::chrono::milliseconds time) { disk_->sync_time = time; }

void FaultFs::set_capacity(uint64_t bytes) {
  std::lock_guard lock(disk_->mutex);
  disk_->capacity = bytes;
}

uint64_t FaultFs::used_bytes() const {
  std::lock_guard lock(disk_->mutex);
  return disk_->used();
}

// ── Damage ──

void FaultFs::flip_bit(const std::string& path, uint64_t offset, int bit) {
  std::lock_guard lock(disk_->mutex);
  std::string& bytes = disk_->files.at(path)->bytes;
  bytes.at(offset) = static_cast<char>(bytes.at(offset) ^ (1 << bit));
}

void FaultFs::overwrite(const std::string& path, uint64_t offset, const std::string& data) {
  std::lock_guard lock(disk_->mutex);
  write_at(&disk_->files.at(path)->bytes, offset, data);
}

void FaultFs::cut(const std::string& path, uint64_t size) {
  std::lock_guard lock(disk_->mutex);
  disk_->files.at(path)->bytes.resize(size);
}

std::string FaultFs::contents(const std::string& path) const {
  std::lock_guard lock(disk_->mutex);
  auto file = disk_->files.find(path);
  return file == disk_->files.end() ? std::string() : file->second->bytes;
}

uint32_t FaultFs::mode(const std::string& path) const {
  std::lock_guard lock(disk_->mutex);
  auto file = disk_->files.find(path);
  return file == disk_->files.end() ? 0 : file->second->mode;
}

// ── Fs ──

Result<std::unique_ptr<File>> FaultFs::open_read(const std::string& path) {
  std::lock_guard lock(disk_->mutex);
  if (const auto* fault = disk_->strike(Op::kOpen, path)) return fail_errno(fault->error, "cannot open " + path);
  auto file = disk_->files.find(path);
  if (file == disk_->files.end()) return fail_errno(ENOENT, "cannot open " + path);
  return std::make_unique<Handle>(disk_, file->second, path, false);
}

Result<std::unique_ptr<File>> FaultFs::open_read_write(const std::string& path) {
  std::lock_guard lock(disk_->mutex);
  if (const auto* fault = disk_->strike(Op::kOpen, path)) return fail_errno(fault->error, "cannot open " + path);
  auto file = disk_->files.find(path);
  if (file == disk_->files.end()) return fail_errno(ENOENT, "cannot open " + path);
  return std::make_unique<Handle>(disk_, file->second, path, true);
}

Result<std::unique_ptr<File>> FaultFs::create(const std::string& path) {
  std::lock_guard lock(disk_->mutex);
  Disk::Step step;
  step.op = Op::kCreate;
  step.path = path;
  const auto* fault = disk_->strike(Op::kCreate, path);
  int error = fault != nullptr ? fault->error : 0;
  if (error == 0 && disk_->directories.count(parent_of(path)) == 0) error = ENOENT;
  if (error == 0 && disk_->files.count(path) + disk_->directories.count(path) != 0) error = EEXIST;
  std::shared_ptr<Inode> inode;
  if (error == 0 || (fault != nullptr && fault->effect == Effect::kWhole)) {
    inode = std::make_shared<Inode>();
    inode->id = disk_->next_inode++;
    disk_->files[path] = inode;
    step.inode = inode->id;
  } else {
    step.failed = true;
  }
  disk_->log.push_back(std::move(step));
  if (error != 0) return fail_errno(error, "cannot create " + path);
  return std::make_unique<Handle>(disk_, std::move(inode), path, true);
}

Result<void> FaultFs::sync_directory(const std::string& path) {
  std::lock_guard lock(disk_->mutex);
  const auto* fault = disk_->strike(Op::kSyncDirectory, path);
  Disk::Step step;
  step.op = Op::kSyncDirectory;
  step.path = path;
  step.failed = fault != nullptr && fault->effect != Effect::kWhole;
  const bool there = disk_->directories.count(path) != 0;
  step.failed = step.failed || !there;
  disk_->log.push_back(std::move(step));
  if (fault != nullptr) return fail_errno(fault->error, "cannot sync directory " + path);
  if (!there) return fail_errno(ENOENT, "cannot open directory " + path);
  return {};
}

Result<void> FaultFs::rename_new(const std::string& from, const std::string& to) {
  std::lock_guard lock(disk_->mutex);
  Disk::Step step;
  step.op = Op::kRename;
  step.path = from;
  step.to = to;
  const auto* fault = disk_->strike(Op::kRename, from);
  int error = fault != nullptr ? fault->error : 0;
  auto file = disk_->files.find(from);
  if (error == 0 && file == disk_->files.end()) error = ENOENT;
  if (error == 0 && disk_->directories.count(parent_of(to)) == 0) error = ENOENT;
  if (error == 0 && disk_->files.count(to) != 0) error = EEXIST;
  if (error == 0 || (fault != nullptr && fault->effect == Effect::kWhole && file != disk_->files.end())) {
    std::shared_ptr<Inode> inode = file->second;
    disk_->files.erase(file);
    disk_->files[to] = inode;
    step.inode = inode->id;
  } else {
    step.failed = true;
  }
  disk_->log.push_back(std::move(step));
  if (error != 0) return fail_errno(error, "cannot rename " + from + " to " + to);
  return {};
}

Result<void> FaultFs::remove(const std::string& path) {
  std::lock_guard lock(disk_->mutex);
  Disk::Step step;
  step.op = Op::kRemove;
  step.path = path;
  const auto* fault = disk_->strike(Op::kRemove, path);
  int error = fault != nullptr ? fault->error : 0;
  auto file = disk_->files.find(path);
  if (error == 0 && file == disk_->files.end()) error = ENOENT;
  if (file != disk_->files.end() && (error == 0 || fault->effect == Effect::kWhole)) {
    step.inode = file->second->id;
    disk_->files.erase(file);
  } else {
    step.failed = true;
  }
  disk_->log.push_back(std::move(step));
  if (error != 0) return fail_errno(error, "cannot remove " + path);
  return {};
}

Result<void> FaultFs::make_directory(const std::string& path) {
  std::lock_guard lock(disk_->mutex);
  if (const auto* fault = disk_->strike(Op::kMakeDirectory, path))
    return fail_errno(fault->error, "cannot make directory " + path);
  if (disk_->directories.count(path) != 0) return {};
  if (disk_->files.count(path) != 0) return fail_errno(EEXIST, "cannot make directory " + path);
  if (disk_->directories.count(parent_of(path)) == 0) return fail_errno(ENOENT, "cannot make directory " + path);
  disk_->directories.insert(path);
  Disk::Step step;
  step.op = Op::kMakeDirectory;
  step.path = path;
  disk_->log.push_back(std::move(step));
  return {};
}

Result<std::vector<std::string>> FaultFs::list(const std::string& directory) {
  std::lock_guard lock(disk_->mutex);
  if (const auto* fault = disk_->strike(Op::kList, directory))
    return fail_errno(fault->error, "cannot list " + directory);
  if (disk_->directories.count(directory) == 0) return fail_errno(ENOENT, "cannot list " + directory);
  std::vector<std::string> names;
  auto add = [&](const std::string& path) {
    if (path != directory && parent_of(path) == directory) names.push_back(path.substr(path.find_last_of('/') + 1));
  };
  for (const auto& [path, inode] : disk_->files) add(path);
  for (const std::string& path : disk_->directories)
    if (path != "." && path != "/") add(path);
  std::sort(names.begin(), names.end());
  return names;
}

Result<bool> FaultFs::exists(const std::string& path) {
  std::lock_guard lock(disk_->mutex);
  return disk_->files.count(path) != 0 || disk_->directories.count(path) != 0;
}

Result<uint64_t> FaultFs::free_bytes(const std::string&) {
  std::lock_guard lock(disk_->mutex);
  const uint64_t used = disk_->used();
  return used >= disk_->capacity ? 0 : disk_->capacity - used;
}

}  // namespace arch
