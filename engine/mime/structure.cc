#include "engine/mime/structure.h"

#include <algorithm>
#include <cstring>

#include "engine/base/ascii.h"
#include "engine/base/limits.h"
#include "engine/mime/params.h"

namespace arch::mime::internal {

namespace {

constexpr size_t kSniffBytes = 4096;  // of the content of an unlabelled S/MIME part or embedded message
constexpr size_t kGuessLines = 64;    // a multipart without a boundary parameter: how far its first boundary may lie

bool starts_with(std::string_view text, std::string_view prefix) { return text.rfind(prefix, 0) == 0; }

std::string_view without_trailing_blanks(std::string_view text) {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\n' || text.back() == '\r'))
    text.remove_suffix(1);
  return text;
}

Encoding encoding_of(std::string_view raw_value) {
  std::string value = ascii_lower(trimmed(raw_value));
  value.resize(std::min(value.find_first_of(" \t\r\n;("), value.size()));
  if (value == "base64" || value == "\"base64\"" || value == "b64") return Encoding::kBase64;
  if (value == "quoted-printable" || value == "\"quoted-printable\"" || value == "qp")
    return Encoding::kQuotedPrintable;
  if (value == "x-uuencode" || value == "uuencode" || value == "x-uue" || value == "uue") return Encoding::kUuencode;
  return Encoding::kIdentity;
}

// Whether an embedded message that claims an encoding (RFC 2046 section 5.2.1 forbids it) is encoded in truth.
bool is_really_encoded(std::string_view body, Encoding encoding) {
  const std::string_view head = body.substr(0, kSniffBytes);
  switch (encoding) {
    case Encoding::kIdentity:
      return false;
    case Encoding::kBase64:
    case Encoding::kUuencode: {
      const std::string_view first = without_line_end(head.substr(0, line_length(head)));
      return first.find(':') == std::string_view::npos;
    }
    case Encoding::kQuotedPrintable:
      return head.find("=3D") != std::string_view::npos || head.find("=\n") != std::string_view::npos ||
             head.find("=\r\n") != std::string_view::npos;
  }
  return false;
}

bool is_embedded_message(std::string_view media_type) {
  return media_type == "message/rfc822" || media_type == "message/global" || media_type == "message/news";
}

bool is_smime(std::string_view media_type) {
  return media_type == "application/pkcs7-mime" || media_type == "application/x-pkcs7-mime";
}

class Walker {
 public:
  Walker(std::string_view message, Message* out) : message_(message), out_(out) {}

  void run(const HeaderBlock& top) {
    begin_entity(0, {}, true, &top);
    while (!stopped_) {
      Boundary boundary;
      if (!next_boundary(&boundary)) break;
      const uint64_t content_end = before_line_end(boundary.begin);
      close_above(boundary.frame, content_end);
      Frame& frame = frames_[boundary.frame];
      at_ = boundary.end;
      if (boundary.last) {
        frame.closed = true;
      } else {
        ++frame.children;
        begin_entity(at_,
                     frame.prefix.empty() ? std::to_string(frame.children)
                                          : frame.prefix + '.' + std::to_string(frame.children),
                     false, nullptr);
      }
    }
    close_leaf(message_.size());
    while (!frames_.empty()) close_frame(message_.size());
  }

 private:
  struct Frame {
    size_t part = 0;  // in out_->parts
    bool multipart = false;
    bool closed = false;  // its last boundary was seen: the epilogue runs
    bool digest = false;
    std::string boundary;
    std::string prefix;       // of its children's numbers
    std::string leaf_number;  // its own, should it turn out to have no parts
    uint32_t children = 0;
  };
  struct Boundary {
    uint64_t begin = 0, end = 0;
    size_t frame = 0;
    bool last = false;
  };

  // The innermost open multipart that `line` delimits.
  bool match(std::string_view line, Boundary* out) const {
    if (line.size() < 3 || line[0] != '-' || line[1] != '-') return false;
    const std::string_view text = without_trailing_blanks(line).substr(2);
    for (size_t i = frames_.size(); i-- > 0;) {
      const Frame& frame = frames_[i];
      if (!frame.multipart || frame.closed) continue;
      if (text == frame.boundary) {
        out->frame = i;
        out->last = false;
        return true;
      }
      if (text.size() == frame.boundary.size() + 2 && text.substr(text.size() - 2) == "--" &&
          text.substr(0, frame.boundary.size()) == frame.boundary) {
        out->frame = i;
        out->last = true;
        return true;
      }
    }
    return false;
  }

