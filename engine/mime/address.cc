#include "engine/mime/address.h"

#include <string>

#include "engine/mime/headers.h"

namespace arch::mime::internal {

namespace {

class AddressListParser {
 public:
  AddressListParser(std::string_view text, std::vector<Address>* out) : text_(text), out_(out) {}

  void run() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      switch (c) {
        case '"':
          quoted_string();
          break;
        case '(':
          comment();
          break;
        case '<':
          angle();
          break;
        case ',':
        case ';':
          finish();
          ++at_;
          break;
        case ':':
          // What stands before is a group's name ("undisclosed-recipients:;") or a scheme ("mailto:"), unless an address
          // has begun.
          if (words_.find('@') == std::string::npos && !has_angle_)
            clear();
          else
            words_.push_back(c);
          ++at_;
          break;
        default:
          words_.push_back(c);
          ++at_;
      }
    }
    finish();
  }

 private:
  void clear() {
    words_.clear();
    comment_.clear();
    angle_.clear();
    has_angle_ = false;
  }

  void quoted_string() {
    std::string content;
    size_t i = at_ + 1;
    if (!no_more_quotes_) {
      for (; i < text_.size() && text_[i] != '"'; ++i) {
        if (text_[i] == '\\' && i + 1 < text_.size()) ++i;
        content.push_back(text_[i]);
      }
    }
    if (no_more_quotes_ || i >= text_.size()) {  // never closed: an ordinary character
      no_more_quotes_ = true;
      ++at_;
      return;
    }
    const bool local_part = i + 1 < text_.size() && text_[i + 1] == '@';
    if (local_part)
      words_.append(text_.substr(at_, i + 1 - at_));
    else
      words_ += content;
    at_ = i + 1;
  }

  void comment() {
    std::string content;
    int depth = 0;
    size_t i = at_;
    for (; !no_more_comments_ && i < text_.size(); ++i) {
      const char c = text_[i];
      if (c == ')' && --depth == 0) break;
      if (c == '\\' && i + 1 < text_.size()) ++i;
      if (c == '(') ++depth;
      if (c != '(' || depth > 1) content.push_back(text_[i]);
    }
    if (no_more_comments_ || i >= text_.size()) {  // never closed: an ordinary character
      no_more_comments_ = true;
      words_.push_back('(');
      ++at_;
      return;
    }
    comment_ += content;
    words_.push_back(' ');
    at_ = i + 1;
  }

  void angle() {
    size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != '>' && text_[end] != '<') ++end;
    std::string_view inside = text_.substr(at_ + 1, end - at_ - 1);
    if (end < text_.size() && text_[end] == '>') {
      ++end;
    } else if (const size_t separator = inside.find_first_of(",;"); separator != std::string_view::npos) {
      inside = inside.substr(0, separator);  // never closed: up to the next separator
      end = at_ + 1 + separator;
    }
    inside = trimmed(inside);
    if (!inside.empty() && inside.front() == '@') {  // RFC 5322 section 4.4: an obsolete route
      const size_t colon = inside.find(':');
      if (colon != std::string_view::npos) inside = trimmed(inside.substr(colon + 1));
    }
    // "<Name> <a@b>": what has no "@" while an address follows is a name.
    if (has_angle_ && angle_.find('@') == std::string::npos) words_ += angle_;
    if (!has_angle_ || angle_.find('@') == std::string::npos) angle_ = std::string(inside);
    has_angle_ = true;
    at_ = end;
  }

  void finish() {
    Address address;
    const std::string_view words = trimmed(words_);
    if (has_angle_) {
      address.address = angle_;
      address.name = std::string(words.empty() ? trimmed(comment_) : words);
    } else if (const size_t sign = words.find('@'); sign != std::string_view::npos) {
      // The word with the "@" is the address, what stands around it the name. "a @ b.c" is one, too.
      size_t begin = sign, end = sign + 1;
      while (begin > 0 && words[begin - 1] == ' ') --begin;
      while (begin > 0 && words[begin - 1] != ' ' && words[begin - 1] != '\t') --begin;
      if (words[begin] == '"' || (begin > 0 && words[0] == '"')) begin = 0;  // a quoted local part with blanks
      while (end < words.size() && words[end] == ' ') ++end;
      while (end < words.size() && words[end] != ' ' && words[end] != '\t') ++end;
      for (char c : words.substr(begin, end - begin))
        if ((c != ' ' && c != '\t') || words[begin] == '"') address.address.push_back(c);
      std::string rest = std::string(words.substr(0, begin)) + std::string(words.substr(end));
      address.name =
          std::string(trimmed(trimmed(rest).empty() ? std::string_view(comment_) : std::string_view(rest)));
    } else if (!words.empty() && words.find(' ') == std::string_view::npos) {
      address.address = std::string(words);  // a mailbox of the local machine: "root"
      address.name = std::string(trimmed(comment_));
    } else {
      address.name = std::string(words.empty() ? trimmed(comment_) : words);
    }
    clear();
    if (address.address.empty() && address.name.empty()) return;
    address.name = std::string(trimmed(decode_words(address.name)));
    // Some mailers quote a name twice.
    if (address.name.size() >= 2 && (address.name.front() == '"' || address.name.front() == '\'') &&
        address.name.back() == address.name.front())
      address.name = address.name.substr(1, address.name.size() - 2);
    if (address.address.find("=?") != std::string::npos)
      address.address = std::string(trimmed(decode_words(address.address)));
    out_->push_back(std::move(address));
  }

  std::string_view text_;
  std::vector<Address>* out_;
  size_t at_ = 0;
  std::string words_, comment_, angle_;
  bool has_angle_ = false;
  bool no_more_quotes_ = false;
  bool no_more_comments_ = false;
};

}  // namespace

void parse_addresses(std::string_view raw_value, std::string_view charset_hint, std::vector<Address>* out) {
  const std::string text = to_utf8(unfold(raw_value), charset_hint);
  AddressListParser(text, out).run();
}

}  // namespace arch::mime::internal
