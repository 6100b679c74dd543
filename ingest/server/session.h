// What the server asks of the machine behind a connection, whatever protocol it speaks: pure state, bytes in and bytes
// out; no socket, no clock, no thread.
//
// Promise    A message is answered as taken only by complete() with a value: the caller calls it when the record is
//            durable. Until then the session waits and looks at no further input.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "engine/format/delivery.h"

namespace arch::ingest {

/// What the store can do right now; asked at MAIL, so that a client is told before it sends the content.
enum class StoreHealth : uint8_t { kGood, kFull, kFailed };

/// A message whose end was seen.
struct Finished {
  Delivery delivery;    ///< complete but for `captured`: the caller has the clock
  std::string message;  ///< delivery.digest is its SHA-256
};

/// Who is at the other end of a connection.
struct Peer {
  std::string address;  ///< numeric; empty for a Unix socket
  std::string port;
  bool trusted = false;  ///< may say XFORWARD
};

/// One connection. Not thread-safe.
class Session {
 public:
  virtual ~Session() = default;

  /// Takes bytes from the peer, in pieces of any size.
  virtual void receive(std::string_view bytes) = 0;
  /// Bytes to send; empties the buffer.
  virtual std::string take_output() = 0;

  /// The message whose end was just seen, once per message. The session then waits for complete().
  virtual std::optional<Finished> take_finished() = 0;
  virtual bool waiting() const = 0;
  /// The outcome of storing the message taken last; only while waiting(). kFull and kTooLarge are answered 452, other
  /// errors 451. Input that came meanwhile is looked at before this returns.
  virtual void complete(const Result<void>& stored) = 0;
  /// Asks the peer for patience where its protocol knows how to; only while waiting().
  virtual void progress() {}

  virtual void set_health(StoreHealth health) = 0;

  /// No further transaction is begun: the session ends as soon as none is under way.
  virtual void drain() = 0;
  /// Gives the content of the message under way back to the system; its end will be answered 451.
  virtual void shed() = 0;
  /// The peer was silent too long: says so where the protocol has words for it, and closes.
  virtual void time_out() = 0;

  /// The connection is to be closed once the output is sent.
  virtual bool closing() const = 0;
  /// Why the session ended before the peer said goodbye, for the log; empty otherwise.
  virtual const std::string& fault() const = 0;
  /// A message was begun and is not yet answered.
  virtual bool in_transaction() const = 0;
  virtual bool receiving_content() const = 0;
  /// Receiving content that is kept: more input takes more memory.
  virtual bool holds_content() const = 0;
  /// The peer speaks when somebody else does, and may be silent for as long as that one: a mail server that tells a
  /// filter what its client says.
  virtual bool speaks_for_another() const { return false; }
  /// Bytes of content held for the message under way.
  virtual uint64_t buffered_bytes() const = 0;
};

/// Why a connection gets no session.
enum class Refusal : uint8_t { kDraining, kNotAllowed, kTooMany };

/// What is spoken on a listener. Outlives the sessions it opens; const members may be called from any thread.
class Service {
 public:
  virtual ~Service() = default;
  virtual std::string_view name() const = 0;  ///< "lmtp", for the log
  virtual std::unique_ptr<Session> open(Peer peer) const = 0;
  /// The last words to a peer that gets no session; empty where the protocol has none.
  virtual std::string refusal(Refusal why) const = 0;
};

}  // namespace arch::ingest
