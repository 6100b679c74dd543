// Feed, parse, extract, analyse on the caller's thread; Xapian on a second one, one batch behind.
#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <unordered_map>

#include "engine/base/ascii.h"
#include "query/extract/extract.h"
#include "query/index/attempt.h"
#include "query/index/index.h"
#include "query/index/sequences.h"
#include "query/index/store.h"
#include "query/text/language.h"

namespace arch::index {
namespace {

constexpr size_t kTextBatchBytes = 16u << 20;  // of one put_texts
constexpr size_t kHeaderPieces = 100;          // fields of one message that the operator asked for
constexpr size_t kHeaderValueBytes = 1'000;
constexpr size_t kBulk =
    100;  // messages at once that are no trickle: their attachments are read before they are indexed
// Of a batch, what is in memory as mail at once; the texts and terms of all of it are.
constexpr size_t kPieceMessages = 500;
constexpr uint64_t kPieceBytes = 4ull << 20;
constexpr size_t kTextsAtOnce = 64;
constexpr size_t kNewDocuments = 500;  // of one commit
constexpr size_t kWaitingAtOnce = 200;

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

// A message on its way into a batch: read first, made a document when its attachments are known as far as they will be.
struct Read {
  Flags flags;
  MessageText text;
  std::vector<Recipient> people;
};

// Attachments of a bulk of mail, read by a few threads while the messages before are parsed. What cannot be tried stays waiting.
class BulkReader {
 public:
  BulkReader(Archive& archive, const Options& options) : archive_(archive), options_(options) {
    for (size_t i = 0; i < std::max<size_t>(1, options.reading_threads); ++i)
      threads_.emplace_back([this] { run(); });
  }
  ~BulkReader() { finish(); }

  /// Once for each digest that is not read yet; waits while too much is on its way.
  Result<void> add(const Digest& digest, std::string_view message, const std::string& part) {
    if (!seen_.insert(digest).second) return {};
    ARCH_TRY(const bool known, archive_.has_document(digest));
    if (known) return {};
    auto bytes = extract::part_bytes(message, part);
    if (!bytes) return {};
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return waiting_bytes_ < kWaitingBytes; });
    waiting_bytes_ += bytes->bytes.size();
    queue_.emplace_back(digest, std::move(*bytes));
    changed_.notify_all();
    return {};
  }

  void finish() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      ending_ = true;
      changed_.notify_all();
    }
    for (std::thread& thread : threads_)
      if (thread.joinable()) thread.join();
  }

 private:
  static constexpr uint64_t kWaitingBytes = 16ull << 20;  // the workers have a copy each besides

  void run() {
    for (;;) {
      std::pair<Digest, extract::PartBytes> next;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait(lock, [this] { return ending_ || !queue_.empty(); });
        if (queue_.empty()) return;
        next = std::move(queue_.front());
        queue_.pop_front();
      }
      const extract::PartBytes& part = next.second;
      auto document = options_.read_document(part.bytes, {part.media_type, part.filename, part.charset});
      if (document) static_cast<void>(archive_.put_document(next.first, *document));
      std::lock_guard<std::mutex> lock(mutex_);
      waiting_bytes_ -= part.bytes.size();
      changed_.notify_all();
    }
  }

  Archive& archive_;
  const Options& options_;
  std::set<Digest> seen_;  // the caller's
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<Digest, extract::PartBytes>> queue_;  // this and what follows: mutex_
  uint64_t waiting_bytes_ = 0;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

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

  /// Of what follows the sequence number `after`. None: nothing does.
  Result<std::optional<IndexStore::Batch>> make_batch(uint64_t after, const std::function<bool()>& stop);
  Result<Read> read_entry(FeedEntry& entry, BulkReader* bulk);
  /// What is known of the documents that `text` stands for: their words in place of the references, into `*expanded`, and of what
  /// types they are. Sets TextPiece::waiting. True when each of them is read.
  /// A picture that the message shows is of no type that it has attached.
  Result<bool> take_in(const MessageInfo& message, MessageText* text, MessageText* expanded,
                       std::vector<std::pair<std::string, std::string>>* types) const;
  void add_headers(const mime::Message& parsed, MessageText* text) const;
  /// Writes the sequences of as many messages of first..last as one file takes. Their texts are in the catalog.
  Result<SequencesState> write_sequences(uint64_t first, uint64_t last) const;
  Result<void> sequence_rest();
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

