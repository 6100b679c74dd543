// Content first: a signature decides. Where a format has none (text, mail, HTML), declaration and name decide among those that the
// content allows.
#include "query/document/format.h"

#include <algorithm>
#include <array>

#include "engine/base/ascii.h"
#include "query/document/reader.h"

namespace arch::document::internal {

namespace {

using namespace std::literals;

constexpr size_t kHeadBytes = 4'096;
constexpr size_t kPdfHeaderWithin = 1'024;  // what Acrobat accepts (PDF 1.7, implementation note 13)
constexpr size_t kSniffBytes = 8u << 10;

struct Magic {
  size_t offset;
  std::string_view bytes;
  std::string_view media_type;
};

// Files that hold no words, whoever reads them. OCR is another program's work.
constexpr std::array<Magic, 27> kWordless = {{
    {0, "\xff\xd8\xff"sv, "image/jpeg"},
    {0, "\x89PNG\r\n\x1a\n"sv, "image/png"},
    {0, "GIF8"sv, "image/gif"},
    {0, "II*\0"sv, "image/tiff"},
    {0, "MM\0*"sv, "image/tiff"},
    {8, "WEBP"sv, "image/webp"},
    {8, "WAVE"sv, "audio/wav"},
    {8, "AVI "sv, "video/x-msvideo"},
    {0, "\0\0\1\0"sv, "image/x-icon"},
    {0, "8BPS"sv, "image/vnd.adobe.photoshop"},
    {0, "\xd7\xcd\xc6\x9a"sv, "image/wmf"},
    {40, " EMF"sv, "image/emf"},
    {0, "ID3"sv, "audio/mpeg"},
    {0, "\xff\xfb"sv, "audio/mpeg"},
    {0, "OggS"sv, "application/ogg"},
    {0, "fLaC"sv, "audio/flac"},
    {4, "ftypqt"sv, "video/quicktime"},
    {4, "ftypheic"sv, "image/heic"},
    {4, "ftypmif1"sv, "image/heic"},
    {4, "ftypM4A"sv, "audio/mp4"},
    {4, "ftyp"sv, "video/mp4"},
    {0, "\x1a\x45\xdf\xa3"sv, "video/webm"},
    {0, "#!AMR"sv, "audio/amr"},
    {0, "wOFF"sv, "font/woff"},
    {0, "wOF2"sv, "font/woff2"},
    {0, "OTTO"sv, "font/otf"},
    {0, "\0\1\0\0\0"sv, "font/ttf"},
}};

bool at(std::string_view bytes, size_t offset, std::string_view magic) {
  return bytes.size() >= offset + magic.size() && bytes.substr(offset, magic.size()) == magic;
}
bool starts(std::string_view bytes, std::string_view magic) { return at(bytes, 0, magic); }

const Magic* wordless(std::string_view bytes) {
  const auto* found = std::find_if(kWordless.begin(), kWordless.end(),
                                   [&](const Magic& magic) { return at(bytes, magic.offset, magic.bytes); });
  if (found != kWordless.end()) return found;
  // Two letters are no proof: a bitmap also says its own size.
  static constexpr Magic kBitmap{0, "BM"sv, "image/bmp"};
  if (starts(bytes, "BM") && bytes.size() > 26 && at(bytes, 6, "\0\0\0\0"sv)) return &kBitmap;
  return nullptr;
}

// The first bytes in ASCII lower case, without byte order mark and blanks; of UTF-16 the characters' low bytes.
std::string readable_head(std::string_view bytes) {
  std::string out;
  bytes = bytes.substr(0, kHeadBytes);
  const bool little = starts(bytes, "\xff\xfe"), big = starts(bytes, "\xfe\xff");
  if (little || big) {
    for (size_t i = little ? 2 : 3; i < bytes.size(); i += 2) out.push_back(bytes[i]);
  } else {
    if (starts(bytes, "\xef\xbb\xbf")) bytes.remove_prefix(3);
    out = bytes;
  }
  out.erase(0, std::min(out.find_first_not_of(" \t\r\n\f"), out.size()));
  return ascii_lower(out);
}

// A header field whose name mail has, at the start of a line among the first.
bool looks_like_mail(std::string_view head) {
  static constexpr std::array<std::string_view, 16> kFields = {
      "received:", "return-path:", "mime-version:", "message-id:",    "delivered-to:", "from:",
      "date:",     "subject:",     "to:",           "x-notes-item:",  "content-type:", "x-mozilla-status:",
      "reply-to:", "sender:",      "x-unsent:",     "dkim-signature:"};
  int known = 0;
  for (int lines = 0; lines < 60 && !head.empty(); ++lines) {
    const size_t end = head.find('\n');
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end == std::string_view::npos ? head.size() : end + 1);
    if (line.empty() || line == "\r") break;
    if (line[0] == ' ' || line[0] == '\t') continue;
    if (lines == 0 && (starts(line, "from ") || starts(line, ">from "))) continue;
    if (std::any_of(kFields.begin(), kFields.end(), [&](std::string_view field) { return starts(line, field); })) {
      if (starts(line, "mime-version:")) return true;  // nothing else begins like that (MHTML, saved mail)
      ++known;
      continue;
    }
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || line.substr(0, colon).find(' ') != std::string_view::npos) return false;
  }
  return known >= 2;
}

