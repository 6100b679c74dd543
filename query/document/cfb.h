// OLE compound files ([MS-CFB]): streams in storages, what doc, xls, ppt and msg are wrapped in. A reader of our own: libgsf goes down
// the directory by recursion; here all is bounded by the file's size, without recursion, and a chain that runs in a circle ends. Internal to query/document.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "query/document/reader.h"

namespace arch::document::internal {

class CompoundFile {
 public:
  struct Entry {
    std::string name;  // UTF-8, control characters kept
    bool storage = false;
    uint32_t parent = 0;  // index of a storage; 0 is the root, its own parent
    uint32_t start = 0;
    uint64_t size = 0;
  };

  /// `bytes` outlive the object.
  explicit CompoundFile(std::string_view bytes);
  bool valid() const { return valid_; }
  const std::vector<Entry>& entries() const { return entries_; }

  /// Index of a child by name, ASCII case ignored; 0 when there is none.
  uint32_t find(uint32_t storage, std::string_view name) const;
  /// A stream's bytes, as many as there are of them; counted in the file's budget, cut there.
  std::string read(uint32_t entry, File& file) const;

 private:
  std::string chain(const std::vector<uint32_t>& table, uint32_t start, uint64_t size, bool mini) const;
  uint32_t u32(uint64_t offset) const;
  uint32_t u16(uint64_t offset) const;
  std::string_view sector(uint32_t number) const;

  std::string_view bytes_;
  bool valid_ = false;
  unsigned shift_ = 9, mini_shift_ = 6;
  uint32_t mini_cutoff_ = 4096;
  std::vector<uint32_t> fat_, mini_fat_;
  std::string mini_stream_;
  std::vector<Entry> entries_;
};

// ── readers of what lies inside ──
void read_word(File& file, const CompoundFile& ole, uint32_t storage);
void read_excel(File& file, std::string_view stream);
void read_powerpoint(File& file, const CompoundFile& ole, uint32_t storage);
void read_msg(File& file, const CompoundFile& ole, uint32_t storage);

}  // namespace arch::document::internal
