// HTML to text in one pass, without a tree: every HTML library at hand has inputs on which it is quadratic (gumbo 0.10.1:
// nested div, libxml2 2.9.14: attributes). Searches ahead that failed once are not repeated, so the whole is linear.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/ascii.h"
#include "engine/base/utf8.h"
#include "query/extract/entities.h"
#include "query/extract/extract.h"

namespace arch::extract {

namespace {

constexpr size_t kTagNameBytes = 32;
constexpr size_t kEntityBytes = 32;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

template <size_t N>
bool one_of(std::string_view name, const std::array<std::string_view, N>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Elements that begin and end a line.
constexpr std::array<std::string_view, 43> kBlocks = {
    "address", "article", "aside",   "blockquote", "body",  "br", "caption",  "center",     "dd",
    "details", "dialog",  "dir",     "div",        "dl",    "dt", "fieldset", "figcaption", "figure",
    "footer",  "form",    "h1",      "h2",         "h3",    "h4", "h5",       "h6",         "header",
    "hr",      "li",      "main",    "menu",       "nav",   "ol", "option",   "p",          "paragraph",
    "pre",     "section", "summary", "table",      "tbody", "tr", "ul"};
// Their content is no text of the mail.
constexpr std::array<std::string_view, 6> kDropped = {"script", "style", "title", "xml", "template", "noembed"};
// What may stand in a head; any other element ends a head that was not closed.
constexpr std::array<std::string_view, 9> kInHead = {"meta",  "link", "base",     "script", "style",
                                                     "title", "xml",  "noscript", "object"};

// HTML 5 section 13.2.5.80: numbers 128 to 159 mean what windows-1252 has there.
constexpr std::array<uint16_t, 32> kWindows1252 = {0x20ac, 0x81,   0x201a, 0x192,  0x201e, 0x2026, 0x2020, 0x2021,
                                                   0x2c6,  0x2030, 0x160,  0x2039, 0x152,  0x8d,   0x17d,  0x8f,
                                                   0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
                                                   0x2dc,  0x2122, 0x161,  0x203a, 0x153,  0x9d,   0x17e,  0x178};

// The character reference at the start of `text` ("&…"): its length and code; length 0 when it is none.
struct Reference {
  size_t length = 0;
  uint32_t code = 0;
};

Reference read_reference(std::string_view text) {
  Reference out;
  if (text.size() < 3) return out;
  size_t i = 1;
  if (text[1] == '#') {
    i = 2;
    const bool hexadecimal = i < text.size() && (text[i] == 'x' || text[i] == 'X');
    if (hexadecimal) ++i;
    const size_t first = i;
    uint32_t code = 0;
    for (; i < text.size() && i < kEntityBytes; ++i) {
      const char c = ascii_lower(text[i]);
      uint32_t digit;
      if (is_digit(c))
        digit = static_cast<uint32_t>(c - '0');
      else if (hexadecimal && c >= 'a' && c <= 'f')
        digit = static_cast<uint32_t>(c - 'a' + 10);
      else
        break;
      code = std::min<uint32_t>(code * (hexadecimal ? 16 : 10) + digit, 0x110000);
    }
    if (i == first) return out;
    if (code >= 128 && code < 160) code = kWindows1252[code - 128];
    if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) code = 0xfffd;
    if (code < 32 && code != '\n' && code != '\t') code = ' ';
    out.code = code;
  } else {
    while (i < text.size() && i < kEntityBytes && (is_letter(text[i]) || is_digit(text[i]))) ++i;
    const std::string_view name = text.substr(1, i - 1);
    const auto* const end = std::end(internal::kNamedCharacters);
    const auto* found =
        std::lower_bound(std::begin(internal::kNamedCharacters), end, name,
                         [](const internal::NamedCharacter& a, std::string_view b) { return a.name < b; });
    if (found == end || found->name != name) return out;
    // Without ";" only where the reference cannot be the parameter of a link ("?a=b&copy=1").
    if ((i >= text.size() || text[i] != ';') && i < text.size() && text[i] == '=') return out;
    out.code = found->code;
  }
  out.length = i < text.size() && text[i] == ';' ? i + 1 : i;
  return out;
}

class Tokeniser {
 public:
  Tokeniser(std::string_view html, bool links) : html_(html), links_(links) { out_.reserve(html.size() / 3); }

