#include "query/document/wire.h"

#include "engine/base/bytes.h"
#include "engine/mime/message.h"

namespace arch::document::wire {

namespace {
constexpr uint64_t kMemberBytes = 4'096;  // name, type and reason of one member
constexpr uint64_t kHintBytes = 64u << 10;

bool known(uint8_t status) {
  return status >= static_cast<uint8_t>(Status::kRead) && status <= static_cast<uint8_t>(Status::kUnknownFormat);
}

std::string valid(std::string_view text) { return mime::to_utf8(text, "utf-8"); }
}  // namespace

std::string header(Kind kind, uint64_t payload_bytes) {
  ByteWriter out;
  out.u32(static_cast<uint32_t>(kind));
  out.u32(kVersion);
  out.u64(payload_bytes);
  return out.take();
}

Result<uint64_t> parse_header(std::string_view bytes, Kind kind, uint64_t most) {
  ByteReader in(bytes);
  const uint32_t magic = in.u32(), version = in.u32();
  const uint64_t size = in.u64();
  if (!in.ok() || magic != static_cast<uint32_t>(kind) || version != kVersion)
    return fail(Code::kInvalid, "a frame of another kind or version");
  if (size > most) return fail(Code::kTooLarge, "a frame of " + std::to_string(size) + " bytes");
  return size;
}

std::string encode(const Hello& hello) {
  ByteWriter out;
  out.u8(hello.sealed ? 1 : 0);
  out.sized(hello.gaps);
  out.sized(hello.readers_version);
  return out.take();
}

Result<Hello> parse_hello(std::string_view payload) {
  ByteReader in(payload);
  Hello out;
  out.sealed = in.u8() == 1;
  out.gaps = valid(in.sized());
  out.readers_version = valid(in.sized());
  if (!in.ok()) return fail(Code::kInvalid, "a malformed greeting");
  return out;
}

std::string encode_head(const Hint& hint, const Limits& limits, uint64_t document_bytes) {
  ByteWriter out;
  out.u64(static_cast<uint64_t>(limits.time.count()));
  out.u64(limits.memory_bytes);
  out.u64(limits.text_bytes);
  out.u32(limits.depth);
  out.u32(limits.expansion);
  out.u64(limits.expansion_floor_bytes);
  out.u32(limits.members);
  out.u64(limits.document_bytes);
  out.u64(limits.ocr_pixels);
  out.u32(limits.ocr_pages);
  const auto cut = [](const std::string& text) { return std::string_view(text).substr(0, kHintBytes / 4); };
  out.sized(cut(hint.media_type));
  out.sized(cut(hint.filename));
  out.sized(cut(hint.charset));
  out.u64(document_bytes);
  return out.take();
}

Result<Request> parse_request(std::string_view payload) {
  ByteReader in(payload);
  Request out;
  out.limits.time = std::chrono::milliseconds(in.u64());
  out.limits.memory_bytes = in.u64();
  out.limits.text_bytes = in.u64();
  out.limits.depth = in.u32();
  out.limits.expansion = in.u32();
  out.limits.expansion_floor_bytes = in.u64();
  out.limits.members = in.u32();
  out.limits.document_bytes = in.u64();
  out.limits.ocr_pixels = in.u64();
  out.limits.ocr_pages = in.u32();
  out.hint.media_type = in.sized();
  out.hint.filename = in.sized();
  out.hint.charset = in.sized();
  out.bytes = in.raw(in.u64());
  if (!in.ok() || !in.at_end()) return fail(Code::kInvalid, "a malformed request");
  return out;
}

std::string encode(const DocumentText& text) {
  ByteWriter out;
  out.u8(static_cast<uint8_t>(text.status));
  out.u8(text.for_ocr ? 1 : 0);
  for (const std::string* field : {&text.why, &text.media_type, &text.tool, &text.version, &text.text})
    out.sized(*field);
  out.varint(text.members.size());
  for (const Member& member : text.members) {
    out.u8(static_cast<uint8_t>(member.status));
    out.varint(member.depth);
    for (const std::string* field : {&member.name, &member.media_type, &member.why, &member.text}) out.sized(*field);
  }
  return out.take();
}

Result<DocumentText> parse_response(std::string_view payload, const Limits& limits) {
  ByteReader in(payload);
  DocumentText out;
  uint64_t text_bytes = 0;
  const uint8_t status = in.u8();
  bool statuses = known(status);
  out.status = static_cast<Status>(status);
  out.for_ocr = in.u8() == 1;
  for (std::string* field : {&out.why, &out.media_type, &out.tool, &out.version, &out.text})
    *field = valid(in.sized());
  text_bytes += out.text.size();
  const uint64_t count = in.varint();
  if (!in.ok() || !statuses) return fail(Code::kInvalid, "a malformed answer");
  if (count > limits.members) return fail(Code::kTooLarge, "an answer with too many members");
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    Member& member = out.members.emplace_back();
    const uint8_t own = in.u8();
    statuses = statuses && known(own);
    member.status = static_cast<Status>(own);
    member.depth = static_cast<uint32_t>(in.varint());
    for (std::string* field : {&member.name, &member.media_type, &member.why, &member.text})
      *field = valid(in.sized());
    text_bytes += member.text.size();
  }
  if (!in.ok() || !in.at_end() || !statuses) return fail(Code::kInvalid, "a malformed answer");
  // Repaired bytes take three times their room at most; a worker that keeps to the rules sends none.
  if (text_bytes > limits.text_bytes) return fail(Code::kTooLarge, "an answer with more text than the limit");
  return out;
}

uint64_t most_request_bytes(const Limits& limits) { return limits.document_bytes + kHintBytes; }
uint64_t most_response_bytes(const Limits& limits) {
  return limits.text_bytes + (static_cast<uint64_t>(limits.members) + 2) * kMemberBytes;
}

}  // namespace arch::document::wire
