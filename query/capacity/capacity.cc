#include "query/capacity/capacity.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <set>

#include "engine/io/fs.h"

namespace arch::capacity {

namespace {

constexpr std::array<int, 5> kUsedLevels = {50, 70, 80, 90, 95};  // percent
constexpr std::array<int, 3> kDateLevels = {180, 90, 30};         // days
constexpr double kDateSlack = 1.15;                               // over a level before what it raised is cleared
constexpr int kDaily = 90;                                        // percent from which it is told every day
constexpr uint64_t kEnoughPacked = 16ull << 20;                   // bytes of mail that say what a byte takes on disk
constexpr std::string_view kUsed = "capacity-used-", kDate = "capacity-date-", kDisk = "capacity-disk",
                           kReserve = "capacity-reserve", kVolume = "volume-missing";

int32_t month_of_day(int64_t day) {
  int64_t year = 0;
  unsigned month = 0, day_of_month = 0;
  civil_from_days(day, &year, &month, &day_of_month);
  return static_cast<int32_t>(year * 12 + month - 1);
}

uint64_t above(uint64_t larger, uint64_t smaller) { return larger > smaller ? larger - smaller : 0; }

// What is still in the journal will be packed: it counts by what is packed already, once that says something.
double disk_per_byte(const ArchiveUsage& usage) {
  if (usage.packed_raw >= kEnoughPacked)
    return std::min(2.0, static_cast<double>(usage.segments + usage.catalog + usage.index) /
                             static_cast<double>(usage.packed_raw));
  if (usage.message_bytes == 0) return 1;
  return std::min(2.0, static_cast<double>(usage.total()) / static_cast<double>(usage.message_bytes));
}

std::vector<Share> shares(const std::map<ArchiveUsage::AccountKey, ArchiveUsage::Account>& accounts, AccountKind kind,
                          int32_t this_month) {
  std::map<std::string, Share> by_name;
  for (const auto& [key, account] : accounts) {
    if (key.kind != kind) continue;
    Share& share = by_name[key.name];
    share.name = key.name;
    share.all += account;
    if (key.month > this_month - 12) share.year += account;
  }
  std::vector<Share> out;
  out.reserve(by_name.size());
  for (auto& [name, share] : by_name) out.push_back(std::move(share));
  std::stable_sort(out.begin(), out.end(),
                   [](const Share& a, const Share& b) { return a.all.new_bytes > b.all.new_bytes; });
  return out;
}

void take_months(Report* report) {
  for (const auto& [day, counts] : report->usage.days) {
    Month& month = report->months[month_of_day(day)];
    month.deliveries += counts.deliveries;
    month.bytes += counts.bytes;
    month.new_bytes += counts.new_bytes;
    month.imported_bytes += counts.imported_bytes;
  }
  if (report->months.empty()) return;
  const int32_t last = report->months.rbegin()->first;
  for (int32_t month = report->months.begin()->first; month < last; ++month) report->months[month];
}

// Volumes on one file system share its room.
uint64_t free_above_reserves(const ArchiveUsage& usage, uint64_t home_reserve) {
  std::map<uint64_t, std::pair<uint64_t, uint64_t>> by_device;  // free, reserve
  for (const ArchiveUsage::Volume& volume : usage.volumes) {
    if (!volume.missing.empty()) continue;
    auto& [free, reserve] = by_device[volume.device];
    free = volume.free_bytes;
    reserve = std::max(reserve, volume.home ? home_reserve : volume.reserve_bytes);
  }
  uint64_t sum = 0;
  for (const auto& [device, room] : by_device) sum += above(room.first, room.second);
  return sum;
}

std::string size_text(uint64_t bytes, bool french) {
  static constexpr std::array<const char*, 5> kFrench = {"o", "Kio", "Mio", "Gio", "Tio"};
  static constexpr std::array<const char*, 5> kEnglish = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kFrench.size(); ++unit) value /= 1024;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value,
                french ? kFrench.at(unit) : kEnglish.at(unit));
  std::string out = text.data();
  if (french) std::replace(out.begin(), out.end(), '.', ',');
  return out;
}

std::string day_text(int64_t day) { return format_rfc3339(day * kNsPerDay).substr(0, 10); }

struct Words {
  std::string french, english;
};

