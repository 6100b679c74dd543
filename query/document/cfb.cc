#include "query/document/cfb.h"

#include <algorithm>

#include "engine/base/ascii.h"
#include "query/document/utf16.h"

namespace arch::document::internal {

namespace {
constexpr uint32_t kNone = 0xffffffff, kMaxSector = 0xfffffff9;  // above: ends and marks
constexpr size_t kEntries = 100'000;
constexpr size_t kEntryBytes = 128;
}  // namespace

uint32_t CompoundFile::u16(uint64_t offset) const {
  if (offset + 2 > bytes_.size()) return 0;
  return static_cast<uint8_t>(bytes_[offset]) | static_cast<uint32_t>(static_cast<uint8_t>(bytes_[offset + 1])) << 8;
}
uint32_t CompoundFile::u32(uint64_t offset) const { return u16(offset) | u16(offset + 2) << 16; }

std::string_view CompoundFile::sector(uint32_t number) const {
  const uint64_t offset = (static_cast<uint64_t>(number) + 1) << shift_;
  if (number > kMaxSector || offset >= bytes_.size()) return {};
  return bytes_.substr(offset, uint64_t{1} << shift_);
}

// At most as many steps as there are sectors: a circle ends.
std::string CompoundFile::chain(const std::vector<uint32_t>& table, uint32_t start, uint64_t size, bool mini) const {
  std::string out;
  uint32_t at = start;
  for (size_t steps = 0; steps <= table.size() && at <= kMaxSector && out.size() < size; ++steps) {
    std::string_view piece;
    if (mini) {
      const uint64_t offset = static_cast<uint64_t>(at) << mini_shift_;
      if (offset >= mini_stream_.size()) break;
      piece = std::string_view(mini_stream_).substr(offset, uint64_t{1} << mini_shift_);
    } else {
      piece = sector(at);
    }
    if (piece.empty()) break;
    out.append(piece.substr(0, size - out.size()));
    if (at >= table.size()) break;
    at = table[at];
  }
  return out;
}

CompoundFile::CompoundFile(std::string_view bytes) : bytes_(bytes) {
  if (bytes.size() < 512) return;
  shift_ = u16(0x1e);
  mini_shift_ = u16(0x20);
  if ((shift_ != 9 && shift_ != 12) || mini_shift_ < 4 || mini_shift_ > shift_) return;
  mini_cutoff_ = u32(0x38);
  const uint64_t sectors = (bytes.size() >> shift_) + 1;
  const size_t per_sector = (size_t{1} << shift_) / 4;

  // The FAT's own sectors: 109 in the header, then a list of lists.
  const auto take_fat_sector = [&](uint32_t number) {
    if (number > kMaxSector || fat_.size() > sectors) return;
    const std::string_view piece = sector(number);
    const uint64_t offset = static_cast<uint64_t>(piece.data() - bytes_.data());
    for (size_t i = 0; i + 4 <= piece.size() && fat_.size() <= sectors; i += 4) fat_.push_back(u32(offset + i));
  };
  for (size_t i = 0; i < 109; ++i) take_fat_sector(u32(0x4c + 4 * i));
  uint32_t next = u32(0x44);
  for (uint64_t steps = 0; steps < sectors && next <= kMaxSector; ++steps) {
    const uint64_t offset = (static_cast<uint64_t>(next) + 1) << shift_;
    if (offset >= bytes_.size()) break;
    for (size_t i = 0; i + 1 < per_sector; ++i) take_fat_sector(u32(offset + 4 * i));
    next = u32(offset + 4 * (per_sector - 1));
  }

  const std::string directory =
      chain(fat_, u32(0x30), std::min<uint64_t>(bytes.size(), kEntries * kEntryBytes), false);
  const size_t count = directory.size() / kEntryBytes;
  if (count == 0) return;
  struct Links {
    uint32_t left, right, child;
  };
  std::vector<Links> links(count);
  entries_.resize(count);
  for (size_t i = 0; i < count; ++i) {
    const std::string_view raw = std::string_view(directory).substr(i * kEntryBytes, kEntryBytes);
    const auto word = [&](size_t offset) {
      uint32_t value = 0;
      for (size_t k = 0; k < 4; ++k) value |= static_cast<uint32_t>(static_cast<uint8_t>(raw[offset + k])) << (8 * k);
      return value;
    };
    const size_t name_bytes = std::min<size_t>(word(0x40) & 0xffff, 64);
    Entry& entry = entries_[i];
    entry.name = utf16le(raw.substr(0, name_bytes >= 2 ? name_bytes - 2 : 0));
    const uint8_t type = static_cast<uint8_t>(raw[0x42]);
    entry.storage = type == 1 || type == 5;
    entry.parent = kNone;
    entry.start = word(0x74);
    entry.size = word(0x78);
    if (shift_ == 12) entry.size |= static_cast<uint64_t>(word(0x7c)) << 32;
    entry.size = std::min<uint64_t>(entry.size, bytes.size());
    links[i] = {word(0x44), word(0x48), word(0x4c)};
  }
  // Who belongs to whom: each entry is visited once, so that a directory that runs in a circle ends.
  entries_[0].parent = 0;
  std::vector<std::pair<uint32_t, uint32_t>> open = {{links[0].child, 0}};  // entry, its storage
  while (!open.empty()) {
    const auto [at, parent] = open.back();
    open.pop_back();
    if (at >= count || at == 0 || entries_[at].parent != kNone) continue;
    entries_[at].parent = parent;
    open.emplace_back(links[at].left, parent);
    open.emplace_back(links[at].right, parent);
    if (entries_[at].storage) open.emplace_back(links[at].child, at);
  }

  const std::string mini = chain(fat_, u32(0x3c), bytes.size(), false);
  for (size_t i = 0; i + 4 <= mini.size(); i += 4) {
    uint32_t value = 0;
    for (size_t k = 0; k < 4; ++k) value |= static_cast<uint32_t>(static_cast<uint8_t>(mini[i + k])) << (8 * k);
    mini_fat_.push_back(value);
  }
  mini_stream_ = chain(fat_, entries_[0].start, entries_[0].size, false);
  valid_ = true;
}

uint32_t CompoundFile::find(uint32_t storage, std::string_view name) const {
  const std::string wanted = ascii_lower(name);
  for (uint32_t i = 1; i < entries_.size(); ++i)
    if (entries_[i].parent == storage && ascii_lower(entries_[i].name) == wanted) return i;
  return 0;
}

std::string CompoundFile::read(uint32_t entry, File& file) const {
  if (entry == 0 || entry >= entries_.size() || entries_[entry].storage) return {};
  const Entry& stream = entries_[entry];
  const bool mini = stream.size < mini_cutoff_;
  const uint64_t size = std::min(stream.size, file.budget().expansion_left());
  std::string out = chain(mini ? mini_fat_ : fat_, stream.start, size, mini);
  if (size < stream.size || !file.budget().expand(out.size()))
    file.fail(Status::kOverLimit, "unpacks to more than the limit");
  return out;
}

}  // namespace arch::document::internal
