// The one header of the engine that other folders (and programs that embed the archive) use.
//
// An archive is a directory (docs/architecture.md). Opening it kReader takes no lock, writes nothing into it, and works
// beside a running engine. Opening it kEngine takes the engine lock (one process) and brings every derived row up to what
// journal and segments hold when apply() is called. Appending needs neither: append()
// writes this process's own journal file.
//
// Threads   All const members may be called from any thread. apply(), pack(), put_texts(): one thread at a time each;
//           the three may run beside each other and beside readers. append(): any thread.
// Errors    As in result.h; kNotFound carries no alarm.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/documents.h"
#include "engine/format/delivery.h"
#include "engine/format/journal.h"
#include "engine/io/fs.h"
#include "engine/journal/archive_file.h"
#include "engine/journal/journal_reader.h"
#include "engine/mime/message.h"
#include "engine/people/own_domains.h"
#include "engine/segment/segment_reader.h"

namespace arch {

/// What the catalog knows of a distinct message; enough to show it in a list without reading its bytes.
struct MessageInfo {
  uint64_t number = 0;  ///< 1, 2 … in order of first delivery; the index's document number
  Digest digest;
  uint64_t size = 0;
  uint64_t mail_key = 0;  ///< results collapse on it; copies of one mail share it, whichever way they came
  uint64_t thread = 0;    ///< equal within a thread
  UnixNs date = 0;        ///< mime::sort_date
  bool has_sent = false;  ///< the message has a Date field
  UnixNs sent = 0;        ///< the Date field as claimed
  UnixNs received = 0;    ///< topmost Received, 0 when there is none
  UnixNs captured = 0;    ///< first delivery
  std::vector<mime::Address> from, to, cc, bcc;
  std::string subject;
  std::string message_id;
  struct Attachment {
    std::string part;  ///< mime::Part::number
    std::string media_type;
    std::string filename;  ///< empty when the part has none
    uint64_t size = 0;     ///< of the encoded body
  };
  std::vector<Attachment> attachments;  ///< at most 200 are listed
  uint32_t attachment_count = 0;        ///< all of them
  bool partial = false;                 ///< a limit was met while reading its MIME structure
  bool encrypted = false;
  Direction direction = Direction::kUnknown;  ///< by its first delivery; kUnknown when our domains are not known
  bool bounce = false;                        ///< sent with an empty reverse path, or a delivery report
  std::vector<uint64_t> deliveries;           ///< sequence numbers, rising
};

struct DeliveryInfo {
  uint64_t sequence = 0;  ///< 1, 2 … in the order the engine applied them
  uint64_t message = 0;   ///< MessageInfo::number
  Delivery delivery;
};

/// Text of one message, kept once, compressed, in the catalog. `field` says what it is.
struct TextPiece {
  enum Field : uint8_t {  // values are on disk
    kSubject = 1,
    kBody = 2,        ///< the sender's own words
    kQuoted = 3,      ///< lines quoted from the mail answered
    kFileName = 4,    ///< name of an attachment; `part` says which
    kAttachment = 5,  ///< text inside an attachment; `part` says which
    kPeople = 6,      ///< names and addresses of From, To, Cc, envelope
    kHeader = 7,      ///< value of a header field that the operator wants searched; `part` is its name, lower case
    kDocument = 8,  ///< stands for what is read in an attachment: `text` is the digest of its decoded bytes, 32 bytes
  };
  uint8_t field = kBody;
  std::string part;      ///< mime::Part::number, empty where it does not apply
  std::string text;      ///< UTF-8
  bool waiting = false;  ///< kDocument, given to put_texts(): it was not read yet when the message was looked at
  bool operator==(const TextPiece&) const = default;
};
using MessageText = std::vector<TextPiece>;

/// One step of a follower's food: deliveries by rising sequence.
struct FeedEntry {
  DeliveryInfo delivery;
  MessageInfo message;
  bool first = false;    ///< the message's first delivery: its bytes are in `bytes`
  bool damaged = false;  ///< first, yet the stored bytes cannot be read (status() tells): `bytes` is empty
  std::string bytes;
};

/// What the bytes of a mail are. Order is that of reports.
enum class ContentKind : uint8_t { kText, kImages, kPdf, kOffice, kArchives, kOther };
constexpr size_t kContentKinds = 6;
std::string_view content_kind_name(ContentKind kind);  ///< "text", "images", "pdf", "office", "archives", "other"

/// By what the archive's growth is told apart. Values are on disk.
enum class AccountKind : uint8_t { kDirection = 1, kDomain = 2, kMailbox = 3, kContent = 4 };

struct ArchiveUsage {  ///< bytes as stat(2) gives them (st_size)
  uint64_t journal = 0, segments = 0, catalog = 0, index = 0, other = 0;
  uint64_t total() const { return journal + segments + catalog + index + other; }
  uint64_t messages = 0, deliveries = 0;
  uint64_t received_bytes = 0;  ///< sum over deliveries of the message's size
  uint64_t message_bytes = 0;   ///< sum over distinct messages
  uint64_t segment_count = 0, journal_count = 0;
  /// Of what segments hold: as it was received; each part once and decoded; in the files.
  uint64_t packed_raw = 0, packed_unpacked = 0, packed_stored = 0;
  struct Volume {
    std::string path;
    bool home = false;
    std::string missing;  ///< why it cannot be used; empty: it can
    uint64_t segment_bytes = 0, segment_count = 0;
    uint64_t free_bytes = 0;     ///< of its file system
    uint64_t reserve_bytes = 0;  ///< of that, what new segments leave alone; of the home volume the caller knows it
    uint64_t device = 0;         ///< volumes on one file system have one number
  };
  std::vector<Volume> volumes;  ///< the archive's own directory first, then in the order they were added
  struct Day {
    uint64_t deliveries = 0, bytes = 0, new_bytes = 0;
    uint64_t imported_bytes = 0;  ///< of new_bytes, those that an import brought: no sign of growth
    bool operator==(const Day&) const = default;
  };
  std::map<int64_t, Day> days;  ///< by day of capture (days since 1970, UTC)

