// What mail servers put on top of a message on its way: it names the queue in which a copy waited.
#pragma once

#include <string>
#include <string_view>

#include "engine/mime/message.h"

namespace arch::mime {

/// Postfix's queue id in the topmost Received field when `mta_host` wrote it there, or, with `mta_host` empty, when it is a
/// local submission ("from userid"): the only place where a copy that came without XFORWARD tells it. Empty when there is none.
std::string queue_id_of(const Message& message, std::string_view mta_host);

}  // namespace arch::mime
