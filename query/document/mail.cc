// A mail as a file: EML, MHTML, Apple's emlx, what stands inside an S/MIME signature. Its own text comes from query/extract; its
// attachments are members.
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/objects.h>

#include <algorithm>
#include <memory>

#include "engine/base/limits.h"
#include "engine/mime/message.h"
#include "query/document/format.h"
#include "query/document/reader.h"
#include "query/extract/extract.h"
#include "query/extract/smime.h"

namespace arch::document::internal {

namespace {

// Whether query/extract has read the part as text already.
bool read_already(const mime::Part& part, const extract::Extracted& extracted) {
  return std::any_of(extracted.pieces.begin(), extracted.pieces.end(), [&](const TextPiece& piece) {
    return piece.field == TextPiece::kAttachment && piece.part == part.number;
  });
}

void read_message(File& file, std::string_view message) {
  const mime::Message parsed = mime::parse(message);
  const extract::Extracted extracted = extract::extract(message, parsed, {});
  for (const TextPiece& piece : extracted.pieces) {
    if (piece.field == TextPiece::kFileName || piece.field == TextPiece::kAttachment) continue;
    file.add(piece.text);
    file.end_line();
  }
  if (extracted.partial || parsed.partial) file.fail(Status::kOverLimit, "a mail over the limits of mail");
  if (parsed.encrypted) file.fail(Status::kEncrypted, "a key opens it");
  // Attachments inside a signature's content have the numbers of that content.
  for (const TextPiece& piece : extracted.pieces) {
    if (piece.field != TextPiece::kAttachment || piece.part.find('/') == std::string::npos) continue;
    file.add(piece.text);
    file.end_line();
  }
  for (const mime::Part& part : parsed.parts) {
    if (part.container || part.body_end <= part.body_begin) continue;
    if (!part.attachment && !read_already(part, extracted)) continue;
    if (part.media_type == "application/pkcs7-signature" || part.media_type == "application/x-pkcs7-signature" ||
        part.media_type == "application/pgp-signature" || part.media_type == "application/pkcs7-mime" ||
        part.media_type == "application/x-pkcs7-mime")
      continue;  // opened above, or nothing to read
    if (!file.room_for_members() || !file.go_on()) return;
    const std::string content = mime::decode_content(message, part, file.budget().limits().memory_bytes / 4);
    const Hint hint{part.media_type, part.filename, part.charset};
    // Decoding makes no more of it than there was: no expansion.
    file.member(part.filename.empty() ? "part " + part.number : part.filename, hint, content, true);
  }
}

}  // namespace

void read_mail(File& file) {
  std::string_view message = file.bytes;
  // Apple's: the number of bytes, a line end, the mail, then a property list.
  if (const size_t line = message.substr(0, 16).find('\n');
      line != std::string_view::npos && message[0] >= '0' && message[0] <= '9') {
    uint64_t size = 0;
    for (const char c : message.substr(0, line))
      if (c >= '0' && c <= '9') size = size * 10 + static_cast<uint64_t>(c - '0');
    message = message.substr(line + 1, size);
  }
  read_message(file, message);
}

void read_smime(File& file) {
  std::string der(file.bytes);
  if (der.rfind("-----BEGIN", 0) == 0 || der[0] != 0x30) {  // PEM, or base64 that was left undone
    const size_t begin = der.rfind("-----BEGIN", 0) == 0 ? std::min(der.find('\n'), der.size()) : 0;
    const std::string head = "Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\n";
    const std::string wrapped = head + der.substr(begin, der.find("-----END", begin) - begin);
    const mime::Message parsed = mime::parse(wrapped);
    if (!parsed.parts.empty()) der = mime::decode_content(wrapped, parsed.parts[0], limits::kMessageBytes);
  }
  if (const auto content = extract::internal::signed_content(der)) {
    // A MIME entity, or (not as the standard has it, but usual for signed invoices) a file as it is.
    const Format inside = find_format(*content, {});
    if (inside == Format::kText || inside == Format::kMail) return read_message(file, *content);
    Hint hint;
    hint.filename = file.hint.filename;
    if (extension_of(hint.filename) == ".p7m") hint.filename.resize(hint.filename.size() - 4);
    return file.member(hint.filename.empty() ? "content" : hint.filename, hint, *content, true);
  }
  std::unique_ptr<BIO, int (*)(BIO*)> in(
      BIO_new_mem_buf(der.data(), static_cast<int>(std::min<size_t>(der.size(), INT32_MAX))), BIO_free);
  const std::unique_ptr<CMS_ContentInfo, void (*)(CMS_ContentInfo*)> cms(
      in ? d2i_CMS_bio(in.get(), nullptr) : nullptr, CMS_ContentInfo_free);
  ERR_clear_error();
  if (!cms) return file.fail(Status::kBroken, "a damaged S/MIME structure");
  const int type = OBJ_obj2nid(CMS_get0_type(cms.get()));
  if (type == NID_pkcs7_signed)
    file.status = Status::kNoText;  // a signature apart from what it signs
  else
    file.fail(Status::kEncrypted, "a key opens it");
}

}  // namespace arch::document::internal