  std::string run() {
    while (at_ < html_.size()) {
      const char c = html_[at_];
      if (c == '<') {
        if (!markup()) literal("<");
      } else if (c == '&') {
        const Reference reference = read_reference(html_.substr(at_));
        if (reference.length == 0) {
          literal("&");
        } else {
          std::string text;
          append_utf8(reference.code, &text);
          at_ += reference.length;
          if (reference.code == 0xa0 || (reference.code <= ' '))
            blank();
          else
            put(text);
        }
      } else if (is_space(c)) {
        if (preformatted_ > 0 && c == '\n')
          newline();
        else if (preformatted_ > 0 && c != '\r')
          put_blank_now();
        else
          blank();
        ++at_;
      } else {
        size_t end = at_ + 1;
        while (end < html_.size() && html_[end] != '<' && html_[end] != '&' && !is_space(html_[end])) ++end;
        put(html_.substr(at_, end - at_));
        at_ = end;
      }
    }
    while (!out_.empty() && is_space(out_.back())) out_.pop_back();
    return std::move(out_);
  }

  /// As written; the first that has content.
  std::string_view title() const { return title_; }

 private:
  void literal(std::string_view text) {
    put(text);
    ++at_;
  }

  void put(std::string_view text) {
    if (in_head_) return;
    // Characters that break words without being seen: soft hyphen, zero width space, byte order mark.
    static constexpr std::array<std::string_view, 3> kInvisible = {"\xc2\xad", "\xe2\x80\x8b", "\xef\xbb\xbf"};
    begin_text();
    for (size_t i = 0; i < text.size();) {
      const unsigned char c = static_cast<unsigned char>(text[i]);
      if (c == 0xc2 || c == 0xe2 || c == 0xef) {
        const auto* found = std::find_if(kInvisible.begin(), kInvisible.end(), [&](std::string_view invisible) {
          return text.substr(i, invisible.size()) == invisible;
        });
        if (found != kInvisible.end()) {
          i += found->size();
          continue;
        }
        if (text.substr(i, 2) == "\xc2\xa0") {  // no-break space
          out_.push_back(' ');
          i += 2;
          continue;
        }
      }
      out_.push_back(text[i]);
      ++i;
    }
  }

  void begin_text() {
    if (pending_lines_ > 0) {
      if (!out_.empty()) out_.append(std::min(pending_lines_, 2), '\n');
      pending_lines_ = 0;
      pending_blank_ = false;
      if (quoted_depth_ > 0) out_ += "> ";
    } else if (pending_blank_) {
      if (!out_.empty() && out_.back() != '\n') out_.push_back(' ');
      pending_blank_ = false;
    }
  }

  void blank() { pending_blank_ = true; }
  void put_blank_now() {
    if (in_head_) return;
    begin_text();
    out_.push_back(' ');
  }
  void newline() { pending_lines_ = std::min(pending_lines_ + 1, 3); }
  void line_break() { pending_lines_ = std::max(pending_lines_, 1); }

  // Position of `needle` from `from`, remembered when there is none.
  size_t find_once(std::string_view needle, size_t from, bool* none) const {
    if (*none) return std::string_view::npos;
    const size_t found = html_.find(needle, from);
    if (found == std::string_view::npos) *none = true;
    return found;
  }

