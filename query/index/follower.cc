// Feed, parse, extract, analyse on the caller's thread; Xapian on a second one, one batch behind.
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>

#include "engine/base/ascii.h"
#include "query/extract/extract.h"
#include "query/index/attempt.h"
#include "query/index/index.h"
#include "query/index/store.h"
#include "query/text/language.h"

namespace arch::index {
namespace {

constexpr size_t kTextBatchBytes = 16u << 20;  // of one put_texts
constexpr size_t kHeaderPieces = 100;          // fields of one message that the operator asked for
constexpr size_t kHeaderValueBytes = 1'000;

/// Commits batches in order on its own thread. At most one waits while one is committed.
class Committer {
 public:
  explicit Committer(IndexStore& store) : store_(store), thread_([this] { run(); }) {}
  /// Reached with the thread alive when feeding failed: that error is returned, and a commit that fails now leaves the
  /// store dead, so that its error comes back at the next call.
  ~Committer() {
    if (thread_.joinable()) static_cast<void>(drain());
  }

  /// Waits for room. False once a commit has failed.
  bool push(IndexStore::Batch batch) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return !waiting_ || error_; });
    if (error_) return false;
    waiting_ = std::move(batch);
    changed_.notify_all();
    return true;
  }

  /// Mark of the last batch committed, 0 when there was none.
  uint64_t committed() {
    std::lock_guard<std::mutex> lock(mutex_);
    return committed_;
  }

  /// Commits what waits and ends the thread.
  Result<void> drain() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      ending_ = true;
      changed_.notify_all();
    }
    thread_.join();
    if (error_) return tl::unexpected<Error>(*error_);
    return {};
  }

 private:
  void run() {
    for (;;) {
      IndexStore::Batch batch;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait(lock, [this] { return waiting_ || ending_; });
        if (!waiting_) return;
        batch = std::move(*waiting_);
        waiting_.reset();
        changed_.notify_all();
      }
      auto done = store_.commit(batch);
      std::lock_guard<std::mutex> lock(mutex_);
      if (!done) {
        error_ = done.error();
        waiting_.reset();
        changed_.notify_all();
        return;
      }
      committed_ = batch.mark;
    }
  }

  IndexStore& store_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<IndexStore::Batch> waiting_;  // this and what follows: mutex_
  std::optional<Error> error_;
  uint64_t committed_ = 0;
  bool ending_ = false;
  std::thread thread_;  // last: it uses all of the above
};

// Documents are numbered like messages: an index fits only the numbering it was made with.
Digest mark_digest(const std::string& numbering, const Digest& message) {
  return Sha256::of(as_bytes(numbering + std::string(message.view())));
}

// What the catalog knows of a message whose bytes are not to be looked at again.
MessageText text_of_catalog(const MessageInfo& message) {
  MessageText out;
  out.push_back({TextPiece::kSubject, "", message.subject});
  for (const MessageInfo::Attachment& attachment : message.attachments)
    if (!attachment.filename.empty()) out.push_back({TextPiece::kFileName, attachment.part, attachment.filename});
  std::string people;
  for (const auto* list : {&message.from, &message.to, &message.cc, &message.bcc})
    for (const mime::Address& person : *list) people += person.name + " " + person.address + "\n";
  out.push_back({TextPiece::kPeople, "", std::move(people)});
  return out;
}

// Where mail programs keep what a person or a filter stuck to a mail: RFC 5322 s3.6.5, mutt, Dovecot's and Google's exports.
constexpr std::string_view kTagFields[] = {"keywords", "x-keywords", "x-label", "x-gmail-labels", "x-mozilla-keys"};
constexpr size_t kTags = 32;

void add_tags(std::string_view value, char separator, std::vector<std::string>* tags) {
  while (!value.empty() && tags->size() < kTags) {
    const size_t end = std::min(value.find(separator), value.size());
    std::string_view tag = value.substr(0, end);
    value.remove_prefix(std::min(end + 1, value.size()));
    while (!tag.empty() && (tag.front() == ' ' || tag.front() == '\t')) tag.remove_prefix(1);
    while (!tag.empty() && (tag.back() == ' ' || tag.back() == '\t')) tag.remove_suffix(1);
    if (!tag.empty()) tags->emplace_back(tag);
  }
}

