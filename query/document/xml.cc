#include "query/document/xml.h"

#include <expat.h>

#include <climits>

namespace arch::document::internal {

namespace {
constexpr size_t kDepth = 10'000;  // expat keeps a list of open elements
}

std::string_view local_name(std::string_view name) {
  const size_t colon = name.rfind(':');
  return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

std::string_view Attributes::get(std::string_view local) const {
  for (const char* const* at = list_; *at != nullptr; at += 2)
    if (local_name(at[0]) == local) return at[1];
  return {};
}

struct XmlParser::State {
  XML_Parser parser = nullptr;
  XmlHandler& handler;
  File& file;
  size_t depth = 0;
  bool stopped = false, malformed = false, begun = false;

  State(XmlHandler& to, File& report) : handler(to), file(report) {}
  ~State() {
    if (parser != nullptr) XML_ParserFree(parser);
  }

  static void on_start(void* self, const XML_Char* name, const XML_Char** attributes) {
    State& state = *static_cast<State*>(self);
    if (state.stopped) return;
    if (++state.depth > kDepth) {
      state.file.fail(Status::kOverLimit, "XML nested deeper than the limit");
      state.stop();
      return;
    }
    state.handler.start(local_name(name), Attributes(attributes));
    if (state.file.budget().text_left() == 0) state.stop();
  }
  static void on_end(void* self, const XML_Char* name) {
    State& state = *static_cast<State*>(self);
    if (state.stopped) return;
    --state.depth;
    state.handler.end(local_name(name));
  }
  static void on_text(void* self, const XML_Char* text, int length) {
    State& state = *static_cast<State*>(self);
    if (!state.stopped) state.handler.characters(std::string_view(text, static_cast<size_t>(length)));
  }
  // Its presence keeps expat from expanding the document's own entities.
  static void on_anything_else(void*, const XML_Char*, int) {}

  void stop() {
    stopped = true;
    XML_StopParser(parser, XML_FALSE);
  }

  void note(XML_Status result) {
    if (result != XML_STATUS_ERROR || stopped) return;
    malformed = stopped = true;
    file.fail(Status::kBroken, std::string("malformed XML: ") + XML_ErrorString(XML_GetErrorCode(parser)));
  }
};

XmlParser::XmlParser(XmlHandler& handler, File& file, bool utf8) : state_(std::make_unique<State>(handler, file)) {
  state_->parser = XML_ParserCreate(utf8 ? "UTF-8" : nullptr);
  if (state_->parser == nullptr) {
    state_->stopped = true;
    return;
  }
  XML_SetUserData(state_->parser, state_.get());
  XML_SetElementHandler(state_->parser, State::on_start, State::on_end);
  XML_SetCharacterDataHandler(state_->parser, State::on_text);
  XML_SetDefaultHandler(state_->parser, State::on_anything_else);
}
XmlParser::~XmlParser() = default;

bool XmlParser::feed(std::string_view piece) {
  while (!piece.empty() && !state_->stopped) {
    state_->begun = true;
    const size_t length = piece.size() < (1u << 20) ? piece.size() : (1u << 20);
    state_->note(XML_Parse(state_->parser, piece.data(), static_cast<int>(length), 0));
    piece.remove_prefix(length);
    if (!state_->file.go_on()) return false;
  }
  return !state_->stopped;
}

void XmlParser::finish() {
  if (!state_->stopped && state_->begun) state_->note(XML_Parse(state_->parser, "", 0, 1));
}

bool XmlParser::malformed() const { return state_->malformed; }

}  // namespace arch::document::internal
