// The tools: arguments to an answer. Internal to query/mcp.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "query/mcp/service.h"

namespace arch::mcp {

using Json = nlohmann::ordered_json;

/// tools/list's "tools".
const Json& tool_list();
/// What to do with mail, for `instructions` and each description.
extern const std::string_view kInstructions;

struct ToolAnswer {
  bool error = false;
  std::string text;    ///< one text block; of an error "code: what to do"
  Json structured;     ///< none of an error
  Json error_details;  ///< code, message, suggestion
  std::string object;  ///< for the access log
};

struct Caller {
  Token token;      ///< scopes and restriction
  std::string key;  ///< signs cursors
};

/// `name` is one of tool_list(). Never fails: mistakes in arguments are tool errors.
ToolAnswer call_tool(const Archive& archive, const Options& options, const Caller& caller, const std::string& name,
                     const Json& arguments);
bool knows_tool(const std::string& name);
/// The scope that a tool of tool_list() wants.
std::string_view scope_of(const std::string& name);

}  // namespace arch::mcp
