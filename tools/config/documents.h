// The reader of attachments as [documents] of the configuration wants it.
#pragma once

#include <functional>

#include "query/api/engine_loop.h"
#include "query/document/pool.h"
#include "tools/config/config.h"

namespace arch::config {

/// Program, number and limits of the workers.
document::Pool::Options document_readers(const Config& config);

/// Gives `options` such a reader (query/api/document_reader.h, also for `failed`); none when documents.read is false.
void read_documents(const Config& config, std::function<void(const Error&)> failed, api::EngineOptions* options);

}  // namespace arch::config
