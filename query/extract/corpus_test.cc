// Claim   The hard mails of other projects' fixtures and the cases made after public bug reports show their subject, sender
//         and attachment names, and the word that must be found is in the extracted text.
// Method  Reads the folder that ARCH_CORPUS names (or ../shared/corpus beside the source tree); its MANIFEST.tsv says what
//         three other readers saw and how many of them agree. Only what all three saw alike is demanded; the misses that
//         remain are listed below with their reason, and each must still be a miss.
// Teeth   A changed charset table, a lost part or a dropped name turns up as a file not listed here.
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "query/extract/manifest.h"

namespace arch {
namespace {

using namespace manifest;  // NOLINT: the helpers of this test

std::string corpus_directory() {
  if (const char* from_environment = std::getenv("ARCH_CORPUS")) return from_environment;
  return std::string(ARCH_SOURCE_DIR) + "/../shared/corpus";
}

constexpr size_t kLongestList = 290;  // characters of names; the manifest cuts longer lists

// Names in [] are media types of parts that have none.
std::vector<std::string> names_of(const std::string& list) {
  std::vector<std::string> out;
  for (const std::string& name : split_list(list))
    if (name.front() != '[') out.push_back(name);
  if (list.size() >= kLongestList && !out.empty()) out.pop_back();
  return out;
}

TEST(Corpus, HardMailShowsWhatOtherReadersAgreeOn) {
  const fs::path directory = fs::path(corpus_directory()) / "hard";
  if (!fs::exists(directory / "MANIFEST.tsv")) GTEST_SKIP() << "skipped: no corpus at " << directory;
  const std::set<std::string> kKnown = {
      // Not the address in <> but words of the name before it were taken by the other readers.
      "line-over-998-04.eml from", "uuencode-02.eml from",
      // The word is a character reference ("&mdash;") that they left undecoded.
      "multipart-with-cte-01.eml word",
      // It stands in Word's document properties inside a comment; the mail is one image.
      "base64-badlen-05.eml word",
      // It is made of letters of a uuencoded and of a yEnc block; their names are found, their code is not text.
      "uuencode-07.eml word", "yenc-01.eml word"};
  std::set<std::string> missed;
  int files = 0, subjects = 0, senders = 0, names = 0, words = 0;
  const auto miss = [&](const std::string& file, const char* what, const std::string& wanted,
                        const std::string& got) {
    const std::string key = file + ' ' + what;
    missed.insert(key);
    if (!kKnown.count(key)) ADD_FAILURE() << key << "\n  wanted " << wanted << "\n  got    " << got;
  };
  for (auto& row : read_table(directory / "MANIFEST.tsv")) {
    const std::string& file = row["file"];
    const std::string bytes = read_file(directory / file);
    const mime::Message parsed = mime::parse(bytes);
    const extract::Extracted extracted = extract::extract(bytes, parsed, {});
    const std::string text = all_text(extracted);
    ++files;
    if (row["subject_agree"] == "3/3" && !has_replacement(row["subject"])) {
      ++subjects;
      if (without_blanks(parsed.subject) != without_blanks(row["subject"]))
        miss(file, "subject", row["subject"], parsed.subject);
    }
    if (row["from_agree"] == "3/3" && !row["from_addr"].empty() && !has_replacement(row["from_addr"])) {
      ++senders;
      const std::string got = parsed.from.empty() ? "" : folded(parsed.from[0].address);
      if (got != folded(row["from_addr"])) miss(file, "from", row["from_addr"], got);
    }
    if (row["att_agree"] == "3/3") {
      for (const std::string& name : names_of(row["attachment_names"])) {
        if (has_replacement(name)) continue;
        ++names;
        const bool found = has_name(extracted, name);
        std::string got;
        for (const TextPiece& piece : extracted.pieces)
          if (piece.field == TextPiece::kFileName) got += piece.text + "; ";
        if (!found) miss(file, "name", name, got);
      }
    }
    if (const std::string& word = row["word_must_be_found"]; !word.empty()) {
      ++words;
      if (text.find(folded(word)) == std::string::npos) miss(file, "word", word, text.substr(0, 300));
    }
  }
  for (const std::string& known : kKnown) EXPECT_TRUE(missed.count(known)) << known << " is no miss any more";
  std::printf("%d files: %d subjects, %d senders, %d names, %d words compared; %zu misses\n", files, subjects,
              senders, names, words, missed.size());
  EXPECT_GT(files, 300);
}

struct Wanted {
  const char* file;
  std::vector<std::string> found, absent, names;
};

TEST(Corpus, ReportsAreReadAsExpected) {
  const fs::path directory = fs::path(corpus_directory()) / "reports";
  if (!fs::exists(directory)) GTEST_SKIP() << "skipped: no corpus at " << directory;
  const std::vector<Wanted> cases = {
      {"01-date-header-lies/mail.eml", {"carafes", "soufflées", "borealis", "devis 7741"}, {}, {}},
      {"02-one-mail-two-envelopes/copy1.eml", {"girouette", "lomme"}, {}, {}},
      {"03-no-message-id/a.eml", {"tournesol"}, {"mimosa"}, {}},
      {"03-no-message-id/b.eml", {"mimosa"}, {"tournesol"}, {}},
      {"04-nul-bytes/mail.eml", {"registre", "palissandre", "violette"}, {}, {}},
      {"05-long-message-id-empty-name/long-id.eml", {"fontaine", "turquoise"}, {}, {}},
      {"05-long-message-id-empty-name/empty-name.eml", {"ambre", "cobalt", "fuchsia"}, {}, {"../../etc/évasion.txt"}},
      {"06-empty-body-empty-attachment/no-body.eml", {"zinnia", "cron@serveur.example.fr"}, {}, {}},
      {"06-empty-body-empty-attachment/empty-attachment.eml", {"glycine"}, {}, {"temoin-glycine.dat"}},
      {"08-rfc2231-name/mail.eml",
       {"hortensia", "lavandin", "müller-étienne"},
       {},
       {"reçu n° 12 €.txt", "facture détaillée de septembre (copie).txt"}},
      {"09-html-entities/mail.eml",
       {"réunion", "comité", "reportée", "cœur", "métier", "coquelicot", "suite"},
       {"safran", "cinabre", "indigo", "eacute"},
       {}},
      {"10-french-word-forms/mail.eml", {"esquisse", "équipements pour"}, {}, {}},
      {"11-number-only-in-pdf/mail.eml", {}, {}, {"confirmation.pdf"}},
      {"12-smime-opaque-signed/signed.eml", {"amarante", "jacinthe"}, {}, {"annexe-perenne.txt"}},
      {"12-smime-opaque-signed/encrypted.eml", {"chiffré"}, {}, {}},
  };
  for (const Wanted& wanted : cases) {
    SCOPED_TRACE(wanted.file);
    const std::string bytes = read_file(directory / wanted.file);
    ASSERT_FALSE(bytes.empty());
    const mime::Message parsed = mime::parse(bytes);
    const extract::Extracted extracted = extract::extract(bytes, parsed, {});
    const std::string text = all_text(extracted);
    for (const std::string& word : wanted.found) EXPECT_NE(text.find(folded(word)), std::string::npos) << word;
    for (const std::string& word : wanted.absent) EXPECT_EQ(text.find(folded(word)), std::string::npos) << word;
    for (const std::string& name : wanted.names) EXPECT_TRUE(has_name(extracted, name)) << name;
  }
  const auto key = [&](const char* file) {
    const std::string bytes = read_file(directory / file);
    return mime::mail_key(bytes, mime::parse(bytes));
  };
  EXPECT_EQ(key("02-one-mail-two-envelopes/copy1.eml"), key("02-one-mail-two-envelopes/copy2.eml"));
  EXPECT_NE(key("03-no-message-id/a.eml"), key("03-no-message-id/b.eml"));
  const std::string lies = read_file(directory / "01-date-header-lies/mail.eml");
  EXPECT_EQ(format_rfc3339(mime::sort_date(mime::parse(lies), 0)), "2025-10-14T07:12:31Z");
  const std::string long_id = read_file(directory / "05-long-message-id-empty-name/long-id.eml");
  EXPECT_EQ(mime::parse(long_id).message_id.size(), 1008u);
  EXPECT_TRUE(mime::parse(read_file(directory / "12-smime-opaque-signed/encrypted.eml")).encrypted);
}

}  // namespace
}  // namespace arch
