#include "tools/mail/compose.h"

#include <gmime/gmime.h>
#include <unistd.h>

#include <array>
#include <mutex>

namespace arch::mail {
namespace {

/// Owns one reference.
template <class T>
class Ref {
 public:
  explicit Ref(T* object) : object_(object) {}
  ~Ref() {
    if (object_ != nullptr) g_object_unref(object_);
  }
  Ref(const Ref&) = delete;
  Ref& operator=(const Ref&) = delete;
  T* get() const { return object_; }

 private:
  T* object_;
};

void set_content(GMimePart* part, std::string_view bytes, GMimeContentEncoding encoding) {
  Ref stream(g_mime_stream_mem_new_with_buffer(bytes.data(), bytes.size()));
  Ref content(g_mime_data_wrapper_new_with_stream(stream.get(), GMIME_CONTENT_ENCODING_DEFAULT));
  g_mime_part_set_content(part, content.get());
  g_mime_part_set_content_encoding(part, encoding);
}

}  // namespace

std::string compose(const Draft& draft) {
  static std::once_flag once;
  std::call_once(once, [] { g_mime_init(); });
  Ref message(g_mime_message_new(TRUE));
  for (const auto& [name, value] : draft.headers)
    g_mime_object_set_header(GMIME_OBJECT(message.get()), name.c_str(), value.c_str(), nullptr);
  g_mime_message_add_mailbox(message.get(), GMIME_ADDRESS_TYPE_FROM, nullptr, draft.from.c_str());
  if (draft.to.empty()) {
    g_mime_object_set_header(GMIME_OBJECT(message.get()), "To", "undisclosed-recipients:;", nullptr);
  } else {
    g_mime_message_add_mailbox(message.get(), GMIME_ADDRESS_TYPE_TO, nullptr, draft.to.c_str());
  }
  g_mime_message_set_subject(message.get(), draft.subject.c_str(), "utf-8");
  GDateTime* date = g_date_time_new_from_unix_utc(draft.date / kNsPerSecond);
  g_mime_message_set_date(message.get(), date);
  g_date_time_unref(date);
  g_mime_message_set_message_id(message.get(), draft.message_id.c_str());

  Ref text(GMIME_OBJECT(g_mime_text_part_new_with_subtype("plain")));
  g_mime_object_set_content_type_parameter(text.get(), "charset", "utf-8");
  set_content(GMIME_PART(text.get()), draft.body, GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
  if (draft.files.empty()) {
    g_mime_message_set_mime_part(message.get(), text.get());
  } else {
    Ref mixed(g_mime_multipart_new_with_subtype("mixed"));
    g_mime_multipart_add(mixed.get(), text.get());
    for (const Draft::File& file : draft.files) {
      const size_t slash = file.media_type.find('/');
      Ref part(g_mime_part_new_with_type(file.media_type.substr(0, slash).c_str(),
                                         file.media_type.substr(slash + 1).c_str()));
      g_mime_part_set_filename(part.get(), file.name.c_str());
      set_content(part.get(), file.bytes, GMIME_CONTENT_ENCODING_BASE64);
      g_mime_multipart_add(mixed.get(), GMIME_OBJECT(part.get()));
    }
    g_mime_message_set_mime_part(message.get(), GMIME_OBJECT(mixed.get()));
  }

  GMimeFormatOptions* format = g_mime_format_options_new();
  g_mime_format_options_set_newline_format(format, GMIME_NEWLINE_FORMAT_DOS);
  Ref out(g_mime_stream_mem_new());
  g_mime_object_write_to_stream(GMIME_OBJECT(message.get()), format, out.get());
  g_mime_format_options_free(format);
  GByteArray* bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(out.get()));
  return std::string(reinterpret_cast<const char*>(bytes->data), bytes->len);
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
  return name.data();
}

}  // namespace arch::mail
