// Journal files: whatever the bytes are, reading ends, hands out no message without its digest, and names ranges inside the file.
#include <cstdint>
#include <cstdlib>

#include "engine/base/bytes.h"
#include "engine/format/delivery.h"
#include "engine/journal/journal_reader.h"
#include "tests/faults/fault_fs.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  // The fields of a delivery by themselves: inside a file their checksum would keep most of these out.
  if (auto delivery = arch::decode_delivery(bytes, {})) {
    auto again = arch::decode_delivery(arch::encode_delivery(*delivery), {});
    if (!again || !(*again == *delivery)) std::abort();
  }
  arch::FaultFs fs;
  const std::string path = "j/0000000001.jnl";
  if (!fs.make_directory("j") || !fs.create(path)) std::abort();
  fs.overwrite(path, 0, std::string(bytes));
  auto reader = arch::JournalReader::open(fs, path);
  if (!reader) return 0;
  (*reader)->set_live(false);
  uint64_t offset = 0, last = 0;
  std::vector<arch::BadRange> bad;
  arch::JournalReader::Record record;
  std::string message;
  while (true) {
    auto more = (*reader)->next(&offset, &record, &message, &bad);
    if (!more || !*more) break;
    if (offset <= last || offset > size) std::abort();
    last = offset;
    static_cast<void>((*reader)->read_message(record.ref));
  }
  for (const arch::BadRange& range : bad)
    if (range.begin > range.end || range.end > size) std::abort();
  return 0;
}
