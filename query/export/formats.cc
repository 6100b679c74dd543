#include "query/export/formats.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "engine/base/limits.h"
#include "query/api/api.h"

namespace arch::exporting {
namespace {

using Json = nlohmann::json;  // sorts its keys

struct CivilTime {
  int64_t year;
  unsigned month, day, hour, minute, second, weekday;  // weekday 0: Sunday
};

CivilTime civil(UnixNs time) {
  int64_t seconds = time >= 0 ? time / kNsPerSecond : -((-time + kNsPerSecond - 1) / kNsPerSecond);
  int64_t days = seconds >= 0 ? seconds / 86'400 : -((-seconds + 86'399) / 86'400);
  auto rest = static_cast<unsigned>(seconds - days * 86'400);
  CivilTime out{};
  civil_from_days(days, &out.year, &out.month, &out.day);
  out.hour = rest / 3600;
  out.minute = rest / 60 % 60;
  out.second = rest % 60;
  out.weekday = static_cast<unsigned>(((days + 4) % 7 + 7) % 7);
  return out;
}

std::string dumped(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; }

}  // namespace

const std::string_view kReadme =
    "Messages of a mail archive, exactly as they were received.\n\n"
    "  manifest.jsonl  the query, then one line a message: id (SHA-256), file, dates, people, parts\n"
    "  SHA256SUMS      to check every message: sha256sum -c SHA256SUMS\n"
    "  messages/       one file a message, year and month of its date; any mail program opens it\n\n"
    "The same query over the same state of the archive (as_of) gives this file again, byte for byte.\n";
const std::string_view kLisezmoi =
    "Messages d'une archive de courrier, exactement tels qu'ils ont été reçus.\n\n"
    "  manifest.jsonl  la requête, puis une ligne par message : id (SHA-256), fichier, dates, personnes, parties\n"
    "  SHA256SUMS      pour vérifier chaque message : sha256sum -c SHA256SUMS\n"
    "  messages/       un fichier par message, par année et mois ; tout logiciel de courrier l'ouvre\n\n"
    "La même requête sur le même état de l'archive (as_of) redonne ce fichier, octet pour octet.\n";

std::string separator(const Archive& archive, const MessageInfo& info) {
  constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::string sender = "MAILER-DAEMON";
  if (!info.deliveries.empty()) {
    auto delivery = archive.delivery(info.deliveries.front());
    if (delivery && !delivery->delivery.mail_from.empty()) sender = delivery->delivery.mail_from;
  }
  for (char& c : sender)
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f) c = '_';
  CivilTime t = civil(info.received != 0 ? info.received : info.captured);
  char date[64];
  std::snprintf(date, sizeof date, "%s %s %2u %02u:%02u:%02u %04lld", kDays[t.weekday], kMonths[(t.month - 1) % 12],
                t.day, t.hour, t.minute, t.second, static_cast<long long>(t.year));
  return "From " + sender + " " + date + "\n";
}

std::string mboxrd(std::string_view message) {
  std::string out;
  out.reserve(message.size() + message.size() / 50 + 16);
  while (!message.empty()) {
    size_t end = message.find('\n');
    std::string_view line = message.substr(0, end);
    message.remove_prefix(end == std::string_view::npos ? message.size() : end + 1);
    if (end != std::string_view::npos && !line.empty() && line.back() == '\r') line.remove_suffix(1);
    size_t quotes = line.find_first_not_of('>');
    if (quotes != std::string_view::npos && line.substr(quotes, 5) == "From ") out += '>';
    out.append(line);
    out += '\n';
  }
  return out + "\n";
}

std::string eml_name(const MessageInfo& info) {
  std::string date = format_rfc3339(info.date);
  std::string compact;
  for (char c : date)
    if (c != ':') compact += c;
  return compact + "_" + info.digest.hex().substr(0, 16) + ".eml";
}

std::string path_of(const MessageInfo& info) {
  const std::string date = format_rfc3339(info.date);
  return "messages/" + date.substr(0, 4) + "/" + date.substr(5, 2) + "/" + eml_name(info);
}

std::string manifest_head(const Request& request, uint64_t count, uint64_t bytes) {
  return dumped({{"manifest", 1},
                 {"query", request.query},
                 {"interpreted", request.interpreted},
                 {"as_of", request.as_of},
                 {"count", count},
                 {"bytes", bytes}});
}

Result<std::string> manifest_line(const Archive& archive, const Request& request, const MessageInfo& info,
                                  std::string_view bytes) {
  Json line = {{"id", info.digest.hex()},
               {"file", path_of(info)},
               {"size", info.size},
               {"seq", info.deliveries},
               {"date", format_rfc3339(info.date)},
               {"captured", format_rfc3339(info.captured)},
               {"message_id", info.message_id},
               {"subject", info.subject},
               {"rcpt", Json::array()},
               {"lane", Json::array()},
               {"queue_id", Json::array()},
               {"parts", Json::array()}};
  line["received"] = info.received == 0 ? Json(nullptr) : Json(format_rfc3339(info.received));
  line["from"] = Json::array();
  for (const mime::Address& person : info.from)
    line["from"].push_back({{"name", person.name}, {"addr", person.address}});
  ARCH_TRY(std::vector<api::RecipientView> recipients, api::recipients_of(archive, info));
  for (const api::RecipientView& each : recipients) {
    const bool hidden = each.sources.size() == 1 && (each.sources[0] == "rcpt-to" || each.sources[0] == "bcc");
    if (hidden && !request.with_envelope) continue;
    for (std::string_view source : each.sources)
      if (request.with_envelope || source != "rcpt-to")
        line["rcpt"].push_back({{"addr", each.address}, {"source", source}});
  }
  for (uint64_t sequence : info.deliveries) {
    ARCH_TRY(DeliveryInfo delivery, archive.delivery(sequence));
    const std::string lane(channel_name(delivery.delivery.channel));
    if (std::find(line["lane"].begin(), line["lane"].end(), lane) == line["lane"].end()) line["lane"].push_back(lane);
    const std::string& queue_id = delivery.delivery.queue_id;
    if (!queue_id.empty() &&
        std::find(line["queue_id"].begin(), line["queue_id"].end(), queue_id) == line["queue_id"].end())
      line["queue_id"].push_back(queue_id);
  }
  for (const mime::Part& part : mime::parse(bytes).parts) {
    if (part.container) continue;
    const std::string content = mime::decode_content(bytes, part, limits::kMessageBytes);
    line["parts"].push_back({{"n", part.number},
                             {"type", part.media_type},
                             {"name", part.filename},
                             {"size", content.size()},
                             {"sha256", Sha256::of(as_bytes(content)).hex()}});
  }
  ARCH_TRY(std::vector<uint64_t> copies, archive.copies(info));
  if (!copies.empty() && copies.front() != info.number) {
    ARCH_TRY(MessageInfo first, archive.info(copies.front()));
    line["variant_of"] = first.digest.hex();
  }
  if (request.with_text) {
    std::string text;
    if (auto pieces = archive.text(info.number))
      for (const TextPiece& piece : *pieces)
        if (piece.field == TextPiece::kBody || piece.field == TextPiece::kQuoted ||
            piece.field == TextPiece::kAttachment)
          text += (text.empty() ? "" : "\n\n") + piece.text;
    line["text"] = std::move(text);
  }
  return dumped(line);
}

}  // namespace arch::exporting
