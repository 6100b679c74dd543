// Rich Text Format 1.9.1: words out of groups. No recursion: groups are a list. Letters come as bytes of the font's code page, as \'xx,
// or as \u with a substitute behind it.
#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <vector>

#include "engine/mime/message.h"
#include "query/document/codepage.h"
#include "query/document/reader.h"
#include "query/document/utf16.h"

namespace arch::document::internal {

namespace {

constexpr size_t kDepth = 10'000;
constexpr size_t kFonts = 10'000;

// Groups whose content is no text of the document.
constexpr std::array<std::string_view, 29> kSkipped = {
    "colortbl",  "stylesheet", "pict",      "objdata",           "objclass",     "objname",
    "themedata", "datastore",  "listtable", "fldinst",           "datafield",    "generator",
    "filetbl",   "revtbl",     "rsidtbl",   "latentstyles",      "xmlnstbl",     "bkmkstart",
    "bkmkend",   "nonshppict", "formfield", "listoverridetable", "mmathPr",      "pgptbl",
    "panose",    "falt",       "template",  "private",           "wgrffmtfilter"};
// Groups marked as ignorable that are worth reading all the same.
constexpr std::array<std::string_view, 8> kReadThough = {"annotation", "shptxt",  "shpinst", "shppict",
                                                         "atnauthor",  "company", "ud",      "footnote"};

template <size_t N>
bool one_of(std::string_view name, const std::array<std::string_view, N>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// \fcharset of the font table.
unsigned codepage_of_charset(int charset) {
  switch (charset) {
    case 77:
      return 10000;
    case 128:
      return 932;
    case 129:
    case 130:
      return 949;
    case 134:
      return 936;
    case 136:
      return 950;
    case 161:
      return 1253;
    case 162:
      return 1254;
    case 163:
      return 1258;
    case 177:
      return 1255;
    case 178:
      return 1256;
    case 186:
      return 1257;
    case 204:
      return 1251;
    case 222:
      return 874;
    case 238:
      return 1250;
    case 255:
      return 850;
    default:
      return 0;  // ANSI, default, symbols: the document's
  }
}

class Rtf {
 public:
  Rtf(File& file, std::string_view rtf) : file_(file), rtf_(rtf) {}

  void run() {
    states_.emplace_back();
    size_t steps = 0;
    while (at_ < rtf_.size()) {
      if (++steps % 4096 == 0 && !file_.go_on()) return;
      const char c = rtf_[at_];
      if (c == '{') {
        flush();
        ++at_;
        if (states_.size() >= kDepth) return file_.fail(Status::kOverLimit, "groups nested deeper than the limit");
        states_.push_back(states_.back());
        begun_ = true;
      } else if (c == '}') {
        flush();
        ++at_;
        if (states_.size() == 1) break;  // what stands behind the document
        const bool destination = states_.back().line_behind;
        states_.pop_back();
        if (destination && !states_.back().skip) file_.end_line();
        if (states_.size() == 1) break;
      } else if (c == '\\') {
        control();
      } else if (c == '\r' || c == '\n' || c == '\0') {
        ++at_;
      } else {
        byte(c);
        ++at_;
      }
    }
    flush();
    if (states_.size() > 1) file_.fail(Status::kBroken, "ends early");
  }

 private:
  struct State {
    bool skip = false, fonts = false, line_behind = false;
    unsigned codepage = 0;  // of the font; 0: the document's
    int substitutes = 1;    // bytes behind a \u
  };

  State& state() { return states_.back(); }

  void byte(char c) {
    begun_ = false;
    if (left_out_ > 0) {
      --left_out_;
      return;
    }
    if (state().skip || state().fonts) return;
    pending_ += c;
  }

  // Bytes wait here so that a letter of two bytes is read as one.
  void flush() {
    high_.end(&unicode_);
    if (!unicode_.empty()) file_.add(unicode_);
    unicode_.clear();
    if (pending_.empty()) return;
    const bool ascii =
        std::all_of(pending_.begin(), pending_.end(), [](char c) { return static_cast<unsigned char>(c) < 128; });
    file_.add(ascii ? pending_
                    : mime::to_utf8(pending_, codepage_name(state().codepage == 0 ? codepage_ : state().codepage)));
    pending_.clear();
  }

  void text(std::string_view utf8) {
    if (state().skip || state().fonts) return;
    flush();
    file_.add(utf8);
  }

  void control() {
    ++at_;
    if (at_ >= rtf_.size()) return;
    const char c = rtf_[at_];
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))) {
      ++at_;
      symbol(c);
      return;
    }
    const size_t begin = at_;
    while (at_ < rtf_.size() && ((rtf_[at_] >= 'a' && rtf_[at_] <= 'z') || (rtf_[at_] >= 'A' && rtf_[at_] <= 'Z')))
      ++at_;
    const std::string_view word = rtf_.substr(begin, at_ - begin);
    size_t end = at_;
    if (end < rtf_.size() && rtf_[end] == '-') ++end;
    const size_t digits = end;
    while (end < rtf_.size() && rtf_[end] >= '0' && rtf_[end] <= '9') ++end;
    int number = 1;
    const bool given = end > digits;
    if (given) {
      number = 0;
      std::from_chars(rtf_.data() + at_, rtf_.data() + end, number);
      at_ = end;
    }
    if (at_ < rtf_.size() && rtf_[at_] == ' ') ++at_;
    keyword(word, number, given);
  }

