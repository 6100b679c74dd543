#include "engine/notice/alerts.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

namespace arch {
namespace {

using Json = nlohmann::ordered_json;

constexpr uint64_t kFileLimit = 4u << 20;
constexpr UnixNs kRetry = 3600 * kNsPerSecond;

std::string path_of(const std::string& archive) { return archive + "/state/alerts.json"; }

Json to_json(const Alert& alert) {
  return {{"key", alert.key},
          {"severity", severity_name(alert.severity)},
          {"subject_fr", alert.text.subject_fr},
          {"body_fr", alert.text.body_fr},
          {"subject_en", alert.text.subject_en},
          {"body_en", alert.text.body_en},
          {"repeat", alert.repeat},
          {"raised", alert.raised},
          {"told", alert.told},
          {"next_mail", alert.next_mail},
          {"failure", alert.failure}};
}

Alert from_json(const Json& json) {
  Alert alert;
  alert.key = json.at("key");
  alert.severity = json.at("severity") == "critical" ? Severity::kCritical : Severity::kWarning;
  alert.text = {json.at("subject_fr"), json.at("body_fr"), json.at("subject_en"), json.at("body_en")};
  alert.repeat = json.at("repeat");
  alert.raised = json.at("raised");
  alert.told = json.at("told");
  alert.next_mail = json.at("next_mail");
  alert.failure = json.at("failure");
  return alert;
}

}  // namespace

std::string_view severity_name(Severity severity) { return severity == Severity::kCritical ? "critical" : "warning"; }

Result<std::vector<Alert>> read_alerts(Fs& fs, const std::string& archive_directory) {
  const std::string path = path_of(archive_directory);
  auto text = read_file(fs, path, kFileLimit);
  if (!text) {
    if (text.error().code == Code::kNotFound) return std::vector<Alert>{};
    return tl::unexpected<Error>(std::move(text).error());
  }
  try {
    std::vector<Alert> alerts;
    const Json parsed = Json::parse(*text);
    for (const Json& each : parsed.at("alerts")) alerts.push_back(from_json(each));
    return alerts;
  } catch (const Json::exception& error) {
    return fail(Code::kCorrupt, path + ": " + error.what(), "remove it: what still holds is raised again");
  }
}

Result<std::unique_ptr<AlertBook>> AlertBook::open(Fs& fs, Clock& clock, const std::string& archive_directory) {
  std::unique_ptr<AlertBook> book(new AlertBook(clock, archive_directory));
  auto alerts = read_alerts(fs, archive_directory);
  if (alerts) {
    book->alerts_ = std::move(*alerts);
  } else if (alerts.error().code != Code::kCorrupt) {
    return tl::unexpected<Error>(std::move(alerts).error());
  }
  return book;
}

Result<void> AlertBook::save() {
  Json out = {{"schema", "alerts/1"}, {"alerts", Json::array()}};
  for (const Alert& alert : alerts_) out["alerts"].push_back(to_json(alert));
  return replace_file(path_of(directory_), out.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
}

Result<bool> AlertBook::raise(Alert alert) {
  std::lock_guard lock(mutex_);
  const UnixNs now = clock_.now();
  auto known = std::find_if(alerts_.begin(), alerts_.end(), [&](const Alert& each) { return each.key == alert.key; });
  bool worse = known == alerts_.end();
  if (worse) {
    alert.raised = alert.next_mail = now;
    alert.told = 0;
    alert.failure.clear();
    alerts_.push_back(std::move(alert));
  } else {
    worse = alert.severity > known->severity;
    if (!worse && alert.text == known->text && alert.severity == known->severity && alert.repeat == known->repeat)
      return false;
    known->severity = alert.severity;
    known->text = std::move(alert.text);
    if (alert.repeat != known->repeat && known->told != 0)
      known->next_mail = alert.repeat == 0 ? 0 : known->told + alert.repeat;
    known->repeat = alert.repeat;
    if (worse) known->next_mail = now;
  }
  ARCH_TRY_VOID(save());
  return worse;
}

Result<bool> AlertBook::clear(const std::string& key) {
  std::lock_guard lock(mutex_);
  const size_t gone = std::erase_if(alerts_, [&](const Alert& each) { return each.key == key; });
  if (gone == 0) return false;
  ARCH_TRY_VOID(save());
  return true;
}

Result<void> AlertBook::clear_others(std::string_view prefix, std::string_view keep) {
  std::lock_guard lock(mutex_);
  const size_t gone = std::erase_if(alerts_, [&](const Alert& each) {
    return each.key.compare(0, prefix.size(), prefix) == 0 && each.key != keep;
  });
  return gone == 0 ? Result<void>() : save();
}

std::vector<Alert> AlertBook::standing() const {
  std::lock_guard lock(mutex_);
  std::vector<Alert> out = alerts_;
  std::stable_sort(out.begin(), out.end(), [](const Alert& a, const Alert& b) {
    return a.severity != b.severity ? a.severity > b.severity : a.raised < b.raised;
  });
  return out;
}

std::vector<Alert> AlertBook::due() const {
  std::vector<Alert> out = standing();
  const UnixNs now = clock_.now();
  std::erase_if(out, [now](const Alert& each) { return each.next_mail == 0 || each.next_mail > now; });
  return out;
}

Result<void> AlertBook::sent(const std::string& key) {
  std::lock_guard lock(mutex_);
  for (Alert& each : alerts_) {
    if (each.key != key) continue;
    each.told = clock_.now();
    each.next_mail = each.repeat == 0 ? 0 : each.told + each.repeat;
    each.failure.clear();
  }
  return save();
}

Result<void> AlertBook::not_sent(const std::string& key, const std::string& why) {
  std::lock_guard lock(mutex_);
  for (Alert& each : alerts_) {
    if (each.key != key) continue;
    each.next_mail = clock_.now() + kRetry;
    each.failure = why;
  }
  return save();
}

}  // namespace arch
