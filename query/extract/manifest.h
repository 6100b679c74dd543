// What the tests that go through a MANIFEST.tsv share. Test code only.
#pragma once

#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "query/extract/extract.h"

namespace arch::manifest {

namespace fs = std::filesystem;

inline std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

inline std::vector<std::string> cells(const std::string& line) {
  std::vector<std::string> out(1);
  for (char c : line) {
    if (c == '\t')
      out.emplace_back();
    else if (c != '\r')
      out.back().push_back(c);
  }
  return out;
}

inline std::vector<std::map<std::string, std::string>> read_table(const fs::path& path) {
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

inline std::string folded(const std::string& text) {
  icu::UnicodeString unicode = icu::UnicodeString::fromUTF8(text);
  unicode.foldCase();
  std::string out;
  unicode.toUTF8String(out);
  return out;
}

// The readers differ in the blanks they leave.
inline std::string without_blanks(const std::string& text) {
  std::string out;
  icu::UnicodeString unicode = icu::UnicodeString::fromUTF8(text), kept;
  for (int32_t i = 0; i < unicode.length(); ++i)
    if (!u_isUWhiteSpace(unicode[i]) && !u_iscntrl(unicode[i])) kept.append(unicode[i]);
  kept.toUTF8String(out);
  return out;
}

inline std::string all_text(const extract::Extracted& extracted) {
  std::string out;
  for (const TextPiece& piece : extracted.pieces) out += piece.text + '\n';
  return folded(out);
}

inline bool has_replacement(const std::string& text) { return text.find("\xef\xbf\xbd") != std::string::npos; }

/// Items of a list separated by "; ".
inline std::vector<std::string> split_list(const std::string& list) {
  std::vector<std::string> out;
  for (size_t at = 0; at <= list.size();) {
    size_t end = list.find("; ", at);
    if (end == std::string::npos) end = list.size();
    if (end > at) out.push_back(list.substr(at, end - at));
    at = end + 2;
  }
  return out;
}

/// Whether a file name is among the pieces.
inline bool has_name(const extract::Extracted& extracted, const std::string& name) {
  return std::any_of(extracted.pieces.begin(), extracted.pieces.end(), [&](const TextPiece& piece) {
    return piece.field == TextPiece::kFileName && without_blanks(piece.text) == without_blanks(name);
  });
}

}  // namespace arch::manifest
