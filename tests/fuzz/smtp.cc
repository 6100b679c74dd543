// LMTP and SMTP: whatever a client sends, and however TCP cuts it, the session answers with the same messages; what it hands out has
// the digest it claims; memory stays bounded by what was sent.
#include <cstdint>
#include <cstdlib>
#include <utility>
#include <vector>

#include "ingest/smtp/session.h"

namespace {

using Messages = std::vector<std::pair<std::string, std::string>>;  // content, encoded delivery

Messages run(arch::smtp::Protocol protocol, std::string_view bytes, size_t piece) {
  static const arch::smtp::Options kOptions = [] {
    arch::smtp::Options options;
    options.message_bytes = 16'384;
    options.max_recipients = 20;
    return options;
  }();
  arch::smtp::Session session(protocol, kOptions, {"192.0.2.1", "25", true});
  Messages messages;
  while (!bytes.empty() && !session.closing()) {
    const std::string_view now = bytes.substr(0, piece);
    bytes.remove_prefix(now.size());
    session.receive(now);
    while (auto finished = session.take_finished()) {
      if (arch::Sha256::of(arch::as_bytes(finished->message)) != finished->delivery.digest) std::abort();
      messages.emplace_back(finished->message, arch::encode_delivery(finished->delivery));
      session.complete({});
    }
    if (session.buffered_bytes() > 32'768) std::abort();
    session.take_output();
  }
  return messages;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto protocol = data[0] % 2 == 0 ? arch::smtp::Protocol::kLmtp : arch::smtp::Protocol::kSmtp;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  // Byte by byte nothing is ever seen behind DATA, where bytes that did not wait for 354 end the session: what longer pieces give
  // is that, or its beginning.
  const Messages slow = run(protocol, bytes, 1), quick = run(protocol, bytes, 2 + data[0] / 2 % 40);
  if (quick.size() > slow.size()) std::abort();
  for (size_t i = 0; i < quick.size(); ++i)
    if (quick[i] != slow[i]) std::abort();
  return 0;
}
