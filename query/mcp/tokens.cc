#include "query/mcp/tokens.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace arch::mcp {
namespace {

using Json = nlohmann::ordered_json;
constexpr uint64_t kFileLimit = 4u << 20;
constexpr std::string_view kPrefix = "arch_";

std::string path_of(const std::string& archive) { return archive + "/state/tokens.json"; }

std::string hash_of(std::string_view token) { return Sha256::of(as_bytes(token)).hex(); }

// 32 bytes as 43 characters (RFC 4648 s5, without padding).
std::string base64url(const std::array<unsigned char, 32>& bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (unsigned char byte : bytes) {
    bits = bits << 8 | byte;
    for (count += 8; count >= 6; count -= 6) out += kDigits[bits >> (count - 6) & 63];
  }
  return out + kDigits[bits << (6 - count) & 63];
}

Result<void> write(const std::string& archive, const std::vector<Token>& tokens) {
  Json out = {{"schema", "tokens/1"}, {"tokens", Json::array()}};
  for (const Token& each : tokens)
    out["tokens"].push_back({{"name", each.name},
                             {"hash", each.hash},
                             {"made", each.made},
                             {"scopes", each.scopes},
                             {"addresses", each.restriction.addresses},
                             {"domains", each.restriction.domains},
                             {"after", each.restriction.after},
                             {"before", each.restriction.before},
                             {"calls_per_minute", each.calls_per_minute}});
  return replace_file(path_of(archive), out.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace

const std::vector<std::string_view>& all_scopes() {
  static const std::vector<std::string_view> all = {"search", "read", "attachments", "status"};
  return all;
}

bool Token::may(std::string_view scope) const {
  return std::find(scopes.begin(), scopes.end(), scope) != scopes.end();
}

Result<std::vector<Token>> read_tokens(const std::string& archive_directory) {
  std::vector<Token> out;
  auto text = read_file(Fs::real(), path_of(archive_directory), kFileLimit);
  if (!text) {
    if (text.error().code == Code::kNotFound) return out;
    return tl::unexpected<Error>(std::move(text).error());
  }
  try {
    const Json parsed = Json::parse(*text);
    for (const Json& each : parsed.at("tokens")) {
      Token token;
      token.name = each.at("name");
      token.hash = each.at("hash");
      token.made = each.at("made");
      token.scopes = each.at("scopes").get<std::vector<std::string>>();
      token.restriction.addresses = each.at("addresses").get<std::vector<std::string>>();
      token.restriction.domains = each.at("domains").get<std::vector<std::string>>();
      token.restriction.after = each.at("after");
      token.restriction.before = each.at("before");
      token.calls_per_minute = each.at("calls_per_minute");
      out.push_back(std::move(token));
    }
    return out;
  } catch (const Json::exception& error) {
    return fail(Code::kCorrupt, path_of(archive_directory) + ": " + error.what(),
                "remove it and create the tokens again");
  }
}

Result<std::string> create_token(const std::string& archive_directory, Token token) {
  const bool good_name = !token.name.empty() && token.name.size() <= 64 &&
                         std::all_of(token.name.begin(), token.name.end(), [](unsigned char c) {
                           return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
                         });
  if (!good_name)
    return fail(Code::kInvalid, "\"" + token.name + "\" is no name for a token",
                "letters, digits, - _ . ; at most 64");
  if (token.scopes.empty())
    for (std::string_view scope : all_scopes()) token.scopes.emplace_back(scope);
  for (const std::string& scope : token.scopes)
    if (std::find(all_scopes().begin(), all_scopes().end(), scope) == all_scopes().end())
      return fail(Code::kInvalid, "there is no scope \"" + scope + "\"", "search, read, attachments, status");
  ARCH_TRY(std::vector<Token> all, read_tokens(archive_directory));
  for (const Token& each : all)
    if (each.name == token.name)
      return fail(Code::kExists, "there is a token \"" + token.name + "\"", "revoke it, or take another name");
  std::array<unsigned char, 32> random{};
  if (RAND_bytes(random.data(), random.size()) != 1) return fail(Code::kIo, "no random numbers from the system");
  std::string secret = std::string(kPrefix) + base64url(random);
  token.hash = hash_of(secret);
  token.made = format_rfc3339(Clock::system().now());
  all.push_back(std::move(token));
  ARCH_TRY_VOID(write(archive_directory, all));
  return secret;
}

Result<void> revoke_token(const std::string& archive_directory, const std::string& name) {
  ARCH_TRY(std::vector<Token> all, read_tokens(archive_directory));
  if (std::erase_if(all, [&](const Token& each) { return each.name == name; }) == 0)
    return fail(Code::kNotFound, "there is no token \"" + name + "\"", "archctl token list");
  return write(archive_directory, all);
}

std::optional<Token> find_token(const std::vector<Token>& tokens, std::string_view presented) {
  const std::string hash = hash_of(presented);
  std::optional<Token> found;
  for (const Token& each : tokens)  // all of them, whichever it is
    if (each.hash.size() == hash.size() && CRYPTO_memcmp(each.hash.data(), hash.data(), hash.size()) == 0)
      found = each;
  return found;
}

}  // namespace arch::mcp
