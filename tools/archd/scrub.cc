#include "tools/archd/scrub.h"

#include <chrono>

#include "engine/segment/segment_reader.h"
#include "engine/verify/verified.h"
#include "engine/verify/verify.h"
#include "tools/archd/log.h"

namespace arch::daemon {
namespace {

// A segment is due a little before the 30 days are over: one that is large, or many at once after an import, take their time.
constexpr UnixNs kDue = 25 * kNsPerDay;
constexpr uint64_t kBytesPerSecond = 20'000'000;  // 1.7 TB a day
constexpr std::chrono::minutes kPause{1};         // between two, and until it looks again

}  // namespace

Result<uint32_t> scrub_one(const std::string& archive_directory, UnixNs now, uint64_t bytes_per_second,
                           const std::function<bool()>& stop) {
  ARCH_TRY(VerifiedSummary summary, summarise_verified(Fs::real(), archive_directory));
  if (summary.oldest == 0 || now - summary.oldest < kDue) return 0;
  ARCH_TRY(Verified verified, read_verified(Fs::real(), archive_directory));
  VerifyOptions options;
  options.segments = {summary.oldest_segment};
  options.bytes_per_second = bytes_per_second;
  options.stop = stop;
  options.checked = [&](uint32_t number, const Digest& digest, bool sound) {
    verified.segments[number] = {digest, now, sound};
  };
  ARCH_TRY(VerifyReport report, verify_archive(Fs::real(), archive_directory, options, {}));
  for (const VerifyFault& fault : report.faults)
    log("error", "damage: " + fault.file + " at " + std::to_string(fault.offset) + ": " + fault.what);
  if (!report.unread.empty()) return fail(Code::kIo, report.unread.front().what);
  ARCH_TRY_VOID(write_verified(archive_directory, verified));
  return summary.oldest_segment;
}

Scrubber::Scrubber(std::string archive_directory)
    : archive_(std::move(archive_directory)), thread_([this] { run(); }) {}

Scrubber::~Scrubber() {
  stop_.request_stop();
  thread_.join();
}

bool Scrubber::stopping() const { return stop_.stop_requested(); }

void Scrubber::run() {
  std::string last_error;
  while (!stopping()) {
    auto read = scrub_one(archive_, Clock::system().now(), kBytesPerSecond, [this] { return stopping(); });
    if (!read && read.error().code != Code::kTryAgain) {
      std::string text = describe(read.error());
      if (text != last_error) log("error", "verifying old segments: " + text);
      last_error = std::move(text);
    } else if (read && *read != 0) {
      log("info", "verified " + segment_file_name(*read));
      last_error.clear();
    }
    const auto next = std::chrono::steady_clock::now() + kPause;
    while (!stopping() && std::chrono::steady_clock::now() < next)
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

}  // namespace arch::daemon
