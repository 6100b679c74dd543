// One line of Postfix's log, whoever wrote it down: syslog (RFC 3164 or RFC 5424 time stamps), Postfix itself
// (maillog_file), journalctl -o short-iso, a container's output inside any of these.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/base/clock.h"

namespace arch::reconcile {

/// Views into the line that was parsed.
struct PostfixLine {
  UnixNs time = 0;
  std::string_view program;   ///< "smtpd", "cleanup", "qmgr" …: the daemon, without the instance's name
  std::string_view queue_id;  ///< short or long form; empty when the line is about no queue file
  std::string_view text;      ///< behind the queue id
};

/// Keeps what makes the next line cheap to read (the hour of the last one). One thread.
class LineParser {
 public:
  /// `now`: time stamps without a year belong to the year before it; they are local time.
  explicit LineParser(UnixNs now) : now_(now) {}
  /// Nothing: not a line of a Postfix daemon.
  std::optional<PostfixLine> parse(std::string_view line);
  /// The time alone, of a line by any program.
  std::optional<UnixNs> time_of(std::string_view line);

 private:
  std::optional<UnixNs> take_time(std::string_view* line);
  std::optional<UnixNs> take_bsd_time(std::string_view* line);
  UnixNs now_;
  std::string hour_;      ///< "Nov 25 14" …
  UnixNs hour_time_ = 0;  ///< … begins here
};

/// Short ids are upper-case hexadecimal; long ones have 52 letters and digits, no vowels, and a "z" before the inode.
bool is_queue_id(std::string_view text);

/// The value of `name=` in "a=<x>, b=y (z)": up to ", " or the end, within "<…>" up to its end. Empty when absent.
std::string_view field_of(std::string_view text, std::string_view name);

}  // namespace arch::reconcile
