// The command line of arch-capture.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "ingest/milter/session.h"
#include "ingest/server/server.h"
#include "ingest/smtp/session.h"

namespace arch::capture {

struct Flags {
  std::string archive;
  std::vector<ingest::Address> lmtp, smtp, milter;
  smtp::Options smtp_session;
  milter::Options milter_session;
  ingest::Server::Options server;
  uint64_t reserve_bytes = 2ull << 30;
  int ready_fd = -1;
  bool log_json = false;
  std::string log_level = "info";
};

/// Nothing when the program has said all it was asked for (--help, --version). Errors: kUsage.
Result<std::optional<Flags>> parse(int argc, char** argv);

}  // namespace arch::capture
