// What archctl asks a running archd and what that says, on the socket ARCHIVE/state/archctl.sock: SOCK_SEQPACKET, a packet each.
// Pure. Of one release only: who hears another version says no, and archctl does the work itself.
//
//   archctl → archd   a Request
//   archd → archctl   kTaken, at once; then, when the command is done, an Answer. Or kNo, or the end of the connection:
//                     nothing was printed then, and nothing is lost.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace arch::ask {

constexpr uint32_t kProtocol = 1;
constexpr size_t kMaxWords = 1'000;
constexpr size_t kMaxWordBytes = 32u << 10;    ///< of all of them
constexpr size_t kMaxConfigBytes = 64u << 10;  ///< a larger configuration is read by the full program
constexpr size_t kMaxRequestBytes = 112u << 10;
constexpr size_t kInlineBytes = 64u << 10;     ///< of stdout and stderr; what is more comes in a file without a name
constexpr size_t kMaxAnswerBytes = 16u << 20;  ///< more is for the full program to print

/// ARCHIVE/state/archctl.sock: directory and name.
std::string socket_directory(const std::string& archive);
constexpr std::string_view kSocketName = "archctl.sock";

/// What stands behind a stream of the asker (tools/common/terminal.h).
struct Screen {
  bool interactive = false, colour = false;
  uint32_t columns = 80;
  bool operator==(const Screen&) const = default;
};

struct Request {
  std::string version;             ///< of the asking program
  std::vector<std::string> words;  ///< of the command line, its name left out
  std::string config;              ///< the configuration's text; empty: there is none, or it says nothing
  bool archive_is_configured =
      false;  ///< and was taken to be `data_dir`: by a reading of the configuration that is not the whole one
  std::string data_dir;
  Screen out, err;
  bool operator==(const Request&) const = default;
};
/// Larger than kMaxRequestBytes: for nobody to send.
std::string encode(const Request& request);
/// Errors: kInvalid (no request, or over a limit).
Result<Request> parse_request(std::string_view packet);

enum class Reply : uint8_t { kTaken = 1, kNo = 2, kAnswer = 3 };

struct Answer {
  uint8_t status = 0;  ///< to exit with
  uint32_t out_bytes = 0, err_bytes = 0;
  bool in_file = false;  ///< the packet carries the descriptor of a file with them, stdout's first
  std::string text;      ///< else they are here, stdout's first
  bool operator==(const Answer&) const = default;
};
std::string encode(const Answer& answer);
std::string encode_taken();
std::string encode_no(std::string_view why);

struct Said {
  Reply reply = Reply::kNo;
  Answer answer;    ///< with kAnswer
  std::string why;  ///< with kNo, for people
};
/// Errors: kInvalid.
Result<Said> parse_reply(std::string_view packet);

}  // namespace arch::ask
