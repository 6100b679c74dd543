#include "engine/backup/backup.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <set>

#include "engine/io/throttle.h"
#include "engine/journal/archive_file.h"
#include "engine/journal/journal_reader.h"
#include "engine/segment/segment_reader.h"
#include "engine/segment/volumes.h"

namespace arch {

namespace {

constexpr size_t kChunk = 1u << 20;
constexpr std::string_view kMarkLine = "arch-backup/1 ";

std::string trimmed(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string mark_text(UnixNs ended) {
  return std::string(kMarkLine) + std::to_string(ended) + "\n# A copy made by archctl backup, ended at " +
         (ended == 0 ? std::string("no time yet") : format_rfc3339(ended)) +
         ". An archive is made from it with: archctl restore\n";
}

bool is_archive_part(const std::string& name) {
  return name == "archive.toml" || name == "journal" || name == "segments" || name == "catalog" || name == "index" ||
         name == "tmp" || name == "state" || name == "backup" || name == "backup.new";
}

class Copier {
 public:
  Copier(Fs& fs, std::string from, std::string to, const BackupOptions& options,
         const std::function<void(const BackupProgress&)>& progress)
      : fs_(fs),
        from_(trimmed(std::move(from))),
        to_(trimmed(std::move(to))),
        options_(options),
        throttle_(options.bytes_per_second, options_.stop),
        progress_(progress) {}

  /// The target as a copy of this archive; made when there is nothing.
  Result<void> prepare(bool as_backup) {
    ARCH_TRY(archive_, read_archive_file(fs_, from_));
    if (from_ == to_) return fail(Code::kInvalid, to_ + " cannot be a copy of itself", "name another directory");
    ARCH_TRY(bool there, fs_.exists(to_ + "/archive.toml"));
    if (there) {
      ARCH_TRY(ArchiveFile other, read_archive_file(fs_, to_));
      ARCH_TRY(bool marked, fs_.exists(backup_mark_path(to_)));
      if (!as_backup || !marked)
        return fail(Code::kExists, to_ + " is an archive, not a copy of one",
                    "choose a directory that does not exist yet");
      if (other.id != archive_.id)
        return fail(Code::kExists, to_ + " is a copy of another archive (" + other.id.hex() + ")",
                    "each archive has a directory of its own for its copies");
    } else {
      ARCH_TRY_VOID(make_target(as_backup));
    }
    ARCH_TRY(lock_, fs_.open_read(to_ + "/archive.toml"));
    ARCH_TRY(bool locked, lock_->try_lock());
    if (!locked) return fail(Code::kTryAgain, "something else works on " + to_, "wait until it has ended");
    for (const std::string& directory : {journal_directory(to_), segments_directory(to_), tmp_directory(to_)})
      ARCH_TRY_VOID(fs_.make_directory(directory));
    ARCH_TRY(auto left_over, fs_.list(tmp_directory(to_)));
    for (const std::string& name : left_over) ARCH_TRY_VOID(fs_.remove(tmp_directory(to_) + "/" + name));
    return {};
  }

  Result<void> copy() {
    ARCH_TRY(auto volumes, list_volumes(fs_, from_));
    for (const Volume& volume : volumes)
      if (!volume.missing.empty())
        report_.problems.push_back("what lies on volume " + volume.path + " was not copied: " + volume.missing);
    ARCH_TRY(auto journal, list_journal(fs_, journal_directory(from_)));
    ARCH_TRY(auto segments, list_segments(fs_, from_));
    for (const JournalFileInfo& file : journal) total_.bytes_total += file.size;
    for (const auto& [number, path] : segments) {
      auto identity = SegmentReader::identify(fs_, path);
      if (identity) total_.bytes_total += identity->file_size;
    }
    for (const JournalFileInfo& file : journal) ARCH_TRY_VOID(copy_journal(file));
    ARCH_TRY_VOID(fs_.sync_directory(journal_directory(to_)));
    // Listed again: what was packed meanwhile is a segment now.
    ARCH_TRY(segments, list_segments(fs_, from_));
    uint32_t expected = 1;
    for (const auto& [number, path] : segments) {
      for (; expected < number; ++expected) ARCH_TRY_VOID(missing(expected));
      expected = number + 1;
      ARCH_TRY_VOID(copy_segment(number, path));
    }
    ARCH_TRY_VOID(fs_.sync_directory(segments_directory(to_)));
    ARCH_TRY_VOID(release_journal());
    ARCH_TRY_VOID(copy_state());
    ARCH_TRY(auto there, list_segments(fs_, to_));
    report_.segments = there.size();
    ARCH_TRY(auto kept, list_journal(fs_, journal_directory(to_)));
    report_.journal_files = kept.size();
    return {};
  }

  BackupReport take() { return std::move(report_); }

 private:
  Result<void> make_target(bool as_backup) {
    ARCH_TRY(bool directory_there, fs_.exists(to_));
    if (directory_there) {
      ARCH_TRY(auto names, fs_.list(to_));
      std::erase(names, "lost+found");
      // An earlier run may have been cut off before archive.toml was there.
      const bool ours = std::all_of(names.begin(), names.end(), is_archive_part) &&
                        (names.empty() || std::find(names.begin(), names.end(), "backup") != names.end());
      if (!names.empty() && !(as_backup && ours))
        return fail(Code::kExists, to_ + " is not empty (it holds " + names.front() + ")",
                    "choose a directory that is empty or does not exist yet");
    } else {
      std::error_code error;
      const auto parent = std::filesystem::path(to_).parent_path();
      if (!parent.empty()) std::filesystem::create_directories(parent, error);
      if (error) return fail_errno(error.value(), "cannot make " + parent.string());
      ARCH_TRY_VOID(fs_.make_directory(to_));
    }
    // The mark first: a directory with an archive.toml and without it is an archive.
    if (as_backup) ARCH_TRY_VOID(replace_file(backup_mark_path(to_), mark_text(0)));
    for (const std::string& directory : {journal_directory(to_), segments_directory(to_), catalog_directory(to_),
                                         index_directory(to_), tmp_directory(to_)})
      ARCH_TRY_VOID(fs_.make_directory(directory));
    ARCH_TRY(std::string text, read_file(fs_, from_ + "/archive.toml", 64u << 10));
    ARCH_TRY_VOID(replace_file(to_ + "/archive.toml", text));
    ARCH_TRY(auto file, fs_.open_read_write(to_ + "/archive.toml"));
    return file->set_mode(0444);
  }

  Result<void> stopped() const {
    if (options_.stop && options_.stop())
      return fail(Code::kTryAgain, "the copying was stopped", "run it again: it goes on where it was");
    return {};
  }

  Result<void> missing(uint32_t number) {
    ARCH_TRY(bool there, fs_.exists(segments_directory(to_) + "/" + segment_file_name(number)));
    if (there) return {};  // from an earlier run
    auto why = find_segment(fs_, from_, number);
    report_.problems.push_back("segment " + std::to_string(number) + " is not in the copy: " +
                               (why ? "it came back while this run went on; run it again" : describe(why.error())));
    return {};
  }

  /// Bytes [0, size) into a new file at `to`, synced.
  Result<void> copy_bytes(const File& from, const std::string& to, uint64_t size) {
    ARCH_TRY(auto file, fs_.create(to));
    std::string buffer(static_cast<size_t>(std::min<uint64_t>(size, kChunk)), '\0');
    for (uint64_t at = 0; at < size;) {
      ARCH_TRY_VOID(stopped());
      const auto wanted = static_cast<size_t>(std::min<uint64_t>(size - at, buffer.size()));
      ARCH_TRY(size_t got, from.pread(at, buffer.data(), wanted));
      if (got == 0) return fail(Code::kIo, from.path() + " became shorter while it was copied");
      ARCH_TRY_VOID(file->pwritev(at, {{buffer.data(), got}}));
      at += got;
      report_.bytes_copied += got;
      told(got);
      throttle_.took(got);
    }
    return file->fdatasync();
  }

  void told(uint64_t bytes) {
    total_.bytes_done = std::min(total_.bytes_done + bytes, total_.bytes_total);
    if (progress_) progress_(total_);
  }

  Result<void> copy_journal(const JournalFileInfo& info) {
    const std::string target = journal_directory(to_) + "/" + journal_file_name(info.number);
    const std::string beside = tmp_directory(to_) + "/" + journal_file_name(info.number);
    auto reader = JournalReader::open(fs_, info.path);
    if (!reader) {
      if (reader.error().code == Code::kNotFound) return {};  // packed meanwhile
      report_.problems.push_back(describe(reader.error()));
      return {};
    }
    if ((*reader)->number() == 0) return {};  // a writer that has not begun
    // Of a file that is being written: to the end of what is whole now. What comes behind it is a later moment.
    uint64_t size = 0;
    std::vector<BadRange> bad;
    if (info.state != JournalState::kOpen) {
      (*reader)->set_live(false);
      ARCH_TRY(size, (*reader)->file_size());
    }
    uint64_t offset = 0;
    JournalReader::Record record;
    while (true) {
      ARCH_TRY_VOID(stopped());
      ARCH_TRY(bool found, (*reader)->next(&offset, &record, nullptr, &bad));
      if (!found) break;
    }
    if (info.state == JournalState::kOpen) size = std::max<uint64_t>(offset, journal_format::kHeaderSize);
    for (const BadRange& range : bad)
      if (range.damage)
        report_.problems.push_back(info.path + ": bytes " + std::to_string(range.begin) + " to " +
                                   std::to_string(range.end) + " are damaged; copied as they are");
    auto opened = fs_.open_read(info.path);
    if (!opened && opened.error().code == Code::kNotFound) return {};
    ARCH_TRY(auto file, std::move(opened));
    auto there = JournalReader::open(fs_, target);
    if (there && (*there)->header().marker == (*reader)->header().marker) {
      ARCH_TRY(uint64_t copied, (*there)->file_size());
      if (copied == size) {
        told(info.size);
        return {};
      }
    }
    ARCH_TRY_VOID(copy_bytes(*file, beside, size));
    ARCH_TRY_VOID(ensure_journal(beside, (*reader)->header().marker, offset));
    return replace(beside, target);
  }

  // The copy is read back to the same record.
  Result<void> ensure_journal(const std::string& path, const std::array<uint8_t, 16>& marker, uint64_t offset) {
    ARCH_TRY(auto copy, JournalReader::open(fs_, path));
    copy->set_live(false);
    uint64_t reached = 0;
    JournalReader::Record record;
    while (true) {
      ARCH_TRY(bool found, copy->next(&reached, &record, nullptr, nullptr));
      if (!found) break;
    }
    if (copy->header().marker != marker || reached != offset)
      return fail(Code::kCorrupt, path + " did not come out as it was read", "run it again; is the disk sound?");
    return {};
  }

  Result<void> replace(const std::string& beside, const std::string& target) {
    std::error_code error;
    std::filesystem::rename(beside, target, error);  // over an earlier copy, which holds a part of what this one does
    if (error) return fail_errno(error.value(), "cannot rename " + beside);
    return {};
  }

  Result<void> copy_segment(uint32_t number, const std::string& path) {
    const std::string name = segment_file_name(number);
    const std::string target = segments_directory(to_) + "/" + name, beside = tmp_directory(to_) + "/" + name;
    auto source = SegmentReader::identify(fs_, path);
    ARCH_TRY(bool known, fs_.exists(target));
    if (!source) {
      report_.problems.push_back(describe(source.error()) +
                                 (known ? "; the copy keeps the one it has" : "; not copied"));
      return {};
    }
    if (known) {
      auto there = SegmentReader::identify(fs_, target);
      told(source->file_size);
      if (there && there->footer_digest == source->footer_digest && there->file_size == source->file_size) return {};
      report_.problems.push_back(target + " is not the segment that the archive has; it is left alone: verify both");
      return {};
    }
    ARCH_TRY(auto file, fs_.open_read(path));
    ARCH_TRY(uint64_t size, file->size());
    ARCH_TRY_VOID(copy_bytes(*file, beside, size));
    // Every block's checksum of what was written: a source that is damaged is not passed on as good.
    auto faults = [&]() -> Result<std::vector<SegmentReader::Fault>> {
      ARCH_TRY(auto copied, SegmentReader::open(fs_, beside));
      return copied->verify(
          false, [](const Digest&, uint32_t) -> Result<std::string> { return std::string(); },
          [this](uint64_t) { return !(options_.stop && options_.stop()); });
    }();
    if (!faults && faults.error().code == Code::kTryAgain) return stopped();
    if (!faults || !faults->empty()) {
      report_.problems.push_back(
          path + " is damaged and was not copied: " + (faults ? faults->front().what : describe(faults.error())));
      return fs_.remove(beside);
    }
    {
      ARCH_TRY(auto copied, fs_.open_read_write(beside));
      ARCH_TRY_VOID(copied->set_mode(0444));
    }
    ARCH_TRY_VOID(fs_.rename_new(beside, target));
    ++report_.segments_copied;
    return {};
  }

  // Journal files that the source has packed and that a segment in the copy was born from.
  Result<void> release_journal() {
    ARCH_TRY(auto source, list_journal(fs_, journal_directory(from_)));
    std::set<uint64_t> there;
    for (const JournalFileInfo& info : source) there.insert(info.number);
    ARCH_TRY(auto copied, list_journal(fs_, journal_directory(to_)));
    std::erase_if(copied, [&](const JournalFileInfo& info) { return there.count(info.number) != 0; });
    if (copied.empty()) return {};
    ARCH_TRY(auto segments, list_segments(fs_, to_));
    std::set<std::pair<uint64_t, std::string>> packed;
    for (const auto& [number, path] : segments) {
      ARCH_TRY(auto reader, SegmentReader::open(fs_, path));
      for (const JournalFileId& file : reader->info().journal_files)
        packed.emplace(file.number, std::string(file.marker.begin(), file.marker.end()));
    }
    for (const JournalFileInfo& info : copied) {
      ARCH_TRY(auto reader, JournalReader::open(fs_, info.path));
      const auto& marker = reader->header().marker;
      if (packed.count({info.number, std::string(marker.begin(), marker.end())}) != 0)
        ARCH_TRY_VOID(fs_.remove(info.path));
    }
    return fs_.sync_directory(journal_directory(to_));
  }

  Result<void> make_directories(const std::string& above, const std::string& relative) {
    for (size_t slash = relative.find('/');; slash = relative.find('/', slash + 1)) {
      ARCH_TRY_VOID(fs_.make_directory(above + "/" + relative.substr(0, slash)));
      if (slash == std::string::npos) return {};
    }
  }

  Result<void> copy_state() {
    const std::string from = from_ + "/state";
    std::error_code error;
    if (!std::filesystem::is_directory(from, error)) return {};
    for (std::filesystem::recursive_directory_iterator it(from, error), end; !error && it != end;
         it.increment(error)) {
      std::error_code gone;
      if (!it->is_regular_file(gone) || gone) continue;
      ARCH_TRY_VOID(stopped());
      const std::string relative = it->path().string().substr(from.size());
      auto text = read_file(fs_, it->path().string(), 1u << 30);
      if (!text && text.error().code == Code::kNotFound) continue;
      if (!text) {
        report_.problems.push_back(describe(text.error()));
        continue;
      }
      const std::string target = to_ + "/state" + relative;
      ARCH_TRY_VOID(make_directories(to_, std::filesystem::path("state" + relative).parent_path().string()));
      auto there = read_file(fs_, target, 1u << 30);
      if (there && *there == *text) continue;
      ARCH_TRY_VOID(replace_file(target, *text));
      std::filesystem::permissions(target, it->status(gone).permissions(), gone);
    }
    if (error) return fail_errno(error.value(), "cannot list " + from);
    return {};
  }

  Fs& fs_;
  const std::string from_, to_;
  const BackupOptions& options_;
  Throttle throttle_;
  const std::function<void(const BackupProgress&)>& progress_;
  ArchiveFile archive_;
  std::unique_ptr<File> lock_;
  BackupProgress total_;
  BackupReport report_;
};

}  // namespace

Result<UnixNs> read_backup_time(Fs& fs, const std::string& directory) {
  auto text = read_file(fs, backup_mark_path(trimmed(directory)), 4096);
  if (!text) {
    if (text.error().code == Code::kNotFound)
      return fail(Code::kNotFound, directory + " is no copy of an archive", "archctl backup makes one");
    return tl::unexpected<Error>(text.error());
  }
  UnixNs ended = 0;
  const char* at = text->data() + kMarkLine.size();
  if (text->rfind(kMarkLine, 0) != 0 || std::from_chars(at, text->data() + text->size(), ended).ec != std::errc())
    return fail(Code::kInvalid, backup_mark_path(directory) + " is not what archctl backup writes",
                "it is of a newer release, or damaged");
  return ended;
}

Result<BackupReport> backup_archive(Fs& fs, const std::string& archive, const std::string& target, UnixNs now,
                                    const BackupOptions& options,
                                    const std::function<void(const BackupProgress&)>& progress) {
  Copier copier(fs, archive, target, options, progress);
  ARCH_TRY_VOID(copier.prepare(true));
  ARCH_TRY_VOID(copier.copy());
  ARCH_TRY_VOID(replace_file(backup_mark_path(trimmed(target)), mark_text(now)));
  return copier.take();
}

Result<BackupReport> restore_archive(Fs& fs, const std::string& copy, const std::string& target,
                                     const BackupOptions& options,
                                     const std::function<void(const BackupProgress&)>& progress) {
  ARCH_TRY(UnixNs ended, read_backup_time(fs, copy));
  Copier copier(fs, copy, target, options, progress);
  ARCH_TRY_VOID(copier.prepare(false));
  ARCH_TRY_VOID(copier.copy());
  BackupReport report = copier.take();
  if (ended == 0) report.problems.push_back(copy + " was never finished: mail may be missing in it");
  return report;
}

}  // namespace arch
