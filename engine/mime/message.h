// A message as a part tree with exact byte ranges, and its decoded header fields. The only users of GMime are the .cc
// files of this folder: GMime 3.2.13 reads parameters and undoes encodings; boundaries, fields and addresses are read
// by hand, for the reasons that stand there. Pure: bytes in, values out; no file, no clock; any thread. Bounded by
// limits.h in time, memory and depth; over a limit `partial` is set and the walk goes as far as it goes
// (docs/mail-limits.md). Never fails: what cannot be parsed is a message with one text part.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/digest.h"

namespace arch::mime {

struct Address {
  std::string name;     ///< decoded, UTF-8; may be empty
  std::string address;  ///< local@domain as written; may be empty when the field is broken
  bool operator==(const Address&) const = default;
};

enum class Encoding : uint8_t { kIdentity, kBase64, kQuotedPrintable, kUuencode };

/// A leaf or container of the tree, in document order. Offsets are bytes from the start of the message.
struct Part {
  std::string number;  ///< "1", "2.1" … as IMAP's BODYSTRUCTURE numbers them; a message that is a multipart is "", an
                       ///< embedded one in part "2" that is a multipart "2.TEXT"
  int depth = 0;
  bool container = false;   ///< multipart/* or message/rfc822: its children follow
  std::string media_type;   ///< lower case "text/plain"; "text/plain" when absent or unparsable
  std::string charset;      ///< as declared, lower case; empty when absent
  std::string disposition;  ///< lower case; empty when absent
  std::string filename;     ///< decoded (RFC 2047, 2231), UTF-8; empty when absent; may hold any character, "/" too
  std::string content_id;   ///< without <>
  Encoding encoding = Encoding::kIdentity;
  uint64_t header_begin = 0;  ///< of the part's own header fields
  uint64_t body_begin = 0;    ///< first byte of the content, still encoded
  uint64_t body_end = 0;      ///< one past it; the line end before the next boundary is not part of it
  bool attachment = false;    ///< what a person calls one: disposition attachment, or a file name, or a leaf that is
                              ///< neither text nor an image that the text shows
};

struct Message {
  std::vector<Address> from, sender, reply_to, to, cc, bcc;
  std::string subject;                  ///< decoded, UTF-8, one line, NUL left out
  std::string message_id;               ///< without <>; of any length
  std::vector<std::string> references;  ///< References then In-Reply-To, without <>, in order, without repeats
  std::string in_reply_to;
  std::string list_id;
  bool has_date = false;
  UnixNs date = 0;  ///< the Date field
  bool has_received = false;
  UnixNs received = 0;  ///< date of the topmost Received
  std::vector<std::pair<std::string, std::string>>
      headers;              ///< all fields of the message, in order: name, unfolded and decoded value
  std::vector<Part> parts;  ///< the tree, depth first; embedded messages' parts included
  uint64_t header_end = 0;  ///< first byte behind the message's header fields and empty line
  bool partial = false;     ///< a limit of limits.h was met
  bool encrypted = false;   ///< multipart/encrypted, or application/pkcs7-mime that is not signed-data
};

/// A leading mbox "From " line (some files have one) is skipped as if it were not there.
Message parse(std::string_view message);

/// The fields only (`parts` stays empty); for an embedded message give it the bytes of its message/rfc822 part.
Message parse_fields(std::string_view message);

/// The part's content with the transfer encoding undone; at most `limit` bytes of it.
std::string decode_content(std::string_view message, const Part& part, uint64_t limit);

/// Bytes in `charset` (declared; empty = unknown) to valid UTF-8. A wrong or missing declaration is guessed at
/// (valid UTF-8 is UTF-8; else windows-1252). Invalid sequences become U+FFFD. NUL becomes a space.
std::string to_utf8(std::string_view bytes, std::string_view charset);

/// When the mail was sent: the Date field if plausible (from 30 days before to 2 days behind `received`, or any when
/// there is no Received field), else the topmost Received, else `captured`.
UnixNs sort_date(const Message& message, UnixNs captured);

/// Mail key: equal for two captures of one mail (CRLF or LF, with or without trace fields on top). XXH3-64 over
/// Message-ID, Date, From, Subject and the body with line ends normalised and trailing ones dropped. A message
/// without Message-ID gets a key over its whole bytes with normalised line ends (two different alarms with equal
/// texts but different headers stay apart).
uint64_t mail_key(std::string_view message, const Message& parsed);

/// What the mail key of a message with Message-ID is made of but for that: Date, From, Subject and the body. Tells whether
/// two copies of a mail without one differ in more than other header fields.
uint64_t content_key(std::string_view message, const Message& parsed);

}  // namespace arch::mime
