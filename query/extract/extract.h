// A message to the text that is kept and searched: subject, own words, quoted words, names of attachments, text of text
// attachments (other formats come with the sandboxed workers). Pure and bounded (limits.h); never fails; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/archive.h"
#include "engine/mime/message.h"

namespace arch::extract {

struct Extracted {
  MessageText pieces;         ///< in the order subject, body, quoted, then names and attachments, people last
  bool partial = false;       ///< a limit was met, or a part could not be read
  uint32_t unread_parts = 0;  ///< attachments that take a program to read: each a piece kDocument
  bool link = false;          ///< the text links to a web address
};

/// The body is the text/plain parts, and of multipart/alternative the plain one if it has words, else the HTML. An HTML
/// alternative next to a plain one is not indexed twice; one that says much that the plain one does not is (stubs such as
/// "this program cannot show the message"). Embedded messages count with subject, people and body. Readable content
/// inside an opaque S/MIME signature or an encoded embedded message is opened; its pieces' `part` is OUTER/INNER.
/// `envelope` recipients go into kPeople, one "name address" a line; so do the people of a mail that Exchange's journal
/// wrapped.
Extracted extract(std::string_view message, const mime::Message& parsed, const std::vector<Recipient>& envelope);

/// The decoded bytes of a part by its number ("2", "1.3", "2/1" inside encoded content), as the pieces of extract() name it, and
/// what the mail says of it. Nothing: there is no such part.
struct PartBytes {
  std::string bytes, media_type, filename, charset;
};
std::optional<PartBytes> part_bytes(std::string_view message, std::string_view number);

/// Linear, bounded HTML to text: entities, block elements to line ends, links kept as "text [url]" only when `links`,
/// script, style, comments and head dropped; words split by inline tags stay whole. Lines of a cited mail (blockquote of
/// a mail program) begin with "> ". UTF-8 in and out. `title`, when not null, receives the title element's text.
std::string html_to_text(std::string_view html, bool links = false, std::string* title = nullptr);

/// Character references of HTML ("&eacute;", "&#233;") to UTF-8; what is none stays.
std::string resolve_references(std::string_view text);

/// Splits a body into own and quoted words ("> " lines, "-----Original Message-----", "Le … a écrit :", "On … wrote:").
/// Every line goes to one of the two, in order.
void split_quoted(std::string_view body, std::string* own, std::string* quoted);

}  // namespace arch::extract
