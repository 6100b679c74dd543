// Own words and quoted ones, by the marks that mail programs leave.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/ascii.h"

#include "query/extract/extract.h"

namespace arch::extract {

namespace {

constexpr size_t kIntroductionBytes = 400;  // a line that introduces a quotation is not longer
constexpr size_t kIntroductionLines = 3;    // over which a mail program may break it
constexpr size_t kHeaderLines = 5;          // of a quoted header block, in which its date must come

bool starts_with(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }
bool ends_with(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

// Blanks and stars (Outlook's bold in plain text) at both ends do not count; no-break spaces are blanks.
std::string plain(std::string_view line) {
  std::string out;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line.substr(i, 2) == "\xc2\xa0" || line.substr(i, 3) == "\xe2\x80\xaf") {
      out.push_back(' ');
      i += line[i] == '\xc2' ? 1 : 2;
    } else if (line[i] != '*') {
      out.push_back(line[i] == '\t' || line[i] == '\r' ? ' ' : line[i]);
    }
  }
  const size_t begin = out.find_first_not_of(' ');
  if (begin == std::string::npos) return {};
  return out.substr(begin, out.find_last_not_of(' ') - begin + 1);
}

template <size_t N>
bool begins_with_any(std::string_view line, const std::array<std::string_view, N>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](std::string_view prefix) { return starts_with(line, prefix); });
}

bool is_quoted_line(std::string_view line) {
  size_t i = 0;
  while (i < line.size() && i < 3 && line[i] == ' ') ++i;
  return i < line.size() && line[i] == '>';
}

// "-----Original Message-----": dashes or underlines, words, dashes.
bool is_separator(std::string_view line) {
  static constexpr std::array<std::string_view, 10> kWords = {
      "original message",          "message d'origine",      "message d’origine", "message original",
      "message transféré",         "forwarded message",      "message transmis",  "ursprüngliche nachricht",
      "weitergeleitete nachricht", "begin forwarded message"};
  if (line.size() > 120) return false;
  const std::string low = ascii_lower(line);
  if (starts_with(low, "begin forwarded message")) return true;
  if (low.empty() || (low[0] != '-' && low[0] != '_')) return false;
  return std::any_of(kWords.begin(), kWords.end(),
                     [&](std::string_view words) { return low.find(words) != std::string::npos; });
}

class Lines {
 public:
  explicit Lines(std::string_view body) : body_(body) {
    for (size_t at = 0; at < body.size();) {
      size_t end = body.find('\n', at);
      end = end == std::string_view::npos ? body.size() : end + 1;
      lines_.push_back(body.substr(at, end - at));
      at = end;
    }
  }
  size_t size() const { return lines_.size(); }
  std::string_view raw(size_t i) const { return lines_[i]; }
  std::string text(size_t i) const {
    return i < lines_.size() && lines_[i].size() <= kIntroductionBytes
               ? plain(lines_[i].substr(0, lines_[i].find_last_not_of("\r\n") + 1))
               : std::string();
  }

 private:
  std::string_view body_;
  std::vector<std::string_view> lines_;
};

// "On …, X wrote:", over up to three lines; the number of lines, 0 when it is none.
size_t introduction(const Lines& lines, size_t i) {
  static constexpr std::array<std::string_view, 6> kBegins = {"On ", "Le ", "Am ", "El ", "Il ", "Em "};
  static constexpr std::array<std::string_view, 8> kEnds = {
      "wrote:", "wrote :", "a écrit :", "a écrit:", "schrieb:", "escribió:", "ha scritto:", "escreveu:"};
  if (!begins_with_any(lines.text(i), kBegins)) return 0;
  for (size_t n = 0; n < kIntroductionLines && i + n < lines.size(); ++n) {
    const std::string line = lines.text(i + n);
    if (line.empty()) return 0;
    if (std::any_of(kEnds.begin(), kEnds.end(), [&](std::string_view end) { return ends_with(line, end); }))
      return n + 1;
    // "schrieb Name <a@b>:"
    if (line.find("schrieb ") != std::string::npos && ends_with(line, ":")) return n + 1;
  }
  return 0;
}

// Outlook's block: "From: …", soon "Sent: …".
bool is_header_block(const Lines& lines, size_t i) {
  static constexpr std::array<std::string_view, 6> kFirst = {"From:", "De :", "De:", "Von:", "From :", "Da:"};
  static constexpr std::array<std::string_view, 10> kThen = {
      "Sent:", "Date:", "Date :", "Envoyé :", "Envoyé:", "Gesendet:", "Sent :", "Datum:", "Enviado:", "Inviato:"};
  if (!begins_with_any(lines.text(i), kFirst)) return false;
  for (size_t n = 1; n < kHeaderLines && i + n < lines.size(); ++n)
    if (begins_with_any(lines.text(i + n), kThen)) return true;
  return false;
}

}  // namespace

void split_quoted(std::string_view body, std::string* own, std::string* quoted) {
  const Lines lines(body);
  bool rest_is_quoted = false;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (rest_is_quoted || is_quoted_line(lines.raw(i))) {
      quoted->append(lines.raw(i));
      continue;
    }
    const std::string_view start = lines.raw(i).substr(0, 40);
    const size_t first = start.find_first_not_of(" \t*\xc2\xa0");
    const char c = first == std::string_view::npos ? '\n' : start[first];
    size_t introducing = 0;
    if (c == 'O' || c == 'L' || c == 'A' || c == 'E' || c == 'I') introducing = introduction(lines, i);
    if (introducing > 0) {
      // Marked lines follow, or none are marked: then all that follows is the mail answered.
      size_t next = i + introducing;
      while (next < lines.size() && lines.text(next).empty() && lines.raw(next).size() < 8) ++next;
      rest_is_quoted = next < lines.size() && !is_quoted_line(lines.raw(next));
      for (size_t n = 0; n < introducing; ++n) quoted->append(lines.raw(i + n));
      i += introducing - 1;
      continue;
    }
    const bool dashes = c == '-' || c == '_' || c == 'B';
    if ((dashes && is_separator(lines.text(i))) ||
        ((c == 'F' || c == 'D' || c == 'V') && is_header_block(lines, i))) {
      rest_is_quoted = true;
      quoted->append(lines.raw(i));
      continue;
    }
    own->append(lines.raw(i));
  }
}

}  // namespace arch::extract
