// Prefixes of the index's terms: stored in every generation, so a change is a new generation (kSchema). One place, used by
// the writer and by query/search.
#pragma once

#include <string_view>

namespace arch::index {

constexpr int kSchema = 1;

// Words.
constexpr std::string_view kGeneral = "";      // any text of the message, people included; folded words are lower case
constexpr std::string_view kSubject = "S";
constexpr std::string_view kFileName = "N";
constexpr std::string_view kFrom = "F";        // words and whole addresses ("a@b.c") and domains ("@b.c")
constexpr std::string_view kTo = "T";
constexpr std::string_view kCc = "C";
constexpr std::string_view kBcc = "B";
constexpr std::string_view kRcpt = "R";        // envelope recipients
constexpr std::string_view kPair = "P";        // "Pbon de"
// Flags.
constexpr std::string_view kHasAttachment = "XHattachment";
constexpr std::string_view kIsPartial = "XIpartial";
constexpr std::string_view kIsUnread = "XIunread";
constexpr std::string_view kIsEncrypted = "XIencrypted";
constexpr std::string_view kMessageId = "XM";  // + XXH3-64 of the Message-ID in hex
constexpr std::string_view kThread = "XT";     // + hex

}  // namespace arch::index
