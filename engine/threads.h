// Which mails answer each other: threads grow and meet as mail comes, in whatever order it comes. Internal to engine.
//
// Mails of one thread name each other's Message-IDs (RFC 5322 s3.6.4), are copies of one mail, or, where a reply names nothing,
// have the same base subject, people in common and dates within 30 days. A thread is the set of all that hangs together; two
// that turn out to be one are joined, the smaller into the larger.
//
// Rows (docs/catalog-format.md): `thread` holds each thread's messages; `threading` what else has to be remembered: Message-IDs
// that were named and have not come, labels of threads that were joined, subjects.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/archive.h"
#include "engine/catalog/catalog.h"

namespace arch {

/// The thread that `label` stands for now. Labels in message rows are those of their first day.
Result<uint64_t> resolve_thread(const Catalog& catalog, uint64_t label);
/// The same for many at once, in place.
Result<void> resolve_threads(const Catalog& catalog, std::vector<uint64_t>* labels);

/// Threads within one step of apply(): sees what the step has added before. One thread.
class ThreadStep {
 public:
  using Info = std::function<Result<MessageInfo>(uint64_t number)>;
  /// All outlive it. `info` gives messages of earlier steps.
  ThreadStep(const Catalog& catalog, CatalogBatch& batch, Info info)
      : catalog_(catalog), batch_(batch), info_(std::move(info)) {}

  /// Finds or begins the thread of a new message and writes its rows. `references`: References, then In-Reply-To.
  Result<uint64_t> place(const MessageInfo& message, const std::vector<std::string>& references);

 private:
  struct Subject {  // of a message of this step
    MessageInfo info;
    bool orphan = false;
  };
  Result<uint64_t> resolve(uint64_t label) const;
  Result<uint64_t> known_by_id(const std::string& key) const;  // label, 0: none
  Result<uint64_t> joined(uint64_t one, uint64_t other);
  Result<std::vector<uint64_t>> members(uint64_t label, size_t most) const;
  Result<std::vector<uint64_t>> by_subject(const MessageInfo& message, bool has_references);
  void add(uint64_t label, uint64_t number);

  const Catalog& catalog_;
  CatalogBatch& batch_;
  Info info_;
  std::unordered_map<std::string, uint64_t> ids_;    // message id key -> label
  std::unordered_map<std::string, uint64_t> named_;  // of ids that have not come
  std::unordered_map<uint64_t, uint64_t> joins_;     // label -> label
  std::unordered_map<uint64_t, std::vector<uint64_t>> members_;
  std::unordered_multimap<uint32_t, Subject> subjects_;
};

}  // namespace arch
