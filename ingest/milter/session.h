// The filter's side of the milter protocol, version 6, as Postfix speaks it: a pure state machine, bytes in and bytes
// out; no socket, no clock, no thread. Read-only: it never changes a message, and refuses none for its content.
//
// One Session serves one connection of the MTA: one SMTP session, any number of messages. What the MTA hands over
// (its header fields and body chunks) is put together again as the message (docs/postfix.md, "What the milter sees").
//
// Acceptance   At end of message the session hands out Finished and waits: nothing is answered until complete().
// "Accept"
//              leaves only after the caller called complete() with a value, that is after the record is durable.
//              While waiting, progress() keeps the MTA's timer from running out.
// Hostility    Packets are bounded (kMaxPacket), addresses, recipients and macros too; a packet out of order,
// malformed or too
//              large ends the session (closing()) without a trace of the message under way.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "engine/format/delivery.h"

namespace arch::milter {

constexpr size_t kMaxPacket =
    (1u << 20) + 64;  ///< length field: code and data; Postfix sends bodies in chunks of 65,535
constexpr size_t kMaxMacroBytes = 64u << 10;  ///< names and values kept for one session
constexpr size_t kMaxAddressBytes = 4096;

struct Options {
  uint64_t message_bytes = 256ull << 20;  ///< a larger message is answered 452 at its end
  size_t max_recipients = 10'000;
};

/// What the store can do right now; asked at MAIL, so that a sick store is told before the content is sent.
enum class StoreHealth : uint8_t { kGood, kFull, kFailed };

struct Finished {
  Delivery delivery;  ///< captured is left 0: the caller has the clock; digest is filled in
  std::string message;
};

class Session {
 public:
  explicit Session(const Options& options);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Takes bytes from the MTA, in pieces of any size. While a message waits for complete(), input is kept back (at
  /// most one packet's worth is ever sent by an MTA then; more than kMaxPacket ends the session).
  void receive(std::string_view bytes);

  /// Bytes to send; empties the buffer.
  std::string take_output();

  /// A message whose end was seen; once per message. The session then waits for complete().
  std::optional<Finished> take_finished();
  bool waiting() const;
  /// The outcome of storing the message taken last: accepted, or the error (kFull and kTooLarge answer 452, others
  /// 451).
  void complete(const Result<void>& stored);
  /// Emits the packet that asks for patience; only while waiting().
  void progress();

  void set_health(StoreHealth health);

  /// The connection is to be closed once the output is sent.
  bool closing() const;
  /// Why, for the log; empty when the MTA said goodbye.
  const std::string& fault() const;
  uint64_t buffered_bytes() const;  ///< of the message under way: for back-pressure

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace arch::milter