  void symbol(char c) {
    switch (c) {
      case '\'': {
        unsigned value = 0;
        const std::string_view digits = rtf_.substr(at_, 2);
        const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
        at_ += static_cast<size_t>(read.ptr - digits.data());
        if (read.ec == std::errc()) byte(static_cast<char>(value));
        return;
      }
      case '*':
        ignorable_ = begun_;
        return;
      case '\\':
      case '{':
      case '}':
        byte(c);
        return;
      case '~':
        text(" ");
        return;
      case '_':
        text("-");
        return;
      case '\r':
      case '\n':
        text("\n");
        return;
      default:  // "\-" may be hyphenated there, "\|" and "\:" are formulas and index marks
        return;
    }
  }

  void keyword(std::string_view word, int number, bool given) {
    const bool first = begun_;
    begun_ = false;
    if (word != "u") left_out_ = 0;
    if (first) {
      const bool ignorable = ignorable_;
      ignorable_ = false;
      if (one_of(word, kSkipped) || (ignorable && !one_of(word, kReadThough))) {
        state().skip = true;
        return;
      }
      if (word == "fonttbl") {
        state().fonts = true;
        return;
      }
      static constexpr std::array<std::string_view, 19> kOwnLine = {
          "operator", "company", "manager",  "category",   "title",   "subject", "author",
          "keywords", "doccomm", "header",   "headerl",    "headerr", "headerf", "footer",
          "footerl",  "footerr", "footnote", "annotation", "shptxt"};
      if (one_of(word, kOwnLine)) {
        if (!state().skip) file_.end_line();
        state().line_behind = true;
      }
    }
    if (word == "u" && given) {
      if (!state().skip && !state().fonts) {
        if (!pending_.empty()) flush();
        high_.put(static_cast<uint16_t>(number), &unicode_);
      }
      left_out_ = state().substitutes;
    } else if (word == "uc") {
      state().substitutes = std::clamp(number, 0, 100);
    } else if (word == "ansicpg") {
      codepage_ = static_cast<unsigned>(std::clamp(number, 0, 70'000));
    } else if (word == "mac") {
      codepage_ = 10000;
    } else if (word == "pc") {
      codepage_ = 437;
    } else if (word == "pca") {
      codepage_ = 850;
    } else if (word == "f") {
      if (state().fonts) {
        font_ = number;
      } else {
        flush();
        const auto known = fonts_.find(number);
        state().codepage = known == fonts_.end() ? 0 : known->second;
      }
    } else if (word == "fcharset") {
      if (state().fonts && fonts_.size() < kFonts) fonts_[font_] = codepage_of_charset(number);
    } else if (word == "plain") {
      flush();
      const auto known = fonts_.find(default_font_);
      state().codepage = known == fonts_.end() ? 0 : known->second;
    } else if (word == "deff") {
      default_font_ = number;
    } else if (word == "bin") {
      at_ += std::min<size_t>(static_cast<size_t>(std::max(number, 0)), rtf_.size() - at_);
    } else if (word == "par" || word == "line" || word == "row" || word == "page" || word == "sect" ||
               word == "nestrow") {
      text("\n");
    } else if (word == "tab" || word == "cell" || word == "nestcell") {
      text("\t");
    } else if (word == "emdash" || word == "endash") {
      text(" - ");
    } else if (word == "lquote" || word == "rquote") {
      text("\xe2\x80\x99");
    } else if (word == "ldblquote" || word == "rdblquote") {
      text("\"");
    } else if (word == "bullet") {
      text("\xe2\x80\xa2 ");
    } else if (word == "emspace" || word == "enspace") {
      text(" ");
    }
  }

  File& file_;
  const std::string_view rtf_;
  size_t at_ = 0;
  std::vector<State> states_;
  std::map<int, unsigned> fonts_;
  int font_ = 0, default_font_ = 0;
  unsigned codepage_ = 1252;
  std::string pending_, unicode_;
  Utf16 high_;
  int left_out_ = 0;        // substitutes still to come
  bool begun_ = false;      // a group was just opened: its first word says what it is
  bool ignorable_ = false;  // "\*" before that word
};

}  // namespace

void read_text_as_rtf(File& file, std::string_view rtf) { Rtf(file, rtf).run(); }

void read_rtf(File& file) {
  std::string_view rtf = file.bytes;
  rtf.remove_prefix(std::min(rtf.find('{'), rtf.size()));
  read_text_as_rtf(file, rtf);
}

}  // namespace arch::document::internal
