// OCR on bytes as they come. What must hold: it ends, within its limits. The languages are those of the package that it always has.
#include <cstdint>
#include <cstdlib>

#include "tools/arch-ocr/ocr.h"

// fontconfig, behind poppler, keeps what it read of its configuration and frees it never.
extern "C" const char* __lsan_default_suppressions() { return "leak:libfontconfig\n"; }

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static arch::ocr::Reader* const reader = [] {
    auto* made = new arch::ocr::Reader();
    if (!made->load("eng")) std::abort();
    made->warm_up();
    return made;
  }();
  arch::document::Limits limits;
  limits.time = std::chrono::milliseconds(2'000);
  limits.memory_bytes = 8u << 20;
  limits.text_bytes = 1u << 16;
  limits.ocr_pages = 3;
  const auto text = reader->read(std::as_bytes(std::span(data, size)), limits);
  if (text.text.size() > limits.text_bytes || !text.members.empty()) std::abort();
  return 0;
}
