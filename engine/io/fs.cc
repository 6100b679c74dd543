#include "engine/io/fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

namespace arch {

namespace {

template <class Call>
auto retry(Call call) -> decltype(call()) {
  decltype(call()) result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

bool any_left(const std::vector<iovec>& parts, size_t first) {
  return std::any_of(parts.begin() + static_cast<std::ptrdiff_t>(first), parts.end(),
                     [](const iovec& part) { return part.iov_len != 0; });
}

class PosixFile : public File {
 public:
  PosixFile(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;
  ~PosixFile() override { ::close(descriptor_); }

  Result<size_t> pread(uint64_t offset, void* buffer, size_t size) const override {
    size_t done = 0;
    while (done < size) {
      ssize_t got = retry([&] {
        return ::pread(descriptor_, static_cast<char*>(buffer) + done, size - done,
                       static_cast<off_t>(offset + done));
      });
      if (got < 0) return fail_errno(errno, "cannot read " + path_);
      if (got == 0) break;
      done += static_cast<size_t>(got);
    }
    return done;
  }

  Result<void> pwritev(uint64_t offset, std::vector<iovec> parts) override {
    size_t first = 0;
    while (first < parts.size()) {
      const int count = static_cast<int>(std::min<size_t>(parts.size() - first, IOV_MAX));
      ssize_t put =
          retry([&] { return ::pwritev(descriptor_, parts.data() + first, count, static_cast<off_t>(offset)); });
      if (put < 0) return fail_errno(errno, "cannot write " + path_);
      // A regular file takes at least one byte or says why not; zero would make this a loop without an end.
      if (put == 0 && any_left(parts, first)) return fail_errno(EIO, "cannot write " + path_);
      offset += static_cast<uint64_t>(put);
      size_t left = static_cast<size_t>(put);
      while (first < parts.size() && left >= parts[first].iov_len) left -= parts[first++].iov_len;
      if (left > 0) {
        parts[first].iov_base = static_cast<char*>(parts[first].iov_base) + left;
        parts[first].iov_len -= left;
      }
    }
    return {};
  }

  Result<void> fdatasync() override {
    // Not retried on any error, EINTR included: after a failed sync the kernel may call lost pages clean.
    if (::fdatasync(descriptor_) != 0) return fail_errno(errno, "cannot sync " + path_);
    return {};
  }

  Result<void> allocate(uint64_t size) override {
    int result = retry([&] { return ::fallocate(descriptor_, 0, 0, static_cast<off_t>(size)); });
    if (result == 0) return {};
    // Some file systems (NFS before 4.2, overlays on them) cannot reserve: then a write may meet a full disk, which
    // the callers survive as they survive any failed write.
    if (errno == EOPNOTSUPP) return {};
    return fail_errno(errno, "cannot reserve " + std::to_string(size) + " bytes for " + path_);
  }

  Result<void> truncate(uint64_t size) override {
    if (retry([&] { return ::ftruncate(descriptor_, static_cast<off_t>(size)); }) != 0)
      return fail_errno(errno, "cannot cut " + path_);
    return {};
  }

  Result<uint64_t> size() const override {
    struct stat info {};
    if (::fstat(descriptor_, &info) != 0) return fail_errno(errno, "cannot stat " + path_);
    return static_cast<uint64_t>(info.st_size);
  }

  Result<bool> try_lock(bool shared) override {
    if (retry([&] { return ::flock(descriptor_, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB); }) == 0) return true;
    if (errno == EWOULDBLOCK) return false;
    return fail_errno(errno, "cannot lock " + path_);
  }

  Result<void> set_mode(uint32_t mode) override {
    if (::fchmod(descriptor_, mode) != 0) return fail_errno(errno, "cannot change the mode of " + path_);
    return {};
  }

  const std::string& path() const override { return path_; }

 private:
  const int descriptor_;
  const std::string path_;
};

class PosixFs : public Fs {
 public:
  Result<std::unique_ptr<File>> open_read(const std::string& path) override { return open(path, O_RDONLY); }
  Result<std::unique_ptr<File>> open_read_write(const std::string& path) override { return open(path, O_RDWR); }
  Result<std::unique_ptr<File>> create(const std::string& path) override {
    return open(path, O_RDWR | O_CREAT | O_EXCL);
  }

  Result<void> sync_directory(const std::string& path) override {
    int descriptor = retry([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
    if (descriptor < 0) return fail_errno(errno, "cannot open directory " + path);
    int result = ::fsync(descriptor);
    int error_number = errno;
    ::close(descriptor);
    if (result != 0) return fail_errno(error_number, "cannot sync directory " + path);
    return {};
  }

  Result<void> rename_new(const std::string& from, const std::string& to) override {
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return {};
    if (errno != EINVAL && errno != ENOSYS) return fail_errno(errno, "cannot rename " + from + " to " + to);
    // A file system without RENAME_NOREPLACE: link() never replaces either.
    if (::link(from.c_str(), to.c_str()) != 0) return fail_errno(errno, "cannot rename " + from + " to " + to);
    if (::unlink(from.c_str()) != 0) return fail_errno(errno, "cannot remove " + from);
    return {};
  }

  Result<void> remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return fail_errno(errno, "cannot remove " + path);
    return {};
  }

  Result<void> make_directory(const std::string& path) override {
    if (::mkdir(path.c_str(), 0750) == 0) return {};
    const int error_number = errno;
    struct stat info {};
    if (error_number == EEXIST && ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return {};
    return fail_errno(error_number, "cannot make directory " + path);
  }

  Result<std::vector<std::string>> list(const std::string& directory) override {
    std::unique_ptr<DIR, int (*)(DIR*)> handle(::opendir(directory.c_str()), ::closedir);
    if (!handle) return fail_errno(errno, "cannot list " + directory);
    std::vector<std::string> names;
    while (true) {
      errno = 0;
      const dirent* entry = ::readdir(handle.get());
      if (entry == nullptr) break;
      std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(std::move(name));
    }
    if (errno != 0) return fail_errno(errno, "cannot list " + directory);
    std::sort(names.begin(), names.end());
    return names;
  }

  Result<bool> exists(const std::string& path) override {
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return fail_errno(errno, "cannot stat " + path);
  }

  Result<uint64_t> free_bytes(const std::string& path) override {
    struct statvfs info {};
    if (retry([&] { return ::statvfs(path.c_str(), &info); }) != 0)
      return fail_errno(errno, "cannot ask for free space of " + path);
    return static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
  }

 private:
  static Result<std::unique_ptr<File>> open(const std::string& path, int flags) {
    int descriptor = retry([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0640); });
    if (descriptor < 0) return fail_errno(errno, ((flags & O_CREAT) != 0 ? "cannot create " : "cannot open ") + path);
    return std::make_unique<PosixFile>(descriptor, path);
  }
};

}  // namespace

Fs& Fs::real() {
  static PosixFs fs;
  return fs;
}

Result<void> replace_file(const std::string& path, std::string_view bytes) {
  const size_t slash = path.find_last_of('/');
  const std::string directory = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  ARCH_TRY_VOID(Fs::real().make_directory(directory));
  const std::string temporary = path + ".new";
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (fd < 0) return fail_errno(errno, "cannot write " + temporary);
  const auto written = [&]() -> Result<void> {
    while (!bytes.empty()) {
      const ssize_t count = ::write(fd, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return fail_errno(errno, "cannot write " + temporary);
      bytes.remove_prefix(static_cast<size_t>(count));
    }
    if (::fsync(fd) != 0) return fail_errno(errno, "cannot sync " + temporary);
    return {};
  }();
  ::close(fd);
  if (written && ::rename(temporary.c_str(), path.c_str()) == 0) return Fs::real().sync_directory(directory);
  const auto failed =
      written ? fail_errno(errno, "cannot rename " + temporary) : tl::unexpected<Error>(written.error());
  ::unlink(temporary.c_str());
  return failed;
}

Result<std::string> read_file(Fs& fs, const std::string& path, uint64_t limit) {
  ARCH_TRY(auto file, fs.open_read(path));
  ARCH_TRY(uint64_t size, file->size());
  if (size > limit) return fail(Code::kTooLarge, path + " is larger than " + std::to_string(limit) + " bytes");
  std::string bytes(size, '\0');
  ARCH_TRY(size_t got, file->pread(0, bytes.data(), bytes.size()));
  bytes.resize(got);
  return bytes;
}

namespace {

Result<void> fill(const File& file, uint64_t offset, char* to, uint64_t size) {
  ARCH_TRY(size_t got, file.pread(offset, to, size));
  if (got == size) return {};
  return fail(Code::kCorrupt, file.path() + " ends early: " + std::to_string(size) + " bytes wanted at " +
                                  std::to_string(offset) + ", " + std::to_string(got) + " there");
}

}  // namespace

Result<std::string> read_exact(const File& file, uint64_t offset, uint64_t size) {
  std::string bytes(size, '\0');
  ARCH_TRY_VOID(fill(file, offset, bytes.data(), size));
  return bytes;
}

Result<Buffer> read_buffer(const File& file, uint64_t offset, uint64_t size) {
  Buffer bytes(size);
  ARCH_TRY_VOID(fill(file, offset, bytes.data(), size));
  return bytes;
}

}  // namespace arch
