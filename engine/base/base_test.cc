// Claim   The small pieces that every format stands on: digests, prefixes, varints, civil dates, times as text.
#include <gtest/gtest.h>

#include "engine/base/bytes.h"
#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/base/result.h"

namespace arch {
namespace {

TEST(Digest, IsSha256OfFips180) {
  EXPECT_EQ(Sha256::of(as_bytes("abc")).hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256::of({}).hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Digest, HexRoundTripsAndRefusesOtherInput) {
  Digest digest = Sha256::of(as_bytes("x"));
  ASSERT_TRUE(Digest::from_hex(digest.hex()));
  EXPECT_EQ(*Digest::from_hex(digest.hex()), digest);
  EXPECT_FALSE(Digest::from_hex("12"));
  EXPECT_FALSE(Digest::from_hex(std::string(64, 'g')));
}

TEST(DigestPrefix, TakesEightToSixtyFourDigitsWithOrWithoutScheme) {
  Digest digest = Sha256::of(as_bytes("x"));
  for (size_t length : {8, 9, 63, 64}) {
    auto prefix = DigestPrefix::parse("arch:" + digest.hex().substr(0, length));
    ASSERT_TRUE(prefix) << length;
    EXPECT_TRUE(prefix->matches(digest));
    EXPECT_LE(prefix->lower_bound_bytes(), std::string(digest.view()));
  }
  EXPECT_FALSE(DigestPrefix::parse("1234567"));
  EXPECT_FALSE(DigestPrefix::parse(std::string(65, '0')));
  EXPECT_FALSE(DigestPrefix::parse("1234567z"));
}

TEST(Bytes, VarintsRoundTripAndTruncationIsNoticed) {
  for (uint64_t value : {uint64_t{0}, uint64_t{127}, uint64_t{128}, uint64_t{1} << 32, ~uint64_t{0}}) {
    ByteWriter writer;
    writer.varint(value);
    std::string bytes = writer.take();
    ByteReader reader(bytes);
    EXPECT_EQ(reader.varint(), value);
    EXPECT_TRUE(reader.at_end());
    ByteReader cut(std::string_view(bytes).substr(0, bytes.size() - 1));
    cut.varint();
    EXPECT_FALSE(cut.ok());
  }
  ByteReader endless(std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10));
  endless.varint();
  EXPECT_FALSE(endless.ok()) << "a varint over 64 bits is malformed";
}

TEST(Bytes, FixedFieldsAreLittleEndian) {
  ByteWriter writer;
  writer.u16(0x0102);
  writer.u32(0x03040506);
  writer.u64(0x0708090a0b0c0d0eull);
  EXPECT_EQ(writer.view(), std::string_view("\x02\x01\x06\x05\x04\x03\x0e\x0d\x0c\x0b\x0a\x09\x08\x07", 14));
  EXPECT_EQ(from_be64(be64(77)), 77u);
}

TEST(Clock, FormatsAndConvertsDates) {
  EXPECT_EQ(format_rfc3339(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_rfc3339(-1), "1969-12-31T23:59:59Z");
  EXPECT_EQ(format_rfc3339(1700000000ll * kNsPerSecond + 123456789, 6), "2023-11-14T22:13:20.123456Z");
  for (int64_t days : {-719162, -1, 0, 59, 11016, 20000}) {
    int64_t year;
    unsigned month, day;
    civil_from_days(days, &year, &month, &day);
    EXPECT_EQ(days_from_civil(year, month, day), days);
  }
  EXPECT_EQ(days_from_civil(2000, 2, 29), 11016);
}

Result<int> half(int value) {
  if (value % 2 != 0) return fail(Code::kInvalid, "odd");
  return value / 2;
}
Result<int> quarter(int value) {
  ARCH_TRY(int first, half(value));
  ARCH_TRY(int second, half(first));
  return second;
}

TEST(Result, TryPassesTheErrorUp) {
  EXPECT_EQ(*quarter(8), 2);
  ASSERT_FALSE(quarter(6));
  EXPECT_EQ(quarter(6).error().what, "odd");
  EXPECT_EQ(fail_errno(28, "write x").value().code, Code::kFull);
}

}  // namespace
}  // namespace arch
