// Dates of mail: RFC 5322 section 3.3 with the obsolete forms, asctime, ISO 8601, and the odd ones in the wild.
#pragma once

#include <optional>
#include <string_view>

#include "engine/base/clock.h"

namespace arch::mime::internal {

/// The instant `text` names; nothing when it names none (no day, month or year, or values out of range). Without a zone,
/// or with an unknown one, UTC (RFC 5322 section 4.3). Years 1970 to 2262, what UnixNs holds of the time of mail.
std::optional<UnixNs> parse_date(std::string_view text);

}  // namespace arch::mime::internal