// Apple's mail: a line with the number of bytes, then the mail.
bool is_emlx(std::string_view head) {
  size_t i = 0;
  while (i < head.size() && head[i] >= '0' && head[i] <= '9') ++i;
  size_t end = i;
  while (end < head.size() && (head[end] == ' ' || head[end] == '\r')) ++end;
  return i > 0 && i < 12 && end < head.size() && head[end] == '\n' && looks_like_mail(head.substr(end + 1));
}

bool is_tar(std::string_view bytes) { return bytes.size() >= 512 && at(bytes, 257, "ustar"); }

// CMS (RFC 5652): SEQUENCE, then an OBJECT IDENTIFIER that begins with 1.2.840.113549.1.7.
bool is_cms(std::string_view bytes) {
  return bytes.size() > 20 && bytes[0] == 0x30 &&
         bytes.substr(0, 24).find("\x2a\x86\x48\x86\xf7\x0d\x01\x07"sv) != std::string_view::npos;
}

// A BOF record of Excel 2 to 5 without a container: type, length, and a version that belongs to it.
bool is_biff(std::string_view bytes) {
  if (bytes.size() < 12 || bytes[0] != 9 || bytes[3] != 0) return false;
  const uint8_t version = static_cast<uint8_t>(bytes[1]), length = static_cast<uint8_t>(bytes[2]);
  return (version == 0 && length == 4) || ((version == 2 || version == 4) && (length == 6 || length == 4)) ||
         (version == 8 && (length == 8 || length == 16));
}

bool is_html_head(std::string_view head) {
  if (starts(head, "<!--")) {
    const size_t end = head.find("-->");
    if (end != std::string_view::npos) {
      head.remove_prefix(end + 3);
      head.remove_prefix(std::min(head.find_first_not_of(" \t\r\n\f"), head.size()));
    }
  }
  static constexpr std::array<std::string_view, 12> kStarts = {
      "<!doctype html", "<html", "<head", "<body",   "<meta",  "<title",
      "<table",         "<div",  "<p>",   "<script", "<style", "<br"};
  return std::any_of(kStarts.begin(), kStarts.end(), [&](std::string_view start) { return starts(head, start); });
}

bool declared(const Hint& hint, std::string_view type) { return hint.media_type == type; }

}  // namespace

std::string extension_of(std::string_view filename) {
  const size_t dot = filename.rfind('.');
  if (dot == std::string_view::npos || filename.size() - dot > 16) return {};
  return ascii_lower(filename.substr(dot));
}

bool looks_binary(std::string_view bytes) {
  if (starts(bytes, "\xff\xfe") || starts(bytes, "\xfe\xff")) return false;
  const std::string_view head = bytes.substr(0, kSniffBytes);
  size_t odd = 0, zero_even = 0, zero_odd = 0;
  for (size_t i = 0; i < head.size(); ++i) {
    const unsigned char byte = static_cast<unsigned char>(head[i]);
    if (byte == 0) ++(i % 2 == 0 ? zero_even : zero_odd);
    if (byte < 32 && byte != '\n' && byte != '\r' && byte != '\t' && byte != '\f' && byte != '\x1b') ++odd;
  }
  // UTF-16 without a byte order mark: most characters have a zero on one and the same side.
  if (head.size() >= 8 && std::max(zero_even, zero_odd) * 4 > head.size() &&
      std::min(zero_even, zero_odd) * 50 < head.size())
    return false;
  return odd * 20 > head.size();
}

