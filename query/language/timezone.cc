#include "query/language/timezone.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <optional>

#include "engine/base/clock.h"

namespace arch::query {
namespace {

constexpr int64_t kDay = 86'400;
constexpr size_t kMaxFileBytes = 1u << 20;
constexpr size_t kMaxNameBytes = 64;

uint64_t big_endian(std::string_view bytes) {
  uint64_t value = 0;
  for (char c : bytes) value = value << 8 | static_cast<uint8_t>(c);
  return value;
}

bool is_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes || name.front() == '/' || name.find("..") != std::string_view::npos)
    return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '+' || c == '/';
  });
}

// Walks a POSIX TZ string; every member gives false or nothing on what does not belong there.
class PosixText {
 public:
  explicit PosixText(std::string_view text) : left_(text) {}
  bool at_end() const { return left_.empty(); }
  bool take(char c) {
    if (left_.empty() || left_.front() != c) return false;
    left_.remove_prefix(1);
    return true;
  }
  bool name() {
    if (take('<')) {
      size_t end = left_.find('>');
      if (end == std::string_view::npos) return false;
      left_.remove_prefix(end + 1);
      return true;
    }
    size_t size = 0;
    while (size < left_.size() &&
           ((left_[size] >= 'A' && left_[size] <= 'Z') || (left_[size] >= 'a' && left_[size] <= 'z')))
      ++size;
    left_.remove_prefix(size);
    return size >= 3;
  }
  std::optional<int> number(int max) {
    if (left_.empty() || left_.front() < '0' || left_.front() > '9') return std::nullopt;
    int value = 0;
    while (!left_.empty() && left_.front() >= '0' && left_.front() <= '9') {
      value = value * 10 + (left_.front() - '0');
      if (value > max) return std::nullopt;
      left_.remove_prefix(1);
    }
    return value;
  }
  std::optional<int32_t> time() {  // [+-]h[h][:mm[:ss]], up to 167 hours (RFC 8536 section 3.3.1)
    int sign = take('-') ? -1 : 1;
    if (sign == 1) take('+');
    auto hours = number(167);
    if (!hours) return std::nullopt;
    int32_t seconds = *hours * 3600;
    if (take(':')) {
      auto minutes = number(59);
      if (!minutes) return std::nullopt;
      seconds += *minutes * 60;
      if (take(':')) {
        auto rest = number(59);
        if (!rest) return std::nullopt;
        seconds += *rest;
      }
    }
    return sign * seconds;
  }

 private:
  std::string_view left_;
};

}  // namespace

Result<Timezone> Timezone::load(std::string_view name) {
  if (name == "UTC" || name.empty()) return Timezone();
  std::string shown(name.substr(0, kMaxNameBytes));
  if (!is_name(name))
    return fail(Code::kInvalid, "'" + shown + "' is no time zone", "write a name such as Europe/Paris, or UTC");
  const char* directory = std::getenv("TZDIR");
  std::string path = std::string(directory != nullptr ? directory : "/usr/share/zoneinfo") + "/" + shown;
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return fail(Code::kNotFound, "time zone '" + shown + "' is not known here",
                "install the package tzdata, or write UTC");
  std::string bytes;
  std::array<char, 4096> piece;  // of which most have one: a buffer of the largest would be cleared for each query
  do {
    file.read(piece.data(), piece.size());
    bytes.append(piece.data(), static_cast<size_t>(file.gcount()));
  } while (file && bytes.size() < kMaxFileBytes);
  if (file.bad()) return fail(Code::kIo, path + ": cannot be read");
  auto zone = from_tzif(bytes);
  if (!zone) return fail(Code::kInvalid, path + ": " + zone.error().what);
  return zone;
}

Result<Timezone> Timezone::from_tzif(std::string_view bytes) {
  // RFC 8536 section 3: a block with 32-bit times; from version 2 on a second one with 64-bit times and a footer.
  auto broken = [] { return fail(Code::kInvalid, "not a time zone file"); };
  constexpr size_t kHeader = 44;
  size_t time_size = 4;
  for (;;) {
    if (bytes.size() < kHeader || bytes.substr(0, 4) != "TZif") return broken();
    char version = bytes[4];
    uint64_t counts[6];  // isut, isstd, leap, time, type, char
    for (size_t i = 0; i < 6; ++i) {
      counts[i] = big_endian(bytes.substr(20 + 4 * i, 4));
      if (counts[i] > kMaxFileBytes) return broken();
    }
    auto [isut, isstd, leap, times, types, chars] = counts;
    uint64_t body = times * time_size + times + types * 6 + chars + leap * (time_size + 4) + isstd + isut;
    if (body > bytes.size() - kHeader) return broken();
    if (time_size == 4 && version >= '2') {
      bytes.remove_prefix(kHeader + body);
      time_size = 8;
      continue;
    }
    if (types == 0) return broken();
    Timezone zone;
    std::string_view data = bytes.substr(kHeader);
    std::string_view index = data.substr(times * time_size, times);
    std::string_view type = data.substr(times * (time_size + 1), types * 6);
    auto offset = [&](size_t i) {
      return static_cast<int32_t>(static_cast<uint32_t>(big_endian(type.substr(6 * i, 4))));
    };
    for (size_t i = 0; i < types; ++i)
      if (offset(i) < -26 * 3600 || offset(i) > 26 * 3600) return broken();
    zone.first_offset_ = offset(0);
    for (size_t i = 0; i < times; ++i) {
      uint64_t raw = big_endian(data.substr(i * time_size, time_size));
      int64_t at = time_size == 8 ? static_cast<int64_t>(raw) : static_cast<int32_t>(static_cast<uint32_t>(raw));
      size_t kind = static_cast<uint8_t>(index[i]);
      if (kind >= types || (!zone.changes_.empty() && at <= zone.changes_.back().at)) return broken();
      zone.changes_.push_back({at, offset(kind)});
    }
    if (time_size == 8) {
      std::string_view footer = data.substr(body);
      if (footer.size() < 2 || footer.front() != '\n') return broken();
      size_t end = footer.find('\n', 1);
      if (end == std::string_view::npos) return broken();
      std::string_view rule = footer.substr(1, end - 1);
      if (!rule.empty() && !parse_posix(rule, &zone)) return broken();
    }
    return zone;
  }
}

