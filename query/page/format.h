// Dates, sizes and numbers in the reader's language and time zone. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/clock.h"
#include "engine/people/own_domains.h"
#include "query/language/timezone.h"
#include "query/page/strings.h"

namespace arch::page {

/// "12 345" in French (with U+202F), "12,345" in English.
std::string number_text(uint64_t number, const Strings& strings);
/// 1024-based: "1,5 Mo" in French, "1.5 MB" in English.
std::string size_text(uint64_t bytes, const Strings& strings);
/// "12,3 %" or "12.3%".
std::string percent_text(double share, const Strings& strings);
/// `mails` with the word behind: "1 message", "12 345 messages".
std::string mails_text(uint64_t mails, const Strings& strings);

/// The local day of an instant, in days since 1970.
int64_t local_day(UnixNs time, const query::Timezone& zone);
/// "vendredi 15 mars 2024", "Friday 15 March 2024"; "Aujourd’hui" and "Hier" near `today`.
std::string day_text(int64_t day, int64_t today, const Strings& strings);
/// "09:12"
std::string time_text(UnixNs time, const query::Timezone& zone);
/// "15 mars 2024, 09:12:44 (+01:00)"
std::string exact_text(UnixNs time, const query::Timezone& zone, const Strings& strings);
/// "mars 2024"
std::string month_text(int64_t year, unsigned month, const Strings& strings);

struct Date {
  int64_t year = 0;
  unsigned month = 0, day = 0;
};
Date civil(int64_t day);
/// "Entrant", "Outgoing"; empty when it is not known.
std::string_view way_text(Direction direction, const Strings& strings);

/// What people call a media type: "PDF", "Word", "JPEG"; of an unknown one its subtype.
std::string type_text(std::string_view media_type);

}  // namespace arch::page
