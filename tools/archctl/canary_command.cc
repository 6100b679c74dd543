// archctl canary: a mail through Postfix, as a person would send it, until it is captured, found and verified.
#include <sysexits.h>

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "engine/base/ascii.h"
#include "engine/base/limits.h"
#include "query/search/search.h"
#include "tools/archctl/access.h"
#include "tools/common/stop.h"
#include "tools/common/text.h"
#include "tools/mail/client.h"
#include "tools/mail/compose.h"

namespace arch::ctl {
namespace {

using Json = nlohmann::ordered_json;
using Steady = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLookAgain{100};

/// Sixteen letters that no other mail has.
std::string new_token() {
  std::random_device random;
  std::string token = "temoin";
  for (int i = 0; i < 10; ++i) token += static_cast<char>('a' + random() % 26);
  return token;
}

// The smallest PDF that shows one line of text; the offsets of its table are counted here.
std::string small_pdf(const std::string& text) {
  const std::string content = "BT /F1 12 Tf 72 720 Td (" + text + ") Tj ET";
  const std::vector<std::string> objects = {
      "<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
      "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> "
      ">>",
      "<< /Length " + std::to_string(content.size()) + " >>\nstream\n" + content + "\nendstream",
      "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"};
  std::string out = "%PDF-1.4\n", table = "xref\n0 6\n0000000000 65535 f \n";
  for (size_t i = 0; i < objects.size(); ++i) {
    char entry[24];
    std::snprintf(entry, sizeof entry, "%010zu 00000 n \n", out.size());
    table += entry;
    out += std::to_string(i + 1) + " 0 obj\n" + objects[i] + "\nendobj\n";
  }
  const size_t start = out.size();
  return out + table + "trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n" + std::to_string(start) + "\n%%EOF\n";
}

class Canary {
 public:
  Canary(const Invocation& invocation, std::string recipient, int64_t wait_seconds)
      : invocation_(invocation), recipient_(std::move(recipient)), token_(new_token()), pdf_(small_pdf(token_)) {
    deadline_ = Steady::now() + std::chrono::seconds(wait_seconds);
    body_ = "Bonjour,\n\nCeci est le témoin de l'archive : été, cœur, Noël, ça, où, 12 €.\nMot du jour : " + token_ +
            "\n\nRien à faire, ce message peut être supprimé.\n";
  }

  Json run() {
    Json out = {{"schema", "canary/1"}, {"ran", format_rfc3339(Clock::system().now())}, {"recipient", recipient_}};
    const std::pair<const char*, Result<void> (Canary::*)()> steps[] = {{"sent", &Canary::send},
                                                                        {"captured", &Canary::capture},
                                                                        {"found", &Canary::find},
                                                                        {"verified", &Canary::verify}};
    const auto begun = Steady::now();
    out["good"] = true;
    Json times = Json::object();
    for (const auto& [name, step] : steps) {
      auto done = (this->*step)();
      const double seconds = std::chrono::duration<double>(Steady::now() - begun).count();
      if (!done) {
        out["good"] = false;
        out["failed_step"] = name;
        out["why"] = describe(done.error());
        break;
      }
      times[name] = seconds;
    }
    out["seconds"] = std::move(times);
    out["message_id"] = message_id_;
    if (digest_ != Digest{}) out["id"] = digest_.hex();
    out["bcc"] = bcc_;
    return out;
  }

 private:
  // The one recipient stands in the envelope alone: it is a Bcc.
  Result<void> send() {
    const config::Config& config = invocation_.config;
    mail::Draft draft;
    draft.from =
        invocation_.value("from", config.report_from.empty() ? "archd@" + mail::host_name() : config.report_from);
    draft.subject = "Témoin de l'archive " + token_;
    draft.body = body_;
    draft.headers = {{"Auto-Submitted", "auto-generated"}, {"X-Archd-Canary", token_}};
    draft.files = {{"témoin-" + token_ + ".pdf", "application/pdf", pdf_}};
    draft.date = Clock::system().now();
    message_id_ = draft.message_id =
        token_ + "." + std::to_string(draft.date / kNsPerSecond) + "@" + mail::host_name();
    const mail::Envelope envelope{draft.from, {recipient_}};
    if (invocation_.has("smtp")) {
      ARCH_TRY(std::string reply,
               mail::send(invocation_.value("smtp"), mail::Protocol::kSmtp, envelope, mail::compose(draft)));
      return {};
    }
    const std::string way = invocation_.value("sendmail", config.report_sendmail);
    if (way.rfind("inet:", 0) == 0 || way.rfind("unix:", 0) == 0) {
      ARCH_TRY(std::string reply, mail::send(way, mail::Protocol::kSmtp, envelope, mail::compose(draft)));
      return {};
    }
    return mail::run_sendmail(way, envelope, mail::compose(draft));
  }

  Result<void> capture() {
    ARCH_TRY(archive_, open_reader(invocation_));
    return wait_for("no delivery of it has reached the archive", [this]() -> Result<bool> {
      ARCH_TRY_VOID(archive_->refresh());
      ARCH_TRY(std::vector<uint64_t> numbers, archive_->by_message_id(message_id_));
      if (numbers.empty()) return false;
      ARCH_TRY(MessageInfo info, archive_->info(numbers.front()));
      digest_ = info.digest;
      return true;
    });
  }

