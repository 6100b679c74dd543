// archctl token, access-log and mcp: who may ask the archive from outside, who asked, and the assistant's endpoint over stdio.
#include <sysexits.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "query/http/access_log.h"
#include "query/language/dates.h"
#include "query/language/timezone.h"
#include "query/mcp/service.h"
#include "query/mcp/tokens.h"
#include "tools/archctl/access.h"
#include "tools/common/text.h"

namespace arch::ctl {
namespace {

using Json = nlohmann::ordered_json;
constexpr size_t kMostLine = 1u << 20;  // of a request over stdio

std::vector<std::string> words_of(const std::string& list) {
  std::vector<std::string> out;
  size_t at = 0;
  while (at <= list.size()) {
    const size_t end = std::min(list.find_first_of(", ", at), list.size());
    if (end > at) out.push_back(list.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ",") + word;
  return out;
}

// Empty at either end of time.
std::string instant_text(UnixNs instant) {
  return instant == INT64_MIN || instant == INT64_MAX ? std::string() : format_rfc3339(instant);
}

int create(const Invocation& invocation) {
  // The archive has to be one: a token in a wrong folder would look as good as one that works.
  if (auto archive = open_reader(invocation); !archive) return complain(archive.error());
  mcp::Token token;
  token.name = invocation.arguments[1];
  token.scopes = words_of(invocation.value("scope"));
  token.restriction.domains = words_of(invocation.value("domains"));
  token.restriction.addresses = words_of(invocation.value("mailboxes"));
  auto rate = invocation.number("rate", token.calls_per_minute, 1, 100'000);
  if (!rate) return usage_error(rate.error().what, "token");
  token.calls_per_minute = *rate;
  auto zone = query::Timezone::load(invocation.config.timezone);
  if (!zone) return complain(zone.error());
  const UnixNs now = Clock::system().now();
  for (auto [option, instant] :
       {std::pair<const char*, UnixNs*>{"after", &token.restriction.after}, {"before", &token.restriction.before}}) {
    if (!invocation.has(option)) continue;
    auto day = query::parse_date(invocation.value(option), zone->day_of(now / kNsPerSecond));
    if (!day) return usage_error(std::string("--") + option + ": " + describe(day.error()), "token");
    *instant = zone->day_begin(day->from) * kNsPerSecond;
  }
  auto made = mcp::create_token(invocation.archive, std::move(token));
  if (!made) {
    complain(made.error());
    return made.error().code == Code::kInvalid  ? EX_USAGE
           : made.error().code == Code::kExists ? EX_CANTCREAT
                                                : exit_status(made.error());
  }
  if (invocation.has("json")) {
    std::printf("%s\n",
                Json({{"schema", "token/1"}, {"name", invocation.arguments[1]}, {"token", *made}}).dump().c_str());
  } else {
    std::printf("%s\n", made->c_str());
    if (::isatty(STDERR_FILENO) != 0)
      std::fprintf(stderr,
                   "This is the only time it is shown. The assistant sends it as: Authorization: Bearer TOKEN\n");
  }
  return 0;
}

int list(const Invocation& invocation) {
  auto tokens = mcp::read_tokens(invocation.archive);
  if (!tokens) return complain(tokens.error());
  if (invocation.has("json")) {
    Json out = {{"schema", "token-list/1"}, {"tokens", Json::array()}};
    for (const mcp::Token& each : *tokens)
      out["tokens"].push_back({{"name", each.name},
                               {"key", each.key_id()},
                               {"made", each.made},
                               {"scopes", each.scopes},
                               {"domains", each.restriction.domains},
                               {"mailboxes", each.restriction.addresses},
                               {"after", instant_text(each.restriction.after)},
                               {"before", instant_text(each.restriction.before)},
                               {"calls_per_minute", each.calls_per_minute}});
    std::printf("%s\n", out.dump().c_str());
    return 0;
  }
  for (const mcp::Token& each : *tokens) {
    std::string line =
        each.name + "  " + each.key_id() + "  made " + each.made.substr(0, 10) + "  may " + joined(each.scopes);
    if (!each.restriction.domains.empty()) line += "  domains " + joined(each.restriction.domains);
    if (!each.restriction.addresses.empty()) line += "  mailboxes " + joined(each.restriction.addresses);
    if (const std::string from = instant_text(each.restriction.after); !from.empty()) line += "  from " + from;
    if (const std::string before = instant_text(each.restriction.before); !before.empty())
      line += "  before " + before;
    line += "  " + std::to_string(each.calls_per_minute) + " calls a minute";
    std::printf("%s\n", tool::printable(line).c_str());
  }
  return 0;
}

}  // namespace

int run_token(const Invocation& invocation) {
  const std::string& verb = invocation.arguments[0];
  const size_t count = invocation.arguments.size();
  if (verb == "create" && count == 2) return create(invocation);
  if (verb == "list" && count == 1) return list(invocation);
  if (verb == "revoke" && count == 2) {
    auto revoked = mcp::revoke_token(invocation.archive, invocation.arguments[1]);
    return revoked ? 0 : complain(revoked.error());
  }
  return usage_error("create NAME, list or revoke NAME is wanted", "token");
}

int run_access_log(const Invocation& invocation) {
  uint64_t lines = 0, broken = 0;
  const bool json = invocation.has("json"), verify = invocation.has("verify");
  auto read = http::read_access_log(invocation.archive, [&](const std::string& line, bool sound) {
    ++lines;
    if (!sound) {
      ++broken;
      std::fprintf(stderr,
                   "archctl: line %llu does not follow from the line before it: something was changed, taken out or "
                   "torn by a power cut\n",
                   static_cast<unsigned long long>(lines));
    }
    if (json && !verify) std::printf("%s\n", line.c_str());
    if (json || verify) return true;
    const Json entry = Json::parse(line, nullptr, false);
    auto text = [&entry](const char* name) {
      return entry.is_object() && entry.contains(name) && entry[name].is_string() ? entry[name].get<std::string>()
                                                                                  : std::string("?");
    };
    const bool vouched = entry.is_object() && entry.value("verified", false);
    std::string out = text("time") + "  " + text("who") + (vouched ? "" : " (not verified)") + "  " +
                      text("surface") + " " + text("action") + "  " + text("object");
    if (!text("detail").empty()) out += "  [" + text("detail") + "]";
    std::printf("%s\n", tool::printable(out).c_str());
    return true;
  });
  if (!read && read.error().code == Code::kNotFound) {
    if (auto archive = open_reader(invocation); !archive) return complain(archive.error());
    if (!invocation.has("quiet")) std::fprintf(stderr, "archctl: nobody has looked yet\n");
    return 0;
  }
  if (!read) return complain(read.error());
  if (verify) {
    if (json)
      std::printf("%s\n",
                  Json({{"schema", "access-log-verify/1"}, {"lines", lines}, {"broken", broken}}).dump().c_str());
    else
      std::printf("%llu lines, %llu broken links\n", static_cast<unsigned long long>(lines),
                  static_cast<unsigned long long>(broken));
  }
  return broken == 0 ? 0 : 1;
}

int run_mcp(const Invocation& invocation) {
  auto archive = open_reader(invocation);
  if (!archive) return complain(archive.error());
  auto log = http::AccessLog::open(invocation.archive);
  if (!log) return complain(log.error());
  const Asked asked = asked_by(invocation);
  mcp::Options options;
  options.version = ARCH_VERSION;
  options.timezone = invocation.config.timezone;
  options.cap_bytes = invocation.config.cap_bytes;
  options.max_result_bytes = static_cast<size_t>(invocation.config.mcp_max_result_bytes);
  options.aliases = asked.aliases.get();
  const std::string who = "uid:" + std::to_string(::getuid());
  mcp::Service service(**archive, options, [&](const mcp::Call& call) {
    auto written = (*log)->write(Clock::system().now(), {who, true, "mcp", call.tool, call.object, call.outcome});
    if (!written) std::fprintf(stderr, "archctl: %s\n", describe(written.error()).c_str());
    return bool(written);
  });
  std::string line;
  bool too_long = false;
  for (int c; (c = std::getchar()) != EOF;) {
    if (c != '\n') {
      // What is too long is refused as a whole, without being kept.
      if (line.size() > kMostLine) too_long = true;
      if (!too_long) line += static_cast<char>(c);
      continue;
    }
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) {
      if (auto refreshed = (*archive)->refresh(); !refreshed)
        std::fprintf(stderr, "archctl: %s\n", describe(refreshed.error()).c_str());
      if (auto answer = service.answer_line(line)) {
        std::printf("%s\n", answer->c_str());
        if (std::fflush(stdout) != 0) return EX_IOERR;
      }
    }
    line.clear();
    too_long = false;
  }
  return 0;
}

}  // namespace arch::ctl
