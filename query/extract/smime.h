// Opaque S/MIME (RFC 8551 section 3.5.2): the content stands readable inside the signature. Internal to query/extract.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace arch::extract::internal {

/// The MIME entity inside a CMS SignedData structure (DER or BER); nothing when it is another kind, malformed or without
/// content. The signature is not checked: finding words is no claim about who wrote them.
std::optional<std::string> signed_content(std::string_view der);

}  // namespace arch::extract::internal
