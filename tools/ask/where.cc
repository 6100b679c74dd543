#include "tools/ask/where.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "tools/ask/descriptor.h"
#include "tools/ask/wire.h"
#include "tools/config/config.h"

namespace arch::ask {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

// "…" or '…' without anything special inside, and at most a comment behind.
std::optional<std::string> plain_string(std::string_view text) {
  if (text.empty() || (text[0] != '"' && text[0] != '\'')) return std::nullopt;
  const size_t end = text.find(text[0], 1);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view behind = trimmed(text.substr(end + 1));
  const std::string_view inside = text.substr(1, end - 1);
  if ((!behind.empty() && behind[0] != '#') || inside.find('\\') != std::string_view::npos) return std::nullopt;
  return std::string(inside);
}

}  // namespace

std::optional<std::string> plain_data_dir(std::string_view toml) {
  if (toml.find("\"\"\"") != std::string_view::npos || toml.find("'''") != std::string_view::npos)
    return std::nullopt;  // a string of several lines may hold what looks like a key
  std::string found(config::kDefaultDataDir);
  bool inside = false, first_section = true;
  while (!toml.empty()) {
    const size_t end = toml.find('\n');
    const std::string_view line = trimmed(toml.substr(0, end));
    toml.remove_prefix(end == std::string_view::npos ? toml.size() : end + 1);
    if (line.empty() || line[0] == '#') continue;
    if (line[0] == '[') {
      const size_t close = line.find(']');
      const std::string_view behind = close == std::string_view::npos ? "?" : trimmed(line.substr(close + 1));
      inside = line.substr(0, close) == "[archive" && (behind.empty() || behind[0] == '#');
      if (!inside && line.find("archive") < line.find('#') && line.find("archive") < close) return std::nullopt;
      first_section = false;
      continue;
    }
    // Before the first section a key may have dots: archive.data_dir.
    if (first_section && line.find("archive") != std::string_view::npos) return std::nullopt;
    if (!inside) continue;
    const size_t equals = line.find('=');
    if (line.substr(0, equals).find("data_dir") == std::string_view::npos) continue;
    if (equals == std::string_view::npos || trimmed(line.substr(0, equals)) != "data_dir") return std::nullopt;
    auto value = plain_string(trimmed(line.substr(equals + 1)));
    if (!value) return std::nullopt;
    found = std::move(*value);
  }
  return found;
}

std::optional<std::string> config_text(const ctl::Words& words) {
  const config::File file = config::file_of(words.value("config"), std::getenv("ARCHD_CONFIG"));
  const Descriptor fd(::open(file.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) return errno == ENOENT && !file.wanted ? std::optional<std::string>("") : std::nullopt;
  struct stat info {};
  // What can be read once only is left to the program that reads it. /dev/null is an empty file.
  if (::fstat(fd.get(), &info) != 0 || (!S_ISREG(info.st_mode) && file.path != "/dev/null")) return std::nullopt;
  std::string text(kMaxConfigBytes + 1, '\0');
  size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(fd.get(), text.data() + size, text.size() - size);
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  if (size > kMaxConfigBytes) return std::nullopt;
  text.resize(size);
  return text;
}

}  // namespace arch::ask