  struct Account {
    uint64_t deliveries = 0;  ///< that had to do with it
    uint64_t bytes = 0;       ///< received
    uint64_t new_bytes = 0;   ///< of messages that were not here before
    Account& operator+=(const Account& more) {
      deliveries += more.deliveries, bytes += more.bytes, new_bytes += more.new_bytes;
      return *this;
    }
    bool operator==(const Account&) const = default;
  };
  struct AccountKey {
    int32_t month = 0;  ///< of capture: year × 12 + month (0..11), UTC
    AccountKind kind = AccountKind::kDirection;
    std::string name;  ///< of the direction, domain of ours, mailbox of ours, kind of content
    auto operator<=>(const AccountKey&) const = default;
  };
};

struct ArchiveStatus {
  uint64_t last_sequence = 0;  ///< applied to the catalog
  uint64_t last_message = 0;
  uint64_t pending_bytes = 0;  ///< journal bytes written but not applied (estimate for a live file)
  UnixNs applied_to = 0;       ///< capture time of the newest delivery applied
  uint32_t last_segment = 0;
  /// Copies of one mail that met by the mail server's queue id (milter and always_bcc): with the same date, sender, subject
  /// and body, or with other ones: something changed the mail on its way.
  uint64_t joined_same = 0, joined_differing = 0;
  std::vector<std::string> own_domains;  ///< by which the catalog tells the direction of a mail
  std::vector<std::string> alarms;       ///< damage seen since open, one sentence each
};

struct ApplyStats {
  uint64_t deliveries = 0, messages = 0, bytes = 0;
};
struct PackStats {
  uint64_t segments = 0, messages = 0, raw_bytes = 0, segment_bytes = 0, journal_files_released = 0;
};

struct OpenOptions {
  /// kEngine: our domains. Others than those the catalog was made with: it is made anew. Not given: they stay as they are.
  std::optional<OwnDomains> own_domains;
};

class Archive {
 public:
  enum class Mode : uint8_t { kReader, kEngine };

