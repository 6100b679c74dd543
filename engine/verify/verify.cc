#include "engine/verify/verify.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>

#include "engine/base/mutant.h"
#include "engine/io/throttle.h"
#include "engine/journal/archive_file.h"
#include "engine/journal/journal_reader.h"
#include "engine/segment/segment_reader.h"
#include "engine/segment/volumes.h"

namespace arch {

namespace {

constexpr uint64_t kBlockCacheBytes = 64ull << 20;

class ThrottledFile : public File {
 public:
  ThrottledFile(std::unique_ptr<File> file, Throttle& throttle) : file_(std::move(file)), throttle_(throttle) {}
  Result<size_t> pread(uint64_t offset, void* buffer, size_t size) const override {
    auto got = file_->pread(offset, buffer, size);
    if (got) throttle_.took(*got);
    return got;
  }
  Result<void> pwritev(uint64_t, std::vector<iovec>) override { return refused(); }
  Result<void> fdatasync() override { return refused(); }
  Result<void> allocate(uint64_t) override { return refused(); }
  Result<void> truncate(uint64_t) override { return refused(); }
  Result<uint64_t> size() const override { return file_->size(); }
  Result<bool> try_lock(bool shared) override { return file_->try_lock(shared); }
  Result<void> set_mode(uint32_t) override { return refused(); }
  const std::string& path() const override { return file_->path(); }

 private:
  Result<void> refused() const { return fail(Code::kDenied, "a verification does not write to " + path()); }
  std::unique_ptr<File> file_;
  Throttle& throttle_;
};

// What a verification sees of the disk: it can read, and nothing else.
class ReadingFs : public Fs {
 public:
  ReadingFs(Fs& fs, uint64_t bytes_per_second, const std::function<bool()>& stop)
      : fs_(fs), throttle_(bytes_per_second, stop) {}
  Result<std::unique_ptr<File>> open_read(const std::string& path) override {
    ARCH_TRY(auto file, fs_.open_read(path));
    return std::unique_ptr<File>(std::make_unique<ThrottledFile>(std::move(file), throttle_));
  }
  Result<std::unique_ptr<File>> open_read_write(const std::string& path) override { return refused(path); }
  Result<std::unique_ptr<File>> create(const std::string& path) override { return refused(path); }
  Result<void> sync_directory(const std::string& path) override { return refused(path); }
  Result<void> rename_new(const std::string& from, const std::string&) override { return refused(from); }
  Result<void> remove(const std::string& path) override { return refused(path); }
  Result<void> make_directory(const std::string& path) override { return refused(path); }
  Result<std::vector<std::string>> list(const std::string& directory) override { return fs_.list(directory); }
  Result<bool> exists(const std::string& path) override { return fs_.exists(path); }
  Result<uint64_t> free_bytes(const std::string& path) override { return fs_.free_bytes(path); }

 private:
  static tl::unexpected<Error> refused(const std::string& path) {
    return fail(Code::kDenied, "a verification does not write to " + path);
  }
  Fs& fs_;
  Throttle throttle_;
};

class Verifier {
 public:
  Verifier(Fs& fs, const std::string& directory, const VerifyOptions& options,
           const std::function<void(const VerifyProgress&)>& progress)
      : fs_(fs, options.bytes_per_second, options.stop),
        directory_(directory),
        options_(options),
        progress_(progress) {}

  Result<VerifyReport> run() {
    ARCH_TRY(archive_, read_archive_file(fs_, directory_));
    ARCH_TRY_VOID(list_segments());
    const bool everything = options_.segments.empty();
    std::vector<JournalFileInfo> journal;
    if (everything) {
      ARCH_TRY(journal, list_journal(fs_, journal_directory(directory_)));
      for (const JournalFileInfo& file : journal) totals_.bytes_total += file.size;
    }
    for (uint32_t number : options_.segments)
      if (paths_.count(number) == 0)
        fault(path_of(number), 0, {}, "there is no such segment");

    for (const auto& [number, path] : paths_) {
      if (!wanted(number)) continue;
      const size_t faults = report_.faults.size();
      auto checked = check_segment(number);
      if (!checked && checked.error().code != Code::kIo && checked.error().code != Code::kDenied)
        return tl::unexpected<Error>(checked.error());
      if (!checked)
        report_.unread.push_back({path, 0, Digest{}, describe(checked.error())});
      else if (options_.checked && last_ && last_->info().number == number)
        options_.checked(number, last_->info().footer_digest, report_.faults.size() == faults);
    }
    if (everything) {
      ARCH_TRY_VOID(check_chain());
      for (const JournalFileInfo& file : journal) {
        auto checked = check_journal(file);
        if (!checked && checked.error().code != Code::kIo && checked.error().code != Code::kDenied)
          return tl::unexpected<Error>(checked.error());
        if (!checked) report_.unread.push_back({file.path, 0, Digest{}, describe(checked.error())});
      }
      ARCH_TRY_VOID(check_left_overs());
    }
    return std::move(report_);
  }

