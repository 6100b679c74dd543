// Office Open XML (ECMA-376): Word, Excel, PowerPoint. Every part that can hold words is read as it comes out of the zip; only
// the shared strings of a workbook are kept. Which element holds words is nearly the same in all of them: "t".
#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "engine/base/ascii.h"
#include "query/document/format.h"
#include "query/document/spreadsheet.h"
#include "query/document/xml.h"

namespace arch::document::internal {

namespace {

bool starts(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }
bool ends(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}
template <size_t N>
bool one_of(std::string_view name, const std::array<std::string_view, N>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

unsigned number_of(std::string_view text) {
  unsigned value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// Running text of Word, PowerPoint, drawings, comments, charts.
class RunningText : public XmlHandler {
 public:
  RunningText(File& file, std::string_view part)
      : file_(file), chart_(part.find("/charts/") != std::string_view::npos) {}

  void start(std::string_view name, const Attributes&) override {
    // Formatting has elements named like content; Fallback says again what its sibling Choice says; rt are readings.
    static constexpr std::array<std::string_view, 8> kSkipped = {"pPr",  "rPr",      "sectPr", "tblPr",
                                                                 "tcPr", "Fallback", "rt",     "instrText"};
    if (skipped_ > 0 || one_of(name, kSkipped)) {
      ++skipped_;
      return;
    }
    if (name == "t" || name == "text" || name == "delText" || (chart_ && name == "v"))
      ++inside_;
    else if (name == "tab" || name == "ptab")
      file_.add("\t");
    else if (name == "br" || name == "cr")
      file_.add("\n");
    else if (name == "noBreakHyphen")
      file_.add("-");
    // A text box or a note must not run into the word that it is anchored to.
    else if (name == "txbxContent")
      file_.end_line();
  }
  void end(std::string_view name) override {
    if (skipped_ > 0) {
      --skipped_;
      return;
    }
    if (name == "t" || name == "text" || name == "delText" || (chart_ && name == "v")) --inside_;
    if (name == "p" || name == "text" || (chart_ && name == "v"))
      file_.end_line();
    else if (name == "tc" && !file_.text.empty() && file_.text.back() == '\n')
      file_.text.back() = '\t';
    else if (name == "tr")
      file_.end_line();
  }
  void characters(std::string_view text) override {
    if (inside_ > 0 && skipped_ == 0) file_.add(text);
  }

 private:
  File& file_;
  const bool chart_;
  int inside_ = 0;
  size_t skipped_ = 0;
};

// Title, subject, keywords, description; the author, since people are asked for.
class Properties : public XmlHandler {
 public:
  explicit Properties(File& file) : file_(file) {}
  void start(std::string_view name, const Attributes&) override {
    static constexpr std::array<std::string_view, 7> kWanted = {
        "title", "subject", "creator", "keywords", "description", "category", "lastModifiedBy"};
    inside_ = one_of(name, kWanted);
  }
  void end(std::string_view) override {
    if (inside_) file_.end_line();
    inside_ = false;
  }
  void characters(std::string_view text) override {
    if (inside_) file_.add(text);
  }

 private:
  File& file_;
  bool inside_ = false;
};

struct Workbook {
  std::string strings;             // all shared strings, one behind the other
  std::vector<size_t> ends;        // of each
  std::vector<NumberKind> styles;  // by cell style
  bool date1904 = false;

  std::string_view shared(size_t index) const {
    if (index >= ends.size()) return {};
    const size_t begin = index == 0 ? 0 : ends[index - 1];
    return std::string_view(strings).substr(begin, ends[index] - begin);
  }
};

class SharedStrings : public XmlHandler {
 public:
  SharedStrings(File& file, Workbook& book) : file_(file), book_(book) {}
  void start(std::string_view name, const Attributes&) override {
    if (name == "rPh") ++phonetic_;
    if (name == "t") inside_ = true;
  }
  void end(std::string_view name) override {
    if (name == "rPh" && phonetic_ > 0) --phonetic_;
    if (name == "t") inside_ = false;
    if (name == "si") book_.ends.push_back(book_.strings.size());
  }
  void characters(std::string_view text) override {
    if (!inside_ || phonetic_ > 0) return;
    if (book_.strings.size() + text.size() > file_.budget().limits().text_bytes)
      file_.fail(Status::kOverLimit, "more text than the limit");
    else
      book_.strings += text;
  }

 private:
  File& file_;
  Workbook& book_;
  bool inside_ = false;
  size_t phonetic_ = 0;
};

class Styles : public XmlHandler {
 public:
  explicit Styles(Workbook& book) : book_(book) {}
  void start(std::string_view name, const Attributes& attributes) override {
    if (name == "numFmt") {
      if (own_.size() < 10'000)
        own_.emplace_back(number_of(attributes.get("numFmtId")), kind_of_format(attributes.get("formatCode")));
    } else if (name == "cellXfs") {
      cells_ = true;
    } else if (name == "xf" && cells_ && book_.styles.size() < 100'000) {
      const unsigned id = number_of(attributes.get("numFmtId"));
      const auto own = std::find_if(own_.begin(), own_.end(), [&](const auto& format) { return format.first == id; });
      book_.styles.push_back(own == own_.end() ? kind_of_builtin(id) : own->second);
    }
  }
  void end(std::string_view name) override {
    if (name == "cellXfs") cells_ = false;
  }
  void characters(std::string_view) override {}

 private:
  Workbook& book_;
  std::vector<std::pair<unsigned, NumberKind>> own_;
  bool cells_ = false;
};

class WorkbookPart : public XmlHandler {
 public:
  WorkbookPart(File& file, Workbook& book) : file_(file), book_(book) {}
  void start(std::string_view name, const Attributes& attributes) override {
    if (name == "sheet") {
      file_.add(attributes.get("name"));
      file_.end_line();
    } else if (name == "workbookPr") {
      const std::string_view value = attributes.get("date1904");
      book_.date1904 = value == "1" || value == "true";
    }
  }
  void end(std::string_view) override {}
  void characters(std::string_view) override {}

 private:
  File& file_;
  Workbook& book_;
};

class Sheet : public XmlHandler {
 public:
  Sheet(File& file, const Workbook& book) : file_(file), book_(book) {}
  void start(std::string_view name, const Attributes& attributes) override {
    if (name == "c") {
      type_ = attributes.get("t");
      style_ = number_of(attributes.get("s"));
      value_.clear();
    } else if (name == "v" || name == "t" || ends(name, "Header") || ends(name, "Footer")) {
      inside_ = phonetic_ == 0;
      if (name != "v" && name != "t") value_.clear();
    } else if (name == "rPh") {
      ++phonetic_;
    }
  }
  void end(std::string_view name) override {
    if (name == "v" || name == "t") {
      inside_ = false;
    } else if (name == "rPh" && phonetic_ > 0) {
      --phonetic_;
    } else if (name == "c") {
      cell();
    } else if (name == "row") {
      file_.end_line();
    } else if (inside_ && (ends(name, "Header") || ends(name, "Footer"))) {
      inside_ = false;
      header();
    }
  }
  void characters(std::string_view text) override {
    if (inside_ && value_.size() < kCellBytes) value_ += text;
  }

 private:
  static constexpr size_t kCellBytes = 1u << 20;

  void cell() {
    if (value_.empty()) return;
    if (!file_.text.empty() && file_.text.back() != '\n') file_.add("\t");
    if (type_ == "s") {
      file_.add(book_.shared(number_of(value_)));
    } else if (type_ == "b") {
      file_.add(value_ == "0" ? "FALSE" : "TRUE");
    } else if (type_.empty() || type_ == "n") {
      double number = 0;
      const auto read = std::from_chars(value_.data(), value_.data() + value_.size(), number);
      if (read.ec == std::errc())
        file_.add(number_text(number, style_ < book_.styles.size() ? book_.styles[style_] : NumberKind::kPlain,
                              book_.date1904));
      else
        file_.add(value_);
    } else {  // text of a formula, text in place, an error, a date
      file_.add(value_);
    }
    value_.clear();
  }

  // "&L&\"Arial,Bold\"&12Title&CPage &P": what follows an ampersand is formatting.
  void header() {
    std::string text;
    for (size_t i = 0; i < value_.size(); ++i) {
      if (value_[i] != '&') {
        text += value_[i];
        continue;
      }
      if (++i >= value_.size()) break;
      if (value_[i] == '&') {
        text += '&';
      } else if (value_[i] == '"') {
        i = std::min(value_.find('"', i + 1), value_.size());
      } else if (value_[i] >= '0' && value_[i] <= '9') {
        while (i + 1 < value_.size() && value_[i + 1] >= '0' && value_[i + 1] <= '9') ++i;
      } else {
        text += ' ';
      }
    }
    file_.end_line();
    file_.add(text);
    file_.end_line();
    value_.clear();
  }

  File& file_;
  const Workbook& book_;
  std::string type_, value_;
  unsigned style_ = 0;
  bool inside_ = false;
  size_t phonetic_ = 0;
};

// Reads the wanted parts, each with the handler that `make` gives for its name.
template <class Make>
bool read_parts(File& file, const std::function<bool(const std::string&)>& wanted, const Make& make) {
  std::unique_ptr<XmlHandler> handler;
  std::unique_ptr<XmlParser> parser;
  return stream_zip_entries(file, wanted, [&](const std::string& name, std::string_view piece) {
    if (!parser && !piece.empty()) {
      handler = make(name);
      parser = std::make_unique<XmlParser>(*handler, file);
    }
    if (piece.empty()) {
      if (parser) parser->finish();
      parser.reset();
      handler.reset();
      file.end_line();
      return false;
    }
    return parser->feed(piece);
  });
}

bool is_xml(std::string_view name) { return ends(name, ".xml"); }

// Objects, and what Word takes in from elsewhere without converting it (altChunk).
bool is_embedded(const std::string& name) {
  static constexpr std::array<std::string_view, 11> kDocuments = {".mht",  ".html", ".htm", ".rtf", ".docx", ".doc",
                                                                  ".xlsx", ".pdf",  ".txt", ".eml", ".msg"};
  if (name.find("/_rels/") != std::string::npos) return false;
  return name.find("/embeddings/") != std::string::npos || one_of(extension_of(name), kDocuments);
}

void embedded(File& file) {
  each_zip_entry(
      file,
      [&](const std::string& name) {
        return !name.empty() && name.back() != '/' && is_embedded(name) && file.room_for_members();
      },
      [&](const std::string& name, std::string_view content) {
        Hint hint;
        hint.filename = name.substr(name.rfind('/') + 1);
        file.member(hint.filename, hint, content, true);
      });
}

void read_workbook(File& file) {
  Workbook book;
  bool binary = false;
  read_parts(
      file,
      [&](const std::string& name) {
        binary = binary || name == "xl/workbook.bin";
        return is_xml(name) &&
               (starts(name, "xl/workbook") || starts(name, "xl/styles") || starts(name, "xl/sharedStrings") ||
                starts(ascii_lower(name), "xl/sharedstrings") || name == "docProps/core.xml");
      },
      [&](const std::string& name) -> std::unique_ptr<XmlHandler> {
        if (starts(name, "xl/workbook")) return std::make_unique<WorkbookPart>(file, book);
        if (starts(name, "xl/styles")) return std::make_unique<Styles>(book);
        if (starts(name, "docProps/")) return std::make_unique<Properties>(file);
        return std::make_unique<SharedStrings>(file, book);
      });
  if (binary) {
    file.media_type = "application/vnd.ms-excel.sheet.binary.macroenabled.12";
    return file.fail(Status::kUnknownFormat, "a binary workbook (xlsb)");
  }
  read_parts(
      file,
      [&](const std::string& name) {
        return is_xml(name) &&
               (starts(name, "xl/worksheets/") || starts(name, "xl/chartsheets/") || starts(name, "xl/comments") ||
                starts(name, "xl/threadedComments/") || starts(name, "xl/drawings/") || starts(name, "xl/charts/") ||
                starts(name, "xl/diagrams/data"));
      },
      [&](const std::string& name) -> std::unique_ptr<XmlHandler> {
        if (starts(name, "xl/worksheets/")) return std::make_unique<Sheet>(file, book);
        return std::make_unique<RunningText>(file, name);
      });
}

// What belongs to Word's looks and holds no words of the document.
bool is_word_text(const std::string& name) {
  static constexpr std::array<std::string_view, 7> kLooks = {"word/styles",     "word/settings",  "word/fontTable",
                                                             "word/theme/",     "word/numbering", "word/glossary/",
                                                             "word/webSettings"};
  return starts(name, "word/") && is_xml(name) && name.find("/_rels/") == std::string::npos &&
         std::none_of(kLooks.begin(), kLooks.end(), [&](std::string_view looks) { return starts(name, looks); });
}

bool is_slide_text(const std::string& name) {
  static constexpr std::array<std::string_view, 6> kText = {
      "ppt/slides/", "ppt/notesSlides/", "ppt/comments/", "ppt/diagrams/data", "ppt/charts/", "ppt/modernComments/"};
  return is_xml(name) && name.find("/_rels/") == std::string::npos &&
         std::any_of(kText.begin(), kText.end(), [&](std::string_view text) { return starts(name, text); });
}

}  // namespace

void read_ooxml(File& file) {
  file.version = std::string(kReadersVersion);
  if (file.media_type.find("spreadsheetml") != std::string::npos) {
    read_workbook(file);
  } else {
    const bool word = file.media_type.find("wordprocessingml") != std::string::npos;
    read_parts(
        file,
        [&](const std::string& name) {
          return name == "docProps/core.xml" || (word ? is_word_text(name) : is_slide_text(name));
        },
        [&](const std::string& name) -> std::unique_ptr<XmlHandler> {
          if (starts(name, "docProps/")) return std::make_unique<Properties>(file);
          return std::make_unique<RunningText>(file, name);
        });
  }
  embedded(file);
}

}  // namespace arch::document::internal
