#include "tools/archd/log.h"

#include <unistd.h>

#include "engine/base/clock.h"
#include "tools/common/text.h"

namespace arch::daemon {

void log(const std::string& level, const std::string& line) {
  std::string text = format_rfc3339(Clock::system().now()) + " " + level + " archd: " + tool::printable(line) + "\n";
  // A log that cannot be written must not stop the archive; there is nobody left to tell.
  ssize_t ignored = ::write(STDERR_FILENO, text.data(), text.size());
  static_cast<void>(ignored);
}

}  // namespace arch::daemon
