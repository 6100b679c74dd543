// Claim   What is packed comes back byte for byte, whatever the mail; parts are stored once over all segments; nothing is
//         published that did not read back; a power cut or a failing disk leaves no segment or a whole one; a changed byte is
//         found and costs no neighbour.
// Method  Segments in a FaultFs from mails made here: thousands of odd ones by fixed seeds. ARCH_WRITE_GOLDEN=1 writes the golden file.
// Teeth   Every message is compared with its source; the golden bytes are compared whole.
#include "engine/pack/packer.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <fstream>
#include <map>
#include <random>
#include <set>

#include "engine/format/segment.h"
#include "tests/faults/fault_fs.h"

namespace arch {
namespace {

const ArchiveId kArchive = *ArchiveId::from_hex("000102030405060708090a0b0c0d0e0f");
constexpr UnixNs kNow = 1'764'000'000'000'000'000;

// Mails in memory, and the segments made so far.
class MemorySource : public PackSource {
 public:
  Result<Delivery> read(size_t i, std::string* message) override {
    if (unreadable.count(i) != 0) return fail(Code::kIo, "the disk does not give it", {}, EIO);
    if (message != nullptr) *message = mails[i];
    if (message != nullptr && i == change_at_second_reading && ++readings == 2) message->front() ^= 1;
    Delivery delivery;
    delivery.digest = Sha256::of(as_bytes(mails[i]));
    delivery.captured = kNow + static_cast<UnixNs>(i) * kNsPerSecond;
    delivery.rcpt.push_back({"r" + std::to_string(i % 3) + "@maison.example", "", ""});
    return delivery;
  }
  Result<Delivery> read_delivery(size_t i) override {
    ARCH_TRY(Delivery delivery, read(i, nullptr));
    if (i == change_delivery) delivery.rcpt.front().address = "someone.else@maison.example";
    return delivery;
  }
  Result<std::optional<BlobPlace>> find_blob(const Digest& digest) override {
    for (const auto& [number, reader] : segments)
      if (auto index = reader->find_blob(digest))
        return std::optional<BlobPlace>(BlobPlace{number, *index, reader->blob_size(*index)});
    return std::optional<BlobPlace>();
  }
  Result<std::string> read_blob(const Digest& digest, uint32_t segment) override {
    auto found = segments.find(segment);
    if (found == segments.end()) return fail(Code::kNotFound, "no such segment");
    return found->second->read_blob(*found->second->find_blob(digest), nullptr);
  }

  std::vector<std::string> mails;
  std::map<uint32_t, std::shared_ptr<SegmentReader>> segments;
  std::set<size_t> unreadable;
  size_t change_at_second_reading = SIZE_MAX, change_delivery = SIZE_MAX;
  int readings = 0;
};

class PackerTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* directory : {"a", "a/tmp", "a/segments"}) ASSERT_TRUE(fs_.make_directory(directory));
    ASSERT_TRUE(fs_.sync_directory("a"));
  }

  std::vector<PackItem> items(uint64_t first_sequence = 1) {
    std::vector<PackItem> out;
    for (size_t i = 0; i < source_.mails.size(); ++i)
      out.push_back({first_sequence + i, Sha256::of(as_bytes(source_.mails[i])), source_.mails[i].size(), true});
    return out;
  }

  Result<PackResult> pack(FaultFs& fs, uint32_t number, const PackOptions& options = {}) {
    const Digest previous =
        source_.segments.empty() ? Digest{} : source_.segments.rbegin()->second->info().footer_digest;
    return pack_segment(fs, kArchive, number, previous, kNow, "a/tmp", "a/segments", items(number * 1000),
                        {{number, {9}}}, source_, options);
  }

  void expect_all(const SegmentReader& reader, const std::vector<std::string>& mails) {
    for (const std::string& mail : mails) {
      auto index = reader.find_message(Sha256::of(as_bytes(mail)));
      ASSERT_TRUE(index);
      auto bytes = reader.read_message(
          *index, [&](const Digest& digest, uint32_t segment) { return source_.read_blob(digest, segment); },
          nullptr);
      ASSERT_TRUE(bytes) << describe(bytes.error());
      ASSERT_EQ(*bytes, mail);
    }
  }

  FaultFs fs_;
  MemorySource source_;
};

std::string base64_lines(std::string_view content, uint32_t line_length, const char* line_end) {
  std::string text, out;
  segment_format::append_base64(content, {0, false, false}, &text);
  for (size_t at = 0; at < text.size(); at += line_length) out += text.substr(at, line_length) + line_end;
  return out;
}

