#include <algorithm>
#include <limits>
#include <optional>

#include "engine/base/limits.h"
#include "query/language/dates.h"
#include "query/language/query.h"

namespace arch::query {

namespace {

using internal::Period;
using internal::Zone;
using Kind = Node::Kind;

constexpr int64_t kOpenBegin = std::numeric_limits<int64_t>::min();
constexpr int64_t kOpenEnd = std::numeric_limits<int64_t>::max();
constexpr size_t kMinPrefixLetters = 3;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

std::string lower_ascii(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

size_t characters(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// Operators of the language that this version does not answer: named, so that nobody takes them for words.
constexpr std::string_view kLater[] = {"type", "larger", "smaller", "size", "received", "archived",
                                       "in",   "list",   "seq",     "tag",  "lang"};

// What mail programs put before a subject; people paste it.
constexpr std::string_view kReplyMarks[] = {"re", "rép", "rep", "tr", "fw", "fwd", "aw", "wg", "ref", "réf"};

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

const FieldInfo* find_field(std::string_view name) {
  for (const FieldInfo& field : fields()) {
    if (field.name == name) return &field;
    for (std::string_view alias : field.aliases)
      if (alias == name) return &field;
  }
  return nullptr;
}

class Parser {
 public:
  Parser(std::string_view text, const ParseContext& context)
      : text_(text), context_(context), zone_(context.timezone), today_(zone_.day_of(context.now / kNsPerSecond)) {}

  Result<Query> run() {
    if (text_.size() > limits::kQueryBytes)
      return fail(Code::kInvalid, "the query is longer than " + std::to_string(limits::kQueryBytes) + " bytes",
                  "ask for less at once");
    if (text_.find('\0') != std::string_view::npos) return error(text_.find('\0'), "a query holds no NUL", {});
    if (!zone_.known()) notice(0, "the time zone " + context_.timezone + " is not known here: days are those of UTC");
    skip_blanks();
    Query query;
    if (!at_end()) {
      ARCH_TRY(query.root, and_sequence({}, 0));
      if (!at_end()) return error(at_, "there is a closing bracket too many", "remove it, or put it between quotes");
    }
    query.notices = std::move(notices_);
    query.interpreted = render(query.root);
    return query;
  }

 private:
  // ── text ──
  bool at_end() const { return at_ >= text_.size(); }
  char here() const { return text_[at_]; }
  void skip_blanks() {
    while (!at_end() && is_blank(here())) ++at_;
  }
  uint32_t column(size_t at) const { return static_cast<uint32_t>(characters(text_.substr(0, at)) + 1); }
  tl::unexpected<Error> error(size_t at, const std::string& what, std::string hint) const {
    return fail(Code::kInvalid, "column " + std::to_string(column(at)) + ": " + what, std::move(hint));
  }
  void notice(size_t at, std::string text) { notices_.push_back({column(at), std::move(text)}); }

  // A bare word: up to a blank, a bracket or a quote.
  std::string_view peek_word() const {
    size_t end = at_;
    while (end < text_.size() && !is_blank(text_[end]) && text_[end] != '(' && text_[end] != ')' && text_[end] != '"')
      ++end;
    return text_.substr(at_, end - at_);
  }
  bool at_keyword(std::string_view keyword) const { return peek_word() == keyword; }

  // ── grammar ──
  Result<Node> and_sequence(const std::string& field, size_t depth) {
    if (depth > limits::kQueryDepth)
      return error(at_, "brackets are nested deeper than " + std::to_string(limits::kQueryDepth), "write it flatter");
    std::vector<Node> children;
    while (true) {
      skip_blanks();
      if (at_end() || here() == ')') break;
      if (at_keyword("AND")) {
        const size_t at = at_;
        at_ += 3;
        skip_blanks();
        if (children.empty() || at_end() || here() == ')' || at_keyword("AND"))
          return error(at, "AND stands between two things", "for the word itself, write \"and\" in small letters");
      }
      ARCH_TRY(auto child, or_expression(field, depth));
      if (child) children.push_back(std::move(*child));
    }
    return combine(Kind::kAnd, std::move(children));
  }

  static Node combine(Kind kind, std::vector<Node> children) {
    if (children.empty()) return Node{};
    if (children.size() == 1) return std::move(children.front());
    Node node;
    node.kind = kind;
    node.column = children.front().column;
    node.children = std::move(children);
    return node;
  }

  bool at_or() const { return at_keyword("OR") || (!at_end() && here() == '|'); }

  Result<std::optional<Node>> or_expression(const std::string& field, size_t depth) {
    std::vector<Node> children;
    while (true) {
      if (at_or())
        return error(at_, "OR stands between two things", "for the word itself, write \"or\" in small letters");
      ARCH_TRY(auto child, unary(field, depth));
      if (child) children.push_back(std::move(*child));
      skip_blanks();
      if (!at_or()) break;
      const size_t at = at_;
      at_ += here() == '|' ? 1 : 2;
      skip_blanks();
      if (at_end() || here() == ')')
        return error(at, "OR stands between two things", "add what it shall choose from");
    }
    if (children.empty()) return std::optional<Node>();
    return std::optional<Node>(combine(Kind::kOr, std::move(children)));
  }

  // Nothing: what stood there holds no word.
  Result<std::optional<Node>> unary(const std::string& field, size_t depth) {
    bool negated = false;
    const size_t begin = at_;
    while (!at_end()) {
      if (here() == '-' && at_ + 1 < text_.size() && !is_blank(text_[at_ + 1]) && text_[at_ + 1] != ')') {
        ++at_;
      } else if (at_keyword("NOT")) {
        at_ += 3;
        skip_blanks();
      } else {
        break;
      }
      negated = !negated;
      if (at_end() || here() == ')')
        return error(begin, "NOT stands before something", "for the word itself, write \"not\" in small letters");
    }
    ARCH_TRY(auto node, primary(field, depth));
    if (!node || !negated) return node;
    if (node->kind == Kind::kNot) return std::optional<Node>(Node(std::move(node->children.front())));
    Node inverse;
    inverse.kind = Kind::kNot;
    inverse.column = column(begin);
    inverse.children.push_back(std::move(*node));
    return std::optional<Node>(std::move(inverse));
  }

  Result<std::optional<Node>> primary(const std::string& field, size_t depth) {
    const size_t begin = at_;
    if (here() == '(') {
      ARCH_TRY(Node inner, bracketed(field, depth));
      if (inner.kind == Kind::kAll) return error(begin, "there is nothing between the brackets", "remove them");
      return std::optional<Node>(std::move(inner));
    }
    if (here() == ')')
      return error(at_, "a closing bracket has no opening one", "remove it, or put it between quotes");
    if (here() != '"' && here() != '=') {
      std::string_view word = peek_word();
      const size_t colon = word.find(':');
      if (colon != std::string_view::npos && colon > 0 && word.substr(colon + 1, 2) != "//") {
        const std::string name = lower_ascii(word.substr(0, colon));
        if (const FieldInfo* info = find_field(name)) {
          if (!field.empty())
            return error(begin, "an operator stands inside the brackets of " + field + ":", "close them first");
          at_ += colon + 1;
          skip_blanks();
          return field_value(*info, begin, depth);
        }
        const bool letters = std::all_of(name.begin(), name.end(), [](char c) {
          return (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80;
        });
        if (letters && characters(name) >= 2 && characters(name) <= 16) {
          const bool mark = std::find(std::begin(kReplyMarks), std::end(kReplyMarks), name) != std::end(kReplyMarks);
          if (mark && colon + 1 == word.size()) {
            notice(begin, std::string(word) + " was left out: it marks an answer");
            at_ += word.size();
            return std::optional<Node>();
          }
          if (std::find(std::begin(kLater), std::end(kLater), name) != std::end(kLater))
            return error(begin, "the operator " + name + ": is not supported in this version",
                         "for the text itself, write \"" + std::string(word) + "\" between quotes");
          return unknown_operator(begin, name, word);
        }
      }
    }
    return leaf(field);
  }

  tl::unexpected<Error> unknown_operator(size_t begin, const std::string& name, std::string_view word) const {
    std::string nearest;
    size_t best = 3;
    for (const FieldInfo& info : fields()) {
      std::vector<std::string_view> names = {info.name};
      names.insert(names.end(), info.aliases.begin(), info.aliases.end());
      for (std::string_view candidate : names) {
        const size_t distance = edit_distance(name, candidate);
        if (distance < best) {
          best = distance;
          nearest = candidate;
        }
      }
    }
    return error(begin, "unknown operator " + name + ":",
                 (nearest.empty() ? std::string() : "did you mean " + nearest + ":? ") +
                     "For the text itself, write \"" + std::string(word) + "\" between quotes");
  }

  Result<Node> bracketed(const std::string& field, size_t depth) {
    const size_t begin = at_++;
    ARCH_TRY(Node inner, and_sequence(field, depth + 1));
    if (at_end()) return error(begin, "the bracket is not closed", "add a ) where it ends");
    ++at_;
    return inner;
  }

  Result<std::optional<Node>> field_value(const FieldInfo& info, size_t begin, size_t depth) {
    const std::string name(info.name);
    if (at_end() || here() == ')')
      return error(begin, name + ": says nothing", "give it a value, such as " + std::string(info.example));
    if (name == "date" || name == "before" || name == "after") return date_value(name, begin);
    if (name == "has" || name == "is") return flag_value(name, begin);
    if (here() == '(') {
      if (name == "id" || name == "hash" || name == "thread") return error(begin, name + ": takes one value", {});
      ARCH_TRY(Node inner, bracketed(name, depth));
      if (inner.kind == Kind::kAll)
        return error(begin, "there is nothing between the brackets of " + name + ":", "give it a value");
      return std::optional<Node>(std::move(inner));
    }
    return leaf(name);
  }

  Result<std::string_view> plain_value(const std::string& name, size_t begin) {
    std::string_view word;
    if (here() == '"') {
      const size_t end = text_.find('"', at_ + 1);
      if (end == std::string_view::npos) return error(at_, "the quote is not closed", "add a \" where it ends");
      word = text_.substr(at_ + 1, end - at_ - 1);
      at_ = end + 1;
    } else {
      word = peek_word();
      at_ += word.size();
    }
    if (word.empty()) return error(begin, name + ": takes one plain value", {});
    return word;
  }

  Result<std::optional<Node>> date_value(const std::string& name, size_t begin) {
    const size_t value_at = at_;
    ARCH_TRY(std::string_view word, plain_value(name, begin));
    const auto point = [&](std::string_view text) -> Result<Period> {
      auto period = internal::parse_point(text, today_);
      if (!period) return error(value_at, period.error().what, period.error().hint);
      if (!period->notice.empty()) notice(value_at, period->notice);
      return period;
    };
    std::optional<int64_t> first, end;
    const size_t dots = word.find("..");
    if (dots != std::string_view::npos) {
      if (name != "date")
        return error(value_at, name + ": takes one date", "for a range, write date:" + std::string(word));
      const std::string_view from = word.substr(0, dots), to = word.substr(dots + 2);
      if (from.empty() && to.empty())
        return error(value_at, "a range has at least one end", "write date:2024-01..2024-03");
      if (!from.empty()) {
        ARCH_TRY(Period period, point(from));
        first = period.first;
      }
      if (!to.empty()) {
        ARCH_TRY(Period period, point(to));
        end = period.end;
      }
      if (first && end && *first >= *end)
        return error(value_at, "the range ends before it begins", "write the earlier date first");
    } else {
      ARCH_TRY(Period period, point(word));
      if (name == "before")
        end = period.first;
      else
        first = period.first;
      if (name == "date") end = period.end;
    }
    Node node;
    node.kind = Kind::kDate;
    node.field = "date";
    node.column = column(begin);
    node.from_s = first ? zone_.midnight(*first) : kOpenBegin;
    node.to_s = end ? zone_.midnight(*end) : kOpenEnd;
    if (first) node.text = internal::format_day(*first);
    if (!first || !end || *end != *first + 1)
      node.text += ".." + (end ? internal::format_day(*end - 1) : std::string());
    ARCH_TRY_VOID(count_term(begin));
    return std::optional<Node>(std::move(node));
  }

  Result<std::optional<Node>> flag_value(const std::string& name, size_t begin) {
    ARCH_TRY(std::string_view word, plain_value(name, begin));
    std::string value = lower_ascii(word);
    if (value == "attachments" || value == "pj" || value == "pièce" || value == "pièce-jointe") value = "attachment";
    const bool good = name == "has" ? value == "attachment" || value == "encrypted"
                                    : value == "partial" || value == "unread" || value == "encrypted";
    if (!good)
      return error(begin, name + ":" + std::string(word) + " is not known in this version",
                   name == "has" ? "write has:attachment" : "write is:partial, is:unread or is:encrypted");
    Node node;
    node.kind = Kind::kHas;
    node.field = name;
    node.text = std::move(value);
    node.column = column(begin);
    ARCH_TRY_VOID(count_term(begin));
    return std::optional<Node>(std::move(node));
  }

  Result<void> count_term(size_t at) {
    if (++terms_ > limits::kQueryTerms)
      return error(at, "the query has more than " + std::to_string(limits::kQueryTerms) + " terms",
                   "ask for less at once");
    return {};
  }

  // word, "phrase", =exact, prefix*
  Result<std::optional<Node>> leaf(const std::string& field) {
    const size_t begin = at_;
    Node node;
    node.field = field;
    node.column = column(begin);
    const bool exact = here() == '=' && at_ + 1 < text_.size() && !is_blank(text_[at_ + 1]) &&
                       text_[at_ + 1] != ')' && text_[at_ + 1] != '(';
    if (exact) ++at_;
    if (here() == '"') {
      const size_t open = at_++;
      std::string phrase;
      while (!at_end() && here() != '"') {
        if (here() == '\\' && at_ + 1 < text_.size() && (text_[at_ + 1] == '"' || text_[at_ + 1] == '\\')) ++at_;
        phrase.push_back(text_[at_++]);
      }
      if (at_end()) return error(open, "the quote is not closed", "add a \" where it ends");
      ++at_;
      node.kind = Kind::kPhrase;
      node.text = std::move(phrase);
    } else {
      std::string_view word = peek_word();
      at_ += word.size();
      node.kind = Kind::kWord;
      node.text = word;
      if (word.size() > 1 && word.front() == '*')
        return error(begin, "a word cannot begin with *",
                     "write its beginning: the end may be left open, as in fact*");
      if (word.size() > 1 && word.back() == '*') {
        node.text.pop_back();
        if (exact) return error(begin, "= and * do not go together", "choose one of them");
        if (characters(node.text) < kMinPrefixLetters)
          return error(begin, "too few letters before the *", "give at least " + std::to_string(kMinPrefixLetters));
        node.kind = Kind::kPrefix;
      }
      if (node.text.find("NEAR/") == 0)
        return error(begin, "NEAR/ is not supported in this version",
                     "put the words between quotes, or write near/ in small letters");
    }
    if (exact) node.kind = Kind::kExact;
    ARCH_TRY_VOID(count_term(begin));
    return std::optional<Node>(std::move(node));
  }

  // ── how it was understood ──
  static std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (char c : text) {
      if (c == '"' || c == '\\') out.push_back('\\');
      out.push_back(c);
    }
    return out + "\"";
  }

  static std::string render(const Node& node) {  // as deep as the parser went, no deeper
    const std::string prefix = node.field.empty() ? "" : node.field + ":";
    switch (node.kind) {
      case Kind::kAll:
        return "";
      case Kind::kNot:
        return "NOT " + render(node.children.front());
      case Kind::kAnd:
      case Kind::kOr: {
        std::string out = "(";
        for (size_t i = 0; i < node.children.size(); ++i) {
          if (i > 0) out += node.kind == Kind::kAnd ? " AND " : " OR ";
          out += render(node.children[i]);
        }
        return out + ")";
      }
      case Kind::kWord:
        return prefix + node.text;
      case Kind::kPhrase:
        return prefix + quoted(node.text);
      case Kind::kExact:
        return prefix + "=" + quoted(node.text);
      case Kind::kPrefix:
        return prefix + node.text + "*";
      case Kind::kDate:
      case Kind::kHas:
        return prefix + node.text;
    }
    return {};
  }

  const std::string_view text_;
  const ParseContext& context_;
  const Zone zone_;
  const int64_t today_;
  size_t at_ = 0;
  size_t terms_ = 0;
  std::vector<Notice> notices_;
};

}  // namespace

Result<Query> parse(std::string_view text, const ParseContext& context) { return Parser(text, context).run(); }

}  // namespace arch::query
