#include <algorithm>
#include <cctype>
#include <optional>
#include <string>

#include "engine/base/digest.h"
#include "engine/base/limits.h"
#include "query/language/dates.h"
#include "query/language/fields.h"
#include "query/language/query.h"
#include "query/language/timezone.h"
#include "query/text/analyser.h"
#include "query/text/fold_table.h"

namespace arch::query {
namespace {

using internal::Field;
using internal::Value;

constexpr size_t kNameLetters = 16;
constexpr size_t kPrefixLetters = 3;
constexpr size_t kMaxNotices = 20;
constexpr uint64_t kNearWords = 50;
constexpr std::string_view kQuoteAdvice = "to search for these very characters, put them in double quotes";

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Valid UTF-8 with control characters as blanks.
std::string sanitised(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    uint32_t code_point = 0;
    size_t length = text::decode(text, at, &code_point);
    if (length == 0) {
      out += "\xef\xbf\xbd";
      ++at;
      continue;
    }
    if (code_point < 0x20 || code_point == 0x7f) {
      out.push_back(' ');
    } else {
      out.append(text.substr(at, length));
    }
    at += length;
  }
  return out;
}

bool has_words(std::string_view text) { return text::Scanner(text).next(); }

size_t characters(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xc0) != 0x80; }));
}

class Parser {
 public:
  Parser(std::string_view text, const ParseContext& context) : text_(text), context_(context) {}

  Result<Query> run() {
    Query query;
    if (has_typographic_quotes())
      notice(0, "typographic quotation marks part words; only \"straight\" ones make a phrase");
    ARCH_TRY(std::optional<Node> root, and_seq(0, nullptr));
    if (at_ < text_.size()) return error(at_, "')' closes no bracket", "remove it, or open one before it");
    if (root) {
      query.root = std::move(*root);
    } else if (dropped_) {
      return error(0, "there is no letter or digit to search for", "write a word; the empty query finds all mail");
    }
    query.notices = std::move(notices_);
    write(query.root, true, &query.interpreted);
    return query;
  }

 private:
  using Operand = std::optional<Node>;  // nothing: it held no letter or digit and was left out

  uint32_t column(size_t at) const { return static_cast<uint32_t>(characters(text_.substr(0, at)) + 1); }

  tl::unexpected<Error> error(size_t at, const std::string& what, std::string hint = {}) const {
    return fail(Code::kInvalid, "column " + std::to_string(column(at)) + ": " + what, std::move(hint));
  }

  void notice(uint32_t at_column, std::string what) {
    if (notices_.size() < kMaxNotices) notices_.push_back({at_column, std::move(what)});
  }

  bool has_typographic_quotes() const {
    for (std::string_view mark : {"\u201c", "\u201d", "\u00ab", "\u00bb", "\u201e"})
      if (text_.find(mark) != std::string_view::npos) return true;
    return false;
  }

  // ── characters ──
  size_t blank_at(size_t at) const {  // its length, 0 when there is none
    if (at >= text_.size()) return 0;
    if (text_[at] == ' ') return 1;
    for (std::string_view blank : {"\u00a0", "\u202f", "\u2009", "\u3000"})
      if (text_.substr(at, blank.size()) == blank) return blank.size();
    return 0;
  }
  void skip_blanks() {
    while (size_t length = blank_at(at_)) at_ += length;
  }
  bool at_char(char c) const { return at_ < text_.size() && text_[at_] == c; }
  bool ends_word(size_t at) const {
    return at >= text_.size() || blank_at(at) != 0 || text_[at] == '(' || text_[at] == ')' || text_[at] == '"' ||
           text_[at] == '|';
  }
  size_t word_end(size_t at) const {
    while (!ends_word(at)) ++at;
    return at;
  }
  bool keyword(std::string_view word) const {
    return text_.substr(at_, word.size()) == word && ends_word(at_ + word.size());
  }
  bool at_or() const { return keyword("OR") || at_char('|'); }
  bool at_group_end() const { return at_ >= text_.size() || text_[at_] == ')'; }

