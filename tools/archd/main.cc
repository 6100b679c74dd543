// archd: the archive's daemon. `archd run` watches the two processes that do the work, `archd engine` and `archd capture` are
// one of them each.
#include <getopt.h>
#include <sysexits.h>

#include <cstdio>
#include <cstdlib>

#include "engine/io/fs.h"
#include "engine/journal/archive_file.h"
#include "tools/archd/daemon.h"
#include "tools/archd/log.h"
#include "tools/archd/program.h"
#include "tools/common/memory.h"

namespace arch::daemon {

int exit_status(const Error& error) {
  switch (error.code) {
    case Code::kNotFound:
      return EX_NOINPUT;
    case Code::kTryAgain:
      return EX_TEMPFAIL;
    case Code::kUsage:
      return EX_USAGE;
    case Code::kDenied:
      return EX_NOPERM;
    case Code::kInvalid:
    case Code::kCorrupt:
    case Code::kTooNew:
      return EX_DATAERR;
    default:
      return EX_IOERR;
  }
}

namespace {

int bad_usage(const std::string& what) {
  std::fprintf(stderr, "archd: %s — see archd --help\n", what.c_str());
  return EX_USAGE;
}

int run(int argc, char** argv) {
  Flags flags;
  const std::vector<::option> options = tool::long_options(program().options);
  for (int flag; (flag = getopt_long(argc, argv, "h", options.data(), nullptr)) != -1;) {
    const std::string_view name = tool::option_name(program().options, flag);
    if (name == "archive") {
      flags.archive = optarg;
    } else if (name == "config") {
      flags.config = optarg;
    } else if (name == "lmtp") {
      flags.lmtp.emplace_back(optarg);
    } else if (name == "smtp") {
      flags.smtp.emplace_back(optarg);
    } else if (name == "milter") {
      flags.milter.emplace_back(optarg);
    } else if (name == "http") {
      flags.http.emplace_back(optarg);
    } else if (name == "help") {
      std::fputs(tool::help_of(program()).c_str(), stdout);
      return 0;
    } else if (name == "version") {
      std::printf("archd %s\n", ARCH_VERSION);
      return 0;
    } else {
      return EX_USAGE;  // getopt has said why
    }
  }
  if (argc - optind != 1)
    return bad_usage(argc == optind ? "run, engine or capture is wanted"
                                    : "one of run, engine and capture is wanted");
  const std::string command = argv[optind];
  if (command != "run" && command != "engine" && command != "capture")
    return bad_usage("unknown command \"" + command + "\"");

  const Flags asked = flags;
  const auto filled = [asked]() -> Result<Flags> {
    Flags out = asked;
    ARCH_TRY(out.configuration, config::load(asked.config));
    const config::Config& configuration = out.configuration;
    const char* environment = std::getenv("ARCHIVE");
    if (out.archive.empty())
      out.archive = environment != nullptr && *environment != '\0' ? environment : configuration.data_dir;
    if (out.lmtp.empty() && out.smtp.empty() && out.milter.empty()) {
      out.lmtp = configuration.capture_lmtp;
      out.smtp = configuration.capture_smtp;
      out.milter = configuration.capture_milter;
    }
    if (out.http.empty()) out.http = configuration.http_listen;
    std::erase(out.http, "none");
    return out;
  };
  auto complete = filled();
  if (!complete) {
    std::fprintf(stderr, "archd: %s\n", describe(complete.error()).c_str());
    return EX_CONFIG;
  }
  flags = *complete;
  flags.again = filled;
  set_log(flags.configuration.log_json, flags.configuration.log_level);
  const bool managed = flags.configuration.capture_managed;
  const bool listens = !flags.lmtp.empty() || !flags.smtp.empty() || !flags.milter.empty();
  if ((command == "capture" || (command == "run" && managed)) && !listens)
    return bad_usage("no listener is given or configured: nothing would take mail");
  if (command == "capture" && managed) {
    std::fputs("archd: `archd run` starts arch-capture by itself — set [capture] managed = false\n", stderr);
    return EX_CONFIG;
  }

  auto archive = read_archive_file(Fs::real(), flags.archive);
  if (!archive) {
    std::fprintf(stderr, "archd: %s\n", describe(archive.error()).c_str());
    return exit_status(archive.error());
  }
  if (auto mine = check_no_backup(Fs::real(), flags.archive); !mine) {
    std::fprintf(stderr, "archd: %s\n", describe(mine.error()).c_str());
    return exit_status(mine.error());
  }
  return command == "run" ? run_supervisor(flags) : command == "engine" ? run_engine(flags) : run_capture(flags);
}

}  // namespace
}  // namespace arch::daemon

int main(int argc, char** argv) {
  arch::tool::return_memory_when_freed();
  return arch::daemon::run(argc, argv);
}
