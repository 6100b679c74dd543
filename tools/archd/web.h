// What the engine's process serves over HTTP: the page, the API, the assistant's endpoint, health and metrics (query/http). Mail is
// taken, stored and indexed whether or not this works.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/archive.h"
#include "tools/config/config.h"

namespace arch::daemon {

class Web {
 public:
  /// Listens, or says in the log why it cannot and tries again every ten seconds until it can. `archive` and `config` outlive it.
  Web(const Archive& archive, const config::Config& config, std::vector<std::string> listen);
  /// Requests in work end, at most five seconds.
  ~Web();
  Web(const Web&) = delete;
  Web& operator=(const Web&) = delete;
  /// Where it listens now; empty: nowhere yet.
  std::vector<std::string> addresses() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace arch::daemon
