// Claim   Sizes and durations are read as they are documented and nothing else is; text of a mail cannot steer a terminal.
// Method  Tables, both sides of each border.
// Teeth   Escape sequences, direction overrides and broken UTF-8 are among the inputs.
#include <gtest/gtest.h>

#include <string>

#include "tools/common/terminal.h"
#include "tools/common/text.h"

namespace arch::tool {
namespace {

TEST(Size, IsReadIn1024BasedUnits) {
  EXPECT_EQ(*parse_size("0"), 0u);
  EXPECT_EQ(*parse_size("4096"), 4096u);
  EXPECT_EQ(*parse_size("4096B"), 4096u);
  EXPECT_EQ(*parse_size("64M"), 64ull << 20);
  EXPECT_EQ(*parse_size("64 mib"), 64ull << 20);
  EXPECT_EQ(*parse_size("100G"), 100ull << 30);
  EXPECT_EQ(*parse_size("1.5T"), 3ull << 39);
  for (const char* bad : {"", "M", "-1", "1X", "1MM", "1.2.3", ".5", "9999999999T", "0x10", "1e3", "many"})
    EXPECT_FALSE(parse_size(bad)) << bad;
}

TEST(Size, IsWrittenSoThatItReadsBack) {
  for (uint64_t size : {0ull, 1ull, 1023ull, 1024ull, 1536ull, 100ull << 30, (100ull << 30) + 1})
    EXPECT_EQ(*parse_size(format_size(size)), size);
  EXPECT_EQ(format_size(100ull << 30), "100G");
}

TEST(Duration, IsReadWithItsUnit) {
  EXPECT_EQ(*parse_duration("90s"), 90'000'000'000);
  EXPECT_EQ(*parse_duration("1.5h"), 5'400'000'000'000);
  EXPECT_EQ(*parse_duration("7d"), 604'800'000'000'000);
  for (const char* bad : {"", "90", "s", "1y", "-1s", "9999999999d"}) EXPECT_FALSE(parse_duration(bad)) << bad;
  for (int64_t ns : {0ll, 1'000'000'000ll, 86'400'000'000'000ll, 3'660'000'000'000ll})
    EXPECT_EQ(*parse_duration(format_duration(ns)), ns);
}

TEST(Numbers, AsPeopleReadThem) {
  EXPECT_EQ(count_text(0), "0");
  EXPECT_EQ(count_text(999), "999");
  EXPECT_EQ(count_text(1000), "1,000");
  EXPECT_EQ(count_text(12345678), "12,345,678");
  EXPECT_EQ(size_text(1023), "1023 B");
  EXPECT_EQ(size_text(1024), "1.0 KiB");
  EXPECT_EQ(size_text((1ull << 20) - 1), "1.0 MiB");
  EXPECT_EQ(size_text(100ull << 30), "100.0 GiB");
  EXPECT_EQ(duration_text(75), "1:15");
  EXPECT_EQ(duration_text(3675), "1:01:15");
  EXPECT_EQ(percent_text(1, 3), "33.3 %");
  EXPECT_EQ(percent_text(1, 0), "0.0 %");
}

TEST(Text, CellsOfATerminal) {
  EXPECT_EQ(width("abc"), 3u);
  EXPECT_EQ(width("œuvre"), 5u);
  EXPECT_EQ(width("e\xcc\x81"), 1u);  // e and a combining acute accent
  EXPECT_EQ(width("日本"), 4u);
  EXPECT_EQ(fit("facture", 7), "facture");
  EXPECT_EQ(fit("facture", 6), "factu…");
  EXPECT_EQ(fit("日本語", 5), "日本…");
  EXPECT_EQ(fit("abc", 0), "");
  EXPECT_EQ(pad("ab", 4), "ab  ");
}

TEST(Text, AMailCannotSteerTheTerminal) {
  EXPECT_EQ(printable("a\x1b[31mb"), "a?[31mb");
  EXPECT_EQ(printable("a\r\nb\tc"), "a  b c");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "?31m");  // C1 control sequence introducer
  EXPECT_EQ(printable("x\xe2\x80\xae"
                      "gpj.exe"),
            "x?gpj.exe");  // right-to-left override
  EXPECT_EQ(printable("\xff\xc3"), "\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(printable("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");  // a surrogate
  EXPECT_EQ(printable("caf\xc3\xa9"), "café");
  EXPECT_EQ(printable(std::string("a\0b\x7f", 4)), "a?b?");
}

TEST(Text, WrapsAtWords) {
  EXPECT_EQ(wrap("one two three", 9, 2), "  one two\n  three\n");
  EXPECT_EQ(wrap("", 9, 2), "");
  EXPECT_EQ(wrap("longerthanthat x", 5, 0), "longerthanthat\nx\n");
}

TEST(Text, NearestWord) {
  EXPECT_EQ(nearest("serach", {"search", "show", "init"}), "search");
  EXPECT_EQ(nearest("xyz", {"search", "show", "init"}), "");
}

TEST(Table_, ColumnsLineUp) {
  Table table({false, true});
  table.row({"é", "1"});
  table.row({"abc", "100"});
  EXPECT_EQ(table.text(), "  é      1\n  abc  100\n");
}

TEST(Terminal_, APipeHasNoColour) {
  std::FILE* file = std::tmpfile();
  Terminal terminal = Terminal::of(file);
  EXPECT_FALSE(terminal.interactive);
  EXPECT_EQ(paint(terminal, Style::kRed, "x"), "x");
  terminal.colour = true;
  EXPECT_EQ(paint(terminal, Style::kRed, "x"), "\x1b[31mx\x1b[0m");
  std::fclose(file);
}

TEST(Terminal_, ColumnsOverridesWithinReason) {
  std::FILE* file = std::tmpfile();
  for (auto [text, columns] : {std::pair{"19", 80u}, {"20", 20u}, {"1000", 1000u}, {"1001", 80u}, {"wide", 80u}}) {
    setenv("COLUMNS", text, 1);
    EXPECT_EQ(Terminal::of(file).columns, columns) << text;
  }
  unsetenv("COLUMNS");
  std::fclose(file);
}

TEST(Terminal_, ABarFills) {
  EXPECT_EQ(bar(0.5, 4, false), "##..");
  EXPECT_EQ(bar(-1, 2, false), "..");
  EXPECT_EQ(bar(2, 2, false), "##");
}

}  // namespace
}  // namespace arch::tool
