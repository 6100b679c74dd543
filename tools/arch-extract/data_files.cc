// Poppler opens these files by name, one at a time, when a font asks for them, and has no interface to be given them. It does so with
// fopen() alone (looked up in libpoppler 22.12); a program's own fopen() takes the place of the C library's for all its libraries. The
// files are mapped, not read: workers share the kernel's copy.
#include "tools/arch-extract/data_files.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <map>
#include <string>

namespace {

constexpr const char* kDirectory = "/usr/share/poppler";

struct Mapped {
  void* begin;
  size_t size;
};
std::map<std::string, Mapped, std::less<>>& mapped() {
  static std::map<std::string, Mapped, std::less<>> files;
  return files;
}
bool only_mapped = false;

}  // namespace

namespace arch::extract_worker {

void map_data_files() {
  std::error_code error;
  std::filesystem::recursive_directory_iterator at(kDirectory, error), end;
  for (; !error && at != end; at.increment(error)) {
    const std::string path = at->path().string();
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat info {};
    if (descriptor >= 0 && ::fstat(descriptor, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0) {
      void* begin = ::mmap(nullptr, static_cast<size_t>(info.st_size), PROT_READ, MAP_PRIVATE, descriptor, 0);
      if (begin != MAP_FAILED) mapped()[path] = {begin, static_cast<size_t>(info.st_size)};
    }
    if (descriptor >= 0) ::close(descriptor);
  }
}

void serve_data_files_only() { only_mapped = true; }

}  // namespace arch::extract_worker

extern "C" FILE* fopen(const char* path, const char* mode) {
  if (!only_mapped) {
    static const auto real = reinterpret_cast<FILE* (*)(const char*, const char*)>(::dlsym(RTLD_NEXT, "fopen"));
    return real(path, mode);
  }
  const auto found = mapped().find(path);
  if (found == mapped().end() || mode[0] != 'r') {
    errno = EACCES;
    return nullptr;
  }
  return ::fmemopen(found->second.begin, found->second.size, "r");
}
