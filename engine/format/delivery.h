// Delivery: one arrival of a message, and its encoding. The value that travels from capture to every later stage.
//
// Encoding (docs/journal-format.md): a sequence of fields, each `tag u8 | length varint | bytes`, in rising tag
// order; repeated tags keep their order. Absent values are left out. Unknown tags are kept on re-encoding
// (`unknown`), so that an older engine passes on what a newer capture recorded. Tag numbers are on disk for ever:
// never reuse one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/base/result.h"

namespace arch {

/// How a message came in. Values are on disk.
enum class Channel : uint8_t { kLmtp = 1, kSmtp = 2, kMilter = 3, kPipe = 4, kImport = 5 };
std::string_view channel_name(Channel channel);  ///< "lmtp" …

/// One RCPT TO as the client gave it; DSN parameters (RFC 3461) decoded from xtext, empty when absent.
struct Recipient {
  std::string address;
  std::string orcpt;
  std::string notify;
  bool operator==(const Recipient&) const = default;
};

/// Bits of Delivery::flags; on disk.
enum DeliveryFlag : uint32_t {
  kFlagBareLf = 1,     ///< content has an LF without CR before it (network channels only)
  kFlagBareCr = 2,     ///< content has a CR without LF behind it
  kFlagNul = 4,        ///< content has a NUL
  kFlagSmtpUtf8 = 8,   ///< MAIL FROM carried SMTPUTF8 (RFC 6531)
  kFlag8BitMime = 16,  ///< MAIL FROM carried BODY=8BITMIME (RFC 6152)
};

struct Delivery {
  Digest digest;        ///< of the message; in the record header, not among the fields
  UnixNs captured = 0;  ///< when the last byte had arrived (import: when it was read)
  Channel channel = Channel::kLmtp;
  uint32_t flags = 0;          ///< DeliveryFlag bits
  std::string mail_from;       ///< reverse path without <>; empty is <>
  bool has_mail_from = false;  ///< false for imports, whose envelope is unknown
  std::vector<Recipient> rcpt;
  std::string client_name, client_addr, client_port, client_helo,
      client_proto;      ///< of the mail's sender (XFORWARD, milter)
  std::string queue_id;  ///< of the MTA (XFORWARD IDENT, milter macro i)
  std::string mta_host;
  std::string auth_user;  ///< SASL login, when known
  std::string origin;     ///< import: path, with "#offset" of the message inside an mbox
  std::string separator;  ///< import from mbox: the "From " line without its line end
  std::vector<std::pair<std::string, std::string>>
      params;  ///< further ESMTP parameters (RET, ENVID …) and milter macros
  std::vector<std::pair<uint8_t, std::string>> unknown;  ///< fields of a newer version, kept as they came

  bool operator==(const Delivery&) const = default;
};

/// A path as SMTP writes it ("<a@b>") or as a person does ("a@b"): the address.
std::string without_brackets(std::string_view path);

/// A copy that always_bcc of Postfix made: its one recipient is the archive, not a person (RCPT TO … NOTIFY=NEVER).
bool is_archive_copy(const Delivery& delivery);

/// Never fails; the caller has bounded the input (limits.h).
std::string encode_delivery(const Delivery& delivery);
/// Errors: kInvalid (malformed, or over limits::kDeliveryBytes).
Result<Delivery> decode_delivery(std::string_view encoded, const Digest& digest);

}  // namespace arch
