#include "tools/archd/log.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "engine/base/clock.h"
#include "tools/common/text.h"

namespace arch::daemon {
namespace {

bool g_json = false;
int g_least = 0;

int rank(const std::string& level) { return level == "error" ? 2 : level == "warn" ? 1 : 0; }

}  // namespace

void set_log(bool json, const std::string& least_level) {
  g_json = json;
  g_least = rank(least_level);
}

void log(const std::string& level, const std::string& line) {
  if (rank(level) < g_least) return;
  const std::string time = format_rfc3339(Clock::system().now());
  std::string text;
  if (g_json)
    text = nlohmann::ordered_json({{"time", time}, {"level", level}, {"program", "archd"}, {"text", line}})
               .dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace) +
           "\n";
  else
    text = time + " " + level + " archd: " + tool::printable(line) + "\n";
  // A log that cannot be written must not stop the archive; there is nobody left to tell.
  ssize_t ignored = ::write(STDERR_FILENO, text.data(), text.size());
  static_cast<void>(ignored);
}

}  // namespace arch::daemon
