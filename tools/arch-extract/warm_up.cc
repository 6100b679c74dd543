#include "tools/arch-extract/warm_up.h"

#include <iconv.h>
#include <poppler-document.h>

#include <string>

#include "query/document/document.h"
#include "tools/arch-extract/data_files.h"
#include "tools/arch-extract/small_pdf.h"

namespace arch::extract_worker {

namespace {

using namespace std::literals;

void read(const std::string& bytes) {
  static_cast<void>(document::read_document(std::as_bytes(std::span(bytes)), {}));
}

}  // namespace

void warm_up() {
  map_data_files();
  // Poppler forgets where its files are with its last document: this one stays. So do the converters that it asks for by name.
  static const std::string pdf = small_pdf();
  static const auto* const kept = poppler::document::load_from_raw_data(pdf.data(), static_cast<int>(pdf.size()));
  static_cast<void>(kept);
  for (const char* name : {"UTF-16", "UTF-16LE", "UTF-16BE", "UCS-4", "UTF-32"}) {
    static_cast<void>(iconv_open(name, "UTF-8"));
    static_cast<void>(iconv_open("UTF-8", name));
  }
  read(pdf);
  read(
      "MIME-Version: 1.0\r\nSubject: =?utf-8?q?warm=C3=A9?=\r\nContent-Type: text/plain; charset=\"iso-8859-1\"; "
      "name*=utf-8''a.txt\r\n"
      "Content-Transfer-Encoding: quoted-printable\r\n\r\nwarm=E9\r\n");
  read("<html><body>warm</body></html>");
  read("<?xml version=\"1.0\"?><a>warm</a>");
  read("\x1f\x8b\x08\0\0\0\0\0\2\xff\x2b\x4f\x2c\xca\5\0\x15\xc4\x21\x1e\4\0\0\0"s);
  read("PK\5\6"s + std::string(18, '\0'));
  read("\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01 more than twenty bytes"s);
  read("caf\xe9 d\xe9j\xe0 vu, \xe9t\xe9");
  static_cast<void>(document::readers_version());
}

}  // namespace arch::extract_worker