  /// Makes DIR and an empty archive in it. Errors: kExists (an archive, or a directory that is not empty), kFull, kIo.
  static Result<void> init(Fs& fs, const std::string& directory, UnixNs now);

  /// Errors: kNotFound (no archive here), kInvalid (archive.toml is damaged: says line), kTooNew, kTryAgain (another
  /// engine is running: kEngine only; `what` names its process id when known), kIo.
  /// A catalog that is missing, damaged, of another version or ahead of the durable journal is thrown away (kEngine) and
  /// apply() fills it again; a kReader then sees what there is.
  static Result<std::unique_ptr<Archive>> open(Fs& fs, Clock& clock, const std::string& directory, Mode mode,
                                               const OpenOptions& options = {});
  ~Archive();

  const std::string& directory() const;
  const ArchiveId& id() const;
  bool rebuilding() const;  ///< the catalog was found missing or unusable at open and has not caught up yet

  // ── writing messages ──
  /// Durable in this process's own journal file when it returns. delivery.digest is computed here when it is zero.
  Result<RecordRef> append(Delivery delivery, std::string message);
  /// Many at once with one sync: stages without waiting; flush() makes all staged durable.
  Result<void> append_staged(Delivery delivery, std::string message);
  Result<void> flush();
  Result<void> close_journal();  ///< END record on this process's own file
  /// Free space that append() and append_staged() leave alone (kFull below it): mail that comes in goes first. Default
  /// 512 MiB. Before the first append().
  void set_reserve_bytes(uint64_t bytes);

  // ── reading ──
  /// Errors: kNotFound; kInvalid when more than one message has the prefix (`what` says how many).
  Result<Digest> resolve(const DigestPrefix& prefix) const;
  Result<std::string> get(const Digest& digest) const;  ///< the exact bytes; SHA-256 compared
  Result<MessageInfo> info(const Digest& digest) const;
  Result<MessageInfo> info(uint64_t number) const;
  Result<std::vector<MessageInfo>> infos(const std::vector<uint64_t>& numbers) const;  ///< same order; all must exist
  Result<DeliveryInfo> delivery(uint64_t sequence) const;
  /// Rising; stops when `each` returns false. `from` is the first number wanted.
  Result<void> for_each_message(uint64_t from, const std::function<bool(const MessageInfo&)>& each) const;
  Result<void> for_each_delivery(uint64_t from, const std::function<bool(const DeliveryInfo&)>& each) const;
  /// Distinct messages whose Message-ID is exactly this (without <>).
  Result<std::vector<uint64_t>> by_message_id(const std::string& message_id) const;
  Result<std::vector<uint64_t>> by_thread(uint64_t thread) const;
  /// The copies of one mail: messages with the mail key of `info`, itself among them, by rising number.
  Result<std::vector<uint64_t>> copies(const MessageInfo& info) const;
  /// Deliveries (sequence numbers, rising) that came with this queue id of a mail server. Queue ids recur: look at the time.
  Result<std::vector<uint64_t>> by_queue_id(const std::string& queue_id) const;
  /// True when the catalog has an import delivery of this digest from this origin: a second run skips it.
  Result<bool> knows_import(const Digest& digest, const std::string& origin) const;
  Result<bool> knows(const Digest& digest) const;

  // ── followers ──
  /// Names this numbering of messages and deliveries: another one when the catalog was made anew, since what lay in the
  /// journal then may have got other numbers. A follower that keeps numbers keeps this beside its mark. Empty: no catalog.
  Result<std::string> numbering() const;
  /// Deliveries with sequence > `after`, at most `max_messages` and about `max_bytes` of message bytes.
  Result<std::vector<FeedEntry>> feed(uint64_t after, size_t max_messages, uint64_t max_bytes) const;
  /// Whether there is a delivery with sequence > `after`.
  Result<bool> has_after(uint64_t after) const;
  /// One batch, durable (WAL synced) when it returns. Keys are message numbers.
  Result<void> put_texts(const std::vector<std::pair<uint64_t, MessageText>>& texts);
  /// With what was read in its attachments in place of kDocument. kNotFound when the follower has not been there.
  Result<MessageText> text(uint64_t number) const;
  Result<std::vector<MessageText>> texts(
      const std::vector<uint64_t>& numbers) const;  ///< same order; empty where missing

