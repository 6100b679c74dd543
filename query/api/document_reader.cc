#include "query/api/document_reader.h"

#include <utility>

namespace arch::api {

namespace {

DocumentStatus status_of(document::Status status) { return static_cast<DocumentStatus>(status); }
static_assert(static_cast<int>(document::Status::kRead) == static_cast<int>(DocumentStatus::kRead));
static_assert(static_cast<int>(document::Status::kNoText) == static_cast<int>(DocumentStatus::kNoText));
static_assert(static_cast<int>(document::Status::kEncrypted) == static_cast<int>(DocumentStatus::kEncrypted));
static_assert(static_cast<int>(document::Status::kBroken) == static_cast<int>(DocumentStatus::kBroken));
static_assert(static_cast<int>(document::Status::kOverLimit) == static_cast<int>(DocumentStatus::kOverLimit));
static_assert(static_cast<int>(document::Status::kUnknownFormat) == static_cast<int>(DocumentStatus::kUnknownFormat));
static_assert(static_cast<int>(document::Status::kCrashed) == static_cast<int>(DocumentStatus::kCrashed));

}  // namespace

KeptDocument keep(document::DocumentText read, const std::string& readers) {
  KeptDocument out;
  out.status = status_of(read.status);
  out.why = std::move(read.why);
  out.media_type = std::move(read.media_type);
  out.tool = std::move(read.tool);
  out.readers = readers;
  out.text = std::move(read.text);
  for (document::Member& member : read.members)
    out.members.push_back({std::move(member.name), std::move(member.media_type), status_of(member.status),
                           std::move(member.why), std::move(member.text)});
  return out;
}

Result<index::DocumentReader> start_document_reader(size_t workers, const document::Limits& limits) {
  document::Pool::Options options;
  options.program = document::worker_program();
  options.workers = workers;
  options.limits = limits;
  ARCH_TRY(auto started, document::Pool::start(std::move(options)));
  std::shared_ptr<document::Pool> pool = std::move(started);
  return index::DocumentReader(
      [pool](std::string_view bytes, const index::DocumentHint& hint) -> Result<KeptDocument> {
        ARCH_TRY(document::DocumentText read,
                 pool->read(as_bytes(bytes), {hint.media_type, hint.filename, hint.charset}));
        return keep(std::move(read), pool->readers_version());
      });
}

}  // namespace arch::api
