#include "query/page/format.h"

#include <map>

#include <array>
#include <cmath>
#include <cstdio>

namespace arch::page {

namespace {

bool french(const Strings& strings) { return strings.lang == "fr"; }

constexpr std::array<std::string_view, 12> kMonthsFr = {"janvier",   "février", "mars",     "avril",
                                                        "mai",       "juin",    "juillet",  "août",
                                                        "septembre", "octobre", "novembre", "décembre"};
constexpr std::array<std::string_view, 12> kMonthsEn = {"January",   "February", "March",    "April",
                                                        "May",       "June",     "July",     "August",
                                                        "September", "October",  "November", "December"};
constexpr std::array<std::string_view, 7> kDaysFr = {"lundi",    "mardi",  "mercredi", "jeudi",
                                                     "vendredi", "samedi", "dimanche"};
constexpr std::array<std::string_view, 7> kDaysEn = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                     "Friday", "Saturday", "Sunday"};

std::string decimal(double value, const Strings& strings) {
  char text[32];
  std::snprintf(text, sizeof text, value < 10 ? "%.1f" : "%.0f", value);
  std::string out = text;
  if (const size_t point = out.find('.'); point != std::string::npos) {
    if (out.back() == '0') {
      out.resize(point);
    } else if (french(strings)) {
      out[point] = ',';
    }
  }
  return out;
}

int64_t floor_seconds(UnixNs time) {
  return time >= 0 ? time / kNsPerSecond : -((-time + kNsPerSecond - 1) / kNsPerSecond);
}

}  // namespace

std::string number_text(uint64_t number, const Strings& strings) {
  const std::string digits = std::to_string(number);
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out += french(strings) ? "\u202f" : ",";
    out += digits[i];
  }
  return out;
}

std::string size_text(uint64_t bytes, const Strings& strings) {
  constexpr std::array<std::string_view, 5> kFr = {"octets", "Ko", "Mo", "Go", "To"};
  constexpr std::array<std::string_view, 5> kEn = {"bytes", "KB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kFr.size(); ++unit) value /= 1024;
  if (value >= 1023.5 && unit + 1 < kFr.size()) {  // would be shown as 1024
    value /= 1024;
    ++unit;
  }
  return (unit == 0 ? number_text(bytes, strings) : decimal(value, strings)) + "\u00a0" +
         std::string(french(strings) ? kFr[unit] : kEn[unit]);
}

std::string percent_text(double share, const Strings& strings) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", share * 100);
  std::string out = text;
  if (!french(strings)) return out + "%";
  if (const size_t point = out.find('.'); point != std::string::npos) out[point] = ',';
  return out + "\u00a0%";
}

std::string mails_text(uint64_t mails, const Strings& strings) {
  // French counts none as one.
  const bool one = french(strings) ? mails < 2 : mails == 1;
  return number_text(mails, strings) + "\u00a0" + std::string(one ? strings.one_mail : strings.many_mails);
}

Date civil(int64_t day) {
  Date date;
  civil_from_days(day, &date.year, &date.month, &date.day);
  return date;
}

std::string_view way_text(Direction direction, const Strings& strings) {
  switch (direction) {
    case Direction::kIncoming:
      return strings.incoming;
    case Direction::kOutgoing:
      return strings.outgoing;
    case Direction::kInternal:
      return strings.internal;
    case Direction::kUnknown:
      break;
  }
  return {};
}

int64_t local_day(UnixNs time, const query::Timezone& zone) { return zone.day_of(floor_seconds(time)); }

std::string month_text(int64_t year, unsigned month, const Strings& strings) {
  return std::string((french(strings) ? kMonthsFr : kMonthsEn)[(month + 11) % 12]) + " " + std::to_string(year);
}

