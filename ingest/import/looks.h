// What a piece of text looks like: a header field, an mbox separator, the beginning of a mail. Pure.
#pragma once

#include <string_view>

namespace arch::import {

/// "Name: value" by RFC 5322 s2.2 (printable US-ASCII without colon), blanks before the colon allowed (obsolete syntax,
/// s4.5). `line` may carry its line end.
bool is_header_field(std::string_view line);

/// How much a line that begins with "From " tells about being an mbox separator (RFC 4155 appendix A, and what is found
/// in old files).
enum class FromLine : unsigned char {
  kNo,         ///< no separator: "From the very first day"
  kSeparator,  ///< a sender and a date, or Netscape's bare "From - "
};
FromLine classify_from_line(std::string_view line);

/// True when the text (the first kilobytes of a file) begins like a mail: a known header field stands among its first
/// lines, before the first empty line that follows one. Junk, blanks or a continuation before it are allowed, since
/// such mails exist; prose, source code and configuration files are told apart by the names of the fields.
bool looks_like_mail(std::string_view beginning);

/// How many bytes of a file looks_like_mail() wants to see.
constexpr size_t kBeginningBytes = 16u << 10;

}  // namespace arch::import
