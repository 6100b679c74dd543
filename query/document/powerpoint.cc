// PowerPoint 97 to 2003 ([MS-PPT]): records in containers, gone through as one list. Master slides are left out: they hold the same
// prompts in every file.
#include <algorithm>

#include "query/document/cfb.h"
#include "query/document/le.h"
#include "query/document/utf16.h"

namespace arch::document::internal {

void read_powerpoint(File& file, const CompoundFile& ole, uint32_t storage) {
  constexpr uint16_t kMainMaster = 0x3f8, kText16 = 0xfa0, kText8 = 0xfa8, kString = 0xfba;
  constexpr uint32_t kEncryptedToken = 0xf3d1c4df;
  const std::string user = ole.read(ole.find(storage, "Current User"), file);
  if (Le(user).u32(12) == kEncryptedToken) return file.fail(Status::kEncrypted, "a password opens it");
  const std::string stream = ole.read(ole.find(storage, "PowerPoint Document"), file);
  const Le record(stream);
  uint64_t at = 0;
  while (at + 8 <= stream.size() && file.go_on()) {
    const uint16_t version = record.u16(at), type = record.u16(at + 2);
    const uint64_t length = record.u32(at + 4);
    at += 8;
    if ((version & 0xf) == 0xf && type != kMainMaster) continue;  // into the container
    if (type == kText16 || type == kText8 || type == kString) {
      const std::string_view raw = record.bytes(at, length);
      std::string text;
      if (type == kText8)
        for (const char c : raw) append_utf8(static_cast<uint8_t>(c), &text);
      else
        text = utf16le(raw);
      for (char& c : text)
        if (c == '\r' || c == '\v') c = '\n';
      if (text.rfind("___PPT", 0) != 0) {  // names of extensions
        file.add(text);
        file.end_line();
      }
    }
    if (at + length > stream.size()) file.fail(Status::kBroken, "ends early");
    at += length;
  }
}

}  // namespace arch::document::internal
