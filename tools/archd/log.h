// Log lines of archd on stderr: "2026-11-25T03:34:56Z info archd: …". Never content of a mail, never an address.
#pragma once

#include <string>

namespace arch::daemon {

/// `level` is "info", "warn" or "error". Any thread; one write per line.
void log(const std::string& level, const std::string& line);

}  // namespace arch::daemon
