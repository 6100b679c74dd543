// A file of the index that is read in place.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "engine/base/result.h"

namespace arch::index {

/// Read-only; what is mapped stays when the file is replaced. Moves, and its bytes stay where they are. Any thread.
class MappedFile {
 public:
  MappedFile() = default;
  /// Errors: kNotFound, kDenied, kIo.
  static Result<MappedFile> open(const std::string& path);
  MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~MappedFile();

  std::string_view bytes() const { return bytes_; }
  /// False when the disk does not give all of it: touched without asking, such a page ends the process (SIGBUS). Reads the whole file;
  /// a kernel before 5.14 cannot be asked, and says yes.
  bool is_readable() const;

 private:
  std::string_view bytes_;
};

}  // namespace arch::index
