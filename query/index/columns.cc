#include "query/index/columns.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/base/bytes.h"
#include "engine/base/digest.h"
#include "query/index/generation.h"

namespace arch::index {
namespace {

static_assert(std::endian::native == std::endian::little, "the file is read in place");

constexpr char kMagic[8] = {'A', 'R', 'C', 'H', 'C', 'O', 'L', '1'};

struct Header {
  char magic[8];
  uint64_t first, last, documents, copies;
  uint64_t checksum;  // XXH3-64 of all behind the header
  uint64_t reserved[2];
};
static_assert(sizeof(Header) == 64);

constexpr const char* kRebuild = "the engine builds the index anew at its next start";

template <class T>
void append(std::string* out, const std::vector<T>& values) {
  out->append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

// The wider numbers first, so that each lies where it may be read.
uint64_t body_bytes(const Header& header) {
  const uint64_t span = header.last - header.first + 1;
  const uint64_t blocks = (span + ShardColumns::kBlock - 1) / ShardColumns::kBlock;
  return (header.documents + header.copies + blocks) * 8 + (span + header.documents + header.copies) * 4;
}

}  // namespace

Result<void> ShardColumns::write(const std::string& path, uint64_t first, uint64_t last,
                                 const std::vector<Row>& rows) {
  const uint64_t span = last - first + 1;
  std::vector<uint32_t> dates(span), key_offsets, copy_offsets;
  std::vector<uint64_t> keys, firsts;
  for (const Row& row : rows) {
    ARCH_CHECK(row.number >= first && row.number <= last);
    dates[row.number - first] = row.date_s;
    if (row.first == 0) continue;
    copy_offsets.push_back(static_cast<uint32_t>(row.number - first));
    firsts.push_back(row.first);
  }
  std::vector<Bounds> bounds((span + kBlock - 1) / kBlock, {UINT32_MAX, 0});
  for (const Row& row : rows) {
    Bounds& block = bounds[(row.number - first) / kBlock];
    block.least = std::min(block.least, row.date_s);
    block.greatest = std::max(block.greatest, row.date_s);
  }
  std::vector<std::pair<uint64_t, uint32_t>> by_key;
  by_key.reserve(rows.size());
  for (const Row& row : rows) by_key.emplace_back(row.mail_key, static_cast<uint32_t>(row.number - first));
  std::sort(by_key.begin(), by_key.end());
  for (const auto& [key, offset] : by_key) {
    keys.push_back(key);
    key_offsets.push_back(offset);
  }
  Header header{};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.first = first;
  header.last = last;
  header.documents = rows.size();
  header.copies = firsts.size();
  std::string body;
  body.reserve(body_bytes(header));
  append(&body, keys);
  append(&body, firsts);
  append(&body, bounds);
  append(&body, dates);
  append(&body, key_offsets);
  append(&body, copy_offsets);
  header.checksum = checksum64(as_bytes(body));
  return write_synced(path, std::string(reinterpret_cast<const char*>(&header), sizeof header) + body);
}

Result<std::shared_ptr<const ShardColumns>> ShardColumns::open(const std::string& path, uint64_t first, uint64_t last,
                                                               bool whole) {
  ARCH_TRY(MappedFile file, MappedFile::open(path));
  const size_t size = file.bytes().size();
  const auto damaged = [&] { return fail(Code::kCorrupt, path + " is damaged", kRebuild); };
  if (size < sizeof(Header)) return damaged();
  std::shared_ptr<ShardColumns> out(new ShardColumns());
  out->file_ = std::move(file);
  const char* bytes = out->file_.bytes().data();
  Header header;
  std::memcpy(&header, bytes, sizeof header);
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0 || header.first != first || header.last != last ||
      header.last < header.first || header.last - header.first > UINT32_MAX ||
      header.documents > header.last - header.first + 1 || header.copies > header.documents ||
      size - sizeof header != body_bytes(header))
    return damaged();
  if (whole && (!out->file_.is_readable() ||
                checksum64(as_bytes(out->file_.bytes().substr(sizeof header))) != header.checksum))
    return damaged();
  out->first_ = first;
  out->last_ = last;
  const char* at = bytes + sizeof header;
  const auto take = [&at](auto* span, uint64_t count) {
    using T = std::remove_reference_t<decltype((*span)[0])>;
    *span = {reinterpret_cast<T*>(at), static_cast<size_t>(count)};
    at += count * sizeof(T);
  };
  const uint64_t all = last - first + 1;
  take(&out->keys_, header.documents);
  take(&out->copy_firsts_, header.copies);
  take(&out->bounds_, (all + kBlock - 1) / kBlock);
  take(&out->dates_, all);
  take(&out->key_offsets_, header.documents);
  take(&out->copy_offsets_, header.copies);
  return std::shared_ptr<const ShardColumns>(std::move(out));
}

// Equal keys stand with the lowest number in front.
uint64_t ShardColumns::first_with(uint64_t mail_key) const {
  const auto at = std::lower_bound(keys_.begin(), keys_.end(), mail_key);
  if (at == keys_.end() || *at != mail_key) return 0;
  return first_ + key_offsets_[static_cast<size_t>(at - keys_.begin())];
}

size_t ShardColumns::copy_from(uint64_t number) const {
  if (number <= first_) return 0;
  const auto at = std::lower_bound(copy_offsets_.begin(), copy_offsets_.end(), number - first_,
                                   [](uint32_t offset, uint64_t wanted) { return offset < wanted; });
  return static_cast<size_t>(at - copy_offsets_.begin());
}

}  // namespace arch::index
