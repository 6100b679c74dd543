// The admin's page: from a request's path and parameters to HTML. Server-rendered, works without JavaScript, in French and
// English. Knows no socket: query/http carries it.
//
// What is asked for and shown is read only. Text of mail goes through the templates' escaping; HTML of mail is shown only in
// a sandboxed frame (preview()), cleaned before.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/archive.h"
#include "query/api/api.h"
#include "query/capacity/capacity.h"
#include "query/search/facets.h"
#include "query/search/search.h"

namespace arch::page {

struct Options {
  std::string timezone = "Europe/Paris";
  uint64_t cap_bytes = 100ull << 30;
  uint64_t reserve_bytes = 2ull << 30;
  const Aliases* aliases = nullptr;            ///< of mailboxes; may be null
  const search::FacetTable* facets = nullptr;  ///< may be null: then results have none
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

/// An export, as its page shows it.
struct ExportView {
  std::string id, query, format;
  uint64_t done = 0, total = 0;  ///< messages
  bool finished = false;
  std::string failure;  ///< of a finished one; empty: the file is there
  uint64_t file_bytes = 0;
};

class Pages {
 public:
  /// `archive` and what `options` points to outlive it.
  Pages(const Archive& archive, Options options);
  ~Pages();

  /// True when the path is one of ours: "/", "/message/…", "/thread/…", "/text/ID/PART", "/preview/…", "/source/…", "/capacity",
  /// "/status", "/static/…".
  static bool has(std::string_view path);
  /// Never fails: an error is a page too. Any thread, one Searcher a call.
  Response answer(const Request& request) const;
  /// The page of an export, at "/exports/ID": how far it is, then the file.
  Response show_export(const Request& request, const ExportView& view) const;
  /// A page that says what went wrong.
  Response show_problem(const Request& request, const Error& error) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The report as one HTML file that loads nothing; `language` is "fr" or "en". Any thread.
std::string capacity_document(const capacity::Report& report, std::string_view language);

}  // namespace arch::page
