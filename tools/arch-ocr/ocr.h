// Pictures, and PDFs whose pages are pictures, to text: tesseract, with leptonica to decode and poppler to render. In a process of its
// own (main.cc); before that is sealed, load() has read all that tesseract will want.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "query/document/document.h"

namespace arch::ocr {

/// Languages whose data is installed here, by tesseract's names ("fra").
std::vector<std::string> installed_languages();

class Reader {
 public:
  Reader();
  ~Reader();

  /// Loads `languages`, as tesseract names them, joined by "+", most likely one first. False: their data is not there, or no such.
  bool load(const std::string& languages);
  /// Lets the libraries open now what they would open with the first document.
  void warm_up();
  /// What readers_version() is for the other readers: libraries and languages.
  std::string version() const;

  /// Never throws but bad_alloc. The picture's format is told by its content. Bounded by the limits' time (of
  /// the processor; a page may take half of it), text, ocr_pages, and by memory_bytes as to the size of pictures; a single step of a library by the process's own limits alone.
  document::DocumentText read(std::span<const std::byte> bytes, const document::Limits& limits);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace arch::ocr
