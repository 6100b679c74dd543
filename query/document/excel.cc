// Excel 2 to 2003 ([MS-XLS] for BIFF8; older versions differ in how strings stand). One pass over the records: strings are kept, cells
// are written as they come, a row a line.
#include <algorithm>
#include <vector>

#include "engine/mime/message.h"
#include "query/document/cfb.h"
#include "query/document/codepage.h"
#include "query/document/le.h"
#include "query/document/spreadsheet.h"
#include "query/document/utf16.h"

namespace arch::document::internal {

namespace {

enum Record : uint16_t {
  kFormula = 0x06,
  kHeader = 0x14,
  kFooter = 0x15,
  kDate1904 = 0x22,
  kFilePass = 0x2f,
  kContinue = 0x3c,
  kCodepage = 0x42,
  kBoundSheet = 0x85,
  kMulRk = 0xbd,
  kRString = 0xd6,
  kXf = 0xe0,
  kSst = 0xfc,
  kLabelSst = 0xfd,
  kTxo = 0x1b6,
  kNumber = 0x203,
  kLabel = 0x204,
  kString = 0x207,
  kRk = 0x27e,
  kFormat = 0x41e,
  kFormat3 = 0x1e,
  kNumber2 = 0x03,
  kLabel2 = 0x04,
};

class Reader {
 public:
  Reader(File& file, std::string_view stream) : file_(file), stream_(stream) {}

  void run() {
    uint64_t at = 0;
    bool begun = false;
    while (at + 4 <= stream_.size() && file_.go_on()) {
      const uint16_t type = stream_.u16(at);
      const uint16_t length = stream_.u16(at + 2);
      body_ = stream_.bytes(at + 4, length);
      at += 4 + static_cast<uint64_t>(length);
      if (!begun && (type & 0xff) != 0x09) return file_.fail(Status::kBroken, "no Excel workbook inside");
      begun = true;
      if (type == kFilePass) return file_.fail(Status::kEncrypted, "a password opens it");
      if (type == 0 && length == 0) break;  // room behind the last record
      record(type, &at);
    }
    if (!begun) file_.fail(Status::kBroken, "no Excel workbook inside");
    if (at > stream_.size()) file_.fail(Status::kBroken, "ends early");
  }

 private:
  bool wide() const { return version_ >= 8; }  // strings with flags

