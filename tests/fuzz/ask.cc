// What anybody who may connect to archctl.sock may send archd, and an archd that was taken over its asker; and a configuration, of
// which archctl reads one key without the loader.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tools/ask/where.h"
#include "tools/ask/wire.h"
#include "tools/config/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace ask = arch::ask;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto request = ask::parse_request(bytes)) {
    // What is accepted is the same after another way through the socket.
    const auto again = ask::parse_request(ask::encode(*request));
    if (!again || !(*again == *request)) std::abort();
    // What archd then does before it knows more.
    static_cast<void>(arch::ctl::parse(request->words));
  }
  if (const auto said = ask::parse_reply(bytes); said && said->reply == ask::Reply::kAnswer)
    if (ask::parse_reply(ask::encode(said->answer))->answer != said->answer) std::abort();
  // A key that is read in two ways reads the same, or archd would have to say no to it.
  if (const auto directory = ask::plain_data_dir(bytes)) {
    const auto config = arch::config::parse(std::string(bytes), "fuzz");
    if (config && config->data_dir != *directory) std::abort();
  }
  return 0;
}
