#include "ingest/smtp/session.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "ingest/server/xtext.h"

namespace arch::smtp {

using ingest::decode_xtext;

namespace {

constexpr std::string_view kAfterData = "354 End data with <CR><LF>.<CR><LF>";
constexpr size_t kMaxAddressInReply = 300;  // RFC 5321 s4.5.3.1.5: a reply line has at most 512 octets

char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

bool same_word(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return upper(x) == upper(y); });
}

bool starts_with_word(std::string_view text, std::string_view word) {
  return text.size() >= word.size() && same_word(text.substr(0, word.size()), word);
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
bool is_8bit(char c) { return static_cast<unsigned char>(c) >= 0x80; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alnum(char c) { return is_digit(c) || (upper(c) >= 'A' && upper(c) <= 'Z'); }

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// `*` matches any run; letter case is ignored. Linear in the text for each star; no recursion.
bool matches(std::string_view pattern, std::string_view text) {
  size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && upper(pattern[p]) == upper(text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

// Cuts "<path>" off the front of `text` and gives what stands between the brackets. Nothing when it is malformed: a
// blank outside quotes, a control character, no closing bracket, too long.
std::optional<std::string> take_path(std::string_view* text) {
  if (text->empty() || text->front() != '<') return std::nullopt;
  bool quoted = false;
  for (size_t i = 1; i < text->size(); ++i) {
    char c = (*text)[i];
    if (is_control(c)) return std::nullopt;
    if (quoted && c == '\\') {
      ++i;
      if (i < text->size() && is_control((*text)[i])) return std::nullopt;
      continue;
    }
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == '<' || c == ' ') return std::nullopt;
    if (c == '>') {
      if (i - 1 > kMaxAddressBytes) return std::nullopt;
      std::string path(text->substr(1, i - 1));
      text->remove_prefix(i + 1);
      return path;
    }
  }
  return std::nullopt;
}

struct Parameter {
  std::string key;  // upper case
  std::string value;
  bool has_value = false;
};

// RFC 5321 s4.1.2: SP keyword [= value] ... Nothing when malformed or when a keyword comes twice.
std::optional<std::vector<Parameter>> parse_parameters(std::string_view text) {
  std::vector<Parameter> out;
  if (!text.empty() && !is_blank(text.front())) return std::nullopt;  // directly behind ">"
  for (;;) {
    text = trim(text);
    if (text.empty()) return out;
    size_t end = std::min(text.find(' '), text.size());
    std::string_view word = text.substr(0, end);
    text.remove_prefix(end);
    size_t equals = word.find('=');
    std::string_view key = word.substr(0, equals);
    Parameter parameter;
    if (key.empty() || !is_alnum(key.front())) return std::nullopt;
    for (char c : key) {
      if (!is_alnum(c) && c != '-') return std::nullopt;
      parameter.key.push_back(upper(c));
    }
    if (equals != std::string_view::npos) {
      parameter.has_value = true;
      parameter.value = word.substr(equals + 1);
      if (parameter.value.empty() || std::any_of(parameter.value.begin(), parameter.value.end(), is_control))
        return std::nullopt;
    }
    for (const Parameter& earlier : out)
      if (earlier.key == parameter.key) return std::nullopt;
    out.push_back(std::move(parameter));
  }
}

// RFC 1870 s6: 1 to 20 digits; a number over 64 bits counts as the largest.
std::optional<uint64_t> parse_size(std::string_view text) {
  if (text.empty() || text.size() > 20 || !std::all_of(text.begin(), text.end(), is_digit)) return std::nullopt;
  uint64_t value = 0;
  for (char c : text) {
    if (__builtin_mul_overflow(value, 10u, &value) ||
        __builtin_add_overflow(value, static_cast<uint64_t>(c - '0'), &value))
      return UINT64_MAX;
  }
  return value;
}

// RFC 3461 s4.1: NEVER alone, or a list of the others.
bool valid_notify(std::string_view value) {
  if (same_word(value, "NEVER")) return true;
  while (true) {
    size_t comma = value.find(',');
    std::string_view word = value.substr(0, comma);
    if (!same_word(word, "SUCCESS") && !same_word(word, "FAILURE") && !same_word(word, "DELAY")) return false;
    if (comma == std::string_view::npos) return true;
    value.remove_prefix(comma + 1);
  }
}

// An address as it may stand in a reply: ASCII, and short enough for one line.
std::string for_reply(std::string_view address) {
  std::string out(address.substr(0, kMaxAddressInReply));
  for (char& c : out)
    if (is_8bit(c) || is_control(c)) c = '?';
  if (address.size() > kMaxAddressInReply) out += "...";
  return out;
}

bool has_8bit(std::string_view text) { return std::any_of(text.begin(), text.end(), is_8bit); }

}  // namespace

std::string_view protocol_name(Protocol protocol) { return protocol == Protocol::kLmtp ? "lmtp" : "smtp"; }

Session::Session(Protocol protocol, const Options& options, Peer peer)
    : protocol_(protocol), options_(options), peer_(std::move(peer)) {
  reply("220 " + options_.hostname + (protocol_ == Protocol::kLmtp ? " LMTP archd" : " ESMTP archd"));
}

std::string Service::refusal(ingest::Refusal why) const {
  switch (why) {
    case ingest::Refusal::kDraining:
      return "421 4.3.2 " + options_.hostname + " shutting down\r\n";
    case ingest::Refusal::kNotAllowed:
      return "554 5.7.1 " + options_.hostname + " refused\r\n";
    case ingest::Refusal::kTooMany:
      return "421 4.3.2 " + options_.hostname + " too many connections\r\n";
  }
  return {};
}

void Session::receive(std::string_view bytes) {
  if (closing()) return;
  if (waiting()) {
    if (input_.size() + bytes.size() > kMaxKeptBack) {
      close_with({}, "sent on without waiting for the reply to its message");
      return;
    }
    input_.append(bytes);
    return;
  }
  if (input_.empty()) {
    size_t used = process(bytes);
    if (!closing()) input_.assign(bytes.substr(used));
  } else {
    input_.append(bytes);
    size_t used = process(input_);
    input_.erase(0, used);
  }
}

std::string Session::take_output() { return std::exchange(output_, {}); }

std::optional<Finished> Session::take_finished() { return std::exchange(finished_, std::nullopt); }

size_t Session::process(std::string_view bytes) {
  size_t at = 0;
  while (at < bytes.size() && !waiting() && !closing()) {
    std::string_view rest = bytes.substr(at);
    size_t used = receiving_content() ? take_content(rest) : take_line(rest);
    if (used == 0) break;
    at += used;
  }
  return at;
}

// Consumes one command line, or nothing when its end has not come yet.
size_t Session::take_line(std::string_view bytes) {
  constexpr std::string_view kSpecial("\r\n\0", 3);
  size_t end = bytes.find_first_of(kSpecial);
  if (end == std::string_view::npos || (bytes[end] == '\r' && end + 1 == bytes.size())) {
    size_t text = std::min(end, bytes.size());
    if (!skipping_line_ && text + 2 <= kMaxLineBytes) return 0;
    skipping_line_ = true;
    return text;  // a CR stays until it is known what follows
  }
  if (bytes[end] != '\r' || bytes[end + 1] != '\n') {
    close_with("500 5.5.2 Lines end with <CR><LF>", "bare CR, bare LF or NUL in a command");
    return bytes.size();
  }
  std::string_view line = bytes.substr(0, end);
  if (skipping_line_ || line.size() + 2 > kMaxLineBytes) {
    skipping_line_ = false;
    error("500 5.5.2 Line too long");
  } else {
    command(line, end + 2 < bytes.size());
  }
  return end + 2;
}

void Session::command(std::string_view line, bool more_behind) {
  line = trim(line);
  std::string_view verb = line.substr(0, line.find_first_of(" \t"));
  std::string_view argument = trim(line.substr(verb.size()));
  auto is = [verb](std::string_view word) { return same_word(verb, word); };

  if (is("LHLO") || is("EHLO") || is("HELO")) return greet(verb, argument);
  if (is("MAIL")) return mail(argument);
  if (is("RCPT")) return rcpt(argument);
  if (is("DATA")) return data(argument, more_behind);
  if (is("XFORWARD")) return xforward(argument);
  if (is("NOOP")) return reply("250 2.0.0 Ok");
  if (is("RSET") || is("QUIT")) {
    if (!argument.empty()) return error("501 5.5.4 No arguments allowed");
    if (is("QUIT")) return close_with("221 2.0.0 Bye", {});
    reset_transaction();
    reply("250 2.0.0 Ok");
    return begin_nothing_new();
  }
  if (is("VRFY")) return reply("252 2.5.0 Send mail to find out");
  if (is("BDAT") || is("STARTTLS") || is("AUTH") || is("EXPN") || is("HELP"))
    return error("502 5.5.1 Command not implemented");
  error("500 5.5.2 Command unrecognized");
}

void Session::greet(std::string_view verb, std::string_view argument) {
  bool lmtp_verb = same_word(verb, "LHLO");
  if (lmtp_verb != (protocol_ == Protocol::kLmtp))
    return error(lmtp_verb ? "500 5.5.1 This is SMTP: say EHLO" : "500 5.5.1 This is LMTP: say LHLO");
  if (argument.empty() || argument.size() > kMaxXforwardBytes ||
      std::any_of(argument.begin(), argument.end(), is_control))
    return error("501 5.5.4 Give your host name");
  reset_transaction();
  helo_ = argument;
  helo_verb_ = verb;
  if (same_word(verb, "HELO")) {
    reply("250 " + options_.hostname);
  } else {
    reply("250-" + options_.hostname);
    for (std::string_view extension : {"PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8", "DSN"})
      reply("250-" + std::string(extension));
    if (peer_.trusted) reply("250-XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE");
    // RFC 1870 s4: 0 means that no limit is stated. Postfix (smtp_proto.c, 3.7.11) compares a stated limit itself and
    // bounces a larger message; an always_bcc copy would then be gone without a trace. With 0 it asks with SIZE= and
    // gets 452: the message stays in its queue, visible.
    reply("250 SIZE " + std::to_string(options_.reject_oversize ? options_.message_bytes : 0));
  }
  begin_nothing_new();
}

void Session::mail(std::string_view argument) {
  if (helo_.empty()) return error("503 5.5.1 Say hello first");
  if (in_transaction_) return error("503 5.5.1 Nested MAIL command");
  if (!starts_with_word(argument, "FROM:")) return error("501 5.5.4 Syntax: MAIL FROM:<address>");
  argument = trim(argument.substr(5));
  std::optional<std::string> path = take_path(&argument);
  if (!path) return error("501 5.1.7 Bad sender address syntax");
  auto parameters = parse_parameters(argument);
  if (!parameters) return error("555 5.5.4 Bad or repeated parameter");

  Delivery delivery;
  uint64_t size = 0;
  for (Parameter& parameter : *parameters) {
    const std::string& value = parameter.value;
    bool good = false;
    if (parameter.key == "SIZE") {
      auto parsed = parse_size(value);
      good = parsed.has_value();
      size = parsed.value_or(0);
    } else if (parameter.key == "BODY") {
      good = same_word(value, "7BIT") || same_word(value, "8BITMIME");
      if (same_word(value, "8BITMIME")) delivery.flags |= kFlag8BitMime;
    } else if (parameter.key == "SMTPUTF8") {
      good = !parameter.has_value;
      delivery.flags |= kFlagSmtpUtf8;
    } else if (parameter.key == "RET") {
      good = same_word(value, "FULL") || same_word(value, "HDRS");
    } else if (parameter.key == "ENVID" && parameter.has_value) {
      auto decoded = decode_xtext(value);
      good = decoded.has_value();
      if (good) parameter.value = *decoded;
    }
    if (!good) return error("555 5.5.4 Unsupported parameter: " + parameter.key);
    if (parameter.key == "SIZE" || parameter.key == "RET" || parameter.key == "ENVID")
      delivery.params.emplace_back(parameter.key, parameter.value);
  }
  if (has_8bit(*path) && (delivery.flags & kFlagSmtpUtf8) == 0) return error("553 5.6.7 Address needs SMTPUTF8");
  if (size > options_.message_bytes)
    return reply(options_.reject_oversize ? "552 5.3.4 message over archive limit"
                                          : "452 4.3.4 message over archive limit");
  if (health_ == StoreHealth::kFull) return reply("452 4.3.1 insufficient archive storage");
  if (health_ == StoreHealth::kFailed) return reply("451 4.3.0 archive storage error");

  in_transaction_ = true;
  delivery_ = std::move(delivery);
  delivery_.channel = protocol_ == Protocol::kLmtp ? Channel::kLmtp : Channel::kSmtp;
  delivery_.mail_from = std::move(*path);
  delivery_.has_mail_from = true;
  size_hint_ = size;
  reply("250 2.1.0 Ok");
}

void Session::rcpt(std::string_view argument) {
  if (!in_transaction_) return error("503 5.5.1 Need MAIL before RCPT");
  if (!starts_with_word(argument, "TO:")) return error("501 5.5.4 Syntax: RCPT TO:<address>");
  argument = trim(argument.substr(3));
  std::optional<std::string> path = take_path(&argument);
  if (!path || path->empty()) return error("501 5.1.3 Bad recipient address syntax");
  auto parameters = parse_parameters(argument);
  if (!parameters) return error("555 5.5.4 Bad or repeated parameter");

  Recipient recipient;
  for (Parameter& parameter : *parameters) {
    bool good = false;
    if (parameter.key == "NOTIFY") {
      good = valid_notify(parameter.value);
      recipient.notify = parameter.value;
    } else if (parameter.key == "ORCPT") {  // address type ";" xtext
      auto decoded = decode_xtext(parameter.value);
      good = decoded && decoded->find(';') != std::string::npos && decoded->front() != ';';
      if (good) recipient.orcpt = *decoded;
    }
    if (!good) return error("555 5.5.4 Unsupported parameter: " + parameter.key);
  }
  if (has_8bit(*path) && (delivery_.flags & kFlagSmtpUtf8) == 0) return error("553 5.6.7 Address needs SMTPUTF8");
  auto accepts = [&path](const std::string& pattern) { return matches(pattern, *path); };
  if (std::none_of(options_.accept_recipients.begin(), options_.accept_recipients.end(), accepts))
    return reply("550 5.1.1 <" + for_reply(*path) + "> not an address of this archive");
  uint64_t bytes = path->size() + recipient.orcpt.size() + recipient.notify.size();
  if (delivery_.rcpt.size() >= options_.max_recipients || envelope_bytes_ + bytes > kMaxEnvelopeBytes)
    return reply("452 4.5.3 Too many recipients");  // RFC 5321 s4.5.3.1.10: the client sends the rest anew

  envelope_bytes_ += bytes;
  recipient.address = std::move(*path);
  delivery_.rcpt.push_back(std::move(recipient));
  reply("250 2.1.5 Ok");
}

void Session::data(std::string_view argument, bool more_behind) {
  if (!argument.empty()) return error("501 5.5.4 No arguments allowed");
  if (!in_transaction_) return error("503 5.5.1 Need MAIL before DATA");
  if (delivery_.rcpt.empty()) return error("503 5.5.1 No valid recipients");  // RFC 2033 s4.2
  // RFC 2920 s3.1: DATA is the last command of a group. Who sends on without the 354 either speaks another protocol
  // or hides a second message in the first.
  if (more_behind) return close_with("503 5.5.1 Wait for 354 before sending data", "sent data before 354");
  mode_ = Mode::kContent;
  place_ = Place::kLineStart;
  verdict_ = Verdict::kKeep;
  content_bytes_ = 0;
  hash_.emplace();
  hashed_ = 0;
  reply(kAfterData);
}

void Session::xforward(std::string_view argument) {
  if (!peer_.trusted) return error("550 5.7.0 XFORWARD not allowed");
  if (in_transaction_) return error("503 5.5.1 XFORWARD within a transaction");
  if (argument.empty()) return error("501 5.5.4 Syntax: XFORWARD name=value");
  Xforward next = xforward_;
  next.given = true;
  while (!argument.empty()) {
    size_t end = std::min(argument.find(' '), argument.size());
    std::string_view word = argument.substr(0, end);
    argument = trim(argument.substr(end));
    size_t equals = word.find('=');
    if (equals == std::string_view::npos) return error("501 5.5.4 Syntax: XFORWARD name=value");
    auto value = decode_xtext(word.substr(equals + 1));
    if (!value || value->empty() || value->size() > kMaxXforwardBytes ||
        std::any_of(value->begin(), value->end(), is_control))
      return error("501 5.5.4 Bad XFORWARD value");
    if (same_word(*value, "[UNAVAILABLE]") || same_word(*value, "[TEMPUNAVAIL]")) value->clear();
    std::string_view name = word.substr(0, equals);
    if (same_word(name, "NAME")) {
      next.name = *value;
    } else if (same_word(name, "ADDR")) {
      next.addr = starts_with_word(*value, "IPV6:") ? value->substr(5) : *value;
    } else if (same_word(name, "PORT")) {
      next.port = *value;
    } else if (same_word(name, "PROTO")) {
      next.proto = *value;
    } else if (same_word(name, "HELO")) {
      next.helo = *value;
    } else if (same_word(name, "IDENT")) {
      next.ident = *value;
    } else if (same_word(name, "SOURCE")) {
      next.source = *value;
    } else {
      return error("501 5.5.4 Unknown XFORWARD attribute");
    }
  }
  xforward_ = std::move(next);
  reply("250 2.0.0 Ok");
}

// Consumes content up to the end of `bytes` or of the message. The place within a line is kept between calls, so that
// a split of the stream anywhere makes no difference.
size_t Session::take_content(std::string_view bytes) {
  size_t at = 0;
  while (at < bytes.size()) {
    char c = bytes[at];
    switch (place_) {
      case Place::kLineStart:
        place_ = c == '.' ? Place::kDot : Place::kText;
        if (c == '.') ++at;  // dropped, whatever follows
        break;
      case Place::kDot:
        place_ = c == '\r' ? Place::kDotCr : Place::kText;
        if (c == '\r') ++at;
        break;
      case Place::kDotCr:
        if (c == '\n') {
          hash_kept();
          end_of_content();
          return at + 1;
        }
        keep("\r");
        place_ = Place::kAfterCr;
        break;
      case Place::kAfterCr:
        if (c == '\n') {
          keep("\n");
          place_ = Place::kLineStart;
          ++at;
        } else {
          delivery_.flags |= kFlagBareCr;
          place_ = Place::kText;
        }
        break;
      case Place::kText: {
        const void* newline = std::memchr(bytes.data() + at, '\n', bytes.size() - at);
        size_t end = newline ? static_cast<size_t>(static_cast<const char*>(newline) - bytes.data()) : bytes.size();
        std::string_view text = bytes.substr(at, end - at);
        bool after_cr = !text.empty() && text.back() == '\r';
        if (text.substr(0, text.size() - (after_cr ? 1 : 0)).find('\r') != std::string_view::npos)
          delivery_.flags |= kFlagBareCr;
        if (text.find('\0') != std::string_view::npos) delivery_.flags |= kFlagNul;
        if (newline) {
          if (!after_cr) delivery_.flags |= kFlagBareLf;
          keep(bytes.substr(at, end + 1 - at));
          place_ = after_cr ? Place::kLineStart : Place::kText;
          at = end + 1;
        } else {
          keep(text);
          place_ = after_cr ? Place::kAfterCr : Place::kText;
          at = end;
        }
        break;
      }
    }
  }
  hash_kept();
  return at;
}

void Session::keep(std::string_view bytes) {
  content_bytes_ += bytes.size();
  if (verdict_ != Verdict::kKeep) return;
  if (content_bytes_ > options_.message_bytes) {
    verdict_ = Verdict::kTooLarge;
    std::string().swap(message_);
    hashed_ = 0;
    return;
  }
  // Room for all that SIZE= announced is made once an eighth of it has come: nobody reserves memory by words alone.
  size_t needed = message_.size() + bytes.size();
  if (needed > message_.capacity()) {
    uint64_t announced = size_hint_ / 8 <= needed ? size_hint_ : 0;
    message_.reserve(std::max<uint64_t>({needed, announced, message_.size() + message_.size() / 2, 4096}));
  }
  message_.append(bytes);
}

void Session::hash_kept() {
  if (hashed_ == message_.size()) return;
  hash_->update(as_bytes(std::string_view(message_).substr(hashed_)));
  hashed_ = message_.size();
}

void Session::end_of_content() {
  mode_ = Mode::kCommands;
  waiting_recipients_.clear();
  for (const Recipient& recipient : delivery_.rcpt) waiting_recipients_.push_back(for_reply(recipient.address));
  if (verdict_ == Verdict::kTooLarge) {
    answer_recipients(options_.reject_oversize ? "552 5.3.4" : "452 4.3.4", "message over archive limit");
  } else if (verdict_ == Verdict::kShed) {
    answer_recipients("451 4.3.0", "archive busy, try again");
  } else if (options_.reject_bare_newline && (delivery_.flags & (kFlagBareCr | kFlagBareLf)) != 0) {
    answer_recipients("554 5.6.0", "content has a bare <CR> or <LF>");
  } else {
    Finished finished;
    finished.delivery = std::move(delivery_);
    finished.message = std::move(message_);
    Delivery& delivery = finished.delivery;
    delivery.digest = waiting_digest_ = hash_->finish();
    delivery.mta_host = helo_;
    // What XFORWARD said stands for the mail's client; what is known of this connection is never mixed into it.
    if (xforward_.given) {
      delivery.client_name = xforward_.name;
      delivery.client_addr = xforward_.addr;
      delivery.client_port = xforward_.port;
      delivery.client_helo = xforward_.helo;
      delivery.client_proto = xforward_.proto;
      delivery.queue_id = xforward_.ident;
      if (!xforward_.source.empty()) delivery.params.emplace_back("SOURCE", xforward_.source);
    } else {
      delivery.client_addr = peer_.address;
      delivery.client_port = peer_.port;
      delivery.client_helo = helo_;
      delivery.client_proto = protocol_ == Protocol::kLmtp    ? "LMTP"
                              : same_word(helo_verb_, "HELO") ? "SMTP"
                                                              : "ESMTP";
    }
    finished_ = std::move(finished);
    mode_ = Mode::kWaiting;
    return;
  }
  reset_transaction();
  begin_nothing_new();
}

void Session::complete(const Result<void>& stored) {
  ARCH_CHECK(waiting());
  mode_ = Mode::kCommands;
  if (stored) {
    answer_recipients("250 2.0.0", "archived arch:" + waiting_digest_.hex().substr(0, 16));
  } else if (stored.error().code == Code::kFull) {
    answer_recipients("452 4.3.1", "insufficient archive storage");
  } else if (stored.error().code == Code::kTooLarge) {
    answer_recipients("452 4.3.4", "message over archive limit");
  } else {
    answer_recipients("451 4.3.0", "archive storage error");
  }
  reset_transaction();
  begin_nothing_new();
  if (closing() || input_.empty()) return;
  size_t used = process(input_);
  input_.erase(0, used);
}

// One line for each accepted recipient, in order (RFC 2033 s4.2); SMTP: one line.
void Session::answer_recipients(std::string_view code, std::string_view text) {
  if (protocol_ == Protocol::kSmtp) {
    reply(std::string(code) + " " + std::string(text));
    return;
  }
  for (const std::string& address : waiting_recipients_)
    reply(std::string(code) + " <" + address + "> " + std::string(text));
}

void Session::drain() {
  draining_ = true;
  begin_nothing_new();
}

void Session::begin_nothing_new() {
  if (draining_ && mode_ == Mode::kCommands && !in_transaction_)
    close_with("421 4.3.2 " + options_.hostname + " shutting down", {});
}

void Session::shed() {
  if (!receiving_content() || verdict_ != Verdict::kKeep) return;
  verdict_ = Verdict::kShed;
  std::string().swap(message_);
  hashed_ = 0;
}

void Session::time_out() {
  if (!closing()) close_with("421 4.4.2 " + options_.hostname + " timeout exceeded", "timeout");
}

void Session::reply(std::string_view line) {
  output_.append(line);
  output_.append("\r\n");
}

void Session::error(std::string_view line) {
  if (errors_ >= kMaxErrors)
    return close_with("421 4.7.0 " + options_.hostname + " too many errors", "too many errors");
  ++errors_;
  reply(line);
}

void Session::close_with(std::string_view line, std::string fault) {
  if (!line.empty()) reply(line);
  fault_ = std::move(fault);
  reset_transaction();
  finished_.reset();
  mode_ = Mode::kClosing;
}

void Session::reset_transaction() {
  in_transaction_ = false;
  delivery_ = Delivery();
  envelope_bytes_ = size_hint_ = content_bytes_ = 0;
  std::string().swap(message_);
  hashed_ = 0;
  hash_.reset();
  verdict_ = Verdict::kKeep;
  waiting_recipients_.clear();
  xforward_ = Xforward();
}

}  // namespace arch::smtp