  // ── grammar ──
  // `field`: inside field:( … ), nullptr elsewhere. Ends at ')' or the end of the text.
  Result<Operand> and_seq(size_t depth, const Field* field) {
    std::vector<Node> children;
    bool any = false;
    constexpr size_t kNone = std::string_view::npos;
    size_t pending = kNone;  // an AND that waits for its right side
    for (;;) {
      skip_blanks();
      if (at_group_end()) break;
      if (keyword("AND")) {
        if (!any || pending != kNone) return no_operand(at_, "AND", "left");
        pending = at_;
        at_ += 3;
        continue;
      }
      if (at_or()) return no_operand(at_, at_char('|') ? "|" : "OR", "left");
      size_t before = at_;
      ARCH_TRY(Operand operand, or_expr(depth, field));
      if (at_ == before) break;  // cannot happen; an endless loop would be worse
      any = true;
      pending = kNone;
      if (operand) children.push_back(std::move(*operand));
    }
    if (pending != kNone) return no_operand(pending, "AND", "right");
    return combined(Node::Kind::kAnd, std::move(children));
  }

  Result<Operand> or_expr(size_t depth, const Field* field) {
    std::vector<Node> children;
    ARCH_TRY(Operand first, unary(depth, field));
    if (first) children.push_back(std::move(*first));
    for (;;) {
      skip_blanks();
      if (!at_or()) break;
      size_t sign = at_;
      std::string_view name = at_char('|') ? "|" : "OR";
      at_ += name.size();
      skip_blanks();
      if (at_group_end() || at_or() || keyword("AND")) return no_operand(sign, name, "right");
      ARCH_TRY(Operand next, unary(depth, field));
      if (next) children.push_back(std::move(*next));
    }
    return combined(Node::Kind::kOr, std::move(children));
  }

  Result<Operand> unary(size_t depth, const Field* field) {
    size_t begin = at_;
    bool negated = false;
    bool marked = false;
    for (;;) {
      skip_blanks();
      if (skip_reply_mark()) {
        marked = true;
      } else if (at_char('-')) {
        size_t end = at_;
        while (end < text_.size() && text_[end] == '-') ++end;
        if (end >= text_.size() || blank_at(end) != 0 || text_[end] == ')') {
          drop(at_, end);
          at_ = end;
          return Operand();
        }
        ++at_;
        negated = !negated;
      } else if (keyword("NOT")) {
        size_t sign = at_;
        at_ += 3;
        skip_blanks();
        if (at_group_end() || at_or() || keyword("AND")) return no_operand(sign, "NOT", "right");
        negated = !negated;
      } else {
        break;
      }
    }
    if (marked && at_group_end()) return Operand();
    if (at_group_end()) return error(begin, "nothing follows here that could be left out");
    if (at_or()) return no_operand(at_, at_char('|') ? "|" : "OR", "left");
    if (keyword("AND")) return no_operand(at_, "AND", "left");
    ARCH_TRY(Operand inner, primary(depth, field));
    if (!inner || !negated) return inner;
    Node node;
    node.kind = Node::Kind::kNot;
    node.column = column(begin);
    node.children.push_back(std::move(*inner));
    return Operand(std::move(node));
  }

  Result<Operand> primary(size_t depth, const Field* field) {
    if (at_char('(')) return group(depth, field);
    if (keyword("NEAR") || text_.substr(at_, 5) == "NEAR/") return no_operand(at_, "NEAR", "left");
    if (auto name_end = field_name()) return field_value(depth, field, *name_end);
    return simple(field);
  }

  Result<Operand> group(size_t depth, const Field* field) {
    size_t open = at_;
    if (depth >= limits::kQueryDepth)
      return error(open, "more than " + std::to_string(limits::kQueryDepth) + " brackets lie inside each other");
    ++at_;
    skip_blanks();
    if (at_char(')')) return error(open, "there is nothing between the brackets", std::string(kQuoteAdvice));
    ARCH_TRY(Operand inner, and_seq(depth + 1, field));
    if (!at_char(')')) return error(open, "'(' is never closed", "add the ')', or put the text in double quotes");
    ++at_;
    return inner;
  }

