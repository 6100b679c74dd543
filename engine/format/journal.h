// The journal file, version 1: constants and pure encoding. Layout and reasons: docs/journal-format.md.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/digest.h"
#include "engine/base/result.h"

namespace arch {

/// 128 random bits made by `archctl init`; every journal file and segment carries it.
struct ArchiveId {
  std::array<uint8_t, 16> bytes{};
  auto operator<=>(const ArchiveId&) const = default;
  std::string hex() const;
  static Result<ArchiveId> from_hex(std::string_view text);  ///< 32 digits
};

/// Names one journal file for good: its number, and its random marker, since a number alone may come back after a restore.
struct JournalFileId {
  uint64_t number = 0;
  std::array<uint8_t, 16> marker{};
  auto operator<=>(const JournalFileId&) const = default;
};

namespace journal_format {

constexpr std::string_view kMagic = "ARCHJNL\n";  // 8 bytes
constexpr uint32_t kVersion = 1;
constexpr size_t kHeaderSize =
    72;  // magic 8, version 4, flags 4, archive 16, number 8, sync marker 16, created 8, checksum 8
constexpr size_t kRecordHeaderSize =
    88;  // marker 16, kind 4, fields 4, message 8, durable end 8, sequence in file 8, digest 32, checksum 8
constexpr size_t kRecordTrailerSize = 8;  // XXH3-64 over everything from the marker to here

enum class Kind : uint32_t { kDelivery = 1, kEnd = 2 };  // values are on disk

struct FileHeader {
  ArchiveId archive;
  uint64_t number = 0;               ///< the number in the file name, from 1
  std::array<uint8_t, 16> marker{};  ///< random; starts every record of this file
  int64_t created = 0;               ///< UnixNs
};

struct RecordHeader {
  Kind kind = Kind::kDelivery;
  uint32_t fields_size = 0;  ///< encoded Delivery
  uint64_t message_size = 0;
  uint64_t durable_end = 0;  ///< offset up to which the file was known durable when this record was written
  uint64_t ordinal = 0;      ///< 0, 1, 2 … within the file
  Digest digest;             ///< of the message; zero for END
  uint64_t record_size() const { return kRecordHeaderSize + fields_size + message_size + kRecordTrailerSize; }
};

std::string encode_file_header(const FileHeader& header);
/// Errors: kInvalid (no journal file), kTooNew, kCorrupt (checksum).
Result<FileHeader> decode_file_header(std::string_view bytes);

/// kRecordHeaderSize bytes, its own checksum included: lengths are believed only when it holds.
std::string encode_record_header(const std::array<uint8_t, 16>& marker, const RecordHeader& header);
/// Nothing when the bytes are not an intact record header of this file.
std::optional<RecordHeader> decode_record_header(const std::array<uint8_t, 16>& marker, std::string_view bytes);

}  // namespace journal_format
}  // namespace arch
