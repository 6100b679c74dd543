// What fills the archive and who, by month: rows of the catalog that apply() keeps up to date (docs/catalog-format.md, usage).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/archive.h"

namespace arch {

/// The kind of what a MIME type or a file name's ending says. Pure; any thread.
ContentKind content_kind(std::string_view media_type, std::string_view filename);

/// Bytes of a message of `size` bytes by ContentKind: its attachments as they were sent, everything else is text. They add up
/// to `size`.
std::array<uint64_t, kContentKinds> content_bytes(const std::vector<MessageInfo::Attachment>& attachments,
                                                  uint64_t size);

/// The mailboxes of ours that sent or received a delivery, lower case, each once, at most kAccountMailboxes: by its envelope,
/// and where that says nothing (an import, a copy made for the archive) by the header's people.
std::vector<std::string> own_mailboxes(const Delivery& delivery, const MessageInfo& info, const OwnDomains& own);
constexpr size_t kAccountMailboxes = 100;

/// Months since January of year 0, UTC.
int32_t month_of(UnixNs time);

/// Sums of one step of apply(): read when first touched, written with everything else of the step.
class AccountRows {
 public:
  /// `first`: the delivery that brought the message. Nothing is counted twice within one key of one kind.
  void add(const Delivery& delivery, const MessageInfo& info, bool first, const OwnDomains& own);

  /// Adds what was added here to what `get` finds under a key (empty: nothing), and gives the sums to `put`.
  Result<void> write(const std::function<Result<std::string>(const std::string& key)>& get,
                     const std::function<void(const std::string& key, const std::string& value)>& put) const;

 private:
  ArchiveUsage::Account& at(int32_t month, AccountKind kind, std::string_view name);
  std::map<std::string, ArchiveUsage::Account> sums_;
};

/// A row as write() puts it. False when it is none (rows of days are in the same column).
bool decode_account(std::string_view key, std::string_view value, ArchiveUsage::AccountKey* account_key,
                    ArchiveUsage::Account* account);

}  // namespace arch
