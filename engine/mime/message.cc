#include "engine/mime/message.h"

#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "engine/base/limits.h"
#include "engine/mime/address.h"
#include "engine/mime/date.h"
#include "engine/mime/headers.h"
#include "engine/mime/structure.h"

namespace arch::mime {

namespace {

using internal::Field;
using internal::HeaderBlock;
using internal::same_name;
using internal::trimmed;

// Message identifiers of a References, In-Reply-To or Message-ID field (RFC 5322 section 3.6.4): what stands in <>, and
// when nothing does, the words that have an "@".
void read_ids(std::string_view raw_value, const std::function<void(std::string)>& each) {
  const std::string text = to_utf8(internal::unfold(raw_value), {});
  bool found = false;
  for (size_t at = 0; (at = text.find('<', at)) != std::string::npos;) {
    size_t end = text.find_first_of("<>", at + 1);
    if (end == std::string::npos) end = text.size();
    const std::string_view id = trimmed(std::string_view(text).substr(at + 1, end - at - 1));
    if (!id.empty()) {
      found = true;
      each(std::string(id));
    }
    at = end;
  }
  if (found) return;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = text.find_first_not_of(" \t,;<>", at);
    if (begin == std::string::npos) break;
    size_t end = text.find_first_of(" \t,;<>", begin);
    if (end == std::string::npos) end = text.size();
    if (text.find('@', begin) < end) each(text.substr(begin, end - begin));
    at = end;
  }
}

void read_fields(const HeaderBlock& block, std::string_view hint, Message* out) {
  bool has_subject = false, has_message_id = false, has_in_reply_to = false, has_list_id = false;
  std::vector<std::string> answered;
  for (const Field& field : block.fields) {
    const std::string_view name = field.name;
    out->headers.emplace_back(std::string(name), internal::decode_text(field.value, hint));
    const std::string& value = out->headers.back().second;
    if (same_name(name, "from")) {
      internal::parse_addresses(field.value, hint, &out->from);
    } else if (same_name(name, "sender")) {
      internal::parse_addresses(field.value, hint, &out->sender);
    } else if (same_name(name, "reply-to")) {
      internal::parse_addresses(field.value, hint, &out->reply_to);
    } else if (same_name(name, "to")) {
      internal::parse_addresses(field.value, hint, &out->to);
    } else if (same_name(name, "cc")) {
      internal::parse_addresses(field.value, hint, &out->cc);
    } else if (same_name(name, "bcc")) {
      internal::parse_addresses(field.value, hint, &out->bcc);
    } else if (same_name(name, "subject") && !has_subject) {
      has_subject = true;
      out->subject = value;
    } else if (same_name(name, "message-id") && !has_message_id) {
      read_ids(field.value, [&](std::string id) {
        if (!has_message_id) out->message_id = std::move(id);
        has_message_id = true;
      });
      // Some programs write an identifier without <> and "@".
      if (!has_message_id && !value.empty()) {
        out->message_id = value;
        has_message_id = true;
      }
    } else if (same_name(name, "references")) {
      read_ids(field.value, [&](std::string id) { out->references.push_back(std::move(id)); });
    } else if (same_name(name, "in-reply-to")) {
      read_ids(field.value, [&](std::string id) {
        if (!has_in_reply_to) out->in_reply_to = id;
        has_in_reply_to = true;
        answered.push_back(std::move(id));
      });
    } else if (same_name(name, "list-id") && !has_list_id) {
      has_list_id = true;
      const size_t open = value.rfind('<');
      out->list_id = value;
      if (open != std::string::npos) {
        const size_t close = value.find('>', open);
        out->list_id = value.substr(open + 1, close == std::string::npos ? std::string::npos : close - open - 1);
      }
    } else if (same_name(name, "date") && !out->has_date) {
      if (const auto date = internal::parse_date(value)) {
        out->has_date = true;
        out->date = *date;
      }
    } else if (same_name(name, "received") && !out->has_received) {
      const size_t semicolon = value.rfind(';');
      if (semicolon != std::string::npos) {
        if (const auto date = internal::parse_date(std::string_view(value).substr(semicolon + 1))) {
          out->has_received = true;
          out->received = *date;
        }
      }
    }
  }
  out->references.insert(out->references.end(), answered.begin(), answered.end());
  std::unordered_set<std::string> seen;
  std::erase_if(out->references, [&](const std::string& id) { return !seen.insert(id).second; });
  out->partial = out->partial || block.partial;
}

bool no_boundary(std::string_view) { return false; }

// Charsets in which ASCII letters are not themselves cannot be those of header fields.
bool keeps_ascii(std::string_view charset) {
  for (std::string_view prefix : {"utf-16", "utf-32", "utf-7", "ucs-", "unicode", "ebcdic", "cp037", "hz"})
    if (charset.substr(0, prefix.size()) == prefix) return false;
  return true;
}

// Raw 8-bit header fields are usually in the charset of the text below them.
std::string charset_of_text(const Message& message) {
  for (const Part& part : message.parts) {
    if (part.container && part.media_type.rfind("message/", 0) == 0) break;
    if (!part.container && !part.charset.empty() && part.charset != "us-ascii" && part.charset != "utf-8" &&
        keeps_ascii(part.charset) && part.media_type.rfind("text/", 0) == 0)
      return part.charset;
  }
  return {};
}

// Feeds `sink` with text whose line ends are LF, in pieces.
template <class Sink>
void normalised(std::string_view text, const Sink& sink) {
  while (!text.empty()) {
    const void* found = std::memchr(text.data(), '\r', text.size());
    if (found == nullptr) {
      sink(text);
      return;
    }
    const size_t at = static_cast<size_t>(static_cast<const char*>(found) - text.data());
    const bool line_end = at + 1 < text.size() && text[at + 1] == '\n';
    if (at > 0) sink(text.substr(0, at));
    if (!line_end) sink(text.substr(at, 1));
    text.remove_prefix(at + 1);
  }
}

// XXH3 over many small pieces is slow: collected first.
class NormalisedHash {
 public:
  NormalisedHash() { buffer_.reserve(kBuffer); }
  void field(std::string_view value) {
    put(value);
    put(std::string_view("\0", 1));  // no field's end can be taken for another's beginning
  }
  void text(std::string_view value) {
    normalised(value, [this](std::string_view piece) { put(piece); });
  }
  uint64_t value() {
    flush();
    return hash_.value();
  }

