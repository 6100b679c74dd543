#include "tools/arch-ocr/ocr.h"

#include <leptonica/allheaders.h>
#include <poppler-document.h>
#include <poppler-global.h>
#include <poppler-image.h>
#include <poppler-page-renderer.h>
#include <poppler-page.h>
#include <poppler-version.h>
#include <tesseract/baseapi.h>
#include <tesseract/ocrclass.h>
#include <tesseract/resultiterator.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <climits>
#include <cmath>

#include "engine/base/processor_time.h"
#include "query/document/utf16.h"
#include "tools/arch-extract/small_pdf.h"

namespace arch::ocr {

namespace {

using document::DocumentText;
using document::Limits;
using document::Status;
using std::chrono::nanoseconds;

constexpr double kResolution = 300;         // dots per inch of a rendered page: what tesseract was trained for
constexpr double kMostPixels = 12'000'000;  // of what tesseract looks at, a page of A4 at 300 dpi has 8.7 million
constexpr double kLeastResolution = 50;     // of a page: no letter of it can be told below that
constexpr int kSmallSide =
    1'500;  // a picture below that is a screen's, its letters too low for tesseract: twice the size
constexpr uint64_t kBytesPerPixel = 6;  // of a picture while it is decoded: as stored, then grey
constexpr float kLeastConfidence = 40;  // percent; what tesseract sees in a photo of a tree is below

struct Unpix {
  void operator()(Pix* picture) const { pixDestroy(&picture); }
};
using Picture = std::unique_ptr<Pix, Unpix>;

void be_quiet(const std::string&, void*) {}

std::string utf8(const poppler::ustring& text) {
  std::string out;
  document::internal::Utf16 decoder;
  for (const auto unit : text) decoder.put(static_cast<uint16_t>(unit), &out);
  decoder.end(&out);
  return out;
}

// Or a figure; what is not ASCII counts as one. Specks are read as dots and dashes.
bool holds_a_letter(std::string_view word) {
  return std::any_of(word.begin(), word.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x80 || std::isalnum(byte) != 0;
  });
}

// Of an Exif block in a JPEG (Exif 2.3, 4.6.4 A): 1 to 8, 1 when it does not say.
int orientation_of(std::string_view bytes) {
  const size_t exif = bytes.substr(0, 64u << 10).find(std::string_view("Exif\0\0", 6));
  if (bytes.substr(0, 2) != "\xff\xd8" || exif == std::string_view::npos) return 1;
  const std::string_view tiff = bytes.substr(exif + 6);
  const bool big = !tiff.empty() && tiff[0] == 'M';
  const auto number = [&](size_t at, size_t count) {
    uint32_t out = 0;
    for (size_t i = 0; i < count; ++i) {
      const size_t place = at + (big ? i : count - 1 - i);
      out = out << 8 | (place < tiff.size() ? static_cast<uint8_t>(tiff[place]) : 0u);
    }
    return out;
  };
  const size_t directory = number(4, 4), entries = std::min<size_t>(number(directory, 2), 200);
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + 12 * i;
    const uint32_t value = number(entry + 8, 2);
    if (number(entry, 2) == 0x112 && value >= 1 && value <= 8) return static_cast<int>(value);
  }
  return 1;
}

// As a camera held on its side means it to be seen. Mirrored ones (2, 4, 5, 7) nobody makes.
Picture upright(Picture picture, int orientation) {
  const int quarters = orientation == 6 ? 1 : orientation == 3 ? 2 : orientation == 8 ? 3 : 0;
  return quarters == 0 ? std::move(picture) : Picture(pixRotateOrth(picture.get(), quarters));
}

// Black on white and grey, of a size that tesseract likes.
Picture prepared(Picture picture) {
  if (pixGetSpp(picture.get()) == 4) picture.reset(pixAlphaBlendUniform(picture.get(), 0xffffff00));
  if (picture) picture.reset(pixConvertTo8(picture.get(), 0));
  if (!picture) return picture;
  const double pixels = static_cast<double>(pixGetWidth(picture.get())) * pixGetHeight(picture.get());
  double scale = 1;
  if (pixels > kMostPixels)
    scale = std::sqrt(kMostPixels / pixels);
  else if (std::max(pixGetWidth(picture.get()), pixGetHeight(picture.get())) < kSmallSide)
    scale = 2;
  if (scale != 1) picture.reset(pixScale(picture.get(), static_cast<float>(scale), static_cast<float>(scale)));
  return picture;
}

}  // namespace

std::vector<std::string> installed_languages() {
  tesseract::TessBaseAPI api;
  std::vector<std::string> out;
  // Which folder it is tesseract knows once it was to load something, also when that is not there.
  static_cast<void>(api.Init(nullptr, "none", tesseract::OEM_LSTM_ONLY));
  api.GetAvailableLanguagesAsVector(&out);
  return out;
}

