#include "tools/common/terminal.h"

#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <clocale>
#include <cstdlib>
#include <cstring>

#include "tools/common/text.h"

namespace arch::tool {
namespace {

constexpr UnixNs kRedraw = kNsPerSecond / 10;

}  // namespace

Terminal Terminal::of(std::FILE* stream) {
  Terminal terminal;
  int fd = fileno(stream);
  const char* term = std::getenv("TERM");
  bool dumb = term == nullptr || *term == '\0' || std::strcmp(term, "dumb") == 0;
  terminal.interactive = isatty(fd) == 1 && !dumb;
  const char* no_color = std::getenv("NO_COLOR");
  terminal.colour = terminal.interactive && (no_color == nullptr || *no_color == '\0');
  winsize size{};
  if (terminal.interactive && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) terminal.columns = size.ws_col;
  if (const char* columns = std::getenv("COLUMNS")) {
    long value = std::strtol(columns, nullptr, 10);
    if (value >= 20 && value <= 1000) terminal.columns = static_cast<size_t>(value);
  }
  return terminal;
}

std::string paint(const Terminal& terminal, Style style, std::string_view text) {
  if (!terminal.colour || style == Style::kPlain || text.empty()) return std::string(text);
  const char* code = style == Style::kBold     ? "1"
                     : style == Style::kDim    ? "2"
                     : style == Style::kRed    ? "31"
                     : style == Style::kGreen  ? "32"
                     : style == Style::kYellow ? "33"
                                               : "36";
  return std::string("\x1b[") + code + "m" + std::string(text) + "\x1b[0m";
}

std::string bar(double share, size_t cells, bool utf8) {
  share = std::clamp(share, 0.0, 1.0);
  auto full = static_cast<size_t>(share * static_cast<double>(cells) + 0.5);
  std::string out;
  for (size_t i = 0; i < cells; ++i) out += i < full ? (utf8 ? "█" : "#") : (utf8 ? "░" : ".");
  return out;
}

bool locale_is_utf8() {
  // A program that has not called setlocale() is in the "C" locale: ask what the environment wants.
  static const bool utf8 = [] {
    std::setlocale(LC_CTYPE, "");
    return std::strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
  }();
  return utf8;
}

ProgressLine::ProgressLine() : terminal_(Terminal::of(stderr)), utf8_(locale_is_utf8()) {}
ProgressLine::~ProgressLine() { clear(); }

void ProgressLine::update(std::string_view text, uint64_t done, uint64_t total, bool bytes) {
  if (!terminal_.interactive) return;
  UnixNs now = Clock::system().now();
  if (phase_ != text) {
    phase_ = text;
    began_ = now;
    last_ = 0;
    first_done_ = done;
  }
  if (now < last_ + kRedraw && done != total) return;
  last_ = now;
  double seconds = std::max(0.001, static_cast<double>(now - began_) / 1e9);
  double rate = static_cast<double>(done - std::min(done, first_done_)) / seconds;
  auto amount = [bytes](uint64_t n) { return bytes ? size_text(n) : count_text(n); };
  std::string right;
  if (total > 0) {
    double share = static_cast<double>(std::min(done, total)) / static_cast<double>(total);
    right = "[" + bar(share, 24, utf8_) + "] " + std::to_string(static_cast<int>(share * 100)) + " %  " +
            amount(done) + " of " + amount(total);
  } else {
    right = amount(done);
  }
  if (seconds > 0.5 && rate > 0) {
    right += "  " + amount(static_cast<uint64_t>(rate)) + "/s";
    if (total > done)
      right += "  " + duration_text(static_cast<uint64_t>(static_cast<double>(total - done) / rate)) + " left";
  }
  draw(phase_ + "  " + right);
}

void ProgressLine::draw(const std::string& line) {
  std::fprintf(stderr, "\r\x1b[K%s", fit(line, terminal_.columns - 1).c_str());
  std::fflush(stderr);
  drawn_ = true;
}

void ProgressLine::clear() {
  if (!drawn_) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
  drawn_ = false;
}

void ProgressLine::note(const std::string& line) {
  clear();
  std::fprintf(stderr, "%s\n", line.c_str());
}

}  // namespace arch::tool
