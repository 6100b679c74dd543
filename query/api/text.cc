// The same values for people.
#include <algorithm>
#include <cstdio>
#include <map>

#include "query/api/api.h"
#include "query/api/printable.h"
#include "query/language/dates.h"
#include "query/language/timezone.h"

namespace arch::api {
namespace {

constexpr std::string_view kReset = "\x1b[0m";
constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kGreen = "\x1b[32m";
constexpr std::string_view kYellow = "\x1b[33m";
constexpr size_t kIdDigits = 16;  // of a digest: enough to be unique, short enough to copy

class Writer {
 public:
  explicit Writer(const TextStyle& style) : style_(style) {
    auto loaded = query::Timezone::load(style.timezone);
    if (loaded) zone_ = std::move(*loaded);
    zone_name_ = loaded ? style.timezone : "UTC";
  }

  std::string paint(std::string_view code, std::string_view text) const {
    if (!style_.colour || text.empty()) return std::string(text);
    return std::string(code) + std::string(text) + std::string(kReset);
  }
  /// Cut to the width less `taken` cells.
  std::string fitted(std::string_view text, size_t taken) const {
    if (style_.columns == 0) return std::string(text);
    return fit(text, style_.columns > taken + 10 ? style_.columns - taken : 10);
  }
  std::string time(UnixNs time, bool with_zone) const {
    int64_t utc = time / kNsPerSecond - (time % kNsPerSecond < 0 ? 1 : 0);
    int64_t day = zone_.day_of(utc);
    int64_t seconds = utc + zone_.offset_at(utc) - day * 86'400;
    char text[16];
    std::snprintf(text, sizeof text, " %02d:%02d", static_cast<int>(seconds / 3600),
                  static_cast<int>(seconds / 60 % 60));
    return query::format_day(day) + text + (with_zone ? " " + zone_name_ : "");
  }
  void line(const std::string& text) { out_ += text + "\n"; }
  void field(std::string_view name, std::string_view value) {
    if (value.empty()) return;
    std::string label = std::string(name) + ":";
    label.resize(std::max<size_t>(label.size() + 1, 12), ' ');
    out_ += paint(kBold, label) + std::string(value) + "\n";
  }
  std::string take() { return std::move(out_); }