struct Reader::State {
  tesseract::TessBaseAPI api;
  std::string languages;
  std::unique_ptr<poppler::document> kept;  // poppler forgets where its files are with its last document

  // ── one document ──
  const Limits* limits = nullptr;
  nanoseconds end{0}, page_end{0};
  DocumentText out;
  bool words = false;

  void fail(Status status, std::string why) {
    if (out.status != Status::kRead) return;
    out.status = status;
    out.why = std::move(why);
  }
  bool go_on() {
    if (out.status == Status::kOverLimit) return false;
    if (processor_time() < end) return true;
    fail(Status::kOverLimit, "the time is over");
    return false;
  }
  void add(std::string_view more) {
    if (out.text.size() + more.size() > limits->text_bytes)
      return fail(Status::kOverLimit, "more text than the limit");
    out.text += more;
  }

  /// What api.SetImage() was given.
  void recognize() {
    api.SetSourceResolution(static_cast<int>(kResolution));
    tesseract::ETEXT_DESC monitor;
    page_end = std::min<nanoseconds>(end, processor_time() + limits->time / 2);
    monitor.cancel_this = this;
    monitor.cancel = [](void* self, int) { return processor_time() >= static_cast<State*>(self)->page_end; };
    const bool done = api.Recognize(&monitor) == 0;
    if (processor_time() >= page_end) fail(Status::kOverLimit, "the time of a page is over");
    const std::unique_ptr<tesseract::ResultIterator> at(done ? api.GetIterator() : nullptr);
    if (at) take_words(*at);
    api.Clear();
  }

  void take_words(tesseract::ResultIterator& at) {
    bool in_line = false;
    do {
      if (at.Empty(tesseract::RIL_WORD)) continue;
      const std::unique_ptr<char[]> word(at.GetUTF8Text(tesseract::RIL_WORD));
      if (word && holds_a_letter(word.get()) && at.Confidence(tesseract::RIL_WORD) >= kLeastConfidence) {
        add((in_line ? " " : "") + std::string(word.get()));
        in_line = words = true;
      }
      if (!at.IsAtFinalElement(tesseract::RIL_TEXTLINE, tesseract::RIL_WORD)) continue;
      if (in_line && !joined(at)) add("\n");
      in_line = false;
    } while (at.Next(tesseract::RIL_WORD));
  }

  // A word that the end of the line cut, not of a paragraph: its halves meet.
  bool joined(const tesseract::ResultIterator& at) {
    if (out.text.size() < 2 || out.text.back() != '-' ||
        at.IsAtFinalElement(tesseract::RIL_PARA, tesseract::RIL_WORD))
      return false;
    const auto before = static_cast<unsigned char>(out.text[out.text.size() - 2]);
    if (before < 0x80 && (before < 'a' || before > 'z')) return false;
    out.text.pop_back();
    return true;
  }

  // False when it is too large to be decoded.
  bool room_for(int64_t width, int64_t height) {
    const uint64_t pixels =
        width <= 0 || height <= 0 ? 0 : static_cast<uint64_t>(width) * static_cast<uint64_t>(height);
    if (pixels <= limits->memory_bytes / kBytesPerPixel) return true;
    fail(Status::kOverLimit, "a picture of " + std::to_string(width) + " x " + std::to_string(height) +
                                 " pixels takes more memory than the limit");
    return false;
  }

  void read_picture(Picture picture, int orientation) {
    if (picture) picture = prepared(upright(std::move(picture), orientation));
    if (!picture) return fail(Status::kBroken, "a picture that cannot be decoded");
    api.SetImage(picture.get());
    picture.reset();  // tesseract has a copy
    recognize();
  }

  void read_picture_file(const uint8_t* bytes, size_t size) {
    int format = 0, width = 0, height = 0, bits = 0, samples = 0, colours = 0;
    if (pixReadHeaderMem(bytes, size, &format, &width, &height, &bits, &samples, &colours) != 0)
      return fail(Status::kBroken, "a picture that cannot be decoded");
    if (L_FORMAT_IS_TIFF(format)) return read_tiff(bytes, size);
    if (!room_for(width, height)) return;
    read_picture(Picture(pixReadMem(bytes, size)),
                 orientation_of(std::string_view(reinterpret_cast<const char*>(bytes), size)));
  }

