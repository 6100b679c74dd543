// What a program shows of an archive: plain functions from archive and searcher to values, and from values to JSON for
// scripts and text for people. archctl calls them, and so does whatever else answers questions about the archive.
//
// JSON      One object on one line, with a line end. Its first member "schema" names form and version ("search/1"), as
//           docs/schema/search-1.json and its neighbours describe (installed under share/arch/schema; tests/cli/test_schemas.py
//           holds them to what is printed); members may be added within a version, none is renamed or dropped. Invalid UTF-8
//           of a mail comes out as U+FFFD, times are RFC 3339 UTC.
// Text      Safe on a terminal: control characters and direction overrides of a mail are shown as '?'.
// Threads   None of it keeps state: any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/archive.h"
#include "engine/notice/alerts.h"
#include "engine/verify/verified.h"
#include "query/capacity/capacity.h"
#include "query/search/search.h"

namespace arch::api {

struct TextStyle {
  bool colour = false;
  size_t columns = 80;           ///< lines of lists are cut there; 0: never
  std::string timezone = "UTC";  ///< times are shown in it
};

// ── search ──
/// `answer` of Searcher::search(request).
std::string search_json(const search::Answer& answer);
std::string search_text(const search::Answer& answer, const search::Request& request, const TextStyle& style);

// ── counts ──
std::string count_json(const search::CountAnswer& answer);
std::string count_text(const search::CountAnswer& answer, const TextStyle& style);
/// "key,count" lines with a header line (RFC 4180).
std::string count_csv(const search::CountAnswer& answer);

// ── one message ──
constexpr uint64_t kBodyBytes = 1u << 20;  ///< of readable text in a MessageView

/// Somebody a mail was for, and where that is known from.
struct RecipientView {
  std::string address, name;
  std::vector<std::string_view> sources;  ///< of "rcpt-to", "to", "cc", "bcc", in this order
};

/// Of one stored message: its header fields and its deliveries. Errors: kCorrupt, kIo.
Result<std::vector<RecipientView>> recipients_of(const Archive& archive, const MessageInfo& info);

/// Another stored copy of the same mail, and how it differs.
struct VariantView {
  Digest digest;
  uint64_t size = 0;
  std::vector<Channel> channels;  ///< of its deliveries, each once
  bool compared = false;          ///< false: there were too many, or its bytes cannot be read
  bool same_body = false;         ///< but for line ends
  using Field = std::pair<std::string, std::string>;
  std::vector<Field> only_here, only_there;  ///< header fields, decoded, in order
};

/// How reading an attachment went.
struct DocumentState {
  bool waiting = false;  ///< not read yet
  DocumentStatus status = DocumentStatus::kRead;
  std::string why, tool, language;
  uint64_t members = 0;         ///< files inside it
  uint64_t members_unread = 0;  ///< of those, what could not be read
};

struct MessageView {
  std::map<std::string, DocumentState> documents;  ///< by part; of attachments that take a program to read
  MessageInfo info;
  std::vector<std::pair<std::string, std::string>> headers;  ///< all, in order, decoded
  std::vector<DeliveryInfo> deliveries;                      ///< of all copies, by sequence, at most 1,000
  uint64_t delivery_count = 0;                               ///< all of them
  std::vector<RecipientView> recipients;                     ///< of all copies; the archive's own address is none
  std::vector<mime::Part> parts;                             ///< the tree
  std::vector<VariantView> variants;                         ///< the other stored copies, at most 1,000
  std::string body;  ///< UTF-8: the text parts a mail program would show, at most kBodyBytes
  bool body_cut = false;
};

/// `id` is what a person typed: 8..64 hex digits, "arch:" in front allowed. Errors: kInvalid (no digest, or more than one
/// message begins so), kNotFound, kCorrupt, kIo.
Result<MessageView> view_message(const Archive& archive, const std::string& id);
std::string message_json(const MessageView& view);
std::string message_text(const MessageView& view, const TextStyle& style);
/// The exact bytes. Errors as view_message.
Result<std::string> raw_message(const Archive& archive, const std::string& id);

/// The text of one part of a message, as far as it is read.
struct PartText {
  Digest message;
  std::string media_type, filename;
  bool known = false;  ///< false: no text is known; `document` says why
  DocumentState document;
  std::string text;  ///< UTF-8, at most kPartTextBytes
  bool cut = false;
};
constexpr size_t kPartTextBytes = 4u << 20;
/// `part` is a number of MessageView::parts ("2.1"). Errors: as view_message; kNotFound (no such part, or one that holds others).
Result<PartText> part_text(const Archive& archive, const std::string& id, const std::string& part);

// ── one thread ──
struct ThreadEntry {
  MessageInfo info;
  size_t depth = 0;            ///< 0: nothing in the thread is known to be answered by it
  std::vector<Digest> copies;  ///< further stored forms of the same mail
};
struct ThreadView {
  uint64_t thread = 0;
  std::vector<ThreadEntry> entries;  ///< as a tree, depth first: answers behind what they answer, by date
  uint64_t total = 0;                ///< mails; entries are cut at kThreadEntries
  uint64_t missing = 0;              ///< Message-IDs that its mails name and the archive does not have
};
constexpr size_t kThreadEntries = 2'000;
/// Of the thread that `id`, a digest's prefix or a Message-ID, lies in. Errors: as view_message.
Result<ThreadView> view_thread(const Archive& archive, const std::string& id);
std::string thread_json(const ThreadView& view);
std::string thread_text(const ThreadView& view, const TextStyle& style);

// ── status ──
/// The last proof by Postfix's log that archd made (ARCHIVE/state/reconcile.json).
struct ReconcileView {
  bool known = false;
  std::string ran, from, to;  ///< RFC 3339
  uint64_t accepted = 0, archived = 0, missing = 0, waiting = 0;
  std::string error;  ///< why it could not be made; empty: it was
};
/// The last `archctl canary` (ARCHIVE/state/canary.json).
struct CanaryView {
  bool known = false;
  std::string ran;
  bool good = false;
  std::string failed_step;  ///< "sent", "captured", "found", "verified"; empty when good
  std::string why;
};
struct StatusView {
  std::string directory;
  ArchiveId id;
  bool rebuilding = false;
  ArchiveStatus archive;
  search::Completeness index;
  bool has_index = false;    ///< false: none yet, or unusable
  std::string index_note;    ///< why not, when it is unusable
  index::Building building;  ///< a new index beside the one that answers
  uint64_t messages = 0, deliveries = 0;
  VerifiedSummary verified;
  ReconcileView reconcile;
  CanaryView canary;
  std::vector<Alert> alerts;  ///< what archd tells the operator, most severe first
  std::string alerts_note;    ///< why they are not known, when they are not
  DocumentCounts documents;
  UnixNs now = 0;
};
Result<StatusView> status(const Archive& archive, UnixNs now);
std::string status_json(const StatusView& view);
std::string status_text(const StatusView& view, const TextStyle& style);

// ── capacity ──
std::string capacity_json(const capacity::Report& report);
std::string capacity_text(const capacity::Report& report, const TextStyle& style);
/// "kind,name,…" lines with a header line (RFC 4180): months, directions, contents, domains, mailboxes.
std::string capacity_csv(const capacity::Report& report);
/// One line with performance data, as monitoring plugins print it; its state is capacity::monitoring_state().
std::string capacity_check(const capacity::Report& report);

// ── errors ──
/// {"schema":"error/1","error":{"code","message","hint"}}
std::string error_json(const Error& error);

}  // namespace arch::api
