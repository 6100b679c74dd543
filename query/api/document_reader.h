// Attachments read by sandboxed workers (query/document), for the index: from what a pool gives to what the catalog keeps.
#pragma once

#include <functional>
#include <string>

#include "query/document/pool.h"
#include "query/index/index.h"

namespace arch::api {

/// `stop`, from any thread, ends the calls that are under way, which give kTryAgain, as do those behind it.
struct StoppableReader {
  index::DocumentReader read;
  std::function<void()> stop;
};

/// A reader whose processes are started when the first document comes, so that a command that meets none pays for none. They end with
/// the last copy of the reader. When they cannot be started, its calls give Pool::start's error (attachments wait), and `failed` is
/// told of it once; a new attempt is made after a while.
/// `ocr`: pictures are left to the queue of OCR (DocumentStatus::kWaitsForOcr).
StoppableReader document_reader(document::Pool::Options options, bool ocr, std::function<void(const Error&)> failed);

/// The same for the worker of that queue (arch-ocr).
StoppableReader ocr_reader(document::Pool::Options options, std::function<void(const Error&)> failed);

/// Any thread; pure.
KeptDocument keep(document::DocumentText read, const std::string& readers, bool ocr);

}  // namespace arch::api
