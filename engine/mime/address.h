// Address lists of RFC 5322 section 3.4 with its obsolete forms, and what people write instead. Linear, no recursion:
// GMime 3.2.13 overflows its stack on nested groups and leaks on broken addresses, so its parser is not used here.
#pragma once

#include <string_view>
#include <vector>

#include "engine/mime/message.h"

namespace arch::mime::internal {

/// Appends what `raw_value` (folded, undecoded) holds to `out`. Groups are flattened, their names left out.
void parse_addresses(std::string_view raw_value, std::string_view charset_hint, std::vector<Address>* out);

}  // namespace arch::mime::internal
