// archd: the archive's daemon. `archd run` watches the two processes that do the work, `archd engine` is one of them.
#include <getopt.h>
#include <sysexits.h>

#include <cstdio>
#include <cstdlib>

#include "engine/io/fs.h"
#include "engine/journal/archive_file.h"
#include "tools/archd/daemon.h"
#include "tools/archd/log.h"
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

constexpr const char* kHelp =
    R"(Usage: archd [OPTION]... run|engine

Keep a mail archive: take mail over LMTP, make it durable, find it, pack it.

  run       everything: starts and watches arch-capture (which takes the mail) and the engine, restarts what ends
  engine    the engine alone: catalog, index, packing; for a host where arch-capture is a unit of its own

      --archive=DIR   the archive, made by `archctl init DIR` (else $ARCHIVE, else the configuration, else ./data)
      --config=FILE   the configuration (else $ARCHD_CONFIG, else /etc/archd/archd.toml if there is one)
      --lmtp=ADDR     listen for LMTP on unix:PATH or inet:HOST:PORT (port 0: any); may be given again
      --smtp=ADDR     listen for SMTP
      --milter=ADDR   listen for the milter protocol
      --http=ADDR     serve the page, the API and the assistant's endpoint there; none: nowhere
                      (none of the three given: the configured ones, by default LMTP on inet:127.0.0.1:2424 and the
                      milter protocol on inet:127.0.0.1:2425; --http not given: the configured one, by default inet:127.0.0.1:8025)
      --help, --version

Once mail is taken it prints one line: ready lmtp=ADDR milter=ADDR http=ADDR. SIGTERM and SIGINT stop it in good order: mail under way is
finished, the journal closed, then the engine ends. Log lines go to stderr.

Exit status: 0 stopped by a signal; 64 wrong usage; 65 archive.toml is damaged or newer than this program; 66 no archive
  here; 69 arch-capture is not to be found; 73 cannot listen or write there; 74 read or write error; 75 another engine has
  the archive; 77 no permission; 78 a mistake in the configuration
Example: archctl init /srv/mail && archd --archive=/srv/mail run
)";

int bad_usage(const std::string& what) {
  std::fprintf(stderr, "archd: %s — see archd --help\n", what.c_str());
  return EX_USAGE;
}

int run(int argc, char** argv) {
  enum { kArchive = 1, kConfig, kLmtp, kSmtp, kMilter, kHttp, kHelpFlag, kVersion };
  static const option kOptions[] = {{"archive", required_argument, nullptr, kArchive},
                                    {"config", required_argument, nullptr, kConfig},
                                    {"lmtp", required_argument, nullptr, kLmtp},
                                    {"smtp", required_argument, nullptr, kSmtp},
                                    {"milter", required_argument, nullptr, kMilter},
                                    {"http", required_argument, nullptr, kHttp},
                                    {"help", no_argument, nullptr, kHelpFlag},
                                    {"version", no_argument, nullptr, kVersion},
                                    {nullptr, 0, nullptr, 0}};
  Flags flags;
  for (int flag; (flag = getopt_long(argc, argv, "h", kOptions, nullptr)) != -1;) {
    switch (flag) {
      case kArchive:
        flags.archive = optarg;
        break;
      case kConfig:
        flags.config = optarg;
        break;
      case kLmtp:
        flags.lmtp.emplace_back(optarg);
        break;
      case kSmtp:
        flags.smtp.emplace_back(optarg);
        break;
      case kMilter:
        flags.milter.emplace_back(optarg);
        break;
      case kHttp:
        flags.http.emplace_back(optarg);
        break;
      case 'h':
      case kHelpFlag:
        std::fputs(kHelp, stdout);
        return 0;
      case kVersion:
        std::printf("archd %s\n", ARCH_VERSION);
        return 0;
      default:
        return EX_USAGE;  // getopt has said why
    }
  }
  if (argc - optind != 1)
    return bad_usage(argc == optind ? "run or engine is wanted" : "one of run and engine is wanted");
  const std::string command = argv[optind];
  if (command != "run" && command != "engine") return bad_usage("unknown command \"" + command + "\"");

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
  if (command == "run" && flags.configuration.capture_managed && flags.lmtp.empty() && flags.smtp.empty() &&
      flags.milter.empty())
    return bad_usage("no listener is given or configured: nothing would take mail");

  auto archive = read_archive_file(Fs::real(), flags.archive);
  if (!archive) {
    std::fprintf(stderr, "archd: %s\n", describe(archive.error()).c_str());
    return exit_status(archive.error());
  }
  if (auto mine = check_no_backup(Fs::real(), flags.archive); !mine) {
    std::fprintf(stderr, "archd: %s\n", describe(mine.error()).c_str());
    return exit_status(mine.error());
  }
  return command == "run" ? run_supervisor(flags) : run_engine(flags);
}

}  // namespace
}  // namespace arch::daemon

int main(int argc, char** argv) {
  arch::tool::return_memory_when_freed();
  return arch::daemon::run(argc, argv);
}