 private:
  const TextStyle& style_;
  query::Timezone zone_;
  std::string zone_name_;
  std::string out_;
};

// What a person should know of how reading it went; nothing when it was read.
std::string state_text(const DocumentState& state) {
  if (state.waiting) return "  (not read yet)";
  std::string out;
  if (state.status != DocumentStatus::kRead) {
    std::string name(document_status_name(state.status));
    std::replace(name.begin(), name.end(), '_', ' ');
    out += name + (state.why.empty() ? "" : ": " + one_line(state.why));
  }
  if (state.members_unread != 0)
    out += (out.empty() ? "" : "; ") + std::to_string(state.members_unread) + " of " + std::to_string(state.members) +
           " files inside not read";
  return out.empty() ? out : "  (" + out + ")";
}

std::string plural(uint64_t count, std::string_view one) {
  std::string many(one);
  if (count != 1) many = many == "delivery" ? "deliveries" : many == "copy" ? "copies" : many + "s";
  return count_text(count) + " " + many;
}

std::string person_text(const mime::Address& person) {
  std::string name = one_line(person.name);
  std::string address = one_line(person.address);
  if (name.empty()) return address;
  return address.empty() ? name : name + " <" + address + ">";
}

std::string people_text(const std::vector<mime::Address>& people) {
  std::string out;
  for (const mime::Address& person : people) out += (out.empty() ? "" : ", ") + person_text(person);
  return out;
}

// Text with its marked ranges in bold.
std::string marked(const search::Snippet& snippet, const Writer& writer) {
  std::string out;
  size_t at = 0;
  for (const auto& [begin, end] : snippet.marks) {
    out += one_line(std::string_view(snippet.text).substr(at, begin - at));
    out += writer.paint(kBold, one_line(std::string_view(snippet.text).substr(begin, end - begin)));
    at = end;
  }
  return out + one_line(std::string_view(snippet.text).substr(at));
}

// Lines of `text` broken between words, each behind two blanks; escape sequences take no cells.
std::string wrapped(std::string_view text, size_t columns) {
  constexpr std::string_view kIndent = "  ";
  std::string out;
  size_t used = 0;
  for (size_t at = 0; at < text.size();) {
    size_t end = std::min(text.find(' ', at), text.size());
    std::string_view word = text.substr(at, end - at);
    size_t cells = 0;
    bool escape = false;
    for (char c : word) {
      if (c == '\x1b') escape = true;
      if (!escape && (static_cast<uint8_t>(c) & 0xc0) != 0x80) ++cells;
      if (escape && c == 'm') escape = false;
    }
    if (used > 0 && columns != 0 && kIndent.size() + used + 1 + cells > columns) {
      out += "\n";
      used = 0;
    }
    if (used == 0) {
      out += kIndent;
    } else {
      out += " ";
      ++used;
    }
    out += word;
    used += cells;
    at = end + 1;
  }
  return out;
}

void write_index(const search::Completeness& index, Writer* writer) {
  std::string state = index.pending == 0 && index.pending_bytes == 0 ? "complete" : "behind";
  if (index.complete_to != 0) state += " to " + writer->time(index.complete_to, true);
  if (index.pending != 0) state += ", " + plural(index.pending, "delivery") + " pending";
  if (index.pending_bytes != 0) state += ", " + size_text(index.pending_bytes) + " not yet read";
  if (index.unread != 0)
    state += ", " + plural(index.unread, "message") + " with attachments whose text is not searched";
  if (index.partial != 0) state += ", " + plural(index.partial, "message") + " searched in part";
  writer->line(writer->paint(kDim, "Index " + state + "."));
}

// Another copy of the mail, and the fields in which it differs.
void write_variant(const VariantView& variant, Writer* writer) {
  std::string text = variant.digest.hex();
  for (Channel channel : variant.channels) text += "  " + std::string(channel_name(channel));
  if (variant.compared) text += variant.same_body ? "  same text" : "  other text";
  writer->field("Copy", text);
  constexpr size_t kShown = 40;
  const auto write_fields = [&](std::string_view sign, const std::vector<VariantView::Field>& fields) {
    for (size_t i = 0; i < fields.size() && i < kShown; ++i)
      writer->line(writer->fitted(
          "    " + std::string(sign) + " " + one_line(fields[i].first) + ": " + one_line(fields[i].second), 0));
    if (fields.size() > kShown)
      writer->line("    " + std::string(sign) + " and " + plural(fields.size() - kShown, "field") + " more");
  };
  write_fields("-", variant.only_here);  // as diff shows what the other one lacks and has
  write_fields("+", variant.only_there);
}

}  // namespace

std::string search_text(const search::Answer& answer, const search::Request& request, const TextStyle& style) {
  Writer writer(style);
  for (const query::Notice& notice : answer.notices)
    writer.line(writer.paint(kYellow, "Note" +
                                          (notice.column == 0 ? "" : ", column " + std::to_string(notice.column)) +
                                          ": " + one_line(notice.text)));
  if (!answer.did_you_mean.empty())
    writer.line(writer.paint(kYellow, "Did you mean: " + one_line(answer.did_you_mean)));
  for (const search::Hit& hit : answer.hits) {
    const MessageInfo& info = hit.message;
    std::string when = writer.time(info.date, false);
    writer.line(writer.paint(kDim, when) + "  " + writer.fitted(people_text(info.from), when.size() + 2));
    std::string subject = one_line(info.subject);
    writer.line("  " + writer.paint(kBold, writer.fitted(subject.empty() ? "(no subject)" : subject, 2)));
    if (!hit.snippet.text.empty()) writer.line(wrapped(marked(hit.snippet, writer), style.columns));
    std::string last = info.digest.hex().substr(0, kIdDigits);
    if (info.attachment_count > 0) last += "  " + plural(info.attachment_count, "attachment");
    if (!hit.variants.empty()) last += "  and " + plural(hit.variants.size(), "copy");
    writer.line("  " + writer.paint(kDim, last));
    writer.line("");
  }
  std::string summary = (answer.total_exact ? "" : "at least ") + plural(answer.total, "mail");
  if (!answer.interpreted.empty()) summary += " for " + one_line(answer.interpreted);
  if (answer.hits.size() < answer.total && !answer.hits.empty())
    summary +=
        "; these are " + count_text(request.offset + 1) + " to " + count_text(request.offset + answer.hits.size());
  writer.line(writer.paint(kBold, summary + "."));
  write_index(answer.index, &writer);
  return writer.take();
}

std::string message_text(const MessageView& view, const TextStyle& style) {
  Writer writer(style);
  const MessageInfo& info = view.info;
  writer.field("Id", info.digest.hex());
  writer.field("Date", writer.time(info.date, true));
  writer.field("From", people_text(info.from));
  writer.field("To", people_text(info.to));
  writer.field("Cc", people_text(info.cc));
  writer.field("Bcc", people_text(info.bcc));
  writer.field("Subject", one_line(info.subject));
  writer.field("Message-ID", one_line(info.message_id));
  writer.field("Size", size_text(info.size));
  if (info.direction != Direction::kUnknown) writer.field("Direction", std::string(direction_name(info.direction)));
  constexpr size_t kShown = 20;
  size_t hidden = 0;
  std::string known_by_envelope;
  for (const RecipientView& each : view.recipients) {
    if (each.sources.size() != 1 || each.sources.front() != "rcpt-to") continue;
    if (++hidden <= kShown) known_by_envelope += (hidden > 1 ? ", " : "") + one_line(each.address);
  }
  if (hidden > kShown) known_by_envelope += " and " + count_text(hidden - kShown) + " more";
  if (hidden > 0) writer.field("Also to", known_by_envelope + "  (by the envelope alone)");
  if (info.partial)
    writer.field("Note", "a limit was met while its structure was read; the stored bytes are complete");
  for (const DeliveryInfo& one : view.deliveries) {
    const Delivery& delivery = one.delivery;
    std::string text = writer.time(delivery.captured, true) + " " + std::string(channel_name(delivery.channel));
    if (delivery.has_mail_from) text += " from <" + one_line(delivery.mail_from) + ">";
    for (size_t i = 0; i < delivery.rcpt.size() && i < kShown; ++i)
      text += (i == 0 ? " to <" : ", <") + one_line(delivery.rcpt[i].address) + ">";
    if (delivery.rcpt.size() > kShown) text += " and " + count_text(delivery.rcpt.size() - kShown) + " more";
    if (!delivery.queue_id.empty()) text += ", queue id " + one_line(delivery.queue_id);
    if (!delivery.origin.empty()) text += ", " + one_line(delivery.origin);
    writer.field("Delivery", text);
  }
  if (view.delivery_count > view.deliveries.size())
    writer.field("Delivery", "and " + count_text(view.delivery_count - view.deliveries.size()) + " more");
  for (const mime::Part& part : view.parts) {
    if (!part.attachment) continue;
    std::string name = part.filename.empty() ? "(no name)" : one_line(part.filename);
    std::string text = name + "  " + one_line(part.media_type) + "  " + size_text(part.body_end - part.body_begin) +
                       " encoded  part " + part.number;
    if (auto state = view.documents.find(part.number); state != view.documents.end())
      text += state_text(state->second);
    writer.field("Attachment", text);
  }
  for (const VariantView& variant : view.variants) write_variant(variant, &writer);
  writer.line("");
  if (view.body.empty()) {
    writer.line(writer.paint(kDim, "(no readable text)"));
  } else {
    std::string body = lines(view.body);
    while (!body.empty() && body.back() == '\n') body.pop_back();
    writer.line(body);
  }
  if (view.body_cut)
    writer.line(writer.paint(kDim, "(cut here at " + size_text(kBodyBytes) + "; --raw gives the whole message)"));
  return writer.take();
}

std::string count_text(const search::CountAnswer& answer, const TextStyle& style) {
  Writer writer(style);
  for (const query::Notice& notice : answer.notices)
    writer.line(writer.paint(kYellow, "Note: " + one_line(notice.text)));
  uint64_t most = 1;
  for (const search::CountAnswer::Bucket& bucket : answer.buckets) most = std::max(most, bucket.count);
  constexpr uint64_t kCells = 24;
  for (const search::CountAnswer::Bucket& bucket : answer.buckets) {
    std::string count = count_text(bucket.count);
    count.insert(0, count.size() < 12 ? 12 - count.size() : 0, ' ');
    const auto cells = static_cast<size_t>((bucket.count * kCells + most - 1) / most);
    writer.line(count + "  " + writer.paint(kGreen, std::string(cells, '#')) + std::string(kCells - cells + 2, ' ') +
                writer.fitted(one_line(bucket.key), count.size() + kCells + 4));
  }
  if (answer.other > 0) writer.line(count_text(answer.other) + " in values that are not listed (--limit)");
  if (answer.missing > 0) writer.line(plural(answer.missing, "mail") + " without any");
  writer.line(plural(answer.total, "mail"));
  write_index(answer.index, &writer);
  return writer.take();
}

std::string count_csv(const search::CountAnswer& answer) {
  std::string out = answer.by + ",count\r\n";
  for (const search::CountAnswer::Bucket& bucket : answer.buckets) {
    std::string key = one_line(bucket.key);
    if (key.find_first_of(",\"") != std::string::npos) {
      std::string quoted = "\"";
      for (char c : key) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
      key = quoted + "\"";
    }
    out += key + "," + std::to_string(bucket.count) + "\r\n";
  }
  return out;
}

std::string thread_text(const ThreadView& view, const TextStyle& style) {
  Writer writer(style);
  constexpr size_t kDeepest = 12;  // indented further, a tree is no easier to read
  for (const ThreadEntry& entry : view.entries) {
    const MessageInfo& info = entry.info;
    const std::string when = writer.time(info.date, false);
    const std::string indent(2 * std::min(entry.depth, kDeepest), ' ');
    writer.line(writer.paint(kDim, when) + "  " + indent +
                writer.fitted(people_text(info.from), when.size() + 2 + indent.size()));
    std::string subject = one_line(info.subject);
    const size_t left = when.size() + 4 + indent.size();
    std::string last = info.digest.hex().substr(0, kIdDigits);
    if (info.attachment_count > 0) last += "  " + plural(info.attachment_count, "attachment");
    if (!entry.copies.empty()) last += "  and " + plural(entry.copies.size(), "copy");
    writer.line(std::string(left, ' ') +
                writer.paint(kBold, writer.fitted(subject.empty() ? "(no subject)" : subject, left)));
    writer.line(std::string(left, ' ') + writer.paint(kDim, last));
  }
  if (view.total > view.entries.size())
    writer.line("the newest " + count_text(view.entries.size()) + " of " + plural(view.total, "mail") +
                " are listed");
  writer.line(plural(view.total, "mail") +
              (view.missing == 0 ? "" : ", " + plural(view.missing, "mail") + " that they name are not here"));
  return writer.take();
}

std::string status_text(const StatusView& view, const TextStyle& style) {
  Writer writer(style);
  writer.field("Archive", one_line(view.directory) + "  " + view.id.hex());
  writer.field("Mail", plural(view.messages, "message") + " in " + plural(view.deliveries, "delivery"));
  if (view.archive.applied_to != 0) writer.field("Newest", writer.time(view.archive.applied_to, true));
  writer.field("Segments", std::to_string(view.archive.last_segment));
  if (view.verified.oldest != 0)
    writer.field("Verified", "every segment since " + format_rfc3339(view.verified.oldest).substr(0, 10));
  // By how reading them went; what could not be read by type too: is:unread lists the mails.
  uint64_t read = 0;
  std::map<std::string, uint64_t> others;
  for (const DocumentCounts::Row& row : view.documents.rows) {
    if (row.status == DocumentStatus::kRead || row.status == DocumentStatus::kNoText) {
      read += row.count;
      continue;
    }
    if (row.status == DocumentStatus::kWaitsForOcr) continue;  // among those that wait
    std::string name(document_status_name(row.status));
    std::replace(name.begin(), name.end(), '_', ' ');
    others[name + " " + one_line(row.media_type.empty() ? "unknown" : row.media_type)] += row.count;
  }
  if (read != 0 || !others.empty() || view.documents.waiting + view.documents.waiting_for_ocr != 0) {
    std::string text = count_text(read) + " read";
    if (view.documents.waiting != 0) text += ", " + count_text(view.documents.waiting) + " waiting";
    if (view.documents.waiting_for_ocr != 0)
      text += ", " + count_text(view.documents.waiting_for_ocr) + " waiting for OCR";
    for (const auto& [name, count] : others) text += ", " + count_text(count) + " " + name;
    writer.field("Attachments", text);
  }
  if (view.rebuilding) writer.field("Catalog", "is being rebuilt; answers are not complete");
  if (view.archive.pending_bytes != 0)
    writer.field("Waiting", size_text(view.archive.pending_bytes) + " in the journal not yet read by the engine");
  if (!view.index_note.empty()) {
    writer.field("Index", writer.paint(kRed, one_line(view.index_note)));
  } else if (!view.has_index) {
    writer.field("Index", "none yet; archd, or archctl import, makes it");
  } else {
    write_index(view.index, &writer);
  }
  if (view.building.running)
    writer.field("Reindexing", count_text(view.building.mark) + " of " + count_text(view.archive.last_sequence) +
                                   " deliveries are in the new index; the old one answers until then");
  if (view.archive.joined_same + view.archive.joined_differing > 0)
    writer.field("Two ways", plural(view.archive.joined_same, "mail") + " came by milter and by always_bcc alike, " +
                                 count_text(view.archive.joined_differing) + " with differences");
  if (view.archive.own_domains.empty())
    writer.field("Domains",
                 "mta.own_domains is not configured: incoming, outgoing and internal cannot be told apart");
  if (view.reconcile.known) {
    const ReconcileView& proof = view.reconcile;
    if (!proof.error.empty()) {
      writer.field("Postfix", writer.paint(kRed, one_line("its log could not be compared: " + proof.error)));
    } else {
      const std::string text = count_text(proof.accepted) + " accepted, " + count_text(proof.archived) +
                               " archived, " + count_text(proof.missing) + " missing (log of " +
                               proof.from.substr(0, 10) + " to " + proof.to.substr(0, 10) + ", compared " +
                               proof.ran + ")";
      writer.field("Postfix", proof.missing == 0 ? text : writer.paint(kRed, text));
    }
  }
  if (view.canary.known) {
    const std::string text = view.canary.good ? "came through, found and verified, " + view.canary.ran
                                              : "failed at \"" + view.canary.failed_step + "\", " + view.canary.ran +
                                                    ": " + view.canary.why;
    writer.field("Canary", view.canary.good ? text : writer.paint(kRed, one_line(text)));
  }
  for (const Alert& alert : view.alerts) {
    std::string text = alert.text.subject_en + " (since " + format_rfc3339(alert.raised) + ")";
    if (!alert.failure.empty()) text += "; its mail could not be sent: " + alert.failure;
    writer.field("Alert", writer.paint(alert.severity == Severity::kCritical ? kRed : kYellow, one_line(text)));
  }
  if (!view.alerts_note.empty()) writer.field("Alerts", writer.paint(kRed, one_line(view.alerts_note)));
  for (const std::string& alarm : view.archive.alarms) writer.field("Alarm", writer.paint(kRed, one_line(alarm)));
  return writer.take();
}

}  // namespace arch::api