Result<bool> IndexWriter::State::take_in(const MessageInfo& message, MessageText* text, MessageText* expanded,
                                         std::vector<std::pair<std::string, std::string>>* types) const {
  bool all_read = true;
  for (TextPiece& piece : *text) {
    if (piece.field != TextPiece::kDocument || piece.text.size() != 32) {
      expanded->push_back(piece);
      continue;
    }
    ARCH_TRY(auto document, archive.document(Digest::from_view(piece.text)));
    piece.waiting = !document.has_value();
    if (!document) {
      all_read = false;
      continue;
    }
    all_read = all_read && !document->unread();
    const bool attached =
        std::any_of(message.attachments.begin(), message.attachments.end(),
                    [&](const MessageInfo::Attachment& attachment) { return attachment.part == piece.part; });
    if (attached || document->media_type.compare(0, 6, "image/") != 0)
      types->emplace_back(document->media_type, std::string());
    for (const KeptDocument::Member& member : document->members) types->emplace_back(member.media_type, member.name);
    append_pieces(std::move(*document), piece.part, expanded);
  }
  return all_read;
}

// Reads the text of an entry, and drops its bytes.
Result<Read> IndexWriter::State::read_entry(FeedEntry& entry, BulkReader* bulk) {
  Read read;
  // The archive's own address says nothing about who got the mail.
  const Delivery& delivery = entry.delivery.delivery;
  if (!is_archive_copy(delivery)) read.people = delivery.rcpt;
  if (!entry.first) return read;
  ARCH_TRY(bool readable, entry.damaged ? Result<bool>(false) : attempt->begin(entry.delivery.sequence));
  if (readable) {
    const mime::Message parsed = mime::parse(entry.bytes);
    extract::Extracted extracted = extract::extract(entry.bytes, parsed, read.people);
    read.flags = flags_of(parsed, extracted);
    read.text = std::move(extracted.pieces);
    add_headers(parsed, &read.text);
  } else {
    read.flags.partial = true;
    read.text = text_of_catalog(entry.message);
    ++given_up;
  }
  if (bulk != nullptr)
    for (const TextPiece& piece : read.text)
      if (piece.field == TextPiece::kDocument)
        ARCH_TRY_VOID(bulk->add(Digest::from_view(piece.text), entry.bytes, piece.part));
  std::string().swap(entry.bytes);
  return read;
}

