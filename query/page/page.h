// The admin's page: from a request's path and parameters to HTML. Server-rendered, works without JavaScript, in French and
// English. Knows no socket: query/http carries it.
//
// What is asked for and shown is read only. Text of mail goes through the templates' escaping; HTML of mail is shown only in
// a sandboxed frame (preview()), cleaned before.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/archive.h"
#include "query/api/api.h"
#include "query/search/search.h"

namespace arch::page {

struct Options {
  std::string timezone = "Europe/Paris";
  uint64_t cap_bytes = 100ull << 30;
};

/// Percent-decoded, in order.
using Parameters = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string path;  ///< percent-decoded, without the query
  Parameters query;
  std::string language_cookie;
  std::string accept_language;
  std::string person;  ///< who is looking, for the foot of the page; empty: not said
};

struct Response {
  int status = 200;
  std::string content_type = "text/html; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  ///< further ones
  /// What was seen of the archive, for the access log: "search", "view", "source", "preview" … and its object.
  std::string action, object;
};

/// Values of a facet of a result; how they are counted is the caller's.
struct Facet {
  std::string name;   ///< shown
  bool bars = false;  ///< months: a small bar chart, in order
  struct Entry {
    std::string label;
    uint64_t count = 0;
    std::string narrowed;  ///< the query that shows only these
  };
  std::vector<Entry> entries;
};
using Facets = std::function<Result<std::vector<Facet>>(const std::string& query, std::string_view language)>;

class Pages {
 public:
  /// `archive` outlives it. `facets` may be empty: none are shown.
  Pages(const Archive& archive, Options options, Facets facets);
  ~Pages();

  /// True when the path is one of ours: "/", "/message/…", "/thread/…", "/preview/…", "/capacity", "/status", "/static/…".
  static bool has(std::string_view path);
  /// Never fails: an error is a page too. Any thread, one Searcher a call.
  Response answer(const Request& request) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace arch::page
