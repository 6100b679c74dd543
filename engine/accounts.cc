#include "engine/accounts.h"

#include <algorithm>
#include <ctime>

#include "engine/archive_state.h"

namespace arch {

namespace {

constexpr char kAccountMark = 'm';  // no day of a row by day begins so: it would lie 40 million years away
constexpr size_t kKeyHead = 6;      // mark, month, kind

bool begins(std::string_view text, std::string_view with) { return text.substr(0, with.size()) == with; }

bool one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string ending_of(std::string_view filename) {
  const size_t dot = filename.rfind('.');
  return dot == std::string_view::npos ? std::string() : lower(filename.substr(dot + 1));
}

bool is_archive_type(std::string_view subtype) {
  return one_of(subtype, {"zip", "x-zip-compressed", "x-zip", "gzip", "x-gzip", "x-tar", "x-7z-compressed", "x-rar-compressed",
                          "vnd.rar", "x-bzip2", "x-xz", "zstd", "java-archive"});
}

bool is_office_type(std::string_view subtype) {
  return begins(subtype, "vnd.openxmlformats-officedocument.") || begins(subtype, "vnd.oasis.opendocument.") ||
         begins(subtype, "vnd.ms-excel") || begins(subtype, "vnd.ms-powerpoint") || begins(subtype, "vnd.ms-word") ||
         one_of(subtype, {"msword", "rtf", "vnd.visio", "vnd.apple.pages", "vnd.apple.numbers", "vnd.apple.keynote"});
}

}  // namespace

std::string_view content_kind_name(ContentKind kind) {
  static constexpr std::array<std::string_view, kContentKinds> kNames = {"text",   "images",   "pdf",
                                                                         "office", "archives", "other"};
  return kNames.at(static_cast<size_t>(kind));
}

ContentKind content_kind(std::string_view media_type, std::string_view filename) {
  const size_t slash = media_type.find('/');
  const std::string_view type = media_type.substr(0, slash);
  const std::string_view subtype = slash == std::string_view::npos ? std::string_view() : media_type.substr(slash + 1);
  if (type == "image") return ContentKind::kImages;
  if (subtype == "pdf" || subtype == "x-pdf") return ContentKind::kPdf;
  if (is_office_type(subtype)) return ContentKind::kOffice;
  if (is_archive_type(subtype)) return ContentKind::kArchives;
  // Many programs send everything as octet-stream, and some send documents as text/plain: the name knows better.
  const std::string ending = ending_of(filename);
  if (one_of(ending, {"jpg", "jpeg", "png", "gif", "bmp", "tif", "tiff", "webp", "heic", "svg"}))
    return ContentKind::kImages;
  if (ending == "pdf") return ContentKind::kPdf;
  if (one_of(ending, {"doc", "docx", "docm", "xls", "xlsx", "xlsm", "xlsb", "ppt", "pptx", "odt", "ods", "odp", "rtf"}))
    return ContentKind::kOffice;
  if (one_of(ending, {"zip", "7z", "rar", "gz", "tgz", "tar", "bz2", "xz", "zst"})) return ContentKind::kArchives;
  if (type == "text" || type == "message" || type == "multipart") return ContentKind::kText;
  if (one_of(ending, {"txt", "csv", "html", "htm", "xml", "ics", "vcf", "eml", "json", "log", "md"}))
    return ContentKind::kText;
  return ContentKind::kOther;
}

std::array<uint64_t, kContentKinds> content_bytes(const std::vector<MessageInfo::Attachment>& attachments,
                                                  uint64_t size) {
  std::array<uint64_t, kContentKinds> bytes{};
  uint64_t left = size;
  for (const MessageInfo::Attachment& attachment : attachments) {
    // A mail inside the mail is counted by what is in it, which is listed too.
    const ContentKind kind = content_kind(attachment.media_type, attachment.filename);
    if (kind == ContentKind::kText) continue;
    const uint64_t part = std::min(left, attachment.size);
    bytes.at(static_cast<size_t>(kind)) += part;
    left -= part;
  }
  bytes.at(static_cast<size_t>(ContentKind::kText)) += left;
  return bytes;
}

std::vector<std::string> own_mailboxes(const Delivery& delivery, const MessageInfo& info, const OwnDomains& own) {
  std::vector<std::string> out;
  const auto add = [&](std::string_view address) {
    if (out.size() >= kAccountMailboxes || !own.holds(address)) return;
    std::string mailbox = lower(address);
    if (std::find(out.begin(), out.end(), mailbox) == out.end()) out.push_back(std::move(mailbox));
  };
  const bool says_who = !delivery.rcpt.empty() && !is_archive_copy(delivery);
  if (!delivery.mail_from.empty())
    add(delivery.mail_from);
  else if (!info.from.empty())
    add(info.from.front().address);
  if (says_who) {
    for (const Recipient& recipient : delivery.rcpt) add(recipient.address);
  } else {
    for (const auto* field : {&info.to, &info.cc, &info.bcc})
      for (const mime::Address& address : *field) add(address.address);
  }
  return out;
}

int32_t month_of(UnixNs time) {
  std::time_t seconds = time / kNsPerSecond - (time % kNsPerSecond < 0 ? 1 : 0);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return (parts.tm_year + 1900) * 12 + parts.tm_mon;
}

ArchiveUsage::Account& AccountRows::at(int32_t month, AccountKind kind, std::string_view name) {
  ByteWriter key;
  key.u8(static_cast<uint8_t>(kAccountMark));
  std::string number(4, '\0');
  const auto value = static_cast<uint32_t>(std::max(0, month));
  for (size_t i = 0; i < 4; ++i) number[i] = static_cast<char>(value >> (8 * (3 - i)));
  key.raw(number);
  key.u8(static_cast<uint8_t>(kind));
  key.raw(name.substr(0, 255));
  return sums_[key.take()];
}

void AccountRows::add(const Delivery& delivery, const MessageInfo& info, bool first, const OwnDomains& own) {
  const int32_t month = month_of(delivery.captured);
  const auto count = [&](AccountKind kind, std::string_view name, uint64_t bytes) {
    ArchiveUsage::Account& account = at(month, kind, name);
    ++account.deliveries;
    account.bytes += bytes;
    if (first) account.new_bytes += bytes;
  };
  count(AccountKind::kDirection, direction_name(info.direction), info.size);
  std::vector<std::string> domains;
  for (const std::string& mailbox : own_mailboxes(delivery, info, own)) {
    count(AccountKind::kMailbox, mailbox, info.size);
    std::string domain = domain_of(mailbox);
    if (std::find(domains.begin(), domains.end(), domain) == domains.end()) domains.push_back(std::move(domain));
  }
  for (const std::string& domain : domains) count(AccountKind::kDomain, domain, info.size);
  const auto kinds = content_bytes(info.attachments, info.size);
  for (size_t kind = 0; kind < kinds.size(); ++kind)
    if (kinds.at(kind) != 0)
      count(AccountKind::kContent, content_kind_name(static_cast<ContentKind>(kind)), kinds.at(kind));
}

Result<void> AccountRows::write(const std::function<Result<std::string>(const std::string&)>& get,
                                const std::function<void(const std::string&, const std::string&)>& put) const {
  for (const auto& [key, added] : sums_) {
    ArchiveUsage::AccountKey account_key;
    ArchiveUsage::Account sum;
    ARCH_TRY(std::string before, get(key));
    if (!before.empty() && !decode_account(key, before, &account_key, &sum))
      return fail(Code::kCorrupt, "the catalog holds a malformed row: account",
                  "it is derived: archctl rebuild makes it anew from journal and segments");
    sum += added;
    ByteWriter out;
    out.varint(sum.deliveries);
    out.varint(sum.bytes);
    out.varint(sum.new_bytes);
    put(key, out.take());
  }
  return {};
}

bool decode_account(std::string_view key, std::string_view value, ArchiveUsage::AccountKey* account_key,
                    ArchiveUsage::Account* account) {
  if (key.size() < kKeyHead || key[0] != kAccountMark) return false;
  uint32_t month = 0;
  for (size_t i = 1; i < 5; ++i) month = month << 8 | static_cast<uint8_t>(key[i]);
  const auto kind = static_cast<uint8_t>(key[5]);
  if (kind < 1 || kind > static_cast<uint8_t>(AccountKind::kContent)) return false;
  account_key->month = static_cast<int32_t>(month);
  account_key->kind = static_cast<AccountKind>(kind);
  account_key->name = key.substr(kKeyHead);
  ByteReader in(value);
  account->deliveries = in.varint();
  account->bytes = in.varint();
  account->new_bytes = in.varint();
  return in.ok();
}

}  // namespace arch
