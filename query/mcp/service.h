// The assistant's endpoint: Model Context Protocol over HTTP and stdio, both generations (2025-06-18 and 2025-11-25 with initialize,
// 2026-07-28 stateless). Six tools, all read only, over the same functions as archctl and the page.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "engine/archive.h"
#include "engine/people/aliases.h"
#include "query/http/message.h"
#include "query/mcp/tokens.h"

namespace arch::mcp {

struct Options {
  std::string version = "0";  ///< of the server, as clients are told
  std::string timezone = "UTC";
  uint64_t cap_bytes = 100ull << 30;
  uint64_t reserve_bytes = 2ull << 30;
  size_t max_result_bytes = 256u << 10;
  const Aliases* aliases = nullptr;
};

/// One call, for the access log: token's name ("local" over stdio), tool, arguments or query, outcome.
struct Call {
  std::string who, tool, object, outcome;
  size_t bytes = 0;
};
/// False: it could not be noted, so nothing is told.
using Note = std::function<bool(const Call&)>;

/// Any thread.
class Service {
 public:
  Service(const Archive& archive, Options options, Note note);
  ~Service();
  /// POST /mcp and what clients probe beside it. Host and Origin were looked at before.
  http::Response answer(const http::Request& request);
  /// One line of stdio; nothing when there is nothing to answer. The whole archive is visible.
  std::optional<std::string> answer_line(const std::string& line);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace arch::mcp