  // The end of a name at the start of this token, its ':' not included.
  std::optional<size_t> field_name() const {
    size_t end = at_;
    size_t letters = 0;
    bool accented = false;
    for (; end < text_.size() && letters <= kNameLetters; ++letters) {
      if (is_letter(text_[end])) {
        ++end;
      } else if (static_cast<uint8_t>(text_[end]) == 0xc3 && end + 1 < text_.size()) {  // à, é, À …
        end += 2;
        accented = true;
      } else {
        break;
      }
    }
    if (letters > kNameLetters || (letters < 2 && !accented)) return std::nullopt;
    if (end >= text_.size() || text_[end] != ':' || text_.substr(end, 3) == "://") return std::nullopt;
    return end;
  }

  // "Re: ", "RE : ", "Tr: " … of a pasted subject.
  bool skip_reply_mark() {
    size_t end = at_;
    while (end < text_.size() && (is_letter(text_[end]) || static_cast<uint8_t>(text_[end]) >= 0x80) &&
           blank_at(end) == 0 && end - at_ < 8)
      ++end;
    std::string name = text::fold(text_.substr(at_, end - at_));
    constexpr std::string_view kMarks[] = {"re", "rep", "tr", "fw", "fwd", "aw", "wg"};
    if (std::find(std::begin(kMarks), std::end(kMarks), name) == std::end(kMarks)) return false;
    size_t colon = end + blank_at(end);
    if (colon >= text_.size() || text_[colon] != ':') return false;
    if (colon + 1 < text_.size() && blank_at(colon + 1) == 0) return false;
    notice(column(at_), "the reply mark '" + std::string(text_.substr(at_, colon + 1 - at_)) + "' was left out");
    dropped_ = true;
    at_ = colon + 1;
    return true;
  }

  Result<Operand> field_value(size_t depth, const Field* outer, size_t name_end) {
    size_t begin = at_;
    std::string shown(text_.substr(begin, name_end - begin));
    std::string name = text::fold(shown);
    const Field* field = internal::find_field(name);
    if (field == nullptr && internal::is_reserved(name))
      return error(begin, "the operator '" + shown + ":' is not supported in this version",
                   std::string(kQuoteAdvice));
    if (field == nullptr) {
      std::string_view near = internal::nearest_field(name);
      std::string hint = near.empty()
                             ? std::string(kQuoteAdvice)
                             : "did you mean " + std::string(near) + ":? Otherwise, " + std::string(kQuoteAdvice);
      return error(begin, "unknown operator '" + shown + ":'", std::move(hint));
    }
    if (outer != nullptr)
      return error(begin, "'" + shown + ":' stands inside the brackets of " + std::string(outer->info.name) + ":",
                   "close them first, or put the text in double quotes");
    at_ = name_end + 1;
    skip_blanks();
    if (at_group_end() || at_char('|'))
      return error(begin, "nothing follows '" + shown + ":'",
                   "for example " + std::string(field->info.example) + "; " + std::string(kQuoteAdvice));
    if (at_char('(')) return group(depth, field);
    if (at_char('-') && !ends_word(at_ + 1))
      return error(at_, "'-' stands behind '" + shown + ":'", "write it in front: -" + shown + ":…");
    return simple(field, true);
  }

  // How far the number in groups goes that begins here ("01 23 45 67 89", "+33 (0)1 …"), the longest there is.
  std::optional<size_t> grouped_number(text::NumberForms* forms) const {
    constexpr size_t kGroups = 16;
    constexpr std::string_view kCurrency = "\u20ac";
    std::optional<size_t> found;
    size_t end = at_;
    for (size_t i = 0; i < kGroups; ++i) {
      while (end < text_.size() && blank_at(end) == 0) {
        const auto c = static_cast<unsigned char>(text_[end]);
        if (text_.substr(end, 3) == "(0)") {
          end += 3;
        } else if (std::isalnum(c) != 0 || c == '.' || c == '-' || c == '/' || c == ',' || c == '+') {
          ++end;
        } else {
          break;
        }
      }
      if (!ends_word(end) && text_.substr(end, kCurrency.size()) != kCurrency) break;
      text::NumberForms these = text::number_forms(text_.substr(at_, end - at_));
      if (!these.together.empty()) {
        *forms = std::move(these);
        found = end;
      }
      const size_t blank = blank_at(end);
      if (blank == 0 || (ends_word(end + blank) && text_.substr(end + blank, 3) != "(0)")) break;
      end += blank;
    }
    return found;
  }