Flags flags_of(const mime::Message& parsed, const extract::Extracted& extracted) {
  Flags flags;
  flags.partial = extracted.partial;
  flags.unread = extracted.unread_parts > 0;
  flags.link = extracted.link;
  flags.list_id = parsed.list_id;
  for (const mime::Part& part : parsed.parts) {
    if (!part.container && !part.attachment && part.media_type.compare(0, 6, "image/") == 0)
      flags.inline_image = true;
    for (std::string_view type : {"multipart/signed", "application/pkcs7-signature", "application/x-pkcs7-signature",
                                  "application/pgp-signature"})
      flags.signature = flags.signature || part.media_type == type;
    if (!parsed.encrypted &&
        (part.media_type == "application/pkcs7-mime" || part.media_type == "application/x-pkcs7-mime"))
      flags.signature = true;
  }
  for (const auto& [name, value] : parsed.headers) {
    const std::string lower = ascii_lower(name);
    if (std::find(std::begin(kTagFields), std::end(kTagFields), lower) != std::end(kTagFields))
      add_tags(value, lower == "x-mozilla-keys" ? ' ' : ',', &flags.tags);
  }
  // The sender's own words tell; a bare forward has only others'.
  for (uint8_t field : {TextPiece::kBody, TextPiece::kQuoted}) {
    if (!flags.language.empty()) break;
    for (const TextPiece& piece : extracted.pieces)
      if (piece.field == field && flags.language.empty()) flags.language = text::language_of(piece.text);
  }
  return flags;
}

}  // namespace

struct IndexWriter::State {
  State(Archive& with_archive, const Options& with_options) : archive(with_archive), options(with_options) {}
  Archive& archive;
  Options options;
  std::unique_ptr<IndexStore> store;
  std::unique_ptr<Attempt> attempt;
  DocumentMaker maker;
  uint64_t mark = 0;  // of the store, without asking it while its thread works
  uint64_t given_up = 0;
  std::string numbering;

  Result<IndexStore::Batch> make_batch(std::vector<FeedEntry> entries, const std::function<bool()>& stop);
  void add_headers(const mime::Message& parsed, MessageText* text) const;
};

IndexWriter::IndexWriter() = default;
IndexWriter::~IndexWriter() = default;

Result<std::unique_ptr<IndexWriter>> IndexWriter::open(Archive& archive, const Options& options) {
  std::unique_ptr<IndexWriter> writer(new IndexWriter());
  writer->state_ = std::make_unique<State>(archive, options);
  State& s = *writer->state_;
  ARCH_TRY(s.numbering, archive.numbering());
  std::string directory = archive.directory() + "/index";
  IndexStore::Options store_options;
  store_options.shard_messages = options.shard_messages;
  auto fits = [&archive, &writer](uint64_t mark, const Digest& digest) -> Result<bool> {
    ARCH_TRY(ArchiveStatus status, archive.status());
    if (mark > status.last_sequence) return false;
    auto delivery = archive.delivery(mark);
    if (!delivery && delivery.error().code == Code::kNotFound) return false;
    if (!delivery) return tl::unexpected<Error>(delivery.error());
    return mark_digest(writer->state_->numbering, delivery->delivery.digest) == digest;
  };
  ARCH_TRY(s.store, IndexStore::open(directory, store_options, fits));
  ARCH_TRY(s.attempt, Attempt::open(directory + "/attempt"));
  s.mark = s.store->mark();
  return writer;
}

uint64_t IndexWriter::mark() const { return state_->mark; }
const std::string& IndexWriter::begun_anew() const { return state_->store->begun_anew(); }
uint64_t IndexWriter::given_up() const { return state_->given_up; }

void IndexWriter::State::add_headers(const mime::Message& parsed, MessageText* text) const {
  size_t left = kHeaderPieces;
  for (const auto& [name, value] : parsed.headers) {
    if (options.headers.empty() || left == 0) return;
    std::string lower = ascii_lower(name);
    if (std::find(options.headers.begin(), options.headers.end(), lower) == options.headers.end()) continue;
    --left;
    text->push_back({TextPiece::kHeader, std::move(lower), value.substr(0, kHeaderValueBytes)});
  }
}

