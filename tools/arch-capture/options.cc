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

Take mail over LMTP, SMTP or the milter protocol and keep it in the journal of the archive DIR. A message is answered 250, or
accepted, only when it is on disk. `archd run` starts this program by itself; alone it goes on taking mail while the engine is stopped.

      --archive=DIR          the archive, made by `archctl init DIR`
      --lmtp=ADDR            listen for LMTP on unix:PATH or inet:HOST:PORT (port 0: any); may be given again
      --smtp=ADDR            listen for SMTP
      --milter=ADDR          listen for the milter protocol
      --peer=NETWORK         who may connect over TCP: an address or a block, e.g. 10.0.0.0/8; may be given again
                             (default: this machine)
      --message-limit=BYTES  larger messages are answered 452 (default and most: 256M; K, M, G are understood)
      --reserve=BYTES        answer 452 when less than this is free on the disk (default: 2G)
      --max-connections=N    answer 421 above (default: 200)
      --accept-rcpt=PATTERN  recipients taken over LMTP and SMTP, * for any run of characters; others are answered 550; may
                             be given again (default: *)
      --max-rcpt=N           recipients of one message (default and most: 10000)
      --reject-bare-newline  answer 554 to content with a CR or LF alone instead of keeping it as it is
      --reject-oversize      answer 552 instead of 452 to a message over the limit: a copy by always_bcc is then lost
      --ready-fd=N           write the ready line to this descriptor too
      --log-json             log one JSON object per line
      --log-level=LEVEL      the least that is logged: info, warn, error (default info)
      --help, --version

When it listens it prints one line: ready lmtp=ADDR smtp=ADDR milter=ADDR. SIGTERM finishes what is under way, closes the journal file
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
  enum {
    kArchive = 1,
    kLmtp,
    kSmtp,
    kMilter,
    kPeer,
    kLimit,
    kReserve,
    kConnections,
    kAccept,
    kRecipients,
    kBareNewline,
    kOversize,
    kReadyFd,
    kJson,
    kLevel,
    kHelpFlag,
    kVersion
  };
  static const option kOptions[] = {{"archive", required_argument, nullptr, kArchive},
                                    {"lmtp", required_argument, nullptr, kLmtp},
                                    {"smtp", required_argument, nullptr, kSmtp},
                                    {"milter", required_argument, nullptr, kMilter},
                                    {"peer", required_argument, nullptr, kPeer},
                                    {"message-limit", required_argument, nullptr, kLimit},
                                    {"reserve", required_argument, nullptr, kReserve},
                                    {"max-connections", required_argument, nullptr, kConnections},
                                    {"accept-rcpt", required_argument, nullptr, kAccept},
                                    {"max-rcpt", required_argument, nullptr, kRecipients},
                                    {"reject-bare-newline", no_argument, nullptr, kBareNewline},
                                    {"reject-oversize", no_argument, nullptr, kOversize},
                                    {"ready-fd", required_argument, nullptr, kReadyFd},
                                    {"log-json", no_argument, nullptr, kJson},
                                    {"log-level", required_argument, nullptr, kLevel},
                                    {"help", no_argument, nullptr, kHelpFlag},
                                    {"version", no_argument, nullptr, kVersion},
                                    {nullptr, 0, nullptr, 0}};
  constexpr const char* kHint = "see arch-capture --help";
  Flags flags;
  std::vector<std::string> accepted;
  for (int flag; (flag = getopt_long(argc, argv, "", kOptions, nullptr)) != -1;) {
    std::string value = optarg != nullptr ? optarg : "";
    switch (flag) {
      case kArchive:
        flags.archive = value;
        break;
      case kLmtp:
      case kSmtp:
      case kMilter: {
        ARCH_TRY(auto address, ingest::Address::parse(value));
        if (flag == kLmtp && !address.is_unix() && address.port == 25)
          return fail(Code::kUsage, "LMTP must not be offered on TCP port 25 (RFC 2033)",
                      "choose another port, say 2424");
        (flag == kLmtp ? flags.lmtp : flag == kSmtp ? flags.smtp : flags.milter).push_back(std::move(address));
        break;
      }
      case kAccept:
        accepted.push_back(value);
        break;
      case kRecipients: {
        ARCH_TRY(flags.smtp_session.max_recipients, parse_bytes(value));
        if (flags.smtp_session.max_recipients < 100 || flags.smtp_session.max_recipients > limits::kMaxRecipients)
          return fail(Code::kUsage, "--max-rcpt wants a number from 100 to 10000 (RFC 5321 asks for 100)", kHint);
        flags.milter_session.max_recipients = flags.smtp_session.max_recipients;
        break;
      }
      case kBareNewline:
        flags.smtp_session.reject_bare_newline = true;
        break;
      case kOversize:
        flags.smtp_session.reject_oversize = true;
        break;
      case kPeer: {
        ARCH_TRY(auto network, ingest::Network::parse(value));
        flags.server.peers.push_back(network);
        break;
      }
      case kLimit: {
        ARCH_TRY(flags.smtp_session.message_bytes, parse_bytes(value));
        if (flags.smtp_session.message_bytes > limits::kMessageBytes)
          return fail(Code::kUsage, "--message-limit is over 256M, the most that an archive takes", kHint);
        flags.milter_session.message_bytes = flags.smtp_session.message_bytes;
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
      case kLevel:
        flags.log_level = optarg;
        if (flags.log_level != "info" && flags.log_level != "warn" && flags.log_level != "error")
          return fail(Code::kUsage, "--log-level is info, warn or error");
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
  if (flags.lmtp.empty() && flags.smtp.empty() && flags.milter.empty())
    return fail(Code::kUsage, "none of --lmtp, --smtp and --milter is given", kHint);
  for (const auto* addresses : {&flags.lmtp, &flags.smtp, &flags.milter})
    for (const ingest::Address& address : *addresses)
      if (!address.is_loopback() && flags.server.peers.empty())
        return fail(Code::kUsage, address.text() + " is reachable from other machines",
                    "say with --peer which of them may connect");
  if (!accepted.empty()) flags.smtp_session.accept_recipients = std::move(accepted);
  for (const char* own : {"127.0.0.0/8", "::1"}) {
    ARCH_TRY(auto network, ingest::Network::parse(own));
    flags.server.peers.push_back(network);
  }
  return std::optional<Flags>(std::move(flags));
}

}  // namespace arch::capture