 private:
  bool wanted(uint32_t number) const {
    if (options_.passed_over.count(number) != 0) return false;
    if (!options_.segments.empty() &&
        std::find(options_.segments.begin(), options_.segments.end(), number) == options_.segments.end())
      return false;
    return too_old_.count(number) == 0;
  }
  bool stopped() const { return options_.stop && options_.stop(); }
  static tl::unexpected<Error> stopped_error() {
    return fail(Code::kTryAgain, "the verification was stopped before its end");
  }
  void fault(const std::string& file, uint64_t offset, const Digest& digest, const std::string& what) {
    report_.faults.push_back({file, offset, digest, what});
  }
  void note(const std::string& file, uint64_t offset, const std::string& what) {
    report_.notes.push_back({file, offset, Digest{}, what});
  }
  void progress(uint64_t within) {
    if (!progress_) return;
    VerifyProgress now = totals_;
    now.bytes_done = std::min(now.bytes_done + within, now.bytes_total);
    progress_(now);
  }

  Result<void> list_segments() {
    ARCH_TRY(auto volumes, list_volumes(fs_, directory_));
    for (const Volume& volume : volumes) {
      if (!volume.missing.empty()) {
        missing_volume_ = true;
        report_.unread.push_back({volume.path, 0, Digest{}, "volume is missing: " + volume.missing});
        continue;
      }
      ARCH_TRY(auto names, fs_.list(volume.segments()));
      for (const std::string& name : names) {
        const std::string path = volume.segments() + "/" + name;
        const uint32_t number = segment_file_number(name);
        if (number == 0)
          note(path, 0, "not a segment: no part of the archive");
        else if (!paths_.emplace(number, path).second)
          note(path, 0, "a second copy of " + paths_[number] + ", which is the one that is read");
      }
    }
    for (const auto& [number, path] : paths_) {
      if (options_.since != 0) {
        auto identity = SegmentReader::identify(fs_, path);
        if (identity && identity->created < options_.since) too_old_.insert(number);
      }
      if (!wanted(number)) continue;
      auto file = fs_.open_read(path);
      if (!file) continue;  // check_segment() says so
      ARCH_TRY(uint64_t size, (*file)->size());
      totals_.bytes_total += size;
    }
    return {};
  }

  // Of one that is not there, where it would be expected.
  std::string path_of(uint32_t number) const {
    auto known = paths_.find(number);
    return known != paths_.end() ? known->second : segments_directory(directory_) + "/" + segment_file_name(number);
  }

  // A segment's reader; nothing when it cannot be opened (said once, in check_segment).
  Result<std::shared_ptr<SegmentReader>> open(uint32_t number) {
    if (last_ && last_->info().number == number) return last_;
    ARCH_TRY(auto reader, SegmentReader::open(fs_, path_of(number)));
    return reader;
  }

  Result<void> check_segment(uint32_t number) {
    const std::string path = path_of(number);
    auto opened = open(number);
    if (!opened) {
      if (opened.error().code == Code::kIo || opened.error().code == Code::kDenied)
        return tl::unexpected<Error>(opened.error());
      fault(path, 0, {}, opened.error().what);
      return {};
    }
    auto reader = std::move(*opened);
    const SegmentReader::Info& info = reader->info();
    if (ARCH_WRONG("the archive of a segment", info.archive != archive_.id))
      fault(path, 0, {}, "it belongs to another archive, " + info.archive.hex());
    if (info.number != number)
      fault(path, 0, {}, "it is segment " + std::to_string(info.number) + " under another name");
    last_ = reader;
    BlockCache cache(kBlockCacheBytes);
    const auto foreign = [&](const Digest& digest, uint32_t other) -> Result<std::string> {
      auto& holder = others_[other % others_.size()];
      if (!holder || holder->info().number != other) {
        auto fresh = open(other);
        if (!fresh)
          return fail(missing_volume_ && paths_.count(other) == 0 ? Code::kIo : Code::kCorrupt,
                      "part " + digest.hex() + " lies in segment " + std::to_string(other) +
                          ", which cannot be read: " + fresh.error().what);
        holder = *fresh;
      }
      auto index = holder->find_blob(digest);
      if (!index) return fail(Code::kCorrupt, "part " + digest.hex() + " is not in segment " + std::to_string(other));
      return holder->read_blob(*index, &cache);
    };
    ARCH_TRY(auto faults, reader->verify(options_.data, foreign, [&](uint64_t done) {
      progress(done);
      return !stopped();
    }));
    for (const SegmentReader::Fault& found : faults) fault(path, found.offset, found.digest, found.what);
    ++report_.segments;
    report_.messages += reader->message_count();
    report_.deliveries += reader->delivery_count();
    report_.blobs += reader->blob_count();
    report_.bytes += info.file_size;
    totals_.bytes_done += info.file_size;
    return {};
  }

