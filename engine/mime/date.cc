#include "engine/mime/date.h"

#include <array>
#include <cstdlib>
#include <string>
#include <vector>

#include "engine/base/ascii.h"
#include "engine/mime/headers.h"

namespace arch::mime::internal {

namespace {

constexpr size_t kDateBytes = 200;  // a date is short; what stands behind is not one
constexpr int kMaxZoneMinutes = 14 * 60;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80; }

// A run of digits, of letters, or one other character. `blank_before` tells "2002 -0500" from "2002-03".
struct Token {
  enum Kind : uint8_t { kNumber, kWord, kSign } kind;
  std::string text;
  bool blank_before;
  int value() const { return text.size() > 9 ? -1 : std::atoi(text.c_str()); }
};

std::vector<Token> cut(std::string_view text) {
  std::vector<Token> tokens;
  const std::string low = ascii_lower(text.substr(0, kDateBytes));
  int comment = 0;
  bool blank = false;
  for (size_t i = 0; i < low.size();) {
    const char c = low[i];
    if (c == '(') ++comment;
    if (c == ')' && comment > 0) --comment;
    if (comment > 0 || c == '(' || c == ')' || c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',' ||
        c == '"') {
      blank = true;
      ++i;
      continue;
    }
    size_t end = i + 1;
    Token::Kind kind = Token::kSign;
    if (is_digit(c)) {
      kind = Token::kNumber;
      while (end < low.size() && is_digit(low[end])) ++end;
    } else if (is_letter(c)) {
      kind = Token::kWord;
      while (end < low.size() && is_letter(low[end])) ++end;
    }
    tokens.push_back({kind, low.substr(i, end - i), blank});
    blank = false;
    i = end;
  }
  return tokens;
}

// English and French, by their first letters; 0 when it is no month.
int month_of(const std::string& word) {
  static constexpr std::array<std::pair<const char*, int>, 19> kMonths = {{{"jan", 1},
                                                                           {"feb", 2},
                                                                           {"fev", 2},
                                                                           {"fév", 2},
                                                                           {"mar", 3},
                                                                           {"apr", 4},
                                                                           {"avr", 4},
                                                                           {"may", 5},
                                                                           {"mai", 5},
                                                                           {"jun", 6},
                                                                           {"juin", 6},
                                                                           {"juil", 7},
                                                                           {"jul", 7},
                                                                           {"aug", 8},
                                                                           {"aou", 8},
                                                                           {"aoû", 8},
                                                                           {"sep", 9},
                                                                           {"oct", 10},
                                                                           {"nov", 11}}};
  for (const auto& [prefix, number] : kMonths)
    if (word.rfind(prefix, 0) == 0) return number;
  if (word.rfind("dec", 0) == 0 || word.rfind("déc", 0) == 0) return 12;
  return 0;
}

// RFC 5322 section 4.3, and the zones that European mailers wrote. Minutes east of UTC.
std::optional<int> zone_of(const std::string& word) {
  static constexpr std::array<std::pair<const char*, int>, 24> kZones = {
      {{"ut", 0},     {"utc", 0},    {"gmt", 0},    {"z", 0},      {"wet", 0},    {"west", 60},
       {"bst", 60},   {"cet", 60},   {"met", 60},   {"mez", 60},   {"mest", 120}, {"mesz", 120},
       {"cest", 120}, {"eet", 120},  {"eest", 180}, {"msk", 180},  {"est", -300}, {"edt", -240},
       {"cst", -360}, {"cdt", -300}, {"mst", -420}, {"mdt", -360}, {"pst", -480}, {"pdt", -420}}};
  for (const auto& [name, minutes] : kZones)
    if (word == name) return minutes;
  return std::nullopt;
}

int full_year(int year, size_t digits) {
  if (digits == 2) return year < 50 ? 2000 + year : 1900 + year;  // RFC 5322 section 4.3
  if (digits == 3) return 1900 + year;                            // the year 2000 written as 100
  return year;
}

struct Civil {
  int year = -1, month = -1, day = -1, hour = 0, minute = 0, second = 0;
  bool has_time = false;
  int zone_minutes = 0;
};

}  // namespace

