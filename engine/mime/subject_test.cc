#include "engine/mime/subject.h"

#include <gtest/gtest.h>

namespace arch::mime {
namespace {

TEST(BaseSubject, MarksAndListNamesFallAway) {
  const std::pair<const char*, const char*> replies[] = {
      {"Re: Devis", "devis"},
      {"RE : TR : Devis", "devis"},
      {"R\u00e9p: Devis", "devis"},
      {"R\u00c9F : Devis", "devis"},
      {"Re[2]: Devis", "devis"},
      {"Re(3): Devis", "devis"},
      {"Fwd: Fw: AW: SV: Antw: Devis", "devis"},
      {"[dev] Re: [dev] Devis", "devis"},
      {"Re:Devis\t pour   la cave ", "devis pour la cave"},
      {"Re\u00a0: \u00c9t\u00e9", "\u00c9t\u00e9"},
      {"Re: ", ""},
  };
  for (const auto& [subject, base] : replies) {
    EXPECT_EQ(base_subject(subject).text, base) << subject;
    EXPECT_TRUE(base_subject(subject).reply) << subject;
  }
  const std::pair<const char*, const char*> others[] = {
      {"Devis", "devis"},
      {"[dev] Devis", "devis"},
      {"[tout seul]", "[tout seul]"},
      {"Recette: soupe", "recette: soupe"},
      {"Trains : horaires", "trains : horaires"},
      {"Re", "re"},
      {"re[: x", "re[: x"},
      {"", ""},
      {":::", ":::"},
  };
  for (const auto& [subject, base] : others) {
    EXPECT_EQ(base_subject(subject).text, base) << subject;
    EXPECT_FALSE(base_subject(subject).reply) << subject;
  }
  EXPECT_EQ(base_subject(std::string(100'000, '[')).text.size(), 100'000u);
}

}  // namespace
}  // namespace arch::mime
