#include "query/http/app.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "engine/base/ascii.h"
#include "query/api/api.h"
#include "query/http/exports.h"
#include "query/mcp/service.h"
#include "query/page/page.h"
#include "query/search/facets.h"

namespace arch::http {
namespace {

constexpr size_t kMostHits = 500;
constexpr uint64_t kFacetStep = 20'000;  // deliveries read into the facets by one request
constexpr std::string_view kPagePolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-src "
    "'self'; form-action "
    "'self'; base-uri 'none'; frame-ancestors 'none'";

bool has(const std::vector<std::string>& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

// "name:port", "[::1]:port": the name.
std::string host_of(std::string_view authority) {
  std::string host = ascii_lower(authority);
  if (!host.empty() && host.front() == '[') return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() > end.size() && text.substr(text.size() - end.size()) == end;
}

struct Identity {
  std::string who;
  bool verified = false;
};

int status_of(const Error& error) {
  switch (error.code) {
    case Code::kNotFound:
      return 404;
    case Code::kInvalid:
    case Code::kUsage:
    case Code::kTooLarge:
      return 400;
    case Code::kTryAgain:
      return 503;
    default:
      return 500;
  }
}

std::string_view code_of(const Error& error) {
  switch (error.code) {
    case Code::kNotFound:
      return "not_found";
    case Code::kInvalid:
    case Code::kTooLarge:
      return error.what.find("unknown operator") != std::string::npos ? "unknown_operator" : "bad_query";
    case Code::kUsage:
      return "bad_argument";
    case Code::kTryAgain:
      return "index_unavailable";
    default:
      return "internal";
  }
}

Response problem_of(const Error& error) { return problem(status_of(error), code_of(error), error.what, error.hint); }

Response json(std::string body) {
  Response out;
  out.content_type = "application/json";
  out.body = std::move(body);
  return out;
}

Response not_found() { return problem(404, "not_found", "there is nothing here"); }

/// "/api/v1/messages/ID/parts/1.2/text" after a prefix: the segments.
std::vector<std::string> segments(std::string_view path) {
  std::vector<std::string> out;
  while (!path.empty()) {
    path.remove_prefix(1);
    const size_t end = std::min(path.find('/'), path.size());
    out.emplace_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return out;
}

// RFC 9110 s14: one range of bytes; anything else is the whole.
void apply_range(const Request& request, Response* response) {
  const std::string_view range = request.header("range");
  const size_t size = response->body.size();
  response->headers.emplace_back("Accept-Ranges", "bytes");
  if (range.rfind("bytes=", 0) != 0 || range.find(',') != std::string_view::npos || size == 0) return;
  const std::string_view spec = range.substr(6);
  const size_t dash = spec.find('-');
  if (dash == std::string_view::npos || spec.size() > 40) return;
  auto number = [](std::string_view text) -> std::optional<uint64_t> {
    if (text.empty() || text.size() > 18 || text.find_first_not_of("0123456789") != std::string_view::npos)
      return std::nullopt;
    return std::stoull(std::string(text));
  };
  const auto from = number(spec.substr(0, dash)), to = number(spec.substr(dash + 1));
  uint64_t begin = 0, end = size;  // behind the last
  if (from) {
    begin = *from;
    if (to) end = std::min<uint64_t>(*to + 1, size);
  } else if (to) {
    begin = *to >= size ? 0 : size - *to;
  } else {
    return;
  }
  if (begin >= end) {
    *response = problem(416, "bad_argument", "the range lies behind the end");
    response->headers.emplace_back("Content-Range", "bytes */" + std::to_string(size));
    return;
  }
  response->status = 206;
  response->headers.emplace_back(
      "Content-Range", "bytes " + std::to_string(begin) + "-" + std::to_string(end - 1) + "/" + std::to_string(size));
  response->body = response->body.substr(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
}

}  // namespace

struct App::State {
  State(const Archive& given, AppOptions given_options, AccessLog& given_log, const Aliases* given_aliases)
      : archive(given),
        options(std::move(given_options)),
        log(given_log),
        aliases(given_aliases),
        facets(archive),
        pages(archive, {options.timezone, options.cap_bytes, options.reserve_bytes, aliases, &facets}),
        exports(archive),
        mcp(archive, mcp_options(), [this](const mcp::Call& call) {
          const Access access{call.who.empty() ? "" : "token:" + call.who,
                              !call.who.empty(),
                              "mcp",
                              call.tool,
                              call.object,
                              call.outcome};
          return bool(log.write(Clock::system().now(), access));
        }) {}

  const Archive& archive;
  const AppOptions options;
  AccessLog& log;
  const Aliases* aliases;
  search::FacetTable facets;
  page::Pages pages;
  Exports exports;
  mcp::Service mcp;
  std::atomic<uint64_t> requests{0}, refused{0}, searches{0};

  mcp::Options mcp_options() const {
    mcp::Options out;
    out.version = options.version;
    out.timezone = options.timezone;
    out.cap_bytes = options.cap_bytes;
    out.reserve_bytes = options.reserve_bytes;
    out.max_result_bytes = options.mcp_result_bytes;
    out.aliases = aliases;
    return out;
  }

  // ── who, and from where ──

  bool trusted(const Peer& peer) const {
    return peer.unix_socket && std::find(options.trusted_uids.begin(), options.trusted_uids.end(), peer.uid) !=
                                   options.trusted_uids.end();
  }

  /// The name by which the client asked: behind tailscale's Unix socket it stands in X-Forwarded-Host.
  std::string asked_host(const Request& request) const {
    if (trusted(request.peer) && request.has_header("x-forwarded-host"))
      return host_of(request.header("x-forwarded-host"));
    return host_of(request.header("host"));
  }
  bool host_allowed(const std::string& host) const {
    return host == "localhost" || host == "127.0.0.1" || host == "[::1]" || ends_with(host, ".ts.net") ||
           has(options.hosts, host);
  }
  bool origin_allowed(std::string_view origin, const std::string& host) const {
    if (has(options.origins, origin)) return true;
    const size_t scheme = origin.find("://");
    return scheme != std::string_view::npos && host_of(origin.substr(scheme + 3)) == host;
  }

  /// Nothing: refused, with a response.
  std::optional<Response> refusal(const Request& request, bool bearer) const {
    const std::string host = asked_host(request);
    if (!host_allowed(host)) return problem(403, "forbidden", "this is not a name of the archive", "see http.hosts");
    if (request.has_header("tailscale-funnel-request"))
      return problem(403, "forbidden", "the archive is not for the internet");
    // A page that sends no referrer sends the origin "null" with its forms; the browser itself says beside it whose they are.
    const bool own_form =
        request.header("origin") == "null" && request.header("sec-fetch-site") == "same-origin" && !bearer;
    if (request.has_header("origin") && !own_form && !origin_allowed(request.header("origin"), host))
      return problem(403, "forbidden", "another site may not ask", "see http.origins");
    if (!bearer && request.has_header("sec-fetch-site")) {
      const std::string_view site = request.header("sec-fetch-site");
      const bool navigation = request.header("sec-fetch-mode") == "navigate";
      if (site != "same-origin" && !(site == "none" && navigation && request.method != "POST"))
        return problem(403, "forbidden", "another site may not ask");
    } else if (!bearer && request.method == "POST" && !request.has_header("origin")) {
      return problem(403, "forbidden", "a form that does not say where it comes from is not taken");
    }
    return std::nullopt;
  }

  std::optional<Identity> identity(const Request& request) const {
    std::string login(request.header("tailscale-user-login"));
    const bool vouched = trusted(request.peer);
    if (!login.empty()) {
      if (!options.admins.empty() && !(vouched && has(options.admins, login))) return std::nullopt;
      return Identity{login, vouched};
    }
    // A Unix socket's trusted peer is tailscale, which names every person; whoever has no name there is none.
    if (request.peer.unix_socket && vouched && !options.admins.empty()) return std::nullopt;
    if (!options.admins.empty()) return std::nullopt;
    if (request.peer.unix_socket) return Identity{"uid:" + std::to_string(request.peer.uid), true};
    return Identity{"local", false};
  }

  search::Request search_request(const std::string& query) const {
    search::Request request;
    request.query = query;
    request.aliases = aliases;
    request.context.now = Clock::system().now();
    request.context.timezone = options.timezone;
    return request;
  }

  // ── the API ──

  Response search(const Request& request, Access* access) {
    access->action = "search";
    access->object = std::string(request.parameter("q"));
    search::Request wanted = search_request(access->object);
    const std::string_view limit = request.parameter("limit"), offset = request.parameter("offset"),
                           sort = request.parameter("sort"), as_of = request.parameter("as_of");
    auto number = [](std::string_view text, uint64_t most) -> std::optional<uint64_t> {
      if (text.size() > 18 || text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
      const uint64_t value = std::stoull(std::string(text));
      return value <= most ? std::optional<uint64_t>(value) : std::nullopt;
    };
    const auto bad = [](const char* what) { return problem(400, "bad_argument", what); };
    if (!limit.empty()) {
      const auto value = number(limit, kMostHits);
      if (!value) return bad("limit is a number up to 500");
      wanted.limit = *value;
    }
    if (!offset.empty()) {
      const auto value = number(offset, UINT32_MAX);
      if (!value) return bad("offset is a number");
      wanted.offset = *value;
    }
    if (!as_of.empty()) {
      const auto value = number(as_of, UINT64_MAX);
      if (!value) return bad("as_of is a number");
      wanted.as_of = *value;
    }
    if (sort == "oldest") {
      wanted.order = search::Order::kOldest;
    } else if (sort == "relevance") {
      wanted.order = search::Order::kRelevance;
    } else if (!sort.empty() && sort != "newest") {
      return bad("sort is newest, oldest or relevance");
    }
    auto searcher = search::Searcher::open(archive);
    if (!searcher) return problem_of(searcher.error());
    auto answer = (*searcher)->search(wanted);
    if (!answer) return problem_of(answer.error());
    ++searches;
    return json(api::search_json(*answer));
  }

  Response count(const Request& request, Access* access) {
    access->action = "count";
    access->object = std::string(request.parameter("q"));
    auto searcher = search::Searcher::open(archive);
    if (!searcher) return problem_of(searcher.error());
    auto answer = (*searcher)->count(search_request(access->object), std::string(request.parameter("by")), 200);
    return answer ? json(api::count_json(*answer)) : problem_of(answer.error());
  }

  Response raw(const Request& request, const std::string& id, Access* access) {
    access->action = "raw";
    auto view = archive_message(id);
    if (!view) return problem_of(view.error());
    access->object = view->digest.hex();
    auto bytes = archive.get(view->digest);
    if (!bytes) return problem_of(bytes.error());
    Response out;
    out.content_type = "application/octet-stream";
    out.body = std::move(*bytes);
    out.headers = {{"Content-Disposition", attachment_disposition(view->digest.hex().substr(0, 16) + ".eml")},
                   {"ETag", "\"" + view->digest.hex() + "\""},
                   {"Content-Security-Policy", "sandbox"}};
    apply_range(request, &out);
    return out;
  }

  Result<MessageInfo> archive_message(const std::string& id) const {
    ARCH_TRY(DigestPrefix prefix, DigestPrefix::parse(id));
    ARCH_TRY(Digest digest, archive.resolve(prefix));
    return archive.info(digest);
  }

  Response part(const Request& request, const std::string& id, const std::string& number, bool as_text,
                Access* access) {
    access->action = as_text ? "text" : "download";
    if (as_text) {
      auto text = api::part_text(archive, id, number);
      if (!text) return problem_of(text.error());
      access->object = text->message.hex() + " " + number;
      Response out;
      out.content_type = "text/plain; charset=utf-8";
      out.body = std::move(text->text);
      return out;
    }
    auto info = archive_message(id);
    if (!info) return problem_of(info.error());
    access->object = info->digest.hex() + " " + number;
    auto bytes = archive.get(info->digest);
    if (!bytes) return problem_of(bytes.error());
    const mime::Message parsed = mime::parse(*bytes);
    auto found = std::find_if(parsed.parts.begin(), parsed.parts.end(),
                              [&](const mime::Part& each) { return each.number == number && !each.container; });
    if (found == parsed.parts.end()) return not_found();
    Response out;
    // Never the mail's own type: a browser shows nothing of it. A PDF may keep its name of a type, as a download.
    out.content_type = found->media_type == "application/pdf" ? "application/pdf" : "application/octet-stream";
    out.body = mime::decode_content(*bytes, *found, 256ull << 20);
    out.headers = {
        {"Content-Disposition", attachment_disposition(found->filename.empty() ? "part-" + number : found->filename)},
        {"Content-Security-Policy", "sandbox"}};
    apply_range(request, &out);
    return out;
  }

  Response api(const Request& request, Access* access) {
    const std::vector<std::string> path = segments(std::string_view(request.path).substr(7));  // behind /api/v1
    if (path.empty()) return not_found();
    if (path[0] == "search" && path.size() == 1) return search(request, access);
    if (path[0] == "facets" && path.size() == 1) return count(request, access);
    if (path[0] == "status" && path.size() == 1) {
      auto view = api::status(archive, Clock::system().now());
      return view ? json(api::status_json(*view)) : problem_of(view.error());
    }
    if (path[0] == "capacity" && path.size() == 1) {
      auto report = capacity::report(archive, options.cap_bytes, options.reserve_bytes, Clock::system().now());
      return report ? json(api::capacity_json(*report)) : problem_of(report.error());
    }
    if (path[0] == "threads" && path.size() == 2) {
      access->action = "thread";
      access->object = path[1];
      auto view = api::view_thread(archive, path[1]);
      return view ? json(api::thread_json(*view)) : problem_of(view.error());
    }
    if (path[0] != "messages" || path.size() < 2) return not_found();
    if (path.size() == 2) {
      access->action = "view";
      access->object = path[1];
      auto view = api::view_message(archive, path[1]);
      if (!view) return problem_of(view.error());
      access->object = view->info.digest.hex();
      return json(api::message_json(*view));
    }
    if (path.size() == 3 && path[2] == "raw") return raw(request, path[1], access);
    if (path.size() == 4 && path[2] == "parts") return part(request, path[1], path[3], false, access);
    if (path.size() == 5 && path[2] == "parts" && path[4] == "text")
      return part(request, path[1], path[3], true, access);
    return not_found();
  }

  static page::Request page_request(const Request& request, const Identity& who) {
    page::Request wanted;
    wanted.path = request.path;
    wanted.query = request.query;
    wanted.accept_language = std::string(request.header("accept-language"));
    wanted.person = who.who == "local" ? std::string() : who.who;
    std::string_view cookies = request.header("cookie");
    for (size_t at = cookies.find("lang="); at != std::string_view::npos; at = cookies.find("lang=", at + 1)) {
      if (at != 0 && cookies[at - 1] != ' ' && cookies[at - 1] != ';') continue;
      wanted.language_cookie = std::string(cookies.substr(at + 5, cookies.find(';', at) - at - 5));
      break;
    }
    return wanted;
  }
  static Response page_response(page::Response answer) {
    Response out;
    out.status = answer.status;
    out.content_type = std::move(answer.content_type);
    out.body = std::move(answer.body);
    out.headers = std::move(answer.headers);
    return out;
  }

  // ── exports ──

  /// POST /export, from the page's form.
  Response start_export(const Request& request, const Identity& who, Access* access) {
    const page::Request wanted = page_request(request, who);
    const auto wrong = [&](const Error& error) { return page_response(pages.show_problem(wanted, error)); };
    std::vector<std::pair<std::string, std::string>> form;
    if (!parse_form(request.body, &form)) return problem(400, "bad_request", "the form is malformed");
    ExportWish wish;
    wish.who = who.who;
    bool selection = false;
    std::vector<std::string> ids;
    for (auto& [name, value] : form) {
      if (name == "q") wish.query = value;
      if (name == "format") wish.format = value;
      if (name == "reason") access->detail = value;
      if (name == "as_of" && value.size() <= 18 && !value.empty() &&
          value.find_first_not_of("0123456789") == std::string::npos)
        wish.as_of = std::stoull(value);
      if (name == "what") selection = value == "selection";
      if (name == "id") ids.push_back(value);
    }
    access->action = "export";
    access->object = wish.format + ": " + wish.query;
    if (selection) {
      access->object = wish.format + ": " + std::to_string(ids.size()) + " mails:";
      for (const std::string& id : ids) {
        access->object += " " + id.substr(0, 16);
        auto info = archive_message(id);
        if (!info) return wrong(info.error());
        wish.numbers.push_back(info->number);
      }
      if (wish.numbers.empty()) return wrong(std::move(fail(Code::kUsage, "no mail is selected")).value());
      std::sort(wish.numbers.begin(), wish.numbers.end());
    } else {
      auto searcher = search::Searcher::open(archive);
      if (!searcher) return wrong(searcher.error());
      search::Request all = search_request(wish.query);
      all.as_of = wish.as_of;
      all.order = search::Order::kOldest;
      auto numbers = (*searcher)->numbers(all, false);
      if (!numbers) return wrong(numbers.error());
      wish.numbers = std::move(*numbers);
      std::sort(wish.numbers.begin(), wish.numbers.end());  // that of arrival: the same question gives the same file
      wish.interpreted = (*searcher)->interpreted();
      wish.as_of = (*searcher)->as_of();
    }
    auto id = exports.start(std::move(wish));
    if (!id) return wrong(id.error());
    Response out;
    out.status = 303;
    out.headers = {{"Location", "/exports/" + *id}};
    return out;
  }

  /// GET /exports/ID, /exports/ID/file.
  Response show_export(const Request& request, const Identity& who, Access* access) {
    const std::vector<std::string> path = segments(request.path);
    auto view = path.size() >= 2 ? exports.view(path[1], who.who) : std::nullopt;
    if (!view || path.size() > 3 || (path.size() == 3 && path[2] != "file"))
      return page_response(
          pages.show_problem(page_request(request, who),
                             std::move(fail(Code::kNotFound, "this export is gone, or is somebody else's")).value()));
    if (path.size() == 2) return page_response(pages.show_export(page_request(request, who), *view));
    if (!view->finished || !view->failure.empty()) return not_found();
    access->action = "export-file";
    access->object = view->format + ": " + view->query;
    Response out;
    out.content_type = "application/octet-stream";
    out.file = exports.file(path[1]);
    out.headers = {{"Content-Disposition", attachment_disposition(exports.file_name(path[1]))},
                   {"Content-Security-Policy", "sandbox"}};
    return out;
  }

  Response from_page(const Request& request, const Identity& who, Access* access) {
    const page::Request wanted = page_request(request, who);
    // What came since is read now; after a start, a piece at a time by each who asks.
    if (request.path == "/") {
      if (auto known = facets.refresh(kFacetStep); !known)
        return page_response(pages.show_problem(wanted, known.error()));
    }
    page::Response answer = pages.answer(wanted);
    access->action = answer.action;
    access->object = answer.object;
    return page_response(std::move(answer));
  }

  Response health(bool ready) const {
    if (!ready) return json("{\"status\":\"ok\"}\n");
    auto status = archive.status();
    nlohmann::ordered_json body = {{"store", status ? "ok" : "failed"}, {"index", "ok"}};
    if (status) {
      auto searcher = search::Searcher::open(archive);
      auto index = searcher ? (*searcher)->completeness()
                            : Result<search::Completeness>(tl::unexpected<Error>(searcher.error()));
      body["index"] = !index ? "failed" : index->pending > 0 ? "lagging" : "ok";
    }
    Response out = json(body.dump() + "\n");
    if (!status) out.status = 503;
    return out;
  }

  static std::string label_value(const std::string& text) {
    std::string out;
    for (const char c : text) {
      if (c == '\\' || c == '"') out += '\\';
      out += c == '\n' ? ' ' : c;
    }
    return out;
  }

  Response metrics() const {
    std::string out;
    auto metric = [&](const std::string& name, const std::string& help, const std::string& value,
                      const std::string& labels = {}) {
      if (out.find("# HELP " + name + " ") == std::string::npos)
        out += "# HELP " + name + " " + help + "\n# TYPE " + name +
               (ends_with(name, "_total") ? " counter\n" : " gauge\n");
      out += name + labels + " " + value + "\n";
    };
    metric("archd_build_info", "Version of the running program.", "1", "{version=\"" + options.version + "\"}");
    auto report = capacity::report(archive, options.cap_bytes, options.reserve_bytes, Clock::system().now());
    if (report) {
      const ArchiveUsage* usage = &report->usage;
      metric("archd_messages_total", "Distinct messages in the archive.", std::to_string(usage->messages));
      metric("archd_deliveries_total", "Deliveries in the archive.", std::to_string(usage->deliveries));
      for (const auto& [kind, bytes] : {std::pair<const char*, uint64_t>{"segments", usage->segments},
                                        {"journal", usage->journal},
                                        {"catalog", usage->catalog},
                                        {"index", usage->index},
                                        {"other", usage->other}})
        metric("archd_store_bytes", "Bytes on disk.", std::to_string(bytes), std::string("{kind=\"") + kind + "\"}");
    }
    metric("archd_store_cap_bytes", "The cap.", std::to_string(options.cap_bytes));
    if (report) {
      metric("archd_store_free_bytes", "Free on the file systems, above their reserves.",
             std::to_string(report->free_bytes));
      const capacity::Forecast& forecast = report->forecast;
      if (forecast.known)
        metric("archd_store_growth_bytes_per_day", "What a day adds, over the next year.",
               std::to_string(static_cast<uint64_t>(forecast.bytes_a_day)));
      for (const auto& [which, day] :
           {std::pair("earliest", forecast.full().earliest), std::pair("likely", forecast.full().likely),
            std::pair("latest", forecast.full().latest)})
        if (day)
          metric("archd_store_full_timestamp_seconds", "When the cap is reached.", std::to_string(*day * 86'400),
                 std::string("{estimate=\"") + which + "\"}");
      for (const ArchiveUsage::Volume& volume : report->usage.volumes)
        metric("archd_volume_up", "1: the volume can be read.", volume.missing.empty() ? "1" : "0",
               "{volume=\"" + label_value(volume.path) + "\"}");
    }
    if (auto view = api::status(archive, Clock::system().now())) {
      metric("archd_index_pending_messages", "Deliveries stored and not searchable yet.",
             std::to_string(view->index.pending));
      metric("archd_index_complete_timestamp_seconds", "Everything captured before is searchable.",
             std::to_string(view->index.complete_to / kNsPerSecond));
      metric("archd_last_capture_timestamp_seconds", "The newest delivery.",
             std::to_string(view->archive.applied_to / kNsPerSecond));
      metric("archd_scrub_oldest_timestamp_seconds", "Every segment was verified since.",
             std::to_string(view->verified.oldest / kNsPerSecond));
      metric("archd_alerts", "Alerts that stand.", std::to_string(view->alerts.size()));
      if (view->reconcile.known && view->reconcile.error.empty())
        metric("archd_reconcile_missing", "Mails missing by Postfix's log.", std::to_string(view->reconcile.missing));
      metric("archd_join_total", "Copies of one mail that came two ways.", std::to_string(view->archive.joined_same),
             "{result=\"same\"}");
      metric("archd_join_total", "Copies of one mail that came two ways.",
             std::to_string(view->archive.joined_differing), "{result=\"differing\"}");
    }
    out +=
        "# HELP archd_http_requests_total Requests answered.\n# TYPE archd_http_requests_total "
        "counter\narchd_http_requests_total " +
        std::to_string(requests.load()) +
        "\n# HELP archd_http_refused_total Requests refused.\n# TYPE archd_http_refused_total counter\n"
        "archd_http_refused_total " +
        std::to_string(refused.load()) + "\n";
    Response response;
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    response.body = std::move(out);
    return response;
  }
};

App::App(const Archive& archive, AppOptions options, AccessLog& log, const Aliases* aliases)
    : state_(std::make_unique<State>(archive, std::move(options), log, aliases)) {}
App::~App() = default;

Response App::answer(const Request& request) {
  State& s = *state_;
  const auto begun = std::chrono::steady_clock::now();
  ++s.requests;
  Response response;
  const bool mcp = request.path == "/mcp";
  const bool get = request.method == "GET" || request.method == "HEAD";
  Access access;
  access.surface = "http";
  if (request.path == "/healthz" && get) {
    response = s.health(false);
  } else if (request.path == "/readyz" && get) {
    response = s.health(true);
  } else if (mcp && request.method != "POST") {
    response = problem(405, "method_not_allowed", "the endpoint takes POST");
    response.headers = {{"Allow", "POST"}};
  } else if (!get && !mcp && !(request.path == "/export" && request.method == "POST")) {
    response = problem(405, "method_not_allowed", "everything here is read only");
    response.headers = {{"Allow", "GET, HEAD"}};
  } else if (auto refused = s.refusal(request, mcp || request.has_header("authorization"))) {
    ++s.refused;
    response = std::move(*refused);
    if (mcp) {
      nlohmann::ordered_json body = {{"jsonrpc", "2.0"}, {"error", {{"code", -32600}, {"message", "Forbidden"}}}};
      response.content_type = "application/json";
      response.body = body.dump();
    }
  } else if (mcp) {
    response = s.options.mcp ? s.mcp.answer(request) : not_found();
  } else if (auto who = s.identity(request); !who) {
    ++s.refused;
    response = problem(403, "forbidden", "the archive does not know who asks",
                       "come through tailscale serve; see http.admins");
  } else {
    access.who = who->who;
    access.verified = who->verified;
    if (request.path == "/metrics") {
      response = s.metrics();
    } else if (request.path.rfind("/api/v1/", 0) == 0) {
      response = s.api(request, &access);
    } else if (request.path == "/export" && !get) {
      response = s.start_export(request, *who, &access);
    } else if (request.path.rfind("/exports/", 0) == 0) {
      response = s.show_export(request, *who, &access);
    } else if (page::Pages::has(request.path)) {
      response = s.from_page(request, *who, &access);
    } else {
      response = not_found();
    }
  }
  // What is shown is written down first; what cannot be written down is not shown.
  if (!access.action.empty() && response.status < 400) {
    if (access.detail.empty()) access.detail = std::string(request.parameter("reason"));
    if (auto written = s.log.write(Clock::system().now(), access); !written)
      response = problem(503, "internal", "the access log cannot be written, so nothing is shown");
  }

  auto standard = [&](const char* name, std::string_view value) {
    for (const auto& [each, present] : response.headers)
      if (ascii_lower(each) == ascii_lower(name)) return;
    response.headers.emplace_back(name, std::string(value));
  };
  standard("X-Content-Type-Options", "nosniff");
  standard("Referrer-Policy", "no-referrer");
  standard("Cross-Origin-Opener-Policy", "same-origin");
  standard("Cross-Origin-Resource-Policy", "same-origin");
  standard("Permissions-Policy", "camera=(), microphone=(), geolocation=()");
  standard("Content-Security-Policy", kPagePolicy);
  standard("Cache-Control", "private, no-store");
  // The server's own time for this answer, as browsers' tools and bench/page_load.py show it.
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begun;
  char timing[40];
  std::snprintf(timing, sizeof timing, "app;dur=%.2f", took.count());
  standard("Server-Timing", timing);
  if (request.header("x-forwarded-proto") == "https") standard("Strict-Transport-Security", "max-age=31536000");
  return response;
}

}  // namespace arch::http
