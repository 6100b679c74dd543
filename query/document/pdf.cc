// PDF by poppler (its C++ interface): the text of each page in reading order, form fields as they show, title and keywords of the
// document, embedded files. Poppler's exceptions and prints end here.
#include <poppler-document.h>
#include <poppler-embedded-file.h>
#include <poppler-global.h>
#include <poppler-page.h>
#include <poppler-version.h>

#include <climits>
#include <memory>
#include <mutex>

#include "query/document/reader.h"
#include "query/document/utf16.h"

namespace arch::document::internal {

namespace {

void be_quiet(const std::string&, void*) {}

// Poppler's own to_utf8() asks iconv, which may look for a file.
std::string utf8(const poppler::ustring& text) {
  std::string out;
  out.reserve(text.size());
  Utf16 decoder;
  for (const auto unit : text) decoder.put(static_cast<uint16_t>(unit), &out);
  decoder.end(&out);
  return out;
}

void embedded_files(poppler::document& document, File& file) {
  for (poppler::embedded_file* embedded : document.embedded_files()) {  // owned by the document
    if (embedded == nullptr || !embedded->is_valid()) continue;
    if (!file.room_for_members() || !file.go_on()) return;
    const std::string name = decode_text(embedded->name(), {});  // PDFDocEncoding, or UTF-16 with a mark
    const poppler::byte_array content = embedded->data();
    Hint hint;
    hint.filename = name;
    hint.media_type = embedded->mime_type();
    file.member(name, hint, std::string_view(content.data(), content.size()));
  }
}

}  // namespace

std::string pdf_version() { return poppler::version_string(); }

void read_pdf(File& file) {
  static std::once_flag quiet;
  std::call_once(quiet, [] { poppler::set_debug_error_function(be_quiet, nullptr); });
  file.tool = "poppler";
  file.version = poppler::version_string();
  if (file.bytes.size() > INT_MAX) return file.fail(Status::kOverLimit, "larger than poppler reads");
  const std::unique_ptr<poppler::document> document(
      poppler::document::load_from_raw_data(file.bytes.data(), static_cast<int>(file.bytes.size())));
  if (!document) return file.fail(Status::kBroken, "no PDF that can be opened");
  if (document->is_locked()) return file.fail(Status::kEncrypted, "a password opens it");
  for (const char* key : {"Title", "Subject", "Keywords"}) {
    const std::string value = utf8(document->info_key(key));
    if (value.empty()) continue;
    file.add(value);
    file.end_line();
  }
  const int pages = document->pages();
  int missing = 0;
  bool words = false;
  for (int i = 0; i < pages && file.go_on(); ++i) {
    const std::unique_ptr<poppler::page> page(document->create_page(i));
    if (!page) {
      ++missing;
      continue;
    }
    const std::string text = utf8(page->text(poppler::rectf(), poppler::page::non_raw_non_physical_layout));
    words = words || text.find_first_not_of(" \t\r\n\f") != std::string::npos;
    file.add(text);  // poppler has joined the words that the ends of lines cut
    file.end_line();
  }
  if (pages <= 0) file.fail(Status::kBroken, "no page");
  if (missing > 0)
    file.fail(Status::kBroken, std::to_string(missing) + " of " + std::to_string(pages) + " pages cannot be read");
  if (!words) file.fail(Status::kNoText, "its pages hold no text, only pictures");
  file.for_ocr = !words;
  if (document->has_embedded_files()) embedded_files(*document, file);
}

}  // namespace arch::document::internal
