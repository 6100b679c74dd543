// XML as a stream of events, by expat: no tree, so that a large sheet takes no memory. Entities of the document itself are not
// expanded and external ones never asked for: neither bombs nor leaks. Internal to query/document.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "query/document/reader.h"

namespace arch::document::internal {

/// Attributes by their local name.
class Attributes {
 public:
  explicit Attributes(const char* const* list) : list_(list) {}
  /// The value; empty when absent.
  std::string_view get(std::string_view local) const;
  /// Each value, in order.
  template <class Each>
  void each(const Each& each) const {
    for (const char* const* at = list_; *at != nullptr; at += 2)
      each(std::string_view(at[0]), std::string_view(at[1]));
  }

 private:
  const char* const* list_;
};

/// What a reader makes of the events. Names come without their prefix.
class XmlHandler {
 public:
  virtual ~XmlHandler() = default;
  virtual void start(std::string_view name, const Attributes& attributes) = 0;
  virtual void end(std::string_view name) = 0;
  virtual void characters(std::string_view text) = 0;
};

class XmlParser {
 public:
  /// `handler` and `file` outlive the parser; with `utf8` the bytes are UTF-8 whatever the declaration says.
  XmlParser(XmlHandler& handler, File& file, bool utf8 = false);
  ~XmlParser();
  XmlParser(const XmlParser&) = delete;
  XmlParser& operator=(const XmlParser&) = delete;

  /// False when no more is wanted: malformed, too deep, over the budget. What was malformed is reported in the file.
  bool feed(std::string_view piece);
  void finish();
  bool malformed() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string_view local_name(std::string_view name);

}  // namespace arch::document::internal
