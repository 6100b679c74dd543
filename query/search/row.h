// Conditions that a message's row in the catalog decides. Pure; any thread. Internal to query/search.
#pragma once

#include "engine/archive.h"
#include "query/language/query.h"

namespace arch::search {

/// `condition` is a kRange, kIn or kType, or a kDate of received or archived. A type: looks at the attachments that the row
/// lists (MessageInfo::attachments).
bool row_matches(const query::Node& condition, const MessageInfo& message);

}  // namespace arch::search
