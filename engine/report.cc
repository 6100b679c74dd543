// What an archive holds and takes, as numbers and as a canonical text.
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>
#include <unordered_map>

#include "engine/accounts.h"
#include "engine/archive_state.h"

namespace arch {

namespace {

struct TreeSize {
  uint64_t bytes = 0, files = 0;
};

TreeSize tree_size(const std::string& path) {
  TreeSize total;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;  // a file that goes away meanwhile counts nothing
    if (!it->is_regular_file(gone) || gone) continue;
    const uint64_t size = it->file_size(gone);
    if (gone) continue;
    total.bytes += size;
    ++total.files;
  }
  return total;
}

std::string escaped(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 32 || byte == 127 || c == '\\' || c == '"') {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out;
}

// Every field of a delivery but the digest, readable: captured=… channel=… mail_from="…" …
std::string describe_delivery(const Delivery& delivery) {
  std::string out =
      "captured=" + format_rfc3339(delivery.captured, 9) + " channel=" + std::string(channel_name(delivery.channel));
  const auto add = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) out += " " + std::string(name) + "=\"" + escaped(value) + "\"";
  };
  if (delivery.flags != 0) out += " flags=" + std::to_string(delivery.flags);
  if (delivery.has_mail_from) out += " mail_from=\"" + escaped(delivery.mail_from) + "\"";
  for (const Recipient& recipient : delivery.rcpt) {
    out += " rcpt=\"" + escaped(recipient.address) + "\"";
    add("orcpt", recipient.orcpt);
    add("notify", recipient.notify);
  }
  add("client_name", delivery.client_name);
  add("client_addr", delivery.client_addr);
  add("client_port", delivery.client_port);
  add("client_helo", delivery.client_helo);
  add("client_proto", delivery.client_proto);
  add("queue_id", delivery.queue_id);
  add("mta_host", delivery.mta_host);
  add("auth_user", delivery.auth_user);
  add("origin", delivery.origin);
  add("separator", delivery.separator);
  for (const auto& [name, value] : delivery.params)
    out += " param=\"" + escaped(name) + "\" value=\"" + escaped(value) + "\"";
  for (const auto& [tag, value] : delivery.unknown)
    out += " field" + std::to_string(tag) + "=\"" + escaped(value) + "\"";
  return out;
}

std::string addresses(const std::vector<mime::Address>& list) {
  std::string out;
  for (const mime::Address& address : list)
    out += (out.empty() ? "" : ", ") + address.name + " <" + address.address + ">";
  return out;
}

}  // namespace

Result<ArchiveStatus> Archive::status() const {
  ArchiveStatus status;
  if (state_->own_domains) status.own_domains = state_->own_domains->domains();
  rows::Totals totals;
  std::map<uint64_t, rows::Mark> marks;
  if (state_->catalog) {
    ARCH_TRY(auto value, state_->catalog->get(Column::kMeta, kMetaTotals));
    if (value) {
      ARCH_TRY(totals, rows::decode_totals(*value));
    }
    Result<void> failure;
    ARCH_TRY_VOID(
        state_->catalog->scan(Column::kMeta, "mark:", "mark:", [&](std::string_view key, std::string_view row) {
          auto mark = rows::decode_mark(row, from_be64(key.substr(5)));
          if (!mark) {
            failure = tl::unexpected<Error>(mark.error());
            return false;
          }
          marks[mark->file.number] = *mark;
          return true;
        }));
    ARCH_TRY_VOID(std::move(failure));
    ARCH_TRY_VOID(
        state_->catalog->scan(Column::kMeta, "segment:", "segment:", [&](std::string_view key, std::string_view) {
          status.last_segment = std::max(status.last_segment, static_cast<uint32_t>(from_be64(key.substr(8))));
          return true;
        }));
  }
  status.last_sequence = totals.last_sequence;
  status.last_message = totals.last_message;
  status.applied_to = totals.applied_to;
  status.joined_same = totals.joined_same;
  status.joined_differing = totals.joined_differing;

  ARCH_TRY(auto files, list_journal(state_->fs, journal_directory(state_->directory)));
  for (const JournalFileInfo& info : files) {
    auto mark = marks.find(info.number);
    if (mark != marks.end() && mark->second.complete) continue;
    auto reader = JournalReader::open(state_->fs, info.path);
    if (!reader) continue;  // gone meanwhile, or a matter for verify
    if (state_->catalog) {
      ARCH_TRY(bool packed, state_->is_packed({info.number, (*reader)->header().marker}));
      if (packed) continue;
    }
    uint64_t offset = mark == marks.end() ? 0 : mark->second.offset;
    JournalReader::Record record;
    while (true) {
      ARCH_TRY(bool found, (*reader)->next(&offset, &record, nullptr, nullptr));
      if (!found) break;
      status.pending_bytes += record.header.message_size;
    }
  }
  {
    std::lock_guard lock(state_->alarm_mutex);
    status.alarms = state_->alarms;
  }
  ARCH_TRY(std::string missing, state_->missing_segments());
  if (!missing.empty()) status.alarms.push_back(std::move(missing));
  return status;
}

