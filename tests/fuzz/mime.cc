// The MIME walk: parts lie inside the ones around them, limits hold, the content of each can be read.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "engine/base/limits.h"
#include "engine/mime/message.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view mail(reinterpret_cast<const char*>(data), size);
  const arch::mime::Message parsed = arch::mime::parse(mail);
  if (parsed.parts.empty() || parsed.parts.size() > arch::limits::kMimeParts) std::abort();
  static_cast<void>(arch::mime::mail_key(mail, parsed));
  static_cast<void>(arch::mime::sort_date(parsed, 0));
  std::vector<const arch::mime::Part*> around;
  for (const arch::mime::Part& part : parsed.parts) {
    if (part.depth < 0 || static_cast<size_t>(part.depth) > around.size()) std::abort();
    around.resize(static_cast<size_t>(part.depth));
    if (part.header_begin > part.body_begin || part.body_begin > part.body_end || part.body_end > size) std::abort();
    if (!around.empty() && (part.header_begin < around.back()->body_begin || part.body_end > around.back()->body_end))
      std::abort();
    if (part.container)
      around.push_back(&part);
    else
      static_cast<void>(arch::mime::decode_content(mail, part, 1u << 16));
  }
  return 0;
}
