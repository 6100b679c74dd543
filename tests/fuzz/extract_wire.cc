// What a worker that was taken over may send its parent, and a parent its worker.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "query/document/wire.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace wire = arch::document::wire;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  arch::document::Limits limits;
  limits.members = 20;
  limits.text_bytes = 1u << 16;
  static_cast<void>(wire::parse_header(bytes, wire::Kind::kResponse, 1u << 20));
  static_cast<void>(wire::parse_hello(bytes));
  static_cast<void>(wire::parse_request(bytes));
  if (const auto text = wire::parse_response(bytes, limits)) {
    // What is accepted is the same after another way through the pipe.
    const auto again = wire::parse_response(wire::encode(*text), limits);
    if (!again || !(*again == *text)) std::abort();
  }
  return 0;
}
