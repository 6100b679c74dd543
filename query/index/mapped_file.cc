#include "query/index/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace arch::index {

Result<MappedFile> MappedFile::open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail_errno(errno, "cannot open " + path);
  struct stat status {};
  void* map = nullptr;
  const bool known = ::fstat(fd, &status) == 0;
  const auto size = static_cast<size_t>(status.st_size);
  if (known && size > 0) map = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);  // of nothing there is no mapping
  const int error = errno;
  ::close(fd);
  if (!known || map == MAP_FAILED) return fail_errno(error, "cannot read " + path);
  MappedFile out;
  if (map != nullptr) out.bytes_ = {static_cast<const char*>(map), size};
  return out;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

bool MappedFile::is_readable() const {
#ifdef MADV_POPULATE_READ
  if (!bytes_.empty())
    return ::madvise(const_cast<char*>(bytes_.data()), bytes_.size(), MADV_POPULATE_READ) == 0 || errno == EINVAL;
#endif
  return true;
}

}  // namespace arch::index
