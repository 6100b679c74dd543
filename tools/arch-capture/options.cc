#include "tools/arch-capture/options.h"

#include <getopt.h>

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "engine/base/limits.h"
#include "tools/arch-capture/program.h"

namespace arch::capture {

namespace {

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
  constexpr const char* kHint = "see arch-capture --help";
  Flags flags;
  std::vector<std::string> accepted;
  const std::vector<::option> options = tool::long_options(program().options);
  for (int flag; (flag = getopt_long(argc, argv, "", options.data(), nullptr)) != -1;) {
    const std::string_view name = tool::option_name(program().options, flag);
    std::string value = optarg != nullptr ? optarg : "";
    if (name == "archive") {
      flags.archive = value;
    } else if (name == "lmtp" || name == "smtp" || name == "milter") {
      ARCH_TRY(auto address, ingest::Address::parse(value));
      if (name == "lmtp" && !address.is_unix() && address.port == 25)
        return fail(Code::kUsage, "LMTP must not be offered on TCP port 25 (RFC 2033)",
                    "choose another port, say 2424");
      (name == "lmtp" ? flags.lmtp : name == "smtp" ? flags.smtp : flags.milter).push_back(std::move(address));
    } else if (name == "accept-rcpt") {
      accepted.push_back(value);
    } else if (name == "max-rcpt") {
      ARCH_TRY(flags.smtp_session.max_recipients, parse_bytes(value));
      if (flags.smtp_session.max_recipients < 100 || flags.smtp_session.max_recipients > limits::kMaxRecipients)
        return fail(Code::kUsage, "--max-rcpt wants a number from 100 to 10000 (RFC 5321 asks for 100)", kHint);
      flags.milter_session.max_recipients = flags.smtp_session.max_recipients;
    } else if (name == "reject-bare-newline") {
      flags.smtp_session.reject_bare_newline = true;
    } else if (name == "reject-oversize") {
      flags.smtp_session.reject_oversize = true;
    } else if (name == "peer") {
      ARCH_TRY(auto network, ingest::Network::parse(value));
      flags.server.peers.push_back(network);
    } else if (name == "message-limit") {
      ARCH_TRY(flags.smtp_session.message_bytes, parse_bytes(value));
      if (flags.smtp_session.message_bytes > limits::kMessageBytes)
        return fail(Code::kUsage, "--message-limit is over 256M, the most that an archive takes", kHint);
      flags.milter_session.message_bytes = flags.smtp_session.message_bytes;
    } else if (name == "reserve") {
      ARCH_TRY(flags.reserve_bytes, parse_bytes(value));
    } else if (name == "max-connections") {
      ARCH_TRY(flags.server.max_connections, parse_bytes(value));
      if (flags.server.max_connections < 1 || flags.server.max_connections > 100'000)
        return fail(Code::kUsage, "--max-connections wants a number from 1 to 100000", kHint);
    } else if (name == "ready-fd") {
      ARCH_TRY(auto number, parse_bytes(value));
      flags.ready_fd = static_cast<int>(std::min<uint64_t>(number, INT32_MAX));
    } else if (name == "log-json") {
      flags.log_json = true;
    } else if (name == "log-level") {
      flags.log_level = value;
      if (value != "info" && value != "warn" && value != "error")
        return fail(Code::kUsage, "--log-level is info, warn or error", kHint);
    } else if (name == "help") {
      std::fputs(tool::help_of(program()).c_str(), stdout);
      return std::optional<Flags>();
    } else if (name == "version") {
      std::puts("arch-capture " ARCH_VERSION);
      return std::optional<Flags>();
    } else {
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
