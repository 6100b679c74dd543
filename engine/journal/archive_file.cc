#include "engine/journal/archive_file.h"

#include <sys/random.h>

#include <cctype>

namespace arch {

namespace {

constexpr uint64_t kMaxArchiveFileBytes = 4096;

tl::unexpected<Error> damaged(const std::string& path, size_t line, const std::string& why) {
  return fail(Code::kInvalid, path + " line " + std::to_string(line) + ": " + why,
              "restore it from a backup; the archive id stands in the header of every segment and journal file");
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  return text;
}

// "…" without escapes: all that the three values need.
Result<std::string_view> unquote(std::string_view value) {
  if (value.size() < 2 || value.front() != '"' || value.back() != '"' ||
      value.substr(1, value.size() - 2).find_first_of("\"\\") != std::string_view::npos)
    return fail(Code::kInvalid, "a text in double quotes is expected");
  return value.substr(1, value.size() - 2);
}

Result<UnixNs> parse_time(std::string_view text) {
  // Exactly what format_rfc3339 writes: 2026-11-25T03:34:56Z
  constexpr std::string_view kShape = "dddd-dd-ddTdd:dd:ddZ";
  bool good = text.size() == kShape.size();
  for (size_t i = 0; good && i < text.size(); ++i)
    good = kShape[i] == 'd' ? std::isdigit(static_cast<unsigned char>(text[i])) != 0 : text[i] == kShape[i];
  if (!good) return fail(Code::kInvalid, "a time such as \"2026-11-25T03:34:56Z\" is expected");
  auto number = [&](size_t at, size_t digits) {
    unsigned value = 0;
    for (size_t i = 0; i < digits; ++i) value = value * 10 + static_cast<unsigned>(text[at + i] - '0');
    return value;
  };
  const unsigned month = number(5, 2), day = number(8, 2);
  if (month < 1 || month > 12 || day < 1 || day > 31) return fail(Code::kInvalid, "there is no such date");
  const int64_t days = days_from_civil(number(0, 4), month, day);
  return days * kNsPerDay + (number(11, 2) * 3600ll + number(14, 2) * 60ll + number(17, 2)) * kNsPerSecond;
}

Result<void> make_directories(Fs& fs, const std::string& path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    ARCH_TRY(bool there, fs.exists(path.substr(0, slash)));
    if (!there) ARCH_TRY_VOID(fs.make_directory(path.substr(0, slash)));
  }
  return fs.make_directory(path);
}

std::string parent_of(const std::string& path) {
  size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

std::string journal_directory(const std::string& archive) { return archive + "/journal"; }
std::string segments_directory(const std::string& archive) { return archive + "/segments"; }
std::string catalog_directory(const std::string& archive) { return archive + "/catalog"; }
std::string index_directory(const std::string& archive) { return archive + "/index"; }
std::string tmp_directory(const std::string& archive) { return archive + "/tmp"; }

Result<ArchiveFile> create_archive(Fs& fs, const std::string& directory, UnixNs now) {
  std::string path = directory;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const std::string file_path = path + "/archive.toml";
  ARCH_TRY(bool there, fs.exists(file_path));
  if (there)
    return fail(Code::kExists, path + " is an archive already",
                "nothing was changed; use it, or choose another directory");
  ARCH_TRY(bool directory_there, fs.exists(path));
  if (directory_there) {
    ARCH_TRY(auto names, fs.list(path));
    if (!names.empty())
      return fail(Code::kExists, path + " is not empty (it holds " + names.front() + ")",
                  "choose a directory that is empty or does not exist yet");
  }
  ARCH_TRY_VOID(make_directories(fs, path));
  for (const std::string& sub : {journal_directory(path), segments_directory(path), catalog_directory(path),
                                 index_directory(path), tmp_directory(path)})
    ARCH_TRY_VOID(fs.make_directory(sub));

  ArchiveFile archive;
  archive.created = now - now % kNsPerSecond;
  ARCH_CHECK(getrandom(archive.id.bytes.data(), archive.id.bytes.size(), 0) ==
             static_cast<ssize_t>(archive.id.bytes.size()));
  std::string text =
      "# Says that this directory is a mail archive. Written once by `archctl init`; do not edit.\n"
      "format = " +
      std::to_string(archive.format) +
      "\n"
      "id = \"" +
      archive.id.hex() +
      "\"\n"
      "created = \"" +
      format_rfc3339(archive.created) + "\"\n";
  const std::string tmp_path = tmp_directory(path) + "/archive.toml";
  {
    ARCH_TRY(auto file, fs.create(tmp_path));
    ARCH_TRY_VOID(file->pwritev(0, {{text.data(), text.size()}}));
    ARCH_TRY_VOID(file->set_mode(0444));
    ARCH_TRY_VOID(file->fdatasync());
  }
  ARCH_TRY_VOID(fs.rename_new(tmp_path, file_path));
  ARCH_TRY_VOID(fs.sync_directory(tmp_directory(path)));
  ARCH_TRY_VOID(fs.sync_directory(path));
  ARCH_TRY_VOID(fs.sync_directory(parent_of(path)));
  return archive;
}

Result<ArchiveFile> read_archive_file(Fs& fs, const std::string& directory) {
  const std::string path = directory + "/archive.toml";
  auto text = read_file(fs, path, kMaxArchiveFileBytes);
  if (!text) {
    if (text.error().code == Code::kNotFound)
      return fail(Code::kNotFound, directory + " is no archive (it holds no archive.toml)",
                  "make one with: archctl init " + directory);
    if (text.error().code == Code::kTooLarge) return damaged(path, 1, "the file is far too large");
    return tl::unexpected<Error>(text.error());
  }
  ArchiveFile archive;
  bool has_id = false, has_format = false, has_created = false;
  size_t line_number = 0;
  std::string_view rest = *text;
  while (!rest.empty()) {
    size_t line_end = rest.find('\n');
    std::string_view line = trim(rest.substr(0, line_end));
    rest.remove_prefix(line_end == std::string_view::npos ? rest.size() : line_end + 1);
    ++line_number;
    if (line.empty() || line.front() == '#') continue;
    size_t equals = line.find('=');
    if (equals == std::string_view::npos) return damaged(path, line_number, "\"key = value\" is expected");
    const std::string_view key = trim(line.substr(0, equals));
    const std::string_view value = trim(line.substr(equals + 1));
    if (key == "format") {
      if (value.empty() || value.size() > 9 || value.find_first_not_of("0123456789") != std::string_view::npos)
        return damaged(path, line_number, "format is a number");
      archive.format = static_cast<uint32_t>(std::stoul(std::string(value)));
      has_format = true;
      if (archive.format > kArchiveFormatVersion)
        return fail(Code::kTooNew,
                    directory + " has archive format " + std::to_string(archive.format) +
                        ", newer than this program's " + std::to_string(kArchiveFormatVersion),
                    "install the release that wrote it, or a newer one; nothing was changed");
      if (archive.format == 0) return damaged(path, line_number, "there is no format 0");
    } else if (key == "id") {
      auto unquoted = unquote(value);
      if (!unquoted) return damaged(path, line_number, unquoted.error().what);
      auto id = ArchiveId::from_hex(*unquoted);
      if (!id) return damaged(path, line_number, id.error().what);
      archive.id = *id;
      has_id = true;
    } else if (key == "created") {
      auto unquoted = unquote(value);
      if (!unquoted) return damaged(path, line_number, unquoted.error().what);
      auto time = parse_time(*unquoted);
      if (!time) return damaged(path, line_number, time.error().what);
      archive.created = *time;
      has_created = true;
    } else {
      return damaged(path, line_number, "unknown key \"" + std::string(key.substr(0, 40)) + "\"");
    }
  }
  if (!has_format || !has_id || !has_created)
    return damaged(path, line_number,
                   std::string("there is no \"") +
                       (!has_format ? "format"
                        : !has_id   ? "id"
                                    : "created") +
                       "\"");
  return archive;
}

}  // namespace arch
