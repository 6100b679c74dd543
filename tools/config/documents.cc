#include "tools/config/documents.h"

#include <chrono>
#include <utility>

#include "query/api/document_reader.h"

namespace arch::config {

document::Pool::Options document_readers(const Config& config) {
  document::Pool::Options options;
  options.program = document::worker_program();
  options.workers = config.documents_workers;
  options.limits.time = std::chrono::milliseconds(config.documents_time / 1'000'000);
  options.limits.memory_bytes = config.documents_memory_bytes;
  options.limits.text_bytes = config.documents_text_bytes;
  options.limits.depth = static_cast<uint32_t>(config.documents_depth);
  options.limits.expansion = static_cast<uint32_t>(config.documents_expansion);
  return options;
}

void read_documents(const Config& config, std::function<void(const Error&)> failed, api::EngineOptions* options) {
  if (!config.documents_read) return;
  options->index.read_document = api::document_reader(document_readers(config), std::move(failed));
  options->index.reading_threads = config.documents_workers;
}

}  // namespace arch::config
