// The search page: what was asked, as it was understood, and one page of answers; beside it the mail that is open.
#include <algorithm>

#include "engine/base/ascii.h"
#include "query/language/dates.h"
#include "query/language/query.h"
#include "query/page/clean_html.h"
#include "query/page/context.h"
#include "query/page/format.h"
#include "query/saved/saved.h"

namespace arch::page {

namespace {

constexpr size_t kPageHits = 50;
constexpr uint64_t kMostHits = 100'000;  // that paging reaches; export has no such bound

std::string trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1));
}

// As one operator of the query language; quotes where the value has blanks or signs of its own.
std::string term(std::string_view field, const std::string& value) {
  const std::string text = trimmed(value);
  if (text.empty()) return {};
  const bool quote = text.find_first_of(" \t()\"") != std::string::npos;
  std::string out(field);
  if (!quote) return out + text;
  out += '"';
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

// The form beside the search field says the same in the query language.
std::string query_of_form(const Context& context) {
  std::string out = trimmed(context.parameter("f_words"));
  const auto add = [&](const std::string& part) {
    if (!part.empty()) out += (out.empty() ? "" : " ") + part;
  };
  add(term("from:", context.parameter("f_from")));
  add(term("rcpt:", context.parameter("f_to")));
  add(term("subject:", context.parameter("f_subject")));
  add(term("after:", context.parameter("f_after")));
  add(term("before:", context.parameter("f_before")));
  add(term("in:", context.parameter("f_way")));
  if (!context.parameter("f_att").empty()) add("has:attachment");
  return out;
}

bool form_was_sent(const Context& context) {
  return std::any_of(context.request.query.begin(), context.request.query.end(),
                     [](const auto& each) { return each.first.compare(0, 2, "f_") == 0; });
}

// Byte offset of the character with this 1-based number.
size_t offset_of(std::string_view text, uint32_t column) {
  uint32_t at = 1;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) == 0x80) continue;
    if (at == column) return i;
    ++at;
  }
  return text.size();
}

// The start of the token that `at` lies in: an operator's value names its own place, not that of "from:" before it.
size_t token_begin(std::string_view text, size_t at) {
  const auto blank = [&](size_t i) { return text[i] == ' ' || text[i] == '\t'; };
  while (true) {
    while (at > 0 && !blank(at - 1)) --at;
    size_t before = at;
    while (before > 0 && blank(before - 1)) --before;
    if (before == 0 || text[before - 1] != ':') return at;
    at = before;  // "from: paul"
  }
}

// What stands side by side in a query, each with the query without it. A piece whose absence does not parse has no way out.
struct Chip {
  std::string text, without;
};
std::vector<Chip> chips_of(const std::string& text, const query::ParseContext& parse_context) {
  auto parsed = query::parse(text, parse_context);
  if (!parsed || parsed->root.kind == query::Node::Kind::kAll) return {};
  std::vector<size_t> begins;
  if (parsed->root.kind == query::Node::Kind::kAnd)
    for (const query::Node& child : parsed->root.children)
      begins.push_back(token_begin(text, offset_of(text, child.column)));
  const bool rising = std::is_sorted(begins.begin(), begins.end()) &&
                      std::adjacent_find(begins.begin(), begins.end()) == begins.end();
  if (begins.size() < 2 || !rising) return {{parsed->interpreted, {}}};
  begins[0] = 0;
  std::vector<Chip> out;
  for (size_t i = 0; i < begins.size(); ++i) {
    const size_t end = i + 1 < begins.size() ? begins[i + 1] : text.size();
    Chip chip{trimmed(std::string_view(text).substr(begins[i], end - begins[i])), {}};
    const std::string rest = trimmed(text.substr(0, begins[i]) + text.substr(end));
    auto without = query::parse(rest, parse_context);
    if (without && without->root.kind != query::Node::Kind::kAll) chip.without = rest;
    out.push_back(std::move(chip));
  }
  return out;
}

constexpr size_t kBeforeMark = 36;  // bytes of a snippet in front of its first match: a line shows what was found

std::string marked(const search::Snippet& snippet) {
  std::string out;
  size_t at = 0;
  if (!snippet.marks.empty() && snippet.marks.front().first > kBeforeMark) {
    const size_t blank = snippet.text.rfind(' ', snippet.marks.front().first - kBeforeMark);
    if (blank != std::string::npos && blank > 4) {
      at = blank + 1;
      out = "…";
    }
  }
  for (const auto& [begin, end] : snippet.marks) {
    if (begin < at || end > snippet.text.size()) continue;
    out += escape_html(std::string_view(snippet.text).substr(at, begin - at));
    out += "<mark>" + escape_html(std::string_view(snippet.text).substr(begin, end - begin)) + "</mark>";
    at = end;
  }
  return out + escape_html(std::string_view(snippet.text).substr(at));
}