  // Such a number also as others write it together; when its groups do not tell what it is, its parts may stand anywhere.
  Result<Operand> number(const Field* field, const text::NumberForms& forms, size_t end) {
    const size_t begin = at_;
    const auto leaf = [&](Node::Kind kind, std::string_view text) {
      Node node;
      node.kind = kind;
      node.column = column(begin);
      if (field != nullptr) node.field = field->info.name;
      node.text = text;
      return node;
    };
    std::vector<Node> ways;
    for (const std::string& form : forms.together) ways.push_back(leaf(Node::Kind::kWord, form));
    std::vector<Node> parts;
    for (size_t at = begin; at < end;) {
      size_t part = at;
      while (part < end && blank_at(part) == 0) ++part;
      parts.push_back(leaf(Node::Kind::kWord, text_.substr(at, part - at)));
      at = part + blank_at(part);
    }
    if (parts.size() == 1 || forms.shape) {
      ways.push_back(leaf(Node::Kind::kPhrase, text_.substr(begin, end - begin)));
    } else {
      ways.push_back(std::move(*combined(Node::Kind::kAnd, std::move(parts))));
    }
    at_ = end;
    // Each counts, so that what was understood can be read again.
    for (size_t i = 0, leaves = ways.size() - 1 + std::max<size_t>(ways.back().children.size(), 1); i < leaves; ++i)
      ARCH_TRY_VOID(count_term(begin));
    return combined(Node::Kind::kOr, std::move(ways));
  }

  // One word, phrase, exact word or phrase, or prefix. `value`: directly behind a field's colon.
  Result<Operand> simple(const Field* field, bool value = false) {
    size_t begin = at_;
    if (!value && !in_near_ && (field == nullptr || field->value == Value::kText)) {
      text::NumberForms forms;
      if (const auto end = grouped_number(&forms)) return number(field, forms, *end);
    }
    Node node;
    node.kind = Node::Kind::kWord;
    node.column = column(begin);
    if (field != nullptr) node.field = field->info.name;
    if (at_char('=') && (at_ + 1 < text_.size() && (text_[at_ + 1] == '"' || !ends_word(at_ + 1)))) {
      node.kind = Node::Kind::kExact;
      ++at_;
    }
    if (at_char('"')) {
      ARCH_TRY(node.text, quoted());
      if (node.kind == Node::Kind::kWord) node.kind = Node::Kind::kPhrase;
    } else {
      size_t end = word_end(at_);
      node.text = text_.substr(at_, end - at_);
      at_ = end;
    }
    bool plain = node.kind == Node::Kind::kWord;
    if (field != nullptr && field->value != Value::kText && field->value != Value::kPeople)
      return special(*field, begin, std::move(node));
    if (plain) {
      if (!value) notice_small_operator(node);
      ARCH_TRY_VOID(wildcard(begin, &node));
    }
    if (!has_words(node.text)) {
      if (plain && !value) {
        drop(begin, at_);
        return Operand();
      }
      return error(begin, "there is no letter or digit to search for", "write a word");
    }
    ARCH_TRY_VOID(count_term(begin));
    return near(field, std::move(node));
  }

  // "a NEAR/5 b", when it goes on so behind a.
  Result<Operand> near(const Field* field, Node left) {
    const size_t behind = at_;
    skip_blanks();
    if (in_near_ || (!keyword("NEAR") && text_.substr(at_, 5) != "NEAR/")) {
      at_ = behind;
      return Operand(std::move(left));
    }
    const size_t sign = at_;
    if (keyword("NEAR"))
      return error(sign, "NEAR stands without its distance", "write NEAR/5 for at most 5 words apart");
    if (field != nullptr && field->value == Value::kPeople)
      return error(sign, "NEAR looks at text, not at people",
                   "write it without " + std::string(field->info.name) + ":");
    at_ += 5;
    const size_t end = word_end(at_);
    const std::string_view digits = text_.substr(at_, end - at_);
    uint64_t distance = 0;
    for (char c : digits)
      distance = c >= '0' && c <= '9' && distance < 1000 ? distance * 10 + static_cast<uint64_t>(c - '0') : 1000;
    if (digits.empty() || distance < 1 || distance > kNearWords)
      return error(sign, "NEAR/ takes a number from 1 to " + std::to_string(kNearWords), "for example NEAR/5");
    at_ = end;
    skip_blanks();
    if (at_group_end() || at_or() || at_char('(') || keyword("AND") || at_char('-') || field_name())
      return error(sign, "'NEAR' has no word or phrase on its right", "write one: bail NEAR/5 \"mise en demeure\"");
    in_near_ = true;
    auto right = simple(field);
    in_near_ = false;
    if (!right) return right;
    if (!*right) return error(sign, "'NEAR' has no word or phrase on its right");
    for (const Node* side : {&left, &**right})
      if (side->kind == Node::Kind::kPrefix)
        return error(sign, "NEAR takes words and phrases, no '*'", "write the word whole");
    skip_blanks();
    if (keyword("NEAR") || text_.substr(at_, 5) == "NEAR/")
      return error(at_, "NEAR joins two words or phrases, not three", "write a NEAR/5 b AND b NEAR/5 c");
    Node node;
    node.kind = Node::Kind::kNear;
    node.field = left.field;
    node.column = left.column;
    node.from = distance;
    node.children.push_back(std::move(left));
    node.children.push_back(std::move(**right));
    return Operand(std::move(node));
  }

