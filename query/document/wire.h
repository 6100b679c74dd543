// What a worker (tools/arch-extract) and its parent (pool.h) say to each other over two pipes: frames of a fixed header and a payload.
// Pure. The parent takes no answer on trust: a worker may have been taken over by what it read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "query/document/document.h"

namespace arch::document::wire {

/// Header of a frame, little-endian: magic (4), version (4), bytes of the payload (8).
inline constexpr size_t kHeaderBytes = 16;
enum class Kind : uint32_t {
  kHello = 0x49485841,     // "AXHI": worker to parent, once
  kRequest = 0x51525841,   // "AXRQ"
  kResponse = 0x53525841,  // "AXRS"
};
inline constexpr uint32_t kVersion = 2;  // 2: OCR

/// Exit status of a worker that could not get more memory; others are crashes.
inline constexpr int kExitMemory = 71;

struct Hello {
  bool sealed = false;          ///< system calls and resources are restricted
  std::string gaps;             ///< what the kernel does not offer here; empty when all holds
  std::string readers_version;  ///< document::readers_version() of the worker
};

struct Request {
  Hint hint;
  Limits limits;
  std::string_view bytes;  ///< of the payload it was parsed from
};

std::string header(Kind kind, uint64_t payload_bytes);
/// The payload's length. Errors: kInvalid (another kind or version), kTooLarge.
Result<uint64_t> parse_header(std::string_view bytes, Kind kind, uint64_t most);

std::string encode(const Hello& hello);
Result<Hello> parse_hello(std::string_view payload);
/// All of the payload but the document's bytes, which follow it.
std::string encode_head(const Hint& hint, const Limits& limits, uint64_t document_bytes);
Result<Request> parse_request(std::string_view payload);
std::string encode(const DocumentText& text);
/// Errors: kInvalid, kTooLarge (more than `limits` allow). Texts come out as valid UTF-8 whatever was sent.
Result<DocumentText> parse_response(std::string_view payload, const Limits& limits);

uint64_t most_request_bytes(const Limits& limits);
uint64_t most_response_bytes(const Limits& limits);

}  // namespace arch::document::wire