std::string random_bytes(std::mt19937& random, size_t size) {
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(random());
  return out;
}

// A mail of any shape that the wild sends, and some that it does not.
std::string odd_mail(uint32_t seed) {
  std::mt19937 random(seed);
  const char* line_end = random() % 3 == 0 ? "\n" : "\r\n";
  const auto some_line_end = [&] { return random() % 20 == 0 ? (random() % 2 == 0 ? "\n" : "\r") : line_end; };
  std::string mail;
  if (random() % 10 == 0) mail += std::string("From someone Tue Oct 14 09:10:00 2025") + line_end;
  if (random() % 30 == 0) return mail + random_bytes(random, random() % 3000);
  mail += std::string("Subject: essai ") + std::to_string(seed) + line_end;
  mail += std::string("Message-ID: <") + std::to_string(seed) + "@x.example>" + line_end;
  if (random() % 2 == 0) mail += std::string("References: <") + std::to_string(seed / 4) + "@x.example>" + line_end;
  const bool multipart = random() % 4 != 0;
  if (multipart) mail += std::string("Content-Type: multipart/mixed; boundary=\"=_b\"") + line_end;
  const size_t parts = multipart ? random() % 5 : 1;
  if (multipart) mail += line_end;
  for (size_t part = 0; part < parts; ++part) {
    if (multipart) mail += std::string("--=_b") + line_end;
    const bool base64 = random() % 3 != 0;
    mail += std::string("Content-Type: application/octet-stream; name=x") + std::to_string(random() % 9) + ".pdf" +
            line_end;
    if (base64) mail += std::string("Content-Transfer-Encoding: base64") + line_end;
    mail += line_end;
    // A few contents come back in many mails.
    std::mt19937 content_random(random() % 40);
    const std::string content = random_bytes(
        content_random, content_random() % 4 == 0 ? content_random() % 200'000 : content_random() % 6'000);
    if (base64) {
      const uint32_t lengths[] = {76, 76, 76, 72, 60, 64, 75, 998, 4};
      std::string text = base64_lines(content, lengths[random() % std::size(lengths)], line_end);
      switch (random() % 8) {
        case 0:
          if (!text.empty()) text[random() % text.size()] = ' ';
          break;
        case 1:
          text += line_end;
          break;
        case 2:
          while (!text.empty() && text.back() == '=') text.pop_back();
          break;
        case 3:
          if (text.size() > 100) text.insert(50, line_end);
          break;
        default:
          break;
      }
      mail += text;
    } else {
      std::string text;
      while (text.size() < content.size()) text += "ligne " + std::to_string(random()) + some_line_end();
      if (random() % 8 == 0) text += content.substr(0, 500);
      mail += text;
    }
    if (multipart && random() % 10 != 0) mail += line_end;
  }
  if (multipart && random() % 6 != 0) mail += std::string("--=_b--") + line_end;
  return mail;
}

TEST_F(PackerTest, OddMailsComeBackByteForByteFromSegmentsThatShareParts) {
  uint64_t blobs = 0, shared = 0;
  std::vector<std::vector<std::string>> all;
  for (uint32_t number = 1; number <= 4; ++number) {
    source_.mails.clear();
    for (uint32_t i = 0; i < 400; ++i) source_.mails.push_back(odd_mail(number * 1000 + i));
    source_.mails.push_back("");
    source_.mails.push_back("\r\n");
    source_.mails.push_back(std::string(3, '\0'));
    source_.mails.push_back(source_.mails[0]);  // the same again: one message, two deliveries
    auto packed = pack(fs_, number);
    ASSERT_TRUE(packed) << describe(packed.error());
    EXPECT_EQ(packed->deliveries, source_.mails.size());
    EXPECT_LT(packed->messages, source_.mails.size());
    blobs += packed->blobs;
    shared += packed->shared_blobs;
    expect_all(*packed->segment, source_.mails);
    source_.segments[number] = packed->segment;
    all.push_back(source_.mails);
  }
  EXPECT_GT(blobs, 25u) << "parts were cut out";
  EXPECT_GT(shared, blobs) << "and found again, in this segment and in earlier ones";
  std::map<std::string, int> seen;
  for (const auto& [number, reader] : source_.segments) {
    EXPECT_EQ(reader->info().number, number);
    EXPECT_EQ(reader->info().journal_files.size(), 1u);
    for (uint32_t i = 0; i < reader->blob_count(); ++i)
      EXPECT_EQ(++seen[reader->blob_digest(i).hex()], 1) << "stored twice";
    expect_all(*reader, all[number - 1]);
    uint64_t deliveries = 0;
    ASSERT_TRUE(reader->for_each_delivery([&](const SegmentReader::DeliveryEntry& entry) {
      EXPECT_EQ(entry.sequence, number * 1000 + deliveries);
      EXPECT_EQ(entry.delivery.digest, Sha256::of(as_bytes(all[number - 1][deliveries])));
      ++deliveries;
      return true;
    }));
    EXPECT_EQ(deliveries, all[number - 1].size());
    EXPECT_EQ(fs_.mode(reader->path()) & 0777, 0444u);
  }
}

