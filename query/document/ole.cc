// What lies in a compound file: an old Office document, a message, an encrypted new one, or an object embedded in another document.
#include <algorithm>

#include "engine/mime/message.h"
#include "query/document/cfb.h"
#include "query/document/codepage.h"
#include "query/document/le.h"
#include "query/document/utf16.h"

namespace arch::document::internal {

namespace {

using namespace std::literals;

// [MS-OLEPS]: title, subject, author, keywords, comments of the document.
void summary(File& file, std::string_view stream) {
  const Le set(stream);
  if (set.u16(0) != 0xfffe) return;
  const uint64_t base = set.u32(44);
  const uint32_t count = std::min(set.u32(base + 4), 1'000u);
  std::string charset = "windows-1252";
  for (const bool only_codepage : {true, false}) {
    for (uint32_t i = 0; i < count; ++i) {
      const uint32_t id = set.u32(base + 8 + 8 * i);
      const uint64_t at = base + set.u32(base + 12 + 8 * i);
      const uint32_t type = set.u32(at);
      if (only_codepage) {
        if (id == 1) charset = codepage_name(set.u16(at + 4));
        continue;
      }
      if (id < 2 || id > 6) continue;
      const uint64_t length = set.u32(at + 4);
      std::string value;
      if (type == 30) {
        std::string_view raw = set.bytes(at + 8, length);
        if (charset != "utf-16le") raw = raw.substr(0, raw.find('\0'));
        value = charset == "utf-16le" ? utf16le(raw) : mime::to_utf8(raw, charset);
      } else if (type == 31) {
        value = utf16le(set.bytes(at + 8, std::min<uint64_t>(length, stream.size()) * 2));
      }
      while (!value.empty() && (value.back() == ' ' || value.back() == '\0')) value.pop_back();
      if (value.empty()) continue;
      file.add(value);
      file.end_line();
    }
  }
}

// "\1Ole10Native": a file that was dragged into a document.
void native(File& file, std::string_view stream) {
  const Le object(stream);
  uint64_t at = 6;
  const auto text = [&] {
    const size_t end = stream.find('\0', at);
    std::string_view out =
        at < stream.size() ? stream.substr(at, end == std::string_view::npos ? end : end - at) : ""sv;
    at = end == std::string_view::npos ? stream.size() : end + 1;
    return out;
  };
  std::string name = mime::to_utf8(text(), {});
  text();  // the path it had
  at += 4;
  at += 4 + object.u32(at);  // the temporary path
  const uint64_t size = object.u32(at);
  std::string_view content = object.bytes(at + 4, size);
  if (content.empty()) {
    content = stream.substr(std::min<size_t>(4, stream.size()));  // an equation or a picture without a name
    name = "object";
  }
  Hint hint;
  hint.filename = name;
  file.member(name, hint, content, true);
}

void read_storage(File& file, const CompoundFile& ole, uint32_t storage, int level);

// Objects of a Word or PowerPoint document, an embedded object's own.
void embedded_storages(File& file, const CompoundFile& ole, uint32_t storage, std::string_view prefix) {
  for (uint32_t i = 1; i < ole.entries().size() && file.room_for_members() && file.go_on(); ++i) {
    const CompoundFile::Entry& entry = ole.entries()[i];
    if (!entry.storage || entry.parent != storage || entry.name.compare(0, prefix.size(), prefix) != 0) continue;
    file.member_by(entry.name, {}, [&, i](File& inner) {
      inner.media_type = "application/x-ole-storage";
      read_storage(inner, ole, i, 1);
    });
  }
}

void read_storage(File& file, const CompoundFile& ole, uint32_t storage, int level) {
  const auto has = [&](std::string_view name) { return ole.find(storage, name) != 0; };
  if (has("EncryptedPackage")) {
    file.media_type = "application/x-encrypted-office";
    return file.fail(Status::kEncrypted, "a password opens it");
  }
  if (has("__properties_version1.0")) {
    file.media_type = "application/vnd.ms-outlook";
    return read_msg(file, ole, storage);
  }
  if (const uint32_t info = ole.find(storage, "\5SummaryInformation")) summary(file, ole.read(info, file));
  if (has("WordDocument")) {
    file.media_type = "application/msword";
    read_word(file, ole, storage);
    if (const uint32_t pool = ole.find(storage, "ObjectPool")) embedded_storages(file, ole, pool, "");
    return;
  }
  for (const char* name : {"Workbook", "Book"}) {
    const uint32_t book = ole.find(storage, name);
    if (book == 0) continue;
    file.media_type = "application/vnd.ms-excel";
    read_excel(file, ole.read(book, file));
    return embedded_storages(file, ole, storage, "MBD");
  }
  if (has("PowerPoint Document")) {
    file.media_type = "application/vnd.ms-powerpoint";
    return read_powerpoint(file, ole, storage);
  }
  bool found = false;
  for (const char* name : {"Package", "CONTENTS", "EmbeddedOdf"}) {
    const uint32_t stream = ole.find(storage, name);
    if (stream == 0 || ole.entries()[stream].storage) continue;
    const std::string content = ole.read(stream, file);
    file.member(name, {}, content, true);
    found = true;
  }
  if (const uint32_t stream = ole.find(storage, "\1Ole10Native")) {
    native(file, ole.read(stream, file));
    found = true;
  }
  if (level == 0 && !found) file.fail(Status::kUnknownFormat, "an OLE file of an unknown program");
}

}  // namespace

void read_ole(File& file) {
  const CompoundFile ole(file.bytes);
  if (!ole.valid()) return file.fail(Status::kBroken, "a damaged OLE file");
  read_storage(file, ole, 0, 0);
}

}  // namespace arch::document::internal
