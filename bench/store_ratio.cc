// bin/bench-store-ratio FOLDER…   packs every file under the folders straight into segments, reads all back, prints JSON.
//
// Question  How many bytes does the store take for this mail, and where do they lie? Every file is one message, in the
//           order of its path; about 256 MiB of mail a segment, as the engine does. Nothing but the packer and the reader
//           runs: no journal, no catalog, no index.
// Output    One JSON object. Bytes are those of the segment files; "of_raw" is stored bytes over the sum of the distinct
//           messages' sizes. Times are wall-clock seconds.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "engine/base/limits.h"
#include "engine/io/fs.h"
#include "engine/pack/packer.h"

namespace {

using arch::Digest;
using arch::Result;
namespace stdfs = std::filesystem;

constexpr uint64_t kSegmentBytes = 256ull << 20;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Serves files as messages, and the parts of the segments made so far.
class FolderSource : public arch::PackSource {
 public:
  void select(std::vector<std::string> paths) { paths_ = std::move(paths); }
  void add_segment(std::shared_ptr<arch::SegmentReader> segment) { segments_.push_back(std::move(segment)); }
  const std::vector<std::shared_ptr<arch::SegmentReader>>& segments() const { return segments_; }

  Result<arch::Delivery> read(size_t i, std::string* message) override {
    if (message != nullptr) {
      ARCH_TRY(*message, arch::read_file(arch::Fs::real(), paths_[i], arch::limits::kMessageBytes));
    }
    arch::Delivery delivery;
    delivery.channel = arch::Channel::kImport;
    delivery.origin = paths_[i];
    return delivery;
  }
  Result<arch::Delivery> read_delivery(size_t i) override { return read(i, nullptr); }
  Result<std::optional<arch::BlobPlace>> find_blob(const Digest& digest) override {
    for (const auto& segment : segments_)
      if (auto index = segment->find_blob(digest))
        return arch::BlobPlace{segment->info().number, *index, segment->blob_size(*index)};
    return std::optional<arch::BlobPlace>();
  }
  Result<std::string> read_blob(const Digest& digest, uint32_t segment) override {
    const auto& reader = segments_.at(segment - 1);
    auto index = reader->find_blob(digest);
    if (!index) return arch::fail(arch::Code::kNotFound, "no part " + digest.hex());
    return reader->read_blob(*index, &cache_);
  }

 private:
  std::vector<std::string> paths_;
  std::vector<std::shared_ptr<arch::SegmentReader>> segments_;
  arch::BlockCache cache_{32ull << 20};
};

[[noreturn]] void stop(const std::string& what) {
  std::fprintf(stderr, "store-ratio: %s\n", what.c_str());
  std::exit(1);
}

uint64_t number_after(const std::string& argument, const char* name) {
  return std::strtoull(argument.c_str() + std::strlen(name), nullptr, 10);
}

}  // namespace

