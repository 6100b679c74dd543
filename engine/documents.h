// What was read in an attachment, kept once by the digest of its decoded bytes, however many mails it came with. The catalog's
// column `document` (docs/catalog-format.md). Derived: attachments can be read again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/base/result.h"

namespace arch {

struct TextPiece;  // engine/archive.h

/// Of a document or of a file inside it. Values are on disk, and those of document::Status among them.
enum class DocumentStatus : uint8_t {
  kRead = 1,
  kNoText = 2,
  kEncrypted = 3,
  kBroken = 4,
  kOverLimit = 5,
  kUnknownFormat = 6,
  kCrashed = 7,
  kWaitsForOcr = 8,  ///< not of document::Status: pictures, which OCR has not read yet
};
/// "read", "no_text", "encrypted", "broken", "over_limit", "unknown_format", "crashed", "waits_for_ocr"
std::string_view document_status_name(DocumentStatus status);

/// KeptDocument::tool of what OCR read.
inline constexpr std::string_view kOcrTool = "tesseract";

struct KeptDocument {
  struct Member {
    std::string name;  ///< path inside the document; UTF-8
    std::string media_type;
    DocumentStatus status = DocumentStatus::kRead;
    std::string why;
    std::string text;
    bool operator==(const Member&) const = default;
  };
  DocumentStatus status = DocumentStatus::kUnknownFormat;
  std::string why;         ///< one sentence when it is not kRead
  std::string media_type;  ///< as found
  std::string tool;        ///< what read it
  std::string readers;     ///< version of all readers then: another one may read more
  std::string text;        ///< UTF-8, without the members' text
  std::vector<Member> members;
  std::string
      language;  ///< of the text, or of the longest member's: "fr"; empty: too little to tell, or read before it was kept

  /// A key, other limits or another version might find more in it or in a member.
  bool unread() const;
  bool operator==(const KeptDocument&) const = default;
};

/// What a search sees of it, as pieces of the mail's part that it is: its text, then name and text of each member.
void append_pieces(KeptDocument&& document, const std::string& part, std::vector<TextPiece>* text);

std::string encode_document(const KeptDocument& document);
Result<KeptDocument> decode_document(std::string_view value);

/// Documents that wait: for their readers, or behind those for OCR.
enum class DocumentQueue : uint8_t { kReaders, kOcr };

/// A document that waits to be read: where its bytes are.
struct WaitingDocument {
  Digest digest;
  uint64_t message = 0;  ///< MessageInfo::number of one that has it
  std::string part;      ///< as in TextPiece::part; empty: to be found by the digest
};

/// How many documents there are, by what they are and how reading them went.
struct DocumentCounts {
  struct Row {
    std::string media_type;
    DocumentStatus status = DocumentStatus::kRead;
    uint64_t count = 0;
  };
  std::vector<Row> rows;  ///< most first
  uint64_t waiting = 0;
  uint64_t waiting_for_ocr = 0;
};

}  // namespace arch
