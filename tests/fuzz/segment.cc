// Segments: header, trailer and footer as they are decoded, and a whole file that is opened, verified and read.
#include <cstdint>
#include <cstdlib>

#include "engine/base/bytes.h"
#include "engine/format/segment.h"
#include "engine/segment/segment_reader.h"
#include "tests/faults/fault_fs.h"

namespace {

// With a checksum that holds: the decoders behind it see everything.
std::string sealed(std::string_view bytes, size_t size) {
  arch::ByteWriter out;
  out.raw(bytes.substr(0, size - 8));
  std::string text = out.take();
  text.resize(size - 8, '\0');
  arch::ByteWriter sum;
  sum.u64(arch::checksum64(arch::as_bytes(text)));
  return text + sum.take();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static_cast<void>(arch::segment_format::decode_header(sealed(bytes, arch::segment_format::kHeaderSize)));
  static_cast<void>(arch::segment_format::decode_trailer(sealed(bytes, arch::segment_format::kTrailerSize)));
  for (size_t cut : {size_t{0}, size / 3, size})
    static_cast<void>(arch::segment_format::decode_footer(bytes.substr(0, cut), bytes.substr(cut), size));
  arch::FaultFs fs;
  if (!fs.make_directory("s") || !fs.create("s/00000001.seg")) std::abort();
  fs.overwrite("s/00000001.seg", 0, std::string(bytes));
  static_cast<void>(arch::SegmentReader::identify(fs, "s/00000001.seg"));
  auto reader = arch::SegmentReader::open(fs, "s/00000001.seg");
  if (!reader) return 0;
  static_cast<void>((*reader)->verify(true, {}, {}));
  for (uint32_t i = 0; i < (*reader)->message_count(); ++i) {
    auto message = (*reader)->read_message(
        i,
        [](const arch::Digest&, uint32_t) -> arch::Result<std::string> {
          return arch::fail(arch::Code::kNotFound, "no other segment");
        },
        nullptr);
    if (message && arch::Sha256::of(arch::as_bytes(*message)) != (*reader)->message_digest(i)) std::abort();
  }
  return 0;
}