// Looked at anew each time: a volume may come back.
Result<std::string> Archive::State::missing_segments() const {
  if (!catalog) return std::string();
  ARCH_TRY(auto files, list_segments(fs, directory));
  std::vector<uint32_t> missing;
  auto there = files.begin();
  ARCH_TRY_VOID(catalog->scan(Column::kMeta, "segment:", "segment:", [&](std::string_view key, std::string_view) {
    const auto number = static_cast<uint32_t>(from_be64(key.substr(8)));
    while (there != files.end() && there->number < number) ++there;
    if (there == files.end() || there->number != number) missing.push_back(number);
    return true;
  }));
  if (missing.empty()) return std::string();
  std::string numbers;
  for (size_t i = 0; i < missing.size();) {
    size_t end = i;
    while (end + 1 < missing.size() && missing[end + 1] == missing[end] + 1) ++end;
    numbers += (numbers.empty() ? "" : ", ") + std::to_string(missing[i]) +
               (end == i ? "" : "-" + std::to_string(missing[end]));
    i = end + 1;
  }
  auto why = find_segment(fs, directory, missing.front());
  return "the mail in " + std::string(missing.size() == 1 ? "segment " : "segments ") + numbers +
         " cannot be read: " + (why ? *why + " has just come back" : describe(why.error()));
}

Result<ArchiveUsage> Archive::usage() const {
  ArchiveUsage usage;
  const std::string& root = state_->directory;
  const TreeSize journal = tree_size(journal_directory(root));
  usage.journal = journal.bytes;
  ARCH_TRY(auto volumes, list_volumes(state_->fs, root));
  uint64_t home_segments = 0, elsewhere = 0;
  for (const Volume& volume : volumes) {
    ArchiveUsage::Volume row;
    row.path = volume.path;
    row.home = volume.home();
    row.missing = volume.missing;
    row.reserve_bytes = volume.reserve_bytes;
    if (volume.missing.empty()) {
      const TreeSize segments = tree_size(volume.segments());
      row.segment_bytes = segments.bytes;
      row.segment_count = segments.files;
      ARCH_TRY(row.free_bytes, state_->fs.free_bytes(volume.path));
      struct stat info {};
      if (::stat(volume.path.c_str(), &info) == 0) row.device = info.st_dev;
      usage.segment_count += segments.files;
      usage.segments += segments.bytes;
      if (volume.home())
        home_segments = segments.bytes;
      else
        elsewhere += tree_size(volume.path).bytes - segments.bytes;
    }
    usage.volumes.push_back(std::move(row));
  }
  usage.catalog = tree_size(catalog_directory(root)).bytes;
  usage.index = tree_size(index_directory(root)).bytes;
  ARCH_TRY(auto files, list_journal(state_->fs, journal_directory(root)));
  usage.journal_count = files.size();
  const uint64_t all = tree_size(root).bytes;
  const uint64_t parts = usage.journal + home_segments + usage.catalog + usage.index;
  usage.other = (all > parts ? all - parts : 0) + elsewhere;
  if (!state_->catalog) return usage;
  ARCH_TRY(auto value, state_->catalog->get(Column::kMeta, kMetaTotals));
  if (value) {
    ARCH_TRY(rows::Totals totals, rows::decode_totals(*value));
    usage.messages = totals.last_message;
    usage.received_bytes = totals.received_bytes;
    usage.message_bytes = totals.message_bytes;
  }
  Result<void> malformed;
  ARCH_TRY_VOID(
      state_->catalog->scan(Column::kMeta, "segment:", "segment:", [&](std::string_view, std::string_view row) {
        auto segment = rows::decode_segment(row);
        if (!segment) {
          malformed = tl::unexpected<Error>(segment.error());
          return false;
        }
        usage.packed_raw += segment->raw_bytes;
        usage.packed_unpacked += segment->unpacked_bytes;
        usage.packed_stored += segment->file_size;
        return true;
      }));
  ARCH_TRY_VOID(std::move(malformed));
  ARCH_TRY_VOID(state_->catalog->scan(Column::kUsage, {}, {}, [&](std::string_view key, std::string_view row) {
    ArchiveUsage::AccountKey account_key;
    ArchiveUsage::Account account;
    if (decode_account(key, row, &account_key, &account)) return true;
    const ArchiveUsage::Day day = decode_usage_day(row);
    usage.deliveries += day.deliveries;
    usage.days[usage_day(key)] = day;
    return true;
  }));
  return usage;
}