// Texts are durable in the catalog when it returns. Ends early when `stop` says so: the batch then covers what was done.
Result<std::optional<IndexStore::Batch>> IndexWriter::State::make_batch(uint64_t after,
                                                                        const std::function<bool()>& stop) {
  IndexStore::Batch batch;
  std::unordered_map<uint64_t, size_t> places;  // message number -> in batch.documents
  std::vector<std::pair<uint64_t, MessageText>> texts;
  size_t text_bytes = 0;

  std::vector<FeedEntry> entries;  // without their bytes
  std::vector<Read> reads;
  {
    std::optional<BulkReader> bulk;
    ARCH_TRY(const bool many, options.read_document ? archive.has_after(after + kBulk - 1) : Result<bool>(false));
    if (many) bulk.emplace(archive, options);
    uint64_t bytes = 0;
    bool stopped = false;
    while (!stopped && entries.size() < options.batch_messages && bytes < options.batch_bytes) {
      auto piece = archive.feed(after, std::min(kPieceMessages, options.batch_messages - entries.size()),
                                std::min(kPieceBytes, options.batch_bytes - bytes));
      if (!piece && entries.empty()) return tl::unexpected<Error>(piece.error());
      if (!piece || piece->empty()) break;  // what was read is indexed first; the next call meets the error again
      for (FeedEntry& entry : *piece) {
        stopped = !entries.empty() && stop && stop();
        if (stopped) break;
        after = entry.delivery.sequence;
        bytes += entry.bytes.size();
        ARCH_TRY(Read read, read_entry(entry, bulk ? &*bulk : nullptr));
        reads.push_back(std::move(read));
        entries.push_back(std::move(entry));
      }
    }
  }
  if (entries.empty()) return std::optional<IndexStore::Batch>();
  ARCH_TRY_VOID(attempt->end());

  for (size_t i = 0; i < entries.size(); ++i) {
    FeedEntry& entry = entries[i];
    Read& read = reads[i];
    const DeliveryInfo& delivery = entry.delivery;
    if (entry.first) {
      MessageText expanded;
      ARCH_TRY(bool all_read, take_in(entry.message, &read.text, &expanded, &read.flags.types));
      read.flags.unread = !all_read;
      Document document = maker.make(entry.message, expanded, read.people, read.flags);
      document.sequence = delivery.sequence;
      places[document.number] = batch.documents.size();
      batch.documents.push_back(std::move(document));
      for (const TextPiece& piece : read.text) text_bytes += piece.text.size();
      texts.emplace_back(entry.message.number, std::move(read.text));
      if (text_bytes >= kTextBatchBytes) {
        ARCH_TRY_VOID(archive.put_texts(texts));
        texts.clear();
        text_bytes = 0;
      }
    } else if (!read.people.empty()) {
      TermList more = maker.recipients(entry.message, read.people);
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
  if (!texts.empty()) ARCH_TRY_VOID(archive.put_texts(texts));
  return std::optional<IndexStore::Batch>(std::move(batch));
}

Result<uint64_t> IndexWriter::take_documents(const std::function<bool()>& stop) {
  State& s = *state_;
  uint64_t taken = 0;
  while (!stop || !stop()) {
    ARCH_TRY(auto fresh, s.archive.new_documents(kNewDocuments));
    if (fresh.empty()) break;
    std::set<uint64_t> numbers;  // rising
    // What is not in a shard yet is looked at when it gets there, and finds the document then.
    for (const auto& [digest, number] : fresh)
      if (number <= s.store->last_number()) numbers.insert(number);
    std::vector<Document> late;
    for (const uint64_t number : numbers) {
      ARCH_TRY(auto references, s.archive.documents_of(number));
      MessageText text;
      for (const auto& [part, digest] : references)
        text.push_back({TextPiece::kDocument, part, std::string(digest.view())});
      MessageText expanded;
      std::vector<std::pair<std::string, std::string>> types;
      ARCH_TRY(const MessageInfo message, s.archive.info(number));
      ARCH_TRY(bool all_read, s.take_in(message, &text, &expanded, &types));
      Document document;
      document.number = number;
      document.terms = s.maker.documents(expanded, types, all_read);
      late.push_back(std::move(document));
    }
    ARCH_TRY_VOID(s.store->commit_late(late));
    ARCH_TRY_VOID(s.archive.took_documents(fresh));
    taken += late.size();
  }
  return taken;
}

namespace {

// Its decoded bytes. Nothing: they are damaged, or on a volume that is away.
Result<std::optional<extract::PartBytes>> bytes_of(const Archive& archive, const WaitingDocument& waiting) {
  const auto bytes = [&]() -> Result<std::optional<extract::PartBytes>> {
    ARCH_TRY(MessageInfo info, archive.info(waiting.message));
    ARCH_TRY(std::string message, archive.get(info.digest));
    std::string part = waiting.part;
    if (part.empty()) {
      ARCH_TRY(auto references, archive.documents_of(waiting.message));
      for (const auto& [number, digest] : references)
        if (digest == waiting.digest) part = number;
    }
    return extract::part_bytes(message, part);
  }();
  if (!bytes && (bytes.error().code == Code::kCorrupt || bytes.error().code == Code::kNotFound))
    return std::optional<extract::PartBytes>();
  return bytes;
}

Result<uint64_t> read_queue(
    Archive& archive, DocumentQueue queue, size_t most, const std::function<bool()>& stop,
    const std::function<Result<KeptDocument>(const Digest&, const extract::PartBytes&)>& read) {
  uint64_t count = 0;
  std::set<Digest> tried;  // of which no bytes could be had: they wait
  while (count < most && (!stop || !stop())) {
    ARCH_TRY(auto waiting, archive.waiting_documents(std::min(most, kWaitingAtOnce) + tried.size(), queue));
    std::erase_if(waiting, [&](const WaitingDocument& each) { return tried.count(each.digest) != 0; });
    if (waiting.empty()) break;
    for (const WaitingDocument& each : waiting) {
      if (count >= most || (stop && stop())) break;
      ARCH_TRY(const auto part, bytes_of(archive, each));
      if (!part) {
        tried.insert(each.digest);
        continue;
      }
      ARCH_TRY(KeptDocument document, read(each.digest, *part));
      ARCH_TRY_VOID(archive.put_document(each.digest, document));
      ++count;
    }
  }
  return count;
}

}  // namespace

Result<uint64_t> read_documents(Archive& archive, const DocumentReader& read, size_t most,
                                const std::function<bool()>& stop) {
  return read_queue(archive, DocumentQueue::kReaders, most, stop,
                    [&](const Digest&, const extract::PartBytes& part) -> Result<KeptDocument> {
                      return read(part.bytes, {part.media_type, part.filename, part.charset});
                    });
}

Result<uint64_t> read_by_ocr(Archive& archive, const DocumentReader& read, size_t most,
                             const std::function<bool()>& stop) {
  return read_queue(
      archive, DocumentQueue::kOcr, most, stop,
      [&](const Digest& digest, const extract::PartBytes& part) -> Result<KeptDocument> {
        ARCH_TRY(KeptDocument document, read(part.bytes, {part.media_type, part.filename, part.charset}));
        ARCH_TRY(auto known, archive.document(digest));
        if (!known) return document;
        document.media_type = std::move(known->media_type);
        document.members = std::move(known->members);
        return document;
      });
}

Result<SequencesState> IndexWriter::State::write_sequences(uint64_t first, uint64_t last) const {
  // Before the texts: what joins them now is in the sequences or told of as having grown, or both.
  ARCH_TRY(const std::vector<LateText> all_late, late_texts(store->directory(), first, last));
  SequenceWriter writer(first);
  std::vector<uint64_t> numbers;
  for (uint64_t next = first; next <= last && !writer.full();) {
    numbers.clear();
    for (; next <= last && numbers.size() < kTextsAtOnce; ++next) numbers.push_back(next);
    ARCH_TRY(const std::vector<MessageText> texts, archive.texts(numbers));
    for (const MessageText& text : texts)
      if (!writer.full()) writer.add(text);
  }
  const SequencesState run{first, writer.last()};
  std::vector<LateText> late;
  for (const LateText& each : all_late)
    if (each.number <= run.last) late.push_back(each);
  ARCH_TRY_VOID(writer.write(store->directory() + "/" + sequences_name(run), late));
  return run;
}

// Of what no file holds yet. Small files join their neighbours, as often as their size doubles.
Result<void> IndexWriter::State::sequence_rest() {
  for (;;) {
    const std::vector<SequencesState>& runs = store->sequences();
    uint64_t first = runs.empty() ? 1 : runs.back().last + 1;
    const uint64_t last = store->last_number();
    if (last + 1 - first < options.sequence_messages) return {};
    for (auto run = runs.rbegin(); run != runs.rend(); ++run) {
      const uint64_t count = last + 1 - first, before = run->last + 1 - run->first;
      if (before >= 2 * count || before + count > SequenceWriter::kMessages) break;
      first = run->first;
    }
    ARCH_TRY(const SequencesState run, write_sequences(first, last));
    ARCH_TRY_VOID(store->commit_sequences(run));
  }
}

Result<uint64_t> IndexWriter::follow(const std::function<bool()>& stop,
                                     const std::function<void(uint64_t)>& progress) {
  State& s = *state_;
  uint64_t fed = s.mark;
  bool caught_up = false;
  uint64_t sequenced = s.store->sequences().empty() ? 0 : s.store->sequences().back().last;
  {
    Committer committer(*s.store);
    auto tell = [&] {
      uint64_t committed = committer.committed();
      if (committed <= s.mark) return;
      s.mark = committed;
      if (progress) progress(committed);
    };
    while (!stop || !stop()) {
      ARCH_TRY(std::optional<IndexStore::Batch> batch, s.make_batch(fed, stop));
      if (!batch) {
        caught_up = true;
        break;
      }
      fed = batch->mark;
      while (!batch->documents.empty() && batch->documents.back().number >= sequenced + SequenceWriter::kMessages) {
        ARCH_TRY(const SequencesState run, s.write_sequences(sequenced + 1, batch->documents.back().number));
        sequenced = run.last;
        batch->sequences.push_back(run);
      }
      if (!committer.push(std::move(*batch))) break;
      tell();
    }
    auto drained = committer.drain();
    tell();
    ARCH_TRY_VOID(drained);
  }
  if (caught_up) {
    ARCH_TRY_VOID(s.store->tidy());
    ARCH_TRY_VOID(s.sequence_rest());
    ARCH_TRY_VOID(s.store->set_complete());
  }
  return s.mark;
}

Result<void> IndexWriter::close() { return state_->store->close(); }

}  // namespace arch::index
