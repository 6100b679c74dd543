#include "query/page/clean_html.h"

#include <algorithm>
#include <array>

#include "engine/base/ascii.h"
#include "query/extract/extract.h"

namespace arch::page {

namespace {

constexpr size_t kMaxLinks = 500;
constexpr size_t kMaxLinkBytes = 2'000;
constexpr size_t kMaxAttributes = 64;  // of one tag
constexpr size_t kMaxValueBytes = 4'000;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
template <size_t N>
bool one_of(std::string_view name, const std::array<std::string_view, N>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Elements that say how text is laid out. None of them loads, runs or sends anything, and none changes how what follows is
// parsed (as svg, math, style, textarea, title, template, noscript, select and plaintext do).
constexpr std::array<std::string_view, 50> kKept = {
    "a",      "abbr", "address", "b",      "bdi",      "bdo", "big",   "blockquote", "br",  "caption",
    "center", "cite", "code",    "col",    "colgroup", "dd",  "del",   "dfn",        "div", "dl",
    "dt",     "em",   "font",    "h1",     "h2",       "h3",  "h4",    "h5",         "h6",  "hr",
    "i",      "ins",  "kbd",     "li",     "ol",       "p",   "pre",   "q",          "s",   "samp",
    "small",  "span", "strike",  "strong", "sub",      "sup", "table", "tbody",      "td",  "tr"};
constexpr std::array<std::string_view, 6> kKeptToo = {"tfoot", "th", "thead", "tt", "u", "ul"};
constexpr std::array<std::string_view, 4> kVoid = {"br", "col", "hr", "img"};
// Elements whose content is no text of the mail; it goes with them.
constexpr std::array<std::string_view, 15> kDropped = {"script", "style",    "title",  "template", "noembed",
                                                       "iframe", "noframes", "xmp",    "textarea", "select",
                                                       "svg",    "math",     "object", "applet",   "audio"};

constexpr std::array<std::string_view, 13> kAttributes = {"align", "bgcolor", "border", "cellpadding", "cellspacing",
                                                          "color", "colspan", "dir",    "face",        "rowspan",
                                                          "size",  "valign",  "width"};
constexpr std::array<std::string_view, 3> kTextAttributes = {"alt", "lang", "title"};

constexpr std::array<std::string_view, 38> kProperties = {"background-color",
                                                          "border",
                                                          "border-bottom",
                                                          "border-collapse",
                                                          "border-color",
                                                          "border-left",
                                                          "border-right",
                                                          "border-radius",
                                                          "border-spacing",
                                                          "border-style",
                                                          "border-top",
                                                          "border-width",
                                                          "color",
                                                          "direction",
                                                          "font-family",
                                                          "font-size",
                                                          "font-style",
                                                          "font-variant",
                                                          "font-weight",
                                                          "height",
                                                          "letter-spacing",
                                                          "line-height",
                                                          "list-style-type",
                                                          "margin",
                                                          "margin-bottom",
                                                          "margin-left",
                                                          "margin-right",
                                                          "margin-top",
                                                          "max-width",
                                                          "padding",
                                                          "padding-bottom",
                                                          "padding-left",
                                                          "padding-right",
                                                          "padding-top",
                                                          "text-align",
                                                          "text-decoration",
                                                          "vertical-align",
                                                          "width"};

// Letters, digits and a few signs: nothing that CSS or HTML could read as more than a plain value.
bool is_plain_value(std::string_view value) {
  return !value.empty() && value.size() <= 200 && std::all_of(value.begin(), value.end(), [](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == ' ' || c == '#' || c == '%' || c == '.' || c == ',' ||
           c == '-' || c == '+';
  });
}

// Values with brackets are left out but rgb(…) and rgba(…): url(), expression(), var() and what comes after them.
bool is_safe_style(std::string_view value) {
  if (is_plain_value(value)) return true;
  for (std::string_view function : {"rgb(", "rgba("})
    if (value.size() > function.size() + 1 && ascii_lower(value.substr(0, function.size())) == function &&
        value.back() == ')')
      return is_plain_value(value.substr(function.size(), value.size() - function.size() - 1));
  return false;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string safe_style(std::string_view style, size_t* removed) {
  std::string out;
  while (!style.empty()) {
    const size_t end = style.find(';');
    const std::string_view declaration = style.substr(0, end);
    style = end == std::string_view::npos ? std::string_view() : style.substr(end + 1);
    const size_t colon = declaration.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string name = ascii_lower(trimmed(declaration.substr(0, colon)));
    std::string_view value = trimmed(declaration.substr(colon + 1));
    if (const size_t important = value.find('!'); important != std::string_view::npos)
      value = trimmed(value.substr(0, important));
    // Font names in quotes are common; the quotes are not needed.
    std::string bare(value);
    if (name == "font-family")
      bare.erase(std::remove_if(bare.begin(), bare.end(), [](char c) { return c == '"' || c == '\''; }), bare.end());
    if (!one_of(name, kProperties) || !is_safe_style(bare)) {
      if (ascii_lower(value).find('(') != std::string::npos) ++*removed;
      continue;
    }
    out += name + ":" + bare + ";";
  }
  return out;
}

std::string host_of(std::string_view url) {
  const size_t begin = url.find("//");
  if (begin == std::string_view::npos) return {};
  std::string_view rest = url.substr(begin + 2);
  rest = rest.substr(0, rest.find_first_of("/?#\\"));
  if (const size_t at = rest.rfind('@'); at != std::string_view::npos) rest.remove_prefix(at + 1);
  return std::string(rest.substr(0, 100));
}

class Cleaner {
 public:
  Cleaner(std::string_view html, const InlineImage& inline_image) : html_(html), inline_image_(inline_image) {}

  CleanHtml run() {
    while (at_ < html_.size() && !out_.cut) {
      const size_t next = html_.find('<', at_);
      text(html_.substr(at_, next == std::string_view::npos ? next : next - at_));
      if (next == std::string_view::npos) break;
      at_ = next;
      markup();
    }
    while (!open_.empty()) close_last();
    return std::move(out_);
  }

 private:
  struct Attribute {
    std::string name;
    std::string value;  // references resolved
  };

  void put(std::string_view bytes) {
    if (out_.html.size() + bytes.size() > kMaxCleanBytes) {
      out_.cut = true;
      return;
    }
    out_.html += bytes;
  }

  // References stay as they are where they are well formed (`&` letter or `#`, and a `;` near), so that no library's table
  // is needed here; a lone "&" is written out.
  void text(std::string_view raw) {
    std::string safe;
    for (size_t i = 0; i < raw.size(); ++i) {
      const char c = raw[i];
      if (c == '&' && is_reference(raw.substr(i))) {
        safe += c;
      } else if (c == '\0') {
        safe += "\xef\xbf\xbd";
      } else {
        safe += escape_html(std::string_view(&c, 1));
      }
    }
    put(safe);
  }
  static bool is_reference(std::string_view text) {
    size_t i = 1;
    if (i < text.size() && text[i] == '#') ++i;
    const size_t first = i;
    while (i < text.size() && i < 32 && (is_letter(text[i]) || (text[i] >= '0' && text[i] <= '9'))) ++i;
    return i > first && i < text.size() && text[i] == ';';
  }

  void markup() {
    std::string_view rest = html_.substr(at_);
    if (rest.size() < 2) {
      text("<");
      ++at_;
      return;
    }
    if (rest.substr(0, 4) == "<!--") {
      const size_t end = no_more_comments_ ? std::string_view::npos : html_.find("-->", at_ + 4);
      if (end == std::string_view::npos) no_more_comments_ = true;
      // What is not closed hides the rest in some readers and only a line in others: to the next ">" is the safer guess for
      // somebody who wants to read it.
      const size_t close = end == std::string_view::npos ? html_.find('>', at_) : end + 2;
      at_ = close == std::string_view::npos ? html_.size() : close + 1;
      return;
    }
    if (rest[1] == '!' || rest[1] == '?') {
      const size_t close = html_.find('>', at_);
      at_ = close == std::string_view::npos ? html_.size() : close + 1;
      return;
    }
    const bool closing = rest[1] == '/';
    const size_t name_at = at_ + (closing ? 2 : 1);
    if (name_at >= html_.size() || !is_letter(html_[name_at])) {
      text("<");
      ++at_;
      return;
    }
    size_t end = name_at;
    while (end < html_.size() && !is_space(html_[end]) && html_[end] != '/' && html_[end] != '>') ++end;
    const std::string name = ascii_lower(html_.substr(name_at, std::min<size_t>(end - name_at, 40)));
    at_ = end;
    const std::vector<Attribute> attributes = read_attributes();
    if (closing) {
      close(name);
    } else {
      open(name, attributes);
    }
  }

  // To behind the ">" of the tag.
  std::vector<Attribute> read_attributes() {
    std::vector<Attribute> out;
    while (at_ < html_.size()) {
      while (at_ < html_.size() && (is_space(html_[at_]) || html_[at_] == '/')) ++at_;
      if (at_ >= html_.size()) break;
      if (html_[at_] == '>') {
        ++at_;
        return out;
      }
      const size_t begin = at_;
      while (at_ < html_.size() && !is_space(html_[at_]) && html_[at_] != '=' && html_[at_] != '>' &&
             html_[at_] != '/')
        ++at_;
      if (at_ == begin) ++at_;  // a "=" where a name should be
      Attribute attribute;
      attribute.name = ascii_lower(html_.substr(begin, std::min<size_t>(at_ - begin, 40)));
      while (at_ < html_.size() && is_space(html_[at_])) ++at_;
      if (at_ < html_.size() && html_[at_] == '=') {
        ++at_;
        while (at_ < html_.size() && is_space(html_[at_])) ++at_;
        std::string_view value;
        if (at_ < html_.size() && (html_[at_] == '"' || html_[at_] == '\'')) {
          const size_t close = html_.find(html_[at_], at_ + 1);
          value = html_.substr(at_ + 1, close == std::string_view::npos ? close : close - at_ - 1);
          at_ = close == std::string_view::npos ? html_.size() : close + 1;
        } else {
          const size_t first = at_;
          while (at_ < html_.size() && !is_space(html_[at_]) && html_[at_] != '>') ++at_;
          value = html_.substr(first, at_ - first);
        }
        if (value.size() <= kMaxValueBytes) attribute.value = extract::resolve_references(value);
      }
      if (out.size() < kMaxAttributes) out.push_back(std::move(attribute));
    }
    return out;
  }

  void open(const std::string& name, const std::vector<Attribute>& attributes) {
    if (one_of(name, kDropped)) {
      ++out_.removed;
      drop(name);
      return;
    }
    if (name == "img") return image(attributes);
    if (!one_of(name, kKept) && !one_of(name, kKeptToo)) {
      static constexpr std::array<std::string_view, 4> kHarmless = {"html", "head", "body", "o:p"};
      if (!one_of(name, kHarmless)) ++out_.removed;
      return;
    }
    const bool is_void = one_of(name, kVoid);
    if (!is_void && open_.size() >= kMaxCleanDepth) return;
    std::string tag = "<" + name;
    std::string link;
    for (const Attribute& attribute : attributes) {
      if (name == "a" && attribute.name == "href") {
        link = attribute.value;
      } else if (attribute.name == "style") {
        const std::string style = safe_style(attribute.value, &out_.removed);
        if (!style.empty()) tag += " style=\"" + escape_html(style) + "\"";
      } else if ((one_of(attribute.name, kAttributes) && is_plain_value(attribute.value)) ||
                 (one_of(attribute.name, kTextAttributes) && attribute.value.size() <= 500)) {
        tag += " " + attribute.name + "=\"" + escape_html(attribute.value) + "\"";
      } else if (attribute.name.size() > 2 && attribute.name.compare(0, 2, "on") == 0) {
        ++out_.removed;
      }
    }
    put(tag + ">");
    if (!is_void) open_.push_back({name, note_link(link)});
  }

  // The number under which the link's address is listed; 0 when it is none that a person could follow.
  size_t note_link(const std::string& link) {
    const std::string_view address = trimmed(link);
    if (address.empty() || address.size() > kMaxLinkBytes || address.front() == '#') return 0;
    const std::string start = ascii_lower(address.substr(0, 8));
    if (start.rfind("http:", 0) != 0 && start.rfind("https:", 0) != 0 && start.rfind("mailto:", 0) != 0) {
      ++out_.removed;
      return 0;
    }
    if (out_.links.size() >= kMaxLinks) return 0;
    out_.links.emplace_back(address);
    return out_.links.size();
  }

  void image(const std::vector<Attribute>& attributes) {
    std::string source, alt, width, height;
    for (const Attribute& attribute : attributes) {
      if (attribute.name == "src") source = trimmed(attribute.value);
      if (attribute.name == "alt" && attribute.value.size() <= 500) alt = attribute.value;
      if (attribute.name == "width" && is_plain_value(attribute.value)) width = attribute.value;
      if (attribute.name == "height" && is_plain_value(attribute.value)) height = attribute.value;
    }
    if (ascii_lower(source.substr(0, 4)) == "cid:") {
      const std::string data = inline_image_ ? inline_image_(std::string_view(source).substr(4)) : std::string();
      if (!data.empty()) {
        std::string tag = "<img src=\"" + escape_html(data) + "\" alt=\"" + escape_html(alt) + "\"";
        if (!width.empty()) tag += " width=\"" + width + "\"";
        if (!height.empty()) tag += " height=\"" + height + "\"";
        return put(tag + ">");
      }
    }
    const std::string host = host_of(source);
    if (!host.empty()) ++out_.remote_images;
    // One pixel for whoever counts readers is nothing to look at.
    if (width == "1" || height == "1" || width == "0" || height == "0") return;
    const std::string label = !alt.empty() ? alt : host;
    if (!label.empty()) put("<span class=\"image\">" + escape_html(label) + "</span>");
  }

  // Leaves out an element with all it holds. Without an end of its own it takes only its tag with it, so that one broken
  // mail does not hide all of its text; script and style take the rest: a browser would not show it either.
  void drop(const std::string& name) {
    static constexpr std::array<std::string_view, 8> kRaw = {"script",  "style",    "title", "iframe",
                                                             "noembed", "noframes", "xmp",   "textarea"};
    if (std::find(unclosed_.begin(), unclosed_.end(), name) != unclosed_.end()) {
      if (one_of(name, kRaw)) at_ = html_.size();
      return;
    }
    size_t from = at_;
    for (bool found = false; !found;) {
      const size_t end = html_.find("</", from);
      if (end == std::string_view::npos) {
        unclosed_.push_back(name);
        if (one_of(name, kRaw)) at_ = html_.size();
        return;
      }
      const std::string_view tail = html_.substr(end + 2, name.size() + 1);
      from = end + 2;
      found =
          tail.size() > name.size() && ascii_lower(tail.substr(0, name.size())) == name && !is_letter(tail.back());
    }
    const size_t close = html_.find('>', from);
    at_ = close == std::string_view::npos ? html_.size() : close + 1;
  }

  void close(const std::string& name) {
    if (one_of(name, kVoid)) return;
    const auto found =
        std::find_if(open_.rbegin(), open_.rend(), [&](const Open& each) { return each.name == name; });
    if (found == open_.rend()) return;
    const size_t keep = static_cast<size_t>(open_.rend() - found) - 1;
    while (open_.size() > keep) close_last();
  }

  void close_last() {
    const Open last = open_.back();
    open_.pop_back();
    // Room for what is open was kept: closing tags are at most kMaxCleanDepth short words.
    if (last.link != 0) out_.html += "<sup class=\"link\">[" + std::to_string(last.link) + "]</sup>";
    out_.html += "</" + last.name + ">";
  }

  struct Open {
    std::string name;
    size_t link = 0;
  };
  std::string_view html_;
  const InlineImage& inline_image_;
  size_t at_ = 0;
  bool no_more_comments_ = false;
  std::vector<std::string> unclosed_;
  std::vector<Open> open_;
  CleanHtml out_;
};

}  // namespace

CleanHtml clean_html(std::string_view html, const InlineImage& inline_image) {
  return Cleaner(html, inline_image).run();
}

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace arch::page
