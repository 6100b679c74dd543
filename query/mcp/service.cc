#include "query/mcp/service.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <mutex>

#include "engine/base/ascii.h"
#include "query/mcp/tools.h"

namespace arch::mcp {
namespace {

constexpr std::string_view kModern = "2026-07-28";
constexpr std::array<std::string_view, 2> kLegacy = {"2025-11-25", "2025-06-18"};
constexpr std::string_view kVersionKey = "io.modelcontextprotocol/protocolVersion";
constexpr std::string_view kCapabilitiesKey = "io.modelcontextprotocol/clientCapabilities";
constexpr std::string_view kServerKey = "io.modelcontextprotocol/serverInfo";
constexpr size_t kBodyBytes = 1u << 20;
constexpr int kDepth = 64;
constexpr size_t kAtOnce = 4;
constexpr uint64_t kBytesPerHour = 2'000'000;  // of answers, by token

/// A JSON-RPC error and the HTTP status that carries it.
struct RpcError {
  int http = 200;
  int code = -32603;
  std::string message;
  Json data;
};

std::string trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return std::string(text);
}

// A header value may be "=?base64?…?=".
std::string decoded_header(std::string_view raw) {
  std::string text = trimmed(raw);
  constexpr std::string_view kBegin = "=?base64?", kEnd = "?=";
  if (text.size() < kBegin.size() + kEnd.size() || text.compare(0, kBegin.size(), kBegin) != 0 ||
      text.compare(text.size() - kEnd.size(), kEnd.size(), kEnd) != 0)
    return text;
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (char c : text.substr(kBegin.size(), text.size() - kBegin.size() - kEnd.size())) {
    const size_t value = std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/").find(c);
    if (c == '=') break;
    if (value == std::string_view::npos) return text;
    bits = bits << 6 | static_cast<uint32_t>(value);
    if ((count += 6) >= 8) out += static_cast<char>(bits >> (count -= 8) & 255);
  }
  return out;
}

std::string dumped(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json parse_bounded(const std::string& text, bool* good) {
  int deepest = 0;
  *good = true;
  // nlohmann 3.11.2 overflows the stack when it destroys deep values: they are cut while they are parsed.
  Json parsed = Json::parse(
      text,
      [&deepest](int depth, Json::parse_event_t, Json&) {
        deepest = std::max(deepest, depth);
        return depth <= kDepth;
      },
      false);
  if (parsed.is_discarded() || deepest > kDepth) *good = false;
  return parsed;
}

http::Response json_response(int status, const Json& body) {
  http::Response out;
  out.status = status;
  out.content_type = "application/json";
  out.body = dumped(body);
  out.headers = {{"Cache-Control", "no-store"}};
  return out;
}

Json error_body(const Json& id, const RpcError& error) {
  Json out = {{"jsonrpc", "2.0"}, {"id", id}, {"error", {{"code", error.code}, {"message", error.message}}}};
  if (!error.data.is_null()) out["error"]["data"] = error.data;
  return out;
}

bool is_id(const Json& value) { return value.is_string() || value.is_number_integer(); }

}  // namespace

struct Service::State {
  State(const Archive& given, Options given_options, Note given_note)
      : archive(given), options(std::move(given_options)), note(std::move(given_note)) {
    std::array<unsigned char, 32> random{};
    RAND_bytes(random.data(), random.size());
    cursor_key.assign(reinterpret_cast<const char*>(random.data()), random.size());
  }
  const Archive& archive;
  const Options options;
  const Note note;
  std::string cursor_key;

  struct Rate {
    std::chrono::steady_clock::time_point minute{};
    uint64_t calls = 0;
    std::chrono::steady_clock::time_point hour{};
    uint64_t bytes = 0;
    size_t running = 0;
  };
  std::mutex mutex;
  std::map<std::string, Rate> rates;  // by the token's hash

  Json server_info() const { return {{"name", "archd"}, {"version", options.version}}; }
  Json supported() const {
    Json out = Json::array({kModern});
    for (std::string_view each : kLegacy) out.push_back(each);
    return out;
  }

