// archctl saved: searches with a name.
#include <sysexits.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "query/api/api.h"
#include "query/saved/saved.h"
#include "tools/archctl/access.h"
#include "tools/common/text.h"

namespace arch::ctl {
namespace {

using Json = nlohmann::ordered_json;

int list(const Invocation& invocation) {
  auto all = saved::read(invocation.archive);
  if (!all) return complain(all.error());
  if (invocation.has("json")) {
    Json out = {{"schema", "saved-list/1"}, {"searches", Json::array()}};
    for (const saved::Search& each : *all)
      out["searches"].push_back(
          {{"name", each.name}, {"query", each.query}, {"mail", each.mail}, {"made", each.made}});
    std::printf("%s\n", out.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
    return 0;
  }
  for (const saved::Search& each : *all)
    std::printf("%s: %s%s\n", tool::printable(each.name).c_str(), tool::printable(each.query).c_str(),
                each.mail.empty() ? "" : ("  (new mail is told to " + tool::printable(each.mail) + ")").c_str());
  return 0;
}

}  // namespace

int run_saved(const Invocation& invocation) {
  const std::string& verb = invocation.arguments[0];
  const size_t count = invocation.arguments.size();
  if (verb == "list" && count == 1) return list(invocation);
  if (verb == "remove" && count == 2) {
    auto removed = saved::remove(invocation.archive, invocation.arguments[1]);
    return removed ? 0 : complain(removed.error());
  }
  if (verb == "add" && count >= 3) {
    auto archive = open_reader(invocation);
    if (!archive) return complain(archive.error());
    saved::Search search;
    search.name = invocation.arguments[1];
    for (size_t i = 2; i < count; ++i) search.query += (i == 2 ? "" : " ") + invocation.arguments[i];
    search.mail = invocation.value("mail");
    query::ParseContext context;
    context.now = Clock::system().now();
    context.timezone = invocation.config.timezone;
    auto added = saved::add(**archive, std::move(search), context);
    if (added) return 0;
    complain(added.error());
    return added.error().code == Code::kInvalid  ? EX_USAGE
           : added.error().code == Code::kExists ? EX_CANTCREAT
                                                 : exit_status(added.error());
  }
  if (verb == "run" && count == 2) {
    auto all = saved::read(invocation.archive);
    if (!all) return complain(all.error());
    for (const saved::Search& each : *all) {
      if (each.name != invocation.arguments[1]) continue;
      Invocation search = invocation;
      search.arguments = {each.query};
      return run_search(search);
    }
    return complain(std::move(fail(Code::kNotFound, "there is no saved search \"" + invocation.arguments[1] + "\"",
                                   "archctl saved list"))
                        .value());
  }
  return usage_error("list, add NAME QUERY, remove NAME or run NAME is wanted", "saved");
}

}  // namespace arch::ctl