Result<std::map<ArchiveUsage::AccountKey, ArchiveUsage::Account>> Archive::accounts() const {
  std::map<ArchiveUsage::AccountKey, ArchiveUsage::Account> accounts;
  if (!state_->catalog) return accounts;
  ARCH_TRY_VOID(state_->catalog->scan(Column::kUsage, {}, {}, [&](std::string_view key, std::string_view row) {
    ArchiveUsage::AccountKey account_key;
    ArchiveUsage::Account account;
    if (decode_account(key, row, &account_key, &account)) accounts[std::move(account_key)] = account;
    return true;
  }));
  return accounts;
}

Result<void> Archive::dump(const std::function<void(const std::string&)>& line) const {
  if (!state_->catalog) return {};
  // By digest; numbers and sequence numbers are left out, since deliveries that lie in the journal may get others.
  // A thread is named by the smallest digest in it: its label depends on who came first.
  std::unordered_map<uint64_t, std::string> thread_names;
  const auto thread_name = [&](uint64_t thread) -> Result<std::string> {
    std::string& name = thread_names[thread];
    if (!name.empty()) return name;
    ARCH_TRY(std::vector<uint64_t> numbers, by_thread(thread));
    for (uint64_t number : numbers) {
      ARCH_TRY(MessageInfo member, state_->info(number));
      const std::string hex = member.digest.hex().substr(0, 16);
      if (name.empty() || hex < name) name = hex;
    }
    return name;
  };
  Result<void> failure;
  ARCH_TRY_VOID(state_->catalog->scan(Column::kDigest, {}, {}, [&](std::string_view, std::string_view value) {
    const auto one = [&]() -> Result<void> {
      ByteReader in(value);
      ARCH_TRY(MessageInfo info, state_->info(in.varint()));
      ARCH_TRY(std::string thread, thread_name(info.thread));
      line("message " + info.digest.hex() + " size=" + std::to_string(info.size) +
           " key=" + std::to_string(info.mail_key) + " thread=" + thread + " date=" + format_rfc3339(info.date) +
           (info.has_sent ? " sent=" + format_rfc3339(info.sent) : "") +
           (info.received != 0 ? " received=" + format_rfc3339(info.received) : "") +
           " captured=" + format_rfc3339(info.captured, 9) + (info.partial ? " partial" : "") +
           (info.encrypted ? " encrypted" : "") + (info.bounce ? " bounce" : "") +
           " direction=" + std::string(direction_name(info.direction)));
      line("  id=" + escaped(info.message_id));
      line("  subject=" + escaped(info.subject));
      line("  from=" + escaped(addresses(info.from)) + " to=" + escaped(addresses(info.to)) +
           " cc=" + escaped(addresses(info.cc)) + " bcc=" + escaped(addresses(info.bcc)));
      for (const MessageInfo::Attachment& attachment : info.attachments)
        line("  attachment " + attachment.part + " " + escaped(attachment.media_type) +
             " size=" + std::to_string(attachment.size) + " name=" + escaped(attachment.filename));
      std::vector<std::string> deliveries;
      for (uint64_t sequence : info.deliveries) {
        ARCH_TRY(auto row, state_->catalog->get(Column::kDelivery, be64(sequence)));
        if (!row)
          return fail(Code::kCorrupt, "delivery " + std::to_string(sequence) + " has no row", "run: archctl rebuild");
        ARCH_TRY(DeliveryInfo delivery, rows::decode_delivery_row(*row, sequence));
        deliveries.push_back("  delivery " + describe_delivery(delivery.delivery));
      }
      std::sort(deliveries.begin(), deliveries.end());
      for (const std::string& text : deliveries) line(text);
      return {};
    }();
    if (!one) failure = one;
    return one.has_value();
  }));
  ARCH_TRY_VOID(std::move(failure));
  ARCH_TRY_VOID(state_->catalog->scan(Column::kBlob, {}, {}, [&](std::string_view key, std::string_view value) {
    auto place = rows::decode_blob(value);
    line("part " + Digest::from_view(key).hex() +
         (place ? " segment=" + std::to_string(place->segment) + " index=" + std::to_string(place->index) +
                      " size=" + std::to_string(place->size)
                : " malformed"));
    return true;
  }));
  return state_->catalog->scan(Column::kUsage, {}, {}, [&](std::string_view key, std::string_view row) {
    ArchiveUsage::AccountKey account_key;
    ArchiveUsage::Account account;
    if (decode_account(key, row, &account_key, &account)) {
      line("account " + std::to_string(account_key.month) + " " + std::to_string(static_cast<int>(account_key.kind)) +
           " " + escaped(account_key.name) + " deliveries=" + std::to_string(account.deliveries) +
           " bytes=" + std::to_string(account.bytes) + " new=" + std::to_string(account.new_bytes));
      return true;
    }
    const ArchiveUsage::Day day = decode_usage_day(row);
    line("day " + format_rfc3339(usage_day(key) * kNsPerDay).substr(0, 10) +
         " deliveries=" + std::to_string(day.deliveries) + " bytes=" + std::to_string(day.bytes) +
         " new=" + std::to_string(day.new_bytes) + " imported=" + std::to_string(day.imported_bytes));
    return true;
  });
}