  // Each segment states the one before it: a missing, swapped or older file breaks the chain.
  Result<void> check_chain() {
    Digest previous;
    bool previous_known = true;
    uint32_t expected = 1;
    for (const auto& [number, path] : paths_) {
      for (; expected < number; ++expected) {
        // It may well lie on the volume that is away: then nothing can be said of it.
        const std::string text = "segment " + std::to_string(expected) + " is missing";
        if (missing_volume_)
          report_.unread.push_back({path_of(expected), 0, Digest{}, text});
        else
          fault(path_of(expected), 0, {}, text);
        previous_known = false;
      }
      expected = number + 1;
      auto reader = open(number);
      if (!reader) {
        previous_known = false;  // its own fault was said
        if (options_.passed_over.count(number) != 0 || too_old_.count(number) != 0)
          fault(path_of(number), 0, {}, reader.error().what);
        continue;
      }
      if (ARCH_WRONG("chain of segments", previous_known && (*reader)->info().previous_footer_digest != previous))
        fault((*reader)->path(), 0, {},
              "it was made behind another segment than the one before it: one of the two was replaced");
      previous = (*reader)->info().footer_digest;
      previous_known = true;
    }
    return {};
  }

  Result<void> check_journal(const JournalFileInfo& file) {
    auto opened = JournalReader::open(fs_, file.path);
    if (!opened) {
      if (opened.error().code == Code::kNotFound) return {};  // packed and released meanwhile
      if (opened.error().code == Code::kIo || opened.error().code == Code::kDenied)
        return tl::unexpected<Error>(opened.error());
      fault(file.path, 0, {}, opened.error().what);
      return {};
    }
    JournalReader& reader = **opened;
    if (file.state != JournalState::kOpen) reader.set_live(false);
    // A damaged header is a fault of its own, which next() reports; its archive id says nothing then.
    if (reader.number() != 0 && !reader.header_damaged() && reader.header().archive != archive_.id)
      fault(file.path, 0, {}, "it belongs to another archive, " + reader.header().archive.hex());
    uint64_t offset = 0;
    std::vector<BadRange> bad;
    JournalReader::Record record;
    std::string message;
    while (true) {
      if (stopped()) return stopped_error();
      ARCH_TRY(bool found, reader.next(&offset, &record, &message, &bad));
      if (!found) break;
      if (options_.data && Sha256::of(as_bytes(message)) != record.header.digest)
        fault(file.path, record.ref.offset, record.header.digest, "the message does not have its digest");
      ++report_.deliveries;
      progress(offset);
    }
    for (const BadRange& range : bad) {
      const std::string where = "bytes " + std::to_string(range.begin) + " to " + std::to_string(range.end);
      if (range.damage)
        fault(file.path, range.begin, {}, where + " are damaged: acknowledged mail may be lost there");
      else
        note(file.path, range.begin, where + " are a torn batch that nobody was told about");
    }
    ++report_.journal_files;
    report_.bytes += file.size;
    totals_.bytes_done += file.size;
    return {};
  }

  Result<void> check_left_overs() {
    ARCH_TRY(auto volumes, list_volumes(fs_, directory_));
    for (const Volume& volume : volumes) {
      if (!volume.missing.empty()) continue;
      ARCH_TRY(auto names, fs_.list(volume.tmp()));
      for (const std::string& name : names)
        note(volume.tmp() + "/" + name, 0, "left over from work that did not finish: of no use, and no harm");
    }
    return {};
  }

  ReadingFs fs_;
  const std::string directory_;
  const VerifyOptions& options_;
  const std::function<void(const VerifyProgress&)>& progress_;
  ArchiveFile archive_;
  VerifyReport report_;
  VerifyProgress totals_;
  std::map<uint32_t, std::string> paths_;  // of every segment that is there
  bool missing_volume_ = false;
  std::set<uint32_t> too_old_;
  std::shared_ptr<SegmentReader> last_;
  std::array<std::shared_ptr<SegmentReader>, 8> others_;
};

}  // namespace

Result<VerifyReport> verify_archive(Fs& fs, const std::string& directory, const VerifyOptions& options,
                                    const std::function<void(const VerifyProgress&)>& progress) {
  std::string path = directory;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return Verifier(fs, path, options, progress).run();
}

}  // namespace arch