bool Timezone::parse_posix(std::string_view text, Timezone* zone) {
  PosixText posix(text);
  if (!posix.name()) return false;
  auto standard = posix.time();
  if (!standard) return false;
  zone->standard_ = zone->summer_ = -*standard;  // POSIX counts west of Greenwich
  zone->has_rules_ = true;
  if (posix.at_end()) return true;
  if (!posix.name()) return false;
  zone->summer_ = zone->standard_ + 3600;
  if (!posix.take(',')) {
    auto summer = posix.time();
    if (!summer || !posix.take(',')) return false;
    zone->summer_ = -*summer;
  }
  for (Rule* rule : {&zone->summer_begins_, &zone->summer_ends_}) {
    if (rule == &zone->summer_ends_ && !posix.take(',')) return false;
    if (posix.take('M')) {
      rule->kind = Rule::Kind::kMonthWeekDay;
      auto month = posix.number(12);
      if (!month || *month < 1 || !posix.take('.')) return false;
      auto week = posix.number(5);
      if (!week || *week < 1 || !posix.take('.')) return false;
      auto weekday = posix.number(6);
      if (!weekday) return false;
      rule->month = *month;
      rule->week = *week;
      rule->weekday = *weekday;
    } else {
      bool no_leap = posix.take('J');
      auto day = posix.number(365);
      if (!day || (no_leap && *day < 1)) return false;
      rule->kind = no_leap ? Rule::Kind::kJulianNoLeap : Rule::Kind::kDayOfYear;
      rule->day = *day;
    }
    if (posix.take('/')) {
      auto time = posix.time();
      if (!time) return false;
      rule->time_s = *time;
    }
  }
  return posix.at_end();
}

int64_t Timezone::rule_day(const Rule& rule, int64_t year) {
  int64_t january = days_from_civil(year, 1, 1);
  switch (rule.kind) {
    case Rule::Kind::kDayOfYear:
      return january + rule.day;
    case Rule::Kind::kJulianNoLeap: {
      bool leap = days_from_civil(year, 3, 1) - january == 60;
      return january + rule.day - 1 + (leap && rule.day >= 60 ? 1 : 0);
    }
    case Rule::Kind::kMonthWeekDay:
      break;
  }
  int64_t first = days_from_civil(year, static_cast<unsigned>(rule.month), 1);
  int64_t next = rule.month == 12 ? days_from_civil(year + 1, 1, 1)
                                  : days_from_civil(year, static_cast<unsigned>(rule.month) + 1, 1);
  int64_t weekday = ((first + 4) % 7 + 7) % 7;  // 1970-01-01 was a Thursday
  int64_t day = first + (rule.weekday - weekday + 7) % 7 + 7 * (rule.week - 1);
  while (day >= next) day -= 7;  // the fifth is the last
  return day;
}

int32_t Timezone::rule_offset(int64_t utc_s) const {
  if (summer_ == standard_) return standard_;
  int64_t local = utc_s + standard_;
  int64_t day = local / kDay - (local % kDay < 0 ? 1 : 0);
  int64_t year = 0;
  unsigned month = 0;
  unsigned day_of_month = 0;
  civil_from_days(day, &year, &month, &day_of_month);
  int64_t begins = rule_day(summer_begins_, year) * kDay + summer_begins_.time_s - standard_;
  int64_t ends = rule_day(summer_ends_, year) * kDay + summer_ends_.time_s - summer_;
  bool summer = begins < ends ? utc_s >= begins && utc_s < ends : utc_s >= begins || utc_s < ends;
  return summer ? summer_ : standard_;
}

int32_t Timezone::offset_at(int64_t utc_s) const {
  if (has_rules_ && (changes_.empty() || utc_s >= changes_.back().at)) return rule_offset(utc_s);
  auto next = std::upper_bound(changes_.begin(), changes_.end(), utc_s,
                               [](int64_t at, const Change& change) { return at < change.at; });
  return next == changes_.begin() ? first_offset_ : std::prev(next)->offset;
}

int64_t Timezone::day_begin(int64_t day) const {
  int64_t local = day * kDay;
  int32_t before = offset_at(local - kDay);
  int32_t after = offset_at(local + kDay);
  for (int32_t offset : {before, after})
    if (offset_at(local - offset) == offset) return local - offset;
  // Midnight is skipped: the day begins when the clocks change, between the two.
  int64_t low = local - std::max(before, after) - 1;
  int64_t high = local - std::min(before, after) + 1;
  while (high - low > 1) {
    int64_t middle = low + (high - low) / 2;
    if (middle + offset_at(middle) >= local) {
      high = middle;
    } else {
      low = middle;
    }
  }
  return high;
}

int64_t Timezone::day_of(int64_t utc_s) const {
  int64_t local = utc_s + offset_at(utc_s);
  return local / kDay - (local % kDay < 0 ? 1 : 0);
}

}  // namespace arch::query
