#include "query/index/document.h"

#include <algorithm>
#include <functional>
#include <set>

#include "query/index/terms.h"
#include "query/index/types.h"
#include "query/text/analyser.h"

namespace arch::index {
namespace {

uint32_t clamp_seconds(UnixNs time) {
  int64_t seconds = time / kNsPerSecond;
  return static_cast<uint32_t>(std::clamp<int64_t>(seconds, 0, UINT32_MAX));
}

// "@x.b.c" and "@b.c" of "a@x.b.c"; not "@c": nobody asks for all mail from France.
template <class Each>
void domains(std::string_view address, const Each& each) {
  size_t at = address.rfind('@');
  if (at == std::string_view::npos) return;
  std::string_view host = address.substr(at + 1);
  std::string term;
  for (size_t labels = 0; labels < 16 && !host.empty(); ++labels) {
    size_t dot = host.find('.');
    if (dot == std::string_view::npos && labels > 0) return;
    term.assign(1, '@').append(host);
    each(term);
    if (dot == std::string_view::npos) return;
    host.remove_prefix(dot + 1);
  }
}

}  // namespace

void DocumentMaker::start() {
  if (table_.empty()) table_.resize(1024);
  if (++stamp_ == 0) {  // after four thousand million documents
    table_.assign(table_.size(), Slot{});
    stamp_ = 1;
  }
  list_ = TermList{};
}

void DocumentMaker::add(std::string_view prefix, std::string_view term, uint32_t count) {
  scratch_.assign(prefix).append(term);
  size_t mask = table_.size() - 1;
  size_t at = std::hash<std::string_view>()(scratch_) & mask;
  while (table_[at].stamp == stamp_) {
    TermList::Entry& entry = list_.entries[table_[at].entry];
    if (list_.term(entry) == scratch_) {
      entry.count += count;
      return;
    }
    at = (at + 1) & mask;
  }
  table_[at] = {stamp_, static_cast<uint32_t>(list_.entries.size())};
  list_.entries.push_back({static_cast<uint32_t>(list_.bytes.size()), static_cast<uint16_t>(scratch_.size()), count});
  list_.bytes.append(scratch_);
  if (list_.entries.size() * 2 < table_.size()) return;
  table_.assign(table_.size() * 2, Slot{});
  mask = table_.size() - 1;
  for (size_t i = 0; i < list_.entries.size(); ++i) {
    at = std::hash<std::string_view>()(list_.term(list_.entries[i])) & mask;
    while (table_[at].stamp == stamp_) at = (at + 1) & mask;
    table_[at] = {stamp_, static_cast<uint32_t>(i)};
  }
}

void DocumentMaker::people(std::string_view prefix, const mime::Address& person) {
  auto each = [&](std::string_view term) { add(prefix, term, 0); };
  text::index_terms(person.name, each);
  text::index_terms(person.address, each);
  std::string whole = text::address_term(person.address);
  if (whole.find('@') == std::string::npos) return;
  each(whole);
  domains(whole, each);
}

// Names are words of the message; of addresses only the whole and its domains: the words of "@import-export.example" would
// make every mail of that company answer to "import".
void DocumentMaker::general_people(const mime::Address& person) {
  text::index_terms(person.name, [&](std::string_view term) { add(kGeneral, term, 0); });
  std::string whole = text::address_term(person.address);
  if (whole.find('@') == std::string::npos) return;
  add(kGeneral, whole, 0);
  domains(whole, [&](std::string_view term) { add(kGeneral, term, 0); });
}

void DocumentMaker::label(std::string_view prefix, std::string_view text) {
  text::index_terms(text, [&](std::string_view term) { add(prefix, term, 0); });
  add(prefix, text::label_term(text), 0);
}

void DocumentMaker::envelope(const MessageInfo& message, const std::vector<Recipient>& recipients) {
  if (recipients.empty()) return;
  std::set<std::string> named;
  for (const auto* field : {&message.to, &message.cc})
    for (const mime::Address& person : *field) named.insert(text::address_term(person.address));
  // When To and Cc name nobody of the envelope (a list, an alias, a mail handed over for one recipient), the envelope says to
  // whom it went: then `to:` finds it as well.
  const bool stands_for_to = std::none_of(recipients.begin(), recipients.end(), [&](const Recipient& recipient) {
    return named.count(text::address_term(recipient.address)) != 0;
  });
  // A list's mail names none of its recipients either; nobody is hidden there.
  const bool hidden = !stands_for_to || (message.to.empty() && message.cc.empty());
  for (const Recipient& recipient : recipients) {
    mime::Address person{{}, recipient.address};
    people(kRcpt, person);
    general_people(person);
    if (named.count(text::address_term(recipient.address)) == 0) {
      people(kBcc, person);
      if (hidden) add(kHasBcc, {}, 0);
    }
    if (stands_for_to) people(kTo, person);
  }
}

void DocumentMaker::piece(const TextPiece& piece) {
  std::string_view prefix;
  switch (piece.field) {
    case TextPiece::kDocument:
      return;  // stands for what is not read yet
    case TextPiece::kPeople:
      text::index_terms(piece.text, [&](std::string_view term) {
        if (term.find('@') != std::string_view::npos) add(kGeneral, term, 0);
      });
      return;
    case TextPiece::kHeader:
      add(kHeader, piece.part, 0);
      text::index_terms(piece.text, [&](std::string_view term) {
        std::string word(piece.part);
        word += ' ';
        add(kHeader, word.append(term), 0);
      });
      return;
    case TextPiece::kSubject:
      prefix = kSubject;
      break;
    case TextPiece::kFileName:
      prefix = kFileName;
      break;
    default:
      break;
  }
  text::index_terms(piece.text, [&](std::string_view term) {
    add(kGeneral, term, 1);
    if (!prefix.empty()) add(prefix, term, 0);
  });
}

void DocumentMaker::type(std::string_view media_type, std::string_view filename) {
  type_terms(media_type, filename, [&](std::string_view term) { add(kType, term, 0); });
}

TermList DocumentMaker::documents(const MessageText& text,
                                  const std::vector<std::pair<std::string, std::string>>& types, bool all_read) {
  start();
  for (const TextPiece& each : text) piece(each);
  for (const auto& [media_type, filename] : types) type(media_type, filename);
  if (all_read) add(kIsRead, {}, 0);
  add(kLateText, {}, 1);
  return take();
}

Document DocumentMaker::make(const MessageInfo& message, const MessageText& text,
                             const std::vector<Recipient>& recipients, const Flags& flags) {
  start();
  Document out;
  out.number = message.number;
  out.digest = message.digest;
  out.date_s = clamp_seconds(message.date);
  out.mail_key = message.mail_key;

  for (const TextPiece& each : text) piece(each);

  for (const mime::Address& person : message.from) {
    people(kFrom, person);
    general_people(person);
  }
  const std::pair<std::string_view, const std::vector<mime::Address>*> fields[] = {
      {kTo, &message.to}, {kCc, &message.cc}, {kBcc, &message.bcc}};
  for (const auto& [prefix, list] : fields) {
    for (const mime::Address& person : *list) {
      people(prefix, person);
      people(kRcpt, person);
      general_people(person);
    }
  }
  envelope(message, recipients);

  if (!message.bcc.empty()) add(kHasBcc, {}, 0);
  if (!flags.list_id.empty()) label(kList, flags.list_id);
  for (const std::string& tag : flags.tags) label(kTag, tag);
  if (!flags.language.empty()) add(kLanguage, flags.language, 0);
  if (flags.inline_image) add(kHasInline, {}, 0);
  if (flags.signature) add(kHasSignature, {}, 0);
  if (flags.link) add(kHasLink, {}, 0);
  if (message.attachment_count > 0) add(kHasAttachment, {}, 0);
  for (const MessageInfo::Attachment& attachment : message.attachments)
    type(attachment.media_type, attachment.filename);
  for (const auto& [media_type, filename] : flags.types) type(media_type, filename);
  if (message.encrypted) add(kIsEncrypted, {}, 0);
  if (flags.partial || message.partial) add(kIsPartial, {}, 0);
  if (flags.unread) add(kIsUnread, {}, 0);
  out.terms = take();
  return out;
}

TermList DocumentMaker::recipients(const MessageInfo& message, const std::vector<Recipient>& recipients) {
  start();
  envelope(message, recipients);
  return take();
}

TermList DocumentMaker::take() {
  std::sort(list_.entries.begin(), list_.entries.end(),
            [&](const TermList::Entry& a, const TermList::Entry& b) { return list_.term(a) < list_.term(b); });
  return std::move(list_);
}

TermList merge(const TermList& one, const TermList& other) {
  TermList out;
  auto put = [&](const TermList& from, const TermList::Entry& entry, uint32_t count) {
    out.entries.push_back({static_cast<uint32_t>(out.bytes.size()), entry.size, count});
    out.bytes.append(from.term(entry));
  };
  size_t i = 0;
  size_t j = 0;
  while (i < one.entries.size() || j < other.entries.size()) {
    int order = i == one.entries.size()     ? 1
                : j == other.entries.size() ? -1
                                            : one.term(one.entries[i]).compare(other.term(other.entries[j]));
    if (order < 0) {
      put(one, one.entries[i], one.entries[i].count);
      ++i;
    } else if (order > 0) {
      put(other, other.entries[j], other.entries[j].count);
      ++j;
    } else {
      put(one, one.entries[i], std::max(one.entries[i].count, other.entries[j].count));
      ++i;
      ++j;
    }
  }
  return out;
}

}  // namespace arch::index
