// Every bound on input from outside, by name. Sizes are bytes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace arch::limits {

/// The largest message that any way in accepts; above it capture answers 452 and an import refuses with a reason.
/// `[limits] message_bytes` may lower it, never raise it.
constexpr uint64_t kMessageBytes = 256ull << 20;

/// Encoded delivery fields of one record: 10,000 recipients of 320 octets each, and room.
constexpr uint64_t kDeliveryBytes = 8ull << 20;

constexpr size_t kMaxRecipients = 10'000;

// MIME. Over a limit the message is stored whole and indexed as far as it goes (Message::partial).
constexpr size_t kHeaderFieldBytes =
    32u << 10;  ///< longer fields are not shown to GMime (nested groups overflow its stack)
constexpr size_t kHeaderBytes = 1u << 20;  ///< all header fields of one part
constexpr size_t kHeaderCount = 2'000;
constexpr size_t kMimeDepth = 64;
constexpr size_t kMimeParts = 5'000;
constexpr size_t kTextBytes = 16u << 20;  ///< text kept and indexed of one message

// Query language (docs: contracts of the query language).
constexpr size_t kQueryBytes = 2'000;
constexpr size_t kQueryTerms = 100;
constexpr size_t kQueryDepth = 20;
constexpr size_t kPrefixExpansion = 1'000;

}  // namespace arch::limits
