// Conditions that a message's row in the catalog decides. Pure; any thread. Internal to query/search.
#pragma once

#include "engine/archive.h"
#include "query/language/query.h"

namespace arch::search {

/// `condition` is a kRange or kIn, or a kDate of received or archived.
bool row_matches(const query::Node& condition, const MessageInfo& message);

}  // namespace arch::search
