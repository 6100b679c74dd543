#include "query/extract/extract.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <set>
#include <unordered_set>

#include "engine/base/ascii.h"
#include "engine/base/limits.h"
#include "query/extract/smime.h"

namespace arch::extract {

namespace {

using mime::Message;
using mime::Part;

// Mail inside encoded content (an S/MIME signature, a base64 message): how much of it is opened.
constexpr int kOpenDepth = 8;
constexpr size_t kOpened = 100;
constexpr uint64_t kOpenedBytes = limits::kMessageBytes;
// Markup and encodings shrink: how much is decoded to get kTextBytes of text.
constexpr uint64_t kDecodeBytes = 4 * limits::kTextBytes;
// An HTML alternative is read beside the plain text when more than one in so many of its words is missing there.
constexpr size_t kSaysMoreShare = 4;
constexpr size_t kEmbeddedNames = 200;       // addresses of one embedded message that go into the text
constexpr size_t kSniffBytes = 8u << 10;     // to tell text from binary
constexpr size_t kPictureBytes = 10u << 10;  // as received; less is no page of text
constexpr size_t kDocuments = 1'000;         // attachments of one message that are read

bool starts_with(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }
bool ends_with(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

template <size_t N>
bool one_of(std::string_view text, const std::array<std::string_view, N>& names) {
  return std::find(names.begin(), names.end(), text) != names.end();
}

bool is_html(const Part& part) {
  return part.media_type == "text/html" || part.media_type == "application/xhtml+xml" ||
         part.media_type == "text/enriched" || part.media_type == "text/richtext" ||
         part.media_type == "text/x-amp-html";
}

bool has_extension(const Part& part, std::string_view extension) {
  return ends_with(ascii_lower(part.filename), extension);
}

bool named_html(const Part& part) { return has_extension(part, ".html") || has_extension(part, ".htm"); }

// Attachments whose bytes are text to be read as they stand.
bool is_plain_text(const Part& part) {
  static constexpr std::array<std::string_view, 14> kTypes = {
      "application/ics",         "application/json",        "application/xml",
      "application/csv",         "application/x-csv",       "application/text",
      "application/plain",       "application/sql",         "application/vcard",
      "message/delivery-status", "message/feedback-report", "message/disposition-notification",
      "message/external-body",   "message/partial"};
  static constexpr std::array<std::string_view, 12> kExtensions = {".txt", ".csv", ".ics", ".vcf",  ".md",  ".log",
                                                                   ".xml", ".tsv", ".asc", ".json", ".ini", ".diff"};
  if (starts_with(part.media_type, "text/") && part.media_type != "text/rtf") return true;
  if (starts_with(part.media_type, "multipart/")) return true;  // a multipart whose boundary never comes
  if (starts_with(part.media_type, "message/")) return true;
  if (one_of(part.media_type, kTypes)) return true;
  const bool unlabelled = part.media_type == "application/octet-stream" ||
                          part.media_type == "application/x-unknown" || part.media_type == "application/unknown" ||
                          part.media_type == "application/octetstream";
  return unlabelled && std::any_of(kExtensions.begin(), kExtensions.end(),
                                   [&](std::string_view extension) { return has_extension(part, extension); });
}

// Attachments that hold no words whoever reads them.
bool is_wordless(const Part& part) {
  static constexpr std::array<std::string_view, 9> kTypes = {
      "application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature",
      "application/pgp-encrypted",   "application/pgp-keys",          "application/pkix-cert",
      "application/x-x509-ca-cert",  "application/x-x509-user-cert",  "application/marimba"};
  return starts_with(part.media_type, "image/") || starts_with(part.media_type, "audio/") ||
         starts_with(part.media_type, "video/") || starts_with(part.media_type, "font/") ||
         one_of(part.media_type, kTypes);
}

// What OCR may find words in. The smallest pictures, which most mails carry in a signature, are not even named to it.
bool is_picture(const Part& part) {
  static constexpr std::array<std::string_view, 10> kTypes = {
      "image/png", "image/x-png", "image/jpeg", "image/jpg",      "image/pjpeg",
      "image/gif", "image/tiff",  "image/bmp",  "image/x-ms-bmp", "image/webp"};
  return part.body_end - part.body_begin >= kPictureBytes && one_of(part.media_type, kTypes);
}

bool is_smime(const Part& part) {
  if (part.media_type == "application/pkcs7-mime" || part.media_type == "application/x-pkcs7-mime") return true;
  return has_extension(part, ".p7m");
}

bool is_embedded_leaf(const Part& part) {
  return !part.container && (part.media_type == "message/rfc822" || part.media_type == "message/global");
}

bool looks_binary(std::string_view bytes, std::string_view charset) {
  if (starts_with(charset, "utf-16") || starts_with(charset, "utf-32") || starts_with(charset, "ucs-2")) return false;
  if (starts_with(bytes, "\xff\xfe") || starts_with(bytes, "\xfe\xff")) return false;
  const std::string_view head = bytes.substr(0, kSniffBytes);
  size_t odd = 0;
  for (char c : head) {
    const unsigned char byte = static_cast<unsigned char>(c);
    if (byte < 32 && byte != '\n' && byte != '\r' && byte != '\t' && byte != '\f' && byte != '\x1b') ++odd;
  }
  return odd * 10 > head.size();
}

// The distinct words of a text, roughly: runs of ASCII letters, digits and other bytes of UTF-8, ASCII case ignored.
std::unordered_set<std::string> distinct_words(std::string_view text) {
  std::unordered_set<std::string> words;
  std::string word;
  const auto end = [&] {
    if (!word.empty()) words.insert(word);
    word.clear();
  };
  for (char c : text) {
    const unsigned char byte = static_cast<unsigned char>(c);
    if (byte >= 0x80 || (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z')) {
      word.push_back(c);
    } else if (byte >= 'A' && byte <= 'Z') {
      word.push_back(static_cast<char>(byte + 32));
    } else {
      end();
    }
  }
  end();
  return words;
}

// Whether the HTML says much that the plain text beside it does not.
bool says_more(std::string_view html_text, std::string_view plain_text) {
  const auto plain = distinct_words(plain_text);
  if (plain.empty()) return true;
  const auto html = distinct_words(html_text);
  const auto missing =
      std::count_if(html.begin(), html.end(), [&](const std::string& word) { return !plain.count(word); });
  return static_cast<size_t>(missing) * kSaysMoreShare > html.size();
}

// Of HTML only what a person can follow: an image's address is no link.
bool has_link(std::string_view text, bool html) {
  for (size_t at = text.find("://"); at != std::string_view::npos; at = text.find("://", at + 1)) {
    const size_t scheme = at >= 5 && ascii_lower(text.substr(at - 5, 5)) == "https"  ? at - 5
                          : at >= 4 && ascii_lower(text.substr(at - 4, 4)) == "http" ? at - 4
                                                                                     : std::string_view::npos;
    if (scheme == std::string_view::npos) continue;
    if (!html) return true;
    size_t before = scheme;
    while (before > 0 && std::string_view(" \t\r\n\"'").find(text[before - 1]) != std::string_view::npos) --before;
    if (before >= 5 && ascii_lower(text.substr(before - 5, 5)) == "href=") return true;
    if (before == scheme && (before == 0 || text[before - 1] == '>')) return true;  // as running text
  }
  return false;
}

// One message's way to text. `Opened` are the message itself and the mail found inside encoded content; a queue, so that
// nesting costs no stack.
class Extraction {
 public:
  explicit Extraction(Extracted* out) : out_(out) {}

  void run(std::string_view message, const Message& parsed, const std::vector<Recipient>& envelope) {
    add_piece(TextPiece::kSubject, {}, parsed.subject);
    people(parsed);
    for (const Recipient& recipient : envelope) person({{}, recipient.address});
    journal_report_ = std::any_of(parsed.headers.begin(), parsed.headers.end(), [](const auto& header) {
      return ascii_lower(header.first) == "x-ms-journal-report" ||
             ascii_lower(header.first) == "x-ms-exchange-generated-message-source";
    });
    read_parts(message, parsed, {}, 0);
    while (!queue_.empty()) {
      Opened opened = std::move(queue_.front());
      queue_.pop_front();
      const Message inner = mime::parse(opened.bytes);
      out_->partial = out_->partial || inner.partial;
      if (opened.embedded) embedded_header(inner);
      read_parts(opened.bytes, inner, opened.number + '/', opened.depth);
    }
    std::string own, quoted;
    split_quoted(body_, &own, &quoted);
    add_piece(TextPiece::kBody, {}, std::move(own));
    add_piece(TextPiece::kQuoted, {}, std::move(quoted));
    for (TextPiece& piece : later_) out_->pieces.push_back(std::move(piece));
    add_piece(TextPiece::kPeople, {}, std::move(people_));
    out_->partial = out_->partial || parsed.partial;
  }

 private:
  struct Opened {
    std::string bytes;
    std::string number;
    int depth = 0;
    bool embedded = false;  // a message, not just an entity
  };

  void add_piece(TextPiece::Field field, const std::string& part, std::string text) {
    if (text.find_first_not_of(" \t\r\n") == std::string::npos) return;
    out_->pieces.push_back({field, part, std::move(text)});
  }

  // Room for text; over it the message is partial.
  uint64_t room() const { return limits::kTextBytes - std::min<uint64_t>(used_, limits::kTextBytes); }

  std::string_view charge(std::string_view text) {
    if (text.size() > room()) {
      out_->partial = true;
      size_t cut = room();
      while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80) --cut;  // not inside a character
      text = text.substr(0, cut);
    }
    used_ += text.size();
    return text;
  }

  void append_body(std::string_view text) {
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return;
    text = charge(text);
    if (text.empty()) return;
    if (!body_.empty() && body_.back() != '\n') body_ += '\n';
    body_ += text;
  }

  void append_attachment(const std::string& number, std::string_view text) {
    text = charge(text);
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return;
    later_.push_back({TextPiece::kAttachment, number, std::string(text)});
  }

  void person(const mime::Address& who) {
    if (!seen_.emplace(who.name, who.address).second) return;
    std::string line = who.name;
    if (!who.name.empty() && !who.address.empty()) line += ' ';
    line += who.address;
    line += '\n';
    people_ += charge(line);
  }

  void people(const Message& parsed) {
    for (const auto* list : {&parsed.from, &parsed.sender, &parsed.reply_to, &parsed.to, &parsed.cc, &parsed.bcc})
      for (const mime::Address& who : *list) person(who);
  }

  // What an embedded message says at its head.
  void embedded_header(const Message& inner) {
    std::string head;
    if (!inner.subject.empty()) head += inner.subject + '\n';
    size_t count = 0;
    for (const auto* list : {&inner.from, &inner.to, &inner.cc}) {
      for (const mime::Address& who : *list) {
        if (++count > kEmbeddedNames) break;
        head += who.name + ' ' + who.address + '\n';
      }
    }
    append_body(head);
    // Exchange's journal wraps each mail: the people are those of the mail inside.
    if (journal_report_) people(inner);
  }

  std::string decoded(std::string_view message, const Part& part, uint64_t limit) {
    std::string bytes = mime::decode_content(message, part, limit + 1);
    if (bytes.size() > limit) {
      out_->partial = true;
      bytes.resize(limit);
    }
    return bytes;
  }

  // Text of a leaf that has some; false when its bytes are no text.
  bool leaf_text(std::string_view message, const Part& part, const std::string& number, std::string* text) {
    const std::string bytes = decoded(message, part, kDecodeBytes);
    if (looks_binary(bytes, part.charset)) return false;
    *text = mime::to_utf8(bytes, part.charset);
    const bool html = is_html(part) || named_html(part);
    out_->link = out_->link || has_link(*text, html);
    if (!html) {
      take_out_encoded_blocks(text, number);
      return true;
    }
    std::string title;
    *text = html_to_text(*text, false, &title);
    // Behind the text: it is often "Untitled document", and the beginning is what a list of hits shows.
    if (!title.empty() && text->find(title) == std::string::npos) *text += "\n" + title;
    return true;
  }

  // uuencode and yEnc inside a text: their names are kept, their letters are no words.
  void take_out_encoded_blocks(std::string* text, const std::string& number) {
    if (text->find("\nbegin ") == std::string::npos && !starts_with(*text, "begin ") &&
        text->find("=ybegin ") == std::string::npos)
      return;
    std::string kept;
    bool inside = false;
    bool no_more_uu = false, no_more_y = false;
    std::string_view left = *text;
    std::string_view end_line;
    while (!left.empty()) {
      size_t length = left.find('\n');
      length = length == std::string_view::npos ? left.size() : length + 1;
      std::string_view line = left.substr(0, length);
      while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
      const std::string_view behind = left.substr(length);
      if (inside) {
        inside = !starts_with(line, end_line);
      } else if (starts_with(line, "begin ") && line.size() > 10 &&
                 std::strspn(std::string(line.substr(6, 3)).c_str(), "01234567") == 3 && !no_more_uu) {
        if (behind.find("\nend") == std::string_view::npos) {
          no_more_uu = true;
          kept += left.substr(0, length);
        } else {
          inside = true;
          end_line = "end";
          const size_t name = line.find(' ', 6);
          if (name != std::string_view::npos)
            later_.push_back({TextPiece::kFileName, number, std::string(line.substr(name + 1))});
        }
      } else if (starts_with(line, "=ybegin ") && !no_more_y) {
        if (behind.find("\n=yend") == std::string_view::npos) {
          no_more_y = true;
          kept += left.substr(0, length);
        } else {
          inside = true;
          end_line = "=yend";
          const size_t name = line.find(" name=");
          if (name != std::string_view::npos)
            later_.push_back({TextPiece::kFileName, number, std::string(line.substr(name + 6))});
        }
      } else {
        kept += left.substr(0, length);
      }
      left = behind;
    }
    *text = std::move(kept);
  }

  // Marks what multipart/alternative offers twice: the plain text wins, unless the HTML says more.
  void choose_alternatives(std::string_view message, const std::vector<Part>& parts, std::vector<bool>* skip) {
    for (size_t i = 0; i < parts.size(); ++i) {
      if (!parts[i].container || parts[i].media_type != "multipart/alternative") continue;
      const int depth = parts[i].depth;
      const Part* text = nullptr;
      std::vector<size_t> htmls;
      for (size_t j = i + 1; j < parts.size() && parts[j].depth > depth; ++j) {
        const Part& part = parts[j];
        if (part.container || part.attachment) continue;
        if (part.media_type == "text/plain" && part.depth == depth + 1 && text == nullptr) text = &part;
        // The HTML may sit in a multipart/related, but not in a message or another alternative.
        if (is_html(part) && part.depth <= depth + 3) htmls.push_back(j);
      }
      if (text == nullptr || htmls.empty()) {
        for (size_t n = 1; n < htmls.size(); ++n)  // enriched or AMP beside HTML
          if (parts[htmls[n]].depth == parts[htmls[0]].depth && parts[htmls[0]].media_type == "text/html")
            (*skip)[htmls[n]] = true;
        continue;
      }
      const std::string plain = mime::to_utf8(decoded(message, *text, kDecodeBytes), text->charset);
      const Part& html = parts[htmls[0]];
      const std::string source = mime::to_utf8(decoded(message, html, kDecodeBytes), html.charset);
      out_->link = out_->link || has_link(source, true);
      if (says_more(html_to_text(source), plain)) continue;
      for (size_t j : htmls) (*skip)[j] = true;
    }
  }

  void open(std::string bytes, const std::string& number, int depth, bool embedded) {
    if (depth >= kOpenDepth || opened_ >= kOpened || opened_bytes_ + bytes.size() > kOpenedBytes) {
      out_->partial = true;
      return;
    }
    ++opened_;
    opened_bytes_ += bytes.size();
    queue_.push_back({std::move(bytes), number, depth + 1, embedded});
  }

  void read_parts(std::string_view message, const Message& parsed, const std::string& prefix, int depth) {
    const std::vector<Part>& parts = parsed.parts;
    std::vector<bool> skip(parts.size(), false);
    choose_alternatives(message, parts, &skip);
    for (size_t i = 0; i < parts.size(); ++i) {
      const Part& part = parts[i];
      const std::string number = prefix + part.number;
      if (!part.filename.empty())
        later_.push_back({TextPiece::kFileName, number, std::string(charge(part.filename))});
      if (part.container) {
        if (starts_with(part.media_type, "message/"))
          embedded_header(mime::parse_fields(message.substr(part.body_begin, part.body_end - part.body_begin)));
        continue;
      }
      if (skip[i] || part.body_end <= part.body_begin) continue;
      if (room() == 0) {
        out_->partial = true;
        continue;
      }
      leaf(message, part, number, depth);
    }
  }

  void leaf(std::string_view message, const Part& part, const std::string& number, int depth) {
    if (is_smime(part)) {
      if (auto content = internal::signed_content(decoded(message, part, limits::kMessageBytes)))
        open(std::move(*content), number, depth, false);
      return;  // encrypted: nothing to read
    }
    if (is_embedded_leaf(part)) {
      open(decoded(message, part, limits::kMessageBytes), number, depth, true);
      return;
    }
    if (is_picture(part)) return document(message, part, number);
    if (is_wordless(part)) return;
    const bool readable = is_html(part) || named_html(part) || is_plain_text(part);
    std::string text;
    if (!readable || !leaf_text(message, part, number, &text)) {
      document(message, part, number);
      return;
    }
    const bool body = !part.attachment && (part.media_type == "text/plain" || is_html(part) ||
                                           starts_with(part.media_type, "multipart/"));
    if (body)
      append_body(text);
    else
      append_attachment(number, text);
  }

  // Read elsewhere, once for all mails that have it.
  void document(std::string_view message, const Part& part, const std::string& number) {
    if (documents_ >= kDocuments) {
      out_->partial = true;
      return;
    }
    const std::string bytes = decoded(message, part, limits::kMessageBytes);
    if (bytes.empty()) return;
    ++documents_;
    ++out_->unread_parts;
    later_.push_back({TextPiece::kDocument, number, std::string(Sha256::of(as_bytes(bytes)).view())});
  }

  Extracted* out_;
  size_t documents_ = 0;
  uint64_t used_ = 0;
  std::string body_, people_;
  std::set<std::pair<std::string, std::string>> seen_;
  std::vector<TextPiece> later_;  // file names and attachments, behind the body
  std::deque<Opened> queue_;
  size_t opened_ = 0;
  uint64_t opened_bytes_ = 0;
  bool journal_report_ = false;
};

}  // namespace

std::optional<PartBytes> part_bytes(std::string_view message, std::string_view number) {
  std::string inner;
  for (int depth = 0; depth <= kOpenDepth; ++depth) {
    const size_t slash = number.find('/');
    const std::string_view here = number.substr(0, slash);
    const Message parsed = mime::parse(message);
    const Part* found = nullptr;
    for (const Part& part : parsed.parts)
      if (part.number == here && !part.container) found = &part;
    if (found == nullptr) return std::nullopt;
    std::string bytes = mime::decode_content(message, *found, limits::kMessageBytes);
    if (slash == std::string_view::npos)
      return PartBytes{std::move(bytes), found->media_type, found->filename, found->charset};
    if (is_smime(*found)) {
      auto content = internal::signed_content(bytes);
      if (!content) return std::nullopt;
      bytes = std::move(*content);
    }
    inner = std::move(bytes);
    message = inner;
    number.remove_prefix(slash + 1);
  }
  return std::nullopt;
}

Extracted extract(std::string_view message, const Message& parsed, const std::vector<Recipient>& envelope) {
  Extracted out;
  Extraction(&out).run(message, parsed, envelope);
  return out;
}

}  // namespace arch::extract
