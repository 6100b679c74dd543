// The part tree by GMime 3.2.13, the header fields of the message itself by our own scanner (headers.h), decoded by
// GMime.
#include "engine/mime/message.h"

#include <gmime/gmime.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>

#include "engine/base/limits.h"
#include "engine/mime/headers.h"

namespace arch::mime {

namespace {

using internal::Field;
using internal::HeaderBlock;
using internal::same_name;
using internal::unfold;

constexpr size_t kMaxAddresses = 2'000;  // of one field
constexpr size_t kMaxReferences = 200;
constexpr size_t kMaxGroupDepth = 8;

struct Unref {
  void operator()(void* object) const { g_object_unref(object); }
};
template <class T>
using GPointer = std::unique_ptr<T, Unref>;

struct Free {
  void operator()(void* memory) const { g_free(memory); }
};
using GString_ = std::unique_ptr<char, Free>;

// GMime wants one initialisation a process and options that live as long.
GMimeParserOptions* parser_options() {
  static GMimeParserOptions* const options = [] {
    g_mime_init();
    GMimeParserOptions* made = g_mime_parser_options_new();
    const char* fallback[] = {"utf-8", "windows-1252", nullptr};  // raw 8-bit header fields
    g_mime_parser_options_set_fallback_charsets(made, fallback);
    g_mime_parser_options_set_rfc2047_compliance_mode(made, GMIME_RFC_COMPLIANCE_LOOSE);
    g_mime_parser_options_set_parameter_compliance_mode(made, GMIME_RFC_COMPLIANCE_LOOSE);
    g_mime_parser_options_set_address_compliance_mode(made, GMIME_RFC_COMPLIANCE_LOOSE);
    return made;
  }();
  return options;
}

std::string lower(const char* text) {
  std::string out = text == nullptr ? "" : text;
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

// One line of valid UTF-8 for showing: what a decoder gave may hold anything.
std::string clean(std::string_view text) {
  std::string out = to_utf8(text, "utf-8");
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 32 || c == 127) c = ' ';
  size_t begin = out.find_first_not_of(' ');
  if (begin == std::string::npos) return {};
  return out.substr(begin, out.find_last_not_of(' ') - begin + 1);
}

bool has_high_bytes(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

std::string decode_text(std::string_view raw) {
  std::string value = unfold(raw);
  // Raw 8-bit text in any charset: decided as a whole before GMime sees it.
  if (has_high_bytes(value)) value = to_utf8(value, "");
  if (value.find("=?") == std::string::npos) return clean(value);
  GString_ decoded(g_mime_utils_header_decode_text(parser_options(), value.c_str()));
  return clean(decoded ? std::string_view(decoded.get()) : std::string_view(value));
}

std::string decode_phrase(std::string_view text) {
  if (text.find("=?") == std::string_view::npos) return clean(text);
  GString_ decoded(g_mime_utils_header_decode_phrase(parser_options(), std::string(text).c_str()));
  return clean(decoded ? std::string_view(decoded.get()) : text);
}

void add_addresses(std::string_view raw, std::vector<Address>* out) {
  std::string value = unfold(raw);
  if (has_high_bytes(value)) value = to_utf8(value, "");
  if (value.empty()) return;
  GPointer<InternetAddressList> list(internet_address_list_parse(parser_options(), value.c_str()));
  if (list) {
    // Groups by an explicit stack: a field may nest them.
    std::vector<std::pair<InternetAddressList*, int>> stack{{list.get(), 0}};
    while (!stack.empty() && out->size() < kMaxAddresses) {
      auto [current, index] = stack.back();
      if (index >= internet_address_list_length(current)) {
        stack.pop_back();
        continue;
      }
      ++stack.back().second;
      InternetAddress* address = internet_address_list_get_address(current, index);
      if (INTERNET_ADDRESS_IS_GROUP(address)) {
        InternetAddressList* members = internet_address_group_get_members(INTERNET_ADDRESS_GROUP(address));
        if (members != nullptr && stack.size() < kMaxGroupDepth) stack.emplace_back(members, 0);
        continue;
      }
      Address item;
      const char* name = internet_address_get_name(address);
      if (name != nullptr) item.name = decode_phrase(name);
      if (INTERNET_ADDRESS_IS_MAILBOX(address)) {
        const char* addr = internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(address));
        if (addr != nullptr) item.address = clean(addr);
      }
      if (!item.name.empty() || !item.address.empty()) out->push_back(std::move(item));
    }
  }
  // A field that is no address list still names somebody.
  if (out->empty()) out->push_back({decode_text(raw), ""});
}

bool parse_date(std::string_view raw, UnixNs* time) {
  std::string value = unfold(raw);
  if (value.empty()) return false;
  GDateTime* parsed = g_mime_utils_header_decode_date(value.c_str());
  if (parsed == nullptr) return false;
  const int64_t seconds = g_date_time_to_unix(parsed);
  g_date_time_unref(parsed);
  constexpr int64_t kFirst = -2208988800, kLast = 9214646400;  // 1900 .. 2262, the range of UnixNs
  if (seconds < kFirst || seconds > kLast) return false;
  *time = seconds * kNsPerSecond;
  return true;
}

// The "<…>" tokens of References and In-Reply-To; a value without any counts as one id.
void add_ids(std::string_view raw, std::vector<std::string>* out) {
  const std::string value = unfold(raw);
  size_t at = 0;
  while (out->size() < kMaxReferences) {
    size_t open = value.find('<', at);
    if (open == std::string::npos) break;
    size_t close = value.find('>', open);
    if (close == std::string::npos) break;
    std::string id = clean(std::string_view(value).substr(open + 1, close - open - 1));
    if (!id.empty() && std::find(out->begin(), out->end(), id) == out->end()) out->push_back(std::move(id));
    at = close + 1;
  }
}

std::string single_id(std::string_view raw) {
  std::vector<std::string> ids;
  add_ids(raw, &ids);
  if (!ids.empty()) return ids.front();
  std::string value = clean(unfold(raw));
  if (!value.empty() && value.front() == '<') value.erase(0, 1);
  return value.substr(0, value.find_first_of(" \t"));
}

std::string list_id(std::string_view raw) {
  std::string value = decode_text(raw);
  size_t open = value.rfind('<'), close = value.rfind('>');
  if (open != std::string::npos && close != std::string::npos && close > open)
    return value.substr(open + 1, close - open - 1);
  return value;
}

void read_fields(const HeaderBlock& block, Message* message) {
  std::string_view references, in_reply_to;
  for (const Field& field : block.fields) {
    const std::string_view name = field.name;
    if (same_name(name, "From")) {
      if (message->from.empty()) add_addresses(field.value, &message->from);
    } else if (same_name(name, "Sender")) {
      if (message->sender.empty()) add_addresses(field.value, &message->sender);
    } else if (same_name(name, "Reply-To")) {
      if (message->reply_to.empty()) add_addresses(field.value, &message->reply_to);
    } else if (same_name(name, "To")) {
      add_addresses(field.value, &message->to);
    } else if (same_name(name, "Cc")) {
      add_addresses(field.value, &message->cc);
    } else if (same_name(name, "Bcc")) {
      add_addresses(field.value, &message->bcc);
    } else if (same_name(name, "Subject")) {
      if (message->subject.empty()) message->subject = decode_text(field.value);
    } else if (same_name(name, "Message-ID")) {
      if (message->message_id.empty()) message->message_id = single_id(field.value);
    } else if (same_name(name, "References")) {
      references = field.value;
    } else if (same_name(name, "In-Reply-To")) {
      in_reply_to = field.value;
    } else if (same_name(name, "List-Id")) {
      if (message->list_id.empty()) message->list_id = list_id(field.value);
    } else if (same_name(name, "Date")) {
      if (!message->has_date) message->has_date = parse_date(field.value, &message->date);
    } else if (same_name(name, "Received")) {
      if (!message->has_received) {
        std::string value = unfold(field.value);
        size_t semicolon = value.rfind(';');
        if (semicolon != std::string::npos)
          message->has_received = parse_date(std::string_view(value).substr(semicolon + 1), &message->received);
      }
    }
    message->headers.emplace_back(std::string(name), decode_text(field.value));
  }
  add_ids(references, &message->references);
  std::vector<std::string> reply_ids;
  add_ids(in_reply_to, &reply_ids);
  if (!reply_ids.empty()) message->in_reply_to = reply_ids.front();
  for (std::string& id : reply_ids)
    if (message->references.size() < kMaxReferences &&
        std::find(message->references.begin(), message->references.end(), id) == message->references.end())
      message->references.push_back(std::move(id));
}

Encoding encoding_of(GMimeContentEncoding encoding) {
  switch (encoding) {
    case GMIME_CONTENT_ENCODING_BASE64:
      return Encoding::kBase64;
    case GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE:
      return Encoding::kQuotedPrintable;
    case GMIME_CONTENT_ENCODING_UUENCODE:
      return Encoding::kUuencode;
    default:
      return Encoding::kIdentity;
  }
}

// Type, names and disposition: what every kind of part has.
void describe(GMimeObject* object, Part* part) {
  GMimeContentType* type = g_mime_object_get_content_type(object);
  if (type != nullptr) {
    part->media_type =
        lower(g_mime_content_type_get_media_type(type)) + "/" + lower(g_mime_content_type_get_media_subtype(type));
    part->charset = lower(g_mime_content_type_get_parameter(type, "charset"));
    const char* name = g_mime_content_type_get_parameter(type, "name");
    if (name != nullptr) part->filename = decode_phrase(name);
  }
  GMimeContentDisposition* disposition = g_mime_object_get_content_disposition(object);
  if (disposition != nullptr) {
    part->disposition = lower(g_mime_content_disposition_get_disposition(disposition));
    const char* name = g_mime_content_disposition_get_parameter(disposition, "filename");
    if (name != nullptr && *name != '\0') part->filename = decode_phrase(name);
  }
  const char* id = g_mime_object_get_content_id(object);
  if (id != nullptr) part->content_id = clean(id);
}

bool is_attachment(const Part& part) {
  if (part.disposition == "attachment" || !part.filename.empty()) return true;
  if (part.container) return false;
  if (part.media_type.rfind("text/", 0) == 0) return false;
  if (part.media_type.rfind("image/", 0) == 0 && (part.disposition == "inline" || !part.content_id.empty()))
    return false;
  return part.media_type != "application/pgp-signature" && part.media_type != "application/pgp-encrypted" &&
         part.media_type != "application/pkcs7-signature" && part.media_type != "application/x-pkcs7-signature" &&
         part.media_type != "message/delivery-status";
}

struct Pending {
  GMimeObject* object;
  std::string number;  // its own; "" for the whole message
  int depth;
};

// Walks the tree with an explicit stack; `base` is where the stream began in the message.
void read_parts(GMimeObject* root, std::string_view message, uint64_t base, Message* out) {
  std::vector<Pending> stack;
  stack.push_back({root, GMIME_IS_MULTIPART(root) ? "" : "1", 0});
  while (!stack.empty()) {
    Pending current = std::move(stack.back());
    stack.pop_back();
    if (out->parts.size() >= limits::kMimeParts || current.depth > static_cast<int>(limits::kMimeDepth)) {
      out->partial = true;
      continue;
    }
    Part part;
    part.number = current.number;
    part.depth = current.depth;
    part.media_type = "text/plain";
    describe(current.object, &part);
    GMimeHeaderList* headers = g_mime_object_get_header_list(current.object);
    if (headers != nullptr && g_mime_header_list_get_count(headers) > 0) {
      gint64 offset = g_mime_header_get_offset(g_mime_header_list_get_header_at(headers, 0));
      if (offset >= 0) part.header_begin = base + static_cast<uint64_t>(offset);
    }
    if (GMIME_IS_MULTIPART(current.object)) {
      part.container = true;
      if (part.media_type == "multipart/encrypted") out->encrypted = true;
      part.attachment = false;
      auto* multipart = GMIME_MULTIPART(current.object);
      const int count = g_mime_multipart_get_count(multipart);
      const std::string prefix = current.number.empty() ? "" : current.number + ".";
      for (int i = count - 1; i >= 0; --i) {
        if (stack.size() + out->parts.size() > limits::kMimeParts) out->partial = true;
        stack.push_back({g_mime_multipart_get_part(multipart, i), prefix + std::to_string(i + 1), current.depth + 1});
      }
    } else if (GMIME_IS_MESSAGE_PART(current.object)) {
      part.container = true;
      part.attachment = is_attachment(part);
      GMimeMessage* inner = g_mime_message_part_get_message(GMIME_MESSAGE_PART(current.object));
      GMimeObject* body = inner == nullptr ? nullptr : g_mime_message_get_mime_part(inner);
      if (body != nullptr) {
        const bool multipart = GMIME_IS_MULTIPART(body);
        stack.push_back({body, multipart ? current.number : current.number + ".1", current.depth + 1});
      }
      GMimeHeaderList* inner_headers =
          inner == nullptr ? nullptr : g_mime_object_get_header_list(GMIME_OBJECT(inner));
      if (inner_headers != nullptr && g_mime_header_list_get_count(inner_headers) > 0) {
        gint64 offset = g_mime_header_get_offset(g_mime_header_list_get_header_at(inner_headers, 0));
        if (offset >= 0) part.body_begin = part.body_end = base + static_cast<uint64_t>(offset);
      }
    } else if (GMIME_IS_PART(current.object)) {
      GMimeDataWrapper* content = g_mime_part_get_content(GMIME_PART(current.object));
      GMimeStream* stream = content == nullptr ? nullptr : g_mime_data_wrapper_get_stream(content);
      if (stream != nullptr) {
        gint64 begin = stream->bound_start, end = stream->bound_end;
        const auto size = static_cast<gint64>(message.size() - base);
        if (end < 0 || end > size) end = size;
        begin = std::clamp<gint64>(begin, 0, end);
        part.body_begin = base + static_cast<uint64_t>(begin);
        part.body_end = base + static_cast<uint64_t>(end);
      }
      part.encoding = encoding_of(g_mime_part_get_content_encoding(GMIME_PART(current.object)));
      part.attachment = is_attachment(part);
      if (part.media_type == "application/pkcs7-mime" || part.media_type == "application/x-pkcs7-mime") {
        GMimeContentType* type = g_mime_object_get_content_type(current.object);
        const std::string smime_type = lower(g_mime_content_type_get_parameter(type, "smime-type"));
        if (smime_type != "signed-data" && smime_type != "certs-only") out->encrypted = true;
      }
    }
    out->parts.push_back(std::move(part));
  }
}

}  // namespace

Message parse(std::string_view message) {
  parser_options();
  Message out;
  const HeaderBlock block = internal::scan_headers(message);
  out.header_end = block.end;
  out.partial = block.partial;
  read_fields(block, &out);

  const std::string copy = internal::working_copy(message, block);
  std::string_view shown = copy.empty() ? message : std::string_view(copy);
  shown.remove_prefix(block.begin);

  GPointer<GMimeMessage> parsed;
  if (!shown.empty()) {
    GByteArray* array = g_byte_array_new();
    // The stream borrows the bytes: a GByteArray that points at them and gives them up before it is freed.
    array->data = reinterpret_cast<guint8*>(const_cast<char*>(shown.data()));
    array->len = static_cast<guint>(shown.size());
    GPointer<GMimeStream> stream(g_mime_stream_mem_new_with_byte_array(array));
    g_mime_stream_mem_set_owner(GMIME_STREAM_MEM(stream.get()), false);
    {
      GPointer<GMimeParser> parser(g_mime_parser_new_with_stream(stream.get()));
      g_mime_parser_set_persist_stream(parser.get(), true);
      parsed.reset(g_mime_parser_construct_message(parser.get(), parser_options()));
    }
    if (parsed) {
      GMimeObject* root = g_mime_message_get_mime_part(parsed.get());
      if (root != nullptr) read_parts(root, message, block.begin, &out);
    }
    parsed.reset();
    stream.reset();
    array->data = nullptr;
    array->len = 0;
    g_byte_array_free(array, true);
  }
  if (out.parts.empty()) {
    Part whole;
    whole.number = "1";
    whole.media_type = "text/plain";
    whole.body_begin = block.end;
    whole.body_end = message.size();
    out.parts.push_back(std::move(whole));
  }
  return out;
}

std::string decode_content(std::string_view message, const Part& part, uint64_t limit) {
  if (part.container || part.body_begin > part.body_end || part.body_end > message.size()) return {};
  std::string_view body = message.substr(part.body_begin, part.body_end - part.body_begin);
  GMimeContentEncoding encoding = GMIME_CONTENT_ENCODING_DEFAULT;
  switch (part.encoding) {
    case Encoding::kIdentity:
      return std::string(body.substr(0, limit));
    case Encoding::kBase64:
      encoding = GMIME_CONTENT_ENCODING_BASE64;
      break;
    case Encoding::kQuotedPrintable:
      encoding = GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE;
      break;
    case Encoding::kUuencode:
      encoding = GMIME_CONTENT_ENCODING_UUENCODE;
      break;
  }
  // No encoding expands its content to more than it takes itself, and none shrinks it below a quarter.
  if (limit < body.size() / 4) body = body.substr(0, limit * 4);
  GMimeEncoding state;
  g_mime_encoding_init_decode(&state, encoding);
  std::string out(g_mime_encoding_outlen(&state, body.size()) + 16, '\0');
  const size_t size = g_mime_encoding_step(&state, body.data(), body.size(), out.data());
  out.resize(std::min<uint64_t>(size, limit));
  return out;
}

UnixNs sort_date(const Message& message, UnixNs captured) {
  constexpr UnixNs kEarliest = 30 * kNsPerDay, kLatest = 2 * kNsPerDay;
  if (message.has_date && (!message.has_received || (message.date >= message.received - kEarliest &&
                                                     message.date <= message.received + kLatest)))
    return message.date;
  return message.has_received ? message.received : captured;
}

uint64_t mail_key(std::string_view message, const Message& parsed) {
  Checksum64 hash;
  // LF for CRLF, and no line ends at the end: two transports of one mail differ in these.
  auto add_normalised = [&](std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
    std::string buffer;
    buffer.reserve(std::min<size_t>(text.size(), 1u << 16));
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
      buffer.push_back(text[i]);
      if (buffer.size() == 1u << 16) {
        hash.update(as_bytes(buffer));
        buffer.clear();
      }
    }
    hash.update(as_bytes(buffer));
  };
  if (parsed.message_id.empty()) {
    add_normalised(message);
    return hash.value();
  }
  auto field = [&](std::string_view text) {
    hash.update(as_bytes(text));
    hash.update(as_bytes(std::string_view("\0", 1)));
  };
  field(parsed.message_id);
  field(std::to_string(parsed.has_date ? parsed.date : 0));
  for (const Address& address : parsed.from) field(address.address);
  field(parsed.subject);
  add_normalised(message.substr(std::min<uint64_t>(parsed.header_end, message.size())));
  return hash.value();
}

}  // namespace arch::mime
