// xtext (RFC 3461 section 4): how ESMTP parameters carry octets that a command line cannot.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace arch::ingest {

/// "+" and two upper-case hex digits stand for an octet. Nothing when malformed: "=", a blank or a control character, or a
/// "+" without its digits.
std::optional<std::string> decode_xtext(std::string_view text);

}  // namespace arch::ingest
