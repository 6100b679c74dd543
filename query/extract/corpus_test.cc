// Claim   The hard mails of other projects' fixtures and the cases made after public bug reports show their subject, sender
//         and attachment names, and the word that must be found is in the extracted text.
// Method  Reads the folder that ARCH_CORPUS names (or ../shared/corpus beside the source tree); its MANIFEST.tsv says what
//         three other readers saw and how many of them agree. Only what all three saw alike is demanded; the misses that
//         remain are listed below with their reason, and each must still be a miss.
// Teeth   A changed charset table, a lost part or a dropped name turns up as a file not listed here.
#include <gtest/gtest.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "query/extract/extract.h"

namespace arch {
namespace {

namespace fs = std::filesystem;

std::string corpus_directory() {
  if (const char* from_environment = std::getenv("ARCH_CORPUS")) return from_environment;
  return std::string(ARCH_SOURCE_DIR) + "/../shared/corpus";
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

std::vector<std::string> cells(const std::string& line) {
  std::vector<std::string> out(1);
  for (char c : line) {
    if (c == '\t')
      out.emplace_back();
    else if (c != '\r')
      out.back().push_back(c);
  }
  return out;
}

std::vector<std::map<std::string, std::string>> read_table(const fs::path& path) {
  std::istringstream in(read_file(path));
  std::string line;
  std::getline(in, line);
  const std::vector<std::string> names = cells(line);
  std::vector<std::map<std::string, std::string>> rows;
  while (std::getline(in, line)) {
    const std::vector<std::string> values = cells(line);
    std::map<std::string, std::string>& row = rows.emplace_back();
    for (size_t i = 0; i < names.size(); ++i) row[names[i]] = i < values.size() ? values[i] : "";
  }
  return rows;
}

std::string folded(const std::string& text) {
  icu::UnicodeString unicode = icu::UnicodeString::fromUTF8(text);
  unicode.foldCase();
  std::string out;
  unicode.toUTF8String(out);
  return out;
}

// The readers differ in the blanks they leave.
std::string without_blanks(const std::string& text) {
  std::string out;
  icu::UnicodeString unicode = icu::UnicodeString::fromUTF8(text), kept;
  for (int32_t i = 0; i < unicode.length(); ++i)
    if (!u_isUWhiteSpace(unicode[i]) && !u_iscntrl(unicode[i])) kept.append(unicode[i]);
  kept.toUTF8String(out);
  return out;
}

std::string all_text(const extract::Extracted& extracted) {
  std::string out;
  for (const TextPiece& piece : extracted.pieces) out += piece.text + '\n';
  return folded(out);
}

bool has_replacement(const std::string& text) { return text.find("\xef\xbf\xbd") != std::string::npos; }

constexpr size_t kLongestList = 290;

std::vector<std::string> split_names(const std::string& list) {
  std::vector<std::string> out;
  for (size_t at = 0; at <= list.size();) {
    size_t end = list.find("; ", at);
    if (end == std::string::npos) end = list.size();
    const std::string name = list.substr(at, end - at);
    if (!name.empty() && name.front() != '[') out.push_back(name);
    at = end + 2;
  }
  if (list.size() >= kLongestList && !out.empty()) out.pop_back();  // cut by the manifest
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
      for (const std::string& name : split_names(row["attachment_names"])) {
        if (has_replacement(name)) continue;
        ++names;
        const bool found = std::any_of(extracted.pieces.begin(), extracted.pieces.end(), [&](const TextPiece& piece) {
          return piece.field == TextPiece::kFileName && without_blanks(piece.text) == without_blanks(name);
        });
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

}  // namespace
}  // namespace arch