// Texts are durable in the catalog when it returns. Ends early when `stop` says so: the batch then covers what was done.
Result<IndexStore::Batch> IndexWriter::State::make_batch(std::vector<FeedEntry> entries,
                                                         const std::function<bool()>& stop) {
  IndexStore::Batch batch;
  std::unordered_map<uint64_t, size_t> places;  // message number -> in batch.documents
  std::vector<std::pair<uint64_t, MessageText>> texts;
  size_t text_bytes = 0;
  for (FeedEntry& entry : entries) {
    if (batch.mark != 0 && stop && stop()) break;
    const DeliveryInfo& delivery = entry.delivery;
    // The archive's own address says nothing about who got the mail.
    const std::vector<Recipient> people =
        is_archive_copy(delivery.delivery) ? std::vector<Recipient>() : delivery.delivery.rcpt;
    if (entry.first) {
      ARCH_TRY(bool readable, entry.damaged ? Result<bool>(false) : attempt->begin(delivery.sequence));
      Flags flags;
      MessageText text;
      if (readable) {
        mime::Message parsed = mime::parse(entry.bytes);
        extract::Extracted extracted = extract::extract(entry.bytes, parsed, people);
        flags = flags_of(parsed, extracted);
        text = std::move(extracted.pieces);
        add_headers(parsed, &text);
      } else {
        flags.partial = true;
        text = text_of_catalog(entry.message);
        ++given_up;
      }
      Document document = maker.make(entry.message, text, people, flags);
      document.sequence = delivery.sequence;
      places[document.number] = batch.documents.size();
      batch.documents.push_back(std::move(document));
      for (const TextPiece& piece : text) text_bytes += piece.text.size();
      texts.emplace_back(entry.message.number, std::move(text));
      std::string().swap(entry.bytes);
      if (text_bytes >= kTextBatchBytes) {
        ARCH_TRY_VOID(archive.put_texts(texts));
        texts.clear();
        text_bytes = 0;
      }
    } else if (!people.empty()) {
      TermList more = maker.recipients(entry.message, people);
      auto place = places.find(entry.message.number);
      if (place != places.end()) {
        TermList& terms = batch.documents[place->second].terms;
        terms = merge(terms, more);
      } else {
        Document late;
        late.number = entry.message.number;
        late.terms = std::move(more);
        batch.late.push_back(std::move(late));
      }
    }
    batch.mark = delivery.sequence;
    batch.mark_digest = mark_digest(numbering, entry.message.digest);
  }
  ARCH_TRY_VOID(attempt->end());
  if (!texts.empty()) ARCH_TRY_VOID(archive.put_texts(texts));
  return batch;
}

Result<uint64_t> IndexWriter::follow(const std::function<bool()>& stop,
                                     const std::function<void(uint64_t)>& progress) {
  State& s = *state_;
  uint64_t fed = s.mark;
  bool caught_up = false;
  {
    Committer committer(*s.store);
    auto tell = [&] {
      uint64_t committed = committer.committed();
      if (committed <= s.mark) return;
      s.mark = committed;
      if (progress) progress(committed);
    };
    while (!stop || !stop()) {
      ARCH_TRY(std::vector<FeedEntry> entries, s.archive.feed(fed, s.options.batch_messages, s.options.batch_bytes));
      if (entries.empty()) {
        caught_up = true;
        break;
      }
      ARCH_TRY(IndexStore::Batch batch, s.make_batch(std::move(entries), stop));
      fed = batch.mark;
      if (!committer.push(std::move(batch))) break;
      tell();
    }
    auto drained = committer.drain();
    tell();
    ARCH_TRY_VOID(drained);
  }
  if (caught_up) {
    ARCH_TRY_VOID(s.store->tidy());
    ARCH_TRY_VOID(s.store->set_complete());
  }
  return s.mark;
}

Result<void> IndexWriter::close() { return state_->store->close(); }

}  // namespace arch::index
