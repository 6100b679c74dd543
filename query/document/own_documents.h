// The documents that tests/data/make_documents.py wrote, with what must come out of each. Test code only.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "query/document/document.h"
#include "query/extract/manifest.h"

namespace arch::document {

struct OwnDocument {
  std::string file, bytes, status;
  Hint hint;
  std::vector<std::string> words, absent;
};

inline std::vector<OwnDocument> own_documents(const std::string& table = "MANIFEST.tsv") {
  const std::string directory = std::string(ARCH_BINARY_DIR) + "/documents";
  std::vector<OwnDocument> out;
  const auto words = [](std::string list) {
    std::vector<std::string> parts;
    for (size_t at; (at = list.find("<TAB>")) != std::string::npos;) list.replace(at, 5, "\t");
    for (size_t at = 0; at < list.size();) {
      const size_t end = std::min(list.find('|', at), list.size());
      parts.push_back(list.substr(at, end - at));
      at = end + 1;
    }
    return parts;
  };
  for (auto& row : manifest::read_table(directory + "/" + table)) {
    OwnDocument& one = out.emplace_back();
    one.file = row["file"];
    one.bytes = manifest::read_file(directory + "/" + row["file"]);
    one.status = row["status"];
    one.hint = {row["declared"], row["file"], row["charset"]};
    one.words = words(row["words"]);
    one.absent = words(row["absent"]);
  }
  return out;
}

/// What is missing or too much, a line each; empty when all is as the manifest wants it.
inline std::string differences(const OwnDocument& wanted, const DocumentText& read) {
  std::string out;
  const std::string text = read.all_text();
  if (wanted.status != "any" && wanted.status != status_name(read.status))
    out += "status " + std::string(status_name(read.status)) + " (" + read.why + "), not " + wanted.status + "\n";
  for (const std::string& word : wanted.words)
    if (text.find(word) == std::string::npos) out += "missing: " + word + "\n";
  for (const std::string& word : wanted.absent)
    if (text.find(word) != std::string::npos) out += "too much: " + word + "\n";
  if (!out.empty()) out += "text: " + text.substr(0, 600) + "\n";
  return out;
}

inline DocumentText read_bytes(const std::string& bytes, const Hint& hint = {}, const Limits& limits = {}) {
  return read_document(std::as_bytes(std::span(bytes)), hint, limits);
}

}  // namespace arch::document
