// Opening the archive that a command works on, and looking at it.
#pragma once

#include <functional>
#include <memory>

#include "engine/archive.h"
#include "query/api/engine_loop.h"
#include "tools/archctl/reading.h"

namespace arch::ctl {

Result<std::unique_ptr<Archive>> open_reader(const Invocation& invocation);
Result<std::unique_ptr<Archive>> open_engine(const Invocation& invocation);
/// The engine's options by the configuration, for a command: quick to stop.
api::EngineOptions engine_options(const config::Config& config);

bool stop_requested();

}  // namespace arch::ctl
