// Text that third parties wrote, so shown that nobody takes it for anything else: between fence lines with a mark that is drawn for
// each answer, each line with "| " in front; signs that hide or turn text made visible and counted.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace arch::mcp {

/// One answer. One thread.
class Fence {
 public:
  /// 16 hex digits, drawn; avoid() draws again while `content` holds them.
  Fence();
  void avoid(std::string_view content);
  const std::string& nonce() const { return nonce_; }

  /// Invisible and turning characters (bidirectional controls, zero width, tag characters, C0 and C1 but line feed and tab) as
  /// \u{…}; invalid UTF-8 as U+FFFD. Counted.
  std::string clean(std::string_view text);
  /// "<<MAIL nonce kind>>", the cleaned text's lines with "| " in front, "<<END nonce>>". Counts nothing: the answer's values hold
  /// the same text.
  std::string fenced(std::string_view kind, std::string_view text);
  uint64_t hidden_characters() const { return hidden_; }

 private:
  void draw();
  std::string nonce_;
  uint64_t hidden_ = 0;
};

}  // namespace arch::mcp
