// archctl status, capacity, dump: what only reads, and is not asked of archd.
#include <sysexits.h>

#include <cstdio>

#include "query/capacity/capacity.h"
#include "query/page/page.h"
#include "tools/archctl/access.h"

namespace arch::ctl {
namespace {

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

}  // namespace

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
