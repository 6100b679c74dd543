#include "ingest/milter/session.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "ingest/server/xtext.h"

namespace arch::milter {

using ingest::Finished;
using ingest::StoreHealth;

namespace {

// Numbers of the protocol as Postfix's milter client (src/milter/milter8.c) and sendmail's libmilter/mfdef.h define
// them.
constexpr uint32_t kVersion = 6;
constexpr uint32_t kActionSetMacroLists = 0x100;
constexpr uint32_t kStepNoHeaderReply = 0x80;
constexpr uint32_t kStepNoUnknown = 0x100;
constexpr uint32_t kStepNoConnectReply = 0x1000;
constexpr uint32_t kStepNoHeloReply = 0x2000;
constexpr uint32_t kStepNoRecipientReply = 0x8000;
constexpr uint32_t kStepNoDataReply = 0x10000;
constexpr uint32_t kStepNoEndOfHeaderReply = 0x40000;
constexpr uint32_t kStepNoBodyReply = 0x80000;
constexpr uint32_t kStepLeadingSpace = 0x100000;
constexpr uint32_t kStepsWanted = kStepNoHeaderReply | kStepNoUnknown | kStepNoConnectReply | kStepNoHeloReply |
                                  kStepNoRecipientReply | kStepNoDataReply | kStepNoEndOfHeaderReply |
                                  kStepNoBodyReply | kStepLeadingSpace;

// Macros asked for, by stage. Sending any list empties those not sent, so each stage is named.
constexpr std::array<std::pair<uint32_t, std::string_view>, 6> kMacroLists = {{
    {0, "j {client_addr} {client_name} {client_port} {daemon_name} v"},
    {1, "{tls_version} {cipher} {cipher_bits} {cert_subject}"},
    {2, "i {auth_type} {auth_authen} {auth_author} {mail_addr}"},
    {3, "i {rcpt_addr} {rcpt_host} {rcpt_mailer}"},
    {4, "i"},
    {5, "i"},
}};

std::string be32(uint32_t value) {
  std::string out(4, '\0');
  for (int i = 0; i < 4; ++i) out[i] = static_cast<char>(value >> (24 - 8 * i));
  return out;
}

uint32_t from_be32(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

// Cuts the string up to the next NUL off the front; nothing when there is none.
std::optional<std::string_view> take_string(std::string_view* bytes) {
  size_t end = bytes->find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view text = bytes->substr(0, end);
  bytes->remove_prefix(end + 1);
  return text;
}

// Malformed xtext is kept as it came: it is a record of what was said, nothing acts on it.
std::string decoded(std::string_view text) { return ingest::decode_xtext(text).value_or(std::string(text)); }

bool is_keyword(std::string_view text, std::string_view keyword) {
  return text.size() == keyword.size() && std::equal(text.begin(), text.end(), keyword.begin(), [](char a, char b) {
           return (a >= 'a' && a <= 'z' ? a - 'a' + 'A' : a) == b;
         });
}

}  // namespace

struct Session::State {
  enum class Stage : uint8_t { kNegotiate, kConnect, kIdle, kEnvelope, kHeaders, kBody, kWaiting, kClosed };

  explicit State(const Options& given) : options(given) {}

  const Options options;
  Stage stage = Stage::kNegotiate;
  StoreHealth health = StoreHealth::kGood;
  uint32_t steps = 0;  // agreed
  std::string input;   // bytes not yet cut into packets
  std::string output;
  std::string fault;

  std::map<std::string, std::string, std::less<>> macros;
  size_t macro_bytes = 0;
  Delivery connection;  // client fields, kept over the messages of a session
  Delivery delivery;    // of the message under way
  std::string message;
  Sha256 hasher;  // of the message, fed as it grows
  bool too_large = false;
  bool too_many_recipients = false;
  bool shed = false;  // content given back for want of memory
  bool draining = false;
  std::optional<Finished> finished;

  void end(std::string why) {
    fault = std::move(why);
    stage = Stage::kClosed;
    drop_message();
  }

  void drop_message() {
    message.clear();
    message.shrink_to_fit();
    finished.reset();
    too_large = too_many_recipients = shed = false;
    hasher = Sha256();
  }

  // Between two messages: the place to stop at when no more shall begin.
  void begin_nothing_new() {
    if (draining && stage <= Stage::kIdle) stage = Stage::kClosed;
  }

  void send(char code, std::string_view data = {}) {
    output += be32(static_cast<uint32_t>(data.size() + 1));
    output += code;
    output += data;
  }

