// What the program may assume of the terminal: colour, width, a line that is drawn again and again.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "engine/base/clock.h"

namespace arch::tool {

/// Of one stream. Colour and progress only on a terminal; NO_COLOR (no-color.org) and TERM=dumb switch colour off; COLUMNS
/// overrides the width the terminal states.
struct Terminal {
  bool interactive = false;
  bool colour = false;
  size_t columns = 80;
  static Terminal of(std::FILE* stream);
};

enum class Style : unsigned char { kPlain, kBold, kDim, kRed, kGreen, kYellow, kCyan };
/// The text in that style, or as it is without colour.
std::string paint(const Terminal& terminal, Style style, std::string_view text);

/// A bar of filled and empty cells; ASCII unless the locale speaks UTF-8.
std::string bar(double share, size_t cells, bool utf8);
bool locale_is_utf8();

/// One line on stderr that is drawn again at most 10 times a second; nothing at all when stderr is no terminal. One thread.
class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine();  ///< clears it
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  /// `done` of `total` (0: unknown) units of work; `text` stands before the bar. Adds rate and time left from what was done
  /// since the first call.
  void update(std::string_view text, uint64_t done, uint64_t total, bool bytes);
  void clear();
  /// Writes a line to stderr above the bar.
  void note(const std::string& line);
  bool shown() const { return terminal_.interactive; }

 private:
  void draw(const std::string& line);
  Terminal terminal_;
  bool utf8_;
  bool drawn_ = false;
  UnixNs began_ = 0, last_ = 0;
  uint64_t first_done_ = 0;
  std::string phase_;
};

}  // namespace arch::tool
