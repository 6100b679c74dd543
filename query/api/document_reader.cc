#include "query/api/document_reader.h"

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "query/text/language.h"

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

constexpr std::chrono::seconds kTryAgain{10};  // a worker that cannot be started is not tried for each document

// Any thread. What get() gave stays until the end.
class LazyPool {
 public:
  LazyPool(document::Pool::Options options, std::function<void(const Error&)> failed)
      : options_(std::move(options)), failed_(std::move(failed)) {}

  Result<document::Pool*> get() {
    const std::lock_guard lock(mutex_);
    if (stopped_) return fail(Code::kTryAgain, "the readers of documents are being stopped");
    if (pool_) return pool_.get();
    const auto now = std::chrono::steady_clock::now();
    if (error_ && now - tried_ < kTryAgain) return tl::unexpected<Error>(*error_);
    auto started = document::Pool::start(options_);
    if (started) {
      pool_ = std::move(*started);
      return pool_.get();
    }
    if (!error_ && failed_) failed_(started.error());
    error_ = started.error();
    tried_ = now;
    return tl::unexpected<Error>(*error_);
  }

  void stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    if (pool_) pool_->stop();
  }

 private:
  const document::Pool::Options options_;
  const std::function<void(const Error&)> failed_;
  std::mutex mutex_;  // guards everything below
  bool stopped_ = false;
  std::unique_ptr<document::Pool> pool_;
  std::optional<Error> error_;
  std::chrono::steady_clock::time_point tried_;
};

}  // namespace

KeptDocument keep(document::DocumentText read, const std::string& readers, bool ocr) {
  KeptDocument out;
  out.status = status_of(read.status);
  out.why = std::move(read.why);
  if (read.for_ocr && ocr) out.status = DocumentStatus::kWaitsForOcr;
  if (read.for_ocr && !ocr) out.why += "; OCR is off";
  out.media_type = std::move(read.media_type);
  out.tool = std::move(read.tool);
  out.readers = readers;
  out.text = std::move(read.text);
  for (document::Member& member : read.members)
    out.members.push_back({std::move(member.name), std::move(member.media_type), status_of(member.status),
                           std::move(member.why), std::move(member.text)});
  const std::string* longest = &out.text;
  if (longest->empty())
    for (const KeptDocument::Member& member : out.members)
      if (member.text.size() > longest->size()) longest = &member.text;
  out.language = text::language_of(*longest);
  return out;
}

namespace {

using Keep = std::function<KeptDocument(document::DocumentText, const std::string& readers)>;

StoppableReader reader_of(document::Pool::Options options, std::function<void(const Error&)> failed, Keep kept) {
  auto pool = std::make_shared<LazyPool>(std::move(options), std::move(failed));
  StoppableReader out;
  out.stop = [pool] { pool->stop(); };
  out.read = [pool, kept = std::move(kept)](std::string_view bytes,
                                            const index::DocumentHint& hint) -> Result<KeptDocument> {
    ARCH_TRY(document::Pool * started, pool->get());
    ARCH_TRY(document::DocumentText read,
             started->read(as_bytes(bytes), {hint.media_type, hint.filename, hint.charset}));
    return kept(std::move(read), started->readers_version());
  };
  return out;
}

}  // namespace

StoppableReader document_reader(document::Pool::Options options, bool ocr, std::function<void(const Error&)> failed) {
  return reader_of(
      std::move(options), std::move(failed),
      [ocr](document::DocumentText read, const std::string& readers) { return keep(std::move(read), readers, ocr); });
}

StoppableReader ocr_reader(document::Pool::Options options, std::function<void(const Error&)> failed) {
  return reader_of(std::move(options), std::move(failed),
                   [](document::DocumentText read, const std::string& readers) {
                     KeptDocument kept = keep(std::move(read), readers, true);
                     kept.tool = kOcrTool;  // also of one that ended its reader
                     return kept;
                   });
}

}  // namespace arch::api
