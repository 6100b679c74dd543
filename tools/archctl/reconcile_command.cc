// archctl reconcile: what Postfix took on beside what the archive holds.
#include <sysexits.h>

#include <cstdio>

#include "ingest/reconcile/reconcile.h"
#include "tools/archctl/access.h"
#include "tools/common/stop.h"
#include "tools/common/terminal.h"
#include "tools/common/text.h"

namespace arch::ctl {
namespace {

constexpr UnixNs kWindow = 8 * kNsPerDay;  // Postfix gives a mail up after 5 days (maximal_queue_lifetime)

/// A day, a time (RFC 3339), or how long ago.
Result<UnixNs> parse_since(const std::string& text, UnixNs now) {
  if (auto ago = tool::parse_duration(text)) return now - *ago;
  int year = 0;
  unsigned month = 0, day = 0, hour = 0, minute = 0, second = 0;
  int end = 0;
  if (std::sscanf(text.c_str(), "%4d-%2u-%2u%n", &year, &month, &day, &end) >= 3 && month >= 1 && month <= 12 &&
      day >= 1 && day <= 31) {
    const std::string rest = text.substr(static_cast<size_t>(end));
    int behind = 0;
    const bool time = !rest.empty() &&
                      std::sscanf(rest.c_str(), "T%2u:%2u:%2uZ%n", &hour, &minute, &second, &behind) == 3 &&
                      static_cast<size_t>(behind) == rest.size() && hour < 24 && minute < 60 && second < 60;
    if (rest.empty() || time)
      return days_from_civil(year, month, day) * kNsPerDay + (hour * 3600 + minute * 60 + second) * kNsPerSecond;
  }
  return fail(Code::kUsage, "\"" + text + "\" is no time", "write 2026-01-31, 2026-01-31T08:00:00Z or 48h");
}

}  // namespace

int run_reconcile(const Invocation& invocation) {
  reconcile::Options options;
  options.now = Clock::system().now();
  options.stop = tool::stop_requested;
  options.archive_recipient = invocation.config.mta_archive_recipient;
  const bool configured = invocation.arguments.empty();
  if (invocation.has("since")) {
    auto since = parse_since(invocation.value("since"), options.now);
    if (!since) return complain(since.error());
    options.since = *since;
  } else if (configured) {
    options.since = options.now - kWindow;
  }
  std::vector<std::string> names = invocation.arguments;
  if (configured) {
    if (invocation.config.mta_log.empty())
      return usage_error("no log is named, and none is configured: name it, or set mta.log", "reconcile");
    auto found = reconcile::with_rotated(invocation.config.mta_log, options.since);
    if (!found) return complain(found.error());
    names = *found;
  }

  auto archive = open_reader(invocation);
  if (!archive) return complain(archive.error());
  auto log = reconcile::open_log(names, options.since, options.now);
  if (!log) return complain(log.error());
  tool::catch_stop_signals();
  tool::ProgressLine line;
  if (!invocation.has("quiet"))
    options.progress = [&line](uint64_t lines) { line.update("reading the log, lines", lines, 0, false); };
  const bool json = invocation.has("json"), all = invocation.has("all");
  if (all && !json)
    options.each = [&line](const reconcile::Finding& finding) {
      line.clear();
      std::printf("%s\n", tool::printable(reconcile::exception_line(finding)).c_str());
    };
  reconcile::ArchiveEvidence evidence(**archive);
  auto report = reconcile::reconcile(**log, evidence, options);
  line.clear();
  if (!report) return complain(report.error());
  if (json) {
    std::printf("%s\n", reconcile::report_json(*report).c_str());
    return report->missing == 0 ? 0 : 1;
  }
  if (!all)
    for (const reconcile::Finding& finding : report->exceptions)
      std::printf("%s\n", tool::printable(reconcile::exception_line(finding)).c_str());
  if (report->exceptions_total > report->exceptions.size() && !all)
    std::printf("%s more are not listed: --all lists every mail\n",
                tool::count_text(report->exceptions_total - report->exceptions.size()).c_str());
  if (!invocation.has("quiet")) {
    std::printf(
        "%s to %s: %s waiting in the queue, %s refused before it, %s rejected before they had a queue id, %s given "
        "up by the client\n",
        format_rfc3339(report->from).c_str(), format_rfc3339(report->to).c_str(),
        tool::count_text(report->waiting).c_str(), tool::count_text(report->refused).c_str(),
        tool::count_text(report->rejected).c_str(), tool::count_text(report->given_up).c_str());
    if (report->notices_not_captured != 0)
      std::printf(
          "%s bounces and notices of Postfix's own are not counted: nothing hands them to the archive "
          "(internal_mail_filter_classes with the milter would)\n",
          tool::count_text(report->notices_not_captured).c_str());
  }
  std::printf("%s\n", reconcile::summary_line(*report).c_str());
  return report->missing == 0 ? 0 : 1;
}

}  // namespace arch::ctl
