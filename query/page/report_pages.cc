// Capacity and status, from the same views as archctl's.
#include <algorithm>
#include <map>

#include "query/language/dates.h"
#include "query/page/context.h"
#include "query/page/format.h"

namespace arch::page {

namespace {

constexpr size_t kMonths = 36;  // of the chart
constexpr double kChartHeight = 140;
constexpr double kBarStep = 24;

Data row(std::string name, std::string value) {
  Data one{Data::type::object};
  one.set("name", std::move(name));
  one.set("value", std::move(value));
  return one;
}

struct Month {
  uint64_t mails = 0, bytes = 0;
};

void months(const ArchiveUsage& usage, const Strings& strings, Data* data) {
  std::map<std::pair<int64_t, unsigned>, Month> by_month;
  for (const auto& [day, counts] : usage.days) {
    const Date date = civil(day);
    Month& month = by_month[{date.year, date.month}];
    month.mails += counts.deliveries;
    month.bytes += counts.bytes;
  }
  while (by_month.size() > kMonths) by_month.erase(by_month.begin());
  uint64_t most = 1;
  for (const auto& [when, month] : by_month) most = std::max(most, month.bytes);
  Data list{Data::type::list};
  double x = 0;
  for (const auto& [when, month] : by_month) {
    const double height = kChartHeight * static_cast<double>(month.bytes) / static_cast<double>(most);
    Data one{Data::type::object};
    one.set("x", std::to_string(x + 2));
    one.set("y", std::to_string(kChartHeight - height));
    one.set("w", std::to_string(kBarStep - 4));
    one.set("h", std::to_string(height));
    one.set("tx", std::to_string(x + kBarStep / 2));
    one.set("name", month_text(when.first, when.second, strings));
    if (when.second % 3 == 1) one.set("label", std::to_string(when.second) + "/" + std::to_string(when.first % 100));
    one.set("count", number_text(month.mails, strings));
    one.set("size", size_text(month.bytes, strings));
    list.push_back(one);
    x += kBarStep;
  }
  data->set("months", list);
  data->set("has_months", by_month.size() > 1);
  data->set("chart_width", std::to_string(std::max(x, 240.0)));
}

}  // namespace

Response capacity_page(const Context& context) {
  auto view = api::capacity(context.archive, context.options.cap_bytes, context.now);
  if (!view) return problem_page(context, view.error());
  const Strings& strings = context.strings;
  const ArchiveUsage& usage = view->usage;
  const uint64_t used = usage.total();
  const double share = view->cap_bytes == 0 ? 1 : static_cast<double>(used) / static_cast<double>(view->cap_bytes);
  Data data{Data::type::object};
  data.set("t", context.words());
  data.set("used", size_text(used, strings));
  data.set("cap", size_text(view->cap_bytes, strings));
  data.set("percent", percent_text(share, strings));
  data.set("gauge", std::to_string(std::min(1000.0, share * 1000)));
  data.set("level", std::string(share >= 0.9 ? "full" : share >= 0.7 ? "high" : "low"));
  data.set("reached", used >= view->cap_bytes);
  Data parts{Data::type::list};
  for (const auto& [name, bytes] :
       {std::pair(strings.segments, usage.segments), std::pair(strings.journal, usage.journal),
        std::pair(strings.catalog, usage.catalog), std::pair(strings.index, usage.index),
        std::pair(strings.other, usage.other)}) {
    Data one{Data::type::object};
    one.set("name", std::string(name));
    one.set("size", size_text(bytes, strings));
    one.set("percent", percent_text(used == 0 ? 0 : static_cast<double>(bytes) / static_cast<double>(used), strings));
    parts.push_back(one);
  }
  data.set("parts", parts);
  data.set("messages", mails_text(usage.messages, strings));
  data.set("received", size_text(usage.received_bytes, strings));
  if (usage.received_bytes > 0)
    data.set("ratio", percent_text(static_cast<double>(used) / static_cast<double>(usage.received_bytes), strings));
  data.set("free", size_text(view->free_bytes, strings));
  if (view->growth_bytes_a_day >= 1) {
    data.set("growth", size_text(static_cast<uint64_t>(view->growth_bytes_a_day), strings));
    const double days =
        used >= view->cap_bytes ? 0 : static_cast<double>(view->cap_bytes - used) / view->growth_bytes_a_day;
    if (days < 36'500) {
      const int64_t day = local_day(context.now, context.zone) + static_cast<int64_t>(days);
      data.set("full", day_text(day, INT64_MIN + 2, strings));
      data.set("full_iso", query::format_day(day));
    }
  }
  months(usage, strings, &data);
  Response response =
      page_around(context, render("capacity.mustache", data), std::string(strings.capacity), "single", "capacity");
  response.action = "capacity";
  return response;
}

Response status_page(const Context& context) {
  auto view = api::status(context.archive, context.now);
  if (!view) return problem_page(context, view.error());
  const Strings& strings = context.strings;
  const ArchiveStatus& state = view->archive;
  Data data{Data::type::object};
  data.set("t", context.words());
  Data alarms{Data::type::list};
  for (const std::string& alarm : state.alarms) alarms.push_back(alarm);
  if (!view->index_note.empty()) alarms.push_back(view->index_note);
  if (view->rebuilding) alarms.push_back(std::string(strings.rebuilding));
  for (const Alert& alert : view->alerts)
    alarms.push_back(strings.lang == "fr" ? alert.text.subject_fr : alert.text.subject_en);
  const bool healthy = state.alarms.empty() && view->alerts.empty() && view->index_note.empty() && !view->rebuilding;
  data.set("alarm_list", alarms);
  data.set("has_alarms", !healthy);
  data.set("healthy", healthy);
  Data rows{Data::type::list};
  rows.push_back(row(std::string(strings.messages), number_text(view->messages, strings)));
  rows.push_back(row(std::string(strings.deliveries_count), number_text(view->deliveries, strings)));
  if (state.applied_to != 0)
    rows.push_back(row(std::string(strings.newest_mail), exact_text(state.applied_to, context.zone, strings)));
  const search::Completeness& index = view->index;
  if (!view->has_index) {
    rows.push_back(row(std::string(strings.index), std::string(strings.index_none)));
  } else {
    std::string text(index.pending == 0 && index.pending_bytes == 0 ? strings.index_complete : strings.index_behind);
    if (index.complete_to != 0)
      text += " " + std::string(strings.index_to) + " " + exact_text(index.complete_to, context.zone, strings);
    rows.push_back(row(std::string(strings.index), text));
    if (index.pending > 0)
      rows.push_back(row(std::string(strings.index_pending), number_text(index.pending, strings)));
    if (index.unread > 0) rows.push_back(row(std::string(strings.index_unread), number_text(index.unread, strings)));
    if (index.partial > 0)
      rows.push_back(row(std::string(strings.index_partial), number_text(index.partial, strings)));
  }
  std::string domains;
  for (const std::string& domain : state.own_domains) domains += (domains.empty() ? "" : ", ") + domain;
  rows.push_back(
      row(std::string(strings.own_domains), domains.empty() ? std::string(strings.no_own_domains) : domains));
  if (state.joined_same + state.joined_differing > 0)
    rows.push_back(row(std::string(strings.two_ways), number_text(state.joined_same, strings) + " (" +
                                                          std::string(strings.same_text) + "), " +
                                                          number_text(state.joined_differing, strings) + " (" +
                                                          std::string(strings.other_text) + ")"));
  rows.push_back(row(std::string(strings.segments), number_text(state.last_segment, strings)));
  rows.push_back(row(std::string(strings.verified), view->verified.oldest == 0
                                                        ? std::string(strings.never)
                                                        : exact_text(view->verified.oldest, context.zone, strings)));
  if (const api::ReconcileView& proof = view->reconcile; proof.known)
    rows.push_back(row(
        std::string(strings.proof),
        proof.ran + ": " +
            (proof.error.empty() ? number_text(proof.missing, strings) + " " + std::string(strings.proof_missing) +
                                       " / " + number_text(proof.accepted, strings)
                                 : std::string(strings.proof_failed) + " (" + proof.error + ")")));
  if (const api::CanaryView& canary = view->canary; canary.known)
    rows.push_back(row(std::string(strings.canary),
                       canary.ran + ": " +
                           (canary.good ? std::string(strings.good)
                                        : std::string(strings.canary_failed) + " (" + canary.why + ")")));
  data.set("rows", rows);
  Response response =
      page_around(context, render("status.mustache", data), std::string(strings.status), "single", "status");
  response.action = "status";
  return response;
}

}  // namespace arch::page
