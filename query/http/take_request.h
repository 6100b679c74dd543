// From Beast's message to ours: shared by the server and what tries it out without a socket (tests/fuzz/http.cc). Internal.
#pragma once

#include <boost/beast/http.hpp>
#include <optional>
#include <string>
#include <utility>

#include "engine/base/ascii.h"
#include "query/http/message.h"

namespace arch::http {

constexpr uint32_t kHeaderBytes = 16u << 10;
constexpr uint64_t kBodyBytes = 1u << 20;

using BeastRequest = boost::beast::http::request_parser<boost::beast::http::string_body>;

/// Fills in everything but the peer. What keeps it from being answered: the refusal.
inline std::optional<Response> take_request(boost::beast::http::request<boost::beast::http::string_body> message,
                                            Request* request) {
  request->method = std::string(message.method_string());
  request->target = std::string(message.target());
  if (message.version() != 11 && message.version() != 10)
    return problem(400, "bad_request", "only HTTP/1.1 is spoken here");
  if (!parse_target(request->target, &request->path, &request->query))
    return problem(400, "bad_request", "the target is malformed");
  size_t hosts = 0;
  for (const auto& field : message) {
    std::string name = ascii_lower(std::string_view(field.name_string().data(), field.name_string().size()));
    if (name == "host") ++hosts;
    request->headers.emplace_back(std::move(name), std::string(field.value()));
  }
  if (hosts != 1 && message.version() == 11) return problem(400, "bad_request", "one Host field is wanted");
  request->body = std::move(message.body());
  return std::nullopt;
}

}  // namespace arch::http
