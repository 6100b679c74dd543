// What the daemon looks after by itself: the proof by Postfix's log, the silence, the mails that tell of alerts.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "engine/archive.h"
#include "engine/notice/alerts.h"
#include "ingest/silence/silence.h"
#include "tools/archd/schedule.h"
#include "tools/config/config.h"
#include "tools/mail/compose.h"

namespace arch::daemon {

/// `archive`, `book` and `config` outlive it. One thread (the scheduler's).
class Jobs {
 public:
  Jobs(Archive& archive, AlertBook& book, const config::Config& config)
      : archive_(archive), book_(book), config_(config) {}
  void add_to(Scheduler* scheduler);

 private:
  using Stop = std::function<bool()>;
  Result<std::optional<UnixNs>> reconcile(const Stop& stop);
  Result<std::optional<UnixNs>> watch_for_silence(const Stop& stop);
  Result<std::optional<UnixNs>> watch_capacity(const Stop& stop);
  Result<std::optional<UnixNs>> run_saved(const Stop& stop);
  Result<std::optional<UnixNs>> send_mail(const Stop& stop);
  std::string sender() const;
  Result<void> send(const std::string& to, mail::Draft draft) const;

  Archive& archive_;
  AlertBook& book_;
  const config::Config& config_;
  silence::History history_;
  uint64_t history_to_ = 0;   ///< sequence
  std::string numbering_;     ///< that history_to_ belongs to
  uint64_t searched_to_ = 0;  ///< what the index knew when saved searches were run last
};

}  // namespace arch::daemon