  Result<std::string> quoted() {
    size_t open = at_;
    std::string out;
    for (++at_; at_ < text_.size(); ++at_) {
      char c = text_[at_];
      if (c == '"') {
        ++at_;
        return out;
      }
      if (c == '\\' && at_ + 1 < text_.size() && (text_[at_ + 1] == '"' || text_[at_ + 1] == '\\')) c = text_[++at_];
      out.push_back(c);
    }
    return error(open, "this double quote is never closed", "add the closing one; inside a phrase write \\\"");
  }

  Result<void> wildcard(size_t begin, Node* node) {
    size_t star = node->text.find('*');
    if (star == std::string::npos) return {};
    if (star == 0 && node->text.size() > 1)
      return error(begin, "'*' cannot stand in front of a word", "only the end can be left open: cour*");
    if (star == 0) return {};  // alone it is a sign like any other
    if (star != node->text.size() - 1)
      return error(begin, "'*' can only stand at the end of a word", std::string(kQuoteAdvice));
    node->text.pop_back();
    size_t letters = 0;
    for (text::Scanner scanner(node->text); scanner.next();) letters += characters(scanner.term());
    if (letters < kPrefixLetters)
      return error(begin, "fewer than " + std::to_string(kPrefixLetters) + " letters stand in front of '*'",
                   "write more of the word");
    node->kind = Node::Kind::kPrefix;
    return {};
  }

  Result<void> count_term(size_t begin) {
    if (++terms_ <= limits::kQueryTerms) return {};
    return error(begin, "more than " + std::to_string(limits::kQueryTerms) + " words and conditions",
                 "ask for fewer at once");
  }

  void notice_small_operator(const Node& node) {
    for (std::string_view word : {"or", "and", "not"})
      if (node.text == word) {
        std::string capitals = word == "or" ? "OR" : word == "and" ? "AND" : "NOT";
        notice(node.column, "'" + node.text + "' is searched as a word; the operator is " + capitals);
      }
  }

  void drop(size_t begin, size_t end) {
    dropped_ = true;
    notice(column(begin),
           "'" + std::string(text_.substr(begin, end - begin)) + "' has no letter or digit and was left out");
  }