  // ── attachments that take a program to read ──
  Result<std::optional<KeptDocument>> document(const Digest& digest) const;  ///< nothing: not read yet, or not known
  Result<bool> has_document(const Digest& digest) const;                     ///< the same without its text
  /// Part and digest of those of a message.
  Result<std::vector<std::pair<std::string, Digest>>> documents_of(uint64_t number) const;
  /// Durable when it returns; the index takes it in for every message that has it (new_documents). One with kWaitsForOcr also gets
  /// into that queue. What OCR read of it before stays until OCR has read it again: the other readers find nothing there.
  Result<void> put_document(const Digest& digest, const KeptDocument& document);
  Result<std::vector<WaitingDocument>> waiting_documents(size_t most,
                                                         DocumentQueue queue = DocumentQueue::kReaders) const;
  /// OCR was turned off: what waits for it waits no more, and has no text. How many.
  Result<uint64_t> forget_ocr();
  /// Documents and messages whose index entries lack what was read since; took_documents() once it is in the index, durable.
  Result<std::vector<std::pair<Digest, uint64_t>>> new_documents(size_t most) const;
  Result<void> took_documents(const std::vector<std::pair<Digest, uint64_t>>& taken);
  /// Has those read again of which `wanted` says so; what is known of them stays until then. How many.
  Result<uint64_t> read_again(const std::function<bool(const KeptDocument&)>& wanted);
  Result<DocumentCounts> document_counts() const;

  // ── the engine's own work (kEngine) ──
  /// Applies what journal and segments hold beyond the catalog's marks: adopts unknown segments, reads journal files
  /// beside their writers. Returns when nothing is left or `stop` says so. `progress` gets deliveries applied so far.
  Result<ApplyStats> apply(const std::function<bool()>& stop = {},
                           const std::function<void(const ApplyStats&)>& progress = {});
  /// Packs closed and applied journal files once there are `at_least_bytes` of them or the oldest is `max_age` old.
  /// at_least_bytes 0: everything closed. Several files whose writers died are packed at once: they hold reserved room. Removes journal files only as promise 3 of the write order says.
  Result<PackStats> pack(uint64_t at_least_bytes, UnixNs max_age, const std::function<bool()>& stop = {});
  /// The catalog in as few bytes as it can be: after an import or a rebuild. apply() and readers go on beside it.
  Result<void> compact();
  /// Asks every live writer to close its file, closes what this process has open, and waits up to `wait` for them.
  Result<void> request_close_all(UnixNs wait);
  /// Re-reads what another process wrote (kReader): new catalog rows, new segments.
  Result<void> refresh() const;
  /// Calls back whenever there may be something new in journal/ (inotify, and once a second); returns at `timeout`.
  Result<bool> wait_for_news(UnixNs timeout) const;

  Result<ArchiveStatus> status() const;
  Result<ArchiveUsage> usage() const;
  /// Who and what fills the archive. Of kDirection and kContent the bytes add up to all; a mail with two mailboxes of ours
  /// counts in full for both, and for each of their domains once. Mailboxes and domains are known when ours are configured.
  Result<std::map<ArchiveUsage::AccountKey, ArchiveUsage::Account>> accounts() const;
  /// Everything derived, as sorted text lines without anything that depends on timing: two catalogs of one archive are
  /// the same if and only if their dumps are.
  Result<void> dump(const std::function<void(const std::string& line)>& line) const;

 private:
  Archive();
  struct State;
  std::unique_ptr<State> state_;
};

/// Throws catalog/ and index/ away (takes the engine lock). The next open + apply() fills the catalog, the index follower
/// the index. Errors: kTryAgain (engine running), kIo.
Result<void> discard_derived(Fs& fs, const std::string& directory, bool catalog, bool index);

}  // namespace arch
