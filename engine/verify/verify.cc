#include "engine/verify/verify.h"

#include <algorithm>
#include <array>
#include <memory>

#include "engine/journal/archive_file.h"
#include "engine/journal/journal_reader.h"
#include "engine/segment/segment_reader.h"

namespace arch {

namespace {

constexpr uint64_t kBlockCacheBytes = 64ull << 20;

class Verifier {
 public:
  Verifier(Fs& fs, const std::string& directory, const VerifyOptions& options,
           const std::function<void(const VerifyProgress&)>& progress)
      : fs_(fs), directory_(directory), options_(options), progress_(progress) {}

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
      if (std::find(numbers_.begin(), numbers_.end(), number) == numbers_.end())
        fault(segments_directory(directory_) + "/" + segment_file_name(number), 0, {}, "there is no such segment");

    for (uint32_t number : numbers_) {
      if (!everything &&
          std::find(options_.segments.begin(), options_.segments.end(), number) == options_.segments.end())
        continue;
      ARCH_TRY_VOID(check_segment(number));
    }
    if (everything) {
      ARCH_TRY_VOID(check_chain());
      for (const JournalFileInfo& file : journal) ARCH_TRY_VOID(check_journal(file));
      ARCH_TRY_VOID(check_left_overs());
    }
    return std::move(report_);
  }

 private:
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
    ARCH_TRY(auto names, fs_.list(segments_directory(directory_)));
    for (const std::string& name : names) {
      const std::string path = segments_directory(directory_) + "/" + name;
      const uint32_t number = segment_file_number(name);
      if (number == 0) {
        note(path, 0, "not a segment: no part of the archive");
        continue;
      }
      numbers_.push_back(number);
      ARCH_TRY(auto file, fs_.open_read(path));
      ARCH_TRY(uint64_t size, file->size());
      if (options_.segments.empty() ||
          std::find(options_.segments.begin(), options_.segments.end(), number) != options_.segments.end())
        totals_.bytes_total += size;
    }
    std::sort(numbers_.begin(), numbers_.end());
    return {};
  }

  // A segment's reader; nothing when it cannot be opened (said once, in check_segment).
  Result<std::shared_ptr<SegmentReader>> open(uint32_t number) {
    if (last_ && last_->info().number == number) return last_;
    ARCH_TRY(auto reader, SegmentReader::open(fs_, segments_directory(directory_) + "/" + segment_file_name(number)));
    return reader;
  }

  Result<void> check_segment(uint32_t number) {
    const std::string path = segments_directory(directory_) + "/" + segment_file_name(number);
    auto opened = open(number);
    if (!opened) {
      if (opened.error().code == Code::kIo || opened.error().code == Code::kDenied)
        return tl::unexpected<Error>(opened.error());
      fault(path, 0, {}, opened.error().what);
      return {};
    }
    auto reader = std::move(*opened);
    const SegmentReader::Info& info = reader->info();
    if (info.archive != archive_.id) fault(path, 0, {}, "it belongs to another archive, " + info.archive.hex());
    if (info.number != number)
      fault(path, 0, {}, "it is segment " + std::to_string(info.number) + " under another name");
    last_ = reader;
    BlockCache cache(kBlockCacheBytes);
    const auto foreign = [&](const Digest& digest, uint32_t other) -> Result<std::string> {
      auto& holder = others_[other % others_.size()];
      if (!holder || holder->info().number != other) {
        auto fresh = open(other);
        if (!fresh)
          return fail(Code::kCorrupt, "part " + digest.hex() + " lies in segment " + std::to_string(other) +
                                          ", which cannot be read: " + fresh.error().what);
        holder = *fresh;
      }
      auto index = holder->find_blob(digest);
      if (!index) return fail(Code::kCorrupt, "part " + digest.hex() + " is not in segment " + std::to_string(other));
      return holder->read_blob(*index, &cache);
    };
    ARCH_TRY(auto faults, reader->verify(options_.data, foreign, [&](uint64_t done) {
      progress(done);
      return true;
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
    for (uint32_t number : numbers_) {
      for (; expected < number; ++expected) {
        fault(segments_directory(directory_) + "/" + segment_file_name(expected), 0, {},
              "segment " + std::to_string(expected) + " is missing");
        previous_known = false;
      }
      expected = number + 1;
      auto reader = open(number);
      if (!reader) {
        previous_known = false;  // its own fault was said
        continue;
      }
      if (previous_known && (*reader)->info().previous_footer_digest != previous)
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
    ARCH_TRY(auto names, fs_.list(tmp_directory(directory_)));
    for (const std::string& name : names)
      note(tmp_directory(directory_) + "/" + name, 0,
           "left over from work that did not finish: of no use, and no harm");
    return {};
  }

  Fs& fs_;
  const std::string directory_;
  const VerifyOptions& options_;
  const std::function<void(const VerifyProgress&)>& progress_;
  ArchiveFile archive_;
  VerifyReport report_;
  VerifyProgress totals_;
  std::vector<uint32_t> numbers_;
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
