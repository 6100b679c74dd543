// The reader of attachments as [documents] of the configuration wants it.
#pragma once

#include "query/api/engine_loop.h"
#include "tools/config/config.h"

namespace arch::config {

/// Gives `options` a reader with the configured limits and workers; none when documents.read is false. Errors: as
/// api::start_document_reader; `options` is left as it is, and attachments wait.
Result<void> read_documents(const Config& config, api::EngineOptions* options);

}  // namespace arch::config
