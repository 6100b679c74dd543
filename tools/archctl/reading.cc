#include "tools/archctl/reading.h"

#include <sysexits.h>

#include <array>

namespace arch::ctl {

Result<const Archive*> OpenedHere::archive() {
  if (!archive_) {
    ARCH_TRY(archive_, Archive::open(Fs::real(), Clock::system(), invocation_.archive, Archive::Mode::kReader));
  }
  return archive_.get();
}

Result<search::Searcher*> OpenedHere::searcher() {
  if (!searcher_) {
    ARCH_TRY(const Archive* opened, archive());
    ARCH_TRY(searcher_, search::Searcher::open(*opened));
  }
  return searcher_.get();
}

Result<std::shared_ptr<const Aliases>> OpenedHere::aliases() {
  ARCH_TRY(Aliases loaded, Aliases::load(invocation_.config.mta_aliases));
  return std::make_shared<const Aliases>(std::move(loaded));
}

Asked asked_by(const Invocation& invocation) {
  Asked asked;
  search::Request& request = asked.request;
  for (const std::string& word : invocation.arguments) request.query += (request.query.empty() ? "" : " ") + word;
  request.widen = !invocation.has("no-widen");
  request.context.now = Clock::system().now();
  request.context.timezone = invocation.config.timezone;
  if (auto aliases = invocation.holdings->aliases()) {
    asked.aliases = std::move(*aliases);
    request.aliases = asked.aliases.get();
  } else {
    invocation.console->say("archctl: aliases of mailboxes are not known: " + describe(aliases.error()) + "\n");
  }
  return asked;
}

api::TextStyle text_style(const Invocation& invocation) {
  const tool::Terminal& terminal = invocation.console->out;
  api::TextStyle style;
  style.colour = terminal.colour;
  style.columns = terminal.interactive ? terminal.columns : 0;
  style.timezone = invocation.config.timezone;
  return style;
}

namespace {

/// A mistake in a query is wrong usage: nothing is wrong with any data.
int complain_of_search(Console& console, const Error& error) {
  int status = complain(console, error);
  return error.code == Code::kInvalid || error.code == Code::kTooLarge ? EX_USAGE : status;
}

}  // namespace

int run_search(const Invocation& invocation) {
  Console& console = *invocation.console;
  auto limit = invocation.number("limit", 20, 0, 10'000);
  if (!limit) return complain(console, limit.error());
  auto offset = invocation.number("offset", 0, 0, UINT32_MAX);
  if (!offset) return complain(console, offset.error());
  Asked asked = asked_by(invocation);
  search::Request& request = asked.request;
  request.limit = *limit;
  request.offset = *offset;
  const std::string sort = invocation.value("sort", invocation.has("oldest-first") ? "oldest" : "newest");
  if (sort != "newest" && sort != "oldest" && sort != "relevance")
    return usage_error(console, "--sort takes newest, oldest or relevance", "search");
  request.order = sort == "oldest"      ? search::Order::kOldest
                  : sort == "relevance" ? search::Order::kRelevance
                                        : search::Order::kNewest;
  auto as_of = invocation.number("as-of", 0, 1, UINT64_MAX);
  if (!as_of) return complain(console, as_of.error());
  request.as_of = *as_of;

  auto searcher = invocation.holdings->searcher();
  if (!searcher) return complain(console, searcher.error());
  auto answer = (*searcher)->search(request);
  if (!answer) return complain_of_search(console, answer.error());
  console.print(invocation.has("json") ? api::search_json(*answer)
                                       : api::search_text(*answer, request, text_style(invocation)));
  return answer->total == 0 ? 1 : 0;
}

int run_count(const Invocation& invocation) {
  Console& console = *invocation.console;
  auto limit = invocation.number("limit", 20, 1, 100'000);
  if (!limit) return complain(console, limit.error());
  Asked asked = asked_by(invocation);
  auto searcher = invocation.holdings->searcher();
  if (!searcher) return complain(console, searcher.error());
  auto answer = (*searcher)->count(asked.request, invocation.value("by", "month"), *limit);
  if (!answer) return complain_of_search(console, answer.error());
  console.print(invocation.has("json")  ? api::count_json(*answer)
                : invocation.has("csv") ? api::count_csv(*answer)
                                        : api::count_text(*answer, text_style(invocation)));
  return answer->total == 0 ? 1 : 0;
}

int run_thread(const Invocation& invocation) {
  Console& console = *invocation.console;
  auto archive = invocation.holdings->archive();
  if (!archive) return complain(console, archive.error());
  auto view = api::view_thread(**archive, invocation.arguments[0]);
  if (!view) return complain(console, view.error());
  console.print(invocation.has("json") ? api::thread_json(*view) : api::thread_text(*view, text_style(invocation)));
  return 0;
}

int run_show(const Invocation& invocation) {
  Console& console = *invocation.console;
  auto archive = invocation.holdings->archive();
  if (!archive) return complain(console, archive.error());
  const std::string& id = invocation.arguments[0];
  if (invocation.has("raw")) {
    auto bytes = api::raw_message(**archive, id);
    if (!bytes) return complain(console, bytes.error());
    console.print(*bytes);
    return 0;
  }
  auto view = api::view_message(**archive, id);
  if (!view) return complain(console, view.error());
  console.print(invocation.has("json") ? api::message_json(*view) : api::message_text(*view, text_style(invocation)));
  return 0;
}

int run_reading(const Invocation& invocation) {
  struct Row {
    std::string_view name;
    int (*run)(const Invocation&);
  };
  static constexpr std::array<Row, 4> kRows = {
      Row{"search", run_search}, {"count", run_count}, {"thread", run_thread}, {"show", run_show}};
  for (const Row& row : kRows)
    if (invocation.command->name == row.name) return row.run(invocation);
  ARCH_CHECK(false);
  return EX_SOFTWARE;
}

}  // namespace arch::ctl
