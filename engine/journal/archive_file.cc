#include "engine/journal/archive_file.h"

#include <sys/random.h>

#include <cctype>
#include <functional>
#include <set>

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
  // UnixNs reaches from 1678 to 2261.
  if (month < 1 || month > 12 || day < 1 || day > 31 || number(0, 4) < 1970 || number(0, 4) > 2260)
    return fail(Code::kInvalid, "there is no such date");
  const int64_t days = days_from_civil(number(0, 4), month, day);
  const UnixNs time =
      days * kNsPerDay + (number(11, 2) * 3600ll + number(14, 2) * 60ll + number(17, 2)) * kNsPerSecond;
  if (format_rfc3339(time) != text) return fail(Code::kInvalid, "there is no such time");
  return time;
}

std::string parent_of(const std::string& path) {
  size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Parents too; each new entry is made durable in the directory that holds it.
Result<void> make_directories(Fs& fs, const std::string& path) {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string prefix = path.substr(0, slash);
    ARCH_TRY(bool there, fs.exists(prefix));
    if (!there) {
      ARCH_TRY_VOID(fs.make_directory(prefix));
      ARCH_TRY_VOID(fs.sync_directory(parent_of(prefix)));
    }
    if (slash == std::string::npos) return {};
  }
}

// What an `init` that was interrupted may have left: the archive's own directories, empty, and the file not yet in
// place.
Result<bool> is_unfinished(Fs& fs, const std::string& path, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const std::string sub = path + "/" + name;
    if (sub != journal_directory(path) && sub != segments_directory(path) && sub != catalog_directory(path) &&
        sub != index_directory(path) && sub != tmp_directory(path))
      return false;
    auto inside = fs.list(sub);
    if (!inside) return false;  // not a directory: not ours
    for (const std::string& entry : *inside) {
      if (sub != tmp_directory(path) || entry != "archive.toml") return false;
      ARCH_TRY_VOID(fs.remove(sub + "/" + entry));
    }
  }
  return true;
}

}  // namespace

std::string journal_directory(const std::string& archive) { return archive + "/journal"; }
std::string segments_directory(const std::string& archive) { return archive + "/segments"; }
std::string catalog_directory(const std::string& archive) { return archive + "/catalog"; }
std::string index_directory(const std::string& archive) { return archive + "/index"; }
std::string tmp_directory(const std::string& archive) { return archive + "/tmp"; }

std::string backup_mark_path(const std::string& directory) { return directory + "/backup"; }

Result<void> check_no_backup(Fs& fs, const std::string& directory) {
  ARCH_TRY(bool marked, fs.exists(backup_mark_path(directory)));
  if (marked)
    return fail(Code::kDenied, directory + " is a copy made by archctl backup; nothing is to be added to it",
                "make an archive from it: archctl restore " + directory + " NEW");
  return {};
}

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
    ARCH_TRY(bool unfinished, is_unfinished(fs, path, names));
    if (!unfinished)
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
  // The directories first: an archive.toml that is there says that they are.
  ARCH_TRY_VOID(fs.sync_directory(path));
  ARCH_TRY_VOID(fs.rename_new(tmp_path, file_path));
  ARCH_TRY_VOID(fs.sync_directory(tmp_directory(path)));
  ARCH_TRY_VOID(fs.sync_directory(path));
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
  // The version first: a newer format may have lines that this program does not know.
  ArchiveFile archive;
  auto lines =
      [&](const std::function<Result<void>(size_t, std::string_view, std::string_view)>& each) -> Result<void> {
    size_t number = 0;
    for (std::string_view rest = *text; !rest.empty();) {
      const size_t end = rest.find('\n');
      const std::string_view line = trim(rest.substr(0, end));
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
      ++number;
      if (line.empty() || line.front() == '#') continue;
      const size_t equals = line.find('=');
      if (equals == std::string_view::npos) return damaged(path, number, "\"key = value\" is expected");
      ARCH_TRY_VOID(each(number, trim(line.substr(0, equals)), trim(line.substr(equals + 1))));
    }
    return {};
  };
  ARCH_TRY_VOID(lines([&](size_t number, std::string_view key, std::string_view value) -> Result<void> {
    if (key != "format") return {};
    if (value.empty() || value.size() > 9 || value.find_first_not_of("0123456789") != std::string_view::npos)
      return damaged(path, number, "format is a number");
    archive.format = static_cast<uint32_t>(std::stoul(std::string(value)));
    if (archive.format == 0) return damaged(path, number, "there is no format 0");
    if (archive.format > kArchiveFormatVersion)
      return fail(Code::kTooNew,
                  directory + " has archive format " + std::to_string(archive.format) +
                      ", newer than this program's " + std::to_string(kArchiveFormatVersion),
                  "install the release that wrote it, or a newer one; nothing was changed");
    return {};
  }));
  std::set<std::string, std::less<>> seen;
  size_t last_line = 1;
  ARCH_TRY_VOID(lines([&](size_t number, std::string_view key, std::string_view value) -> Result<void> {
    last_line = number;
    if (key != "format" && key != "id" && key != "created")
      return damaged(path, number, "unknown key \"" + std::string(key.substr(0, 40)) + "\"");
    if (!seen.emplace(key).second) return damaged(path, number, "\"" + std::string(key) + "\" stands there twice");
    if (key == "format") return {};
    auto unquoted = unquote(value);
    if (!unquoted) return damaged(path, number, unquoted.error().what);
    if (key == "id") {
      auto id = ArchiveId::from_hex(*unquoted);
      if (!id) return damaged(path, number, id.error().what);
      archive.id = *id;
    } else {
      auto time = parse_time(*unquoted);
      if (!time) return damaged(path, number, time.error().what);
      archive.created = *time;
    }
    return {};
  }));
  for (const char* key : {"format", "id", "created"})
    if (seen.find(key) == seen.end()) return damaged(path, last_line, std::string("there is no \"") + key + "\"");
  return archive;
}

}  // namespace arch
