// archctl volume, backup, restore: where the archive lies, and its copies.
#include <sys/stat.h>
#include <sysexits.h>

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "engine/backup/backup.h"
#include "engine/segment/volumes.h"
#include "engine/verify/verify.h"
#include "tools/archctl/access.h"
#include "tools/common/stop.h"
#include "tools/common/terminal.h"
#include "tools/common/text.h"

namespace arch::ctl {
namespace {

using Json = nlohmann::ordered_json;

constexpr uint64_t kVolumeReserve = 1ull << 30;

void print_json(const Json& json) {
  std::printf("%s\n", json.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
}

std::string absolute(const std::string& path) {
  std::error_code error;
  const auto whole = std::filesystem::absolute(path, error);
  return error ? path : whole.lexically_normal().string();
}

int status_of(const Error& error) {
  const int status = complain(error);
  if (tool::stop_signal() != 0) return 128 + tool::stop_signal();
  return error.code == Code::kExists || error.code == Code::kInvalid ? EX_CANTCREAT : status;
}

bool on_one_device(const std::string& a, const std::string& b) {
  struct stat one {
  }, other{};
  return ::stat(a.c_str(), &one) == 0 && ::stat(b.c_str(), &other) == 0 && one.st_dev == other.st_dev;
}

int add_volume(const Invocation& invocation) {
  uint64_t reserve = kVolumeReserve;
  if (invocation.has("reserve")) {
    auto size = tool::parse_size(invocation.value("reserve"));
    if (!size) return usage_error("--reserve: " + describe(size.error()), "volume");
    reserve = *size;
  }
  auto added = arch::add_volume(Fs::real(), invocation.archive, absolute(invocation.arguments[1]), reserve,
                                Clock::system().now());
  if (!added) return status_of(added.error());
  const bool same = on_one_device(added->path, invocation.archive);
  if (same)
    std::fprintf(stderr, "archctl: %s lies on the same file system as the archive: that is no more room\n",
                 tool::printable(added->path).c_str());
  if (invocation.has("json"))
    print_json(
        {{"schema", "volume/1"}, {"path", added->path}, {"reserve_bytes", reserve}, {"same_file_system", same}});
  else
    std::printf("%s is a volume now: the next segments go there\n", tool::printable(added->path).c_str());
  return 0;
}

int list_volumes(const Invocation& invocation) {
  auto archive = open_reader(invocation);
  if (!archive) return complain(archive.error());
  auto usage = (*archive)->usage();
  if (!usage) return complain(usage.error());
  Json list = Json::array();
  bool missing = false;
  for (const ArchiveUsage::Volume& volume : usage->volumes) {
    const uint64_t reserve = volume.home ? invocation.config.reserve_bytes : volume.reserve_bytes;
    missing = missing || !volume.missing.empty();
    if (invocation.has("json")) {
      list.push_back({{"path", volume.path},
                      {"home", volume.home},
                      {"missing", volume.missing},
                      {"segments", volume.segment_count},
                      {"segment_bytes", volume.segment_bytes},
                      {"free_bytes", volume.free_bytes},
                      {"reserve_bytes", reserve}});
    } else if (!volume.missing.empty()) {
      std::printf("%s  missing: %s\n", tool::printable(volume.path).c_str(), tool::printable(volume.missing).c_str());
    } else {
      std::printf("%s  %s segments, %s; %s free, %s of it in reserve\n", tool::printable(volume.path).c_str(),
                  tool::count_text(volume.segment_count).c_str(), tool::size_text(volume.segment_bytes).c_str(),
                  tool::size_text(volume.free_bytes).c_str(), tool::size_text(reserve).c_str());
    }
  }
  if (invocation.has("json")) print_json({{"schema", "volumes/1"}, {"volumes", std::move(list)}});
  return missing ? 1 : 0;
}

void tell_problems(const std::vector<std::string>& problems) {
  for (const std::string& problem : problems) std::fprintf(stderr, "archctl: %s\n", tool::printable(problem).c_str());
}

}  // namespace

int run_volume(const Invocation& invocation) {
  const std::string& verb = invocation.arguments[0];
  if (verb == "add" && invocation.arguments.size() == 2) return add_volume(invocation);
  if (verb == "list" && invocation.arguments.size() == 1) return list_volumes(invocation);
  return usage_error("volume wants add DIR, or list", "volume");
}

int run_backup(const Invocation& invocation) {
  auto megabytes = invocation.number("limit-mbps", 0, 1, 100'000);
  if (!megabytes) return usage_error(describe(megabytes.error()), "backup");
  BackupOptions options;
  options.bytes_per_second = *megabytes * 1'000'000;
  options.stop = tool::stop_requested;
  const std::string target = absolute(invocation.arguments[0]);
  tool::ProgressLine line;
  const UnixNs began = Clock::system().now();
  auto report =
      backup_archive(Fs::real(), invocation.archive, target, began, options, [&](const BackupProgress& progress) {
        if (!invocation.has("quiet")) line.update("copying", progress.bytes_done, progress.bytes_total, true);
      });
  line.clear();
  if (!report) return status_of(report.error());
  tell_problems(report->problems);
  if (invocation.has("json"))
    print_json({{"schema", "backup/1"},
                {"copy", target},
                {"segments", report->segments},
                {"segments_copied", report->segments_copied},
                {"journal_files", report->journal_files},
                {"bytes_copied", report->bytes_copied},
                {"problems", report->problems},
                {"of", format_rfc3339(began)}});
  else if (!invocation.has("quiet"))
    std::printf("%s: %s segments, %s of them new, and %s journal files; %s copied\n",
                report->problems.empty() ? "whole" : "not whole", tool::count_text(report->segments).c_str(),
                tool::count_text(report->segments_copied).c_str(), tool::count_text(report->journal_files).c_str(),
                tool::size_text(report->bytes_copied).c_str());
  return report->problems.empty() ? 0 : 1;
}

int run_restore(const Invocation& invocation) {
  const std::string copy = absolute(invocation.arguments[0]), target = absolute(invocation.arguments[1]);
  BackupOptions options;
  options.stop = tool::stop_requested;
  tool::ProgressLine line;
  auto restored = restore_archive(Fs::real(), copy, target, options, [&](const BackupProgress& progress) {
    if (!invocation.has("quiet")) line.update("copying", progress.bytes_done, progress.bytes_total, true);
  });
  line.clear();
  if (!restored) return status_of(restored.error());
  std::vector<std::string> problems = restored->problems;
  VerifyReport verified;
  if (!invocation.has("no-verify")) {
    VerifyOptions everything;
    everything.stop = tool::stop_requested;
    auto report = verify_archive(Fs::real(), target, everything, [&](const VerifyProgress& progress) {
      if (!invocation.has("quiet")) line.update("verifying", progress.bytes_done, progress.bytes_total, true);
    });
    line.clear();
    if (!report) return status_of(report.error());
    for (const auto* found : {&report->faults, &report->unread})
      for (const VerifyFault& fault : *found)
        problems.push_back(fault.file + " at " + std::to_string(fault.offset) + ": " + fault.what);
    verified = std::move(*report);
  }
  uint64_t messages = 0;
  if (!invocation.has("no-index")) {
    auto archive =
        Archive::open(Fs::real(), Clock::system(), target, Archive::Mode::kEngine, {invocation.config.own_domains()});
    if (!archive) return status_of(archive.error());
    auto done = api::catch_up(**archive, engine_options(invocation.config), false, tool::stop_requested,
                              [&](const api::EngineProgress& progress) {
                                if (!invocation.has("quiet"))
                                  line.update("indexing", progress.indexed, progress.applied, false);
                              });
    line.clear();
    if (!done) return status_of(done.error());
    auto usage = (*archive)->usage();
    if (!usage) return status_of(usage.error());
    messages = usage->messages;
  }
  tell_problems(problems);
  if (invocation.has("json"))
    print_json({{"schema", "restore/1"},
                {"archive", target},
                {"segments", restored->segments},
                {"journal_files", restored->journal_files},
                {"messages", messages},
                {"bytes_verified", verified.bytes},
                {"problems", problems}});
  else if (!invocation.has("quiet"))
    std::printf(
        "%s: %s segments and %s journal files in %s%s%s\n", problems.empty() ? "whole" : "not whole",
        tool::count_text(restored->segments).c_str(), tool::count_text(restored->journal_files).c_str(),
        tool::printable(target).c_str(), invocation.has("no-verify") ? "" : ", every SHA-256 compared",
        invocation.has("no-index") ? "" : (", " + tool::count_text(messages) + " messages can be searched").c_str());
  return problems.empty() ? 0 : 1;
}

}  // namespace arch::ctl
