// Claim   A local day begins at the instant the zone's law says, before, between and behind the changes a zone file lists,
//         also where midnight is skipped or comes twice; bytes that are no zone file are refused, never believed.
// Method  Zone files made here byte by byte, so that nothing depends on the system's; Europe/Paris of the system besides,
//         against instants known from the law (EU directive 2000/84/EC).
// Teeth   Every expectation is a literal instant; an offset with the wrong sign or a rule off by a week moves it.
#include "query/language/timezone.h"

#include <gtest/gtest.h>

#include <random>

namespace arch::query {
namespace {

constexpr int64_t kDay = 86'400;

void append_be(std::string* out, uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out->push_back(static_cast<char>(value >> (8 * i)));
}

struct TestChange {
  int64_t at;
  int32_t offset;
};

// Version 2 with an empty first block.
std::string zone_file(int32_t first_offset, const std::vector<TestChange>& changes, const std::string& footer) {
  auto header = [](size_t times, size_t types) {
    std::string out = "TZif2";
    out.append(15, '\0');
    for (size_t count : {size_t{0}, size_t{0}, size_t{0}, times, types, size_t{4}}) append_be(&out, count, 4);
    return out;
  };
  std::string out = header(0, 1);
  append_be(&out, 0, 6);
  out += std::string("UTC\0", 4);
  out += header(changes.size(), changes.size() + 1);
  for (const TestChange& change : changes) append_be(&out, static_cast<uint64_t>(change.at), 8);
  for (size_t i = 0; i < changes.size(); ++i) out.push_back(static_cast<char>(i + 1));
  append_be(&out, static_cast<uint32_t>(first_offset), 4);
  append_be(&out, 0, 2);
  for (const TestChange& change : changes) {
    append_be(&out, static_cast<uint32_t>(change.offset), 4);
    append_be(&out, 0, 2);
  }
  out += std::string("ABC\0", 4);
  return out + "\n" + footer + "\n";
}

Timezone zone(int32_t first_offset, const std::vector<TestChange>& changes, const std::string& footer) {
  auto made = Timezone::from_tzif(zone_file(first_offset, changes, footer));
  EXPECT_TRUE(made) << describe(made.error());
  return made ? *made : Timezone();
}

TEST(Timezone, UtcNeedsNoFile) {
  auto utc = Timezone::load("UTC");
  ASSERT_TRUE(utc);
  EXPECT_EQ(utc->day_begin(19'797), 19'797 * kDay);
  EXPECT_EQ(utc->day_of(19'797 * kDay - 1), 19'796);
  EXPECT_EQ(utc->day_of(-1), -1);
}

TEST(Timezone, ListedChangesDecideBeforeTheRule) {
  Timezone z = zone(600, {{1'000'000, 3600}, {2'000'000, 7200}}, "XYZ-3");
  EXPECT_EQ(z.offset_at(999'999), 600);
  EXPECT_EQ(z.offset_at(1'000'000), 3600);
  EXPECT_EQ(z.offset_at(1'999'999), 3600);
  EXPECT_EQ(z.offset_at(2'000'000), 3 * 3600) << "from the last change on the rule holds";
}

TEST(Timezone, TheRuleHoldsForYearsThatNoFileLists) {
  Timezone paris = zone(3600, {}, "CET-1CEST,M3.5.0,M10.5.0/3");
  // 2049-03-28 and 2049-10-31 are the last Sundays of their months.
  EXPECT_EQ(paris.offset_at(2'500'506'000 - 1), 3600);
  EXPECT_EQ(paris.offset_at(2'500'506'000), 7200) << "2049-03-28T01:00:00Z";
  EXPECT_EQ(paris.offset_at(2'519'254'800 - 1), 7200);
  EXPECT_EQ(paris.offset_at(2'519'254'800), 3600) << "2049-10-31T01:00:00Z";
}

TEST(Timezone, SummerOverNewYearInTheSouth) {
  Timezone sydney = zone(36'000, {}, "AEST-10AEDT,M10.1.0,M4.1.0/3");
  EXPECT_EQ(sydney.offset_at(1'704'067'200), 11 * 3600) << "2024-01-01";
  EXPECT_EQ(sydney.offset_at(1'719'792'000), 10 * 3600) << "2024-07-01";
}

TEST(Timezone, RulesByDayOfTheYear) {
  Timezone j = zone(0, {}, "AAA0BBB,J60/0,J300/0");  // J60 is 1 March in every year
  EXPECT_EQ(j.offset_at(1'709'251'199), 0) << "2024-02-29T23:59:59Z, a leap year";
  EXPECT_EQ(j.offset_at(1'709'251'200), 3600) << "2024-03-01";
  Timezone n = zone(0, {}, "AAA0BBB,59/0,300/0");  // counts 29 February
  EXPECT_EQ(n.offset_at(1'709'164'799), 0);
  EXPECT_EQ(n.offset_at(1'709'164'800), 3600) << "2024-02-29";
  Timezone named = zone(0, {}, "<+0530>-5:30");
  EXPECT_EQ(named.offset_at(0), 19'800);
}

TEST(Timezone, ADayBeginsWhereMidnightIsSkipped) {
  // Clocks go from 00:00 to 01:00 on day 100, from offset -3 h to -2 h.
  int64_t change = 100 * kDay + 3 * 3600;
  Timezone z = zone(-3 * 3600, {{change, -2 * 3600}}, "");
  EXPECT_EQ(z.day_begin(100), change);
  EXPECT_EQ(z.day_begin(99), 99 * kDay + 3 * 3600);
  EXPECT_EQ(z.day_begin(101), 101 * kDay + 2 * 3600);
  EXPECT_EQ(z.day_of(change - 1), 99);
  EXPECT_EQ(z.day_of(change), 100);
}

TEST(Timezone, ADayBeginsOnceWhereMidnightComesTwice) {
  // At 00:00 of day 100 clocks go back to 23:00 of day 99, from offset -2 h to -3 h.
  int64_t change = 100 * kDay + 2 * 3600;
  Timezone z = zone(-2 * 3600, {{change, -3 * 3600}}, "");
  EXPECT_EQ(z.day_begin(100), 100 * kDay + 3 * 3600);
  EXPECT_EQ(z.day_of(change), 99);
}

TEST(Timezone, TheSystemsParis) {
  auto paris = Timezone::load("Europe/Paris");
  if (!paris) GTEST_SKIP() << "no zone database here: " << describe(paris.error());
  EXPECT_EQ(paris->day_begin(19'797), 1'710'457'200) << "2024-03-15 begins at 23:00 UTC of the day before";
  EXPECT_EQ(paris->day_begin(19'905), 1'719'784'800) << "2024-07-01 begins at 22:00 UTC";
  EXPECT_EQ(paris->day_begin(28'942), 28'942 * kDay - 7200) << "2049-03-29";
}

TEST(Timezone, NamesThatAreNoneAreRefused) {
  for (const char* name : {"../etc/passwd", "/etc/passwd", "Europe/Par is", "Nowhere/Here", "a\nb"}) {
    auto loaded = Timezone::load(name);
    ASSERT_FALSE(loaded) << name;
    EXPECT_FALSE(loaded.error().hint.empty());
  }
  EXPECT_FALSE(Timezone::load(std::string(65, 'a')));
}

TEST(Timezone, BytesThatAreNoZoneFileAreRefused) {
  std::string good = zone_file(3600, {{1'000'000, 3600}, {2'000'000, 7200}}, "CET-1CEST,M3.5.0,M10.5.0/3");
  ASSERT_TRUE(Timezone::from_tzif(good));
  for (size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(Timezone::from_tzif(good.substr(0, size))) << size;
  for (const char* footer : {"C-1", "CET", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0",
                             "CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0", "CET-999", "<CET-1",
                             "CET-1CEST,J0,J3", "CET-1CEST,366,3", "CET-1CEST,M3.5.0,M10.5.0/3x"})
    EXPECT_FALSE(Timezone::from_tzif(zone_file(0, {}, footer))) << footer;
  EXPECT_FALSE(Timezone::from_tzif(zone_file(0, {{5, 0}, {5, 0}}, ""))) << "changes must rise";
  EXPECT_FALSE(Timezone::from_tzif(zone_file(200'000, {}, ""))) << "an offset of two days";
}

TEST(Timezone, DamagedFilesNeverEndTheProcess) {
  std::string good = zone_file(3600, {{1'000'000, 3600}, {2'000'000, 7200}}, "CET-1CEST,M3.5.0,M10.5.0/3");
  std::mt19937 random(7);
  size_t refused = 0;
  for (int round = 0; round < 5'000; ++round) {
    std::string bad = good;
    for (int i = 0; i < 3; ++i) bad[random() % bad.size()] = static_cast<char>(random());
    auto made = Timezone::from_tzif(bad);
    if (!made) {
      ++refused;
      continue;
    }
    for (int64_t day : {-400'000, 0, 20'000, 2'000'000})
      EXPECT_LT(std::abs(made->day_begin(day) - day * kDay), 3 * kDay);
  }
  EXPECT_GT(refused, 1'000u);
}

}  // namespace
}  // namespace arch::query