Format find_format(std::string_view bytes, const Hint& hint) {
  if (bytes.empty()) return Format::kEmpty;
  const std::string extension = extension_of(hint.filename);
  const std::string_view head = bytes.substr(0, kHeadBytes);
  if (starts(head, "PK\3\4") || starts(head, "PK\5\6") || starts(head, "PK00PK\3\4")) return Format::kZip;
  if (starts(head, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"sv)) return Format::kOle;
  if (starts(head, "\x78\x9f\x3e\x22")) return Format::kTnef;
  if (starts(head, "7z\xbc\xaf\x27\x1c") || starts(head, "Rar!\x1a\x07")) return Format::kArchive;
  if (starts(head, "\x1f\x8b\x08") || starts(head, "BZh") ||
      starts(head,
             "\xfd"
             "7zXZ\0"sv) ||
      starts(head, "\x28\xb5\x2f\xfd"))
    return Format::kCompressed;
  if (is_tar(head)) return Format::kArchive;
  if (wordless(head) != nullptr) return Format::kWordless;
  if (is_biff(head)) return Format::kBiff;
  if (is_cms(head)) return Format::kSmime;

  const std::string readable = readable_head(bytes);
  if (starts(readable, "{\\rt")) return Format::kRtf;
  if (starts(readable, "begin:vcalendar") || starts(readable, "begin:vcard")) return Format::kCalendar;
  if (starts(readable, "-----begin pgp message")) return Format::kPgp;
  if (starts(readable, "-----begin pkcs7") || starts(readable, "-----begin cms")) return Format::kSmime;
  if (starts(readable, "%pdf-")) return Format::kPdf;
  const bool mail_name = extension == ".eml" || extension == ".mht" || extension == ".mhtml" ||
                         extension == ".emlx" || declared(hint, "message/rfc822") || declared(hint, "message/global");
  if (!looks_binary(bytes) &&
      (looks_like_mail(readable) || is_emlx(readable) || (mail_name && readable.find(':') != std::string::npos)))
    return Format::kMail;
  if (head.substr(0, kPdfHeaderWithin + 5).find("%PDF-") != std::string_view::npos) return Format::kPdf;
  if (is_html_head(readable)) return Format::kHtml;
  if (starts(readable, "<?xml")) {
    if (readable.find("<office:document") != std::string::npos) return Format::kFlatOdf;
    if (readable.find("<html") != std::string::npos) return Format::kHtml;
    return Format::kXml;
  }
  if (looks_binary(bytes)) {
    if (declared(hint, "application/pgp-encrypted") || extension == ".gpg" || extension == ".pgp")
      return Format::kPgp;
    if (declared(hint, "application/pkcs7-signature") || declared(hint, "application/x-pkcs7-signature") ||
        declared(hint, "application/pgp-signature") || hint.media_type.rfind("image/", 0) == 0 ||
        hint.media_type.rfind("audio/", 0) == 0 || hint.media_type.rfind("video/", 0) == 0)
      return Format::kWordless;
    return Format::kUnknown;
  }
  if (starts(readable, "-----begin pgp") || declared(hint, "application/pgp-signature") ||
      starts(readable, "-----begin certificate") || declared(hint, "application/pgp-keys"))
    return Format::kWordless;
  if (declared(hint, "text/html") || declared(hint, "application/xhtml+xml") || extension == ".html" ||
      extension == ".htm")
    return Format::kHtml;
  if (extension == ".p7m" || declared(hint, "application/pkcs7-mime") || declared(hint, "application/x-pkcs7-mime"))
    return Format::kSmime;
  if (starts(readable, "<") &&
      (extension == ".xml" || declared(hint, "text/xml") || declared(hint, "application/xml")))
    return Format::kXml;
  return Format::kText;
}

std::string media_type_of(Format format, std::string_view bytes, const Hint& hint) {
  const std::string extension = extension_of(hint.filename);
  switch (format) {
    case Format::kPdf:
      return "application/pdf";
    case Format::kZip:
      return "application/zip";
    case Format::kArchive:
      return starts(bytes, "7z")     ? "application/x-7z-compressed"
             : starts(bytes, "Rar!") ? "application/vnd.rar"
                                     : "application/x-tar";
    case Format::kCompressed:
      return starts(bytes, "\x1f")   ? "application/gzip"
             : starts(bytes, "BZ")   ? "application/x-bzip2"
             : starts(bytes, "\xfd") ? "application/x-xz"
                                     : "application/zstd";
    case Format::kOle:
      return "application/x-ole-storage";
    case Format::kBiff:
      return "application/vnd.ms-excel";
    case Format::kRtf:
      return "application/rtf";
    case Format::kTnef:
      return "application/ms-tnef";
    case Format::kMail:
      return "message/rfc822";
    case Format::kSmime:
      return "application/pkcs7-mime";
    case Format::kHtml:
      return "text/html";
    case Format::kXml:
      return "application/xml";
    case Format::kFlatOdf:
      return "application/vnd.oasis.opendocument.text-flat-xml";
    case Format::kCalendar:
      return readable_head(bytes).rfind("begin:vcard", 0) == 0 ? "text/vcard" : "text/calendar";
    case Format::kText:
      if (extension == ".csv" || declared(hint, "text/csv")) return "text/csv";
      if (extension == ".tsv" || declared(hint, "text/tab-separated-values")) return "text/tab-separated-values";
      return hint.media_type.rfind("text/", 0) == 0 ? hint.media_type : "text/plain";
    case Format::kWordless:
      if (const Magic* magic = wordless(bytes)) return std::string(magic->media_type);
      return hint.media_type;
    case Format::kPgp:
      return "application/pgp-encrypted";
    case Format::kEmpty:
    case Format::kUnknown:
      break;
  }
  return hint.media_type.empty() ? "application/octet-stream" : hint.media_type;
}

}  // namespace arch::document::internal
