// Claim   A journal file is, byte for byte, what docs/journal-format.md says: code, document and the file in tests/golden
//         agree. A header is believed only when every bit of it is right.
// Method  The golden file is compared with what the encoders make and with the hex of the document; every bit of every
//         header is flipped.
// Teeth   Any change of layout, constant or checksum fails here until golden file and document say the same.
#include "engine/format/journal.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "engine/base/bytes.h"
#include "engine/format/delivery.h"

namespace arch {
namespace {

using namespace journal_format;

std::string file_text(const std::string& path) {
  std::ifstream in(std::string(ARCH_SOURCE_DIR) + "/" + path, std::ios::binary);
  EXPECT_TRUE(in) << path << " is missing";
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

const std::string kMessage = "Subject: hi\r\n\r\nHello.\r\n";

FileHeader golden_header() {
  FileHeader header;
  for (size_t i = 0; i < 16; ++i) {
    header.archive.bytes[i] = static_cast<uint8_t>(i + 1);
    header.marker[i] = static_cast<uint8_t>(0xa0 + i);
  }
  header.number = 1;
  header.created = 1'764'043'200ll * 1'000'000'000;  // 2025-11-25T04:00:00Z
  return header;
}

Delivery golden_delivery() {
  Delivery delivery;
  delivery.digest = Sha256::of(as_bytes(kMessage));
  delivery.captured = golden_header().created + 1'000'000'000;
  delivery.channel = Channel::kLmtp;
  delivery.has_mail_from = true;
  delivery.mail_from = "a@example.org";
  delivery.rcpt = {{"b@example.net", "", ""}};
  delivery.queue_id = "4F1A";
  return delivery;
}

std::string sealed(std::string bytes) {
  ByteWriter out;
  out.raw(bytes);
  out.u64(checksum64(as_bytes(bytes)));
  return out.take();
}

std::string golden_file() {
  const FileHeader file = golden_header();
  const std::string fields = encode_delivery(golden_delivery());
  RecordHeader record;
  record.fields_size = static_cast<uint32_t>(fields.size());
  record.message_size = kMessage.size();
  record.durable_end = kHeaderSize;
  record.digest = golden_delivery().digest;
  RecordHeader end;
  end.kind = Kind::kEnd;
  end.durable_end = kHeaderSize + record.record_size();
  end.ordinal = 1;
  return encode_file_header(file) + sealed(encode_record_header(file.marker, record) + fields + kMessage) +
         sealed(encode_record_header(file.marker, end));
}

TEST(JournalFormat, TheGoldenFileIsWhatWeWriteToday) {
  EXPECT_EQ(file_text("tests/golden/journal-v1.jnl"), golden_file());
}

TEST(JournalFormat, TheDocumentShowsTheGoldenFile) {
  std::istringstream document(file_text("docs/journal-format.md"));
  std::string shown;
  for (std::string line; std::getline(document, line);) {
    // "  0048  a0 a1 …   meaning": four hex digits of offset, two blanks, then pairs up to two blanks.
    std::istringstream words(line);
    std::string offset;
    if (line.compare(0, 2, "  ") != 0 || !(words >> offset) || offset.size() != 4) continue;
    if (offset.find_first_not_of("0123456789abcdef") != std::string::npos) continue;
    EXPECT_EQ(std::stoul(offset, nullptr, 16), shown.size()) << line;
    const size_t begin = line.find(offset) + 6;
    std::istringstream pairs(line.substr(begin, line.find("  ", begin) - begin));
    for (std::string pair; pairs >> pair;) shown.push_back(static_cast<char>(std::stoi(pair, nullptr, 16)));
  }
  EXPECT_EQ(shown, golden_file());
}

TEST(JournalFormat, FieldsLieWhereTheDocumentPutsThem) {
  const std::string file = golden_file();
  ByteReader header(file);
  EXPECT_EQ(header.raw(8), "ARCHJNL\n");
  EXPECT_EQ(header.u32(), 1u);
  EXPECT_EQ(header.u32(), 0u);
  EXPECT_EQ(header.raw(16), std::string("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10", 16));
  EXPECT_EQ(header.u64(), 1u);
  const std::string marker(header.raw(16));
  EXPECT_EQ(header.u64(), 1'764'043'200ull * 1'000'000'000);
  EXPECT_EQ(header.u64(), checksum64(as_bytes(file.substr(0, 64))));
  ByteReader record(std::string_view(file).substr(kHeaderSize));
  EXPECT_EQ(record.raw(16), marker);
  EXPECT_EQ(record.u32(), 1u);
  const uint32_t fields = record.u32();
  EXPECT_EQ(record.u64(), kMessage.size());
  EXPECT_EQ(record.u64(), 72u);
  EXPECT_EQ(record.u64(), 0u);
  EXPECT_EQ(record.digest(), Sha256::of(as_bytes(kMessage)));
  EXPECT_EQ(record.u64(), checksum64(as_bytes(file.substr(kHeaderSize, 80))));
  EXPECT_EQ(*decode_delivery(record.raw(fields), golden_delivery().digest), golden_delivery());
  EXPECT_EQ(record.raw(kMessage.size()), kMessage);
  EXPECT_EQ(record.u64(), checksum64(as_bytes(file.substr(kHeaderSize, 88 + fields + kMessage.size()))));
  EXPECT_EQ(record.rest().size(), 96u) << "END";
}

TEST(JournalFormat, HeadersComeBackAsTheyWentIn) {
  const FileHeader file = golden_header();
  auto decoded = decode_file_header(encode_file_header(file));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->archive, file.archive);
  EXPECT_EQ(decoded->number, file.number);
  EXPECT_EQ(decoded->marker, file.marker);
  EXPECT_EQ(decoded->created, file.created);
  RecordHeader record{Kind::kDelivery, UINT32_MAX, UINT64_MAX, 1, 2, Sha256::of({})};
  auto back = decode_record_header(file.marker, encode_record_header(file.marker, record));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->fields_size, record.fields_size);
  EXPECT_EQ(back->message_size, record.message_size);
  EXPECT_EQ(back->durable_end, record.durable_end);
  EXPECT_EQ(back->ordinal, record.ordinal);
  EXPECT_EQ(back->digest, record.digest);
}

TEST(JournalFormat, EveryFlippedBitOfAHeaderIsSeen) {
  const FileHeader file = golden_header();
  const std::string good = encode_file_header(file), record = encode_record_header(file.marker, RecordHeader());
  ASSERT_EQ(good.size(), kHeaderSize);
  ASSERT_EQ(record.size(), kRecordHeaderSize);
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    auto decoded = decode_file_header(bad);
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().code, bit / 8 < kMagic.size() ? Code::kInvalid : Code::kCorrupt);
  }
  for (size_t bit = 0; bit < record.size() * 8; ++bit) {
    std::string bad = record;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(decode_record_header(file.marker, bad));
  }
  for (size_t size = 0; size < kHeaderSize; ++size) EXPECT_FALSE(decode_file_header(good.substr(0, size)));
  for (size_t size = 0; size < kRecordHeaderSize; ++size)
    EXPECT_FALSE(decode_record_header(file.marker, record.substr(0, size)));
  auto other = file.marker;
  other[0] ^= 1;
  EXPECT_FALSE(decode_record_header(other, record)) << "a record of another file";
}

