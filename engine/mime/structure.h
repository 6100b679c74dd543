// The part tree of a message: one pass over its lines with a stack of open boundaries (RFC 2046 section 5.1). By hand and
// not by GMime, whose parser nests with the input and hides where a part begins; a test compares both on every mail at
// hand. Internal to engine/mime.
#pragma once

#include <string_view>

#include "engine/mime/headers.h"
#include "engine/mime/message.h"

namespace arch::mime::internal {

/// Fills out->parts and out->encrypted; sets out->partial at a limit. `top` is the message's own header block.
void read_structure(std::string_view message, const HeaderBlock& top, Message* out);

}  // namespace arch::mime::internal
