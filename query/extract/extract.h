// A message to the text that is kept and searched: subject, own words, quoted words, names of attachments, text of text
// attachments (other formats come with the sandboxed workers). Pure and bounded (limits.h); never fails.
#pragma once

#include <string>
#include <string_view>

#include "engine/archive.h"
#include "engine/mime/message.h"

namespace arch::extract {

struct Extracted {
  MessageText pieces;
  bool partial = false;        ///< a limit was met, or a part could not be read
  uint32_t unread_parts = 0;   ///< attachments whose format nothing here reads yet
};

/// The body is the text/plain parts, and of multipart/alternative the plain one if it has words, else the HTML. An HTML
/// alternative next to a plain one is not indexed twice. `envelope` recipients go into kPeople.
Extracted extract(std::string_view message, const mime::Message& parsed, const std::vector<Recipient>& envelope);

/// Linear, bounded HTML to text: entities, block elements to line ends, links kept as "text [url]" only when `links`,
/// script, style, comments and head dropped; words split by inline tags stay whole. UTF-8 in and out.
std::string html_to_text(std::string_view html, bool links = false);

/// Splits a body into own and quoted words ("> " lines, "-----Original Message-----", "Le … a écrit :", "On … wrote:").
void split_quoted(std::string_view body, std::string* own, std::string* quoted);

}  // namespace arch::extract
