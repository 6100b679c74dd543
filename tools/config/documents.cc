#include "tools/config/documents.h"

#include <chrono>

#include "query/api/document_reader.h"

namespace arch::config {

Result<void> read_documents(const Config& config, api::EngineOptions* options) {
  if (!config.documents_read) return {};
  document::Limits limits;
  limits.time = std::chrono::milliseconds(config.documents_time / 1'000'000);
  limits.memory_bytes = config.documents_memory_bytes;
  limits.text_bytes = config.documents_text_bytes;
  limits.depth = static_cast<uint32_t>(config.documents_depth);
  limits.expansion = static_cast<uint32_t>(config.documents_expansion);
  ARCH_TRY(options->index.read_document, api::start_document_reader(config.documents_workers, limits));
  options->index.reading_threads = config.documents_workers;
  return {};
}

}  // namespace arch::config
