#include "tools/arch-extract/small_pdf.h"

#include <cstdio>

namespace arch::extract_worker {

std::string small_pdf() {
  std::string out = "%PDF-1.4\n";
  std::string table = "xref\n0 6\n0000000000 65535 f \n";
  const std::string content = "BT /F1 12 Tf 72 72 Td (warm) Tj ET";
  const std::string objects[] = {
      "<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>",
      "<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
      "<</Length " + std::to_string(content.size()) + ">>\nstream\n" + content + "\nendstream",
      "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"};
  int number = 0;
  for (const std::string& object : objects) {
    char place[32];
    snprintf(place, sizeof place, "%010zu 00000 n \n", out.size());
    table += place;
    out += std::to_string(++number) + " 0 obj\n" + object + "\nendobj\n";
  }
  const size_t at = out.size();
  return out + table + "trailer<</Size 6/Root 1 0 R>>\nstartxref\n" + std::to_string(at) + "\n%%EOF\n";
}

}  // namespace arch::extract_worker
