// The capacity report as a page, and as a file of its own.
#include <algorithm>
#include <cmath>

#include "query/capacity/capacity.h"
#include "query/language/dates.h"
#include "query/page/context.h"
#include "query/page/format.h"

namespace arch::page {

namespace {

constexpr size_t kMonthsShown = 36;  // of the chart
constexpr double kChartHeight = 140;
constexpr double kBarStep = 24;
constexpr size_t kListed = 40;  // mailboxes
constexpr double kMonthDays = 365.25 / 12;

double part_of(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::string_view content_text(const std::string& kind, const Strings& strings) {
  if (kind == "text") return strings.kind_text;
  if (kind == "images") return strings.kind_images;
  if (kind == "pdf") return strings.kind_pdf;
  if (kind == "office") return strings.kind_office;
  if (kind == "archives") return strings.kind_archives;
  return strings.kind_other;
}

std::string_view direction_text(const std::string& direction, const Strings& strings) {
  if (direction == "incoming") return strings.incoming;
  if (direction == "outgoing") return strings.outgoing;
  if (direction == "internal") return strings.internal;
  return strings.unknown;
}

Data day_cell(const std::optional<int64_t>& day, const Strings& strings) {
  Data cell{Data::type::object};
  cell.set("cell_text", day ? day_text(*day, INT64_MIN + 2, strings) : std::string(strings.beyond));
  if (day) cell.set("cell_iso", query::format_day(*day));
  return cell;
}

void forecast_into(Data* data, const capacity::Report& report, const Strings& strings) {
  const capacity::Forecast& forecast = report.forecast;
  if (!forecast.known) {
    data->set("history", number_text(static_cast<uint64_t>(forecast.history), strings) + " / " +
                             number_text(capacity::kLeastHistory, strings));
    return;
  }
  data->set("growth", size_text(static_cast<uint64_t>(forecast.bytes_a_day * kMonthDays), strings));
  if (forecast.growth_a_year >= 0.005) data->set("growth_more", percent_text(forecast.growth_a_year, strings));
  data->set("history_length", number_text(static_cast<uint64_t>(forecast.history), strings));
  Data crossings{Data::type::list};
  for (const capacity::Crossing& crossing : forecast.crossings) {
    Data row{Data::type::object};
    row.set("crossing_level", std::to_string(crossing.percent) + (strings.lang == "fr" ? "\u00a0%" : "%"));
    row.set("is_reached", crossing.reached);
    Data days{Data::type::list};
    if (!crossing.reached)
      for (const auto& day : {crossing.earliest, crossing.likely, crossing.latest})
        days.push_back(day_cell(day, strings));
    row.set("crossing_days", days);
    crossings.push_back(row);
  }
  data->set("crossings", crossings);
}

Data shares_of(const std::vector<capacity::Share>& shares, const Strings& strings,
               const std::function<std::string(const std::string&)>& name_of) {
  uint64_t whole = 0, most = 1;
  for (const capacity::Share& share : shares) {
    whole += share.all.new_bytes;
    most = std::max(most, share.all.new_bytes);
  }
  Data list{Data::type::list};
  for (size_t i = 0; i < shares.size() && i < kListed; ++i) {
    const capacity::Share& share = shares[i];
    Data row{Data::type::object};
    row.set("share_name", name_of(share.name));
    row.set("share_size", size_text(share.all.new_bytes, strings));
    row.set("share_year", size_text(share.year.new_bytes, strings));
    row.set("share_mails", number_text(share.all.deliveries, strings));
    row.set("share_percent", percent_text(part_of(share.all.new_bytes, whole), strings));
    row.set("share_width", std::to_string(100 * part_of(share.all.new_bytes, most)));
    list.push_back(row);
  }
  return list;
}

void months_into(Data* data, const capacity::Report& report, const Strings& strings) {
  uint64_t most = 1;
  size_t skip = report.months.size() > kMonthsShown ? report.months.size() - kMonthsShown : 0;
  Data list{Data::type::list};
  size_t i = 0;
  for (const auto& [number, month] : report.months)
    if (i++ >= skip) most = std::max(most, month.new_bytes);
  double x = 0;
  i = 0;
  for (const auto& [number, month] : report.months) {
    if (i++ < skip) continue;
    const auto height = [most](uint64_t bytes) { return kChartHeight * part_of(bytes, most); };
    const double imported = height(month.imported_bytes), grown = height(month.new_bytes - month.imported_bytes);
    Data one{Data::type::object};
    one.set("x", std::to_string(x + 2));
    one.set("w", std::to_string(kBarStep - 4));
    one.set("y", std::to_string(kChartHeight - grown));
    one.set("h", std::to_string(grown));
    one.set("import_y", std::to_string(kChartHeight - grown - imported));
    one.set("import_h", std::to_string(imported));
    one.set("tx", std::to_string(x + kBarStep / 2));
    const auto of_year = static_cast<unsigned>(number % 12 + 1);
    one.set("month_name", month_text(number / 12, of_year, strings));
    if (of_year % 3 == 1) one.set("month_label", std::to_string(of_year) + "/" + std::to_string(number / 12 % 100));
    one.set("month_mails", number_text(month.deliveries, strings));
    one.set("month_size", size_text(month.new_bytes - month.imported_bytes, strings));
    one.set("month_imported", size_text(month.imported_bytes, strings));
    list.push_back(one);
    x += kBarStep;
  }
  data->set("month_list", list);
  data->set("has_months", !report.months.empty());
  data->set("chart_width", std::to_string(std::max(x, 240.0)));
}

std::string article(const capacity::Report& report, const Strings& strings, const Data& words) {
  const ArchiveUsage& usage = report.usage;
  const double share = report.used_share();
  Data data{Data::type::object};
  data.set("t", words);
  data.set("used_size", size_text(report.used_bytes, strings));
  data.set("cap_size", size_text(report.cap_bytes, strings));
  data.set("used_percent", percent_text(share, strings));
  data.set("gauge", std::to_string(std::min(1000.0, share * 1000)));
  data.set("level", std::string(share >= 0.9 ? "full" : share >= 0.7 ? "high" : "low"));
  data.set("is_full", report.forecast.full().reached);
  forecast_into(&data, report, strings);
  if (report.disk_before_cap) {
    Data disk{Data::type::object};
    if (report.disk_likely) disk.set("disk_day", day_text(*report.disk_likely, INT64_MIN + 2, strings));
    data.set("disk_ends", disk);
  }
  Data parts{Data::type::list};
  for (const auto& [name, bytes] :
       {std::pair(strings.segments, usage.segments), std::pair(strings.journal, usage.journal),
        std::pair(strings.catalog, usage.catalog), std::pair(strings.index, usage.index),
        std::pair(strings.other, usage.other)}) {
    Data one{Data::type::object};
    one.set("part_name", std::string(name));
    one.set("part_size", size_text(bytes, strings));
    one.set("part_percent", percent_text(part_of(bytes, report.used_bytes), strings));
    parts.push_back(one);
  }
  data.set("parts", parts);
  data.set("mail_count", mails_text(usage.messages, strings));
  data.set("received_size", size_text(usage.received_bytes, strings));
  if (usage.received_bytes > 0)
    data.set("ratio", percent_text(part_of(report.used_bytes, usage.received_bytes), strings));
  Data saved{Data::type::list};
  for (const auto& [name, bytes] : {std::pair(strings.mails_again, report.saved_by_copies()),
                                    std::pair(strings.parts_again, report.saved_by_parts()),
                                    std::pair(strings.compression, report.saved_by_compression())}) {
    Data one{Data::type::object};
    one.set("saved_name", std::string(name));
    one.set("saved_size", size_text(bytes, strings));
    saved.push_back(one);
  }
  data.set("saved_list", saved);
  const auto as_it_is = [](const std::string& name) { return name; };
  Data groups{Data::type::list};
  const auto group = [&](std::string_view title, const std::vector<capacity::Share>& shares,
                         const std::function<std::string(const std::string&)>& name_of, bool note) {
    if (shares.empty()) return;
    Data one{Data::type::object};
    one.set("group_title", std::string(title));
    one.set("group_rows", shares_of(shares, strings, name_of));
    one.set("has_note", note);
    groups.push_back(one);
  };
  group(
      strings.content, report.contents,
      [&](const std::string& kind) { return std::string(content_text(kind, strings)); }, false);
  group(
      strings.direction, report.directions,
      [&](const std::string& way) { return std::string(direction_text(way, strings)); }, false);
  group(strings.domain, report.domains, as_it_is, false);
  group(strings.mailbox, report.mailboxes, as_it_is, true);
  data.set("groups", groups);
  months_into(&data, report, strings);
  Data volumes{Data::type::list};
  for (const ArchiveUsage::Volume& volume : usage.volumes) {
    Data one{Data::type::object};
    one.set("volume_path", volume.path);
    one.set("is_missing", !volume.missing.empty());
    one.set("volume_segments", size_text(volume.segment_bytes, strings));
    one.set("volume_free", size_text(volume.free_bytes, strings));
    one.set("volume_reserve", size_text(volume.home ? report.reserve_bytes : volume.reserve_bytes, strings));
    volumes.push_back(one);
  }
  data.set("volume_list", volumes);
  return render("capacity.mustache", data);
}

Data words_of(const Strings& strings) {
  Data words{Data::type::object};
  for (const auto& [name, value] : all(strings)) words.set(std::string(name), std::string(value));
  return words;
}

}  // namespace

Response capacity_page(const Context& context) {
  auto report =
      capacity::report(context.archive, context.options.cap_bytes, context.options.reserve_bytes, context.now);
  if (!report) return problem_page(context, report.error());
  Response response = page_around(context, article(*report, context.strings, context.words()),
                                  std::string(context.strings.capacity), "single", "capacity");
  response.action = "capacity";
  return response;
}

std::string capacity_document(const capacity::Report& report, std::string_view language) {
  const Strings& strings = language == "en" ? kEnglish : kFrench;
  Data data{Data::type::object};
  data.set("t", words_of(strings));
  data.set("style", std::string(resource("style.css")));
  data.set("made", query::format_day(report.now / kNsPerDay));
  data.set("content", article(report, strings, words_of(strings)));
  return render("capacity_document.mustache", data);
}

}  // namespace arch::page
