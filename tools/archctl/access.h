// Opening the archive that a command works on, and looking at it.
#pragma once

#include <functional>
#include <memory>

#include "engine/archive.h"
#include "query/api/engine_loop.h"
#include "query/search/search.h"
#include "tools/archctl/command.h"

namespace arch::ctl {

Result<std::unique_ptr<Archive>> open_reader(const Invocation& invocation);
Result<std::unique_ptr<Archive>> open_engine(const Invocation& invocation);
/// The engine's options by the configuration, for a command: quick to stop.
api::EngineOptions engine_options(const config::Config& config);

/// The query that the command line's words make, with the configured zone and aliases, which live beside it.
struct Asked {
  Aliases aliases;
  search::Request request;
};
/// Aliases that cannot be read are said on stderr: a search without them is still one.
std::unique_ptr<Asked> asked_by(const Invocation& invocation);

bool stop_requested();

}  // namespace arch::ctl
