// The sockets around the sessions: one thread, one epoll loop, any number of listeners and connections.
//
// Promise      A 250 leaves only after the commit thread reported the record durable. A peer that goes away before the
//              end of its message leaves no trace; after it, the message is stored all the same.
// Bounds       Connections, content held in memory, bytes handed to the commit thread and every wait have a limit. Over
//              the content limit one session at a time is read on, so that something always finishes; who was held back
//              longer than `patience` has its message answered 451.
// Threads      run() owns everything. request_drain(): any thread, and from a signal handler. Records become durable on
//              the commit thread of GroupCommit, whose call-back only puts the outcome into a mailbox and rings a bell.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/clock.h"
#include "engine/journal/group_commit.h"
#include "ingest/server/listener.h"
#include "ingest/server/session.h"

namespace arch::ingest {

/// One message that came to its end, for the log.
struct Receipt {
  Channel channel = Channel::kLmtp;
  std::string queue_id;
  std::string peer;
  Digest digest;
  uint64_t size = 0;
  size_t recipients = 0;
  bool answered = false;  ///< the client was there to be told (and not told 451 before, for lateness)
};

/// Called on the thread of run(); must not block for long.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void stored(const Receipt& receipt, const RecordRef& place) = 0;
  virtual void not_stored(const Receipt& receipt, const Error& error) = 0;
  virtual void session_ended(const std::string& peer, const std::string& fault) = 0;  ///< before its QUIT
  virtual void notice(const std::string& text) = 0;
  virtual void tick() {}  ///< about once a second, while the loop lives
};

/// A place to connect to, and what is spoken there.
struct Endpoint {
  Listener listener;
  std::unique_ptr<Service> service;
};

class Server {
 public:
  using Duration = std::chrono::milliseconds;
  struct Options {
    size_t max_connections = 200;               ///< over all endpoints; one more is refused
    uint64_t max_content_bytes = 512ull << 20;  ///< content in memory, all sessions and what waits to be written
    uint64_t max_commit_bytes = 64ull << 20;    ///< handed to GroupCommit at once (one message of any size always)
    std::vector<Network> peers;                 ///< who may connect over TCP; others are refused
    Duration command_timeout = std::chrono::seconds(300);
    Duration idle_timeout = std::chrono::hours(2);          ///< the same, of a session that speaks for another
    Duration data_timeout = std::chrono::seconds(300);      ///< between two reads of content
    Duration message_timeout = std::chrono::seconds(1800);  ///< for the whole content of one message
    Duration commit_timeout = std::chrono::seconds(60);     ///< from the dot to 451
    Duration progress_interval = std::chrono::seconds(20);  ///< between two requests for patience (milter)
    Duration patience = std::chrono::seconds(60);           ///< held back by max_content_bytes
    Duration drain_timeout = std::chrono::seconds(45);      ///< then what is still connected is dropped
    Duration linger_timeout = std::chrono::seconds(2);      ///< for the peer's end after our last reply
    Duration full_pause = std::chrono::seconds(5);          ///< after kFull, MAIL is answered 452 this long
    Duration failed_pause = std::chrono::seconds(1);        ///< after another error, 451 likewise
  };

  /// `commit`, `clock` and `observer` outlive the server. `commit` must take more than max_commit_bytes before it says
  /// kTryAgain: the server keeps the order and the bound itself. Errors: kIo.
  static Result<std::unique_ptr<Server>> create(GroupCommit& commit, Clock& clock, Observer& observer,
                                                std::vector<Endpoint> endpoints, Options options);
  ~Server();

  /// Serves until drained: everything accepted is durable and answered, all connections closed. Errors: kIo (epoll).
  Result<void> run();

  /// New connections get 421, idle sessions too; transactions under way are finished.
  void request_drain() noexcept;

 private:
  Server();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace arch::ingest