  Result<void> find() {
    return wait_for("it is stored, and a search does not find it", [this]() -> Result<bool> {
      ARCH_TRY(auto searcher, search::Searcher::open(*archive_));
      for (const std::string& query : {token_, "subject:" + token_ + " temoin noel coeur", "filename:" + token_}) {
        search::Request request;
        request.query = query;
        request.context.now = Clock::system().now();
        ARCH_TRY(search::Answer answer, searcher->search(request));
        if (answer.total != 1) return false;
      }
      return true;
    });
  }

  // What is stored is what was sent: get() compares the digest, here the content is read as another program would.
  Result<void> verify() {
    ARCH_TRY(std::string bytes, archive_->get(digest_));
    const mime::Message parsed = mime::parse(bytes);
    bool text = false, file = false;
    for (const mime::Part& part : parsed.parts) {
      if (part.container) continue;
      std::string content = mime::decode_content(bytes, part, limits::kMessageBytes);
      if (part.media_type == "application/pdf") file = file || content == pdf_;
      std::erase(content, '\r');
      text = text || content == body_;
    }
    if (!text) return fail(Code::kCorrupt, "its text is not the one that was sent");
    if (!file) return fail(Code::kCorrupt, "its PDF is not the one that was sent");
    ARCH_TRY(MessageInfo info, archive_->info(digest_));
    ARCH_TRY(std::vector<uint64_t> copies, archive_->copies(info));
    bool envelope_known = false, recipient_known = false;
    for (uint64_t number : copies) {
      ARCH_TRY(MessageInfo copy, archive_->info(number));
      for (uint64_t sequence : copy.deliveries) {
        ARCH_TRY(DeliveryInfo delivery, archive_->delivery(sequence));
        if (is_archive_copy(delivery.delivery) || delivery.delivery.rcpt.empty()) continue;
        envelope_known = true;
        for (const Recipient& each : delivery.delivery.rcpt)
          recipient_known = recipient_known || same_recipient(each.address);
      }
    }
    if (envelope_known && !recipient_known)
      return fail(Code::kCorrupt, "the Bcc recipient <" + recipient_ + "> is not among its recipients");
    bcc_ = envelope_known ? "known" : "not known: only a copy came that has no recipients (always_bcc)";
    return {};
  }

  // A bare name gets the domain that Postfix adds.
  bool same_recipient(const std::string& address) const {
    const std::string known = ascii_lower(address), sent = ascii_lower(recipient_);
    return known == sent || (sent.find('@') == std::string::npos && known.rfind(sent + "@", 0) == 0);
  }

  template <class Condition>
  Result<void> wait_for(const char* otherwise, Condition condition) {
    for (;;) {
      ARCH_TRY(bool there, condition());
      if (there) return {};
      if (tool::stop_requested()) return fail(Code::kTryAgain, "stopped");
      if (Steady::now() >= deadline_)
        return fail(Code::kNotFound, otherwise, "is archd running? See `archctl status`, and `postqueue -p`");
      std::this_thread::sleep_for(kLookAgain);
    }
  }

  const Invocation& invocation_;
  const std::string recipient_, token_, pdf_;
  std::string body_, message_id_, bcc_;
  Steady::time_point deadline_;
  std::unique_ptr<Archive> archive_;
  Digest digest_;
};

}  // namespace

int run_canary(const Invocation& invocation) {
  auto wait = invocation.number("wait", 60, 1, 3600);
  if (!wait) return complain(wait.error());
  const std::string recipient = invocation.value("to", invocation.config.report_to);
  if (recipient.empty()) return usage_error("--to is wanted: report.to of the configuration is empty", "canary");
  if (auto archive = open_reader(invocation); !archive) return complain(archive.error());
  tool::catch_stop_signals();
  Json result = Canary(invocation, recipient, static_cast<int64_t>(*wait)).run();
  const std::string line = result.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  if (auto kept = replace_file(invocation.archive + "/state/canary.json", line); !kept)
    std::fprintf(stderr, "archctl: the result is not kept for `archctl status`: %s\n",
                 describe(kept.error()).c_str());
  const bool good = result["good"];
  if (invocation.has("json")) {
    std::fwrite(line.data(), 1, line.size(), stdout);
    return good ? 0 : 1;
  }
  if (!invocation.has("quiet")) {
    for (const auto& [step, seconds] : result["seconds"].items())
      std::printf("%-9s %6.2f s\n", step.c_str(), seconds.get<double>());
    if (good) std::printf("Bcc       %s\n", result["bcc"].get<std::string>().c_str());
  }
  if (!good) {
    std::fprintf(stderr, "archctl: the canary failed at \"%s\": %s\n",
                 result["failed_step"].get<std::string>().c_str(),
                 tool::printable(result["why"].get<std::string>()).c_str());
    return 1;
  }
  std::printf("the canary came through: arch:%s\n", result["id"].get<std::string>().substr(0, 16).c_str());
  return 0;
}

}  // namespace arch::ctl
