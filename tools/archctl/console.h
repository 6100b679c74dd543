// Where a command writes, and what it may assume of the other end: the process's own stdout and stderr, or those of somebody who
// asked archd to carry the command out.
#pragma once

#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "tools/common/terminal.h"

namespace arch::ctl {

/// One thread.
class Console {
 public:
  virtual ~Console() = default;
  virtual void print(std::string_view text) = 0;  ///< to stdout
  virtual void say(std::string_view text) = 0;    ///< to stderr
  /// An error that is about to be said.
  virtual void failed(const Error&) {}

  tool::Terminal out, err;  ///< what stands behind them
  /// With --json a script finds on stdout what went wrong, as error/1; the first error only, which is why the command ends.
  bool errors_in_json = false;
};

/// That of this process; `out` and `err` are looked at when it is first used.
Console& process_console();

// ── exit statuses (sysexits.h) ──
int exit_status(const Error& error);
/// "archctl: WHAT — HINT" on stderr; returns exit_status().
int complain(Console& console, const Error& error);
int complain(const Error& error);  ///< on process_console()
/// A complaint about the command line; returns 64.
int usage_error(Console& console, const std::string& what, const std::string& command = {});
int usage_error(const std::string& what, const std::string& command = {});  ///< on process_console()

}  // namespace arch::ctl
