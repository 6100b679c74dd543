// The status, from the same view as archctl's.
#include "query/page/context.h"
#include "query/page/format.h"

namespace arch::page {

namespace {

Data row(std::string name, std::string value) {
  Data one{Data::type::object};
  one.set("name", std::move(name));
  one.set("value", std::move(value));
  return one;
}

}  // namespace

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