// "3 (pdf, docx)": kinds by the file name's end, which people know, else the declared subtype.
std::string clip_text(const MessageInfo& info) {
  std::vector<std::string> kinds;
  for (const MessageInfo::Attachment& attachment : info.attachments) {
    std::string kind;
    const size_t dot = attachment.filename.rfind('.');
    if (dot != std::string::npos && attachment.filename.size() - dot <= 6) {
      kind = attachment.filename.substr(dot + 1);
    } else if (const size_t slash = attachment.media_type.find('/'); slash != std::string::npos) {
      kind = attachment.media_type.substr(slash + 1);
    }
    kind = ascii_lower(kind);
    if (!kind.empty() && kind.size() <= 12 && std::find(kinds.begin(), kinds.end(), kind) == kinds.end())
      kinds.push_back(kind);
    if (kinds.size() == 4) break;
  }
  std::string out = std::to_string(info.attachment_count);
  for (size_t i = 0; i < kinds.size(); ++i) out += (i == 0 ? " (" : ", ") + kinds[i];
  return kinds.empty() ? out : out + ")";
}

// "2026-03" as people write it, and the bar's link.
std::string month_label(const std::string& month, const Strings& strings) {
  if (month.size() != 7) return month;
  return month_text(std::strtol(month.c_str(), nullptr, 10),
                    static_cast<unsigned>(std::strtoul(month.c_str() + 5, nullptr, 10)), strings);
}

std::string index_text(const search::Completeness& index, const Context& context) {
  const Strings& strings = context.strings;
  const bool behind = index.pending != 0 || index.pending_bytes != 0;
  std::string out(behind ? strings.index_behind : strings.index_complete);
  if (index.complete_to != 0)
    out += " " + std::string(strings.index_to) + " " + exact_text(index.complete_to, context.zone, strings);
  if (index.pending != 0)
    out += ", " + number_text(index.pending, strings) + " " + std::string(strings.index_pending);
  if (index.pending_bytes != 0)
    out += ", " + size_text(index.pending_bytes, strings) + " " + std::string(strings.pending_bytes);
  if (index.unread != 0) out += ", " + mails_text(index.unread, strings) + " " + std::string(strings.index_unread);
  if (index.partial != 0)
    out += ", " + number_text(index.partial, strings) + " " + std::string(strings.index_partial);
  return out + ".";
}

class SearchPage {
 public:
  explicit SearchPage(const Context& context)
      : context_(context),
        q_(trimmed(context.parameter("q"))),
        open_(context.parameter("open")),
        data_{Data::type::object} {
    parse_.now = context.now;
    parse_.timezone = context.options.timezone;
    start_ = number("start", 6);
    as_of_ = number("as_of", 18);
    const std::string sort = context.parameter("sort");
    if (sort == "oldest" || sort == "relevance") sort_ = sort;
  }

  Response answer() {
    data_.set("t", context_.words());
    data_.set("empty", q_.empty());
    operators();
    auto searcher = search::Searcher::open(context_.archive);
    if (!searcher) return problem_page(context_, searcher.error());
    search::Request request;
    request.query = q_;
    request.limit = kPageHits;
    request.offset = start_;
    request.order = sort_ == "oldest"      ? search::Order::kOldest
                    : sort_ == "relevance" ? search::Order::kRelevance
                                           : search::Order::kNewest;
    request.as_of = as_of_;
    request.aliases = context_.options.aliases;
    request.facets = open_.empty() ? context_.options.facets : nullptr;
    request.context = parse_;
    auto found = (*searcher)->search(request);
    int status = 200;
    if (found) {
      results(*found);
    } else if (found.error().code == Code::kInvalid) {
      Data problem{Data::type::object};
      problem.set("what", found.error().what);
      if (!found.error().hint.empty()) problem.set("hint", found.error().hint);
      data_.set("problem", problem);
      status = 400;
    } else {
      return problem_page(context_, found.error());
    }
    if (found && !open_.empty()) {
      Parameters here = parameters();
      here.emplace_back("open", open_);
      auto article = message_article(context_, open_, "/", here);
      if (!article) return problem_page(context_, article.error());
      Data message{Data::type::object};
      message.set("back_url", url("/", parameters()));
      message.set("body", *article);
      data_.set("message", message);
    }
    Response response =
        page_around(context_, render("search.mustache", data_), q_, "searching", open_.empty() ? "search" : "");
    response.status = status;
    response.action = open_.empty() ? "search" : "view";
    response.object = open_.empty() ? q_ : open_;
    return response;
  }

 private:
  uint64_t number(std::string_view name, size_t digits) const {
    const std::string text = context_.parameter(name);
    if (text.empty() || text.size() > digits || text.find_first_not_of("0123456789") != std::string::npos) return 0;
    return std::stoull(text);
  }
  Parameters parameters() const {
    return {{"q", q_},
            {"sort", sort_},
            {"start", start_ == 0 ? "" : std::to_string(start_)},
            {"as_of", as_of_ == 0 ? "" : std::to_string(as_of_)}};
  }

