// archive.toml: read, or refused with a word on what is wrong.
#include <cstdint>
#include <cstdlib>

#include "engine/journal/archive_file.h"
#include "tests/faults/fault_fs.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  arch::FaultFs fs;
  if (!fs.make_directory("a") || !fs.create("a/archive.toml")) std::abort();
  fs.overwrite("a/archive.toml", 0, std::string(reinterpret_cast<const char*>(data), size));
  auto file = arch::read_archive_file(fs, "a");
  if (!file && file.error().what.empty()) std::abort();
  return 0;
}
