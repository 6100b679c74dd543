// Archives by libarchive: zip, 7z, rar, tar, and single files under gzip, bzip2, xz, zstd. Nothing is written anywhere; members are
// unpacked in memory, within the budget, and read as documents of their own.
#include <archive.h>
#include <archive_entry.h>
#include <locale.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "engine/base/ascii.h"
#include "engine/mime/message.h"
#include "query/document/format.h"
#include "query/document/reader.h"

namespace arch::document::internal {

namespace {

constexpr size_t kPiece = 64u << 10;
constexpr size_t kEntries = 100'000;  // looked at in one archive; Limits::members bounds what is listed
constexpr uint64_t kMemberShare = 4;  // one member may take this share of the memory

// libarchive turns names into the locale's charset; "C" would lose all but ASCII. For this thread only.
class Utf8Locale {
 public:
  Utf8Locale() : before_(uselocale(utf8())) {}
  ~Utf8Locale() { uselocale(before_); }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

 private:
  static locale_t utf8() {
    static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    return locale;
  }
  locale_t before_;
};

using Reader = std::unique_ptr<::archive, int (*)(::archive*)>;

enum class Formats : uint8_t { kAll, kZip, kZipWithoutList, kSingle };

Reader open_archive(std::string_view bytes, Formats formats) {
  Reader reader(archive_read_new(), archive_read_free);
  if (!reader) return reader;
  if (formats == Formats::kZipWithoutList) archive_read_support_format_zip_streamable(reader.get());
  if (formats == Formats::kZip || formats == Formats::kAll) archive_read_support_format_zip(reader.get());
  if (formats == Formats::kAll) {
    archive_read_support_format_7zip(reader.get());
    archive_read_support_format_tar(reader.get());
    archive_read_support_format_rar(reader.get());
    archive_read_support_format_rar5(reader.get());
  }
  if (formats == Formats::kAll || formats == Formats::kSingle) {
    archive_read_support_format_raw(reader.get());  // takes what no other format does: a single compressed file
    archive_read_support_filter_gzip(reader.get());
    archive_read_support_filter_bzip2(reader.get());
    archive_read_support_filter_xz(reader.get());
    archive_read_support_filter_zstd(reader.get());
  }
  if (archive_read_open_memory(reader.get(), bytes.data(), bytes.size()) != ARCHIVE_OK) reader.reset();
  return reader;
}

// A zip is read by the list at its end; when that list is damaged, from the front, entry by entry.
// Zeros under gzip look like an empty tar: they are one file.
Formats usable_formats(std::string_view bytes, Formats wanted) {
  const bool zip = bytes.substr(0, 2) == "PK";
  if (!zip && find_format(bytes, {}) != Format::kCompressed) return wanted;
  const Reader reader = open_archive(bytes, wanted);
  archive_entry* entry = nullptr;
  const int result = reader ? archive_read_next_header(reader.get(), &entry) : ARCHIVE_FATAL;
  return result == ARCHIVE_OK || result == ARCHIVE_WARN ? wanted : zip ? Formats::kZipWithoutList : Formats::kSingle;
}

std::string raw_name(archive_entry* entry) {
  if (const char* name = archive_entry_pathname(entry)) return name;
  if (const char* name = archive_entry_pathname_utf8(entry)) return name;
  return {};
}

std::string problem_of(::archive* reader) {
  const char* text = archive_error_string(reader);
  return text == nullptr ? "damaged archive" : mime::to_utf8(text, "utf-8");
}

// Of bytes that a detector of languages took for Latin because they are few. Accents stand alone between letters; Chinese and Japanese
// come in pairs of bytes, of which Shift_JIS likes other first ones than GBK.
std::string latin_or_asian(std::string_view names) {
  size_t alone = 0, paired = 0, low_lead = 0, pairs = 0, low = 0, high = 0;
  const auto is_high = [&](size_t i) { return i < names.size() && static_cast<uint8_t>(names[i]) >= 0x80; };
  for (size_t i = 0; i < names.size(); ++i) {
    if (!is_high(i)) continue;
    const uint8_t byte = static_cast<uint8_t>(names[i]);
    low += byte <= 0xa5;
    high += byte >= 0xc0;
    if (is_high(i + 1)) {
      paired += 2;
      ++pairs;
      low_lead += byte <= 0x9f || byte >= 0xe0;
      ++i;
    } else {
      ++alone;
    }
  }
  if (paired > 2 * alone) {
    std::string asian = low_lead * 2 > pairs ? "windows-31j" : "gb18030";
    if (mime::to_utf8(names, asian).find("\xef\xbf\xbd") == std::string::npos) return asian;
  }
  return low > high ? "ibm850" : "windows-1252";
}

// Names that carry no charset. All of an archive are guessed together, since one name is too short to tell; what is Latin comes
// from Windows' compressed folders, which write the code page of the command line.
std::vector<std::string> decode_names(const std::vector<std::string>& raw) {
  std::string joined;
  for (std::string name : raw) {
    std::replace(name.begin(), name.end(), '\n', ' ');
    joined += name + '\n';
  }
  std::string text = mime::to_utf8(joined, {});
  if (text != joined && text == mime::to_utf8(joined, "windows-1252"))
    text = mime::to_utf8(joined, latin_or_asian(joined));
  std::vector<std::string> names;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    names.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return names.size() == raw.size() ? names : raw;
}

bool is_litter(const std::string& name) {  // what macOS and Windows put beside files
  const size_t slash = name.rfind('/');
  const std::string base = slash == std::string::npos ? name : name.substr(slash + 1);
  return name.rfind("__MACOSX/", 0) == 0 || base.rfind("._", 0) == 0 || base == ".DS_Store" || base == "Thumbs.db" ||
         base == "desktop.ini";
}

std::string without_extension(const std::string& filename, const std::string& extension) {
  if (extension == ".tgz" || extension == ".tbz" || extension == ".txz") return filename + ".tar";
  if (extension.empty() || filename.size() <= extension.size()) return filename.empty() ? "content" : filename;
  return filename.substr(0, filename.size() - extension.size());
}

enum class Unpacked : uint8_t { kWhole, kCut, kBudget, kError, kTime };

// The rest of the current entry. What was unpacked is counted as it comes.
template <class Piece>
Unpacked unpack(::archive* reader, File& file, const Piece& piece) {
  std::string buffer(kPiece, '\0');
  while (true) {
    if (!file.go_on()) return Unpacked::kTime;
    const la_ssize_t got = archive_read_data(reader, buffer.data(), buffer.size());
    if (got == 0) return Unpacked::kWhole;
    if (got < 0) return Unpacked::kError;
    if (!file.budget().expand(static_cast<uint64_t>(got))) return Unpacked::kBudget;
    if (!piece(std::string_view(buffer.data(), static_cast<size_t>(got)))) return Unpacked::kCut;
  }
}

}  // namespace

std::string archive_version() {
  const int number = archive_version_number();
  return std::to_string(number / 1'000'000) + '.' + std::to_string(number / 1'000 % 1'000) + '.' +
         std::to_string(number % 1'000);
}

void read_archive(File& file) {
  const Utf8Locale locale;
  file.tool = "libarchive";
  file.version = archive_version();
  const bool compressed = find_format(file.bytes, {}) == Format::kCompressed;
  const Formats formats = usable_formats(file.bytes, Formats::kAll);
  // Names first: their charset shows only in all of them. A compressed tar would be unpacked twice for it.
  std::vector<std::string> names;
  if (!compressed) {
    const Reader list = open_archive(file.bytes, formats);
    archive_entry* entry = nullptr;
    for (size_t i = 0; list && i < kEntries && file.go_on(); ++i) {
      const int result = archive_read_next_header(list.get(), &entry);
      if (result != ARCHIVE_OK && result != ARCHIVE_WARN) break;
      names.push_back(raw_name(entry));
    }
    names = decode_names(names);
  }

  const Reader reader = open_archive(file.bytes, formats);
  if (!reader) return file.fail(Status::kBroken, "no archive that can be opened");
  const uint64_t most = file.budget().limits().memory_bytes / kMemberShare;
  archive_entry* entry = nullptr;
  size_t number = 0;
  bool any = false;
  for (; number < kEntries; ++number) {
    const int result = archive_read_next_header(reader.get(), &entry);
    if (result == ARCHIVE_EOF) break;
    if (result != ARCHIVE_OK && result != ARCHIVE_WARN) {
      if (archive_read_has_encrypted_entries(reader.get()) == 1)
        file.fail(Status::kEncrypted, "its list of files is encrypted");
      else
        file.fail(Status::kBroken, problem_of(reader.get()));
      break;
    }
    std::string name = number < names.size() ? names[number] : raw_name(entry);
    if (archive_format(reader.get()) == ARCHIVE_FORMAT_RAW)
      name = without_extension(file.hint.filename, extension_of(file.hint.filename));
    const auto type = archive_entry_filetype(entry);
    if ((type != AE_IFREG && type != 0) || (!name.empty() && name.back() == '/') || is_litter(name)) continue;
    if (!file.room_for_members() || !file.go_on()) break;
    if (archive_entry_is_encrypted(entry)) {
      file.list(name, {}, Status::kEncrypted, "a password opens it");
      continue;
    }
    if (file.depth >= file.budget().limits().depth) {
      file.list(name, {}, Status::kOverLimit, "a member is nested deeper than the limit");
      continue;
    }
    any = true;
    std::string content;
    const Unpacked how = unpack(reader.get(), file, [&](std::string_view piece) {
      content.append(piece);
      return content.size() < most;
    });
    Hint hint;
    hint.filename = name;
    if (how == Unpacked::kBudget) {
      file.list(name, {}, Status::kOverLimit, "a member unpacks to more than the limit");
      break;
    }
    if (how == Unpacked::kTime) break;
    if (how == Unpacked::kError) {
      const std::string problem = problem_of(reader.get());
      if (content.empty()) file.list(name, {}, Status::kBroken, problem);
      file.fail(Status::kBroken, problem);
      if (content.empty()) continue;
    }
    file.member(name, hint, content, true);
    if (how == Unpacked::kCut) file.fail(Status::kOverLimit, "a member takes more memory than the limit");
  }
  if (number == 0 && !any && file.bytes.size() > 22)
    file.fail(Status::kBroken, "no entry can be found");  // 22: an empty zip
  if (number >= kEntries) file.fail(Status::kOverLimit, "more entries than the limit");
  // Names are words to be found, too; the members carry them.
  if (file.status == Status::kRead) file.status = Status::kNoText;
}

bool stream_zip_entries(File& file, const std::function<bool(const std::string&)>& wanted,
                        const std::function<bool(const std::string&, std::string_view)>& piece) {
  const Utf8Locale locale;
  const Reader reader = open_archive(file.bytes, usable_formats(file.bytes, Formats::kZip));
  if (!reader) {
    file.fail(Status::kBroken, "no zip that can be opened");
    return false;
  }
  archive_entry* entry = nullptr;
  for (size_t i = 0; i < kEntries && file.go_on(); ++i) {
    const int result = archive_read_next_header(reader.get(), &entry);
    if (result == ARCHIVE_EOF) return true;
    if (result != ARCHIVE_OK && result != ARCHIVE_WARN) {
      file.fail(Status::kBroken, problem_of(reader.get()));
      return false;
    }
    const std::string name = raw_name(entry);
    if (!wanted(name)) continue;
    if (archive_entry_is_encrypted(entry)) {
      file.fail(Status::kEncrypted, "a password opens it");
      continue;
    }
    const Unpacked how = unpack(reader.get(), file, [&](std::string_view bytes) { return piece(name, bytes); });
    piece(name, {});
    if (how == Unpacked::kBudget) {
      file.fail(Status::kOverLimit, "unpacks to more than the limit");
      return false;
    }
    if (how == Unpacked::kTime) return false;
    if (how == Unpacked::kError) file.fail(Status::kBroken, problem_of(reader.get()));
  }
  return true;
}

bool each_zip_entry(File& file, const std::function<bool(const std::string&)>& wanted,
                    const std::function<void(const std::string&, std::string_view)>& got) {
  std::string content;
  const uint64_t most = file.budget().limits().memory_bytes / kMemberShare;
  return stream_zip_entries(file, wanted, [&](const std::string& name, std::string_view piece) {
    if (piece.empty()) {
      got(name, content);
      content = {};
      return false;
    }
    content.append(piece);
    return content.size() < most;
  });
}

ZipKind zip_kind(std::string_view bytes) {
  const Utf8Locale locale;
  ZipKind out;
  const Reader reader = open_archive(bytes, usable_formats(bytes, Formats::kZip));
  archive_entry* entry = nullptr;
  for (size_t i = 0; reader && i < kEntries; ++i) {
    const int result = archive_read_next_header(reader.get(), &entry);
    if (result != ARCHIVE_OK && result != ARCHIVE_WARN) break;
    const std::string name = raw_name(entry);
    if (name == "mimetype") {
      std::string type(100, '\0');
      const la_ssize_t got = archive_read_data(reader.get(), type.data(), type.size());
      type.resize(got < 0 ? 0 : static_cast<size_t>(got));
      while (!type.empty() && static_cast<unsigned char>(type.back()) <= 32) type.pop_back();
      if (type.rfind("application/vnd.oasis.opendocument", 0) == 0 || type.rfind("application/vnd.sun.xml", 0) == 0)
        return {ZipKind::kOdf, type};
      if (type == "application/epub+zip") return {ZipKind::kPlain, type};
    }
    if (name.rfind("word/", 0) == 0)
      return {ZipKind::kOoxml, "application/vnd.openxmlformats-officedocument.wordprocessingml.document"};
    if (name.rfind("xl/", 0) == 0)
      return {ZipKind::kOoxml, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"};
    if (name.rfind("ppt/", 0) == 0)
      return {ZipKind::kOoxml, "application/vnd.openxmlformats-officedocument.presentationml.presentation"};
    if (name == "content.xml") out = {ZipKind::kOdf, "application/vnd.oasis.opendocument.text"};
  }
  return out;
}

}  // namespace arch::document::internal
