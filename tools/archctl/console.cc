#include "tools/archctl/console.h"

#include <sysexits.h>

#include <cstdio>

#include "query/api/api.h"
#include "tools/common/text.h"

namespace arch::ctl {
namespace {

class ProcessConsole : public Console {
 public:
  ProcessConsole() {
    out = tool::Terminal::of(stdout);
    err = tool::Terminal::of(stderr);
  }
  void print(std::string_view text) override { std::fwrite(text.data(), 1, text.size(), stdout); }
  void say(std::string_view text) override { std::fwrite(text.data(), 1, text.size(), stderr); }
};

void tell_in_json(Console& console, const Error& error) {
  if (!console.errors_in_json) return;
  console.errors_in_json = false;
  console.print(api::error_json(error));
}

}  // namespace

Console& process_console() {
  static ProcessConsole console;
  return console;
}

int exit_status(const Error& error) {
  switch (error.code) {
    case Code::kNotFound:
      return EX_NOINPUT;
    case Code::kExists:
      return EX_CANTCREAT;
    case Code::kInvalid:
    case Code::kTooLarge:
    case Code::kCorrupt:
    case Code::kTooNew:
      return EX_DATAERR;
    case Code::kTryAgain:
      return EX_TEMPFAIL;
    case Code::kFull:
    case Code::kIo:
      return EX_IOERR;
    case Code::kUsage:
      return EX_USAGE;
    case Code::kDenied:
      return EX_NOPERM;
  }
  return EX_SOFTWARE;
}

int complain(Console& console, const Error& error) {
  console.failed(error);
  tell_in_json(console, error);
  console.say("archctl: " + tool::paint(console.err, tool::Style::kRed, tool::printable(error.what)) +
              (error.hint.empty() ? "" : " — " + tool::printable(error.hint)) + "\n");
  return exit_status(error);
}
int complain(const Error& error) { return complain(process_console(), error); }

int usage_error(Console& console, const std::string& what, const std::string& command) {
  const std::string help = "see archctl " + command + (command.empty() ? "" : " ") + "--help";
  const Error error{Code::kUsage, what, help};
  console.failed(error);
  tell_in_json(console, error);
  console.say("archctl: " + tool::printable(what) + " — " + help + "\n");
  return EX_USAGE;
}
int usage_error(const std::string& what, const std::string& command) {
  return usage_error(process_console(), what, command);
}

}  // namespace arch::ctl
