// archctl, as a person or a script starts it. When archd runs on the archive, the commands that only read and are wanted often
// (Command::asks) are carried out there, where the archive is open; everything else, and whatever is not plain, is done by
// archctl-full, which this process then becomes. Its own start is most of what an answer takes, so it is linked with little.
#include <sysexits.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "tools/archctl/command_line.h"
#include "tools/ask/client.h"
#include "tools/ask/where.h"
#include "tools/common/terminal.h"

namespace arch::ask {
namespace {

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

Screen screen_of(std::FILE* stream) {
  const tool::Terminal terminal = tool::Terminal::of(stream);
  return {terminal.interactive, terminal.colour, static_cast<uint32_t>(terminal.columns)};
}

/// What keeps a command line from being asked of archd, or the answer.
Result<Printed> answer_of(std::vector<std::string> typed) {
  ARCH_TRY(const ctl::Words words, ctl::parse(typed));
  const auto here = [](const char* why) { return fail(Code::kUsage, why); };
  if (words.command == nullptr || !words.command->asks) return here("not a command that archd carries out");
  for (const char* option : {"help", "version", "direct"})
    if (words.has(option)) return here("an option that is for this program");
  if (words.arguments.size() < words.command->least_arguments ||
      words.arguments.size() > words.command->most_arguments)
    return here("a mistake in the command line");
  if (is_set("TZDIR")) return here("TZDIR is set: time zones of another place");
  Request request;
  std::optional<std::string> config = config_text(words);
  if (!config) return here("the configuration is not plain");
  request.config = std::move(*config);
  const char* environment = std::getenv("ARCHIVE");
  request.archive_is_configured = ctl::archive_is_configured(words, environment);
  if (request.archive_is_configured) {
    std::optional<std::string> directory = plain_data_dir(request.config);
    if (!directory) return here("archive.data_dir is not plain");
    request.data_dir = std::move(*directory);
  }
  const std::string archive = ctl::archive_of(words, environment, request.data_dir);
  if (archive.empty()) return here("no archive");
  request.version = ARCH_VERSION;
  request.words = std::move(typed);
  request.out = screen_of(stdout);
  request.err = screen_of(stderr);
  return ask(archive, request);
}

/// Beside this program, as in a build, or where it is installed.
[[noreturn]] void become_full(char** argv) {
  std::string own(PATH_MAX, '\0');
  const ssize_t size = ::readlink("/proc/self/exe", own.data(), own.size());
  own.resize(size > 0 ? static_cast<size_t>(size) : 0);
  if (own.empty()) own = argv[0];
  const std::string folder = own.substr(0, own.rfind('/') + 1);
  const std::string beside = folder + "archctl-full", installed = folder + "../" ARCH_LIBEXEC "/archctl-full";
  ::execv(beside.c_str(), argv);
  if (errno == ENOENT) ::execv(installed.c_str(), argv);
  std::fprintf(stderr, "archctl: cannot start %s: %s\n", installed.c_str(), std::strerror(errno));
  ::_exit(EX_UNAVAILABLE);
}

int run(int argc, char** argv) {
  auto printed = answer_of(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
  if (is_set("ARCHCTL_EXPLAIN"))
    std::fprintf(stderr, "archctl: %s\n",
                 printed ? "archd answered" : ("done here: " + describe(printed.error())).c_str());
  if (!printed) become_full(argv);
  auto written = printed->write();
  if (!written) {
    std::fprintf(stderr, "archctl: %s\n", describe(written.error()).c_str());
    return EX_IOERR;
  }
  return tool::finish("archctl", printed->answer.status);
}

}  // namespace
}  // namespace arch::ask

int main(int argc, char** argv) { return arch::ask::run(argc, argv); }
