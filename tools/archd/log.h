// Log lines of archd on stderr: "2026-11-25T03:34:56Z info archd: …", or one JSON object each. Never content of a mail, never an
// address.
#pragma once

#include <string>

namespace arch::daemon {

/// How lines look from now on, and the least that is told: "info", "warn" or "error". Before threads start.
void set_log(bool json, const std::string& least_level);

/// `level` is "info", "warn" or "error". Any thread; one write per line.
void log(const std::string& level, const std::string& line);

}  // namespace arch::daemon
