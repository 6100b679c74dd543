// The server's side of LMTP (RFC 2033) and SMTP (RFC 5321): a pure state machine, bytes in and bytes out; no socket,
// no clock, no thread. One Session serves one connection; SMTP differs from LMTP in its greeting and in giving one
// reply for a message instead of one for each recipient.
//
// Promise    The end of a message is answered 250 only by complete() with a value: the caller calls it when the
//            record is durable. Until then the session waits and looks at no further input.
// Content    Data ends only at CR LF "." CR LF. A dot directly behind CR LF (or at the start) is dropped once; nothing
//            else is changed or repaired. Bare CR, bare LF and NUL in content are kept and flagged. A message is
//            everything up to and including the CR LF before the final dot.
// Smuggling  A bare CR, bare LF or NUL in a command, or bytes sent behind DATA without waiting for 354, end the session.
// Refusals   4xx for whatever the archive cannot do now (full, failed, too large): the sender keeps the mail and shows
//            it in its queue. 5xx only for misuse of the protocol, unless the operator asked for more (Options).
// Hostility  Every line, address, envelope and message is bounded; so is the number of errors in a session.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/digest.h"
#include "engine/base/limits.h"
#include "engine/base/result.h"
#include "engine/format/delivery.h"
#include "ingest/server/session.h"

namespace arch::smtp {

constexpr size_t kMaxLineBytes = 4096;     ///< of a command, CR LF included (RFC 5321 s4.5.3.1.4: 512 and extensions)
constexpr size_t kMaxAddressBytes = 1024;  ///< between < and >; RFC 5321 s4.5.3.1.3 asks for 256
constexpr size_t kMaxXforwardBytes = 255;  ///< of one attribute's value, decoded
constexpr uint64_t kMaxEnvelopeBytes = 4u << 20;  ///< all recipients with their parameters; well under kDeliveryBytes
constexpr size_t kMaxErrors = 10;                 ///< answered; the next one ends the session
constexpr size_t kMaxKeptBack = 256u << 10;       ///< input while a message waits; more ends the session

enum class Protocol : uint8_t { kLmtp, kSmtp };
std::string_view protocol_name(Protocol protocol);  ///< "lmtp", "smtp"

using ingest::Finished;
using ingest::Peer;
using ingest::StoreHealth;

struct Options {
  std::string hostname = "localhost";  ///< in the greeting and in 421 replies
  uint64_t message_bytes = limits::kMessageBytes;
  size_t max_recipients = limits::kMaxRecipients;
  /// Patterns of recipients, `*` matching any run of characters, letter case ignored. Another one is answered 550.
  std::vector<std::string> accept_recipients = {"*"};
  /// Answer a message over message_bytes with 552 instead of 452. With always_bcc that loses the copy in silence.
  bool reject_oversize = false;
  /// Answer content with a bare CR or LF with 554 instead of keeping it as it is.
  bool reject_bare_newline = false;
};

class Session final : public ingest::Session {
 public:
  /// The greeting is output at once. `options` outlives the session.
  Session(Protocol protocol, const Options& options, Peer peer);

  void receive(std::string_view bytes) override;
  std::string take_output() override;
  std::optional<Finished> take_finished() override;
  bool waiting() const override { return mode_ == Mode::kWaiting; }
  void complete(const Result<void>& stored) override;
  void set_health(StoreHealth health) override { health_ = health; }
  void drain() override;  ///< says `421 4.3.2`
  void shed() override;
  void time_out() override;  ///< says `421 4.4.2`
  bool closing() const override { return mode_ == Mode::kClosing; }
  const std::string& fault() const override { return fault_; }
  bool in_transaction() const override { return in_transaction_; }
  bool receiving_content() const override { return mode_ == Mode::kContent; }
  bool holds_content() const override { return mode_ == Mode::kContent && verdict_ == Verdict::kKeep; }
  uint64_t buffered_bytes() const override { return message_.size(); }

 private:
  enum class Mode : uint8_t { kCommands, kContent, kWaiting, kClosing };
  enum class Place : uint8_t { kLineStart, kText, kAfterCr, kDot, kDotCr };  // within content
  enum class Verdict : uint8_t { kKeep, kTooLarge, kShed };
  struct Xforward {
    bool given = false;
    std::string name, addr, port, proto, helo, ident, source;
  };

  size_t process(std::string_view bytes);
  size_t take_line(std::string_view bytes);
  size_t take_content(std::string_view bytes);
  void keep(std::string_view bytes);
  void hash_kept();
  void end_of_content();
  void answer_recipients(std::string_view code, std::string_view text);

  void command(std::string_view line, bool more_behind);
  void greet(std::string_view verb, std::string_view argument);
  void mail(std::string_view argument);
  void rcpt(std::string_view argument);
  void data(std::string_view argument, bool more_behind);
  void xforward(std::string_view argument);

  void reply(std::string_view line);
  void error(std::string_view line);
  void close_with(std::string_view line, std::string fault);
  void reset_transaction();
  void begin_nothing_new();

  const Protocol protocol_;
  const Options& options_;
  const Peer peer_;
  Mode mode_ = Mode::kCommands;
  StoreHealth health_ = StoreHealth::kGood;
  bool draining_ = false;
  bool skipping_line_ = false;  // a command line over the limit, up to its CR LF
  size_t errors_ = 0;
  std::string input_;  // not yet looked at
  std::string output_;
  std::string fault_;
  std::string helo_;  // what the client called itself; empty before the greeting
  std::string helo_verb_;
  Xforward xforward_;

  // The transaction under way.
  bool in_transaction_ = false;
  Delivery delivery_;
  uint64_t envelope_bytes_ = 0;
  uint64_t size_hint_ = 0;  // SIZE= of MAIL
  Place place_ = Place::kLineStart;
  Verdict verdict_ = Verdict::kKeep;
  uint64_t content_bytes_ = 0;
  std::string message_;
  size_t hashed_ = 0;  // how much of message_ hash_ has seen
  std::optional<Sha256> hash_;
  std::optional<Finished> finished_;
  std::vector<std::string> waiting_recipients_;  // of the message handed out, for its replies
  Digest waiting_digest_;
};

/// LMTP or SMTP on a listener.
class Service final : public ingest::Service {
 public:
  Service(Protocol protocol, Options options) : protocol_(protocol), options_(std::move(options)) {}
  std::string_view name() const override { return protocol_name(protocol_); }
  std::unique_ptr<ingest::Session> open(Peer peer) const override {
    return std::make_unique<Session>(protocol_, options_, std::move(peer));
  }
  std::string refusal(ingest::Refusal why) const override;

 private:
  const Protocol protocol_;
  const Options options_;
};

}  // namespace arch::smtp
