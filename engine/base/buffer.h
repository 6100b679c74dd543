// Bytes that are about to be written over: nothing is cleared first, which for blocks of megabytes is an eighth of reading them.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

namespace arch {

class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t size) : bytes_(std::make_unique_for_overwrite<char[]>(size)), size_(size) {}

  char* data() { return bytes_.get(); }
  const char* data() const { return bytes_.get(); }
  size_t size() const { return size_; }
  std::string_view view() const { return {bytes_.get(), size_}; }

 private:
  std::unique_ptr<char[]> bytes_;
  size_t size_ = 0;
};

}  // namespace arch
