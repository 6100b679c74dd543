// Small files of ARCHIVE/state that programs leave for `status`. Internal to query/api.
#pragma once

#include <string>

#include "query/api/api.h"

namespace arch::api {

/// A file that is missing or not what it should be is an unknown result, no error: `status` works on any archive.
ReconcileView read_reconcile(const std::string& archive_directory);
CanaryView read_canary(const std::string& archive_directory);

}  // namespace arch::api
