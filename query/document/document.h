// A file (an attachment, mostly) to the text that is kept and searched. The format is told by the content first, then by the
// declared media type, then by the name: what people declare is often wrong. Pure: bytes in, values out; no file is opened but
// the data files of poppler (pool.h runs this in a process that cannot open even those). Any thread.
//
// Bounded by `Limits` in time, expansion, text, depth and members. What the libraries allocate (poppler, libarchive, expat) and
// how long a single call of theirs takes is bounded only in a worker process (pool.h): hostile bytes belong there.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace arch::document {

/// What the mail says about the file. All of it may be empty or wrong.
struct Hint {
  std::string media_type;  ///< lower case or not, without parameters
  std::string filename;
  std::string charset;
};

struct Limits {
  std::chrono::milliseconds time{10'000};  ///< of the processor, for one document with all its members
  uint64_t memory_bytes = 256ull << 20;    ///< of the worker beyond what it takes at rest; largest member unpacked
  uint64_t text_bytes = 16ull << 20;       ///< text of the document and its members together
  uint32_t depth = 3;                      ///< a member of the document is at 1, its member at 2 …
  uint32_t expansion = 100;                ///< bytes unpacked in total, as a multiple of the document's bytes …
  uint64_t expansion_floor_bytes = 1ull << 20;  ///< … or this when it is more: a small file of blanks is no attack
  uint32_t members = 1'000;                     ///< members listed; the rest is left out (kOverLimit)
  uint64_t document_bytes = 256ull << 20;       ///< a larger document is not looked at (limits::kMessageBytes)
  uint64_t ocr_pixels = 100'000;                ///< a smaller picture is a logo or a button (DocumentText::for_ocr)
  uint32_t ocr_pages = 50;                      ///< pages of a scan that OCR reads
};

enum class Status : uint8_t {  // values cross a pipe and may be kept
  kRead = 1,                   ///< all of it was read and it has text
  kNoText = 2,                 ///< understood, holds no words (an image, a scan, an empty file)
  kEncrypted = 3,              ///< needs a password or a key; `text` has what can be read without
  kBroken = 4,                 ///< ends early or contradicts its format; `text` has what came before
  kOverLimit = 5,              ///< a limit was met; `text` has what came before
  kUnknownFormat = 6,          ///< nothing here reads it
  kCrashed = 7,                ///< its reader ended the worker process (pool.h alone says so)
};
/// "read", "no_text", "encrypted", "broken", "over_limit", "unknown_format", "crashed": stable, for JSON, metrics and lists.
std::string_view status_name(Status status);

/// A file found inside: an entry of an archive, an attachment of a mail, an object in an office file. In document order, a
/// member's own members behind it.
struct Member {
  std::string name;        ///< path from the document on: "annexes.zip/2024/devis.pdf"; UTF-8, may hold any character
  uint32_t depth = 1;      ///< 1: a member of the document
  std::string media_type;  ///< as found, not as declared
  Status status = Status::kRead;
  std::string why;  ///< one sentence when the status is not kRead; may be empty
  std::string text;
  bool operator==(const Member&) const = default;
};

struct DocumentText {
  Status status = Status::
      kUnknownFormat;      ///< of the document itself; kEncrypted, kOverLimit also when a member was left out for it
  std::string why;         ///< one sentence when the status is not kRead; may be empty
  std::string media_type;  ///< as found
  std::string tool, version;  ///< what read it: "poppler" "22.12.0"; "arch" "1" for readers of our own
  std::string text;           ///< UTF-8, valid; lines end in \n; without the members' text
  std::vector<Member> members;
  /// A picture of a sane size, or a PDF whose pages are pictures: OCR may find words in it. `status` is kNoText then.
  bool for_ocr = false;
  bool operator==(const DocumentText&) const = default;

  /// Text of the document, then name and text of each member.
  std::string all_text() const;
  /// Whether more might be found with a key, other limits or another version: the document belongs on the list of what a search
  /// cannot see. True when the status, or that of a member, is none of kRead and kNoText.
  bool unread() const;
};

/// Never throws but bad_alloc; never fails: what cannot be read says so in `status`.
DocumentText read_document(std::span<const std::byte> bytes, const Hint& hint, const Limits& limits = {});

/// One line that changes whenever a document may come out differently: our readers' version and those of the libraries. Kept
/// beside a text, it says what to read again.
std::string readers_version();

}  // namespace arch::document
