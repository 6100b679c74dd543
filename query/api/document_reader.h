// Attachments read by sandboxed workers (query/document), for the index: from what a pool gives to what the catalog keeps.
#pragma once

#include <memory>
#include <string>

#include "query/document/pool.h"
#include "query/index/index.h"

namespace arch::api {

/// Starts `workers` processes of arch-extract; they end with the last copy of the reader. Errors: Pool::start's; nothing is read then, and
/// attachments wait.
Result<index::DocumentReader> start_document_reader(size_t workers, const document::Limits& limits);

/// Any thread; pure.
KeptDocument keep(document::DocumentText read, const std::string& readers);

}  // namespace arch::api