  // One past the ">" that ends the tag begun at `begin`; npos when none does.
  size_t tag_end(size_t begin) {
    if (!quotes_broken_) {
      char quote = 0;
      char before = 0;  // last character that is no blank: a quote opens a value only behind "="
      for (size_t i = begin; i < html_.size(); ++i) {
        const char c = html_[i];
        if (quote != 0) {
          if (c == quote) quote = 0;
        } else if ((c == '"' || c == '\'') && before == '=') {
          quote = c;
        } else if (c == '>') {
          return i + 1;
        }
        if (!is_space(c)) before = c;
      }
      quotes_broken_ = true;  // an attribute that is never closed: from here on quotes mean nothing
    }
    const size_t found = find_once(">", begin, &no_more_ends_);
    return found == std::string_view::npos ? found : found + 1;
  }

  // At "<": false when it is an ordinary character.
  bool markup() {
    const std::string_view rest = html_.substr(at_);
    if (rest.size() < 2) return false;
    if (rest.substr(0, 4) == "<!--") {
      const size_t end = find_once("-->", at_ + 4, &no_more_comment_ends_);
      if (rest.substr(4, 1) == ">")
        at_ += 5;
      else if (end != std::string_view::npos)
        at_ = end + 3;
      else
        return skip_to_end_of_tag();
      return true;
    }
    const char second = rest[1];
    if (second == '!' || second == '?') return skip_to_end_of_tag();
    const bool closing = second == '/';
    const size_t name_begin = at_ + (closing ? 2 : 1);
    if (name_begin >= html_.size() || !is_letter(html_[name_begin])) return false;
    size_t name_end = name_begin;
    std::string name;
    // A "<" ends it too: a row of unfinished tags would be quadratic.
    while (name_end < html_.size() && !is_space(html_[name_end]) && html_[name_end] != '>' &&
           html_[name_end] != '/' && html_[name_end] != '<') {
      if (name.size() < kTagNameBytes) name.push_back(ascii_lower(html_[name_end]));
      ++name_end;
    }
    // "<marie@firme.example>" and "<http://…>" in text that only claims to be HTML.
    if (name.find('@') != std::string::npos || name.find(':') == name.size() - 1) return false;
    const size_t end = tag_end(name_end);
    if (end == std::string_view::npos) return false;
    const std::string_view attributes = html_.substr(name_end, end - 1 - name_end);
    at_ = end;
    element(name, attributes, closing);
    return true;
  }

  bool skip_to_end_of_tag() {
    const size_t end = find_once(">", at_, &no_more_ends_);
    if (end == std::string_view::npos) return false;
    at_ = end + 1;
    return true;
  }

  // Decoded value of an attribute; empty when absent.
  static std::string attribute(std::string_view attributes, std::string_view wanted) {
    for (size_t i = 0; i < attributes.size();) {
      while (i < attributes.size() && (is_space(attributes[i]) || attributes[i] == '/')) ++i;
      const size_t name_begin = i;
      while (i < attributes.size() && !is_space(attributes[i]) && attributes[i] != '=') ++i;
      const std::string_view name = attributes.substr(name_begin, i - name_begin);
      while (i < attributes.size() && is_space(attributes[i])) ++i;
      std::string_view value;
      if (i < attributes.size() && attributes[i] == '=') {
        ++i;
        while (i < attributes.size() && is_space(attributes[i])) ++i;
        if (i < attributes.size() && (attributes[i] == '"' || attributes[i] == '\'')) {
          const char quote = attributes[i++];
          const size_t begin = i;
          while (i < attributes.size() && attributes[i] != quote) ++i;
          value = attributes.substr(begin, i - begin);
          if (i < attributes.size()) ++i;
        } else {
          const size_t begin = i;
          while (i < attributes.size() && !is_space(attributes[i])) ++i;
          value = attributes.substr(begin, i - begin);
        }
      }
      if (name.size() == wanted.size() &&
          std::equal(name.begin(), name.end(), wanted.begin(), [](char a, char b) { return ascii_lower(a) == b; }))
        return resolve_references(value);
    }
    return {};
  }