  void operators() {
    Data rows{Data::type::list};
    for (const query::FieldInfo& field : query::fields()) {
      Data row{Data::type::object};
      row.set("name", std::string(field.name));
      Data aliases{Data::type::list};
      for (std::string_view alias : field.aliases) aliases.push_back(std::string(alias));
      row.set("aliases", aliases);
      row.set("meaning", std::string(context_.strings.lang == "fr" ? french_meaning(field.name) : field.meaning));
      row.set("example", std::string(field.example));
      row.set("url", url("/", {{"q", std::string(field.example)}}));
      rows.push_back(row);
    }
    data_.set("operators", rows);
  }

  void results(const search::Answer& answer) {
    const Strings& strings = context_.strings;
    Data chips{Data::type::list};
    const std::vector<Chip> pieces = chips_of(q_, parse_);
    for (const Chip& piece : pieces) {
      Data chip{Data::type::object};
      chip.set("text", piece.text);
      if (!piece.without.empty()) chip.set("url", url("/", {{"q", piece.without}, {"sort", sort_}}));
      chips.push_back(chip);
    }
    data_.set("chips", chips);
    data_.set("has_chips", !pieces.empty());
    Data notices{Data::type::list};
    for (const query::Notice& notice : answer.notices) notices.push_back(notice.text);
    data_.set("notices", notices);
    if (!answer.did_you_mean.empty()) {
      data_.set("better", answer.did_you_mean);
      data_.set("better_url", url("/", {{"q", answer.did_you_mean}, {"sort", sort_}}));
    }
    data_.set("total_text",
              (answer.total_exact ? "" : std::string(strings.at_least) + " ") + mails_text(answer.total, strings));
    data_.set("index_text", index_text(answer.index, context_));
    data_.set("behind", answer.index.pending != 0 || answer.index.pending_bytes != 0);
    Data orders{Data::type::list};
    for (const auto& [name, text] : {std::pair("", strings.newest), std::pair("oldest", strings.oldest),
                                     std::pair("relevance", strings.relevance)}) {
      if (q_.empty() && std::string_view(name) == "relevance") continue;
      Data one{Data::type::object};
      one.set("name", std::string(text));
      one.set("chosen", sort_ == name);
      one.set("url", url("/", {{"q", q_}, {"sort", name}}));
      orders.push_back(one);
    }
    data_.set("orders", orders);
    data_.set("none", answer.hits.empty());
    data_.set("any", !answer.hits.empty());
    facets(answer);
    saved();
    days(answer);
    // Pages of one answer: what comes in meanwhile moves nothing.
    data_.set("as_of", std::to_string(answer.as_of));
    if (as_of_ != 0 && answer.index.indexed > as_of_) data_.set("now_url", url("/", {{"q", q_}, {"sort", sort_}}));
    data_.set("q", q_);
    data_.set("total_number", number_text(answer.total, strings));
    const auto at = [&](uint64_t start) {
      return url("/", {{"q", q_},
                       {"sort", sort_},
                       {"start", start == 0 ? "" : std::to_string(start)},
                       {"as_of", start == 0 ? "" : std::to_string(answer.as_of)}});
    };
    if (start_ > 0) data_.set("previous_url", at(start_ > kPageHits ? start_ - kPageHits : 0));
    const uint64_t next = start_ + answer.hits.size();
    if (next < answer.total && next < kMostHits && !answer.hits.empty()) data_.set("next_url", at(next));
  }

  void facets(const search::Answer& answer) {
    const Strings& strings = context_.strings;
    Data list{Data::type::list};
    for (const search::CountAnswer& facet : answer.facets) {
      if (facet.buckets.empty()) continue;
      const bool months = facet.by == "month", directions = facet.by == "direction",
                 types = facet.by == "attachment_type";
      Data one{Data::type::object};
      one.set("name", std::string(months       ? strings.months
                                  : directions ? strings.direction
                                  : types      ? strings.attachments
                                               : strings.senders));
      one.set("bars", months);
      uint64_t most = 1;
      for (const auto& bucket : facet.buckets) most = std::max(most, bucket.count);
      Data entries{Data::type::list};
      for (const auto& bucket : facet.buckets) {
        Data row{Data::type::object};
        row.set("label", months       ? month_label(bucket.key, strings)
                         : directions ? direction_label(bucket.key)
                         : types      ? type_text(bucket.key)
                                      : bucket.key);
        row.set("full", bucket.key);
        row.set("count", number_text(bucket.count, strings));
        row.set("height", std::to_string((bucket.count * 10 + most - 1) / most));
        const std::string condition = term(months       ? "date:"
                                           : directions ? "in:"
                                           : types      ? "type:"
                                                        : "from:",
                                           bucket.key);
        row.set("url", url("/", {{"q", narrowed(condition)}, {"sort", sort_}}));
        entries.push_back(row);
      }
      one.set("entries", entries);
      list.push_back(one);
    }
    data_.set("facets", list);
  }