int main(int argc, char** argv) {
  arch::PackOptions options;
  std::vector<std::string> files;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.rfind("--level=", 0) == 0) {
      options.level = static_cast<int>(number_after(argument, "--level="));
    } else if (argument.rfind("--block=", 0) == 0) {
      options.block_bytes = static_cast<uint32_t>(number_after(argument, "--block="));
    } else if (argument.rfind("--inline=", 0) == 0) {
      options.inline_part_bytes = static_cast<uint32_t>(number_after(argument, "--inline="));
    } else if (argument.rfind("--own-frame=", 0) == 0) {
      options.own_frame_bytes = static_cast<uint32_t>(number_after(argument, "--own-frame="));
    } else if (argument.rfind("--threads=", 0) == 0) {
      options.threads = static_cast<int>(number_after(argument, "--threads="));
    } else if (argument.rfind("--", 0) == 0) {
      stop(
          "usage: bench-store-ratio [--level=N] [--block=BYTES] [--inline=BYTES] [--own-frame=BYTES] [--threads=N] "
          "FOLDER...");
    } else {
      std::error_code error;
      for (stdfs::recursive_directory_iterator at(argument, error), end; !error && at != end; at.increment(error))
        if (at->is_regular_file()) files.push_back(at->path().string());
      if (error) stop(argument + ": " + error.message());
    }
  }
  if (files.empty()) stop("no files; say a folder of mails, one a file");
  std::sort(files.begin(), files.end());

  const std::string pattern = (stdfs::temp_directory_path() / "store-ratio.XXXXXX").string();
  std::vector<char> name(pattern.begin(), pattern.end());
  name.push_back('\0');
  if (mkdtemp(name.data()) == nullptr) stop("cannot make a temporary folder");
  const std::string place = name.data(), tmp = place + "/tmp", segments = place + "/segments";
  stdfs::create_directory(tmp);
  stdfs::create_directory(segments);

  FolderSource source;
  std::unordered_set<Digest, arch::DigestHash> seen;
  arch::SegmentReader::Sizes sizes;
  arch::PackResult sum;
  uint64_t stored = 0;
  Digest previous;
  double pack_seconds = 0;
  size_t next = 0;
  while (next < files.size()) {
    std::vector<arch::PackItem> items;
    std::vector<std::string> paths;
    uint64_t raw = 0;
    for (; next < files.size() && raw < kSegmentBytes; ++next) {
      auto bytes = arch::read_file(arch::Fs::real(), files[next], arch::limits::kMessageBytes);
      if (!bytes) stop(arch::describe(bytes.error()));
      arch::PackItem item;
      item.sequence = next + 1;
      item.digest = arch::Sha256::of(arch::as_bytes(*bytes));
      item.message_size = bytes->size();
      item.store_message = seen.insert(item.digest).second;
      if (item.store_message) raw += bytes->size();
      items.push_back(item);
      paths.push_back(files[next]);
    }
    source.select(paths);
    const auto start = std::chrono::steady_clock::now();
    auto packed =
        arch::pack_segment(arch::Fs::real(), arch::ArchiveId{}, static_cast<uint32_t>(source.segments().size() + 1),
                           previous, 0, tmp, segments, items, {}, source, options);
    pack_seconds += seconds_since(start);
    if (!packed) stop(arch::describe(packed.error()));
    previous = packed->segment->info().footer_digest;
    const auto part = packed->segment->sizes();
    sizes.skeleton_blocks += part.skeleton_blocks;
    sizes.small_part_blocks += part.small_part_blocks;
    sizes.large_part_blocks += part.large_part_blocks;
    sizes.records += part.records;
    sizes.footer += part.footer;
    stored += stdfs::file_size(packed->path);
    sum.messages += packed->messages;
    sum.raw_bytes += packed->raw_bytes;
    sum.stored_whole += packed->stored_whole;
    sum.blobs += packed->blobs;
    sum.shared_blobs += packed->shared_blobs;
    source.add_segment(packed->segment);
  }

  // One message by itself, as `show` reads it: no cache.
  std::vector<double> reads;
  const auto foreign = [&](const Digest& digest, uint32_t segment) { return source.read_blob(digest, segment); };
  uint64_t dice = 1;
  for (int i = 0; i < 500; ++i) {
    dice = dice * 6364136223846793005ull + 1442695040888963407ull;
    const auto& segment = source.segments()[(dice >> 33) % source.segments().size()];
    const auto index = static_cast<uint32_t>((dice >> 20) % segment->message_count());
    const auto start = std::chrono::steady_clock::now();
    auto message = segment->read_message(index, foreign, nullptr);
    if (!message) stop(arch::describe(message.error()));
    reads.push_back(seconds_since(start) * 1e6);
  }
  std::sort(reads.begin(), reads.end());

  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto u = [](uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf(
      "{\"files\": %zu, \"messages\": %llu, \"raw_bytes\": %llu, \"stored_bytes\": %llu, \"of_raw\": %.4f,\n"
      " \"skeletons\": %llu, \"small_parts\": %llu, \"large_parts\": %llu, \"records\": %llu, \"footer\": %llu,\n"
      " \"stored_whole\": %llu, \"blobs\": %llu, \"shared_blobs\": %llu, \"segments\": %zu,\n"
      " \"pack_seconds\": %.2f, \"pack_MB_per_s\": %.1f, \"read_one_us_median\": %.0f, \"read_one_us_p95\": %.0f,\n"
      " \"peak_memory_bytes\": %llu, \"level\": %d, \"block_bytes\": %u, \"threads\": %d}\n",
      files.size(), u(sum.messages), u(sum.raw_bytes), u(stored),
      static_cast<double>(stored) / static_cast<double>(std::max<uint64_t>(sum.raw_bytes, 1)),
      u(sizes.skeleton_blocks), u(sizes.small_part_blocks), u(sizes.large_part_blocks), u(sizes.records),
      u(sizes.footer), u(sum.stored_whole), u(sum.blobs), u(sum.shared_blobs), source.segments().size(), pack_seconds,
      static_cast<double>(sum.raw_bytes) / 1e6 / pack_seconds, reads[reads.size() / 2],
      reads[reads.size() * 95 / 100], u(static_cast<uint64_t>(usage.ru_maxrss) * 1024), options.level,
      options.block_bytes, options.threads);
  std::error_code ignored;  // a leftover in the temporary folder harms nobody
  stdfs::remove_all(place, ignored);
  return 0;
}