TEST(JournalFormat, AnotherVersionFlagOrKindIsNotGuessedAt) {
  std::string head = encode_file_header(golden_header()).substr(0, kHeaderSize - 8);
  std::string newer = head, flagged = head;
  newer[8] = 2;
  flagged[12] = 1;
  EXPECT_EQ(decode_file_header(sealed(newer)).error().code, Code::kTooNew);
  EXPECT_EQ(decode_file_header(sealed(flagged)).error().code, Code::kTooNew);
  const auto marker = golden_header().marker;
  for (char kind : {0, 3, 127}) {
    std::string record = encode_record_header(marker, RecordHeader()).substr(0, kRecordHeaderSize - 8);
    record[16] = kind;
    EXPECT_FALSE(decode_record_header(marker, sealed(record)));
  }
}

TEST(JournalFormat, ArchiveIdsConvertBothWays) {
  const ArchiveId id = golden_header().archive;
  EXPECT_EQ(id.hex(), "0102030405060708090a0b0c0d0e0f10");
  EXPECT_EQ(*ArchiveId::from_hex(id.hex()), id);
  for (const std::string& bad : {std::string(), id.hex().substr(1), id.hex() + "0", std::string(32, 'g')})
    EXPECT_EQ(ArchiveId::from_hex(bad).error().code, Code::kInvalid);
}

}  // namespace
}  // namespace arch
