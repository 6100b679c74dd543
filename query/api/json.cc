// The JSON forms: docs/schema/*.json. nlohmann 3.11's dump() throws on invalid UTF-8 unless told to replace it.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "query/api/api.h"

namespace arch::api {
namespace {

using Json = nlohmann::ordered_json;

std::string finished(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; }

std::string hex64(uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

// 0 stands for "not known".
Json time_or_null(UnixNs time) { return time == 0 ? Json(nullptr) : Json(format_rfc3339(time)); }

std::string person_text(const mime::Address& person) {
  if (person.name.empty()) return person.address;
  if (person.address.empty()) return person.name;
  return person.name + " <" + person.address + ">";
}

std::string people_text(const std::vector<mime::Address>& people) {
  std::string out;
  for (const mime::Address& person : people) out += (out.empty() ? "" : ", ") + person_text(person);
  return out;
}

Json people_json(const std::vector<mime::Address>& people) {
  Json out = Json::array();
  for (const mime::Address& person : people) out.push_back({{"name", person.name}, {"address", person.address}});
  return out;
}

Json digests_json(const std::vector<Digest>& digests) {
  Json out = Json::array();
  for (const Digest& digest : digests) out.push_back(digest.hex());
  return out;
}

Json document_json(const DocumentState& state) {
  return {{"status", state.waiting ? "waiting" : document_status_name(state.status)},
          {"why", state.why},
          {"tool", state.tool},
          {"language", state.language},
          {"members", state.members},
          {"members_unread", state.members_unread}};
}

Json documents_json(const DocumentCounts& counts) {
  Json rows = Json::array();
  for (const DocumentCounts::Row& row : counts.rows)
    rows.push_back(
        {{"media_type", row.media_type}, {"status", document_status_name(row.status)}, {"count", row.count}});
  return {{"waiting", counts.waiting}, {"waiting_for_ocr", counts.waiting_for_ocr}, {"by_type", std::move(rows)}};
}

Json index_json(const search::Completeness& index) {
  return {{"complete_to", time_or_null(index.complete_to)},
          {"stored", index.stored},
          {"indexed", index.indexed},
          {"pending", index.pending},
          {"pending_bytes", index.pending_bytes},
          {"partial", index.partial},
          {"unread", index.unread}};
}

// Marks count characters of the snippet, as most languages count them, not bytes.
Json marks_json(const search::Snippet& snippet) {
  Json out = Json::array();
  size_t at = 0;
  size_t characters = 0;
  auto upto = [&](size_t byte) {
    for (; at < byte && at < snippet.text.size(); ++at)
      if ((static_cast<uint8_t>(snippet.text[at]) & 0xc0) != 0x80) ++characters;
    return characters;
  };
  for (const auto& [begin, end] : snippet.marks) {
    size_t first = upto(begin);
    out.push_back({first, upto(end)});
  }
  return out;
}

}  // namespace

std::string search_json(const search::Answer& answer) {
  Json json = {{"schema", "search/1"},
               {"as_of", answer.as_of},
               {"total", answer.total},
               {"total_exact", answer.total_exact},
               {"messages", answer.messages},
               {"interpreted", answer.interpreted},
               {"index", index_json(answer.index)},
               {"notices", Json::array()},
               {"did_you_mean", answer.did_you_mean},
               {"suggestions", Json::array()},
               {"hits", Json::array()}};
  for (const search::Suggestion& each : answer.suggestions)
    json["suggestions"].push_back(
        {{"column", each.column}, {"word", each.word}, {"better", each.better}, {"mails", each.mails}});
  for (const query::Notice& notice : answer.notices)
    json["notices"].push_back({{"column", notice.column}, {"text", notice.text}});
  for (const search::Hit& hit : answer.hits) {
    const MessageInfo& info = hit.message;
    json["hits"].push_back({{"id", info.digest.hex()},
                            {"date", format_rfc3339(info.date)},
                            {"from", people_text(info.from)},
                            {"to", people_text(info.to)},
                            {"subject", info.subject},
                            {"snippet", hit.snippet.text},
                            {"snippet_marks", marks_json(hit.snippet)},
                            {"snippet_where", hit.snippet.where},
                            {"snippet_part", hit.snippet.part},
                            {"size", info.size},
                            {"attachments", info.attachment_count},
                            {"direction", direction_name(info.direction)},
                            {"message_id", info.message_id},
                            {"thread", hex64(info.thread)},
                            {"variants", digests_json(hit.variants)}});
  }
  return finished(json);
}

std::string message_json(const MessageView& view) {
  const MessageInfo& info = view.info;
  Json json = {{"schema", "message/1"},
               {"id", info.digest.hex()},
               {"size", info.size},
               {"date", format_rfc3339(info.date)},
               {"sent", info.has_sent ? Json(format_rfc3339(info.sent)) : Json(nullptr)},
               {"received", time_or_null(info.received)},
               {"captured", time_or_null(info.captured)},
               {"from", people_json(info.from)},
               {"to", people_json(info.to)},
               {"cc", people_json(info.cc)},
               {"bcc", people_json(info.bcc)},
               {"subject", info.subject},
               {"message_id", info.message_id},
               {"thread", hex64(info.thread)},
               {"partial", info.partial},
               {"encrypted", info.encrypted},
               {"direction", direction_name(info.direction)},
               {"bounce", info.bounce},
               {"recipients", Json::array()},
               {"deliveries_total", view.delivery_count},
               {"deliveries", Json::array()},
               {"variants", Json::array()},
               {"headers", Json::array()},
               {"parts", Json::array()},
               {"body", view.body},
               {"body_cut", view.body_cut}};
  for (const DeliveryInfo& one : view.deliveries) {
    const Delivery& delivery = one.delivery;
    Json rcpt = Json::array();
    for (const Recipient& recipient : delivery.rcpt) rcpt.push_back(recipient.address);
    json["deliveries"].push_back({{"sequence", one.sequence},
                                  {"message", one.delivery.digest.hex()},
                                  {"captured", format_rfc3339(delivery.captured)},
                                  {"channel", channel_name(delivery.channel)},
                                  {"mail_from", delivery.has_mail_from ? Json(delivery.mail_from) : Json(nullptr)},
                                  {"rcpt", std::move(rcpt)},
                                  {"client_name", delivery.client_name},
                                  {"client_addr", delivery.client_addr},
                                  {"client_helo", delivery.client_helo},
                                  {"queue_id", delivery.queue_id},
                                  {"auth_user", delivery.auth_user},
                                  {"origin", delivery.origin}});
  }
  for (const RecipientView& each : view.recipients)
    json["recipients"].push_back({{"address", each.address}, {"name", each.name}, {"sources", each.sources}});
  const auto fields_json = [](const std::vector<VariantView::Field>& fields) {
    Json out = Json::array();
    for (const auto& [name, value] : fields) out.push_back({{"name", name}, {"value", value}});
    return out;
  };
  for (const VariantView& variant : view.variants) {
    Json channels = Json::array();
    for (Channel channel : variant.channels) channels.push_back(channel_name(channel));
    Json each = {{"id", variant.digest.hex()}, {"size", variant.size}, {"channels", std::move(channels)}};
    if (variant.compared) {
      each["same_body"] = variant.same_body;
      each["only_here"] = fields_json(variant.only_here);
      each["only_there"] = fields_json(variant.only_there);
    }
    json["variants"].push_back(std::move(each));
  }
  for (const auto& [name, value] : view.headers) json["headers"].push_back({{"name", name}, {"value", value}});
  for (const mime::Part& part : view.parts) {
    Json one = {{"part", part.number},          {"media_type", part.media_type},
                {"charset", part.charset},      {"disposition", part.disposition},
                {"filename", part.filename},    {"size", part.body_end - part.body_begin},
                {"attachment", part.attachment}};
    if (auto state = view.documents.find(part.number); state != view.documents.end())
      one["document"] = document_json(state->second);
    json["parts"].push_back(std::move(one));
  }
  return finished(json);
}

std::string count_json(const search::CountAnswer& answer) {
  Json json = {{"schema", "count/1"},
               {"by", answer.by},
               {"total", answer.total},
               {"as_of", answer.as_of},
               {"interpreted", answer.interpreted},
               {"index", index_json(answer.index)},
               {"notices", Json::array()},
               {"other", answer.other},
               {"missing", answer.missing},
               {"buckets", Json::array()}};
  for (const query::Notice& notice : answer.notices)
    json["notices"].push_back({{"column", notice.column}, {"text", notice.text}});
  for (const search::CountAnswer::Bucket& bucket : answer.buckets)
    json["buckets"].push_back({{"key", bucket.key}, {"count", bucket.count}});
  return finished(json);
}

std::string thread_json(const ThreadView& view) {
  Json json = {{"schema", "thread/1"},
               {"thread", hex64(view.thread)},
               {"total", view.total},
               {"missing_refs", view.missing},
               {"messages", Json::array()}};
  for (const ThreadEntry& entry : view.entries)
    json["messages"].push_back({{"id", entry.info.digest.hex()},
                                {"depth", entry.depth},
                                {"date", format_rfc3339(entry.info.date)},
                                {"from", people_text(entry.info.from)},
                                {"to", people_text(entry.info.to)},
                                {"subject", entry.info.subject},
                                {"message_id", entry.info.message_id},
                                {"size", entry.info.size},
                                {"attachments", entry.info.attachment_count},
                                {"direction", direction_name(entry.info.direction)},
                                {"variants", digests_json(entry.copies)}});
  return finished(json);
}

namespace {

Json reconcile_json(const ReconcileView& view) {
  if (!view.known) return nullptr;
  if (!view.error.empty()) return {{"ran", view.ran}, {"error", view.error}};
  return {{"ran", view.ran},           {"from", view.from},         {"to", view.to},
          {"accepted", view.accepted}, {"archived", view.archived}, {"missing", view.missing},
          {"waiting", view.waiting}};
}

Json canary_json(const CanaryView& view) {
  if (!view.known) return nullptr;
  return {{"ran", view.ran}, {"good", view.good}, {"failed_step", view.failed_step}, {"why", view.why}};
}

Json alerts_json(const std::vector<Alert>& alerts) {
  Json out = Json::array();
  for (const Alert& alert : alerts)
    out.push_back({{"key", alert.key},
                   {"severity", severity_name(alert.severity)},
                   {"subject", alert.text.subject_en},
                   {"text", alert.text.body_en},
                   {"raised", time_or_null(alert.raised)},
                   {"mailed", time_or_null(alert.told)},
                   {"mail_failure", alert.failure}});
  return out;
}

}  // namespace

std::string status_json(const StatusView& view) {
  return finished({{"schema", "status/1"},
                   {"directory", view.directory},
                   {"archive", view.id.hex()},
                   {"messages", view.messages},
                   {"deliveries", view.deliveries},
                   {"applied_to", time_or_null(view.archive.applied_to)},
                   {"pending_bytes", view.archive.pending_bytes},
                   {"last_segment", view.archive.last_segment},
                   {"rebuilding", view.rebuilding},
                   {"has_index", view.has_index},
                   {"index_note", view.index_note},
                   {"reindexing", view.building.running ? Json(view.building.mark) : Json(nullptr)},
                   {"index", index_json(view.index)},
                   {"documents", documents_json(view.documents)},
                   {"joined", {{"same", view.archive.joined_same}, {"differing", view.archive.joined_differing}}},
                   {"own_domains", view.archive.own_domains},
                   {"verified", {{"oldest", time_or_null(view.verified.oldest)}, {"damaged", view.verified.damaged}}},
                   {"reconcile", reconcile_json(view.reconcile)},
                   {"canary", canary_json(view.canary)},
                   {"alerts", alerts_json(view.alerts)},
                   {"alerts_note", view.alerts_note},
                   {"alarms", view.archive.alarms},
                   {"now", format_rfc3339(view.now)}});
}

std::string error_json(const Error& error) {
  return finished({{"schema", "error/1"},
                   {"error", {{"code", code_name(error.code)}, {"message", error.what}, {"hint", error.hint}}}});
}

}  // namespace arch::api