std::string day_text(int64_t day, int64_t today, const Strings& strings) {
  if (day == today) return std::string(strings.today);
  if (day == today - 1) return std::string(strings.yesterday);
  const Date date = civil(day);
  const auto weekday = static_cast<size_t>(((day + 3) % 7 + 7) % 7);  // 1970-01-01 was a Thursday
  return std::string((french(strings) ? kDaysFr : kDaysEn)[weekday]) + " " +
         (french(strings) && date.day == 1 ? "1er" : std::to_string(date.day)) + " " +
         month_text(date.year, date.month, strings);
}

std::string time_text(UnixNs time, const query::Timezone& zone) {
  const int64_t seconds = floor_seconds(time);
  const int64_t local = seconds + zone.offset_at(seconds);
  const int64_t of_day = (local % 86'400 + 86'400) % 86'400;
  char text[32];
  std::snprintf(text, sizeof text, "%02d:%02d", static_cast<int>(of_day / 3'600), static_cast<int>(of_day / 60 % 60));
  return text;
}

std::string exact_text(UnixNs time, const query::Timezone& zone, const Strings& strings) {
  const int64_t seconds = floor_seconds(time);
  const int32_t offset = zone.offset_at(seconds);
  const Date date = civil(local_day(time, zone));
  const int64_t of_minute = (seconds % 60 + 60) % 60;
  char tail[48];
  std::snprintf(tail, sizeof tail, ":%02d (%c%02d:%02d)", static_cast<int>(of_minute), offset < 0 ? '-' : '+',
                std::abs(offset) / 3'600, std::abs(offset) / 60 % 60);
  return (french(strings) && date.day == 1 ? "1er" : std::to_string(date.day)) + " " +
         month_text(date.year, date.month, strings) + ", " + time_text(time, zone) + tail;
}

std::string type_text(std::string_view media_type) {
  static const std::map<std::string_view, std::string_view> known = {
      {"application/pdf", "PDF"},
      {"application/msword", "Word (.doc)"},
      {"application/vnd.openxmlformats-officedocument.wordprocessingml.document", "Word"},
      {"application/vnd.ms-excel", "Excel (.xls)"},
      {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "Excel"},
      {"application/vnd.ms-powerpoint", "PowerPoint (.ppt)"},
      {"application/vnd.openxmlformats-officedocument.presentationml.presentation", "PowerPoint"},
      {"application/vnd.oasis.opendocument.text", "OpenDocument"},
      {"application/vnd.oasis.opendocument.spreadsheet", "OpenDocument (.ods)"},
      {"application/vnd.oasis.opendocument.presentation", "OpenDocument (.odp)"},
      {"application/rtf", "RTF"},
      {"application/zip", "ZIP"},
      {"application/x-zip-compressed", "ZIP"},
      {"application/gzip", "gzip"},
      {"application/octet-stream", "octet-stream"},
      {"application/pkcs7-signature", "S/MIME"},
      {"application/pkcs7-mime", "S/MIME"},
      {"application/pgp-signature", "PGP"},
      {"image/jpeg", "JPEG"},
      {"image/png", "PNG"},
      {"image/gif", "GIF"},
      {"image/tiff", "TIFF"},
      {"image/heic", "HEIC"},
      {"image/svg+xml", "SVG"},
      {"message/rfc822", "e-mail"},
      {"message/delivery-status", "DSN"},
      {"text/calendar", "iCalendar"},
      {"text/csv", "CSV"},
      {"text/html", "HTML"},
      {"text/plain", "TXT"},
      {"text/vcard", "vCard"},
      {"application/xml", "XML"},
      {"text/xml", "XML"},
      {"application/json", "JSON"}};
  if (auto found = known.find(media_type); found != known.end()) return std::string(found->second);
  const size_t slash = media_type.find('/');
  std::string_view subtype = slash == std::string_view::npos ? media_type : media_type.substr(slash + 1);
  for (std::string_view start : {"x-", "vnd."})
    if (subtype.substr(0, start.size()) == start) subtype.remove_prefix(start.size());
  return subtype.empty() ? std::string(media_type) : std::string(subtype);
}

}  // namespace arch::page
