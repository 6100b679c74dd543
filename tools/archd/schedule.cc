#include "tools/archd/schedule.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "tools/archd/log.h"

namespace arch::daemon {
namespace {

using Json = nlohmann::ordered_json;
constexpr UnixNs kRetry = 3600 * kNsPerSecond;
constexpr UnixNs kRemembered = 3600 * kNsPerSecond;  // a shorter interval is not worth a write
constexpr uint64_t kFileLimit = 1u << 20;

}  // namespace

Schedule::Schedule(Fs& fs, Clock& clock, std::string archive_directory)
    : clock_(clock), path_(std::move(archive_directory) + "/state/schedule.json") {
  auto text = read_file(fs, path_, kFileLimit);
  if (!text) return;
  const Json parsed = Json::parse(*text, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("last") || !parsed["last"].is_object()) return;
  for (const auto& [name, when] : parsed["last"].items())
    if (when.is_number_integer()) last_[name] = when.get<UnixNs>();
}

void Schedule::add(const std::string& name, UnixNs interval) {
  auto known = last_.find(name);
  // A clock that was set back must not keep a job from running.
  const UnixNs last = known == last_.end() ? 0 : std::min(known->second, clock_.now());
  jobs_.push_back({name, interval, last == 0 ? clock_.now() : last + interval});
}

std::optional<std::string> Schedule::due() const {
  const Job* longest = nullptr;
  for (const Job& job : jobs_)
    if (job.next <= clock_.now() && (longest == nullptr || job.next < longest->next)) longest = &job;
  return longest == nullptr ? std::nullopt : std::optional<std::string>(longest->name);
}

Result<void> Schedule::ran(const std::string& name, std::optional<UnixNs> next_in) {
  UnixNs interval = 0;
  for (Job& job : jobs_) {
    if (job.name != name) continue;
    interval = job.interval;
    job.next = clock_.now() + next_in.value_or(interval);
  }
  if (interval < kRemembered) return {};
  last_[name] = clock_.now();
  Json out = {{"schema", "schedule/1"}, {"last", Json::object()}};
  for (const auto& [each, when] : last_) out["last"][each] = when;
  return replace_file(path_, out.dump(1) + "\n");
}

Scheduler::Scheduler(const std::string& archive_directory)
    : schedule_(Fs::real(), Clock::system(), archive_directory) {}

Scheduler::~Scheduler() {
  stop_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void Scheduler::add(const std::string& name, UnixNs interval, Work work) {
  schedule_.add(name, interval);
  work_[name] = {interval, std::move(work), {}};
}

void Scheduler::start() {
  thread_ = std::thread([this] { run(); });
}

void Scheduler::run() {
  auto stopping = [this] { return stop_.stop_requested(); };
  while (!stopping()) {
    auto name = schedule_.due();
    if (!name) {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      continue;
    }
    Named& job = work_[*name];
    auto done = job.work(stopping);
    if (stopping()) return;
    std::optional<UnixNs> next;
    if (done) {
      next = *done;
      job.last_error.clear();
    } else {
      next = std::min(kRetry, job.interval);
      const std::string text = describe(done.error());
      if (text != job.last_error) log("error", *name + ": " + text);
      job.last_error = text;
    }
    if (auto kept = schedule_.ran(*name, next); !kept)
      log("error", "remembering when " + *name + " ran: " + describe(kept.error()));
  }
}

}  // namespace arch::daemon
