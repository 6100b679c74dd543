// Requests and responses as the handlers see them: no socket, no library.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace arch::http {

/// Who is at the other end of the connection, as far as the kernel says.
struct Peer {
  bool unix_socket = false;
  uint32_t uid = UINT32_MAX;  ///< of a Unix socket's peer (SO_PEERCRED)
  std::string address;        ///< of a TCP peer
};

struct Request {
  std::string method;                                        ///< "GET" …
  std::string target;                                        ///< as sent
  std::string path;                                          ///< percent-decoded, without the query; begins with "/"
  std::vector<std::pair<std::string, std::string>> query;    ///< percent-decoded, in order
  std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case
  std::string body;
  Peer peer;

  /// The first field of that name (lower case); empty when there is none.
  std::string_view header(std::string_view name) const;
  bool has_header(std::string_view name) const;
  std::string_view parameter(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::string content_type;
  std::string body;
  std::string file;  ///< path of a file that is the body instead; it may be removed once sending began
  std::vector<std::pair<std::string, std::string>> headers;
};

/// Called on one of the server's worker threads; must not throw.
using Handler = std::function<Response(const Request&)>;

/// Path and query of a request's target (RFC 9112 s3.2, origin form). False: not one that is served (absolute form, a NUL, an
/// encoded "/" or ".." segment, broken percent signs): 400.
bool parse_target(std::string_view target, std::string* path,
                  std::vector<std::pair<std::string, std::string>>* query);

/// A form's body (application/x-www-form-urlencoded), in order. False: malformed.
bool parse_form(std::string_view body, std::vector<std::pair<std::string, std::string>>* fields);

/// RFC 9457: {"type","title","status","code","detail"[,"hint"]}.
Response problem(int status, std::string_view code, std::string_view detail, std::string_view hint = {});

/// "attachment; filename=…; filename*=UTF-8''…" (RFC 6266, RFC 8187); control characters, separators and direction marks left out.
std::string attachment_disposition(std::string_view name);

}  // namespace arch::http
