// Query text to a tree, by the grammar in docs/query-language.md. Pure. Bounded (limits.h): bytes, terms, depth; the
// parser does not recurse deeper than limits::kQueryDepth. Nothing is guessed: an unknown operator, an unbalanced quote or
// bracket, a malformed date is an error with its column and what to write instead.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/result.h"

namespace arch::query {

struct Node {
  enum class Kind : uint8_t {
    kAll,  ///< the empty query
    kAnd,
    kOr,
    kNot,     ///< children; kNot has one
    kWord,    ///< text
    kPhrase,  ///< text between quotes
    kExact,   ///< ="…": accents and case count (text)
    kPrefix,  ///< text without the *
    kDate,    ///< [from_s, to_s)
    kHas,     ///< text: "attachment" …
  };
  Kind kind = Kind::kAll;
  std::string field;  ///< canonical English name ("from", "subject" …) or empty: everywhere
  std::string text;
  int64_t from_s = 0, to_s = 0;  ///< kDate; INT64_MIN / INT64_MAX where open
  uint32_t column = 0;           ///< 1-based, of its first character
  std::vector<Node> children;
};

struct Notice {
  uint32_t column = 0;
  std::string text;
};

struct Query {
  Node root;
  std::string interpreted;  ///< fully bracketed, dates resolved
  std::vector<Notice> notices;
};

struct ParseContext {
  UnixNs now = 0;
  std::string timezone = "Europe/Paris";  ///< days begin at its midnight; "UTC" allowed
};

/// Errors: kInvalid; `what` holds the column, `hint` the advice.
Result<Query> parse(std::string_view text, const ParseContext& context);

/// The operators, for help, manual and schema: one table (fields.cc).
struct FieldInfo {
  std::string_view name;
  std::vector<std::string_view> aliases;
  std::string_view meaning;
  std::string_view example;
};
const std::vector<FieldInfo>& fields();

}  // namespace arch::query
