// Claim   A kind of attachment is told by its media type or, where the sender knew none, by the ending of its name.
// Method  Made-up attachments against what is asked for.
// Teeth   As many that must not be found as that must.
#include "query/index/types.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace arch::index {
namespace {

TEST(Types, TypesAndEndingsTellTheKindOfAnAttachment) {
  struct Case {
    const char *asked, *type, *name;
    bool matches;
  };
  const Case kCases[] = {
      {"pdf", "application/pdf", "", true},
      {"pdf", "application/octet-stream", "Facture.2024.PDF", true},
      {"pdf", "application/octet-stream", "pdf", false},
      {"pdf", "application/octet-stream", "facture.pdf.exe", false},
      {"pdf", "text/plain", "", false},
      {"image", "image/heic", "", true},
      {"image", "application/octet-stream", "scan.JPEG", true},
      {"image", "application/x-image", "", false},
      {"office", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "", true},
      {"office", "application/vnd.oasis.opendocument.text", "", true},
      {"office", "application/octet-stream", "devis.xlsx", true},
      {"office", "application/pdf", "office.pdf", false},
      {"archive", "application/x-zip-compressed", "", true},
      {"archive", "application/octet-stream", "sauvegarde.tar.gz", true},
      {"archive", "application/pdf", "archive", false},
      {"calendar", "text/calendar", "", true},
      {"csv", "text/csv", "", true},
      {"csv", "application/vnd.ms-excel", "tarif.csv", true},
      {"csv", "text/plain", "csv.txt", false},
      {"text", "text/x-log", "", true},
      {"image/png", "IMAGE/PNG", "", true},
      {"image/png", "application/octet-stream", "a.png", false},
  };
  for (const Case& each : kCases) {
    std::set<std::string> terms;
    type_terms(each.type, each.name, [&](std::string_view term) { terms.emplace(term); });
    EXPECT_EQ(terms.count(each.asked) != 0, each.matches) << each.asked << ' ' << each.type << ' ' << each.name;
  }
}

TEST(Types, WhatIsNoTypeIsNoTerm) {
  std::set<std::string> terms;
  const auto add = [&](std::string_view term) { terms.emplace(term); };
  type_terms("", "", add);
  EXPECT_TRUE(terms.empty());
  type_terms("", "x." + std::string(5'000, 'y'), add);
  EXPECT_TRUE(terms.empty());
}

}  // namespace
}  // namespace arch::index
