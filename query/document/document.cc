#include "query/document/document.h"

#include <expat.h>

#include <algorithm>
#include <array>

#include "engine/base/ascii.h"
#include "engine/base/processor_time.h"
#include "engine/mime/message.h"
#include "query/document/format.h"
#include "query/document/reader.h"

namespace arch::document {

namespace internal {

namespace {

constexpr size_t kNameBytes = 1'000;  // of a member's path

// What a status says about what is missing: the worse one stays.
int weight(Status status) {
  switch (status) {
    case Status::kRead:
      return 0;
    case Status::kNoText:
      return 1;
    case Status::kUnknownFormat:
      return 2;
    case Status::kBroken:
      return 3;
    case Status::kEncrypted:
      return 4;
    case Status::kOverLimit:
      return 5;
    case Status::kCrashed:
      return 6;
  }
  return 6;
}

std::string shortened(std::string_view name) {
  std::string out = mime::to_utf8(name.substr(0, kNameBytes), "utf-8");
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 32 || c == 127) c = ' ';
  return out;
}

bool blank(std::string_view text) { return text.find_first_not_of(" \t\r\n\f") == std::string_view::npos; }

// Reads one file with all that is in it. Calls itself through File::member, at most Limits::depth deep.
void read_file(File& file) {
  const Format format = find_format(file.bytes, file.hint);
  file.media_type = media_type_of(format, file.bytes, file.hint);
  switch (format) {
    case Format::kEmpty:
      file.status = Status::kNoText;
      break;
    case Format::kPdf:
      read_pdf(file);
      break;
    case Format::kZip: {
      const ZipKind kind = zip_kind(file.bytes);
      if (!kind.media_type.empty()) file.media_type = kind.media_type;
      if (kind.kind == ZipKind::kOoxml)
        read_ooxml(file);
      else if (kind.kind == ZipKind::kOdf)
        read_odf(file);
      else
        read_archive(file);
      break;
    }
    case Format::kArchive:
    case Format::kCompressed:
      read_archive(file);
      break;
    case Format::kOle:
      read_ole(file);
      break;
    case Format::kBiff:
      read_biff(file);
      break;
    case Format::kRtf:
      read_rtf(file);
      break;
    case Format::kTnef:
      read_tnef(file);
      break;
    case Format::kMail:
      read_mail(file);
      break;
    case Format::kSmime:
      read_smime(file);
      break;
    case Format::kHtml:
      read_html(file);
      break;
    case Format::kXml:
      read_xml(file);
      break;
    case Format::kFlatOdf:
      read_flat_odf(file);
      break;
    case Format::kCalendar:
      read_calendar(file);
      break;
    case Format::kText:
      read_plain(file);
      break;
    case Format::kWordless:
      file.status = Status::kNoText;
      read_picture(file);
      break;
    case Format::kPgp:
      file.fail(Status::kEncrypted, "encrypted with OpenPGP");
      break;
    case Format::kUnknown:
      file.fail(Status::kUnknownFormat, "no reader for this format");
      break;
  }
}

void finish(File& file) {
  if (file.status == Status::kRead && blank(file.text)) file.status = Status::kNoText;
  if (blank(file.text)) file.text.clear();
  file.text = mime::to_utf8(file.text, "utf-8");
}

}  // namespace

Budget::Budget(const Limits& limits, uint64_t document_bytes)
    : limits_(limits),
      end_(processor_time() + limits.time),
      expansion_left_(std::max<uint64_t>(document_bytes * limits.expansion, limits.expansion_floor_bytes)),
      text_left_(limits.text_bytes) {}

bool Budget::time_over() const { return processor_time() >= end_; }

bool Budget::expand(uint64_t bytes) {
  if (bytes > expansion_left_) {
    expansion_left_ = 0;
    return false;
  }
  expansion_left_ -= bytes;
  return true;
}

bool File::add(std::string_view more) {
  if (more.size() > budget_.text_left()) {
    size_t cut = budget_.text_left();
    while (cut > 0 && (static_cast<unsigned char>(more[cut]) & 0xc0) == 0x80) --cut;  // not inside a character
    text += more.substr(0, cut);
    budget_.take_text(budget_.text_left());
    fail(Status::kOverLimit, "more text than the limit");
    return false;
  }
  budget_.take_text(more.size());
  text += more;
  return true;
}

void File::end_line() {
  if (!text.empty() && text.back() != '\n') add("\n");
}

void File::fail(Status with, std::string because) {
  if (weight(with) <= weight(status)) return;
  status = with;
  why = std::move(because);
}

bool File::go_on() {
  if (budget_.text_left() == 0) return false;
  if (!budget_.time_over()) return true;
  fail(Status::kOverLimit, "the time is over");
  return false;
}

bool File::room_for_members() {
  if (members_.size() < budget_.limits().members) return true;
  fail(Status::kOverLimit, "more members than the limit");
  return false;
}

void File::list(std::string_view name, std::string_view type, Status with, std::string because) {
  if (!room_for_members()) return;
  Member entry;
  entry.name = shortened((path.empty() ? std::string() : path + '/') + std::string(name));
  entry.depth = depth + 1;
  entry.media_type = type;
  entry.status = with;
  entry.why = std::move(because);
  members_.push_back(std::move(entry));
  if (with == Status::kEncrypted) fail(Status::kEncrypted, "a member is encrypted");
  if (with == Status::kOverLimit) fail(Status::kOverLimit, members_.back().why);
}

void File::member(std::string_view name, const Hint& member_hint, std::string_view content, bool counted) {
  if (!counted && depth < budget_.limits().depth && !budget_.expand(content.size())) {
    list(name, {}, Status::kOverLimit, "a member unpacks to more than the limit");
    return;
  }
  read_member(name, member_hint, content, read_file);
}

void File::member_by(std::string_view name, const Hint& member_hint, const std::function<void(File&)>& read) {
  read_member(name, member_hint, {}, read);
}

void File::read_member(std::string_view name, const Hint& member_hint, std::string_view content,
                       const std::function<void(File&)>& read) {
  if (!room_for_members() || !go_on()) return;
  if (depth >= budget_.limits().depth) {
    list(name, {}, Status::kOverLimit, "a member is nested deeper than the limit");
    return;
  }
  const size_t place = members_.size();
  list(name, {}, Status::kRead, {});
  File inner(budget_, members_, content, member_hint, depth + 1, members_[place].name);
  read(inner);
  finish(inner);
  Member& entry = members_[place];
  entry.media_type = std::move(inner.media_type);
  entry.status = inner.status;
  entry.why = std::move(inner.why);
  entry.text = std::move(inner.text);
  if (entry.status == Status::kEncrypted) fail(Status::kEncrypted, "a member is encrypted");
  if (entry.status == Status::kOverLimit) fail(Status::kOverLimit, entry.why);
}

}  // namespace internal

