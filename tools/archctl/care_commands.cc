// archctl init, pack, verify, rebuild, config, version, generate.
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "engine/format/segment.h"
#include "engine/people/aliases.h"
#include "query/index/terms.h"
#include "query/language/timezone.h"
#include "tools/archctl/access.h"
#include "tools/common/stop.h"
#include "tools/common/terminal.h"
#include "tools/common/text.h"
#include "tools/config/documents.h"

namespace arch::ctl {
namespace {

using Json = nlohmann::ordered_json;

std::string to_text(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; }
void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

int complain_or_stopped(const Error& error) {
  int status = complain(error);
  return tool::stop_signal() != 0 ? 128 + tool::stop_signal() : status;
}

api::ProgressFunction show_progress(const Invocation& invocation, tool::ProgressLine& line) {
  if (invocation.has("quiet")) return {};
  return [&line](const api::EngineProgress& progress) {
    if (progress.doing == "pack") {
      line.update("packing", progress.packed_bytes, 0, true);
    } else if (progress.indexed < progress.applied) {
      line.update("indexing", progress.indexed, progress.applied, false);
    } else {
      line.update("reading", progress.applied, 0, false);
    }
  };
}

/// Asks the engine that runs elsewhere to pack, and waits until it has taken the request away.
Result<void> request_pack(const Invocation& invocation, tool::ProgressLine& line) {
  const std::string request = api::pack_request_path(invocation.archive);
  Fs& fs = Fs::real();
  auto created = fs.create(request);
  if (!created && created.error().code != Code::kExists) return tl::unexpected<Error>(std::move(created).error());
  uint64_t waited = 0;
  for (;;) {
    ARCH_TRY(bool there, fs.exists(request));
    if (!there) return {};
    if (tool::stop_requested()) return fail(Code::kTryAgain, "stopped", "the running archd packs all the same");
    // The engine that was to do it may have ended: then the archive can be opened here.
    if (++waited % 50 == 0) {
      auto archive = open_engine(invocation);
      if (archive) {
        ARCH_TRY_VOID(fs.remove(request));
        return fail(Code::kTryAgain, "the running archd ended before it had packed", "run archctl pack again");
      }
      if (archive.error().code != Code::kTryAgain) return tl::unexpected<Error>(std::move(archive).error());
    }
    if (!invocation.has("quiet")) line.update("archd is packing, seconds", waited / 10, 0, false);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

}  // namespace

int run_init(const Invocation& invocation) {
  const std::string& directory = invocation.arguments[0];
  auto result = Archive::init(Fs::real(), directory, Clock::system().now());
  if (!result) {
    int status = complain(result.error());
    return result.error().code == Code::kFull ? status : EX_CANTCREAT;
  }
  std::printf("new archive in %s\n", directory.c_str());
  return 0;
}

int run_pack(const Invocation& invocation) {
  tool::ProgressLine line;
  auto archive = open_engine(invocation);
  if (!archive && archive.error().code == Code::kTryAgain) {
    auto done = request_pack(invocation, line);
    line.clear();
    if (!done) return complain_or_stopped(done.error());
    archive = open_reader(invocation);
  } else if (archive) {
    auto closed = (*archive)->request_close_all(10 * kNsPerSecond);
    if (!closed) return complain(closed.error());
    auto done = api::catch_up(**archive, engine_options(invocation.config), true, tool::stop_requested,
                              show_progress(invocation, line));
    line.clear();
    if (!done) return complain_or_stopped(done.error());
  }
  if (!archive) return complain(archive.error());
  auto usage = (*archive)->usage();
  if (!usage) return complain(usage.error());
  if (invocation.has("json")) {
    print(to_text({{"schema", "pack/1"},
                   {"segments", usage->segment_count},
                   {"segment_bytes", usage->segments},
                   {"journal_files", usage->journal_count},
                   {"journal_bytes", usage->journal},
                   {"messages", usage->messages},
                   {"message_bytes", usage->message_bytes}}));
  } else if (!invocation.has("quiet")) {
    std::printf("%s messages, %s, lie in %s segments of %s; journal %s\n", tool::count_text(usage->messages).c_str(),
                tool::size_text(usage->message_bytes).c_str(), tool::count_text(usage->segment_count).c_str(),
                tool::size_text(usage->segments).c_str(), tool::size_text(usage->journal).c_str());
  }
  return 0;
}

int run_rebuild(const Invocation& invocation) {
  auto discarded = discard_derived(Fs::real(), invocation.archive, !invocation.has("index"), true);
  if (!discarded) return complain(discarded.error());
  auto archive = open_engine(invocation);
  if (!archive) return complain(archive.error());
  tool::ProgressLine line;
  auto done = api::catch_up(**archive, engine_options(invocation.config), false, tool::stop_requested,
                            show_progress(invocation, line));
  line.clear();
  if (done) done = (*archive)->compact();
  if (!done) return complain_or_stopped(done.error());
  auto status = (*archive)->status();
  if (!status) return complain(status.error());
  auto usage = (*archive)->usage();
  if (!usage) return complain(usage.error());
  for (const std::string& alarm : status->alarms)
    std::fprintf(stderr, "archctl: %s\n", tool::printable(alarm).c_str());
  if (!invocation.has("quiet"))
    std::printf("rebuilt: %s messages, %s deliveries\n", tool::count_text(usage->messages).c_str(),
                tool::count_text(usage->deliveries).c_str());
  return status->alarms.empty() ? 0 : EX_DATAERR;
}

int run_reindex(const Invocation& invocation) {
  tool::ProgressLine line;
  auto archive = open_engine(invocation);
  if (archive) {
    auto begun = index::begin_generation(invocation.archive);
    if (!begun) return complain(begun.error());
    auto done = api::catch_up(**archive, engine_options(invocation.config), false, tool::stop_requested,
                              show_progress(invocation, line));
    line.clear();
    if (!done) return complain_or_stopped(done.error());
  } else if (archive.error().code == Code::kTryAgain) {
    archive = open_reader(invocation);
    if (!archive) return complain(archive.error());
    tool::catch_stop_signals();
    auto asked = replace_file(api::reindex_request_path(invocation.archive), "");
    if (!asked) return complain(asked.error());
    if (invocation.has("no-wait")) return 0;
    for (;;) {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      if (tool::stop_requested()) {
        line.clear();
        std::fprintf(stderr, "archctl: archd goes on with it; archctl status shows how far it is\n");
        return 128 + tool::stop_signal();
      }
      auto requested = Fs::real().exists(api::reindex_request_path(invocation.archive));
      if (!requested) return complain(requested.error());
      if (*requested) continue;
      auto building = index::building(invocation.archive);
      if (!building) return complain(building.error());
      if (!building->running) break;  // complete, or so small that it was never seen
      auto status = (*archive)->status();
      if (!status) return complain(status.error());
      if (!invocation.has("quiet")) line.update("indexing", building->mark, status->last_sequence, false);
    }
    line.clear();
  } else {
    return complain(archive.error());
  }
  if (!invocation.has("quiet")) std::printf("the index is new\n");
  return 0;
}

int run_reextract(const Invocation& invocation) {
  if (!invocation.config.documents_read)
    return usage_error("documents.read is false in the configuration", "reextract");
  std::string wanted = invocation.value("type");
  if (invocation.has("unread")) wanted = "unread";
  const std::string request = api::reextract_request_path(invocation.archive);
  auto reader = open_reader(invocation);
  if (!reader) return complain(reader.error());
  auto asked = replace_file(request, wanted + "\n");
  if (!asked) return complain(asked.error());
  tool::ProgressLine line;
  auto archive = open_engine(invocation);
  if (archive) {
    api::EngineOptions options = engine_options(invocation.config);
    options.wait_for_ocr = !invocation.has("no-wait");
    auto done = api::catch_up(**archive, options, false, tool::stop_requested, show_progress(invocation, line));
    line.clear();
    if (!done) return complain_or_stopped(done.error());
  } else if (archive.error().code == Code::kTryAgain) {
    if (invocation.has("no-wait")) return 0;
    for (;;) {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      if (tool::stop_requested()) {
        line.clear();
        std::fprintf(stderr, "archctl: archd goes on with it; archctl status shows how far it is\n");
        return 128 + tool::stop_signal();
      }
      auto requested = Fs::real().exists(request);
      if (!requested) return complain(requested.error());
      if (auto refreshed = (*reader)->refresh(); !refreshed) return complain(refreshed.error());
      auto counts = (*reader)->document_counts();
      if (!counts) return complain(counts.error());
      const uint64_t waiting = counts->waiting + counts->waiting_for_ocr;
      if (!*requested && waiting == 0) break;
      if (!invocation.has("quiet")) line.update("attachments that wait", waiting, 0, false);
    }
    line.clear();
  } else {
    return complain(archive.error());
  }
  if (!invocation.has("quiet")) std::printf("read again\n");
  return 0;
}

int run_config(const Invocation& invocation) {
  const std::string verb = invocation.arguments.empty() ? "print" : invocation.arguments[0];
  if (verb == "print" && invocation.arguments.size() <= 1) {
    print(config::effective(invocation.config));
    return 0;
  }
  if (verb != "check") return usage_error("config wants print, or check with a FILE or none", "config");
  config::Config checked = invocation.config;  // one with a mistake was refused before this
  if (invocation.arguments.size() > 1) {
    auto loaded = config::load(invocation.arguments[1]);
    if (!loaded) {
      complain(loaded.error());
      return EX_CONFIG;
    }
    checked = std::move(*loaded);
  }
  // What no parser sees: names that have to be there on this machine.
  int problems = 0;
  const auto problem = [&problems](const std::string& text) {
    std::fprintf(stderr, "archctl: %s\n", text.c_str());
    ++problems;
  };
  auto zone = query::Timezone::load(checked.timezone);
  if (!zone) problem("archive.timezone: " + describe(zone.error()));
  auto aliases = Aliases::load(checked.mta_aliases);
  if (!aliases) problem("mta.aliases: " + describe(aliases.error()));
  if (!checked.mta_log.empty() && checked.mta_log.rfind("journal", 0) != 0 &&
      ::access(checked.mta_log.c_str(), R_OK) != 0)
    problem("mta.log: " + describe(fail_errno(errno, checked.mta_log).value()));
  const std::string& sendmail = checked.report_sendmail;
  if (!checked.report_to.empty() && sendmail.rfind("inet:", 0) != 0 && sendmail.rfind("unix:", 0) != 0 &&
      ::access(sendmail.c_str(), X_OK) != 0)
    problem("report.sendmail: " + describe(fail_errno(errno, sendmail).value()));
  if (checked.documents_read && checked.documents_ocr)
    if (const std::string missing = config::ocr_problem(checked); !missing.empty())
      problem("documents.ocr: " + missing);
  if (checked.mta_own_domains.empty() && !invocation.has("quiet"))
    std::fprintf(stderr, "archctl: note: mta.own_domains is empty: mail in, out and inside is not told apart\n");
  if (problems == 0 && !invocation.has("quiet"))
    std::printf("%s: good\n", checked.file.empty() ? "no configuration file, the defaults" : checked.file.c_str());
  return problems == 0 ? 0 : EX_CONFIG;
}

int run_version(const Invocation& invocation) {
  if (invocation.has("json")) {
    print(to_text({{"schema", "version/1"},
                   {"version", ARCH_VERSION},
                   {"archive_format", kArchiveFormatVersion},
                   {"journal_format", journal_format::kVersion},
                   {"segment_format", segment_format::kVersion},
                   {"index_schema", index::kSchema}}));
  } else {
    std::printf("archctl %s (archive format %u, journal %u, segment %u, index %d)\n", ARCH_VERSION,
                kArchiveFormatVersion, journal_format::kVersion, segment_format::kVersion, index::kSchema);
  }
  return 0;
}

}  // namespace arch::ctl