  Json modern_result(Json result) const {
    result["resultType"] = "complete";
    result["_meta"][std::string(kServerKey)] = server_info();
    return result;
  }

  Json call(const Json& params, const Token& token, bool modern) {
    if (!params.is_object() || !params.contains("name") || !params["name"].is_string())
      throw RpcError{200, -32602, "tools/call wants a name", {}};
    const std::string name = params["name"];
    if (!knows_tool(name)) throw RpcError{200, -32602, "Unknown tool: " + name.substr(0, 100), {}};
    const Json arguments = params.contains("arguments") ? params["arguments"] : Json::object();
    Caller caller{token, cursor_key + token.hash};
    ToolAnswer answer = call_tool(archive, options, caller, name, arguments);
    Json result = {{"content", Json::array({{{"type", "text"}, {"text", answer.text}}})}};
    if (answer.error) {
      result["isError"] = true;
      result["_meta"]["org.archd/error"] = answer.error_details;
    } else {
      result["structuredContent"] = std::move(answer.structured);
      result["isError"] = false;
    }
    const Call done{token.name, name, answer.object,
                    answer.error ? answer.error_details["code"].get<std::string>() : "ok", dumped(result).size()};
    if (note && !note(done)) throw RpcError{500, -32603, "the access log cannot be written, so nothing is shown", {}};
    return modern ? modern_result(std::move(result)) : result;
  }

  Json list_tools(const Json& params, bool modern) const {
    if (params.is_object() && params.contains("cursor") && !params["cursor"].is_null())
      throw RpcError{200, -32602, "there is only one page of tools", {}};
    Json result = {{"tools", tool_list()}};
    if (!modern) return result;
    result["ttlMs"] = 3'600'000;
    result["cacheScope"] = "public";
    return modern_result(std::move(result));
  }

  // `method` of a request with an id.
  Json legacy(const std::string& method, const Json& params, const Token& token) {
    if (method == "initialize") {
      std::string version(kLegacy.front());
      if (params.is_object() && params.contains("protocolVersion") && params["protocolVersion"].is_string())
        for (std::string_view each : kLegacy)
          if (params["protocolVersion"] == each) version = each;
      return {{"protocolVersion", version},
              {"capabilities", {{"tools", Json::object()}}},
              {"serverInfo", server_info()},
              {"instructions", kInstructions}};
    }
    if (method == "ping") return Json::object();
    if (method == "tools/list") return list_tools(params, false);
    if (method == "tools/call") return call(params, token, false);
    throw RpcError{200, -32601, "Method not found", {}};
  }

  Json modern(const std::string& method, const Json& params, const Token& token) {
    if (method == "server/discover")
      return modern_result({{"supportedVersions", supported()},
                            {"capabilities", {{"tools", Json::object()}}},
                            {"instructions", kInstructions},
                            {"ttlMs", 3'600'000},
                            {"cacheScope", "public"}});
    if (method == "tools/list") return list_tools(params, true);
    if (method == "tools/call") return call(params, token, true);
    throw RpcError{404, -32601, "Method not found", {}};
  }

  static bool is_modern(const Json& params) {
    return params.is_object() && params.contains("_meta") && params["_meta"].is_object() &&
           params["_meta"].contains(kVersionKey);
  }

  // Version and capabilities of a modern request.
  void check_meta(const Json& params) const {
    const Json meta = params.is_object() && params.contains("_meta") && params["_meta"].is_object() ? params["_meta"]
                                                                                                    : Json::object();
    if (meta.contains(kVersionKey) && meta[std::string(kVersionKey)].is_string()) {
      const std::string version = meta[std::string(kVersionKey)];
      if (version != kModern)
        throw RpcError{
            400, -32022, "Unsupported protocol version", {{"supported", supported()}, {"requested", version}}};
    }
    if (!meta.contains(kVersionKey) || !meta[std::string(kVersionKey)].is_string() ||
        !meta.contains(kCapabilitiesKey) || !meta[std::string(kCapabilitiesKey)].is_object())
      throw RpcError{400, -32602, "_meta wants protocolVersion and clientCapabilities", {}};
  }