  // A query with OR in it keeps its meaning in parentheses only.
  std::string narrowed(const std::string& condition) const {
    if (q_.empty()) return condition;
    const auto parsed = query::parse(q_, parse_);
    const bool either = parsed && parsed->root.kind == query::Node::Kind::kOr;
    return (either ? "(" + q_ + ")" : q_) + " " + condition;
  }
  std::string direction_label(const std::string& key) const {
    for (Direction each : {Direction::kIncoming, Direction::kOutgoing, Direction::kInternal})
      if (direction_name(each) == key) return std::string(way_text(each, context_.strings));
    return key;
  }

  void saved() {
    auto all = saved::read(context_.archive.directory());
    if (!all) return;
    Data list{Data::type::list};
    for (const saved::Search& each : *all) {
      Data one{Data::type::object};
      one.set("name", each.name);
      one.set("query", each.query);
      one.set("url", url("/", {{"q", each.query}}));
      list.push_back(one);
    }
    data_.set("saved", list);
    data_.set("has_saved", !all->empty());
  }

  void days(const search::Answer& answer) {
    const int64_t today = local_day(context_.now, context_.zone);
    Data days{Data::type::list};
    Data hits{Data::type::list};
    int64_t current = 0;
    bool any = false;
    const auto close_day = [&] {
      if (!any) return;
      Data day{Data::type::object};
      day.set("iso", query::format_day(current));
      day.set("name", day_text(current, today, context_.strings));
      day.set("hits", hits);
      days.push_back(day);
      hits = Data{Data::type::list};
    };
    for (const search::Hit& hit : answer.hits) {
      const int64_t day = local_day(hit.message.date, context_.zone);
      if (any && day != current) close_day();
      current = day;
      any = true;
      hits.push_back(hit_data(hit));
    }
    close_day();
    data_.set("days", days);
  }

  // The attachment that a match lies in.
  std::string attachment_name(const MessageInfo& info, const std::string& part) const {
    for (const MessageInfo::Attachment& each : info.attachments)
      if (each.part == part && !each.filename.empty()) return each.filename;
    return std::string(context_.strings.attachment) + " " + part;
  }

  Data hit_data(const search::Hit& hit) const {
    const MessageInfo& info = hit.message;
    const Strings& strings = context_.strings;
    const std::string id = info.digest.hex();
    const bool open = !open_.empty() && (id.compare(0, open_.size(), open_) == 0);
    Data data{Data::type::object};
    Parameters target = parameters();
    target.emplace_back("open", id.substr(0, 16));
    data.set("url", url("/", target) + "#mail");
    data.set("open", open);
    const bool sent = info.direction == Direction::kOutgoing || info.direction == Direction::kInternal;
    const std::string from = people_text(info.from);
    std::string who = from.empty() ? std::string(strings.no_sender) : from;
    if (sent && !info.to.empty()) who += " → " + people_text(info.to);
    data.set("who", who);
    data.set("id", id);
    data.set("iso", format_rfc3339(info.date));
    data.set("exact", exact_text(info.date, context_.zone, strings));
    data.set("time", time_text(info.date, context_.zone));
    data.set("subject", info.subject.empty() ? std::string(strings.no_subject) : info.subject);
    if (!hit.snippet.text.empty() && hit.snippet.where != "subject") data.set("snippet", marked(hit.snippet));
    if (hit.snippet.where == "attachment" && !hit.snippet.part.empty())
      data.set("snippet_in", attachment_name(info, hit.snippet.part));
    if (const std::string_view way = way_text(info.direction, strings); !way.empty()) {
      data.set("way", std::string(way));
      data.set("way_class", std::string(direction_name(info.direction)));
    }
    if (info.attachment_count > 0) data.set("clip", clip_text(info));
    if (!hit.variants.empty())
      data.set("copies", number_text(hit.variants.size() + 1, strings) + " " + std::string(strings.copies));
    data.set("size", size_text(info.size, strings));
    return data;
  }

  const Context& context_;
  const std::string q_, open_;
  std::string sort_;
  query::ParseContext parse_;
  uint64_t start_ = 0, as_of_ = 0;
  Data data_;
};

}  // namespace

Response search_page(const Context& context) {
  if (form_was_sent(context)) {
    Response response;
    response.status = 303;
    response.headers.emplace_back("Location", url("/", {{"q", query_of_form(context)}}));
    return response;
  }
  return SearchPage(context).answer();
}

}  // namespace arch::page