  bool next_boundary(Boundary* out) const {
    if (std::none_of(frames_.begin(), frames_.end(), [](const Frame& f) { return f.multipart && !f.closed; }))
      return false;
    const char* const base = message_.data();
    for (uint64_t at = at_; at < message_.size();) {
      const void* newline = std::memchr(base + at, '\n', message_.size() - at);
      const uint64_t end =
          newline == nullptr ? message_.size() : static_cast<uint64_t>(static_cast<const char*>(newline) - base) + 1;
      if (base[at] == '-' && match(message_.substr(at, end - at), out)) {
        out->begin = at;
        out->end = end;
        return true;
      }
      at = end;
    }
    return false;
  }

  // Where content ends whose boundary begins at `at`: the line end before belongs to the boundary (RFC 2046 s5.1.1).
  uint64_t before_line_end(uint64_t at) const {
    if (at > 0 && message_[at - 1] == '\n') --at;
    if (at > 0 && message_[at] == '\n' && message_[at - 1] == '\r') --at;
    return at;
  }

  // When fields are all a part has, the line end behind them may belong to the boundary; when it has not even those, the
  // line end of the boundary before it does. Such a part is empty and ends there, so that it lies inside the one around it.
  void close_part(size_t index, uint64_t end) {
    Part& part = out_->parts[index];
    part.header_begin = std::min(part.header_begin, end);
    part.body_begin = std::min(part.body_begin, end);
    part.body_end = end;
  }

  void close_leaf(uint64_t end) {
    if (!has_leaf_) return;
    has_leaf_ = false;
    close_part(leaf_, end);
    Part& part = out_->parts[leaf_];
    if (is_smime(part.media_type) && !out_->encrypted) out_->encrypted = smime_is_encrypted(part);
  }

  void close_frame(uint64_t end) {
    Frame& frame = frames_.back();
    close_part(frame.part, end);
    if (frame.multipart && frame.children == 0) {  // no boundary was ever found: one leaf
      out_->parts[frame.part].container = false;
      out_->parts[frame.part].number = frame.leaf_number;
    }
    frames_.pop_back();
  }

  void close_above(size_t frame, uint64_t end) {
    close_leaf(end);
    while (frames_.size() > frame + 1) close_frame(end);
  }

  bool smime_is_encrypted(const Part& part) {
    Part head = part;
    head.body_end = std::min(head.body_end, head.body_begin + kSniffBytes);
    const std::string der = decode_content(message_, head, kSniffBytes);
    // The content type's object identifier stands at the very beginning of the CMS structure (RFC 5652 section 3).
    const std::string_view start = std::string_view(der).substr(0, 64);
    static constexpr std::string_view kPkcs7("\x2a\x86\x48\x86\xf7\x0d\x01\x07", 8);
    static constexpr std::string_view kAuthEnveloped("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17", 11);
    if (start.find(kAuthEnveloped) != std::string_view::npos) return true;
    const size_t at = start.find(kPkcs7);
    if (at != std::string_view::npos && at + 8 < start.size()) return start[at + 8] == 3;  // envelopedData
    const std::string type = ascii_lower(smime_type_);
    return type.find("envelop") != std::string::npos;
  }

  // A multipart that does not say its boundary: the first line "--…" that a Content- field follows.
  std::string guess_boundary(uint64_t at) const {
    for (size_t lines = 0; lines < kGuessLines && at < message_.size(); ++lines) {
      const size_t length = line_length(message_.substr(at));
      const std::string_view line = without_trailing_blanks(message_.substr(at, length));
      at += length;
      if (line.size() > 2 && line.size() <= 256 && starts_with(line, "--") &&
          starts_with(ascii_lower(message_.substr(at, 8)), "content-"))
        return std::string(line.substr(2));
    }
    return {};
  }

