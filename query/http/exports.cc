#include "query/http/exports.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <map>
#include <mutex>
#include <thread>

#include "query/export/export.h"

namespace arch::http {
namespace {

constexpr size_t kAtOnce = 2;  // of one person
constexpr UnixNs kKept = kNsPerDay;

struct Job {
  ExportWish wish;
  std::string id, path;
  UnixNs started = 0;
  std::atomic<uint64_t> done{0};
  std::atomic<bool> stop{false}, finished{false};
  std::string failure;      // once finished
  uint64_t file_bytes = 0;  // once finished
  std::thread thread;
};

std::string new_id() {
  std::array<unsigned char, 8> random{};
  RAND_bytes(random.data(), random.size());
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (unsigned char byte : random) {
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
  return out;
}

}  // namespace

struct Exports::State {
  explicit State(const Archive& given) : archive(given), directory(given.directory() + "/tmp/exports") {}
  const Archive& archive;
  const std::string directory;
  mutable std::mutex mutex;
  std::map<std::string, std::unique_ptr<Job>> jobs;

  // With the mutex held: what is older than a day goes.
  void forget_old(UnixNs now) {
    for (auto at = jobs.begin(); at != jobs.end();) {
      Job& job = *at->second;
      if (!job.finished || now - job.started < kKept) {
        ++at;
        continue;
      }
      if (job.thread.joinable()) job.thread.join();
      std::error_code ignored;
      std::filesystem::remove(job.path, ignored);
      at = jobs.erase(at);
    }
  }

  void run(Job* job, exporting::Format format) {
    exporting::Request request;
    request.format = format;
    request.numbers = job->wish.numbers;
    request.query = job->wish.query;
    request.interpreted = job->wish.interpreted;
    request.as_of = job->wish.as_of;
    auto outcome = exporting::to_file(archive, request, job->path, [job](uint64_t done, uint64_t) {
      job->done = done;
      return !job->stop;
    });
    if (!outcome) {
      job->failure = describe(outcome.error());
    } else if (!outcome->unreadable.empty()) {
      // The others are there; but an export that lacks mails without saying so would be taken for whole.
      job->failure = std::to_string(outcome->unreadable.size()) +
                     " messages cannot be read, the first: " + describe(outcome->unreadable.front());
    }
    std::error_code ignored;
    job->file_bytes = std::filesystem::file_size(job->path, ignored);
    job->finished = true;
  }
};

Exports::Exports(const Archive& archive) : state_(std::make_unique<State>(archive)) {
  std::error_code ignored;
  std::filesystem::remove_all(state_->directory, ignored);
}

Exports::~Exports() {
  for (auto& [id, job] : state_->jobs) job->stop = true;
  for (auto& [id, job] : state_->jobs)
    if (job->thread.joinable()) job->thread.join();
}

Result<std::string> Exports::start(ExportWish wish) {
  State& s = *state_;
  ARCH_TRY(const exporting::Format format, exporting::parse_format(wish.format));
  if (format == exporting::Format::kEml)
    return fail(Code::kUsage, "single files are exported as a ZIP", "zip, mbox or jsonl");
  const std::lock_guard lock(s.mutex);
  const UnixNs now = Clock::system().now();
  s.forget_old(now);
  const auto busy = std::count_if(s.jobs.begin(), s.jobs.end(), [&](const auto& each) {
    return each.second->wish.who == wish.who && !each.second->finished;
  });
  if (busy >= static_cast<std::ptrdiff_t>(kAtOnce))
    return fail(Code::kTryAgain, "two exports are under way", "wait for one to end");
  ARCH_TRY_VOID(Fs::real().make_directory(s.archive.directory() + "/tmp"));
  ARCH_TRY_VOID(Fs::real().make_directory(s.directory));
  auto job = std::make_unique<Job>();
  job->id = new_id();
  job->path = s.directory + "/" + job->id + "." + wish.format;
  job->wish = std::move(wish);
  job->started = now;
  Job* raw = job.get();
  raw->thread = std::thread([&s, raw, format] { s.run(raw, format); });
  std::string id = raw->id;
  s.jobs.emplace(id, std::move(job));
  return id;
}

std::optional<page::ExportView> Exports::view(const std::string& id, const std::string& who) const {
  const State& s = *state_;
  const std::lock_guard lock(s.mutex);
  const auto found = s.jobs.find(id);
  if (found == s.jobs.end() || found->second->wish.who != who) return std::nullopt;
  const Job& job = *found->second;
  page::ExportView view;
  view.id = id;
  view.query = job.wish.query;
  view.format = job.wish.format;
  view.total = job.wish.numbers.size();
  view.finished = job.finished;
  view.done = view.finished ? view.total : job.done.load();
  if (view.finished) {
    view.failure = job.failure;
    view.file_bytes = job.file_bytes;
  }
  return view;
}

std::string Exports::file(const std::string& id) const {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->jobs.find(id);
  return found == state_->jobs.end() ? std::string() : found->second->path;
}

std::string Exports::file_name(const std::string& id) const {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->jobs.find(id);
  if (found == state_->jobs.end()) return {};
  const Job& job = *found->second;
  return "archive-" + format_rfc3339(job.started).substr(0, 10) + "-" + id.substr(0, 6) + "." + job.wish.format;
}

}  // namespace arch::http
