// What archd serves over HTTP: the admin's page, the API beside it, the assistant's endpoint, health. Who may ask is decided here:
// Host, Origin and Sec-Fetch-Site, tailscale's identity headers, the access log.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/archive.h"
#include "engine/people/aliases.h"
#include "query/http/access_log.h"
#include "query/http/message.h"

namespace arch::http {

struct AppOptions {
  std::string version;
  std::string timezone = "Europe/Paris";
  uint64_t cap_bytes = 100ull << 30;
  uint64_t reserve_bytes = 2ull << 30;
  std::vector<std::string> hosts;            ///< names by which it is asked, besides localhost and *.ts.net
  std::vector<std::string> origins;          ///< of browsers' requests besides those of the hosts themselves
  std::vector<std::string> admins;           ///< logins; empty: everybody whom the tailnet lets in
  std::vector<uint32_t> trusted_uids = {0};  ///< of a Unix socket's peer, whose identity headers count
  bool mcp = true;
  size_t mcp_result_bytes = 256u << 10;
};

class App {
 public:
  /// All outlive it; `aliases` may be null.
  App(const Archive& archive, AppOptions options, AccessLog& log, const Aliases* aliases);
  ~App();
  /// Any thread.
  Response answer(const Request& request);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace arch::http
