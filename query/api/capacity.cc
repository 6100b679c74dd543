// The capacity report for a terminal, for scripts, for spreadsheets and for monitoring.
#include "query/capacity/capacity.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "query/api/api.h"
#include "query/api/printable.h"
#include "query/language/dates.h"

namespace arch::api {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kBarCells = 50;
constexpr size_t kListed = 12;  // mailboxes, domains
constexpr size_t kMonthsListed = 13;
constexpr size_t kLeastName = 16, kMostName = 44;

std::string percent_text(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", share * 100);
  return text;
}

double part_of(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::string month_text(int32_t month) {
  char text[16];
  std::snprintf(text, sizeof text, "%04d-%02d", month / 12, month % 12 + 1);
  return text;
}

Json day_json(const std::optional<int64_t>& day) { return day ? Json(query::format_day(*day)) : Json(nullptr); }

std::string painted(const TextStyle& style, std::string_view code, const std::string& text) {
  return style.colour ? std::string(code) + text + "\x1b[0m" : text;
}
constexpr std::string_view kBold = "\x1b[1m", kRed = "\x1b[31m", kYellow = "\x1b[33m", kGreen = "\x1b[32m";

std::string_view level_colour(double share) { return share >= 0.9 ? kRed : share >= 0.7 ? kYellow : kGreen; }

// Rows of a table: a name, then numbers to the right of it.
class Table {
 public:
  explicit Table(std::vector<std::string> heads) { rows_.push_back(std::move(heads)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string text() const {
    size_t name = kLeastName;
    for (const auto& row : rows_) name = std::max(name, std::min(kMostName, row.front().size()));
    std::string out;
    for (const auto& row : rows_) {
      std::string line = "  " + fit(row.front(), name);
      size_t column = name;
      for (size_t i = 1; i < row.size(); ++i) {
        column += kColumn;
        const size_t wide = row[i].size();
        const size_t so_far =
            line.size() - 2 - (row.front().size() > name ? 2 : 0);  // an ellipsis takes two bytes more
        line.append(column > so_far + wide ? column - so_far - wide : 1, ' ');
        line += row[i];
      }
      out += line + "\n";
    }
    return out;
  }

 private:
  static constexpr size_t kColumn = 13;
  std::vector<std::vector<std::string>> rows_;
};

void list_shares(std::string* out, const char* head, const std::vector<capacity::Share>& shares, uint64_t whole) {
  if (shares.empty()) return;
  Table table({head, "size", "share", "last 12 mo.", "mails"});
  for (size_t i = 0; i < shares.size() && i < kListed; ++i)
    table.add({one_line(shares[i].name), size_text(shares[i].all.new_bytes),
               percent_text(part_of(shares[i].all.new_bytes, whole)), size_text(shares[i].year.new_bytes),
               count_text(shares[i].all.deliveries)});
  *out += "\n" + table.text();
  if (shares.size() > kListed)
    *out += "  and " + std::to_string(shares.size() - kListed) + " more: archctl capacity --csv\n";
}

Json shares_json(const std::vector<capacity::Share>& shares) {
  Json out = Json::array();
  for (const capacity::Share& share : shares)
    out.push_back({{"name", share.name},
                   {"mails", share.all.deliveries},
                   {"received_bytes", share.all.bytes},
                   {"new_bytes", share.all.new_bytes},
                   {"new_bytes_last_12_months", share.year.new_bytes}});
  return out;
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

}  // namespace

std::string capacity_text(const capacity::Report& report, const TextStyle& style) {
  const ArchiveUsage& usage = report.usage;
  const double share = report.used_share();
  std::string out = painted(style, kBold, size_text(report.used_bytes)) + " of " + size_text(report.cap_bytes) +
                    " used (" + percent_text(share) + ")\n";
  const auto cells = static_cast<size_t>(std::min(1.0, share) * kBarCells + 0.5);
  out += "[" + painted(style, level_colour(share), std::string(cells, '#')) + std::string(kBarCells - cells, '.') +
         "]\n\n";

  const capacity::Forecast& forecast = report.forecast;
  if (!forecast.known) {
    out += "When the cap is reached: not enough history (" + std::to_string(forecast.history) + " of " +
           std::to_string(capacity::kLeastHistory) + " days without imports)\n";
  } else {
    out += "Grows by " + size_text(static_cast<uint64_t>(forecast.bytes_a_day * 365.25 / 12)) + " a month";
    char change[48];
    std::snprintf(change, sizeof change, ", by %.0f %% more each year", forecast.growth_a_year * 100);
    if (std::abs(forecast.growth_a_year) >= 0.005) out += change;
    out += " (" + count_text(static_cast<uint64_t>(forecast.history)) + " days of history" +
           (forecast.seasonal ? ", with their seasons" : "") +
           (forecast.step ? ", the level since " + query::format_day(*forecast.step) : std::string()) + ")\n\n";
    Table table({"Reached", "earliest", "likely", "latest"});
    const auto day = [](const std::optional<int64_t>& known) {
      return known ? query::format_day(*known) : std::string("not in 30 y.");
    };
    for (const capacity::Crossing& crossing : forecast.crossings) {
      const std::string level = std::to_string(crossing.percent) + " %";
      if (crossing.reached)
        table.add({level, "reached"});
      else
        table.add({level, day(crossing.earliest), day(crossing.likely), day(crossing.latest)});
    }
    out += table.text();
  }
  if (report.disk_before_cap)
    out += painted(style, kRed,
                   "The disks end before the cap" +
                       (report.disk_likely ? ", about " + query::format_day(*report.disk_likely) : std::string())) +
           ": add room with archctl volume add DIR\n";

  Table parts({"On disk", "size", "share"});
  for (const auto& [name, bytes] : {std::pair<const char*, uint64_t>{"segments", usage.segments},
                                    {"journal", usage.journal},
                                    {"catalog", usage.catalog},
                                    {"index", usage.index},
                                    {"other", usage.other}})
    parts.add({name, size_text(bytes), percent_text(part_of(bytes, report.used_bytes))});
  out += "\n" + parts.text();

  out += "\n  " + count_text(usage.messages) + " messages in " + count_text(usage.deliveries) +
         " deliveries; as received " + size_text(usage.received_bytes);
  if (usage.received_bytes != 0)
    out += ", all of the archive is " + percent_text(part_of(report.used_bytes, usage.received_bytes)) + " of that";
  out += "\n";
  Table saved({"Not stored", "size"});
  saved.add({"mails again", size_text(report.saved_by_copies())});
  saved.add({"attachments again", size_text(report.saved_by_parts())});
  saved.add({"compression", size_text(report.saved_by_compression())});
  out += saved.text();

  uint64_t content = 0;
  for (const capacity::Share& kind : report.contents) content += kind.all.new_bytes;
  list_shares(&out, "Content", report.contents, content);
  list_shares(&out, "Direction", report.directions, content);
  list_shares(&out, "Domain", report.domains, content);
  list_shares(&out, "Mailbox", report.mailboxes, content);
  if (report.mailboxes.empty() && usage.messages != 0)
    out += "\n  Mailboxes are listed once mta.own_domains says which domains are ours.\n";
  else if (!report.mailboxes.empty())
    out += "  A mail counts in full for each of its mailboxes.\n";

  if (!report.months.empty()) {
    Table months({"Month", "new", "imported", "received", "mails"});
    size_t skip = report.months.size() > kMonthsListed ? report.months.size() - kMonthsListed : 0;
    for (const auto& [month, counts] : report.months) {
      if (skip > 0) {
        --skip;
        continue;
      }
      months.add({month_text(month), size_text(counts.new_bytes - counts.imported_bytes),
                  size_text(counts.imported_bytes), size_text(counts.bytes), count_text(counts.deliveries)});
    }
    out += "\n" + months.text();
  }

  Table volumes({"Volume", "segments", "free", "reserve"});
  for (const ArchiveUsage::Volume& volume : usage.volumes) {
    if (volume.missing.empty())
      volumes.add({volume.path, size_text(volume.segment_bytes), size_text(volume.free_bytes),
                   size_text(volume.home ? report.reserve_bytes : volume.reserve_bytes)});
    else
      volumes.add({volume.path, "missing"});
  }
  return out + "\n" + volumes.text();
}

std::string capacity_json(const capacity::Report& report) {
  const ArchiveUsage& usage = report.usage;
  const capacity::Forecast& forecast = report.forecast;
  Json crossings = Json::array();
  for (const capacity::Crossing& crossing : forecast.crossings)
    crossings.push_back({{"percent", crossing.percent},
                         {"reached", crossing.reached},
                         {"earliest", day_json(crossing.earliest)},
                         {"likely", day_json(crossing.likely)},
                         {"latest", day_json(crossing.latest)}});
  Json months = Json::array();
  for (const auto& [month, counts] : report.months)
    months.push_back({{"month", month_text(month)},
                      {"mails", counts.deliveries},
                      {"received_bytes", counts.bytes},
                      {"new_bytes", counts.new_bytes},
                      {"imported_bytes", counts.imported_bytes}});
  Json volumes = Json::array();
  for (const ArchiveUsage::Volume& volume : usage.volumes)
    volumes.push_back({{"path", volume.path},
                       {"home", volume.home},
                       {"missing", volume.missing},
                       {"segments", volume.segment_count},
                       {"segment_bytes", volume.segment_bytes},
                       {"free_bytes", volume.free_bytes},
                       {"reserve_bytes", volume.home ? report.reserve_bytes : volume.reserve_bytes}});
  const Json json = {{"schema", "capacity/2"},
                     {"used_bytes", report.used_bytes},
                     {"cap_bytes", report.cap_bytes},
                     {"free_bytes", report.free_bytes},
                     {"segments_bytes", usage.segments},
                     {"journal_bytes", usage.journal},
                     {"catalog_bytes", usage.catalog},
                     {"index_bytes", usage.index},
                     {"other_bytes", usage.other},
                     {"messages", usage.messages},
                     {"deliveries", usage.deliveries},
                     {"received_bytes", usage.received_bytes},
                     {"message_bytes", usage.message_bytes},
                     {"segments", usage.segment_count},
                     {"journal_files", usage.journal_count},
                     {"saved",
                      {{"mails_again_bytes", report.saved_by_copies()},
                       {"attachments_again_bytes", report.saved_by_parts()},
                       {"compression_bytes", report.saved_by_compression()}}},
                     {"forecast",
                      {{"known", forecast.known},
                       {"history_days", forecast.history},
                       {"seasonal", forecast.seasonal},
                       {"level_since", day_json(forecast.step)},
                       {"bytes_a_day", static_cast<uint64_t>(forecast.bytes_a_day)},
                       {"growth_a_year", std::round(forecast.growth_a_year * 1000) / 1000},
                       {"reached", std::move(crossings)},
                       {"disk_before_cap", report.disk_before_cap},
                       {"disk_likely", day_json(report.disk_likely)}}},
                     {"directions", shares_json(report.directions)},
                     {"contents", shares_json(report.contents)},
                     {"domains", shares_json(report.domains)},
                     {"mailboxes", shares_json(report.mailboxes)},
                     {"months", std::move(months)},
                     {"volumes", std::move(volumes)},
                     {"now", format_rfc3339(report.now)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string capacity_csv(const capacity::Report& report) {
  std::string out = "kind,name,mails,received_bytes,new_bytes,imported_bytes,new_bytes_last_12_months\r\n";
  const auto number = [](uint64_t value) { return std::to_string(value); };
  for (const auto& [month, counts] : report.months)
    out += "month," + month_text(month) + "," + number(counts.deliveries) + "," + number(counts.bytes) + "," +
           number(counts.new_bytes) + "," + number(counts.imported_bytes) + ",\r\n";
  for (const auto& [kind, shares] :
       {std::pair("direction", &report.directions), std::pair("content", &report.contents),
        std::pair("domain", &report.domains), std::pair("mailbox", &report.mailboxes)})
    for (const capacity::Share& share : *shares)
      out += std::string(kind) + "," + csv_field(share.name) + "," + number(share.all.deliveries) + "," +
             number(share.all.bytes) + "," + number(share.all.new_bytes) + ",," + number(share.year.new_bytes) +
             "\r\n";
  return out;
}

std::string capacity_check(const capacity::Report& report) {
  static constexpr const char* kStates[] = {"OK", "WARNING", "CRITICAL"};
  std::string out = std::string("CAPACITY ") + kStates[capacity::monitoring_state(report)] + " - " +
                    size_text(report.used_bytes) + " of " + size_text(report.cap_bytes) + " used (" +
                    percent_text(report.used_share()) + ")";
  const auto left = report.days_left();
  if (report.forecast.full().reached)
    out += ", the cap is reached";
  else if (!report.forecast.known)
    out += ", not enough history to say when the cap is reached";
  else if (left)
    out += ", the cap is reached about " + query::format_day(*report.forecast.full().likely);
  if (report.disk_before_cap) out += ", the disks end before it";
  for (const ArchiveUsage::Volume& volume : report.usage.volumes)
    if (!volume.missing.empty()) out += ", volume " + volume.path + " is missing";
  std::replace(out.begin(), out.end(), '|', '/');
  const auto of_cap = [&](int percent) {
    return std::to_string(static_cast<uint64_t>(static_cast<double>(report.cap_bytes) * percent / 100));
  };
  out += " | used=" + std::to_string(report.used_bytes) + "B;" + of_cap(70) + ";" + of_cap(90) + ";0;" +
         std::to_string(report.cap_bytes) + " free=" + std::to_string(report.free_bytes) + "B";
  if (left) out += " days=" + std::to_string(*left) + ";180:;30:;0;";
  return out + "\n";
}

}  // namespace arch::api
