// Prefixes of the index's terms: stored in every generation, so a change is a new generation (kSchema). One place, used by
// the writer and by query/search. The rules behind them: docs/search.md.
//
// A field term is the prefix and a term of query/text: a word, a joined term ("=fa202400123") or, of people, a whole
// address ("a@b.c") or a domain with its parents ("@x.b.c", "@b.c"). Words are folded, so that no term without prefix
// begins with a capital letter.
#pragma once

#include <string_view>

namespace arch::index {

constexpr int kSchema = 4;

// Words. General: of subject, body, quoted text, file names, attachment text and the names of people; of their addresses
// the whole and its domains only.
constexpr std::string_view kGeneral = "";
constexpr std::string_view kSubject = "S";
constexpr std::string_view kFileName = "N";
constexpr std::string_view kFrom = "F";
constexpr std::string_view kTo = "T";  // and envelope recipients when To and Cc name none of them
constexpr std::string_view kCc = "C";
constexpr std::string_view kBcc = "B";   // Bcc field, and envelope recipients that are in neither To nor Cc
constexpr std::string_view kRcpt = "R";  // every recipient: To, Cc, Bcc and envelope
// Header fields that the operator asked for: "Hx-run-id" for every mail that has it, "Hx-run-id " and a word of its value.
constexpr std::string_view kHeader = "H";
constexpr std::string_view kList = "I";  // words of List-Id, and the whole of it
constexpr std::string_view kTag =
    "G";  // words of tags that other mail programs left in the header, and each whole tag
constexpr std::string_view kLanguage = "L";  // "Lfr": of the text, when it is long enough to tell
constexpr std::string_view kType =
    "Y";  // "Yapplication/pdf", "Ypdf": of attachments and of what is inside them (types.h)
// Flags.
constexpr std::string_view kHasAttachment = "XHattachment";
constexpr std::string_view kHasInline = "XHinline";  // an image that the text shows
constexpr std::string_view kHasSignature = "XHsignature";
constexpr std::string_view kHasLink = "XHlink";
constexpr std::string_view kHasBcc = "XHbcc";
constexpr std::string_view kIsPartial = "XIpartial";
constexpr std::string_view kIsUnread = "XIunread";  // when it was indexed; kIsRead says that it is over
constexpr std::string_view kIsRead = "XIread";
constexpr std::string_view kLateText = "XItext";  // of late/: text joined it, as often as its count says
constexpr std::string_view kIsEncrypted = "XIencrypted";
constexpr std::string_view kIsCopy = "XIcopy";  // a message with a lower number has the same mail key (values.h)

}  // namespace arch::index
