// The readers of attachments as [documents] of the configuration wants them.
#pragma once

#include <functional>
#include <string>

#include "query/api/engine_loop.h"
#include "query/document/pool.h"
#include "tools/config/config.h"

namespace arch::config {

/// Program, number and limits of the workers, and of the one for OCR: in the `background` or for somebody who waits.
document::Pool::Options document_readers(const Config& config, bool background);
document::Pool::Options ocr_readers(const Config& config, bool background);

/// What keeps OCR from reading all its languages on this machine, and what to install; empty: nothing. Runs arch-ocr.
std::string ocr_problem(const Config& config);

/// Gives `options` such readers (query/api/document_reader.h, also for `failed`), in the background unless options->waited_for; none when
/// documents.read is false, none for OCR unless documents.ocr is true.
void read_documents(const Config& config, std::function<void(const Error&)> failed, api::EngineOptions* options);

}  // namespace arch::config
