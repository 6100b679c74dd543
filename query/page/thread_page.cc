// An exchange: the mails that answer each other, one below the other, each opens to its text.
#include <algorithm>
#include <set>

#include "engine/base/ascii.h"
#include "engine/mime/subject.h"
#include "query/page/context.h"
#include "query/page/format.h"

namespace arch::page {

namespace {

constexpr size_t kShown = 200;
constexpr size_t kBodyBytes = 64u << 10;  // of one mail; its own page has the rest
constexpr size_t kGistBytes = 140;
constexpr size_t kDeepest = 8;  // of the indentation

// The beginning of what was newly written, on one line.
std::string gist(std::string_view body) {
  std::string out;
  while (!body.empty() && out.size() < kGistBytes) {
    const size_t end = std::min(body.find('\n'), body.size());
    std::string_view line = body.substr(0, end);
    body.remove_prefix(std::min(end + 1, body.size()));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (line.empty() || line.front() == '>') continue;
    out += (out.empty() ? "" : " ") + std::string(line);
  }
  if (out.size() <= kGistBytes) return out;
  size_t cut = kGistBytes;
  while (cut > 0 && (static_cast<unsigned char>(out[cut]) & 0xc0) == 0x80) --cut;
  return out.substr(0, cut) + "…";
}

}  // namespace

Response thread_page(const Context& context, const std::string& id) {
  auto thread = api::view_thread(context.archive, id);
  if (!thread) return problem_page(context, thread.error());
  const Strings& strings = context.strings;
  Data data{Data::type::object};
  data.set("t", context.words());
  const std::string subject = thread->entries.empty() ? std::string() : thread->entries.front().info.subject;
  const std::string base = mime::base_subject(subject).text;
  data.set("subject", subject.empty() ? std::string(strings.no_subject) : subject);
  data.set("total", mails_text(thread->total, strings));
  if (thread->missing > 0) data.set("missing", number_text(thread->missing, strings));
  data.set("cut", thread->total > std::min(thread->entries.size(), kShown));
  std::string wanted = ascii_lower(id);
  if (wanted.rfind("arch:", 0) == 0) wanted = wanted.substr(5);
  std::set<std::string> names;
  std::string people;
  Data entries{Data::type::list};
  for (size_t i = 0; i < thread->entries.size() && i < kShown; ++i) {
    const api::ThreadEntry& entry = thread->entries[i];
    const std::string hex = entry.info.digest.hex();
    Data one{Data::type::object};
    const std::string who = people_text(entry.info.from);
    if (!who.empty() && names.insert(who).second && people.size() < 200) people += (people.empty() ? "" : ", ") + who;
    one.set("who", who.empty() ? std::string(strings.no_sender) : who);
    one.set("iso", format_rfc3339(entry.info.date));
    one.set("date", exact_text(entry.info.date, context.zone, strings));
    one.set("depth", std::to_string(std::min(entry.depth, kDeepest)));
    one.set("url", "/message/" + hex.substr(0, 16));
    const bool here = hex.rfind(wanted, 0) == 0;
    one.set("here", here);
    one.set("open", here || thread->entries.size() == 1 || i + 1 == thread->entries.size());
    if (mime::base_subject(entry.info.subject).text != base) one.set("changed", entry.info.subject);
    if (entry.info.attachment_count > 0) one.set("clip", std::to_string(entry.info.attachment_count));
    auto view = api::view_message(context.archive, hex);
    if (view) {
      one.set("gist", gist(view->body));
      std::string_view body = view->body;
      if (body.size() > kBodyBytes) {
        size_t cut = kBodyBytes;
        while (cut > 0 && (static_cast<unsigned char>(body[cut]) & 0xc0) == 0x80) --cut;
        body = body.substr(0, cut);
      }
      if (!body.empty()) one.set("body", body_html(body));
    }
    entries.push_back(one);
  }
  data.set("entries", entries);
  if (!people.empty()) data.set("people", people);
  Response response = page_around(context, render("thread.mustache", data), subject, "single", {});
  response.action = "thread";
  response.object = id;
  return response;
}

Response export_page(const Context& context, const ExportView& view) {
  const Strings& strings = context.strings;
  Data data{Data::type::object};
  data.set("t", context.words());
  const bool ready = view.finished && view.failure.empty();
  data.set("heading", std::string(!view.finished ? strings.export_running
                                  : ready        ? strings.export_done
                                                 : strings.export_failed));
  data.set("query", view.query);
  data.set("running", !view.finished);
  data.set("ready", ready);
  if (!view.failure.empty()) data.set("failure", view.failure);
  data.set("done", std::to_string(view.done));
  data.set("total", std::to_string(std::max<uint64_t>(view.total, 1)));
  data.set("done_text", number_text(view.done, strings));
  data.set("total_text", mails_text(view.total, strings));
  data.set("size", size_text(view.file_bytes, strings));
  data.set("file_url", "/exports/" + view.id + "/file");
  data.set("back_url", url("/", {{"q", view.query}}));
  Response response =
      page_around(context, render("export.mustache", data), std::string(strings.export_all), "single", {});
  if (!view.finished) response.headers.emplace_back("Refresh", "1");
  return response;
}

}  // namespace arch::page