DocumentText read_document(std::span<const std::byte> bytes, const Hint& hint, const Limits& limits) {
  DocumentText out;
  const std::string_view content(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (content.size() > limits.document_bytes) {
    out.status = Status::kOverLimit;
    out.why = "larger than the limit";
    return out;
  }
  Hint clean = hint;
  clean.media_type = ascii_lower(hint.media_type.substr(0, hint.media_type.find(';')));
  while (!clean.media_type.empty() && clean.media_type.back() == ' ') clean.media_type.pop_back();
  internal::Budget budget(limits, content.size());
  internal::File file(budget, out.members, content, std::move(clean), 0, {});
  internal::read_file(file);
  internal::finish(file);
  out.status = file.status;
  out.why = std::move(file.why);
  out.media_type = std::move(file.media_type);
  out.tool = std::move(file.tool);
  out.version = std::move(file.version);
  out.text = std::move(file.text);
  out.for_ocr = file.for_ocr && file.status == Status::kNoText;
  return out;
}

std::string readers_version() {
  return "arch-" + std::string(internal::kReadersVersion) + " poppler-" + internal::pdf_version() + " libarchive-" +
         internal::archive_version() + " expat-" + [] {
           const XML_Expat_Version version = XML_ExpatVersionInfo();
           return std::to_string(version.major) + '.' + std::to_string(version.minor) + '.' +
                  std::to_string(version.micro);
         }();
}

}  // namespace arch::document