std::optional<UnixNs> parse_date(std::string_view text) {
  const std::vector<Token> tokens = cut(text);
  Civil civil;
  const auto is = [&](size_t i, const char* sign) { return i < tokens.size() && tokens[i].text == sign; };
  const auto is_number = [&](size_t i) { return i < tokens.size() && tokens[i].kind == Token::kNumber; };
  for (size_t i = 0; i < tokens.size();) {
    const Token& token = tokens[i];
    if (token.kind == Token::kNumber) {
      if (!civil.has_time &&
          (is(i + 1, ":") || (is(i + 1, ".") && is_number(i + 2) && is(i + 3, ".") && civil.day > 0)) &&
          is_number(i + 2)) {
        const std::string separator = tokens[i + 1].text;
        civil.has_time = true;
        civil.hour = token.value();
        civil.minute = tokens[i + 2].value();
        i += 3;
        if (is(i, separator.c_str()) && is_number(i + 1)) {
          civil.second = tokens[i + 1].value();
          i += 2;
        }
        if (is(i, ".") && is_number(i + 1)) i += 2;  // fractions of a second
        if (i < tokens.size() && (tokens[i].text == "am" || tokens[i].text == "pm")) {
          if (civil.hour > 12) return std::nullopt;
          civil.hour = civil.hour % 12 + (tokens[i].text == "pm" ? 12 : 0);
          ++i;
        }
        continue;
      }
      // 2002-03-01, 2002/03/01; 01/03/2002 and 01.03.2002 (day first; month first when only that is possible)
      const bool joined =
          is_number(i + 2) && is_number(i + 4) && !tokens[i + 1].blank_before && !tokens[i + 2].blank_before;
      if (civil.year < 0 && joined && tokens[i + 1].text == tokens[i + 3].text &&
          (is(i + 1, "-") || is(i + 1, "/") || is(i + 1, "."))) {
        int first = token.value(), second = tokens[i + 2].value(), third = tokens[i + 4].value();
        if (token.text.size() == 4) {
          civil.year = first, civil.month = second, civil.day = third;
        } else {
          if (second > 12 && first <= 12) std::swap(first, second);
          civil.day = first, civil.month = second, civil.year = full_year(third, tokens[i + 4].text.size());
        }
        i += 5;
        if (is(i, "t")) ++i;
        continue;
      }
      if (civil.day < 0 && token.text.size() <= 2) {
        civil.day = token.value();
      } else if (civil.year < 0 && token.text.size() >= 2 && token.text.size() <= 4 && civil.month > 0) {
        civil.year = full_year(token.value(), token.text.size());
      } else if (civil.year < 0 && token.text.size() == 4) {
        civil.year = token.value();
      }
      ++i;
    } else if (token.kind == Token::kWord) {
      // A later one wins while no year has come: "mar., 14 oct. 2025" begins with a Tuesday.
      if (const int month = month_of(token.text); month > 0 && civil.year < 0 && token.text.size() >= 3) {
        civil.month = month;
      } else if (const auto zone = zone_of(token.text); zone && civil.has_time) {
        civil.zone_minutes = *zone;
      }
      ++i;
    } else {
      const bool sign = token.text == "+" || token.text == "-";
      if (sign && civil.has_time && is_number(i + 1) && !tokens[i + 1].blank_before) {
        const Token& number = tokens[i + 1];
        int minutes = -1;
        if (number.text.size() <= 2) {
          minutes = number.value() * 60;
          if (is(i + 2, ":") && is_number(i + 3)) {
            minutes += tokens[i + 3].value();
            i += 2;
          }
        } else if (number.text.size() <= 4) {
          minutes = number.value() / 100 * 60 + number.value() % 100;
        }
        // "-0000" and zones that cannot be are UTC.
        if (minutes >= 0 && minutes <= kMaxZoneMinutes) civil.zone_minutes = token.text == "-" ? -minutes : minutes;
        i += 2;
      } else {
        ++i;
      }
    }
  }
  static constexpr std::array<int, 12> kDays = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (civil.year < 1970 || civil.year > 2261 || civil.month < 1 || civil.month > 12 || civil.day < 1 ||
      civil.day > kDays[static_cast<size_t>(civil.month) - 1] || civil.hour < 0 || civil.hour > 24 ||
      civil.minute < 0 || civil.minute > 59 || civil.second < 0 || civil.second > 60)
    return std::nullopt;
  const int64_t days =
      days_from_civil(civil.year, static_cast<unsigned>(civil.month), static_cast<unsigned>(civil.day));
  const int64_t seconds =
      days * 86'400 + civil.hour * 3'600 + civil.minute * 60 + civil.second - civil.zone_minutes * 60;
  if (seconds < 0) return std::nullopt;
  return seconds * kNsPerSecond;
}

}  // namespace arch::mime::internal
