#include "engine/documents.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "engine/archive_state.h"

namespace arch {

namespace {

// Rows of the column `document`.
constexpr char kText = 'd', kUse = 'r', kWaiting = 'q', kNew = 'e', kCount = 'c', kOcrWaiting = 'o';

std::string key_of(char kind, const Digest& digest) { return kind + std::string(digest.view()); }
std::string key_of(char kind, const Digest& digest, uint64_t number) { return key_of(kind, digest) + be64(number); }
Digest digest_of(std::string_view key) { return Digest::from_view(key.substr(1, 32)); }

bool is_read(DocumentStatus status) { return status == DocumentStatus::kRead || status == DocumentStatus::kNoText; }

tl::unexpected<Error> malformed() {
  return fail(Code::kCorrupt, "the catalog holds a malformed row: document",
              "it is derived: archctl rebuild makes it anew from journal and segments");
}

std::string count_key(DocumentStatus status, const std::string& media_type) {
  return std::string{kCount, static_cast<char>(status)} + media_type;
}

std::string encode_place(uint64_t message, const std::string& part) {
  ByteWriter out;
  out.varint(message);
  out.sized(part);
  return out.take();
}

}  // namespace

std::string_view document_status_name(DocumentStatus status) {
  static constexpr std::array<std::string_view, 8> kNames = {
      "read", "no_text", "encrypted", "broken", "over_limit", "unknown_format", "crashed", "waits_for_ocr"};
  const auto at = static_cast<size_t>(status);
  return at >= 1 && at <= kNames.size() ? kNames[at - 1] : "unknown";
}

bool KeptDocument::unread() const {
  return !is_read(status) ||
         std::any_of(members.begin(), members.end(), [](const Member& member) { return !is_read(member.status); });
}

void append_pieces(KeptDocument&& document, const std::string& part, std::vector<TextPiece>* text) {
  if (!document.text.empty()) text->push_back({TextPiece::kAttachment, part, std::move(document.text)});
  for (KeptDocument::Member& member : document.members) {
    if (!member.name.empty()) text->push_back({TextPiece::kFileName, part, std::move(member.name)});
    if (!member.text.empty()) text->push_back({TextPiece::kAttachment, part, std::move(member.text)});
  }
}

std::string encode_document(const KeptDocument& document) {
  ByteWriter out;
  out.u8(static_cast<uint8_t>(document.status));
  for (const auto* text : {&document.why, &document.media_type, &document.tool, &document.readers, &document.text})
    out.sized(*text);
  out.varint(document.members.size());
  for (const KeptDocument::Member& member : document.members) {
    out.u8(static_cast<uint8_t>(member.status));
    for (const auto* text : {&member.name, &member.media_type, &member.why, &member.text}) out.sized(*text);
  }
  out.sized(document.language);
  return out.take();
}

Result<KeptDocument> decode_document(std::string_view value) {
  ByteReader in(value);
  KeptDocument document;
  document.status = static_cast<DocumentStatus>(in.u8());
  for (auto* text : {&document.why, &document.media_type, &document.tool, &document.readers, &document.text})
    *text = in.sized();
  const uint64_t count = in.varint();
  if (!in.ok() || count > in.rest().size()) return malformed();
  for (uint64_t i = 0; i < count; ++i) {
    KeptDocument::Member member;
    member.status = static_cast<DocumentStatus>(in.u8());
    for (auto* text : {&member.name, &member.media_type, &member.why, &member.text}) *text = in.sized();
    document.members.push_back(std::move(member));
  }
  if (in.ok() && !in.at_end()) document.language = in.sized();  // rows of before end here
  if (!in.at_end()) return malformed();
  return document;
}

// ── the archive's side ──

Result<std::optional<KeptDocument>> Archive::document(const Digest& digest) const {
  if (!state_->catalog) return std::optional<KeptDocument>();
  ARCH_TRY(auto row, state_->catalog->get(Column::kDocument, key_of(kText, digest)));
  if (!row) return std::optional<KeptDocument>();
  ARCH_TRY(KeptDocument document, decode_document(*row));
  return std::optional<KeptDocument>(std::move(document));
}

Result<bool> Archive::has_document(const Digest& digest) const {
  if (!state_->catalog) return false;
  ARCH_TRY(auto row, state_->catalog->get(Column::kDocument, key_of(kText, digest)));
  return row.has_value();
}

Result<void> Archive::put_texts(const std::vector<std::pair<uint64_t, MessageText>>& texts) {
  CatalogBatch batch;
  std::lock_guard lock(state_->document_mutex);
  std::set<Digest> queued;
  for (const auto& [number, text] : texts) {
    batch.put(Column::kText, be64(number), rows::encode_text(text));
    for (const TextPiece& piece : text) {
      if (piece.field != TextPiece::kDocument || piece.text.size() != 32) continue;
      const Digest digest = Digest::from_view(piece.text);
      batch.put(Column::kDocument, key_of(kUse, digest, number), {});
      if (!piece.waiting) continue;
      ARCH_TRY(auto there, state_->catalog->get(Column::kDocument, key_of(kText, digest)));
      if (there) {  // read since the message was looked at
        batch.put(Column::kDocument, key_of(kNew, digest, number), {});
      } else if (queued.insert(digest).second) {
        batch.put(Column::kDocument, key_of(kWaiting, digest), encode_place(number, piece.part));
      }
    }
  }
  return state_->catalog->write(std::move(batch), true);
}

Result<void> Archive::put_document(const Digest& digest, const KeptDocument& document) {
  CatalogBatch batch;
  std::lock_guard lock(state_->document_mutex);
  ARCH_TRY(auto before, state_->catalog->get(Column::kDocument, key_of(kText, digest)));
  std::optional<KeptDocument> old;
  if (before) {
    ARCH_TRY(old, decode_document(*before));
  }
  batch.remove(Column::kDocument, key_of(kWaiting, digest));
  if (document.status == DocumentStatus::kWaitsForOcr)
    batch.put(Column::kDocument, key_of(kOcrWaiting, digest), {});
  else
    batch.remove(Column::kDocument, key_of(kOcrWaiting, digest));
  const bool found_nothing =
      document.status == DocumentStatus::kWaitsForOcr || document.status == DocumentStatus::kNoText;
  if (old && old->tool == kOcrTool && document.tool != kOcrTool && found_nothing)
    return state_->catalog->write(std::move(batch), true);
  batch.put(Column::kDocument, key_of(kText, digest), encode_document(document));
  // Counted as it changes: the texts are too long to be read for a number.
  std::map<std::string, int64_t> changes;
  ++changes[count_key(document.status, document.media_type)];
  if (old) --changes[count_key(old->status, old->media_type)];
  for (const auto& [key, change] : changes) {
    ARCH_TRY(auto row, state_->catalog->get(Column::kDocument, key));
    const uint64_t was = row && row->size() == 8 ? from_be64(*row) : 0;
    batch.put(Column::kDocument, key, be64(was + static_cast<uint64_t>(change)));
  }
  // What was read again and says what it said is in the index already.
  const bool says_the_same = old && old->text == document.text && old->members == document.members &&
                             old->unread() == document.unread() && old->media_type == document.media_type;
  const std::string uses = key_of(kUse, digest);
  if (!says_the_same)
    ARCH_TRY_VOID(state_->catalog->scan(Column::kDocument, uses, uses, [&](std::string_view key, std::string_view) {
      batch.put(Column::kDocument, key_of(kNew, digest, from_be64(key.substr(33))), {});
      return true;
    }));
  return state_->catalog->write(std::move(batch), true);
}

// Any mail that has it will do; its part is found by the digest.
Result<std::optional<uint64_t>> Archive::State::user_of(const Digest& digest) const {
  std::optional<uint64_t> out;
  const std::string uses = key_of(kUse, digest);
  ARCH_TRY_VOID(catalog->scan(Column::kDocument, uses, uses, [&](std::string_view key, std::string_view) {
    out = from_be64(key.substr(33));
    return false;
  }));
  return out;
}

Result<std::vector<WaitingDocument>> Archive::waiting_documents(size_t most, DocumentQueue queue) const {
  std::vector<WaitingDocument> out;
  if (!state_->catalog) return out;
  Result<void> failure;
  const std::string prefix(1, queue == DocumentQueue::kOcr ? kOcrWaiting : kWaiting);
  ARCH_TRY_VOID(
      state_->catalog->scan(Column::kDocument, prefix, prefix, [&](std::string_view key, std::string_view row) {
        WaitingDocument waiting;
        waiting.digest = digest_of(key);
        if (queue == DocumentQueue::kOcr) {
          auto user = state_->user_of(waiting.digest);
          if (!user) {
            failure = tl::unexpected<Error>(user.error());
            return false;
          }
          if (!*user) return true;  // its mail is being indexed
          waiting.message = **user;
        } else {
          ByteReader in(row);
          waiting.message = in.varint();
          waiting.part = in.sized();
          if (!in.ok()) {
            failure = malformed();
            return false;
          }
        }
        out.push_back(std::move(waiting));
        return out.size() < most;
      }));
  ARCH_TRY_VOID(std::move(failure));
  return out;
}

Result<uint64_t> Archive::forget_ocr() {
  std::vector<Digest> waiting;
  const std::string prefix(1, kOcrWaiting);
  ARCH_TRY_VOID(state_->catalog->scan(Column::kDocument, prefix, prefix, [&](std::string_view key, std::string_view) {
    waiting.push_back(digest_of(key));
    return true;
  }));
  for (const Digest& digest : waiting) {
    ARCH_TRY(auto known, document(digest));
    if (known && known->status == DocumentStatus::kWaitsForOcr) {
      known->status = DocumentStatus::kNoText;
      ARCH_TRY_VOID(put_document(digest, *known));
    }
    CatalogBatch batch;
    batch.remove(Column::kDocument, key_of(kOcrWaiting, digest));
    ARCH_TRY_VOID(state_->catalog->write(std::move(batch), false));
  }
  return waiting.size();
}

Result<std::vector<std::pair<Digest, uint64_t>>> Archive::new_documents(size_t most) const {
  std::vector<std::pair<Digest, uint64_t>> out;
  const std::string prefix(1, kNew);
  ARCH_TRY_VOID(state_->catalog->scan(Column::kDocument, prefix, prefix, [&](std::string_view key, std::string_view) {
    out.emplace_back(digest_of(key), from_be64(key.substr(33)));
    return out.size() < most;
  }));
  return out;
}

Result<void> Archive::took_documents(const std::vector<std::pair<Digest, uint64_t>>& taken) {
  CatalogBatch batch;
  for (const auto& [digest, number] : taken) batch.remove(Column::kDocument, key_of(kNew, digest, number));
  return state_->catalog->write(std::move(batch), false);
}

Result<uint64_t> Archive::read_again(const std::function<bool(const KeptDocument&)>& wanted) {
  CatalogBatch batch;
  uint64_t count = 0;
  std::lock_guard lock(state_->document_mutex);
  Result<void> failure;
  const std::string prefix(1, kText);
  std::vector<Digest> again;
  ARCH_TRY_VOID(
      state_->catalog->scan(Column::kDocument, prefix, prefix, [&](std::string_view key, std::string_view row) {
        auto document = decode_document(row);
        if (!document) {
          failure = tl::unexpected<Error>(document.error());
          return false;
        }
        if (wanted(*document)) again.push_back(digest_of(key));
        return true;
      }));
  ARCH_TRY_VOID(std::move(failure));
  for (const Digest& digest : again) {
    ARCH_TRY(const auto user, state_->user_of(digest));
    if (!user) continue;
    batch.put(Column::kDocument, key_of(kWaiting, digest), encode_place(*user, {}));
    ++count;
  }
  ARCH_TRY_VOID(state_->catalog->write(std::move(batch), true));
  return count;
}

Result<DocumentCounts> Archive::document_counts() const {
  DocumentCounts out;
  if (!state_->catalog) return out;
  const std::string counts(1, kCount), waiting(1, kWaiting), for_ocr(1, kOcrWaiting);
  ARCH_TRY_VOID(
      state_->catalog->scan(Column::kDocument, counts, counts, [&](std::string_view key, std::string_view row) {
        const uint64_t count = row.size() == 8 ? from_be64(row) : 0;
        if (count != 0)
          out.rows.push_back(
              {std::string(key.substr(2)), static_cast<DocumentStatus>(static_cast<uint8_t>(key[1])), count});
        return true;
      }));
  ARCH_TRY_VOID(state_->catalog->scan(Column::kDocument, waiting, waiting, [&](std::string_view, std::string_view) {
    ++out.waiting;
    return true;
  }));
  ARCH_TRY_VOID(state_->catalog->scan(Column::kDocument, for_ocr, for_ocr, [&](std::string_view, std::string_view) {
    ++out.waiting_for_ocr;
    return true;
  }));
  std::stable_sort(out.rows.begin(), out.rows.end(), [](const auto& a, const auto& b) { return a.count > b.count; });
  return out;
}

// A reference becomes what was read: texts and the names of what is inside, each with the part of the mail that they are in.
Result<void> Archive::State::expand(MessageText* text) const {
  if (std::none_of(text->begin(), text->end(),
                   [](const TextPiece& piece) { return piece.field == TextPiece::kDocument; }))
    return {};
  MessageText out;
  for (TextPiece& piece : *text) {
    if (piece.field != TextPiece::kDocument || piece.text.size() != 32) {
      out.push_back(std::move(piece));
      continue;
    }
    ARCH_TRY(auto row, catalog->get(Column::kDocument, key_of(kText, Digest::from_view(piece.text))));
    if (!row) continue;
    ARCH_TRY(KeptDocument document, decode_document(*row));
    append_pieces(std::move(document), piece.part, &out);
  }
  *text = std::move(out);
  return {};
}

Result<std::vector<std::pair<std::string, Digest>>> Archive::documents_of(uint64_t number) const {
  std::vector<std::pair<std::string, Digest>> out;
  if (!state_->catalog) return out;
  ARCH_TRY(auto row, state_->catalog->get(Column::kText, be64(number)));
  if (!row) return out;
  ARCH_TRY(MessageText text, rows::decode_text(*row));
  for (const TextPiece& piece : text)
    if (piece.field == TextPiece::kDocument && piece.text.size() == 32)
      out.emplace_back(piece.part, Digest::from_view(piece.text));
  return out;
}

}  // namespace arch