// What every one of these mails says below its news.
Words situation(const Report& report) {
  Words out;
  std::array<char, 16> percent{};
  std::snprintf(percent.data(), percent.size(), "%.1f", report.used_share() * 100);
  out.english = size_text(report.used_bytes, false) + " of " + size_text(report.cap_bytes, false) + " are used (" +
                percent.data() + " %), " + size_text(report.free_bytes, false) + " are free on the disks.\n";
  std::string french_percent = percent.data();
  std::replace(french_percent.begin(), french_percent.end(), '.', ',');
  out.french = size_text(report.used_bytes, true) + " sur " + size_text(report.cap_bytes, true) + " sont utilisés (" +
               french_percent + " %), " + size_text(report.free_bytes, true) + " sont libres sur les disques.\n";
  const Crossing& full = report.forecast.full();
  if (!report.forecast.known) {
    out.english += "There is not enough history yet to say when the cap will be reached.\n";
    out.french += "L'historique est encore trop court pour dire quand la limite sera atteinte.\n";
  } else if (full.likely) {
    const std::string between = full.earliest && full.latest ? day_text(*full.earliest) : std::string();
    out.english += "The cap will be reached about " + day_text(*full.likely) +
                   (between.empty() ? "" : " (between " + between + " and " + day_text(*full.latest) + ")") + ".\n";
    out.french += "La limite sera atteinte vers le " + day_text(*full.likely) +
                  (between.empty() ? "" : " (entre le " + between + " et le " + day_text(*full.latest) + ")") + ".\n";
  }
  out.english +=
      "\nNothing is deleted, and mail goes on being archived whatever the cap. To add room: mount a disk and run\n"
      "  archctl volume add DIR\nthen raise archive.cap_bytes. The report: archctl capacity\n";
  out.french +=
      "\nRien n'est supprimé, et l'archivage continue quelle que soit la limite. Pour ajouter de la place : montez "
      "un "
      "disque, puis\n  archctl volume add RÉPERTOIRE\net relevez archive.cap_bytes. Le rapport : archctl capacity\n";
  return out;
}

Alert alert_of(const Report& report, std::string key, Severity severity, UnixNs repeat, const Words& subject,
               const Words& news) {
  Alert alert;
  alert.key = std::move(key);
  alert.severity = severity;
  alert.repeat = repeat;
  const Words below = situation(report);
  alert.text.subject_fr = subject.french;
  alert.text.subject_en = subject.english;
  alert.text.body_fr = news.french + below.french;
  alert.text.body_en = news.english + below.english;
  return alert;
}

bool begins(std::string_view text, std::string_view with) { return text.substr(0, with.size()) == with; }

bool stands(const std::vector<Alert>& standing, const std::string& key) {
  return std::any_of(standing.begin(), standing.end(), [&](const Alert& alert) { return alert.key == key; });
}

}  // namespace

uint64_t Report::saved_by_copies() const { return above(usage.received_bytes, usage.message_bytes); }
uint64_t Report::saved_by_parts() const { return above(usage.packed_raw, usage.packed_unpacked); }
uint64_t Report::saved_by_compression() const { return above(usage.packed_unpacked, usage.packed_stored); }

double Report::used_share() const {
  return cap_bytes == 0 ? 1 : static_cast<double>(used_bytes) / static_cast<double>(cap_bytes);
}

std::optional<int64_t> Report::days_left() const {
  if (forecast.full().reached) return 0;
  if (!forecast.full().likely) return std::nullopt;
  return std::max<int64_t>(0, *forecast.full().likely - now / kNsPerDay);
}

Report report_of(ArchiveUsage usage, const std::map<ArchiveUsage::AccountKey, ArchiveUsage::Account>& accounts,
                 uint64_t cap_bytes, uint64_t reserve_bytes, UnixNs now) {
  Report out;
  out.now = now;
  out.cap_bytes = cap_bytes;
  out.reserve_bytes = reserve_bytes;
  out.usage = std::move(usage);
  out.used_bytes = out.usage.total();
  out.disk_per_byte = disk_per_byte(out.usage);
  const int64_t today = now / kNsPerDay;
  out.forecast = forecast(out.usage.days, today, out.disk_per_byte, out.used_bytes, cap_bytes);
  out.free_bytes = free_above_reserves(out.usage, reserve_bytes);
  out.disk_before_cap = out.free_bytes < above(cap_bytes, out.used_bytes);
  if (out.disk_before_cap)
    out.disk_likely =
        forecast(out.usage.days, today, out.disk_per_byte, out.used_bytes, out.used_bytes + out.free_bytes + 1)
            .full()
            .likely;
  const int32_t this_month = month_of_day(today);
  out.directions = shares(accounts, AccountKind::kDirection, this_month);
  out.contents = shares(accounts, AccountKind::kContent, this_month);
  out.domains = shares(accounts, AccountKind::kDomain, this_month);
  out.mailboxes = shares(accounts, AccountKind::kMailbox, this_month);
  take_months(&out);
  return out;
}

Result<Report> report(const Archive& archive, uint64_t cap_bytes, uint64_t reserve_bytes, UnixNs now) {
  ARCH_TRY(ArchiveUsage usage, archive.usage());
  ARCH_TRY(auto accounts, archive.accounts());
  return report_of(std::move(usage), accounts, cap_bytes, reserve_bytes, now);
}