  void read_tiff(const uint8_t* bytes, size_t size) {
    for (uint32_t page = 0; go_on(); ++page) {
      int width = 0, height = 0, bits = 0, samples = 0, resolution = 0, colours = 0, format = 0;
      if (readHeaderMemTiff(bytes, size, static_cast<int>(page), &width, &height, &bits, &samples, &resolution,
                            &colours, &format) != 0) {
        if (page == 0) fail(Status::kBroken, "a picture that cannot be decoded");
        return;
      }
      if (page >= limits->ocr_pages) return fail(Status::kOverLimit, "more pages than the limit");
      if (!room_for(width, height)) return;
      read_picture(Picture(pixReadMemTiff(bytes, size, page)), 1);
      if (page > 0 || out.status == Status::kRead) add("\n");
    }
  }

  void read_pdf(const char* bytes, size_t size) {
    if (size > INT_MAX) return fail(Status::kOverLimit, "larger than poppler reads");
    const std::unique_ptr<poppler::document> pdf(
        poppler::document::load_from_raw_data(bytes, static_cast<int>(size)));
    if (!pdf) return fail(Status::kBroken, "no PDF that can be opened");
    if (pdf->is_locked()) return fail(Status::kEncrypted, "a password opens it");
    for (const char* key : {"Title", "Subject", "Keywords"})
      if (const std::string value = utf8(pdf->info_key(key)); !value.empty()) add(value + "\n");
    poppler::page_renderer renderer;
    renderer.set_image_format(poppler::image::format_gray8);
    renderer.set_render_hints(poppler::page_renderer::antialiasing | poppler::page_renderer::text_antialiasing);
    const int pages = pdf->pages();
    int missing = 0;
    for (int i = 0; i < pages && go_on(); ++i) {
      if (static_cast<uint32_t>(i) >= limits->ocr_pages) return fail(Status::kOverLimit, "more pages than the limit");
      const std::unique_ptr<poppler::page> page(pdf->create_page(i));
      const poppler::rectf box = page ? page->page_rect() : poppler::rectf();
      if (!(box.width() > 0 && box.height() > 0)) {
        ++missing;
        continue;
      }
      const double inches = box.width() / 72 * box.height() / 72;
      const double resolution = std::min(kResolution, std::sqrt(kMostPixels / inches));
      if (resolution < kLeastResolution) {
        fail(Status::kOverLimit, "a page too large to be read");
        continue;
      }
      const poppler::image image = renderer.render_page(page.get(), resolution, resolution);
      if (!image.is_valid()) {
        ++missing;
        continue;
      }
      api.SetImage(reinterpret_cast<const unsigned char*>(image.const_data()), image.width(), image.height(), 1,
                   image.bytes_per_row());
      recognize();
      add("\n");
    }
    if (missing > 0)
      fail(Status::kBroken, std::to_string(missing) + " of " + std::to_string(pages) + " pages cannot be read");
  }
};

Reader::Reader() : state_(std::make_unique<State>()) {
  setMsgSeverity(L_SEVERITY_NONE);
  poppler::set_debug_error_function(be_quiet, nullptr);
}
Reader::~Reader() = default;

bool Reader::load(const std::string& languages) {
  State& s = *state_;
  if (s.api.Init(nullptr, languages.c_str(), tesseract::OEM_LSTM_ONLY) != 0) return false;
  s.api.SetPageSegMode(tesseract::PSM_AUTO);
  s.languages = languages;
  return true;
}

void Reader::warm_up() {
  State& s = *state_;
  static const std::string pdf = extract_worker::small_pdf();
  s.kept.reset(poppler::document::load_from_raw_data(pdf.data(), static_cast<int>(pdf.size())));
  static_cast<void>(read(std::as_bytes(std::span(pdf)), Limits()));
}

std::string Reader::version() const {
  const std::unique_ptr<char[], decltype(&lept_free)> leptonica(getLeptonicaVersion(), lept_free);
  std::string of_leptonica = leptonica.get();
  std::replace(of_leptonica.begin(), of_leptonica.end(), ' ', '-');
  return "tesseract-" + std::string(tesseract::TessBaseAPI::Version()) + " " + state_->languages + " " +
         of_leptonica + " poppler-" + poppler::version_string();
}

document::DocumentText Reader::read(std::span<const std::byte> bytes, const Limits& limits) {
  State& s = *state_;
  s.limits = &limits;
  s.end = processor_time() + limits.time;
  s.out = DocumentText();
  s.out.status = Status::kRead;
  s.out.tool = "tesseract";
  s.out.version = std::string(tesseract::TessBaseAPI::Version()) + " " + s.languages;
  s.words = false;
  const std::string_view content(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (content.substr(0, 1'024).find("%PDF-") != std::string_view::npos)
    s.read_pdf(content.data(), content.size());
  else
    s.read_picture_file(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  if (!s.words) {
    s.fail(Status::kNoText, "OCR finds no word in it");
    if (s.out.text.find_first_not_of(" \n") == std::string::npos) s.out.text.clear();
  }
  return std::move(s.out);
}

}  // namespace arch::ocr
