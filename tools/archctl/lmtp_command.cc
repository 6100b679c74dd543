// archctl lmtp-send: one message to an LMTP listener, as Postfix hands it over (RFC 2033), for trying out a set-up.
#include <sysexits.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "tools/archctl/command.h"
#include "tools/common/text.h"
#include "tools/mail/client.h"

namespace arch::ctl {

int run_lmtp_send(const Invocation& invocation) {
  const std::string& address = invocation.arguments[0];
  const std::string& path = invocation.arguments[1];
  std::ifstream in(path == "-" ? "/dev/stdin" : path, std::ios::binary);
  std::stringstream text;
  if (in) text << in.rdbuf();
  if (!in || in.bad()) return complain(std::move(fail(Code::kNotFound, path + " is not readable")).value());
  for (const char* option : {"from", "to"})
    if (invocation.value(option).find_first_of("<>\r\n ") != std::string::npos)
      return usage_error(std::string("--") + option + " is no address", "lmtp-send");
  auto reply =
      mail::send(address, mail::Protocol::kLmtp,
                 {invocation.value("from"), {invocation.value("to", "archive@archive.invalid")}}, text.str());
  if (!reply) {
    int status = complain(reply.error());
    return reply.error().code == Code::kTryAgain || reply.error().code == Code::kUsage ? status : EX_UNAVAILABLE;
  }
  std::printf("%s\n", tool::printable(*reply).c_str());
  return 0;
}

}  // namespace arch::ctl
