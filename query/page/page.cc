#include "query/page/page.h"

#include <array>
#include <cstdio>
#include <map>

#include "engine/base/bytes.h"
#include "query/page/clean_html.h"
#include "query/page/context.h"
#include "query/page/format.h"

namespace arch::page {

namespace {

constexpr std::array<std::string_view, 2> kStatic = {"style.css", "script.js"};

bool starts_with(std::string_view text, std::string_view start) { return text.substr(0, start.size()) == start; }

Response static_file(std::string_view name) {
  for (std::string_view each : kStatic) {
    if (name != versioned_name(each)) continue;
    Response response;
    response.content_type = each == "style.css" ? "text/css; charset=utf-8" : "text/javascript; charset=utf-8";
    response.body = resource(each);
    response.headers.emplace_back("Cache-Control", "public, max-age=31536000, immutable");
    return response;
  }
  Response response;
  response.status = 404;
  response.content_type = "text/plain; charset=utf-8";
  response.body = "no such file\n";
  return response;
}

}  // namespace

struct Pages::State {
  State(const Archive& with_archive, Options with_options) : archive(with_archive), options(std::move(with_options)) {
    if (auto loaded = query::Timezone::load(options.timezone)) zone = std::move(*loaded);  // else UTC
  }
  const Archive& archive;
  const Options options;
  query::Timezone zone;

