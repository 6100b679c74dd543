// OpenDocument (ISO 26300): text, sheets, slides. content.xml holds everything a person wrote, styles.xml the headers and footers,
// meta.xml title and keywords. Notes and comments stand inside the words they belong to; their text comes behind the paragraphs.
#include <algorithm>
#include <array>
#include <charconv>

#include "query/document/format.h"
#include "query/document/xml.h"

namespace arch::document::internal {

namespace {

class OdfText : public XmlHandler {
 public:
  explicit OdfText(File& file) : file_(file) {}

  void start(std::string_view name, const Attributes& attributes) override {
    static constexpr std::array<std::string_view, 6> kSkipped = {
        "tracked-changes", "note-citation", "automatic-styles", "font-face-decls", "scripts", "settings"};
    if (skipped_ > 0 || std::find(kSkipped.begin(), kSkipped.end(), name) != kSkipped.end()) {
      ++skipped_;
      return;
    }
    if (name == "note" || name == "annotation") ++aside_;
    if (name == "p" || name == "h" || name == "title" || name == "desc" || name == "creator" || name == "keyword" ||
        name == "subject" || name == "description" || name == "initial-creator" || name == "user-defined") {
      ++inside_;
    } else if (name == "s") {
      unsigned count = 1;
      const std::string_view wanted = attributes.get("c");
      std::from_chars(wanted.data(), wanted.data() + wanted.size(), count);
      put(std::string(std::min(count, 100u), ' '));
    } else if (name == "tab") {
      put("\t");
    } else if (name == "line-break") {
      put("\n");
    } else if (name == "table-cell") {
      // A date is shown as its format wants; the value is the form that every reader can type.
      date_ = attributes.get("date-value");
    } else if (name == "table" && inside_ == 0) {
      const std::string_view sheet = attributes.get("name");
      if (!sheet.empty()) put(std::string(sheet) + '\n');
    }
  }
  void end(std::string_view name) override {
    if (skipped_ > 0) {
      --skipped_;
      return;
    }
    if (name == "note" || name == "annotation") --aside_;
    if (name == "p" || name == "h" || name == "title" || name == "desc" || name == "creator" || name == "keyword" ||
        name == "subject" || name == "description" || name == "initial-creator" || name == "user-defined") {
      if (inside_ > 0) --inside_;
      if (aside_ > 0)
        aside_text_ += '\n';
      else
        file_.end_line();
    } else if (name == "table-cell") {
      if (!file_.text.empty() && file_.text.back() == '\n') file_.text.back() = '\t';
      if (!date_.empty()) file_.add(date_ + '\t');
      date_.clear();
    } else if (name == "table-row") {
      file_.end_line();
    }
  }
  void characters(std::string_view text) override {
    if (inside_ > 0 && skipped_ == 0) put(text);
  }

  void finish() {
    file_.end_line();
    file_.add(aside_text_);
    aside_text_.clear();
  }

 private:
  void put(std::string_view text) {
    if (aside_ > 0) {
      if (aside_text_.size() + text.size() < file_.budget().text_left()) aside_text_ += text;
    } else {
      file_.add(text);
    }
  }

  File& file_;
  std::string aside_text_, date_;
  size_t skipped_ = 0;
  int inside_ = 0, aside_ = 0;
};

class Manifest : public XmlHandler {
 public:
  explicit Manifest(bool* encrypted) : encrypted_(encrypted) {}
  void start(std::string_view name, const Attributes&) override {
    *encrypted_ = *encrypted_ || name == "encryption-data";
  }
  void end(std::string_view) override {}
  void characters(std::string_view) override {}

 private:
  bool* encrypted_;
};

bool is_part(const std::string& name, std::string_view part) {  // of the document or of an object inside it
  return name == part || (name.rfind("Object ", 0) == 0 && name.find('/') != std::string::npos &&
                          name.substr(name.find('/') + 1) == part && part == "content.xml");
}

}  // namespace

void read_odf(File& file) {
  bool encrypted = false;
  each_zip_entry(
      file, [](const std::string& name) { return name == "META-INF/manifest.xml"; },
      [&](const std::string&, std::string_view content) {
        Manifest manifest(&encrypted);
        XmlParser parser(manifest, file);
        parser.feed(content);
      });
  if (encrypted) {
    file.status = Status::kRead;  // the manifest may carry a DTD; its problems are not the document's
    return file.fail(Status::kEncrypted, "a password opens it");
  }
  std::unique_ptr<OdfText> handler;
  std::unique_ptr<XmlParser> parser;
  stream_zip_entries(
      file,
      [](const std::string& name) {
        return is_part(name, "content.xml") || name == "styles.xml" || name == "meta.xml";
      },
      [&](const std::string&, std::string_view piece) {
        if (!parser && !piece.empty()) {
          handler = std::make_unique<OdfText>(file);
          parser = std::make_unique<XmlParser>(*handler, file);
        }
        if (piece.empty()) {
          if (parser) {
            parser->finish();
            handler->finish();
          }
          parser.reset();
          handler.reset();
          return false;
        }
        return parser->feed(piece);
      });
}

void read_flat_odf(File& file) {
  OdfText handler(file);
  XmlParser parser(handler, file);
  parser.feed(file.bytes);
  parser.finish();
  handler.finish();
}

}  // namespace arch::document::internal
