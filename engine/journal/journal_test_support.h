// What the journal's tests share: deliveries and messages by number, a temporary directory, reading a whole directory back.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "engine/journal/journal_reader.h"
#include "engine/journal/journal_writer.h"

namespace arch::journal_test {

inline ArchiveId test_archive() {
  ArchiveId id;
  for (size_t i = 0; i < id.bytes.size(); ++i) id.bytes[i] = static_cast<uint8_t>(i + 1);
  return id;
}

/// Bytes that no compressor or checksum finds easy, the same for the same number.
inline std::string message_of(uint64_t number, size_t size) {
  std::string text = "Subject: " + std::to_string(number) + "\r\n\r\n";
  uint64_t state = number * 0x9e3779b97f4a7c15ull + 1;
  while (text.size() < size) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    text.push_back(static_cast<char>(state));
  }
  text.resize(size);
  return text;
}

inline Delivery delivery_of(uint64_t number, std::string_view message) {
  Delivery delivery;
  delivery.digest = Sha256::of(as_bytes(message));
  delivery.captured = static_cast<UnixNs>(number) * kNsPerSecond;
  delivery.has_mail_from = true;
  delivery.mail_from = "sender" + std::to_string(number) + "@example.org";
  delivery.rcpt.push_back({"archive@example.net", "", ""});
  delivery.queue_id = "Q" + std::to_string(number);
  return delivery;
}

/// Queue id -> encoded delivery and message bytes.
using Found = std::map<std::string, std::string>;
inline std::string value_of(const Delivery& delivery, const std::string& message) {
  return encode_delivery(delivery) + "\n" + message;
}

/// Everything intact in one file, from its start.
inline Result<Found> read_all(Fs& fs, const std::string& path, std::vector<BadRange>* bad = nullptr) {
  ARCH_TRY(auto reader, JournalReader::open(fs, path));
  Found found;
  uint64_t offset = 0;
  while (true) {
    JournalReader::Record record;
    std::string message;
    ARCH_TRY(bool more, reader->next(&offset, &record, &message, bad));
    if (!more) return found;
    ARCH_TRY(std::string again, reader->read_message(record.ref));  // checks SHA-256
    if (again != message) return fail(Code::kCorrupt, "next() and read_message() differ");
    found[record.delivery.queue_id] = value_of(record.delivery, message);
  }
}

/// Everything intact in a directory.
inline Result<Found> recover_all(Fs& fs, const std::string& directory) {
  Found found;
  ARCH_TRY(auto files, list_journal(fs, directory));
  for (const JournalFileInfo& info : files) {
    ARCH_TRY(Found some, read_all(fs, info.path));
    found.insert(some.begin(), some.end());
  }
  return found;
}

/// Seeds of a random test: ARCH_SEED=n runs that one, ARCH_SEEDS=n runs n of them.
inline std::vector<uint64_t> test_seeds(uint64_t usual) {
  if (const char* one = std::getenv("ARCH_SEED")) return {std::strtoull(one, nullptr, 10)};
  if (const char* many = std::getenv("ARCH_SEEDS")) usual = std::strtoull(many, nullptr, 10);
  std::vector<uint64_t> seeds;
  for (uint64_t seed = 1; seed <= usual; ++seed) seeds.push_back(seed);
  return seeds;
}

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    path_ = testing::TempDir() + "journal_test.XXXXXX";
    EXPECT_NE(mkdtemp(path_.data()), nullptr);
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace arch::journal_test
