#include "tools/archctl/access.h"

#include <cstdio>

#include "tools/common/stop.h"
#include "tools/config/documents.h"

namespace arch::ctl {

Result<std::unique_ptr<Archive>> open_reader(const Invocation& invocation) {
  return Archive::open(Fs::real(), Clock::system(), invocation.archive, Archive::Mode::kReader);
}
Result<std::unique_ptr<Archive>> open_engine(const Invocation& invocation) {
  if (auto room = api::check_space_to_open(invocation.archive); !room && room.error().code == Code::kFull)
    return tl::unexpected<Error>(std::move(room).error());
  return Archive::open(Fs::real(), Clock::system(), invocation.archive, Archive::Mode::kEngine,
                       {invocation.config.own_domains()});
}

api::EngineOptions engine_options(const config::Config& config) {
  api::EngineOptions options;
  options.pack_bytes = config.pack_bytes;
  options.pack_age = config.pack_age;
  options.index.shard_messages = config.index_shard_messages;
  options.index.headers = config.index_headers;
  options.look_again = kNsPerSecond / 10;
  options.waited_for = true;
  config::read_documents(
      config,
      [](const Error& error) {
        std::fprintf(stderr, "archctl: text of PDF and office files is not read: %s\n", describe(error).c_str());
      },
      &options);
  return options;
}

bool stop_requested() { return tool::stop_requested(); }

}  // namespace arch::ctl
