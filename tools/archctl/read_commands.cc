// archctl search, show, status, capacity, dump: what only reads.
#include <sysexits.h>

#include <cstdio>

#include "query/api/api.h"
#include "query/capacity/capacity.h"
#include "query/page/page.h"
#include "query/search/search.h"
#include "tools/archctl/access.h"
#include "tools/common/terminal.h"

namespace arch::ctl {
namespace {

api::TextStyle text_style(const Invocation& invocation) {
  tool::Terminal terminal = tool::Terminal::of(stdout);
  api::TextStyle style;
  style.colour = terminal.colour;
  style.columns = terminal.interactive ? terminal.columns : 0;
  style.timezone = invocation.config.timezone;
  return style;
}

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

/// A mistake in a query is wrong usage: nothing is wrong with any data.
int complain_of_search(const Error& error) {
  int status = complain(error);
  return error.code == Code::kInvalid || error.code == Code::kTooLarge ? EX_USAGE : status;
}

}  // namespace

int run_search(const Invocation& invocation) {
  auto limit = invocation.number("limit", 20, 0, 10'000);
  if (!limit) return complain(limit.error());
  auto offset = invocation.number("offset", 0, 0, UINT32_MAX);
  if (!offset) return complain(offset.error());
  const std::unique_ptr<Asked> asked = asked_by(invocation);
  search::Request& request = asked->request;
  request.limit = *limit;
  request.offset = *offset;
  const std::string sort = invocation.value("sort", invocation.has("oldest-first") ? "oldest" : "newest");
  if (sort != "newest" && sort != "oldest" && sort != "relevance")
    return usage_error("--sort takes newest, oldest or relevance", "search");
  request.order = sort == "oldest"      ? search::Order::kOldest
                  : sort == "relevance" ? search::Order::kRelevance
                                        : search::Order::kNewest;
  auto as_of = invocation.number("as-of", 0, 1, UINT64_MAX);
  if (!as_of) return complain(as_of.error());
  request.as_of = *as_of;

  auto archive = open_reader(invocation);
  if (!archive) return complain(archive.error());
  auto searcher = search::Searcher::open(**archive);
  if (!searcher) return complain(searcher.error());
  auto answer = (*searcher)->search(request);
  if (!answer) return complain_of_search(answer.error());
  print(invocation.has("json") ? api::search_json(*answer)
                               : api::search_text(*answer, request, text_style(invocation)));
  return answer->total == 0 ? 1 : 0;
}

int run_count(const Invocation& invocation) {
  auto limit = invocation.number("limit", 20, 1, 100'000);
  if (!limit) return complain(limit.error());
  const std::unique_ptr<Asked> asked = asked_by(invocation);
  auto archive = open_reader(invocation);
  if (!archive) return complain(archive.error());
  auto searcher = search::Searcher::open(**archive);
  if (!searcher) return complain(searcher.error());
  auto answer = (*searcher)->count(asked->request, invocation.value("by", "month"), *limit);
  if (!answer) return complain_of_search(answer.error());
  print(invocation.has("json")  ? api::count_json(*answer)
        : invocation.has("csv") ? api::count_csv(*answer)
                                : api::count_text(*answer, text_style(invocation)));
  return answer->total == 0 ? 1 : 0;
}

int run_thread(const Invocation& invocation) {
  auto archive = open_reader(invocation);
  if (!archive) return complain(archive.error());
  auto view = api::view_thread(**archive, invocation.arguments[0]);
  if (!view) return complain(view.error());
  print(invocation.has("json") ? api::thread_json(*view) : api::thread_text(*view, text_style(invocation)));
  return 0;
}

int run_show(const Invocation& invocation) {
  auto archive = open_reader(invocation);
  if (!archive) return complain(archive.error());
  const std::string& id = invocation.arguments[0];
  if (invocation.has("raw")) {
    auto bytes = api::raw_message(**archive, id);
    if (!bytes) return complain(bytes.error());
    print(*bytes);
    return 0;
  }
  auto view = api::view_message(**archive, id);
  if (!view) return complain(view.error());
  print(invocation.has("json") ? api::message_json(*view) : api::message_text(*view, text_style(invocation)));
  return 0;
}

int run_status(const Invocation& invocation) {
  auto archive = open_reader(invocation);
  if (!archive) return complain(archive.error());
  auto view = api::status(**archive, Clock::system().now());
  if (!view) return complain(view.error());
  print(invocation.has("json") ? api::status_json(*view) : api::status_text(*view, text_style(invocation)));
  return view->archive.alarms.empty() ? 0 : EX_DATAERR;
}

int run_capacity(const Invocation& invocation) {
  int forms = 0;
  for (const char* form : {"json", "csv", "html", "check"}) forms += invocation.has(form) ? 1 : 0;
  if (forms > 1) return usage_error("one of --json, --csv, --html and --check is wanted", "capacity");
  const std::string language = invocation.value("lang", "fr");
  if (language != "fr" && language != "en") return usage_error("--lang is fr or en", "capacity");
  const auto failed = [&](const Error& error) {
    if (!invocation.has("check")) return complain(error);
    print("CAPACITY UNKNOWN - " + error.what + "\n");
    return 3;
  };
  auto archive = open_reader(invocation);
  if (!archive) return failed(archive.error());
  auto report = capacity::report(**archive, invocation.config.cap_bytes, invocation.config.reserve_bytes,
                                 Clock::system().now());
  if (!report) return failed(report.error());
  if (invocation.has("check")) {
    print(api::capacity_check(*report));
    return capacity::monitoring_state(*report);
  }
  print(invocation.has("json")   ? api::capacity_json(*report)
        : invocation.has("csv")  ? api::capacity_csv(*report)
        : invocation.has("html") ? page::capacity_document(*report, language)
                                 : api::capacity_text(*report, text_style(invocation)));
  return 0;
}

int run_dump(const Invocation& invocation) {
  auto archive = open_reader(invocation);
  if (!archive) return complain(archive.error());
  auto result = (*archive)->dump([](const std::string& line) { print(line + "\n"); });
  return result ? 0 : complain(result.error());
}

}  // namespace arch::ctl