Archive::State::~State() {
  if (news_descriptor >= 0) ::close(news_descriptor);
}

Result<bool> Archive::wait_for_news(UnixNs timeout) const {
  const auto milliseconds = static_cast<int>(std::clamp<UnixNs>(timeout / 1'000'000, 1, 60'000));
  std::lock_guard lock(state_->news_mutex);
  int& descriptor = state_->news_descriptor;
  if (descriptor < 0) {
    descriptor = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (descriptor >= 0 && inotify_add_watch(descriptor, journal_directory(state_->directory).c_str(),
                                             IN_MODIFY | IN_MOVED_TO | IN_CREATE) < 0) {
      ::close(descriptor);
      descriptor = -1;
    }
    if (descriptor >= 0) return true;  // what came before the watch was set
    // Without inotify (its limits are the host's) mail is found a little later.
    std::this_thread::sleep_for(std::chrono::milliseconds(std::min(milliseconds, 100)));
    return true;
  }
  pollfd wait{descriptor, POLLIN, 0};
  if (::poll(&wait, 1, milliseconds) <= 0) return false;
  char events[16384];
  while (::read(descriptor, events, sizeof events) > 0) {
  }
  return true;
}

Result<void> discard_derived(Fs& fs, const std::string& directory, bool catalog, bool index) {
  ARCH_TRY(ArchiveFile file, read_archive_file(fs, directory));
  static_cast<void>(file);
  ARCH_TRY(auto lock, fs.open_read(directory + "/archive.toml"));
  ARCH_TRY(bool locked, lock->try_lock());
  if (!locked)
    return fail(Code::kTryAgain, "an engine works on " + directory, "stop it first (archd), then run this again");
  std::vector<std::string> paths;
  if (catalog) paths.push_back(catalog_directory(directory));
  if (index) paths.push_back(index_directory(directory));
  for (const std::string& path : paths) {
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (error) return fail_errno(error.value(), "cannot remove " + path);
    ARCH_TRY_VOID(fs.make_directory(path));
  }
  return fs.sync_directory(directory);
}

}  // namespace arch