  // False: over the rate. Ends with leave().
  bool enter(const Token& token, int* retry_after) {
    std::lock_guard lock(mutex);
    Rate& rate = rates[token.hash];
    const auto now = std::chrono::steady_clock::now();
    if (now - rate.minute >= std::chrono::minutes(1)) {
      rate.minute = now;
      rate.calls = 0;
    }
    if (now - rate.hour >= std::chrono::hours(1)) {
      rate.hour = now;
      rate.bytes = 0;
    }
    const auto left = [&now](auto since, int seconds) {
      return seconds - static_cast<int>(std::chrono::duration_cast<std::chrono::seconds>(now - since).count());
    };
    *retry_after = rate.running >= kAtOnce ? 1 : left(rate.minute, 60);
    if (rate.bytes >= kBytesPerHour) {
      *retry_after = left(rate.hour, 3600);
      return false;
    }
    if (rate.calls >= token.calls_per_minute || rate.running >= kAtOnce) return false;
    ++rate.calls;
    ++rate.running;
    return true;
  }
  void leave(const Token& token, size_t bytes) {
    std::lock_guard lock(mutex);
    Rate& rate = rates[token.hash];
    --rate.running;
    rate.bytes += bytes;
  }
};

Service::Service(const Archive& archive, Options options, Note note)
    : state_(std::make_unique<State>(archive, std::move(options), std::move(note))) {}
Service::~Service() = default;

http::Response Service::answer(const http::Request& request) {
  State& s = *state_;
  if (request.method != "POST") {
    http::Response out = http::problem(405, "method_not_allowed", "the endpoint takes POST");
    out.headers = {{"Allow", "POST"}};
    return out;
  }
  // Who.
  const std::string_view authorization = request.header("authorization");
  const bool sent = ascii_lower(authorization.substr(0, 7)) == "bearer ";
  auto tokens = read_tokens(s.archive.directory());
  if (!tokens) return http::problem(503, "internal", "the tokens cannot be read");
  std::optional<Token> found;
  if (sent) found = find_token(*tokens, trimmed(authorization.substr(7)));
  if (!found) {
    if (s.note) s.note({"", "refused", "", sent ? "wrong token" : "no token", 0});
    http::Response out = http::problem(401, "unauthorized", sent ? "the token is not known" : "a token is wanted");
    out.headers = {
        {"WWW-Authenticate", sent ? "Bearer realm=\"archd\", error=\"invalid_token\"" : "Bearer realm=\"archd\""}};
    return out;
  }
  const Token token = std::move(*found);
  // What.
  std::string type = ascii_lower(request.header("content-type"));
  type = trimmed(type.substr(0, type.find(';')));
  if (type != "application/json") return http::problem(415, "bad_request", "Content-Type has to be application/json");
  if (request.has_header("accept")) {
    const std::string accept = ascii_lower(request.header("accept"));
    if (accept.find("application/json") == std::string::npos && accept.find("*/*") == std::string::npos &&
        accept.find("application/*") == std::string::npos)
      return http::problem(406, "bad_request", "the answer is application/json");
  }
  if (request.body.size() > kBodyBytes) return http::problem(413, "too_large", "the body is over 1 MiB");
  bool good = false;
  const Json message = parse_bounded(request.body, &good);
  if (!good) return json_response(400, error_body(nullptr, {400, -32700, "Parse error", {}}));
  if (!message.is_object() || !message.contains("jsonrpc") || message["jsonrpc"] != "2.0" ||
      !message.contains("method") || !message["method"].is_string() ||
      (message.contains("id") && !is_id(message["id"])))
    return json_response(400, error_body(nullptr, {400, -32600, "Invalid Request", {}}));
  const Json id = message.contains("id") ? message["id"] : Json();
  const std::string method = message["method"];
  const Json params = message.contains("params") ? message["params"] : Json::object();

  const std::string version = trimmed(request.header("mcp-protocol-version"));
  const bool modern = State::is_modern(params) || version >= kModern;
  if (id.is_null()) {
    http::Response out;
    out.status = 202;
    return out;
  }
  if (method == "tools/call" && params.is_object() && params.contains("name") && params["name"].is_string()) {
    const std::string tool = params["name"];
    if (knows_tool(tool) && !token.may(scope_of(tool))) {
      const std::string scope(scope_of(tool));
      if (s.note) s.note({token.name, "refused", tool, "out_of_scope", 0});
      http::Response out = http::problem(403, "out_of_scope", "this token may not: " + scope,
                                         "ask the operator for a token with that scope");
      out.headers = {{"WWW-Authenticate", "Bearer error=\"insufficient_scope\", scope=\"" + scope + "\""}};
      return out;
    }
  }
  int retry_after = 0;
  const bool counted = method == "tools/call";
  if (counted && !s.enter(token, &retry_after)) {
    http::Response out = http::problem(429, "rate_limited", "too many calls of this token", "wait, then try again");
    out.headers = {{"Retry-After", std::to_string(std::max(1, retry_after))}};
    if (s.note) s.note({token.name, "refused", method, "rate_limited", 0});
    return out;
  }
  http::Response response;
  try {
    Json result;
    if (modern) {
      // The headers repeat the body; where they differ something between client and server changed one of them.
      const auto differs = [&](const char* header, const Json& wanted, bool needed) {
        if (!request.has_header(header)) return needed;
        return wanted.is_string() && decoded_header(request.header(header)) != wanted.get<std::string>();
      };
      const Json meta_version = State::is_modern(params) ? params["_meta"][std::string(kVersionKey)] : Json();
      const Json name = params.is_object() && params.contains("name") ? params["name"] : Json();
      if (differs("mcp-protocol-version", meta_version, true) || differs("mcp-method", method, true) ||
          (method == "tools/call" && differs("mcp-name", name, true)))
        throw RpcError{400, -32020, "The headers do not say what the body says", {}};
      s.check_meta(params);
      result = s.modern(method, params, token);
    } else {
      if (!version.empty() && std::find(kLegacy.begin(), kLegacy.end(), version) == kLegacy.end() &&
          version != "2025-03-26")
        throw RpcError{
            400, -32600, "Unsupported protocol version: " + version.substr(0, 40), {{"supported", s.supported()}}};
      result = s.legacy(method, params, token);
    }
    response = json_response(200, {{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(result)}});
  } catch (const RpcError& error) {
    response = json_response(error.http, error_body(id, error));
  }
  if (counted) s.leave(token, response.body.size());
  return response;
}

std::optional<std::string> Service::answer_line(const std::string& line) {
  State& s = *state_;
  Token everything;
  everything.name = "local";
  for (std::string_view scope : all_scopes()) everything.scopes.emplace_back(scope);
  bool good = false;
  const Json message = parse_bounded(line, &good);
  if (!good || line.size() > kBodyBytes) return dumped(error_body(nullptr, {400, -32700, "Parse error", {}}));
  if (message.is_object() && !message.contains("method") && (message.contains("result") || message.contains("error")))
    return std::nullopt;  // an answer to nothing
  if (!message.is_object() || !message.contains("method") || !message["method"].is_string() ||
      (message.contains("id") && !is_id(message["id"])))
    return dumped(error_body(nullptr, {400, -32600, "Invalid Request", {}}));
  if (!message.contains("id")) return std::nullopt;
  const Json params = message.contains("params") ? message["params"] : Json::object();
  try {
    Json result;
    if (State::is_modern(params) || message["method"] == "server/discover") {
      s.check_meta(params);
      result = s.modern(message["method"], params, everything);
    } else {
      result = s.legacy(message["method"], params, everything);
    }
    return dumped({{"jsonrpc", "2.0"}, {"id", message["id"]}, {"result", std::move(result)}});
  } catch (const RpcError& error) {
    return dumped(error_body(message["id"], error));
  }
}

}  // namespace arch::mcp
