// Query text to a tree, by the grammar in docs/query-language.md. Pure but for the zone file that dates need. Bounded
// (limits.h): bytes, terms, depth; the parser recurses once per bracket, at most limits::kQueryDepth deep. Nothing is
// guessed: an unknown operator, an unbalanced quote or bracket, a malformed date is an error with its column and what to
// write instead.
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
    kNot,     ///< these three have children, kNot one
    kWord,    ///< text
    kPhrase,  ///< text between quotes, its escapes resolved
    kExact,   ///< =word, ="…": accents count, case does not
    kPrefix,  ///< text without the *
    kDate,    ///< [from_s, to_s) of the time that the field names: date, received, archived
    kHas,  ///< text: "attachment", "encrypted", "inline", "signature", "link", "bcc", "variant"; field is: "partial", "unread"
    kRange,   ///< [from, to): bytes (field size) or numbers of deliveries (field seq)
    kIn,      ///< text: "incoming", "outgoing", "internal", "bounce"
    kType,    ///< text: a group (kTypeGroups), a file name's ending, or a media type; field type or has
    kLabel,   ///< field list or tag: its words, or the whole; field lang: a code ("fr"); text is folded
    kHeader,  ///< text: a header field's name in lower case; value: words of its value, empty: any
    kNear,    ///< two children that are words or phrases, at most `from` words apart, in either order
    kId,      ///< text: a Message-ID without <>, a digest prefix, or either (fields id, hash, thread)
  };
  Kind kind = Kind::kAll;
  std::string field;  ///< of leaves: canonical English name ("from", "subject" …), or empty: everywhere
  std::string text;
  std::string value;             ///< kHeader
  int64_t from_s = 0, to_s = 0;  ///< kDate, seconds since 1970 UTC; INT64_MIN, INT64_MAX where open
  uint64_t from = 0, to = 0;     ///< kRange; 0, UINT64_MAX where open
  std::string shown;             ///< kDate, kRange: "2024-01-01..2024-12-31", "1048576.."; both ends belong to it
  uint32_t column = 0;           ///< of its first character; the first of the query is 1
  std::vector<Node> children;
};

/// Kinds of attachments that have a name of their own behind type: and has:.
inline constexpr std::string_view kTypeGroups[] = {"pdf", "image", "office", "archive", "calendar"};

/// What was done with a query that its writer may not expect.
struct Notice {
  uint32_t column = 0;  ///< 0: it is about the whole query
  std::string text;
};

struct Query {
  Node root;
  std::string interpreted;  ///< fully bracketed, dates resolved; read again, it is the same query. Empty: all mail
  std::vector<Notice> notices;
};

struct ParseContext {
  UnixNs now = 0;                         ///< "today" is the day of this instant
  std::string timezone = "Europe/Paris";  ///< days begin at its midnight; "UTC" allowed. Unknown: UTC, with a notice
};

/// Errors: kInvalid; `what` begins with "column N: ", `hint` is the advice. Invalid UTF-8 separates words.
Result<Query> parse(std::string_view text, const ParseContext& context);

/// The operators that work, for help, manual and schema: one table (fields.cc). Those that the language reserves but this
/// version cannot answer are not among them; a query that uses one is an error.
struct FieldInfo {
  std::string_view name;
  std::vector<std::string_view> aliases;  ///< French names first
  std::string_view meaning;
  std::string_view example;
};
const std::vector<FieldInfo>& fields();

}  // namespace arch::query
