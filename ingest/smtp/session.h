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
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/digest.h"
#include "engine/base/limits.h"
#include "engine/base/result.h"
#include "engine/format/delivery.h"

namespace arch::smtp {

constexpr size_t kMaxLineBytes = 4096;     ///< of a command, CR LF included (RFC 5321 s4.5.3.1.4: 512 and extensions)
constexpr size_t kMaxAddressBytes = 1024;  ///< between < and >; RFC 5321 s4.5.3.1.3 asks for 256
constexpr size_t kMaxXforwardBytes = 255;  ///< of one attribute's value, decoded
constexpr uint64_t kMaxEnvelopeBytes = 4u << 20;  ///< all recipients with their parameters; well under kDeliveryBytes
constexpr size_t kMaxErrors = 10;                 ///< answered; the next one ends the session
constexpr size_t kMaxKeptBack = 256u << 10;       ///< input while a message waits; more ends the session

enum class Protocol : uint8_t { kLmtp, kSmtp };
std::string_view protocol_name(Protocol protocol);  ///< "lmtp", "smtp"

/// What the store can do right now; asked at MAIL, so that a client is told before it sends the content.
enum class StoreHealth : uint8_t { kGood, kFull, kFailed };

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

struct Peer {
  std::string address;  ///< numeric; empty for a Unix socket
  std::string port;
  bool trusted = false;  ///< may say XFORWARD
};

/// A message whose end was seen.
struct Finished {
  Delivery delivery;    ///< complete but for `captured`: the caller has the clock
  std::string message;  ///< delivery.digest is its SHA-256
};

class Session {
 public:
  /// The greeting is output at once. `options` outlives the session.
  Session(Protocol protocol, const Options& options, Peer peer);

  /// Takes bytes from the peer, in pieces of any size.
  void receive(std::string_view bytes);

  /// Bytes to send; empties the buffer.
  std::string take_output();

  /// The message whose end was just seen, once per message. The session then waits for complete().
  std::optional<Finished> take_finished();
  bool waiting() const { return mode_ == Mode::kWaiting; }

  /// The outcome of storing the message taken last; only while waiting(). kFull and kTooLarge are answered 452, other
  /// errors 451. Input that came meanwhile is looked at before this returns.
  void complete(const Result<void>& stored);

  void set_health(StoreHealth health) { health_ = health; }

  /// No further transaction is begun: says 421 and closes as soon as none is under way.
  void drain();
  /// Gives the content of the message under way back to the system; its end will be answered 451.
  void shed();
  /// Says `421 4.4.2` and closes.
  void time_out();

  /// The connection is to be closed once the output is sent.
  bool closing() const { return mode_ == Mode::kClosing; }
  /// Why the session ended before QUIT, for the log; empty otherwise.
  const std::string& fault() const { return fault_; }
  /// MAIL was accepted and its message is not yet answered.
  bool in_transaction() const { return in_transaction_; }
  bool receiving_content() const { return mode_ == Mode::kContent; }
  /// Receiving content that is kept: more input takes more memory.
  bool holds_content() const { return mode_ == Mode::kContent && verdict_ == Verdict::kKeep; }
  /// Bytes of content held for the message under way.
  uint64_t buffered_bytes() const { return message_.size(); }

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

}  // namespace arch::smtp
