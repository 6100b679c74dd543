#include "engine/format/journal.h"

#include "engine/base/bytes.h"
#include "engine/base/mutant.h"

namespace arch {

std::string ArchiveId::hex() const {
  Digest padded;
  std::copy(bytes.begin(), bytes.end(), padded.bytes.begin());
  return padded.hex().substr(0, 32);
}

Result<ArchiveId> ArchiveId::from_hex(std::string_view text) {
  if (text.size() != 32) return fail(Code::kInvalid, "an archive id has 32 hex digits");
  auto padded = Digest::from_hex(std::string(text) + std::string(32, '0'));
  if (!padded) return fail(Code::kInvalid, "an archive id has only the digits 0-9 and a-f");
  ArchiveId id;
  std::copy_n(padded->bytes.begin(), id.bytes.size(), id.bytes.begin());
  return id;
}

namespace journal_format {

namespace {

template <size_t N>
std::string_view view_of(const std::array<uint8_t, N>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string with_checksum(ByteWriter& out) {
  out.u64(checksum64(as_bytes(out.view())));
  return out.take();
}

}  // namespace

std::string encode_file_header(const FileHeader& header) {
  ByteWriter out;
  out.raw(kMagic);
  out.u32(kVersion);
  out.u32(0);
  out.raw(view_of(header.archive.bytes));
  out.u64(header.number);
  out.raw(view_of(header.marker));
  out.u64(static_cast<uint64_t>(header.created));
  return with_checksum(out);
}

Result<FileHeader> decode_file_header(std::string_view bytes) {
  if (bytes.size() < kHeaderSize || bytes.substr(0, kMagic.size()) != kMagic)
    return fail(Code::kInvalid, "not a journal file");
  ByteReader in(bytes.substr(0, kHeaderSize));
  in.raw(kMagic.size());
  const uint32_t version = in.u32();
  const uint32_t flags = in.u32();
  FileHeader header;
  std::string_view archive = in.raw(16);
  header.number = in.u64();
  std::string_view marker = in.raw(16);
  header.created = static_cast<int64_t>(in.u64());
  if (ARCH_WRONG("journal header checksum", in.u64() != checksum64(as_bytes(bytes.substr(0, kHeaderSize - 8)))))
    return fail(Code::kCorrupt, "the header of the journal file does not match its checksum");
  if (version != kVersion || flags != 0)
    return fail(
        Code::kTooNew,
        "journal format " + std::to_string(version) + " is newer than this program's " + std::to_string(kVersion),
        "use the release that wrote it, or a newer one");
  std::copy(archive.begin(), archive.end(), header.archive.bytes.begin());
  std::copy(marker.begin(), marker.end(), header.marker.begin());
  return header;
}

std::string encode_record_header(const std::array<uint8_t, 16>& marker, const RecordHeader& header) {
  ByteWriter out;
  out.raw(view_of(marker));
  out.u32(static_cast<uint32_t>(header.kind));
  out.u32(header.fields_size);
  out.u64(header.message_size);
  out.u64(header.durable_end);
  out.u64(header.ordinal);
  out.digest(header.digest);
  return with_checksum(out);
}

std::optional<RecordHeader> decode_record_header(const std::array<uint8_t, 16>& marker, std::string_view bytes) {
  if (bytes.size() < kRecordHeaderSize || bytes.substr(0, 16) != view_of(marker)) return std::nullopt;
  ByteReader in(bytes.substr(16, kRecordHeaderSize - 16));
  RecordHeader header;
  const uint32_t kind = in.u32();
  header.fields_size = in.u32();
  header.message_size = in.u64();
  header.durable_end = in.u64();
  header.ordinal = in.u64();
  header.digest = in.digest();
  if (ARCH_WRONG("journal record header checksum",
                 in.u64() != checksum64(as_bytes(bytes.substr(0, kRecordHeaderSize - 8)))))
    return std::nullopt;
  if (kind != static_cast<uint32_t>(Kind::kDelivery) && kind != static_cast<uint32_t>(Kind::kEnd))
    return std::nullopt;
  header.kind = static_cast<Kind>(kind);
  return header;
}

}  // namespace journal_format
}  // namespace arch