 private:
  static constexpr size_t kBuffer = 64u << 10;
  void put(std::string_view piece) {
    if (buffer_.size() + piece.size() > kBuffer) flush();
    if (piece.size() > kBuffer)
      hash_.update(as_bytes(piece));
    else
      buffer_ += piece;
  }
  void flush() {
    hash_.update(as_bytes(buffer_));
    buffer_.clear();
  }
  Checksum64 hash_;
  std::string buffer_;
};

std::string_view without_trailing_line_ends(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

}  // namespace

Message parse(std::string_view message) {
  Message out;
  const HeaderBlock block = internal::scan_headers(message, 0, true, no_boundary);
  out.header_end = block.end;
  internal::read_structure(message, block, &out);
  read_fields(block, charset_of_text(out), &out);
  return out;
}

Message parse_fields(std::string_view message) {
  Message out;
  const HeaderBlock block = internal::scan_headers(message, 0, true, no_boundary);
  out.header_end = block.end;
  read_fields(block, {}, &out);
  return out;
}

UnixNs sort_date(const Message& message, UnixNs captured) {
  if (message.has_date) {
    if (!message.has_received) return message.date;
    if (message.date >= message.received - 30 * kNsPerDay && message.date <= message.received + 2 * kNsPerDay)
      return message.date;
  }
  return message.has_received ? message.received : captured;
}

namespace {

void add_content(std::string_view message, const Message& parsed, NormalisedHash* hash) {
  for (std::string_view name : {"date", "from", "subject"}) {
    const auto found = std::find_if(parsed.headers.begin(), parsed.headers.end(),
                                    [&](const auto& header) { return same_name(header.first, name); });
    hash->field(found == parsed.headers.end() ? std::string_view() : std::string_view(found->second));
  }
  hash->text(without_trailing_line_ends(message.substr(std::min<uint64_t>(parsed.header_end, message.size()))));
}

}  // namespace

uint64_t mail_key(std::string_view message, const Message& parsed) {
  NormalisedHash hash;
  if (parsed.message_id.empty()) {
    hash.text(without_trailing_line_ends(message));
    return hash.value();
  }
  hash.field(parsed.message_id);
  add_content(message, parsed, &hash);
  return hash.value();
}

uint64_t content_key(std::string_view message, const Message& parsed) {
  NormalisedHash hash;
  add_content(message, parsed, &hash);
  return hash.value();
}

}  // namespace arch::mime