  // ── values that are no text ──
  Result<Operand> special(const Field& field, size_t begin, Node node) {
    std::string shown = std::string(field.info.name) + ":";
    if (node.kind == Node::Kind::kExact)
      return error(begin, "'=' has no meaning behind " + shown, "write it without");
    ARCH_TRY_VOID(count_term(begin));
    switch (field.value) {
      case Value::kDate:
      case Value::kBefore:
      case Value::kAfter:
        ARCH_TRY_VOID(date(field, begin, &node));
        return Operand(std::move(node));
      case Value::kSize:
      case Value::kLarger:
      case Value::kSmaller:
      case Value::kNumber:
        ARCH_TRY_VOID(range(field, begin, &node));
        return Operand(std::move(node));
      case Value::kIn: {
        std::string_view direction = internal::find_direction(text::fold(node.text));
        if (direction.empty())
          return error(begin, "in: knows no '" + node.text + "'",
                       "write in:incoming, in:outgoing, in:internal or in:bounce");
        node.kind = Node::Kind::kIn;
        node.text = direction;
        return Operand(std::move(node));
      }
      case Value::kType:
        ARCH_TRY_VOID(type(begin, &node));
        return Operand(std::move(node));
      case Value::kLabel:
        if (!has_words(node.text)) return error(begin, "there is no letter or digit to search for", "write a word");
        node.kind = Node::Kind::kLabel;
        node.text = text::address_term(node.text);
        return Operand(std::move(node));
      case Value::kLanguage: {
        const std::string folded = text::fold(node.text);
        const std::string_view code = internal::find_language(folded);
        if (code.empty())
          return error(begin, "lang: knows no '" + node.text + "'", "write a code of two letters: lang:fr, lang:en");
        node.kind = Node::Kind::kLabel;
        node.text = std::string(code);
        return Operand(std::move(node));
      }
      case Value::kHeader:
        ARCH_TRY_VOID(header(begin, &node));
        return Operand(std::move(node));
      case Value::kHas:
        ARCH_TRY_VOID(has(begin, &node));
        return Operand(std::move(node));
      case Value::kIs:
        if (const std::string folded = text::fold(node.text); folded == "partial" || folded == "partiel") {
          node.text = "partial";
        } else if (folded == "unread" || folded == "nonlu") {
          node.text = "unread";
        } else {
          return error(begin, "is: knows no '" + node.text + "'", "write is:partial or is:unread");
        }
        node.kind = Node::Kind::kHas;
        return Operand(std::move(node));
      default:
        break;
    }
    node.kind = Node::Kind::kId;
    if (node.text.size() > 1 && node.text.front() == '<' && node.text.back() == '>')
      node.text = node.text.substr(1, node.text.size() - 2);
    if (node.text.empty()) return error(begin, "nothing follows '" + shown + "'");
    if (field.info.name == "hash") {
      auto prefix = DigestPrefix::parse(node.text);
      if (!prefix) return error(begin, prefix.error().what, prefix.error().hint);
      node.text = prefix->hex;
    }
    return Operand(std::move(node));
  }

  Result<void> has(size_t begin, Node* node) {
    std::string_view canonical;
    switch (internal::find_has(text::fold(node->text), &canonical)) {
      case internal::HasValue::kKnown:
        node->kind = std::find(std::begin(kTypeGroups), std::end(kTypeGroups), canonical) != std::end(kTypeGroups)
                         ? Node::Kind::kType
                         : Node::Kind::kHas;
        node->text = canonical;
        return {};
      case internal::HasValue::kReserved:
        return error(
            begin, "'has:" + node->text + "' is not supported in this version",
            "these are: attachment inline encrypted signature link bcc variant pdf image office archive calendar");
      case internal::HasValue::kUnknown:
        break;
    }
    return error(begin, "has: knows no '" + node->text + "'",
                 "it knows attachment inline encrypted signature link bcc variant pdf image office archive calendar");
  }

