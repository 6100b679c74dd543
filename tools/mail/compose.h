// Mail that the archive itself writes: alerts, the canary. GMime does the work.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/clock.h"

namespace arch::mail {

struct Draft {
  std::string from, to;       ///< of the header, as addresses; an empty `to` becomes "undisclosed-recipients:;"
  std::string subject, body;  ///< UTF-8
  std::vector<std::pair<std::string, std::string>> headers;  ///< further ones, ASCII, before the rest
  struct File {
    std::string name, media_type, bytes;
  };
  std::vector<File> files;
  UnixNs date = 0;
  std::string message_id;  ///< without <>
};

/// RFC 5322 with CRLF; text is quoted-printable where it has to be, files are base64.
std::string compose(const Draft& draft);

/// The name by which this machine knows itself, for senders and Message-IDs.
std::string host_name();

}  // namespace arch::mail