  // Sends "continue" where the MTA waits for it: a step whose "no reply" bit was not agreed.
  void reply_unless(uint32_t no_reply_step) {
    if ((steps & no_reply_step) == 0) send('c');
  }

  void send_temporary(std::string_view text) { send('y', std::string(text) + '\0'); }

  void add(std::string_view bytes) {
    if (too_large || shed) return;
    if (message.size() + bytes.size() > options.message_bytes) {
      too_large = true;
      message.clear();
      message.shrink_to_fit();
      return;
    }
    message += bytes;
    hasher.update(as_bytes(bytes));
  }

  std::string macro(std::string_view name) const {
    auto found = macros.find(name);
    return found == macros.end() ? std::string() : found->second;
  }

  void run();
  void packet(char code, std::string_view data);
  void on_negotiate(std::string_view data);
  void on_macros(std::string_view data);
  void on_connect(std::string_view data);
  void on_mail(std::string_view data);
  void on_recipient(std::string_view data);
  void on_header(std::string_view data);
  void on_end_of_message();
};

void Session::State::run() {
  size_t taken = 0;
  while (stage != Stage::kClosed && stage != Stage::kWaiting && input.size() - taken >= 4) {
    uint32_t length = from_be32(std::string_view(input).substr(taken, 4));
    if (length == 0 || length > kMaxPacket) {
      end("a packet of " + std::to_string(length) + " bytes: not the milter protocol");
      break;
    }
    if (input.size() - taken - 4 < length) break;
    std::string_view body = std::string_view(input).substr(taken + 4, length);
    packet(body.front(), body.substr(1));
    taken += 4 + length;
  }
  if (stage == Stage::kClosed)
    input.clear();
  else
    input.erase(0, taken);
}

void Session::State::packet(char code, std::string_view data) {
  switch (code) {
    case 'O':
      return on_negotiate(data);
    case 'D':
      return on_macros(data);
    case 'Q':
      return end({});
    case 'A':  // abort: forget the message, keep the connection's data
      if (stage == Stage::kNegotiate) return end("abort before negotiation");
      if (stage != Stage::kConnect) stage = Stage::kIdle;
      drop_message();
      return begin_nothing_new();
    case 'K':  // quit and start anew (Sendmail): a new client on the same connection
      if (stage == Stage::kNegotiate) return end("reset before negotiation");
      stage = Stage::kConnect;
      connection = Delivery{};
      macros.clear();
      macro_bytes = 0;
      return drop_message();
    case 'C':
      if (stage != Stage::kConnect) return end("CONNECT out of order");
      return on_connect(data);
    case 'H': {
      if (stage != Stage::kIdle) return end("HELO out of order");
      auto name = take_string(&data);
      if (!name || name->size() > kMaxAddressBytes) return end("malformed HELO");
      connection.client_helo = *name;
      return reply_unless(kStepNoHeloReply);
    }
    case 'M':
      if (stage != Stage::kIdle) return end("MAIL out of order");
      return on_mail(data);
    case 'R':
      if (stage != Stage::kEnvelope) return end("RCPT out of order");
      return on_recipient(data);
    case 'T':
      if (stage != Stage::kEnvelope) return end("DATA out of order");
      return reply_unless(kStepNoDataReply);
    case 'U':  // unknown SMTP command: not ours to judge
      return reply_unless(kStepNoUnknown);
    case 'L':
      if (stage != Stage::kEnvelope && stage != Stage::kHeaders) return end("header out of order");
      stage = Stage::kHeaders;
      return on_header(data);
    case 'N':
      if (stage != Stage::kEnvelope && stage != Stage::kHeaders) return end("end of headers out of order");
      stage = Stage::kBody;
      add("\r\n");
      return reply_unless(kStepNoEndOfHeaderReply);
    case 'B':
      if (stage != Stage::kBody) return end("body out of order");
      add(data);
      return reply_unless(kStepNoBodyReply);
    case 'E':
      if (stage != Stage::kBody) return end("end of message out of order");
      add(data);  // Sendmail may put the last of the body here
      return on_end_of_message();
    default:
      return end("an unknown command (byte " + std::to_string(static_cast<uint8_t>(code)) + ")");
  }
}

void Session::State::on_negotiate(std::string_view data) {
  if (stage != Stage::kNegotiate) return end("negotiation out of order");
  if (data.size() < 12) return end("malformed negotiation");
  uint32_t version = from_be32(data);
  uint32_t actions = from_be32(data.substr(4));
  uint32_t offered = from_be32(data.substr(8));
  if (version < 2) return end("milter protocol version " + std::to_string(version) + " is too old");
  steps = kStepsWanted & offered;
  const bool lists = (actions & kActionSetMacroLists) != 0 && version >= kVersion;
  std::string answer = be32(std::min(version, kVersion)) + be32(lists ? kActionSetMacroLists : 0) + be32(steps);
  if (lists) {
    for (const auto& [stage_number, names] : kMacroLists) {
      answer += be32(stage_number);
      answer += names;
      answer += '\0';
    }
  }
  send('O', answer);
  stage = Stage::kConnect;
}

void Session::State::on_macros(std::string_view data) {
  if (stage == Stage::kNegotiate || data.empty()) return end("macros out of order");
  // The command the macros belong to; one at MAIL begins a new message, whose queue id and login must not be the last
  // one's.
  if (data.front() == 'M')
    for (std::string_view name : {"i", "{auth_type}", "{auth_authen}", "{auth_author}"})
      if (auto found = macros.find(name); found != macros.end()) {
        macro_bytes -= found->first.size() + found->second.size();
        macros.erase(found);
      }
  data.remove_prefix(1);
  while (!data.empty()) {
    auto name = take_string(&data);
    auto value = name ? take_string(&data) : std::nullopt;
    if (!value) return end("malformed macros");
    auto found = macros.find(*name);
    if (found != macros.end()) {
      macro_bytes -= found->first.size() + found->second.size();
      macros.erase(found);
    }
    macro_bytes += name->size() + value->size();
    if (macro_bytes > kMaxMacroBytes) return end("more than " + std::to_string(kMaxMacroBytes) + " bytes of macros");
    macros.emplace(*name, *value);
  }
}

void Session::State::on_connect(std::string_view data) {
  auto host = take_string(&data);
  if (!host || data.empty() || host->size() > kMaxAddressBytes) return end("malformed CONNECT");
  connection = Delivery{};
  connection.client_name = *host;
  const char family = data.front();
  data.remove_prefix(1);
  if (family != 'U') {
    if (data.size() < 3) return end("malformed CONNECT");
    connection.client_port = std::to_string(static_cast<uint8_t>(data[0]) << 8 | static_cast<uint8_t>(data[1]));
    data.remove_prefix(2);
    auto address = take_string(&data);
    if (!address || address->size() > kMaxAddressBytes) return end("malformed CONNECT");
    connection.client_addr = *address;
  }
  stage = Stage::kIdle;
  reply_unless(kStepNoConnectReply);
}

void Session::State::on_mail(std::string_view data) {
  auto address = take_string(&data);
  if (!address || address->size() > kMaxAddressBytes) return end("malformed MAIL");
  drop_message();
  delivery = connection;
  delivery.channel = Channel::kMilter;
  delivery.mail_from = without_brackets(*address);
  delivery.has_mail_from = true;
  while (!data.empty()) {
    auto argument = take_string(&data);
    if (!argument || argument->size() > kMaxAddressBytes) return end("malformed MAIL");
    size_t equals = argument->find('=');
    std::string_view name = argument->substr(0, equals);
    std::string_view value = equals == std::string_view::npos ? std::string_view() : argument->substr(equals + 1);
    if (is_keyword(name, "SMTPUTF8"))
      delivery.flags |= kFlagSmtpUtf8;
    else if (is_keyword(name, "BODY") && is_keyword(value, "8BITMIME"))
      delivery.flags |= kFlag8BitMime;
    else if (is_keyword(name, "ENVID"))
      delivery.params.emplace_back("ENVID", decoded(value));
    else if (is_keyword(name, "RET"))
      delivery.params.emplace_back("RET", value);
  }
  stage = Stage::kEnvelope;
  if (health == StoreHealth::kFull || health == StoreHealth::kFailed) {
    stage = Stage::kIdle;
    send_temporary(health == StoreHealth::kFull ? "452 4.3.1 insufficient archive storage"
                                                : "451 4.3.0 archive storage error");
    return;
  }
  send('c');
}

void Session::State::on_recipient(std::string_view data) {
  auto address = take_string(&data);
  if (!address || address->size() > kMaxAddressBytes) return end("malformed RCPT");
  if (delivery.rcpt.size() >= options.max_recipients) {
    too_many_recipients = true;  // said at the end of the message: a recipient is never refused here
    return reply_unless(kStepNoRecipientReply);
  }
  Recipient recipient;
  recipient.address = without_brackets(*address);
  while (!data.empty()) {
    auto argument = take_string(&data);
    if (!argument || argument->size() > kMaxAddressBytes) return end("malformed RCPT");
    size_t equals = argument->find('=');
    if (equals == std::string_view::npos) continue;
    if (is_keyword(argument->substr(0, equals), "NOTIFY")) recipient.notify = argument->substr(equals + 1);
    if (is_keyword(argument->substr(0, equals), "ORCPT")) recipient.orcpt = decoded(argument->substr(equals + 1));
  }
  delivery.rcpt.push_back(std::move(recipient));
  reply_unless(kStepNoRecipientReply);
}

void Session::State::on_header(std::string_view data) {
  auto name = take_string(&data);
  auto value = name ? take_string(&data) : std::nullopt;
  if (!value) return end("malformed header");
  add(*name);
  add((steps & kStepLeadingSpace) != 0 ? ":" : ": ");
  // Continuation lines are joined by LF on the wire.
  size_t begin = 0;
  while (true) {
    size_t line_end = value->find('\n', begin);
    add(value->substr(begin, line_end == std::string_view::npos ? line_end : line_end - begin));
    add("\r\n");
    if (line_end == std::string_view::npos) break;
    begin = line_end + 1;
  }
  reply_unless(kStepNoHeaderReply);
}

void Session::State::on_end_of_message() {
  if (too_large || too_many_recipients || shed) {
    send_temporary(too_large             ? "452 4.3.4 message over archive limit"
                   : too_many_recipients ? "452 4.5.3 too many recipients"
                                         : "451 4.3.0 archive is short of memory");
    stage = Stage::kIdle;
    drop_message();
    return begin_nothing_new();
  }
  delivery.queue_id = macro("i");
  delivery.mta_host = macro("j");
  delivery.auth_user = macro("{auth_authen}");
  for (std::string_view name : {"{auth_type}", "{auth_author}", "{tls_version}", "{cipher}", "{cipher_bits}",
                                "{cert_subject}", "{daemon_name}"}) {
    std::string value = macro(name);
    if (!value.empty()) delivery.params.emplace_back(name.substr(1, name.size() - 2), std::move(value));
  }
  delivery.digest = hasher.finish();
  finished = Finished{std::move(delivery), std::move(message)};
  delivery = Delivery{};
  message = std::string();
  hasher = Sha256();
  stage = Stage::kWaiting;
}

Session::Session(const Options& options) : state_(std::make_unique<State>(options)) {}
Session::~Session() = default;

void Session::receive(std::string_view bytes) {
  if (state_->stage == State::Stage::kClosed) return;
  state_->input += bytes;
  if (state_->stage == State::Stage::kWaiting && state_->input.size() > kMaxPacket + 4)
    return state_->end("the MTA did not wait for an answer");
  state_->run();
}

std::string Session::take_output() { return std::exchange(state_->output, {}); }

std::optional<Finished> Session::take_finished() { return std::exchange(state_->finished, std::nullopt); }

bool Session::waiting() const { return state_->stage == State::Stage::kWaiting; }

void Session::complete(const Result<void>& stored) {
  if (!waiting()) return;
  state_->stage = State::Stage::kIdle;
  if (stored)
    state_->send('a');
  else if (stored.error().code == Code::kFull)
    state_->send_temporary("452 4.3.1 insufficient archive storage");
  else if (stored.error().code == Code::kTooLarge)
    state_->send_temporary("452 4.3.4 message over archive limit");
  else
    state_->send_temporary("451 4.3.0 archive storage error");
  state_->begin_nothing_new();
  state_->run();
}

void Session::progress() {
  if (waiting()) state_->send('p');
}

void Session::set_health(StoreHealth health) { state_->health = health; }

void Session::drain() {
  state_->draining = true;
  state_->begin_nothing_new();
}

void Session::shed() {
  if (!holds_content()) return;
  state_->shed = true;
  std::string().swap(state_->message);
}

void Session::time_out() {
  if (!closing()) state_->end("timeout");
}

bool Session::closing() const { return state_->stage == State::Stage::kClosed; }
const std::string& Session::fault() const { return state_->fault; }
bool Session::in_transaction() const {
  return state_->stage >= State::Stage::kEnvelope && state_->stage <= State::Stage::kWaiting;
}
bool Session::receiving_content() const {
  return state_->stage == State::Stage::kHeaders || state_->stage == State::Stage::kBody;
}
bool Session::holds_content() const { return receiving_content() && !state_->too_large && !state_->shed; }
uint64_t Session::buffered_bytes() const { return state_->message.size(); }
bool Session::speaks_for_another() const { return state_->stage <= State::Stage::kEnvelope; }

}  // namespace arch::milter