  void element(const std::string& name, std::string_view attributes, bool closing) {
    if (name == "head") {
      in_head_ = !closing;
      return;
    }
    if (in_head_ && !one_of(name, kInHead)) in_head_ = false;
    if (one_of(name, kDropped)) {
      if (!closing && (attributes.empty() || attributes.back() != '/')) drop_content(name);
      return;
    }
    if (name == "td" || name == "th") {
      blank();
      return;
    }
    if (name == "img" || name == "area") {
      const std::string alt = attribute(attributes, "alt");
      if (!alt.empty()) {
        blank();
        put(alt);
        blank();
      }
      return;
    }
    if (links_ && name == "a") {
      if (!closing) {
        link_ = attribute(attributes, "href");
      } else if (!link_.empty()) {
        put(" [" + link_ + "]");
        link_.clear();
      }
      return;
    }
    if (!one_of(name, kBlocks)) return;
    if (name == "br") {
      newline();
      return;
    }
    if (name == "pre") preformatted_ = std::max(0, preformatted_ + (closing ? -1 : 1));
    if (name == "blockquote") quote(attributes, closing);
    line_break();
    if (name == "p" || name == "table" || name == "ul" || name == "ol") pending_lines_ = std::max(pending_lines_, 2);
  }

  // What mail programs put around the mail that is answered. A plain blockquote is only indented text.
  void quote(std::string_view attributes, bool closing) {
    if (closing) {
      if (quotes_.empty()) return;
      if (quotes_.back()) --quoted_depth_;
      quotes_.pop_back();
      return;
    }
    const std::string kind = ascii_lower(attribute(attributes, "type") + ' ' + attribute(attributes, "class"));
    const bool cited = kind.find("cite") != std::string::npos || kind.find("quote") != std::string::npos;
    quotes_.push_back(cited);
    if (cited) ++quoted_depth_;
  }

  // Behind the start tag of an element whose content is dropped. One that is never closed drops nothing: better some
  // rubbish found than a mail not found.
  void drop_content(const std::string& name) {
    const size_t index = static_cast<size_t>(std::find(kDropped.begin(), kDropped.end(), name) - kDropped.begin());
    if (never_closed_[index]) return;
    for (size_t at = at_; (at = html_.find("</", at)) != std::string_view::npos; at += 2) {
      if (at + 2 + name.size() > html_.size()) break;
      if (!std::equal(name.begin(), name.end(), html_.begin() + static_cast<std::ptrdiff_t>(at) + 2,
                      [](char a, char b) { return a == ascii_lower(b); }))
        continue;
      if (name == "title" && title_.empty()) title_ = html_.substr(at_, at - at_);
      const size_t end = html_.find('>', at);
      at_ = end == std::string_view::npos ? html_.size() : end + 1;
      return;
    }
    never_closed_[index] = true;
  }

  const std::string_view html_;
  const bool links_;
  size_t at_ = 0;
  std::string out_;
  int pending_lines_ = 0;
  bool pending_blank_ = false;
  bool in_head_ = false;
  int preformatted_ = 0;
  std::vector<bool> quotes_;  // blockquotes open, true for a cited mail
  int quoted_depth_ = 0;
  std::string link_;
  std::string_view title_;
  bool quotes_broken_ = false;
  bool no_more_ends_ = false;
  bool no_more_comment_ends_ = false;
  std::array<bool, kDropped.size()> never_closed_{};
};

}  // namespace

std::string resolve_references(std::string_view value) {
  std::string out;
  for (size_t i = 0; i < value.size();) {
    const Reference reference = value[i] == '&' ? read_reference(value.substr(i)) : Reference{};
    if (reference.length > 0) {
      append_utf8(reference.code, &out);
      i += reference.length;
    } else {
      out.push_back(value[i++]);
    }
  }
  return out;
}

std::string html_to_text(std::string_view html, bool links, std::string* title) {
  Tokeniser tokeniser(html, links);
  std::string text = tokeniser.run();
  if (title != nullptr) *title = html_to_text(tokeniser.title());  // character references; markup counts as such
  return text;
}

}  // namespace arch::extract
