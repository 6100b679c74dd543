// What the .cc files of this folder share.
#pragma once

#include <kainjow/mustache.hpp>
#include <string>
#include <string_view>

#include "query/language/timezone.h"
#include "query/page/page.h"
#include "query/page/strings.h"

namespace arch::page {

using Data = kainjow::mustache::data;

/// Files of templates/, built in (resources.cc is made by CMake).
std::string_view resource(std::string_view name);
/// "style-1a2b3c4d.css" for "style.css": changes with its content, so that browsers may keep it for ever.
const std::string& versioned_name(std::string_view name);
/// A template with its data. Names that no template knows are found by page_test.
std::string render(std::string_view template_name, const Data& data);

struct Context {
  const Archive& archive;
  const Options& options;
  const Request& request;
  const Strings& strings;
  const query::Timezone& zone;
  UnixNs now;

  /// First value of that name; empty when there is none.
  std::string parameter(std::string_view name) const;
  Data words() const;  ///< the `t` of the templates
};

/// Path and parameters, percent-encoded; empty values are left out.
std::string url(std::string_view path, const Parameters& parameters);

Response search_page(const Context& context);
Response message_page(const Context& context, const std::string& id);
Response source_page(const Context& context, const std::string& id);
Response preview(const Context& context, const std::string& id);
Response thread_page(const Context& context, const std::string& id);
/// `rest` is "ID/PART".
Response text_page(const Context& context, const std::string& rest);
Response export_page(const Context& context, const ExportView& view);
Response capacity_page(const Context& context);
Response status_page(const Context& context);
Response problem_page(const Context& context, const Error& error);

/// The article of one mail. `here` is the page it stands on, with its parameters: the text/HTML switch leads back there.
Result<std::string> message_article(const Context& context, const std::string& id, std::string_view path,
                                    const Parameters& parameters);
/// The readable text of a part, and where the rest of it is when it was cut.
std::string body_html(std::string_view body);
/// "Marie Duval, Paul …": names, else addresses, of a line's length.
std::string people_text(const std::vector<mime::Address>& people);
/// The whole page around `content`.
Response page_around(const Context& context, const std::string& content, const std::string& title,
                     std::string_view body_class, std::string_view current);

}  // namespace arch::page
