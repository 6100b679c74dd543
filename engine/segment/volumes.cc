#include "engine/segment/volumes.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "engine/journal/archive_file.h"
#include "engine/segment/segment_reader.h"

namespace arch {

namespace {

constexpr std::string_view kListLine = "arch-volumes/1";
constexpr std::string_view kVolumeLine = "arch-volume/1";
constexpr uint64_t kMaxListBytes = 1u << 20;
constexpr size_t kIdDigits = 16;

std::string list_path(const std::string& archive) { return archive + "/volumes"; }
std::string mark_path(const std::string& directory) { return directory + "/volume"; }

std::string_view take_word(std::string_view* rest) {
  const size_t end = rest->find(' ');
  const std::string_view word = rest->substr(0, end);
  rest->remove_prefix(end == std::string_view::npos ? rest->size() : end + 1);
  return word;
}

template <class Number>
bool read_number(std::string_view word, Number* number) {
  const auto read = std::from_chars(word.data(), word.data() + word.size(), *number);
  return read.ec == std::errc() && read.ptr == word.data() + word.size();
}

std::string mark_text(const ArchiveId& archive, const std::string& id) {
  return std::string(kVolumeLine) + " " + archive.hex() + " " + id + "\n";
}

// Empty: it is there.
std::string why_missing(Fs& fs, const Volume& volume, const ArchiveId& archive) {
  auto mark = read_file(fs, mark_path(volume.path), 4096);
  if (!mark)
    return mark.error().code == Code::kNotFound ? "nothing of it is at " + volume.path + ": is it mounted?"
                                                : describe(mark.error());
  if (*mark != mark_text(archive, volume.id)) return volume.path + " holds another volume, or one of another archive";
  return {};
}

Result<std::vector<Volume>> read_list(Fs& fs, const std::string& archive) {
  std::vector<Volume> volumes(1);
  volumes.front().path = archive;
  auto text = read_file(fs, list_path(archive), kMaxListBytes);
  if (!text) {
    if (text.error().code == Code::kNotFound) return volumes;
    return tl::unexpected<Error>(text.error());
  }
  size_t number = 0;
  for (std::string_view rest = *text; !rest.empty();) {
    const size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    ++number;
    const auto wrong = [&](const char* why) {
      return fail(Code::kInvalid, list_path(archive) + " line " + std::to_string(number) + ": " + why,
                  "it lists the volumes: restore it from a backup");
    };
    if (number == 1) {
      if (line != kListLine) return wrong("it is no list of volumes, or of a newer release");
      continue;
    }
    Volume volume;
    volume.id = take_word(&line);
    bool numbers = read_number(take_word(&line), &volume.added);
    numbers = read_number(take_word(&line), &volume.reserve_bytes) && numbers;
    volume.path = line;
    if (volume.id.size() != kIdDigits || !numbers || volume.path.empty() || volume.path.front() != '/')
      return wrong("\"id added reserve path\" is expected");
    volumes.push_back(std::move(volume));
  }
  if (number == 0) return fail(Code::kInvalid, list_path(archive) + " is empty", "restore it from a backup");
  return volumes;
}

std::string new_id() {
  std::array<unsigned char, kIdDigits / 2> bytes{};
  ARCH_CHECK(::getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  static constexpr char kHex[] = "0123456789abcdef";
  std::string id;
  for (const unsigned char byte : bytes) {
    id += kHex[byte >> 4];
    id += kHex[byte & 15];
  }
  return id;
}

}  // namespace

Result<std::vector<Volume>> list_volumes(Fs& fs, const std::string& archive_directory) {
  ARCH_TRY(auto volumes, read_list(fs, archive_directory));
  if (volumes.size() == 1) return volumes;
  ARCH_TRY(ArchiveFile archive, read_archive_file(fs, archive_directory));
  for (Volume& volume : volumes)
    if (!volume.home()) volume.missing = why_missing(fs, volume, archive.id);
  return volumes;
}

Result<Volume> add_volume(Fs& fs, const std::string& archive_directory, const std::string& directory,
                          uint64_t reserve_bytes, UnixNs now) {
  ARCH_TRY(ArchiveFile archive, read_archive_file(fs, archive_directory));
  Volume added;
  added.path = directory;
  while (added.path.size() > 1 && added.path.back() == '/') added.path.pop_back();
  added.added = now;
  added.reserve_bytes = reserve_bytes;
  added.id = new_id();
  if (added.path.empty() || added.path.front() != '/' || added.path.find('\n') != std::string::npos)
    return fail(Code::kInvalid, "a volume is named by its whole path", "begin it with /");
  if (added.path == archive_directory || added.path.rfind(archive_directory + "/", 0) == 0)
    return fail(Code::kInvalid, added.path + " lies inside the archive",
                "a volume is room elsewhere: another disk, mounted somewhere else");
  ARCH_TRY(auto volumes, list_volumes(fs, archive_directory));
  for (const Volume& volume : volumes)
    if (volume.path == added.path)
      return fail(Code::kExists, added.path + " is a volume of this archive already", "see: archctl volume list");
  ARCH_TRY(bool there, fs.exists(added.path));
  if (there) {
    ARCH_TRY(auto names, fs.list(added.path));
    std::erase(names, "lost+found");
    if (!names.empty())
      return fail(Code::kExists, added.path + " is not empty (it holds " + names.front() + ")",
                  "choose a directory that is empty or does not exist yet");
  } else {
    ARCH_TRY_VOID(fs.make_directory(added.path));
    const size_t slash = added.path.find_last_of('/');
    ARCH_TRY_VOID(fs.sync_directory(slash == 0 ? "/" : added.path.substr(0, slash)));
  }
  ARCH_TRY_VOID(fs.make_directory(added.segments()));
  ARCH_TRY_VOID(fs.make_directory(added.tmp()));
  // The volume first, then the list that names it: a crash between leaves a directory that nobody uses.
  ARCH_TRY_VOID(replace_file(mark_path(added.path), mark_text(archive.id, added.id)));
  volumes.push_back(added);
  std::string text = std::string(kListLine) + "\n";
  for (const Volume& volume : volumes)
    if (!volume.home())
      text += volume.id + " " + std::to_string(volume.added) + " " + std::to_string(volume.reserve_bytes) + " " +
              volume.path + "\n";
  ARCH_TRY_VOID(replace_file(list_path(archive_directory), text));
  return added;
}

Result<std::vector<SegmentFile>> list_segments(Fs& fs, const std::string& archive_directory) {
  ARCH_TRY(auto volumes, list_volumes(fs, archive_directory));
  std::vector<SegmentFile> files;
  for (const Volume& volume : volumes) {
    if (!volume.missing.empty()) continue;
    ARCH_TRY(auto names, fs.list(volume.segments()));
    for (const std::string& name : names)
      if (const uint32_t number = segment_file_number(name); number != 0)
        files.push_back({number, volume.segments() + "/" + name});
  }
  std::stable_sort(files.begin(), files.end(),
                   [](const SegmentFile& a, const SegmentFile& b) { return a.number < b.number; });
  files.erase(std::unique(files.begin(), files.end(),
                          [](const SegmentFile& a, const SegmentFile& b) { return a.number == b.number; }),
              files.end());
  return files;
}

Result<std::string> find_segment(Fs& fs, const std::string& archive_directory, uint32_t number) {
  const std::string name = segment_file_name(number);
  ARCH_TRY(auto volumes, read_list(fs, archive_directory));
  for (const Volume& volume : volumes) {
    const std::string path = volume.segments() + "/" + name;
    ARCH_TRY(bool there, fs.exists(path));
    if (there) return path;
  }
  std::string away;
  if (volumes.size() > 1) {
    ARCH_TRY(volumes, list_volumes(fs, archive_directory));
    for (const Volume& volume : volumes)
      if (!volume.missing.empty()) away += (away.empty() ? "" : "; ") + volume.missing;
  }
  if (!away.empty())
    return fail(Code::kNotFound,
                "segment " + std::to_string(number) + " cannot be read, a volume is missing: " + away,
                "mount it again; nothing else has to be done");
  return fail(Code::kNotFound, volumes.front().segments() + "/" + name + " is missing",
              "put it back from a backup; run: archctl verify");
}

Result<Volume> volume_for_new_segment(Fs& fs, const std::string& archive_directory, uint64_t bytes) {
  ARCH_TRY(auto volumes, list_volumes(fs, archive_directory));
  for (auto volume = volumes.rbegin(); volume != volumes.rend(); ++volume) {
    if (volume->home() || !volume->missing.empty()) continue;
    auto free = fs.free_bytes(volume->path);
    if (free && *free >= bytes + volume->reserve_bytes) return *volume;
  }
  return volumes.front();
}

}  // namespace arch
