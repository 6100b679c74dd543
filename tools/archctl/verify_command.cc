// archctl verify, salvage.
#include <sysexits.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "engine/segment/volumes.h"
#include "engine/verify/salvage.h"
#include "engine/verify/verified.h"
#include "engine/verify/verify.h"
#include "tools/archctl/access.h"
#include "tools/common/stop.h"
#include "tools/common/terminal.h"
#include "tools/common/text.h"

namespace arch::ctl {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSound = 0, kDamage = 1, kNotChecked = 2;
constexpr UnixNs kSaveEvery = 2 * kNsPerSecond;  // of a long run over small segments

void print_json(const Json& json) {
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void tell(const Invocation& invocation, const char* kind, const VerifyFault& fault) {
  if (invocation.has("json")) {
    Json out = {{"schema", "verify-fault/1"}, {"kind", kind}, {"file", fault.file}, {"offset", fault.offset}};
    if (fault.digest != Digest{}) out["id"] = fault.digest.hex();
    out["what"] = fault.what;
    print_json(out);
    return;
  }
  const bool is_fault = std::string_view(kind) == "fault";
  std::printf("%s%s%s %llu %s %s\n", is_fault ? "" : kind, is_fault ? "" : ": ", tool::printable(fault.file).c_str(),
              static_cast<unsigned long long>(fault.offset),
              fault.digest == Digest{} ? "-" : fault.digest.hex().c_str(), tool::printable(fault.what).c_str());
}

/// YYYY-MM-DD.
Result<UnixNs> parse_day(const std::string& text) {
  int year = 0;
  unsigned month = 0, day = 0;
  char behind = 0;
  if (text.size() != 10 || std::sscanf(text.c_str(), "%4d-%2u-%2u%c", &year, &month, &day, &behind) != 3 ||
      month < 1 || month > 12 || day < 1 || day > 31)
    return fail(Code::kUsage, "\"" + text + "\" is no date", "write it as 2026-01-31");
  return days_from_civil(year, month, day) * kNsPerDay;
}

Result<VerifyOptions> options_of(const Invocation& invocation) {
  VerifyOptions options;
  options.data = !invocation.has("quick");
  options.stop = tool::stop_requested;
  for (const std::string& word : invocation.arguments) {
    uint32_t number = segment_file_number(word);
    if (number == 0 && !word.empty() && word.size() < 9 && word.find_first_not_of("0123456789") == std::string::npos)
      number = static_cast<uint32_t>(std::stoul(word));
    if (number == 0) return fail(Code::kUsage, "\"" + word + "\" is no segment's number");
    options.segments.push_back(number);
  }
  if (invocation.has("since")) {
    ARCH_TRY(options.since, parse_day(invocation.value("since")));
  }
  ARCH_TRY(uint64_t megabytes, invocation.number("limit-mbps", 0, 1, 100'000));
  options.bytes_per_second = megabytes * 1'000'000;
  return options;
}

/// What stands in state/verified while a run goes on.
class Record {
 public:
  Record(const Invocation& invocation, Verified verified)
      : archive_(invocation.archive), verified_(std::move(verified)) {}
  void checked(uint32_t number, const Digest& footer_digest, bool sound) {
    verified_.segments[number] = {footer_digest, Clock::system().now(), sound};
    if (Clock::system().now() - saved_ >= kSaveEvery) save();
  }
  void finish() {
    verified_.run_begun = 0;
    save();
  }
  void save() {
    saved_ = Clock::system().now();
    auto written = write_verified(archive_, verified_);
    if (written || complained_) return;
    complained_ = true;  // an archive that is mounted read-only can be verified all the same
    std::fprintf(stderr, "archctl: what was verified is not remembered: %s\n", describe(written.error()).c_str());
  }

 private:
  const std::string archive_;
  Verified verified_;
  UnixNs saved_ = 0;
  bool complained_ = false;
};

}  // namespace

int run_verify(const Invocation& invocation) {
  auto options = options_of(invocation);
  if (!options) return usage_error(describe(options.error()), "verify");
  auto verified = read_verified(Fs::real(), invocation.archive);
  if (!verified) {
    complain(verified.error());
    return kNotChecked;
  }
  // Only a run over everything can be gone on with.
  const bool everything = options->segments.empty() && options->since == 0 && options->data;
  if (invocation.has("resume")) {
    if (!everything) return usage_error("--resume goes with a whole verification only", "verify");
    if (verified->run_begun != 0)
      for (const auto& [number, segment] : verified->segments) {
        auto path = find_segment(Fs::real(), invocation.archive, number);
        if (!path) continue;
        auto there = SegmentReader::identify(Fs::real(), *path);
        if (segment.when >= verified->run_begun && segment.sound && there &&
            there->footer_digest == segment.footer_digest)
          options->passed_over.insert(number);
      }
  }
  if (everything && (!invocation.has("resume") || verified->run_begun == 0))
    verified->run_begun = Clock::system().now();
  Record record(invocation, std::move(*verified));
  if (options->data)
    options->checked = [&](uint32_t number, const Digest& digest, bool sound) {
      record.checked(number, digest, sound);
    };

  tool::ProgressLine line;
  const UnixNs began = Clock::system().now();
  auto report = verify_archive(Fs::real(), invocation.archive, *options, [&](const VerifyProgress& progress) {
    if (!invocation.has("quiet")) line.update("verifying", progress.bytes_done, progress.bytes_total, true);
  });
  line.clear();
  if (!report) {
    const bool stopped = report.error().code == Code::kTryAgain;
    if (stopped && options->data) record.save();
    if (stopped && everything) report.error().hint = "archctl verify --resume goes on there";
    complain(report.error());
    return kNotChecked;
  }
  if (options->data) everything ? record.finish() : record.save();

  for (const VerifyFault& fault : report->faults) tell(invocation, "fault", fault);
  for (const VerifyFault& unread : report->unread) tell(invocation, "unread", unread);
  if (!invocation.has("quiet"))
    for (const VerifyFault& note : report->notes) tell(invocation, "note", note);
  const int status = !report->faults.empty() ? kDamage : !report->unread.empty() ? kNotChecked : kSound;
  if (invocation.has("json")) {
    print_json({{"schema", "verify/2"},
                {"result", status == kSound    ? "sound"
                           : status == kDamage ? "damage"
                                               : "not checked"},
                {"faults", report->faults.size()},
                {"unread", report->unread.size()},
                {"notes", report->notes.size()},
                {"quick", !options->data},
                {"passed_over", options->passed_over.size()},
                {"segments", report->segments},
                {"journal_files", report->journal_files},
                {"messages", report->messages},
                {"deliveries", report->deliveries},
                {"blobs", report->blobs},
                {"bytes", report->bytes},
                {"seconds", static_cast<double>(Clock::system().now() - began) / 1e9}});
  } else if (!invocation.has("quiet")) {
    const std::string what = status == kSound ? "sound"
                             : status == kDamage
                                 ? tool::count_text(report->faults.size()) + " faults"
                                 : tool::count_text(report->unread.size()) + " files could not be read";
    const std::string before =
        options->passed_over.empty() ? "" : " (" + tool::count_text(options->passed_over.size()) + " more before)";
    std::printf("%s: %s segments%s, %s journal files, %s messages, %s read%s\n", what.c_str(),
                tool::count_text(report->segments).c_str(), before.c_str(),
                tool::count_text(report->journal_files).c_str(), tool::count_text(report->messages).c_str(),
                tool::size_text(report->bytes).c_str(),
                options->data ? ", every SHA-256 compared" : "; without --quick every SHA-256 is compared too");
  }
  return status;
}

namespace {

std::string envelope_text(const Delivery& delivery) {
  std::string text = format_rfc3339(delivery.captured) + " " + std::string(channel_name(delivery.channel));
  if (delivery.has_mail_from) text += " from <" + delivery.mail_from + ">";
  for (const Recipient& recipient : delivery.rcpt) text += " to <" + recipient.address + ">";
  if (!delivery.queue_id.empty()) text += " queue id " + delivery.queue_id;
  if (!delivery.origin.empty()) text += " origin " + delivery.origin;
  return text;
}

void tell(const Invocation& invocation, const SalvageLoss& loss) {
  if (!invocation.has("json")) {
    std::printf("%s %s %s\n", loss.digest == Digest{} ? "-" : loss.digest.hex().c_str(),
                loss.file.empty() ? "-" : tool::printable(loss.file).c_str(), tool::printable(loss.what).c_str());
    for (const Delivery& envelope : loss.envelopes)
      std::printf("  %s\n", tool::printable(envelope_text(envelope)).c_str());
    return;
  }
  Json envelopes = Json::array();
  for (const Delivery& envelope : loss.envelopes) {
    Json to = Json::array();
    for (const Recipient& recipient : envelope.rcpt) to.push_back(recipient.address);
    envelopes.push_back({{"captured", format_rfc3339(envelope.captured)},
                         {"channel", channel_name(envelope.channel)},
                         {"mail_from", envelope.has_mail_from ? Json(envelope.mail_from) : Json(nullptr)},
                         {"rcpt_to", to},
                         {"queue_id", envelope.queue_id},
                         {"origin", envelope.origin}});
  }
  print_json({{"schema", "salvage-loss/1"},
              {"id", loss.digest == Digest{} ? Json(nullptr) : Json(loss.digest.hex())},
              {"file", loss.file},
              {"what", loss.what},
              {"envelopes", envelopes}});
}

}  // namespace

int run_salvage(const Invocation& invocation) {
  const std::string& target = invocation.arguments[0];
  auto there = read_archive_file(Fs::real(), invocation.archive);
  if (!there) return complain(there.error());
  auto made = Archive::init(Fs::real(), target, Clock::system().now());
  if (!made) {
    const int status = complain(made.error());
    return made.error().code == Code::kFull ? status : EX_CANTCREAT;
  }
  auto to = Archive::open(Fs::real(), Clock::system(), target, Archive::Mode::kEngine);
  if (!to) return complain(to.error());
  tool::ProgressLine line;
  auto report = salvage(Fs::real(), invocation.archive, **to, tool::stop_requested, [&](const SalvageReport& so_far) {
    if (!invocation.has("quiet")) line.update("copying", so_far.bytes, 0, true);
  });
  if (report) {
    auto done = api::catch_up(**to, engine_options(invocation.config), true, tool::stop_requested, {});
    if (!done) report = tl::unexpected<Error>(done.error());
  }
  line.clear();
  if (!report) {
    const int status = complain(report.error());
    return tool::stop_signal() != 0 ? 128 + tool::stop_signal() : status;
  }
  for (const SalvageLoss& loss : report->losses) tell(invocation, loss);
  if (invocation.has("json")) {
    print_json({{"schema", "salvage/1"},
                {"archive", target},
                {"messages", report->messages},
                {"deliveries", report->deliveries},
                {"bytes", report->bytes},
                {"losses", report->losses.size()}});
  } else if (!invocation.has("quiet")) {
    std::printf("%s: %s messages in %s deliveries copied to %s; %s\n", report->losses.empty() ? "whole" : "not whole",
                tool::count_text(report->messages).c_str(), tool::count_text(report->deliveries).c_str(),
                tool::printable(target).c_str(),
                report->losses.empty() ? "nothing is lost"
                                       : (tool::count_text(report->losses.size()) + " losses listed above").c_str());
  }
  return report->losses.empty() ? 0 : 1;
}

}  // namespace arch::ctl
