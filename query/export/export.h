// A set of messages as files: the exact bytes, a mailbox, an archive that proves itself, or lines for programs.
//
// eml     exact stored bytes, one file a message; sha256sum of a file is the message's id.
// mbox    mboxrd (RFC 4155's successor): ">" in front of ^>*From , LF line ends; not byte-exact.
// zip     manifest.jsonl, SHA256SUMS, README, LISEZMOI, messages/YYYY/MM/NAME.eml in the order of arrival. The same query at the
//         same as_of gives the same bytes: times are fixed, entries have no extra fields but ZIP64's.
// jsonl   the manifest alone, with the messages' text on request.
//
// Streaming: one message in memory at a time. Threads: one. Errors: kIo, kFull, kDenied, kExists of the output; kTryAgain (stop).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/archive.h"

namespace arch::exporting {

enum class Format : uint8_t { kEml, kMbox, kZip, kJsonLines };
/// "eml", "mbox", "zip", "jsonl". Errors: kUsage.
Result<Format> parse_format(std::string_view name);

struct Request {
  Format format = Format::kEml;
  std::vector<uint64_t> numbers;   ///< of the messages, in the order wanted (that of arrival makes it reproducible)
  std::string query, interpreted;  ///< for the manifest
  uint64_t as_of = 0;
  bool with_text = false;     ///< jsonl
  bool with_envelope = true;  ///< else recipients that only the envelope names (Bcc) are left out of the manifest
};

struct Outcome {
  uint64_t written = 0, bytes = 0;  ///< messages, and bytes of them
  std::vector<Error> unreadable;    ///< messages whose bytes cannot be read; the others were written
};

using Progress = std::function<bool(uint64_t done, uint64_t total)>;  ///< false: stop
using Write = std::function<Result<void>(std::string_view)>;

/// To one file: PATH.part, renamed to PATH when it is whole; what was at PATH is replaced.
Result<Outcome> to_file(const Archive& archive, const Request& request, const std::string& path,
                        const Progress& progress);
/// mbox and jsonl as a stream.
Result<Outcome> to_stream(const Archive& archive, const Request& request, const Write& write,
                          const Progress& progress);
/// eml: files in a directory that is there.
Result<Outcome> to_directory(const Archive& archive, const Request& request, const std::string& directory,
                             const Progress& progress);

/// 2024-03-15T101112Z_3f2a9c0d11e4b7a6.eml
std::string eml_name(const MessageInfo& info);

}  // namespace arch::exporting
