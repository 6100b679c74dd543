// The size of a picture by its header, no pixel looked at: whether OCR should see it. What OCR makes of it is tools/arch-ocr's work.
#include <algorithm>
#include <optional>

#include "query/document/reader.h"

namespace arch::document::internal {

namespace {

constexpr uint32_t kLeastSide = 20;   // a line of text is not lower
constexpr size_t kSegments = 1'000;   // of a JPEG before its size
constexpr size_t kDirectory = 1'000;  // entries of a TIFF's first directory

struct Size {
  uint64_t width = 0, height = 0;
};

uint64_t number(std::string_view bytes, size_t offset, size_t count, bool big) {
  if (offset > bytes.size() || bytes.size() - offset < count) return 0;
  uint64_t out = 0;
  for (size_t i = 0; i < count; ++i) out = out << 8 | static_cast<uint8_t>(bytes[offset + (big ? i : count - 1 - i)]);
  return out;
}

// Markers until a start of frame (ISO 10918-1, B.2.2).
Size of_jpeg(std::string_view bytes) {
  size_t at = 2;
  for (size_t i = 0; i < kSegments && at + 4 <= bytes.size(); ++i) {
    if (static_cast<uint8_t>(bytes[at]) != 0xff) return {};
    const uint8_t marker = static_cast<uint8_t>(bytes[at + 1]);
    if (marker == 0xff) {  // fill
      ++at;
      continue;
    }
    const bool frame = marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
    if (frame) return {number(bytes, at + 7, 2, true), number(bytes, at + 5, 2, true)};
    at += 2 + number(bytes, at + 2, 2, true);
  }
  return {};
}

// The first directory's ImageWidth and ImageLength (TIFF 6.0, 2).
Size of_tiff(std::string_view bytes) {
  const bool big = bytes[0] == 'M';
  const size_t directory = number(bytes, 4, 4, big);
  const size_t entries = std::min<size_t>(number(bytes, directory, 2, big), kDirectory);
  Size out;
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + 12 * i;
    const uint64_t tag = number(bytes, entry, 2, big), bytes_each = number(bytes, entry + 2, 2, big) == 3 ? 2 : 4;
    if (tag == 256) out.width = number(bytes, entry + 8, bytes_each, big);
    if (tag == 257) out.height = number(bytes, entry + 8, bytes_each, big);
  }
  return out;
}

// The three forms of the first chunk (RFC 9649, 2).
Size of_webp(std::string_view bytes) {
  const std::string_view chunk = bytes.size() < 30 ? std::string_view() : bytes.substr(12, 4);
  if (chunk == "VP8 ") return {number(bytes, 26, 2, false) & 0x3fff, number(bytes, 28, 2, false) & 0x3fff};
  if (chunk == "VP8X") return {number(bytes, 24, 3, false) + 1, number(bytes, 27, 3, false) + 1};
  if (chunk != "VP8L") return {};
  const uint64_t both = number(bytes, 21, 4, false);
  return {(both & 0x3fff) + 1, (both >> 14 & 0x3fff) + 1};
}

// Nothing: not one of the formats that OCR reads.
std::optional<Size> size_of(std::string_view bytes, std::string_view media_type) {
  if (media_type == "image/png") return Size{number(bytes, 16, 4, true), number(bytes, 20, 4, true)};
  if (media_type == "image/gif") return Size{number(bytes, 6, 2, false), number(bytes, 8, 2, false)};
  if (media_type == "image/jpeg") return of_jpeg(bytes);
  if (media_type == "image/tiff") return of_tiff(bytes);
  if (media_type == "image/webp") return of_webp(bytes);
  if (media_type != "image/bmp") return std::nullopt;
  if (number(bytes, 14, 4, false) == 12) return Size{number(bytes, 18, 2, false), number(bytes, 20, 2, false)};
  const auto height = static_cast<int32_t>(number(bytes, 22, 4, false));  // negative: from the top down
  return Size{number(bytes, 18, 4, false), static_cast<uint64_t>(height < 0 ? -int64_t{height} : height)};
}

}  // namespace

void read_picture(File& file) {
  if (file.depth > 0) return;  // OCR is given whole documents
  const std::optional<Size> size = size_of(file.bytes, file.media_type);
  if (!size) return;
  const uint64_t width = size->width, height = size->height, least = file.budget().limits().ocr_pixels;
  if (width == 0 || height == 0) return void(file.why = "a picture without a size");
  // Each is below 2^32.
  file.for_ocr = std::min(width, height) >= kLeastSide && width * height >= least;
  const std::string pixels = std::to_string(width) + " x " + std::to_string(height) + " pixels";
  file.why = file.for_ocr ? "a picture of " + pixels : "a picture of " + pixels + ", too small for OCR";
}

}  // namespace arch::document::internal