std::vector<Alert> alerts(const Report& report, const std::vector<Alert>& standing) {
  std::vector<Alert> out;
  int level = 0;
  for (const int percent : kUsedLevels)
    if (report.used_share() * 100 >= percent) level = percent;
  if (level != 0) {
    const std::string percent = std::to_string(level);
    const Words subject = {"L'archive occupe plus de " + percent + " % de sa limite",
                           "The archive takes more than " + percent + " % of its cap"};
    out.push_back(alert_of(report, std::string(kUsed) + percent,
                           level >= kDaily ? Severity::kCritical : Severity::kWarning,
                           level >= kDaily ? kNsPerDay : 7 * kNsPerDay, subject, {}));
  }
  if (const auto left = report.days_left(); left && !report.forecast.full().reached) {
    int limit = 0;
    for (const int days : kDateLevels) {
      const std::string key = std::string(kDate) + std::to_string(days);
      // A likely day that wavers around the limit is one crossing, not many. A nearer one keeps it from being raised again.
      const bool was_here = std::any_of(kDateLevels.begin(), kDateLevels.end(), [&](int nearer) {
        return nearer <= days && stands(standing, std::string(kDate) + std::to_string(nearer));
      });
      if (*left < days || (was_here && static_cast<double>(*left) < days * kDateSlack)) limit = days;
    }
    if (limit != 0) {
      const std::string days = std::to_string(limit);
      const Words subject = {"La limite de l'archive sera atteinte dans moins de " + days + " jours",
                             "The archive's cap will be reached in less than " + days + " days"};
      out.push_back(alert_of(report, std::string(kDate) + days,
                             limit <= kDateLevels.back() ? Severity::kCritical : Severity::kWarning, 7 * kNsPerDay,
                             subject, {}));
    }
  }
  if (report.disk_before_cap) {
    const std::string day = report.disk_likely ? day_text(*report.disk_likely) : std::string();
    const bool soon = report.disk_likely && *report.disk_likely - report.now / kNsPerDay < kDateLevels.back();
    const Words subject = {"Les disques seront pleins avant que la limite de l'archive soit atteinte",
                           "The disks will be full before the archive's cap is reached"};
    const Words news = {day.empty() ? "" : "Les disques seront pleins vers le " + day + ".\n",
                        day.empty() ? "" : "The disks will be full about " + day + ".\n"};
    out.push_back(alert_of(report, std::string(kDisk), soon ? Severity::kCritical : Severity::kWarning,
                           soon ? kNsPerDay : 7 * kNsPerDay, subject, news));
  }
  for (const ArchiveUsage::Volume& volume : report.usage.volumes) {
    if (!volume.home || volume.free_bytes >= report.reserve_bytes) continue;
    const Words subject = {"Disque plein : l'archive n'accepte plus de messages",
                           "Disk full: the archive takes no more mail"};
    const Words news = {
        "Il reste " + size_text(volume.free_bytes, true) + " sur le disque de l'archive, moins que la réserve (" +
            size_text(report.reserve_bytes, true) +
            "). Postfix garde les messages et les remettra dès que de la place sera libérée.\n",
        size_text(volume.free_bytes, false) + " are left on the archive's disk, less than the reserve (" +
            size_text(report.reserve_bytes, false) +
            "). Postfix keeps the mail and hands it over as soon as there is room.\n"};
    out.push_back(alert_of(report, std::string(kReserve), Severity::kCritical, kNsPerDay, subject, news));
  }
  std::string away;
  for (const ArchiveUsage::Volume& volume : report.usage.volumes)
    if (!volume.missing.empty()) away += "  " + volume.path + ": " + volume.missing + "\n";
  if (!away.empty()) {
    const Words subject = {"Un volume de l'archive est absent", "A volume of the archive is missing"};
    const Words news = {"Les messages qui s'y trouvent ne peuvent pas être lus ; la recherche continue :\n\n" + away +
                            "\nRemontez-le : rien d'autre n'est à faire. Voir : archctl volume list\n\n",
                        "The mail on it cannot be read; searching goes on:\n\n" + away +
                            "\nMount it again: nothing else has to be done. See: archctl volume list\n\n"};
    out.push_back(alert_of(report, std::string(kVolume), Severity::kCritical, kNsPerDay, subject, news));
  }
  return out;
}

Result<std::vector<std::string>> tell(const Report& report, AlertBook* book) {
  std::vector<std::string> fresh;
  const std::vector<Alert> wanted = alerts(report, book->standing());
  for (const Alert& alert : wanted) {
    ARCH_TRY(bool raised, book->raise(alert));
    if (raised) fresh.push_back(alert.key);
  }
  for (const std::string_view family : {kUsed, kDate, kDisk, kReserve, kVolume}) {
    const auto kept = std::find_if(wanted.begin(), wanted.end(),
                                   [family](const Alert& alert) { return begins(alert.key, family); });
    ARCH_TRY_VOID(book->clear_others(family, kept == wanted.end() ? std::string_view() : kept->key));
  }
  return fresh;
}

int monitoring_state(const Report& report) {
  int state = 0;
  for (const Alert& alert : alerts(report, {})) {
    if (alert.key == std::string(kUsed) + "50") continue;  // news, and nothing to do about it
    state = std::max(state, alert.severity == Severity::kCritical ? 2 : 1);
  }
  return state;
}

}  // namespace arch::capacity
