#include "tools/arch-capture/options.h"

#include <getopt.h>

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "engine/base/limits.h"

namespace arch::capture {

namespace {

constexpr const char* kHelp =
    R"(Usage: arch-capture --archive DIR --lmtp ADDR [OPTION]...

Take mail over LMTP or SMTP and keep it in the journal of the archive DIR. A message is answered 250 only when it is on
disk. `archd run` starts this program by itself; alone it goes on taking mail while the engine is stopped.

      --archive=DIR          the archive, made by `archctl init DIR`
      --lmtp=ADDR            listen for LMTP on unix:PATH or inet:HOST:PORT (port 0: any)
      --smtp=ADDR            listen for SMTP
      --peer=NETWORK         who may connect over TCP: an address or a block, e.g. 10.0.0.0/8; may be given again
                             (default: this machine)
      --message-limit=BYTES  larger messages are answered 452 (default and most: 256M; K, M, G are understood)
      --reserve=BYTES        answer 452 when less than this is free on the disk (default: 2G)
      --max-connections=N    answer 421 above (default: 200)
      --ready-fd=N           write the ready line to this descriptor too
      --log-json             log one JSON object per line
      --help, --version

When it listens it prints one line: ready lmtp=ADDR smtp=ADDR. SIGTERM finishes what is under way, closes the journal file
and ends. Log lines go to stderr.

Exit status: 0 ended by a signal, everything written; 64 wrong usage; 66 no archive in DIR; 71 the system refused something;
  73 cannot listen or write there; 74 input/output error; 77 no permission; 78 the archive's archive.toml is damaged or newer
)";

Result<uint64_t> parse_bytes(const std::string& text) {
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  unsigned shift = unit == "K" ? 10 : unit == "M" ? 20 : unit == "G" ? 30 : 0;
  if (error != std::errc() || (shift == 0 && !unit.empty()) || value > (UINT64_MAX >> shift))
    return fail(Code::kUsage, "\"" + text + "\" is no number of bytes", "write for example 52428800 or 50M");
  return value << shift;
}

}  // namespace

Result<std::optional<Flags>> parse(int argc, char** argv) {
  enum { kArchive = 1, kLmtp, kSmtp, kPeer, kLimit, kReserve, kConnections, kReadyFd, kJson, kHelpFlag, kVersion };
  static const option kOptions[] = {{"archive", required_argument, nullptr, kArchive},
                                    {"lmtp", required_argument, nullptr, kLmtp},
                                    {"smtp", required_argument, nullptr, kSmtp},
                                    {"peer", required_argument, nullptr, kPeer},
                                    {"message-limit", required_argument, nullptr, kLimit},
                                    {"reserve", required_argument, nullptr, kReserve},
                                    {"max-connections", required_argument, nullptr, kConnections},
                                    {"ready-fd", required_argument, nullptr, kReadyFd},
                                    {"log-json", no_argument, nullptr, kJson},
                                    {"help", no_argument, nullptr, kHelpFlag},
                                    {"version", no_argument, nullptr, kVersion},
                                    {nullptr, 0, nullptr, 0}};
  constexpr const char* kHint = "see arch-capture --help";
  Flags flags;
  for (int flag; (flag = getopt_long(argc, argv, "", kOptions, nullptr)) != -1;) {
    std::string value = optarg != nullptr ? optarg : "";
    switch (flag) {
      case kArchive:
        flags.archive = value;
        break;
      case kLmtp: {
        ARCH_TRY(flags.lmtp, smtp::Address::parse(value));
        break;
      }
      case kSmtp: {
        ARCH_TRY(flags.smtp, smtp::Address::parse(value));
        break;
      }
      case kPeer: {
        ARCH_TRY(auto network, smtp::Network::parse(value));
        flags.server.peers.push_back(network);
        break;
      }
      case kLimit: {
        ARCH_TRY(flags.server.session.message_bytes, parse_bytes(value));
        if (flags.server.session.message_bytes > limits::kMessageBytes)
          return fail(Code::kUsage, "--message-limit is over 256M, the most that an archive takes", kHint);
        break;
      }
      case kReserve: {
        ARCH_TRY(flags.reserve_bytes, parse_bytes(value));
        break;
      }
      case kConnections: {
        ARCH_TRY(flags.server.max_connections, parse_bytes(value));
        if (flags.server.max_connections < 1 || flags.server.max_connections > 100'000)
          return fail(Code::kUsage, "--max-connections wants a number from 1 to 100000", kHint);
        break;
      }
      case kReadyFd: {
        ARCH_TRY(auto number, parse_bytes(value));
        flags.ready_fd = static_cast<int>(std::min<uint64_t>(number, INT32_MAX));
        break;
      }
      case kJson:
        flags.log_json = true;
        break;
      case kHelpFlag:
        std::fputs(kHelp, stdout);
        return std::optional<Flags>();
      case kVersion:
        std::puts("arch-capture " ARCH_VERSION);
        return std::optional<Flags>();
      default:
        return fail(Code::kUsage, "wrong usage", kHint);  // getopt_long has named the option
    }
  }
  if (optind < argc) return fail(Code::kUsage, std::string("unexpected argument ") + argv[optind], kHint);
  if (flags.archive.empty()) return fail(Code::kUsage, "--archive is missing", kHint);
  if (!flags.lmtp && !flags.smtp) return fail(Code::kUsage, "neither --lmtp nor --smtp is given", kHint);
  for (const auto& address : {flags.lmtp, flags.smtp})
    if (address && !address->is_loopback() && flags.server.peers.empty())
      return fail(Code::kUsage, address->text() + " is reachable from other machines",
                  "say with --peer which of them may connect");
  for (const char* own : {"127.0.0.0/8", "::1"}) {
    ARCH_TRY(auto network, smtp::Network::parse(own));
    flags.server.peers.push_back(network);
  }
  return std::optional<Flags>(std::move(flags));
}

}  // namespace arch::capture
