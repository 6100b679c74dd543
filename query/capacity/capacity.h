// What fills the archive, when the cap is reached, and what the operator has to be told of it.
//
// Threads   No state; any thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/archive.h"
#include "engine/notice/alerts.h"
#include "query/capacity/forecast.h"

namespace arch::capacity {

/// Of a mailbox, a domain, a direction or a kind of content.
struct Share {
  std::string name;
  ArchiveUsage::Account all;
  ArchiveUsage::Account year;  ///< this month and the eleven before it
};

struct Month {
  uint64_t deliveries = 0, bytes = 0, new_bytes = 0, imported_bytes = 0;
};

struct Report {
  UnixNs now = 0;
  uint64_t cap_bytes = 0;
  uint64_t used_bytes = 0;     ///< everything that lies in the archive and on its volumes
  uint64_t reserve_bytes = 0;  ///< of the archive's own file system: capture stops before it
  ArchiveUsage usage;
  double disk_per_byte = 0;  ///< bytes on disk for each new byte of mail
  Forecast forecast;
  uint64_t free_bytes = 0;             ///< that its file systems still have above their reserves
  bool disk_before_cap = false;        ///< those end before the cap does
  std::optional<int64_t> disk_likely;  ///< then: the day; days since 1970
  std::vector<Share> directions, contents, domains, mailboxes;  ///< largest first
  std::map<int32_t, Month> months;                              ///< by year × 12 + month, without gaps

  /// Never more than what they are taken from: bytes that the archive did not have to store.
  uint64_t saved_by_copies() const;  ///< mails that came again
  uint64_t saved_by_parts() const;   ///< attachments kept once, and as bytes instead of base64
  uint64_t saved_by_compression() const;

  double used_share() const;  ///< of the cap, 1 is all
  /// Days until the likely day on which the cap is reached.
  std::optional<int64_t> days_left() const;
};

/// Errors: as Archive::usage.
Result<Report> report(const Archive& archive, uint64_t cap_bytes, uint64_t reserve_bytes, UnixNs now);
/// The same from what an archive would say. Pure.
Report report_of(ArchiveUsage usage, const std::map<ArchiveUsage::AccountKey, ArchiveUsage::Account>& accounts,
                 uint64_t cap_bytes, uint64_t reserve_bytes, UnixNs now);

/// What has to stand in the alert book now: at most one of each family ("capacity-used-", "capacity-date-", "capacity-disk",
/// "capacity-reserve", "volume-missing"). `standing`: what stands; a date that wavers around a limit raises it once.
std::vector<Alert> alerts(const Report& report, const std::vector<Alert>& standing);

/// Brings the book to alerts(): raises, clears, and says which keys are new. Errors: as AlertBook.
Result<std::vector<std::string>> tell(const Report& report, AlertBook* book);

/// For a monitoring system: 0 ok, 1 warning, 2 critical.
int monitoring_state(const Report& report);

}  // namespace arch::capacity
