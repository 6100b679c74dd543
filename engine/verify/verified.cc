#include "engine/verify/verified.h"

#include <algorithm>
#include <sstream>

#include "engine/journal/archive_file.h"
#include "engine/segment/segment_reader.h"
#include "engine/segment/volumes.h"

namespace arch {

namespace {

constexpr uint64_t kFileLimit = 64ull << 20;  // about half a million segments
constexpr std::string_view kFirstLine = "verified 1";

std::string path_of(const std::string& archive) { return archive + "/state/verified"; }

}  // namespace

Result<Verified> read_verified(Fs& fs, const std::string& archive_directory) {
  Verified verified;
  auto text = read_file(fs, path_of(archive_directory), kFileLimit);
  if (!text) {
    if (text.error().code == Code::kNotFound || text.error().code == Code::kTooLarge) return verified;
    return tl::unexpected<Error>(text.error());
  }
  std::istringstream lines(*text);
  std::string line;
  if (!std::getline(lines, line) || line != kFirstLine) return verified;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string name, digest, state;
    UnixNs when = 0;
    if (line.rfind("begun ", 0) == 0) {
      words >> name >> verified.run_begun;
      continue;
    }
    if (!(words >> name >> digest >> when >> state)) continue;
    const uint32_t number = segment_file_number(name);
    const auto parsed = Digest::from_hex(digest);
    if (number == 0 || !parsed) continue;
    verified.segments[number] = {*parsed, when, state == "sound"};
  }
  return verified;
}

Result<void> write_verified(const std::string& archive_directory, const Verified& verified) {
  std::ostringstream text;
  text << kFirstLine << '\n';
  if (verified.run_begun != 0) text << "begun " << verified.run_begun << '\n';
  for (const auto& [number, segment] : verified.segments)
    text << segment_file_name(number) << ' ' << segment.footer_digest.hex() << ' ' << segment.when << ' '
         << (segment.sound ? "sound" : "damaged") << '\n';
  return replace_file(path_of(archive_directory), text.str());
}

Result<VerifiedSummary> summarise_verified(Fs& fs, const std::string& archive_directory) {
  ARCH_TRY(Verified verified, read_verified(fs, archive_directory));
  ARCH_TRY(auto files, list_segments(fs, archive_directory));
  VerifiedSummary summary;
  for (const auto& [number, path] : files) {
    ++summary.segments;
    auto identity = SegmentReader::identify(fs, path);
    if (!identity) {
      if (identity.error().code == Code::kIo || identity.error().code == Code::kDenied)
        return tl::unexpected<Error>(identity.error());
      ++summary.damaged;
      continue;
    }
    UnixNs when = identity->created;
    auto known = verified.segments.find(number);
    if (known != verified.segments.end() && known->second.footer_digest == identity->footer_digest) {
      when = std::max(when, known->second.when);
      if (!known->second.sound) ++summary.damaged;
    }
    if (summary.oldest == 0 || when < summary.oldest) {
      summary.oldest = when;
      summary.oldest_segment = number;
    }
  }
  return summary;
}

}  // namespace arch
