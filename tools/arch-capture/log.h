// Log lines on stderr: one for each message, one for each thing an operator should know. Never content, never an address.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/clock.h"
#include "ingest/server/server.h"
#include "tools/arch-capture/notify.h"

namespace arch::capture {

enum class Level { kInfo, kWarning, kError };

class Log : public ingest::Observer {
 public:
  /// Lines below `least` are not written.
  Log(Clock& clock, bool json, Level least, ServiceManager& manager)
      : clock_(clock), json_(json), least_(least), manager_(manager) {}

  using Fields = std::vector<std::pair<std::string_view, std::string>>;
  /// "2026-11-25T03:34:56Z info stored queue_id=4ABC size=123 …", or the same as one JSON object.
  void line(Level level, std::string_view event, const Fields& fields);

  void stored(const ingest::Receipt& receipt, const RecordRef& place) override;
  void not_stored(const ingest::Receipt& receipt, const Error& error) override;
  void session_ended(const std::string& peer, const std::string& fault) override;
  void notice(const std::string& text) override;
  void tick() override { manager_.alive(); }

 private:
  Clock& clock_;
  const bool json_;
  const Level least_;
  ServiceManager& manager_;
};

}  // namespace arch::capture
