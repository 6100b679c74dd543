// Service tokens: who may call the assistant's endpoint, and what of the archive is visible to them. ARCHIVE/state/tokens.json holds
// hashes only.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "query/search/search.h"

namespace arch::mcp {

struct Token {
  std::string name;
  std::string hash;                 ///< SHA-256 of the token, hex; its first 8 digits name it in logs
  std::string made;                 ///< RFC 3339
  std::vector<std::string> scopes;  ///< of "search", "read", "attachments", "status"
  search::Scope restriction;
  uint64_t calls_per_minute = 60;

  bool may(std::string_view scope) const;
  std::string key_id() const { return hash.substr(0, 8); }
};

/// All of them; without the file none. Errors: kCorrupt, kIo, kDenied.
Result<std::vector<Token>> read_tokens(const std::string& archive_directory);
/// Makes a token and keeps its hash: the result is the token itself, which is known nowhere afterwards. Errors: kExists, kInvalid
/// (name, a scope that is none).
Result<std::string> create_token(const std::string& archive_directory, Token token);
Result<void> revoke_token(const std::string& archive_directory, const std::string& name);  ///< kNotFound
/// The one whose hash it has; compared without telling by time how far it agrees.
std::optional<Token> find_token(const std::vector<Token>& tokens, std::string_view presented);

const std::vector<std::string_view>& all_scopes();

}  // namespace arch::mcp
