// Exports that the page starts: written by a thread of their own into ARCHIVE/tmp/exports, kept for a day, then fetched. Lost with
// the process: whoever wants one starts it again.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/archive.h"
#include "query/page/page.h"

namespace arch::http {

struct ExportWish {
  std::string who;     ///< it is theirs alone
  std::string format;  ///< "zip", "mbox", "jsonl"
  std::string query, interpreted;
  uint64_t as_of = 0;
  std::vector<uint64_t> numbers;  ///< rising
};

/// Any thread.
class Exports {
 public:
  /// Removes what an earlier process left.
  explicit Exports(const Archive& archive);
  ~Exports();  ///< stops those under way
  /// The new one's id. Errors: kUsage (no such format), kTryAgain (this person has two under way), kIo, kFull, kDenied.
  Result<std::string> start(ExportWish wish);
  /// Nothing: there is none, or not of `who`.
  std::optional<page::ExportView> view(const std::string& id, const std::string& who) const;
  std::string file(const std::string& id) const;       ///< path of a finished one
  std::string file_name(const std::string& id) const;  ///< for people

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace arch::http
