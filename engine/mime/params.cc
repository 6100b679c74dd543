#include "engine/mime/params.h"

#include <gmime/gmime.h>

#include <memory>
#include <mutex>

#include "engine/base/ascii.h"
#include "engine/base/limits.h"
#include "engine/mime/gmime_init.h"
#include "engine/mime/headers.h"
#include "engine/mime/message.h"

namespace arch::mime::internal {

namespace {

bool is_token_char(char c) {
  return c > 32 && c < 127 && std::string_view("()<>@,;:\\\"/[]?=").find(c) == std::string_view::npos;
}

size_t token_length(std::string_view text) {
  size_t length = 0;
  while (length < text.size() && is_token_char(text[length])) ++length;
  return length;
}

// "C:\\TEMP\\a.png" in quotes: RFC 2045 reads the backslashes as quoting, the writers meant themselves.
std::string with_kept_backslashes(std::string_view text) {
  std::string out;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    out.push_back(text[i]);
    if (text[i] == '"') quoted = !quoted;
    if (text[i] != '\\' || !quoted || i + 1 >= text.size()) continue;
    if (text[i + 1] == '"' || text[i + 1] == '\\')
      out.push_back(text[++i]);
    else
      out.push_back('\\');
  }
  return out;
}

void read_params(std::string_view text, TypedValue* out) {
  init_gmime();
  std::unique_ptr<GMimeParserOptions, void (*)(GMimeParserOptions*)> options(g_mime_parser_options_new(),
                                                                             g_mime_parser_options_free);
  std::unique_ptr<GMimeParamList, void (*)(gpointer)> list(
      g_mime_param_list_parse(options.get(), with_kept_backslashes(text).c_str()), g_object_unref);
  if (!list) return;
  const int count = g_mime_param_list_length(list.get());
  for (int i = 0; i < count; ++i) {
    GMimeParam* param = g_mime_param_list_get_parameter_at(list.get(), i);
    const char* name = g_mime_param_get_name(param);
    const char* value = g_mime_param_get_value(param);
    if (name == nullptr || value == nullptr) continue;
    out->params.emplace_back(ascii_lower(name), to_utf8(value, "utf-8"));
  }
}

// `text` is unfolded UTF-8; `rest` what follows the value.
void read_rest(std::string_view rest, TypedValue* out) {
  rest = trimmed(rest);
  while (!rest.empty() && (rest.front() == ';' || rest.front() == ',')) rest = trimmed(rest.substr(1));
  if (rest.find('=') != std::string_view::npos) read_params(rest, out);
}

std::string prepared(std::string_view raw_value, std::string_view charset_hint, bool* cut) {
  *cut = raw_value.size() > limits::kHeaderFieldBytes;
  return to_utf8(unfold(raw_value.substr(0, limits::kHeaderFieldBytes)), charset_hint);
}

}  // namespace

void init_gmime() {
  static std::once_flag once;
  std::call_once(once, [] { g_mime_init(); });
}

const std::string& TypedValue::param(std::string_view name) const {
  static const std::string kNone;
  for (const auto& [key, text] : params)
    if (key == name) return text;
  return kNone;
}

TypedValue parse_content_type(std::string_view raw_value, std::string_view charset_hint) {
  TypedValue out;
  const std::string prepared_text = prepared(raw_value, charset_hint, &out.cut);
  std::string_view text = trimmed(prepared_text);
  if (!text.empty() && text.front() == '"') text.remove_prefix(1);
  const size_t type = token_length(text);
  size_t at = type;
  while (at < text.size() && text[at] == ' ') ++at;
  if (type > 0 && at < text.size() && text[at] == '/') {
    ++at;
    while (at < text.size() && text[at] == ' ') ++at;
    const size_t subtype = token_length(text.substr(at));
    if (subtype > 0) out.value = ascii_lower(text.substr(0, type)) + '/' + ascii_lower(text.substr(at, subtype));
    at += subtype;
  } else if (type > 0 && at < text.size() && text[at] == '=') {
    at = 0;  // parameters without a type
  }
  const size_t semicolon = text.find(';', at);
  // "multipart/mixed boundary=x": without the semicolon.
  const std::string_view between =
      text.substr(at, semicolon == std::string_view::npos ? text.size() - at : semicolon - at);
  read_rest(between.find('=') == std::string_view::npos && semicolon != std::string_view::npos
                ? text.substr(semicolon)
                : text.substr(at),
            &out);
  return out;
}

TypedValue parse_disposition(std::string_view raw_value, std::string_view charset_hint) {
  TypedValue out;
  const std::string prepared_text = prepared(raw_value, charset_hint, &out.cut);
  const std::string_view text = trimmed(prepared_text);
  const size_t length = token_length(text);
  if (length < text.size() && text[length] == '=') {
    read_rest(text, &out);  // parameters without a disposition
  } else {
    out.value = ascii_lower(text.substr(0, length));
    read_rest(text.substr(length), &out);
  }
  return out;
}

}  // namespace arch::mime::internal