TEST_F(PackerTest, LargePartsAreCutAndBlocksOfAnySizeWork) {
  std::mt19937 random(3);
  for (int i = 0; i < 6; ++i)
    source_.mails.push_back("Subject: g" + std::to_string(i) +
                            "\r\nContent-Transfer-Encoding: base64\r\nContent-Type: image/jpeg; name=a.jpg\r\n\r\n" +
                            base64_lines(random_bytes(random, 100'000 + static_cast<size_t>(i)), 76, "\r\n"));
  source_.mails.push_back("Subject: long\r\n\r\n" + std::string(300'000, 'x') + "\r\n");
  PackOptions small;
  small.block_bytes = 1000;
  small.own_frame_bytes = 5000;
  small.cut_bytes = 16'384;
  small.inline_part_bytes = 0;
  auto packed = pack(fs_, 1, small);
  ASSERT_TRUE(packed) << describe(packed.error());
  expect_all(*packed->segment, source_.mails);
  const SegmentReader::Sizes sizes = packed->segment->sizes();
  EXPECT_EQ(sizes.skeleton_blocks + sizes.small_part_blocks + sizes.large_part_blocks + sizes.records + sizes.footer,
            packed->segment->info().file_size);
  EXPECT_GT(sizes.large_part_blocks, 600'000u);
}

TEST_F(PackerTest, TheSameInputGivesTheSameBytesAndAPublishedFileIsNeverReplaced) {
  for (uint32_t i = 0; i < 60; ++i) source_.mails.push_back(odd_mail(i));
  ASSERT_TRUE(pack(fs_, 1));
  const std::string first = fs_.contents("a/segments/00000001.seg");
  auto again = pack(fs_, 1);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kExists);
  EXPECT_EQ(fs_.contents("a/segments/00000001.seg"), first);
  FaultFs other(5);
  for (const char* directory : {"a", "a/tmp", "a/segments"}) ASSERT_TRUE(other.make_directory(directory));
  PackOptions one_thread;
  one_thread.threads = 1;
  ASSERT_TRUE(pack(other, 1, one_thread));
  EXPECT_EQ(other.contents("a/segments/00000001.seg"), first);
}

TEST_F(PackerTest, WhatCannotBeReadCostsOnlyItself) {
  for (uint32_t i = 0; i < 10; ++i) source_.mails.push_back(odd_mail(i));
  source_.mails.push_back(source_.mails[2]);  // a second delivery of a message whose first one is lost
  auto list = items();
  list[10].digest = list[2].digest;
  const std::vector<std::string> before = source_.mails;
  source_.mails[2].back() ^= 1;  // changed
  source_.unreadable = {7};
  auto packed = pack_segment(fs_, kArchive, 1, Digest{}, kNow, "a/tmp", "a/segments", list, {}, source_, {});
  ASSERT_TRUE(packed) << describe(packed.error());
  ASSERT_EQ(packed->unreadable.size(), 2u);
  EXPECT_EQ(packed->unreadable[0].item, 2u);
  EXPECT_EQ(packed->unreadable[0].error.code, Code::kCorrupt);
  EXPECT_EQ(packed->unreadable[1].item, 7u);
  EXPECT_EQ(packed->unreadable[1].error.code, Code::kIo);
  EXPECT_EQ(packed->deliveries, 9u);
  EXPECT_EQ(packed->segment->message_count(), 9u) << "all but the one that nobody else brings";
  for (size_t i = 0; i < before.size(); ++i) {
    auto index = packed->segment->find_message(list[i].digest);
    ASSERT_EQ(index.has_value(), i != 7) << i;
    if (!index) continue;
    EXPECT_EQ(*packed->segment->read_message(*index, {}, nullptr), before[i]);
  }
  std::vector<uint64_t> sequences;
  ASSERT_TRUE(packed->segment->for_each_delivery([&](const SegmentReader::DeliveryEntry& entry) {
    sequences.push_back(entry.sequence);
    return true;
  }));
  EXPECT_EQ(sequences, (std::vector<uint64_t>{1, 2, 4, 5, 6, 7, 9, 10, 11}));

  // Nothing at all: no segment.
  source_.unreadable = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  packed = pack_segment(fs_, kArchive, 2, Digest{}, kNow, "a/tmp", "a/segments", list, {}, source_, {});
  ASSERT_TRUE(packed) << describe(packed.error());
  EXPECT_EQ(packed->segment, nullptr);
  EXPECT_EQ(packed->unreadable.size(), 11u);
  EXPECT_EQ(fs_.list("a/segments")->size(), 1u);
}

TEST_F(PackerTest, LargePartsThatNothingCompressesAreStoredAndOthersAreCompressedFully) {
  std::mt19937 random(7);
  const auto mail = [](const std::string& content) {
    return "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
           base64_lines(content, 76, "\r\n");
  };
  const std::string noise = random_bytes(random, 1u << 20);
  // In its second half what is in its first, further away than the fastest level looks.
  const std::string copies = noise.substr(0, 600'000) + noise.substr(0, 600'000);
  source_.mails = {mail(noise)};
  auto packed = pack(fs_, 1);
  ASSERT_TRUE(packed) << describe(packed.error());
  EXPECT_GT(packed->segment->sizes().large_part_blocks, noise.size() - 1);
  EXPECT_LT(packed->segment->sizes().large_part_blocks, noise.size() + 1'000);
  source_.mails = {mail(copies)};
  packed = pack(fs_, 2);
  ASSERT_TRUE(packed) << describe(packed.error());
  EXPECT_LT(packed->segment->sizes().large_part_blocks, copies.size() * 55 / 100);
}

TEST_F(PackerTest, AMessageThatChangesWhileItIsPackedStopsPublishing) {
  for (uint32_t i = 0; i < 10; ++i) source_.mails.push_back(odd_mail(i));
  auto list = items();
  source_.change_at_second_reading = 4;
  auto packed = pack_segment(fs_, kArchive, 1, Digest{}, kNow, "a/tmp", "a/segments", list, {}, source_, {});
  ASSERT_FALSE(packed);
  EXPECT_EQ(packed.error().code, Code::kCorrupt);
  EXPECT_TRUE(fs_.list("a/segments")->empty());
  EXPECT_TRUE(fs_.list("a/tmp")->empty());
}

TEST_F(PackerTest, ADeliveryThatChangesWhileItIsPackedStopsPublishing) {
  for (uint32_t i = 0; i < 10; ++i) source_.mails.push_back(odd_mail(i));
  source_.change_delivery = 4;
  auto packed = pack_segment(fs_, kArchive, 1, Digest{}, kNow, "a/tmp", "a/segments", items(), {}, source_, {});
  ASSERT_FALSE(packed);
  EXPECT_EQ(packed.error().code, Code::kCorrupt);
  EXPECT_TRUE(fs_.list("a/segments")->empty());
  EXPECT_TRUE(fs_.list("a/tmp")->empty());
}

TEST_F(PackerTest, AFailingDiskPublishesNothingAndTheNextTryWorks) {
  for (uint32_t i = 0; i < 20; ++i) source_.mails.push_back(odd_mail(i));
  using Op = FaultFs::Op;
  for (Op op : {Op::kCreate, Op::kWrite, Op::kMode, Op::kSync, Op::kRename}) {
    for (uint64_t nth = 0; nth < 12; ++nth) {
      for (int error : {EIO, ENOSPC}) {
        SCOPED_TRACE(testing::Message() << "op " << static_cast<int>(op) << " nth " << nth << " errno " << error);
        auto disk = fs_.copy();
        disk->fail(op, nth, error, FaultFs::Repeat::kOnce, FaultFs::Effect::kPartly);
        auto packed = pack(*disk, 1);
        if (packed) continue;  // fewer calls of this kind than nth
        EXPECT_EQ(packed.error().code, error == ENOSPC ? Code::kFull : Code::kIo);
        EXPECT_TRUE(disk->list("a/segments")->empty());
        disk->clear_faults();
        auto next = pack(*disk, 1);
        ASSERT_TRUE(next) << describe(next.error());
        expect_all(*next->segment, source_.mails);
      }
    }
  }
}

TEST_F(PackerTest, APowerCutLeavesNoSegmentOrAWholeOne) {
  for (uint32_t i = 0; i < 12; ++i) source_.mails.push_back(odd_mail(i));
  const size_t before = fs_.steps();
  ASSERT_TRUE(pack(fs_, 1));
  const size_t after = fs_.steps();
  size_t whole = 0, absent = 0;
  for (size_t step = before; step <= after; ++step) {
    for (uint64_t turn = 0; turn < 3; ++turn) {
      SCOPED_TRACE(testing::Message() << "cut before " << fs_.describe(step));
      auto disk = fs_.after_cut(step, turn);
      auto names = disk->list("a/segments");
      ASSERT_TRUE(names);
      if (names->empty()) {
        ++absent;
        EXPECT_LT(step, after) << "packing had returned";
        auto again = pack(*disk, 1);
        ASSERT_TRUE(again) << describe(again.error());
        continue;
      }
      ++whole;
      auto reader = SegmentReader::open(*disk, "a/segments/00000001.seg");
      ASSERT_TRUE(reader) << describe(reader.error());
      expect_all(**reader, source_.mails);
    }
  }
  EXPECT_GT(whole, 0u);
  EXPECT_GT(absent, 10u);
}

TEST_F(PackerTest, EveryFlippedBitIsFoundAndCostsNoOtherBlock) {
  for (uint32_t i = 0; i < 40; ++i) source_.mails.push_back(odd_mail(i));
  PackOptions options;
  options.block_bytes = 4000;
  ASSERT_TRUE(pack(fs_, 1, options));
  const std::string path = "a/segments/00000001.seg";
  const std::string bytes = fs_.contents(path);
  const auto foreign = [](const Digest&, uint32_t) -> Result<std::string> { return fail(Code::kNotFound, "none"); };
  for (size_t at = 0; at < bytes.size(); at += 1 + bytes.size() / 300) {
    auto disk = fs_.copy();
    disk->flip_bit(path, at, static_cast<int>(at % 8));
    auto reader = SegmentReader::open(*disk, path);
    if (!reader) {
      EXPECT_TRUE(reader.error().code == Code::kCorrupt || reader.error().code == Code::kInvalid) << at;
      continue;
    }
    auto faults = (*reader)->verify(false, foreign, {});
    ASSERT_TRUE(faults);
    ASSERT_FALSE(faults->empty()) << "byte " << at;
    size_t readable = 0;
    for (uint32_t i = 0; i < (*reader)->message_count(); ++i) {
      auto message = (*reader)->read_message(i, foreign, nullptr);
      if (message) ++readable;
      EXPECT_TRUE(message || message.error().code == Code::kCorrupt);
    }
    // A block of small things takes the mails that lie in it; most of forty lie elsewhere.
    EXPECT_GE(readable, 20u) << "byte " << at;
  }
  for (size_t size : {size_t{0}, size_t{63}, size_t{183}, bytes.size() / 2, bytes.size() - 1}) {
    auto disk = fs_.copy();
    disk->cut(path, size);
    EXPECT_FALSE(SegmentReader::open(*disk, path)) << size;
  }
}

TEST_F(PackerTest, GoldenBytes) {
  const std::string attachment = base64_lines(std::string(3000, 'A') + "fin", 76, "\r\n");
  for (int i : {1, 2})
    source_.mails.push_back("From: Zo\xc3\xa9 <zoe@maison.example>\r\nSubject: Tarif " + std::to_string(i) +
                            "\r\nMessage-ID: <" + std::to_string(i) +
                            "@maison.example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; "
                            "boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n"
                            "Bonjour\r\n--b\r\nContent-Type: application/pdf; "
                            "name=tarif.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
                            attachment + "--b--\r\n");
  ASSERT_TRUE(pack(fs_, 1));
  const std::string bytes = fs_.contents("a/segments/00000001.seg");
  const std::string path = std::string(ARCH_SOURCE_DIR) + "/tests/golden/segment-v1.seg";
  if (getenv("ARCH_WRITE_GOLDEN") != nullptr) std::ofstream(path, std::ios::binary) << bytes;
  std::ifstream in(path, std::ios::binary);
  const std::string golden{std::istreambuf_iterator<char>(in), {}};
  ASSERT_FALSE(golden.empty()) << path;
  EXPECT_EQ(bytes, golden) << "the format changed: a new version, or a mistake (ARCH_WRITE_GOLDEN=1 writes it anew)";
}

}  // namespace
}  // namespace arch
