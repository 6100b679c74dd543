// What `archd engine` does all day, and `archctl import`, `pack` and `rebuild` once: apply the journal to the catalog, feed
// the index, pack what is closed. One loop for start, recovery and rebuild.
//
// Index and pack run on threads of their own beside apply, so that a mail is findable while old ones are packed. A failing
// index (no space, damaged) is reported and tried again later; it stops neither apply nor pack.
#pragma once

#include <functional>
#include <string>

#include "engine/archive.h"
#include "query/index/index.h"

namespace arch::api {

struct EngineOptions {
  uint64_t pack_bytes = 256ull << 20;  ///< pack once closed journal files hold this much
  UnixNs pack_age = kNsPerDay;         ///< or the oldest of them is this old
  index::Options index;
};

struct EngineProgress {
  uint64_t applied = 0;   ///< last sequence in the catalog
  uint64_t indexed = 0;   ///< last sequence in the index
  uint64_t packed_bytes = 0;
  std::string doing;      ///< "apply", "index", "pack"
};

/// Runs until everything that journal and segments hold is applied and indexed, and (with `pack_all`) every closed journal
/// file is packed. For commands.
Result<void> catch_up(Archive& archive, const EngineOptions& options, bool pack_all, const std::function<bool()>& stop,
                      const std::function<void(const EngineProgress&)>& progress);

/// Runs until `stop`. Serves pack requests (`archctl pack` beside a daemon: tmp/pack.request, removed when done).
/// `log` gets one line per event worth keeping, with a level ("info", "warn", "error").
Result<void> run_engine(Archive& archive, const EngineOptions& options, const std::function<bool()>& stop,
                        const std::function<void(const std::string& level, const std::string& line)>& log);

}  // namespace arch::api