  // NAME or NAME=VALUE (RFC 5322 s3.6.8: a name is printable ASCII without colon).
  Result<void> header(size_t begin, Node* node) {
    const size_t sign = node->text.find('=');
    std::string name = text::fold(std::string_view(node->text).substr(0, sign));
    while (!name.empty() && name.back() == ' ') name.pop_back();
    const bool sound = !name.empty() && name.size() <= 64 &&
                       std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c <= '~' && c != ':'; });
    if (!sound)
      return error(begin, "'" + name + "' is no name of a header field", "for example header:x-run-id=4711");
    if (sign != std::string::npos) node->value = node->text.substr(sign + 1);
    if (sign != std::string::npos && !has_words(node->value))
      return error(begin, "there is no letter or digit behind '='", "write header:" + name + " for any value");
    node->kind = Node::Kind::kHeader;
    node->text = std::move(name);
    return {};
  }

  // A group, an ending or a media type (RFC 6838 s4.2), in lower case.
  Result<void> type(size_t begin, Node* node) {
    std::string folded = text::fold(node->text);
    if (folded == "calendrier") folded = "calendar";
    const bool sound = !folded.empty() && folded.size() <= 127 &&
                       std::isalnum(static_cast<unsigned char>(folded[0])) &&
                       std::all_of(folded.begin(), folded.end(), [](char c) {
                         return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                                std::string_view("/.+-_").find(c) != std::string_view::npos;
                       });
    if (!sound)
      return error(begin, "'" + node->text + "' is no kind of file",
                   "for example type:pdf, type:image, type:csv or type:image/png");
    node->kind = Node::Kind::kType;
    node->text = std::move(folded);
    return {};
  }

  // Sizes and numbers of deliveries; both ends of a range belong to it.
  Result<void> range(const Field& field, size_t begin, Node* node) {
    const bool number = field.value == Value::kNumber;
    const std::string name(field.info.name);
    auto value = [&](std::string_view text) -> Result<uint64_t> {
      auto read = internal::parse_size(text::fold(text));
      const bool digits = std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
      if (!read || (number && !digits))
        return error(begin, "'" + std::string(text) + "' is no " + (number ? "number" : "size"),
                     number ? "for example seq:1000..1099" : "for example larger:500K, larger:1.5M, size:1M..5M");
      return *read;
    };
    std::string_view text = node->text;
    node->from = 0;
    node->to = UINT64_MAX;
    const size_t dots = text.find("..");
    if (dots == std::string_view::npos) {
      ARCH_TRY(uint64_t point, value(text));
      if (field.value == Value::kSize)
        return error(begin, "size: takes a range", "write larger:" + node->text + " or size:" + node->text + "..");
      if (field.value != Value::kSmaller) node->from = point;
      if (field.value == Value::kSmaller) node->to = point;
      if (number) node->to = point + 1;
    } else {
      if (field.value == Value::kLarger || field.value == Value::kSmaller)
        return error(begin, name + ": takes one size, not a range", "write size:" + node->text);
      std::string_view left = text.substr(0, dots);
      std::string_view right = text.substr(dots + 2);
      if (left.empty() && right.empty())
        return error(begin, std::string("'..' needs a ") + (number ? "number" : "size") + " on one side at least");
      if (!left.empty()) {
        ARCH_TRY(node->from, value(left));
      }
      if (!right.empty()) {
        ARCH_TRY(node->to, value(right));
        ++node->to;
      }
    }
    if (node->from >= node->to)
      return error(
          begin, dots == std::string_view::npos ? "nothing is smaller than that" : "the range ends before it begins",
          dots == std::string_view::npos ? "write a larger size" : "write the smaller one first");
    node->kind = Node::Kind::kRange;
    node->field = number ? "seq" : "size";
    node->shown = std::to_string(node->from) + ".." + (node->to == UINT64_MAX ? "" : std::to_string(node->to - 1));
    node->text.clear();
    return {};
  }

  const Timezone& zone() {
    if (!zone_) {
      auto loaded = Timezone::load(context_.timezone);
      if (!loaded) notice(0, loaded.error().what + "; days are those of UTC");
      zone_ = loaded ? std::move(*loaded) : Timezone();
    }
    return *zone_;
  }

  Result<Period> point(size_t begin, std::string_view text) {
    int64_t now_s = context_.now / kNsPerSecond - (context_.now % kNsPerSecond < 0 ? 1 : 0);
    auto period = parse_date(text, zone().day_of(now_s));
    if (!period) return error(begin, period.error().what, period.error().hint);
    if (period->day_first) notice(column(begin), "'" + std::string(text) + "' was read as day/month/year");
    return period;
  }

  Result<void> date(const Field& field, size_t begin, Node* node) {
    node->kind = Node::Kind::kDate;
    std::string_view text = node->text;
    std::optional<int64_t> from, to;
    size_t dots = text.find("..");
    if (dots != std::string_view::npos) {
      if (field.value != Value::kDate)
        return error(begin, std::string(field.info.name) + ": takes one date, not a range",
                     "write date:" + node->text);
      std::string_view left = text.substr(0, dots);
      std::string_view right = text.substr(dots + 2);
      if (left.empty() && right.empty()) return error(begin, "'..' needs a date on one side at least");
      if (!left.empty()) {
        ARCH_TRY(Period period, point(begin, left));
        from = period.from;
      }
      if (!right.empty()) {
        ARCH_TRY(Period period, point(begin, right));
        to = period.duration ? period.from + 1 : period.to;
      }
      if (from && to && *from >= *to)
        return error(begin, "the range ends before it begins", "write the earlier date first");
    } else {
      ARCH_TRY(Period period, point(begin, text));
      if (field.value != Value::kBefore) from = period.from;
      if (field.value == Value::kDate) to = period.to;
      if (field.value == Value::kBefore) to = period.from;
    }
    node->field = field.value == Value::kDate ? field.info.name : "date";
    node->from_s = from ? zone().day_begin(*from) : INT64_MIN;
    node->to_s = to ? zone().day_begin(*to) : INT64_MAX;
    node->shown = (from ? format_day(*from) : "") + ".." + (to ? format_day(*to - 1) : "");
    node->text.clear();
    return {};
  }

  // ── results ──
  tl::unexpected<Error> no_operand(size_t at, std::string_view name, std::string_view side) const {
    return error(at, "'" + std::string(name) + "' has nothing on its " + std::string(side),
                 "to search for it as a word, put it in double quotes");
  }

  static Operand combined(Node::Kind kind, std::vector<Node> children) {
    if (children.empty()) return std::nullopt;
    if (children.size() == 1) return std::move(children[0]);
    Node node;
    node.kind = kind;
    node.column = children[0].column;
    node.children = std::move(children);
    return node;
  }

  static void write_quoted(std::string_view text, std::string* out) {
    out->push_back('"');
    for (char c : text) {
      if (c == '"' || c == '\\') out->push_back('\\');
      out->push_back(c);
    }
    out->push_back('"');
  }

  // Depth is that of the brackets the parser allowed.
  static void write(const Node& node, bool outermost, std::string* out) {
    switch (node.kind) {
      case Node::Kind::kAll:
        return;
      case Node::Kind::kAnd:
      case Node::Kind::kOr: {
        if (!outermost) out->push_back('(');
        for (size_t i = 0; i < node.children.size(); ++i) {
          if (i > 0) out->append(node.kind == Node::Kind::kAnd ? " AND " : " OR ");
          write(node.children[i], false, out);
        }
        if (!outermost) out->push_back(')');
        return;
      }
      case Node::Kind::kNot:
        out->append("NOT ");
        write(node.children[0], false, out);
        return;
      default:
        break;
    }
    if (node.kind == Node::Kind::kNear) {
      if (!node.field.empty()) out->append(node.field).append(":(");
      for (size_t i = 0; i < 2; ++i) {
        Node side = node.children[i];
        side.field.clear();
        write(side, false, out);
        if (i == 0) out->append(" NEAR/" + std::to_string(node.from) + " ");
      }
      if (!node.field.empty()) out->push_back(')');
      return;
    }
    if (!node.field.empty()) out->append(node.field).push_back(':');
    if (node.kind == Node::Kind::kHeader) {
      const std::string text = node.value.empty() ? node.text : node.text + "=" + node.value;
      if (text.find_first_of(" ()\"|") == std::string::npos) {
        out->append(text);
      } else {
        write_quoted(text, out);
      }
      return;
    }
    if (node.kind == Node::Kind::kDate || node.kind == Node::Kind::kRange) {
      out->append(node.shown);
      return;
    }
    if (node.kind == Node::Kind::kExact) out->push_back('=');
    bool needs_quotes = node.kind == Node::Kind::kPhrase || node.kind == Node::Kind::kExact;
    if (node.kind == Node::Kind::kId || node.kind == Node::Kind::kLabel)
      needs_quotes = node.text.find_first_of(" ()\"|=-") != std::string::npos || !text::Scanner(node.text).next();
    if (needs_quotes) {
      write_quoted(node.text, out);
    } else {
      out->append(node.text);
    }
    if (node.kind == Node::Kind::kPrefix) out->push_back('*');
  }

  std::string_view text_;
  const ParseContext& context_;
  size_t at_ = 0;
  size_t terms_ = 0;
  bool dropped_ = false;
  bool in_near_ = false;
  std::vector<Notice> notices_;
  std::optional<Timezone> zone_;
};

}  // namespace

Result<Query> parse(std::string_view text, const ParseContext& context) {
  if (text.size() > limits::kQueryBytes)
    return fail(Code::kInvalid,
                "column 1: the query is longer than " + std::to_string(limits::kQueryBytes) + " bytes",
                "ask for less at once");
  std::string clean = sanitised(text);
  return Parser(clean, context).run();
}

}  // namespace arch::query
