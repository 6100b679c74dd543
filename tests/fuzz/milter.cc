// The milter protocol: no sequence of packets crashes the session, nothing is handed out twice, memory stays bounded.
#include <cstdint>
#include <cstdlib>

#include "ingest/milter/session.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const arch::milter::Options kOptions = [] {
    arch::milter::Options options;
    options.message_bytes = 16'384;
    options.max_recipients = 20;
    return options;
  }();
  if (size == 0) return 0;
  arch::milter::Session session(kOptions);
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t piece = 1 + data[0];
  while (!bytes.empty() && !session.closing()) {
    session.receive(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
    while (auto finished = session.take_finished()) {
      if (arch::Sha256::of(arch::as_bytes(finished->message)) != finished->delivery.digest) std::abort();
      if (session.take_finished()) std::abort();
      session.progress();
      session.complete({});
    }
    if (session.buffered_bytes() > 65'536) std::abort();
    session.take_output();
  }
  return 0;
}
