// Sockets and HTTP/1.1 around the handlers: Boost.Beast on one thread, the handlers on others. Loopback or a Unix socket; TLS and
// the world are tailscale's business.
//
// Bounds      Header 16 KiB, body 1 MiB, 10 seconds for a request to come whole, 60 idle, 60 without progress in sending;
//             connections and requests in work. Over a bound: 431, 413, a closed connection, 503. One request at a time is read from a
//             connection: what is pipelined waits in the kernel.
// Threads     start() and stop(): the owner. The handler is called from several threads at once.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "query/http/message.h"

namespace arch::http {

struct Options {
  std::vector<std::string> listen;  ///< inet:HOST:PORT (port 0: any) or unix:/PATH (mode 0660)
  size_t max_connections = 2'000;
  size_t workers = 2;
  size_t max_waiting = 200;  ///< requests that wait for a worker; more are answered 503
  int request_seconds = 10, idle_seconds = 60, write_seconds = 60;
};

class Server {
 public:
  Server(Options options, Handler handler);
  ~Server();  ///< stop()
  /// Errors: kUsage (no address), kIo, kDenied, kExists (somebody listens there).
  Result<void> start();
  /// Lets requests in work end (at most five seconds), closes everything. Idempotent.
  void stop();
  /// Where it listens, with the ports it got.
  std::vector<std::string> addresses() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace arch::http
