#include "engine/mime/subject.h"

#include <algorithm>
#include <array>

#include "engine/base/ascii.h"

namespace arch::mime {
namespace {

constexpr std::array<std::string_view, 17> kMarks = {"re",   "r\u00e9", "rep", "r\u00e9p", "r\u00e9f", "tr",
                                                     "fw",   "fwd",     "aw",  "wg",       "sv",       "vs",
                                                     "antw", "rif",     "ri",  "res",      "rv"};
constexpr std::string_view kWideBlanks[] = {"\u00a0", "\u202f"};

size_t blank(std::string_view text) {
  if (text.empty()) return 0;
  if (text[0] == ' ' || text[0] == '\t') return 1;
  for (std::string_view wide : kWideBlanks)
    if (text.substr(0, wide.size()) == wide) return wide.size();
  return 0;
}

void skip_blanks(std::string_view* text) {
  while (size_t size = blank(*text)) text->remove_prefix(size);
}

// "Re:", "RE :", "Re[2]:", "Re(2):". Upper-case accented letters are rare in marks; both cases of é are known.
bool take_mark(std::string_view* text) {
  for (std::string_view mark : kMarks) {
    if (text->size() <= mark.size()) continue;
    std::string head = ascii_lower(text->substr(0, mark.size()));
    if (const size_t at = head.find("\u00c9"); at != std::string::npos) head.replace(at, 2, "\u00e9");
    if (head != mark) continue;
    std::string_view rest = text->substr(mark.size());
    skip_blanks(&rest);
    if (!rest.empty() && (rest[0] == '[' || rest[0] == '(')) {
      const size_t close = rest.find(rest[0] == '[' ? ']' : ')');
      if (close == std::string_view::npos || close > 4) continue;
      rest.remove_prefix(close + 1);
      skip_blanks(&rest);
    }
    if (rest.empty() || rest[0] != ':') continue;
    *text = rest.substr(1);
    return true;
  }
  return false;
}

bool take_list_name(std::string_view* text) {
  if (text->empty() || (*text)[0] != '[') return false;
  const size_t close = text->find(']');
  if (close == std::string_view::npos || close > 40 || close + 1 == text->size()) return false;
  text->remove_prefix(close + 1);
  return true;
}

}  // namespace

BaseSubject base_subject(std::string_view subject) {
  BaseSubject out;
  for (;;) {
    skip_blanks(&subject);
    if (take_mark(&subject)) {
      out.reply = true;
    } else if (!take_list_name(&subject)) {
      break;
    }
  }
  while (!subject.empty()) {
    if (const size_t size = blank(subject)) {
      subject.remove_prefix(size);
      if (!out.text.empty() && out.text.back() != ' ') out.text += ' ';
      continue;
    }
    out.text += ascii_lower(subject.front());
    subject.remove_prefix(1);
  }
  if (!out.text.empty() && out.text.back() == ' ') out.text.pop_back();
  return out;
}

}  // namespace arch::mime
