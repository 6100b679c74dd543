#include "tools/archd/jobs.h"

#include <nlohmann/json.hpp>
#include <random>

#include "ingest/reconcile/reconcile.h"
#include "query/api/api.h"
#include "query/capacity/capacity.h"
#include "query/saved/saved.h"
#include "tools/archd/log.h"
#include "tools/mail/client.h"
#include "tools/mail/compose.h"

namespace arch::daemon {
namespace {

using Json = nlohmann::ordered_json;

constexpr UnixNs kHour = 3600 * kNsPerSecond;
constexpr UnixNs kCapacityEvery = 60 * kNsPerSecond;  // a disk can fill, and a volume go away, between two looks
constexpr UnixNs kLogWindow = 8 * kNsPerDay;          // Postfix gives a mail up after 5 days (maximal_queue_lifetime)
constexpr size_t kExceptionsKept = 100;               // in the state file
constexpr size_t kExceptionsTold = 20;                // in a mail

Result<void> keep(const Archive& archive, const std::string& name, const Json& state) {
  return replace_file(archive.directory() + "/state/" + name,
                      state.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
}

std::string list_of(const reconcile::Report& report, bool (*wanted)(const reconcile::Finding&)) {
  std::string out;
  size_t told = 0;
  for (const reconcile::Finding& finding : report.exceptions) {
    if (!wanted(finding)) continue;
    if (told++ == kExceptionsTold) {
      out += "  …\n";
      break;
    }
    out += "  " + reconcile::exception_line(finding) + "\n";
  }
  return out;
}

bool is_missing(const reconcile::Finding& finding) { return reconcile::is_missing(finding.reason); }
bool is_deferred(const reconcile::Finding& finding) { return finding.reason == reconcile::Reason::kCopyDeferred; }

Alert missing_alert(const reconcile::Report& report) {
  Alert alert;
  alert.key = "reconcile-missing";
  alert.severity = Severity::kCritical;
  alert.repeat = kNsPerDay;
  const std::string count = std::to_string(report.missing), list = list_of(report, is_missing);
  alert.text.subject_fr = count + " message(s) de Postfix manquent dans l'archive";
  alert.text.body_fr = "D'après le journal de Postfix (du " + format_rfc3339(report.from) + " au " +
                       format_rfc3339(report.to) + ") :\n\n  " + reconcile::summary_line(report) + "\n\n" + list +
                       "\nPour la liste complète : archctl reconcile\n";
  alert.text.subject_en = count + " message(s) of Postfix are missing from the archive";
  alert.text.body_en = "By Postfix's log (" + format_rfc3339(report.from) + " to " + format_rfc3339(report.to) +
                       "):\n\n  " + reconcile::summary_line(report) + "\n\n" + list +
                       "\nThe whole list: archctl reconcile\n";
  return alert;
}

Alert deferred_alert(const reconcile::Report& report) {
  Alert alert;
  alert.key = "copy-deferred";
  alert.repeat = kNsPerDay;
  const std::string list = list_of(report, is_deferred);
  alert.text.subject_fr = "Des copies pour l'archive attendent dans la file de Postfix";
  alert.text.body_fr = "Après cinq jours Postfix les abandonne sans prévenir personne :\n\n" + list;
  alert.text.subject_en = "Copies for the archive wait in Postfix's queue";
  alert.text.body_en = "After five days Postfix gives them up and tells nobody:\n\n" + list;
  return alert;
}

Alert unreadable_alert(const std::string& log, const std::string& why) {
  Alert alert;
  alert.key = "reconcile-failed";
  alert.text.subject_fr = "Le journal de Postfix ne peut être comparé à l'archive";
  alert.text.body_fr = "mta.log = \"" + log + "\" : " + why + "\n";
  alert.text.subject_en = "Postfix's log cannot be compared with the archive";
  alert.text.body_en = "mta.log = \"" + log + "\": " + why + "\n";
  return alert;
}

Alert silence_alert(UnixNs last) {
  Alert alert;
  alert.key = "silence";
  alert.severity = Severity::kCritical;
  alert.repeat = kNsPerDay;
  const std::string when = format_rfc3339(last);
  alert.text.subject_fr = "Plus aucun message n'arrive à l'archive";
  alert.text.body_fr =
      "Le dernier est arrivé le " + when +
      ". À cette heure de la semaine, cinq fois plus de temps qu'à l'ordinaire s'est écoulé depuis.\n\n"
      "Postfix tourne-t-il ? Joint-il l'archive ? Voir : archctl status, postqueue -p, archctl canary\n";
  alert.text.subject_en = "No mail reaches the archive any more";
  alert.text.body_en =
      "The last one came at " + when +
      ". For this hour of the week, five times the usual time has passed since.\n\n"
      "Is Postfix running? Does it reach the archive? See: archctl status, postqueue -p, archctl canary\n";
  return alert;
}

std::string message_id() {
  std::random_device random;
  return std::to_string(Clock::system().now()) + "." + std::to_string(random()) + "@" + mail::host_name();
}

}  // namespace

void Jobs::add_to(Scheduler* scheduler) {
  if (!config_.mta_log.empty())
    scheduler->add("reconcile", kNsPerDay, [this](const Stop& stop) { return reconcile(stop); });
  scheduler->add("silence", 10 * 60 * kNsPerSecond, [this](const Stop& stop) { return watch_for_silence(stop); });
  scheduler->add("capacity", kCapacityEvery, [this](const Stop& stop) { return watch_capacity(stop); });
  scheduler->add("saved", 5 * kNsPerSecond, [this](const Stop& stop) { return run_saved(stop); });
  scheduler->add("mail", 10 * kNsPerSecond, [this](const Stop& stop) { return send_mail(stop); });
}

Result<std::optional<UnixNs>> Jobs::reconcile(const Stop& stop) {
  reconcile::Options options;
  options.now = Clock::system().now();
  options.since = options.now - kLogWindow;
  options.archive_recipient = config_.mta_archive_recipient;
  options.stop = stop;
  auto run = [&]() -> Result<reconcile::Report> {
    ARCH_TRY(auto names, reconcile::with_rotated(config_.mta_log, options.since));
    ARCH_TRY(auto source, reconcile::open_log(names, options.since, options.now));
    reconcile::ArchiveEvidence evidence(archive_);
    return reconcile::reconcile(*source, evidence, options);
  };
  auto report = run();
  Json state = {{"schema", "reconcile-state/1"}, {"ran", format_rfc3339(options.now)}};
  if (!report) {
    if (stop()) return fail(Code::kTryAgain, "stopped");
    const std::string why = describe(report.error());
    state["error"] = why;
    ARCH_TRY_VOID(keep(archive_, "reconcile.json", state));
    ARCH_TRY_VOID(book_.raise(unreadable_alert(config_.mta_log, why)));
    return tl::unexpected<Error>(std::move(report).error());
  }
  state["report"] = Json::parse(reconcile::report_json(*report, kExceptionsKept));
  ARCH_TRY_VOID(keep(archive_, "reconcile.json", state));
  ARCH_TRY_VOID(book_.clear("reconcile-failed"));
  log(report->missing == 0 ? "info" : "error", "by Postfix's log: " + reconcile::summary_line(*report));
  if (report->missing != 0) {
    ARCH_TRY_VOID(book_.raise(missing_alert(*report)));
  } else {
    ARCH_TRY_VOID(book_.clear("reconcile-missing"));
  }
  bool deferred = false, late = false;
  for (const reconcile::Finding& finding : report->exceptions) {
    if (!is_deferred(finding)) continue;
    deferred = true;
    late = late || finding.time < options.now - kHour;
  }
  if (late) {
    ARCH_TRY_VOID(book_.raise(deferred_alert(*report)));
  } else {
    ARCH_TRY_VOID(book_.clear("copy-deferred"));
  }
  // What waits is looked at again before it is given up.
  return deferred ? std::optional<UnixNs>(kHour) : std::nullopt;
}

Result<std::optional<UnixNs>> Jobs::watch_for_silence(const Stop& stop) {
  ARCH_TRY(std::string numbering, archive_.numbering());
  if (numbering != numbering_) {
    numbering_ = numbering;
    history_ = {};
    history_to_ = 0;
    // Only the last weeks matter: sequence numbers rise with time, but for imports.
    ARCH_TRY(ArchiveStatus status, archive_.status());
    const UnixNs oldest = Clock::system().now() - (silence::kWeeks + 2) * 7 * kNsPerDay;
    uint64_t low = 1, high = status.last_sequence + 1;
    while (low < high) {
      const uint64_t middle = low + (high - low) / 2;
      ARCH_TRY(DeliveryInfo info, archive_.delivery(middle));
      (info.delivery.captured < oldest ? low : high) = info.delivery.captured < oldest ? middle + 1 : middle;
    }
    history_to_ = low - 1;
  }
  ARCH_TRY_VOID(archive_.for_each_delivery(history_to_ + 1, [&](const DeliveryInfo& info) {
    if (info.delivery.channel != Channel::kImport) history_.add(info.delivery.captured);
    history_to_ = info.sequence;
    return !stop();
  }));
  if (silence::is_silent(history_, Clock::system().now())) {
    ARCH_TRY(bool fresh, book_.raise(silence_alert(history_.last())));
    if (fresh) log("error", "no mail has come since " + format_rfc3339(history_.last()));
  } else {
    ARCH_TRY(bool stood, book_.clear("silence"));
    if (stood) log("info", "mail comes again");
  }
  return std::nullopt;
}

Result<std::optional<UnixNs>> Jobs::watch_capacity(const Stop&) {
  ARCH_TRY(capacity::Report report,
           capacity::report(archive_, config_.cap_bytes, config_.reserve_bytes, Clock::system().now()));
  ARCH_TRY(std::vector<std::string> fresh, capacity::tell(report, &book_));
  std::string line = api::capacity_check(report);
  line.resize(line.find(" | "));
  for (const std::string& key : fresh) log("warn", "alert " + key + ": " + line);
  return std::nullopt;
}

Result<std::optional<UnixNs>> Jobs::run_saved(const Stop& stop) {
  ARCH_TRY(auto searcher, search::Searcher::open(archive_));
  ARCH_TRY(search::Completeness index, searcher->completeness());
  if (index.indexed == searched_to_) return std::nullopt;
  query::ParseContext context;
  context.now = Clock::system().now();
  context.timezone = config_.timezone;
  auto aliases = Aliases::load(config_.mta_aliases);
  ARCH_TRY(auto seen, saved::seen(archive_.directory()));
  ARCH_TRY(auto all, saved::news(archive_, seen, sender(), context, aliases ? &*aliases : nullptr));
  for (const saved::News& news : all) {
    if (stop()) break;
    const std::string count = std::to_string(news.total);
    mail::Draft draft;
    draft.subject = "[archd] " + news.search.name + " : " + count + " nouveau(x) / new";
    draft.body = "Recherche enregistrée / saved search: " + news.search.query + "\n\n";
    for (const MessageInfo& info : news.newest) {
      std::string from = info.from.empty() ? std::string() : info.from.front().address;
      draft.body += format_rfc3339(info.date) + "  " + from + "\n  " + info.subject +
                    "\n  arch:" + info.digest.hex().substr(0, 16) + "\n\n";
    }
    if (news.total > news.newest.size())
      draft.body += "… " + std::to_string(news.total - news.newest.size()) + " : archctl saved run '" +
                    news.search.name + "'\n";
    draft.headers = {{"Auto-Submitted", "auto-generated"}, {"X-Archd-Saved-Search", "1"}};
    ARCH_TRY_VOID(send(news.search.mail, std::move(draft)));
    log("info", "mail sent: " + count + " new of a saved search");
    seen[news.search.name + "\n" + news.search.made] = news.seen_to;
    ARCH_TRY_VOID(saved::remember(archive_.directory(), seen));
  }
  searched_to_ = index.indexed;
  return std::nullopt;
}

std::string Jobs::sender() const {
  return config_.report_from.empty() ? "archd@" + mail::host_name() : config_.report_from;
}

Result<void> Jobs::send(const std::string& to, mail::Draft draft) const {
  draft.from = sender();
  draft.to = to;
  draft.date = Clock::system().now();
  draft.message_id = message_id();
  const mail::Envelope envelope{draft.from, {to}};
  const std::string& way = config_.report_sendmail;
  if (way.rfind("inet:", 0) == 0 || way.rfind("unix:", 0) == 0) {
    ARCH_TRY(std::string reply, mail::send(way, mail::Protocol::kSmtp, envelope, mail::compose(draft)));
    return {};
  }
  return mail::run_sendmail(way, envelope, mail::compose(draft));
}

Result<std::optional<UnixNs>> Jobs::send_mail(const Stop& stop) {
  if (config_.report_to.empty()) return std::nullopt;
  for (const Alert& alert : book_.due()) {
    if (stop()) break;
    mail::Draft draft;
    draft.subject = "[archd] " + alert.text.subject_fr + " / " + alert.text.subject_en;
    draft.body = alert.text.body_fr + "\n-- \n\n" + alert.text.body_en;
    draft.headers = {{"Auto-Submitted", "auto-generated"}, {"X-Archd-Alert", alert.key}};
    auto sent = send(config_.report_to, std::move(draft));
    if (sent) {
      log("info", "mail sent: alert " + alert.key);
      ARCH_TRY_VOID(book_.sent(alert.key));
    } else {
      log("error", "alert " + alert.key + " could not be mailed, tried again in an hour: " + describe(sent.error()));
      ARCH_TRY_VOID(book_.not_sent(alert.key, describe(sent.error())));
    }
  }
  return std::nullopt;
}

}  // namespace arch::daemon
