// A message to the terms it has in the index. Pure: no Xapian, no file. Which terms: query/index/terms.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/archive.h"

namespace arch::index {

/// Distinct terms of one document, rising, with how often each was met.
struct TermList {
  struct Entry {
    uint32_t at;
    uint16_t size;
    uint32_t count;  ///< 0: a flag or field term, of no weight in relevance
  };
  std::string bytes;
  std::vector<Entry> entries;
  std::string_view term(const Entry& entry) const { return std::string_view(bytes).substr(entry.at, entry.size); }
};

struct Document {
  uint64_t number = 0;    ///< MessageInfo::number
  uint64_t sequence = 0;  ///< of the delivery that brought it
  Digest digest;
  uint32_t date_s = 0;
  uint64_t mail_key = 0;
  TermList terms;
};

/// What the message's bytes say besides its text and its people.
struct Flags {
  bool partial = false;
  bool unread = false;
  bool inline_image = false;  ///< an image that the text shows
  bool signature = false;     ///< S/MIME or OpenPGP
  bool link = false;          ///< to a web address
  std::vector<std::pair<std::string, std::string>>
      types;             ///< media type and name of what was found inside attachments
  std::string language;  ///< ISO 639-1; empty: not known
  std::string list_id;
  std::vector<std::string> tags;  ///< of other mail programs
};

/// Makes documents; keeps its tables between them. One thread.
class DocumentMaker {
 public:
  /// `recipients` are those of all deliveries known so far.
  Document make(const MessageInfo& message, const MessageText& text, const std::vector<Recipient>& recipients,
                const Flags& flags);
  /// What was read of attachments of a known message: `text` is theirs alone. `all_read`: none of its attachments is unread now.
  TermList documents(const MessageText& text, const std::vector<std::pair<std::string, std::string>>& types,
                     bool all_read);
  /// What further envelope recipients of a known message add.
  TermList recipients(const MessageInfo& message, const std::vector<Recipient>& recipients);

 private:
  void start();
  void add(std::string_view prefix, std::string_view term, uint32_t count);
  void people(std::string_view prefix, const mime::Address& person);
  void general_people(const mime::Address& person);
  void piece(const TextPiece& piece);
  void type(std::string_view media_type, std::string_view filename);
  void label(std::string_view prefix, std::string_view text);
  void envelope(const MessageInfo& message, const std::vector<Recipient>& recipients);
  TermList take();

  struct Slot {
    uint32_t stamp = 0;  // of the document it belongs to
    uint32_t entry = 0;
  };
  std::vector<Slot> table_;
  uint32_t stamp_ = 0;
  TermList list_;
  std::string scratch_;
};

/// Both lists' terms, the larger count of each.
TermList merge(const TermList& one, const TermList& other);

}  // namespace arch::index