  static std::string asked_language(const Request& request) {
    std::string asked;
    for (const auto& [name, value] : request.query)
      if (name == "lang") asked = value;
    return asked;
  }
  Context context(const Request& request) const {
    return {archive, options,
            request, choose(asked_language(request), request.language_cookie, request.accept_language),
            zone,    Clock::system().now()};
  }
};

Pages::Pages(const Archive& archive, Options options)
    : state_(std::make_unique<State>(archive, std::move(options))) {}
Pages::~Pages() = default;

bool Pages::has(std::string_view path) {
  if (path == "/" || path == "/capacity" || path == "/status") return true;
  for (std::string_view start : {"/message/", "/preview/", "/source/", "/static/", "/text/", "/thread/"})
    if (starts_with(path, start)) return true;
  return false;
}

Response Pages::answer(const Request& request) const {
  const Context context = state_->context(request);
  const auto behind = [&](std::string_view start) { return request.path.substr(start.size()); };
  if (starts_with(request.path, "/static/")) return static_file(behind("/static/"));
  // A catalog that another process fills is looked at anew for each page.
  auto refreshed = state_->archive.refresh();
  Response response;
  if (!refreshed) {
    response = problem_page(context, refreshed.error());
  } else if (request.path == "/") {
    response = search_page(context);
  } else if (request.path == "/capacity") {
    response = capacity_page(context);
  } else if (request.path == "/status") {
    response = status_page(context);
  } else if (starts_with(request.path, "/message/")) {
    response = message_page(context, behind("/message/"));
  } else if (starts_with(request.path, "/source/")) {
    response = source_page(context, behind("/source/"));
  } else if (starts_with(request.path, "/thread/")) {
    response = thread_page(context, behind("/thread/"));
  } else if (starts_with(request.path, "/text/")) {
    response = text_page(context, behind("/text/"));
  } else if (starts_with(request.path, "/preview/")) {
    response = preview(context, behind("/preview/"));
  } else {
    response = problem_page(context, std::move(fail(Code::kNotFound, request.path)).value());
  }
  if (const std::string asked = State::asked_language(request); asked == "fr" || asked == "en")
    response.headers.emplace_back("Set-Cookie",
                                  "lang=" + asked + "; Path=/; Max-Age=31536000; SameSite=Strict; HttpOnly");
  return response;
}

Response Pages::show_export(const Request& request, const ExportView& view) const {
  return export_page(state_->context(request), view);
}

Response Pages::show_problem(const Request& request, const Error& error) const {
  return problem_page(state_->context(request), error);
}

// ── shared by the pages ──

const std::string& versioned_name(std::string_view name) {
  static const auto make = [](std::string_view file) {
    char hash[17];
    std::snprintf(hash, sizeof hash, "%016llx",
                  static_cast<unsigned long long>(checksum64(as_bytes(std::string(resource(file))))));
    const size_t dot = file.rfind('.');
    return std::string(file.substr(0, dot)) + "-" + std::string(hash, 8) + std::string(file.substr(dot));
  };
  static const std::map<std::string, std::string, std::less<>> names = {{"style.css", make("style.css")},
                                                                        {"script.js", make("script.js")}};
  return names.find(name)->second;
}

std::string render(std::string_view template_name, const Data& data) {
  kainjow::mustache::mustache parsed{std::string(resource(template_name))};
  ARCH_CHECK(parsed.is_valid());
  parsed.set_custom_escape([](const std::string& text) { return escape_html(text); });
  return parsed.render(data);
}

std::string Context::parameter(std::string_view name) const {
  for (const auto& [key, value] : request.query)
    if (key == name) return value;
  return {};
}

Data Context::words() const {
  Data words{Data::type::object};
  for (const auto& [name, value] : all(strings)) words.set(std::string(name), std::string(value));
  return words;
}

std::string url(std::string_view path, const Parameters& parameters) {
  constexpr char kHex[] = "0123456789ABCDEF";
  const auto encoded = [&](std::string_view text) {
    std::string out;
    for (char c : text) {
      const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                         c == '.' || c == '_' || c == '~';
      if (plain) {
        out += c;
      } else {
        const auto byte = static_cast<unsigned char>(c);
        out += '%';
        out += kHex[byte >> 4];
        out += kHex[byte & 15];
      }
    }
    return out;
  };
  std::string out(path);
  char sign = '?';
  for (const auto& [name, value] : parameters) {
    if (value.empty()) continue;
    out += sign + encoded(name) + "=" + encoded(value);
    sign = '&';
  }
  return out;
}

Response page_around(const Context& context, const std::string& content, const std::string& title,
                     std::string_view body_class, std::string_view current) {
  Data data{Data::type::object};
  data.set("t", context.words());
  data.set("title",
           title.empty() ? std::string(context.strings.title) : title + " – " + std::string(context.strings.title));
  data.set("style_name", versioned_name("style.css"));
  data.set("script_name", versioned_name("script.js"));
  data.set("page_class", std::string(body_class));
  data.set("q", context.parameter("q"));
  const std::string sort = context.parameter("sort");
  if (sort == "oldest" || sort == "relevance") data.set("sort", sort);
  data.set("focus", current == "search");
  data.set("on_capacity", current == "capacity");
  data.set("on_status", current == "status");
  Parameters here;
  for (const auto& [name, value] : context.request.query)
    if (name != "lang") here.emplace_back(name, value);
  here.emplace_back("lang", context.strings.other_lang_code);
  data.set("other_lang_url", url(context.request.path, here));
  Data alarms{Data::type::list};
  if (auto status = context.archive.status())
    for (const std::string& alarm : status->alarms) alarms.push_back(alarm);
  // What archd tells the operator by mail stands here too.
  if (auto standing = read_alerts(Fs::real(), context.archive.directory()))
    for (const Alert& alert : *standing)
      alarms.push_back(context.strings.lang == "fr" ? alert.text.subject_fr : alert.text.subject_en);
  data.set("alarms", alarms);
  if (!context.request.person.empty()) data.set("person", context.request.person);
  data.set("content", content);
  Response response;
  response.body = render("layout.mustache", data);
  response.headers.emplace_back("Cache-Control", "private, no-store");
  return response;
}

Response problem_page(const Context& context, const Error& error) {
  Data data{Data::type::object};
  data.set("t", context.words());
  const bool missing = error.code == Code::kNotFound || error.code == Code::kInvalid;
  data.set("heading", std::string(missing ? context.strings.not_found : context.strings.error));
  data.set("what", missing ? std::string(context.strings.not_found_advice) : error.what);
  if (missing) {
    data.set("hint", error.what);
  } else if (!error.hint.empty()) {
    data.set("hint", error.hint);
  }
  Response response = page_around(context, render("problem.mustache", data), {}, "single", {});
  response.status = missing ? 404 : error.code == Code::kTryAgain ? 503 : 500;
  return response;
}

}  // namespace arch::page