  // One entity at `at`: a child of a multipart (`number` is its own) or the content of a message (`root`; `number` is the
  // message part's, empty for the message itself). Embedded messages begin entities inside, without recursion.
  void begin_entity(uint64_t at, std::string number, bool root, const HeaderBlock* top) {
    while (true) {
      if (out_->parts.size() >= limits::kMimeParts) {
        out_->partial = true;
        stopped_ = true;
        return;
      }
      const HeaderBlock block =
          top != nullptr ? *top : scan_headers(message_, at, root, [this](std::string_view line) {
            Boundary ignored;
            return match(line, &ignored);
          });
      top = nullptr;
      out_->partial = out_->partial || block.partial;

      const bool in_digest = !root && !frames_.empty() && frames_.back().digest;
      const Field* type_field = block.find("content-type");
      const TypedValue type = type_field == nullptr ? TypedValue{} : parse_content_type(type_field->value, {});
      const Field* disposition_field = block.find("content-disposition");
      const TypedValue disposition =
          disposition_field == nullptr ? TypedValue{} : parse_disposition(disposition_field->value, {});
      out_->partial = out_->partial || type.cut || disposition.cut;

      Part part;
      part.depth = static_cast<int>(frames_.size());
      part.header_begin = block.begin;
      part.body_begin = part.body_end = block.end;
      part.media_type = !type.value.empty() ? type.value : in_digest ? "message/rfc822" : "text/plain";
      part.charset = ascii_lower(trimmed(type.param("charset")));
      part.disposition = disposition.value;
      part.filename = disposition.param("filename");
      if (part.filename.empty()) part.filename = type.param("name");
      if (part.filename.find("=?") != std::string::npos) part.filename = decode_words(part.filename);
      if (const Field* id = block.find("content-id")) {
        std::string_view value = trimmed(id->value);
        if (!value.empty() && value.front() == '<') value.remove_prefix(1);
        if (!value.empty() && value.back() == '>') value.remove_suffix(1);
        part.content_id = to_utf8(unfold(value), {});
      }
      if (const Field* field = block.find("content-transfer-encoding")) part.encoding = encoding_of(field->value);

      const bool room = frames_.size() < limits::kMimeDepth;
      Frame frame;
      frame.leaf_number = root ? (number.empty() ? "1" : number + ".1") : number;
      const std::string multipart_number = root && !number.empty() ? number + ".TEXT" : number;
      if (starts_with(part.media_type, "multipart/")) {
        frame.boundary = std::string(without_trailing_blanks(type.param("boundary")));
        if (frame.boundary.empty()) frame.boundary = guess_boundary(block.end);
        frame.multipart = true;
        frame.digest = part.media_type == "multipart/digest";
        frame.prefix = number;
        if (part.media_type == "multipart/encrypted") out_->encrypted = true;
        if (!frame.boundary.empty() && !room) out_->partial = true;
        if (!frame.boundary.empty() && room) {
          part.container = true;
          part.number = multipart_number;
          part.encoding = Encoding::kIdentity;  // RFC 2045 section 6.4: whatever it claims
          part.attachment = false;
          frame.part = out_->parts.size();
          out_->parts.push_back(std::move(part));
          frames_.push_back(std::move(frame));
          at_ = block.end;
          return;
        }
      }
      part.number = frame.leaf_number;
      // The first fragment of a split message begins like a message (RFC 2046 section 5.2.2.1).
      const bool first_fragment = part.media_type == "message/partial" && trimmed(type.param("number")) == "1";
      if ((is_embedded_message(part.media_type) || first_fragment) &&
          !is_really_encoded(message_.substr(part.body_begin), part.encoding)) {
        if (room) {
          part.container = true;
          part.encoding = Encoding::kIdentity;
          part.attachment = !out_->parts.empty();
          frame.part = out_->parts.size();
          number = part.number;
          root = true;
          at = block.end;
          out_->parts.push_back(std::move(part));
          frames_.push_back(std::move(frame));
          continue;
        }
        out_->partial = true;
      }
      // What a person calls an attachment.
      const bool text = starts_with(part.media_type, "text/") || starts_with(part.media_type, "multipart/");
      const bool image = starts_with(part.media_type, "image/");
      const bool inline_image =
          image && (part.disposition == "inline" || !part.content_id.empty()) && part.filename.empty();
      // A logo that the HTML shows has a name as well, and is none: it says itself that it stands in the text.
      const bool shown_in_text = image && part.disposition == "inline" && !part.content_id.empty();
      part.attachment = part.disposition == "attachment" ||
                        (!shown_in_text && (!part.filename.empty() || (!text && !inline_image)));
      if (is_smime(part.media_type)) smime_type_ = type.param("smime-type");
      leaf_ = out_->parts.size();
      has_leaf_ = true;
      out_->parts.push_back(std::move(part));
      at_ = block.end;
      return;
    }
  }

  std::string_view message_;
  Message* out_;
  std::vector<Frame> frames_;
  uint64_t at_ = 0;
  size_t leaf_ = 0;
  bool has_leaf_ = false;
  bool stopped_ = false;
  std::string smime_type_;  // of the S/MIME leaf that is open
};

}  // namespace

void read_structure(std::string_view message, const HeaderBlock& top, Message* out) { Walker(message, out).run(top); }

}  // namespace arch::mime::internal
