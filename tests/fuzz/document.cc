// One reader of query/document, chosen when this is compiled (ARCH_FUZZ_READER), on bytes as they come: the format is not looked at first.
// What must hold: it ends, within its limits, and gives valid UTF-8 once repaired.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "engine/mime/message.h"
#include "query/document/format.h"
#include "query/document/reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace arch::document;  // NOLINT: a program of one function
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (bytes.empty()) return 0;  // read_document() calls no reader then
  Limits limits;
  limits.time = std::chrono::milliseconds(4'000);
  limits.memory_bytes = 64u << 20;
  limits.text_bytes = 1u << 20;
  limits.members = 50;
  internal::Budget budget(limits, size);
  std::vector<Member> members;
  internal::File file(budget, members, bytes, {}, 0, {});
  file.media_type = ARCH_FUZZ_TYPE;
  // A picture's reader goes by what the content is.
  if (file.media_type.empty()) file.media_type = internal::media_type_of(internal::Format::kWordless, bytes, {});
  internal::ARCH_FUZZ_READER(file);
  uint64_t text = file.text.size();
  for (const Member& member : members) {
    text += member.text.size();
    if (member.depth == 0 || member.depth > limits.depth + 1) std::abort();
  }
  // A repair makes three bytes of one.
  if (text > 3 * limits.text_bytes || members.size() > limits.members) std::abort();
  return 0;
}
