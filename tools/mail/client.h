// A client of SMTP (RFC 5321) and LMTP (RFC 2033): one message to one server, as a program that has little mail sends it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace arch::mail {

enum class Protocol : uint8_t { kSmtp, kLmtp };

struct Envelope {
  std::string from;  ///< without <>; empty: the null reverse path
  std::vector<std::string> to;
};

/// `address` is unix:PATH or inet:HOST:PORT. Lone LF becomes CRLF, dots are doubled. Waits at most a minute for each reply.
/// Gives the server's last reply: it has the message. Errors: kUsage (no address; a recipient with control characters),
/// kTryAgain (the server refused; `what` has its words), kIo, kNotFound (no server there).
Result<std::string> send(const std::string& address, Protocol protocol, const Envelope& envelope,
                         std::string_view message);

/// Hands the message to a program with the command line of sendmail(1): PATH -i -f FROM -- TO…. Waits at most a minute.
/// Errors: kNotFound, kDenied (no such program), kIo (it ended with another status than 0, or not at all).
Result<void> run_sendmail(const std::string& path, const Envelope& envelope, std::string_view message);

}  // namespace arch::mail