  void record(uint16_t type, uint64_t* at) {
    const Le field(body_);
    switch (type) {
      case 0x09:
        version_ = 2;
        break;
      case 0x209:
      case 0x409:
        version_ = 3;
        break;
      case 0x809:
        version_ = field.u16(0) == 0x600 ? 8 : 5;
        graph_ = field.u16(2) == 0x8000;
        break;
      case kCodepage:
        charset_ = codepage_name(field.u16(0));
        break;
      case kDate1904:
        date1904_ = field.u16(0) == 1;
        break;
      case kFormat:
        if (formats_.size() < 10'000)
          formats_.emplace_back(field.u16(0), kind_of_format(wide() ? text(2, 2) : text(2, 1)));
        break;
      case kXf:
        if (styles_.size() < 100'000) styles_.push_back(kind(field.u16(2)));
        break;
      case kBoundSheet:
        file_.add(text(6, 1));
        file_.end_line();
        break;
      case kSst:
        shared_strings(at);
        break;
      case kLabelSst: {
        place();
        const uint32_t index = field.u32(6);
        if (index < ends_.size()) {
          const size_t begin = index == 0 ? 0 : ends_[index - 1];
          file_.add(std::string_view(strings_).substr(begin, ends_[index] - begin));
        }
        break;
      }
      case kLabel:
      case kRString:
        place();
        file_.add(graph_ ? text(8, 1) : text(6, 2));
        break;
      case kLabel2:
        place();
        file_.add(mime::to_utf8(field.bytes(8, field.u8(7)), charset_));
        break;
      case kNumber:
        place();
        number(field.f64(6), field.u16(4));
        break;
      case kNumber2:
        place();
        number(field.f64(7), 0);
        break;
      case kRk:
        place();
        number(rk(field.u32(6)), field.u16(4));
        break;
      case kMulRk:
        place();
        for (uint64_t i = 4; i + 8 <= body_.size(); i += 6) {
          if (i > 4) file_.add("\t");
          number(rk(field.u32(i + 2)), field.u16(i));
        }
        break;
      case kFormula:
        if (field.u16(12) == 0xffff) {
          if (field.u8(6) == 0) place();  // the text follows in a record of its own
        } else {
          place();
          number(field.f64(6), field.u16(4));
        }
        break;
      case kString:
        file_.add(text(0, 2));
        break;
      case kHeader:
      case kFooter:
        if (body_.empty()) break;
        file_.end_line();
        file_.add(text(0, wide() ? 2 : 1));
        file_.end_line();
        break;
      case kTxo:
        text_object(at);
        break;
      default:
        break;
    }
  }

  // A string at an offset of the record, behind a length of one or two bytes.
  std::string text(uint64_t at, int length_bytes) const {
    const Le field(body_);
    const uint64_t count = length_bytes == 2 ? field.u16(at) : field.u8(at);
    at += static_cast<uint64_t>(length_bytes);
    if (!wide()) return mime::to_utf8(field.bytes(at, count), charset_);
    const uint8_t flags = field.u8(at++);
    if ((flags & 8) != 0) at += 2;
    if ((flags & 4) != 0) at += 4;
    return (flags & 1) != 0 ? utf16le(field.bytes(at, count * 2)) : latin1(field.bytes(at, count));
  }

  static std::string latin1(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size());
    for (const char c : bytes) append_utf8(static_cast<uint8_t>(c), &out);
    return out;
  }

  NumberKind kind(uint16_t format) const {
    const auto own =
        std::find_if(formats_.begin(), formats_.end(), [&](const auto& one) { return one.first == format; });
    return own == formats_.end() ? kind_of_builtin(format) : own->second;
  }

  static double rk(uint32_t raw) {
    double value;
    if ((raw & 2) != 0) {
      value = static_cast<double>(static_cast<int32_t>(raw) >> 2);
    } else {
      const uint64_t bits = static_cast<uint64_t>(raw & 0xfffffffc) << 32;
      std::memcpy(&value, &bits, sizeof value);
    }
    return (raw & 1) != 0 ? value / 100 : value;
  }

  void number(double value, uint16_t style) {
    file_.add(number_text(value, style < styles_.size() ? styles_[style] : NumberKind::kPlain, date1904_));
  }

  // A cell begins: a new line when the row is another one.
  void place() {
    const int row = Le(body_).u16(0);
    if (row != row_)
      file_.end_line();
    else
      file_.add("\t");
    row_ = row;
  }

  // The shared strings run on through CONTINUE records; inside the letters of a string each begins with new flags.
  void shared_strings(uint64_t* at) {
    std::string bytes(body_);
    std::vector<size_t> seams;
    while (stream_.u16(*at) == kContinue && *at + 4 <= stream_.size()) {
      seams.push_back(bytes.size());
      bytes += stream_.bytes(*at + 4, stream_.u16(*at + 2));
      *at += 4 + static_cast<uint64_t>(stream_.u16(*at + 2));
    }
    const Le field(bytes);
    const uint32_t count = field.u32(4);
    uint64_t i = 8;
    size_t seam = 0;
    for (uint32_t n = 0; n < count && i < bytes.size() && file_.go_on(); ++n) {
      uint64_t left = field.u16(i);
      uint8_t flags = field.u8(i + 2);
      i += 3;
      uint64_t behind = 0;
      if ((flags & 8) != 0) {
        behind += 4 * static_cast<uint64_t>(field.u16(i));
        i += 2;
      }
      if ((flags & 4) != 0) {
        behind += field.u32(i);
        i += 4;
      }
      Utf16 decoder;
      while (left > 0 && i < bytes.size()) {
        while (seam < seams.size() && seams[seam] < i) ++seam;
        if (seam < seams.size() && seams[seam] == i) {
          flags = field.u8(i++);
          ++seam;
        }
        if ((flags & 1) != 0) {
          decoder.put(field.u16(i), &strings_);
          i += 2;
        } else {
          decoder.put(field.u8(i), &strings_);
          ++i;
        }
        --left;
      }
      decoder.end(&strings_);
      i += behind;
      ends_.push_back(strings_.size());
      if (strings_.size() > file_.budget().limits().text_bytes) {
        file_.fail(Status::kOverLimit, "more text than the limit");
        break;
      }
    }
  }

  // A comment or a text box: the letters are in the CONTINUE record behind.
  void text_object(uint64_t* at) {
    uint64_t left = Le(body_).u16(10);
    std::string out;
    while (left > 0 && stream_.u16(*at) == kContinue && *at + 4 <= stream_.size()) {
      const std::string_view more = stream_.bytes(*at + 4, stream_.u16(*at + 2));
      *at += 4 + static_cast<uint64_t>(stream_.u16(*at + 2));
      if (!wide()) {
        out += mime::to_utf8(more.substr(0, left), charset_);
        left -= std::min<uint64_t>(left, more.size());
        continue;
      }
      const bool two = !more.empty() && (more[0] & 1) != 0;
      const std::string_view letters = more.substr(std::min<size_t>(1, more.size()));
      const uint64_t take = std::min<uint64_t>(left, two ? letters.size() / 2 : letters.size());
      out += two ? utf16le(letters.substr(0, take * 2)) : latin1(letters.substr(0, take));
      left -= take;
      if (take == 0) break;
    }
    std::replace(out.begin(), out.end(), '\r', '\n');
    file_.end_line();
    file_.add(out);
    file_.end_line();
    row_ = -1;
  }

  File& file_;
  const Le stream_;
  std::string_view body_;
  int version_ = 8;
  std::string charset_ = "windows-1252";
  bool date1904_ = false;
  bool graph_ = false;  // a sheet of Microsoft Graph ([MS-OGRAPH]): its labels are shorter
  std::vector<std::pair<uint16_t, NumberKind>> formats_;
  std::vector<NumberKind> styles_;
  std::string strings_;
  std::vector<size_t> ends_;
  int row_ = -1;
};

}  // namespace

void read_excel(File& file, std::string_view stream) { Reader(file, stream).run(); }

void read_biff(File& file) { Reader(file, file.bytes).run(); }

}  // namespace arch::document::internal
