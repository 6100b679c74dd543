// The filter's side of the milter protocol, version 6, as Postfix speaks it: a pure state machine, bytes in and bytes
// out; no socket, no clock, no thread. Read-only: it never changes a message, and refuses none for its content.
//
// One Session serves one connection of the MTA: one SMTP session, any number of messages. What the MTA hands over
// (its header fields and body chunks) is put together again as the message (docs/postfix.md, "What the milter sees").
//
// Acceptance   At end of message the session hands out what it has and waits: nothing is answered until complete().
//              "Accept" leaves only when that brings a value, that is after the record is durable. While waiting,
//              progress() keeps the MTA's timer from running out.
// Hostility    Packets are bounded (kMaxPacket), addresses, recipients and macros too; a packet out of order, malformed
//              or too large ends the session (closing()) without a trace of the message under way.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/limits.h"
#include "engine/format/delivery.h"
#include "ingest/server/session.h"

namespace arch::milter {

constexpr size_t kMaxPacket =
    (1u << 20) + 64;  ///< length field: code and data; Postfix sends bodies in chunks of 65,535
constexpr size_t kMaxMacroBytes = 64u << 10;  ///< names and values kept for one session
constexpr size_t kMaxAddressBytes = 4096;

struct Options {
  uint64_t message_bytes = limits::kMessageBytes;  ///< a larger message is answered 452 at its end
  size_t max_recipients = limits::kMaxRecipients;  ///< more are answered 452, at the end too
};

class Session final : public ingest::Session {
 public:
  explicit Session(const Options& options);
  ~Session() override;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// While a message waits for complete(), input is kept back: at most one packet's worth is ever sent by an MTA then, and
  /// more than kMaxPacket ends the session.
  void receive(std::string_view bytes) override;
  std::string take_output() override;
  std::optional<ingest::Finished> take_finished() override;
  bool waiting() const override;
  void complete(const Result<void>& stored) override;
  void progress() override;
  void set_health(ingest::StoreHealth health) override;
  void drain() override;  ///< between messages: closes, and the MTA does what its default_action says
  void shed() override;
  void time_out() override;
  bool closing() const override;
  const std::string& fault() const override;
  bool in_transaction() const override;
  bool receiving_content() const override;
  bool holds_content() const override;
  uint64_t buffered_bytes() const override;
  /// Until the content comes: the MTA passes on what its client says, when its client says it.
  bool speaks_for_another() const override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The milter protocol on a listener.
class Service final : public ingest::Service {
 public:
  explicit Service(Options options) : options_(options) {}
  std::string_view name() const override { return "milter"; }
  std::unique_ptr<ingest::Session> open(ingest::Peer) const override { return std::make_unique<Session>(options_); }
  std::string refusal(ingest::Refusal) const override { return {}; }

 private:
  const Options options_;
};

}  // namespace arch::milter
