#include "tools/archd/web.h"

#include <condition_variable>
#include <mutex>
#include <thread>

#include "engine/people/aliases.h"
#include "query/http/access_log.h"
#include "query/http/app.h"
#include "query/http/server.h"
#include "tools/archd/log.h"

namespace arch::daemon {

namespace {
constexpr auto kAgain = std::chrono::seconds(10);
}

struct Web::State {
  State(const Archive& given, const config::Config& given_config, std::vector<std::string> given_listen)
      : archive(given), config(given_config), listen(std::move(given_listen)) {}

  const Archive& archive;
  const config::Config& config;
  const std::vector<std::string> listen;

  mutable std::mutex mutex;
  std::condition_variable changed;
  bool stopping = false;
  std::string last_error;
  Aliases aliases;
  std::unique_ptr<http::AccessLog> log_book;
  std::unique_ptr<http::App> app;
  std::unique_ptr<http::Server> server;
  std::thread again;

  // With the mutex held. What may be missing at first (a disk that is full, an address that a predecessor still has) comes.
  Result<void> start() {
    if (!log_book) {
      ARCH_TRY(log_book, http::AccessLog::open(archive.directory()));
    }
    if (!app) {
      if (auto loaded = Aliases::load(config.mta_aliases)) {
        aliases = std::move(*loaded);
      } else {
        log("warn", "aliases of mailboxes are not known to the page: " + describe(loaded.error()));
      }
      http::AppOptions options;
      options.version = ARCH_VERSION;
      options.timezone = config.timezone;
      options.cap_bytes = config.cap_bytes;
      options.reserve_bytes = config.reserve_bytes;
      options.hosts = config.http_hosts;
      options.origins = config.http_origins;
      options.admins = config.http_admins;
      options.trusted_uids = config.http_trusted_uids;
      options.mcp = config.mcp_enabled;
      options.mcp_result_bytes = static_cast<size_t>(config.mcp_max_result_bytes);
      app = std::make_unique<http::App>(archive, std::move(options), *log_book, &aliases);
    }
    http::Options options;
    options.listen = listen;
    auto fresh = std::make_unique<http::Server>(
        options, [this](const http::Request& request) { return app->answer(request); });
    ARCH_TRY_VOID(fresh->start());
    server = std::move(fresh);
    for (const std::string& address : server->addresses()) log("info", "page and API on " + address);
    return {};
  }

  bool try_start() {
    std::lock_guard lock(mutex);
    auto started = start();
    if (!started && describe(started.error()) != last_error) {
      last_error = describe(started.error());
      log("warn", "page and API are not served yet: " + last_error);
    }
    return bool(started);
  }

  void retry() {
    std::unique_lock lock(mutex);
    while (!stopping) {
      if (changed.wait_for(lock, kAgain, [this] { return stopping; })) return;
      lock.unlock();
      if (try_start()) return;
      lock.lock();
    }
  }
};

Web::Web(const Archive& archive, const config::Config& config, std::vector<std::string> listen)
    : state_(std::make_unique<State>(archive, config, std::move(listen))) {
  if (state_->listen.empty()) return;
  if (!state_->try_start()) state_->again = std::thread([this] { state_->retry(); });
}

Web::~Web() {
  {
    std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->changed.notify_all();
  if (state_->again.joinable()) state_->again.join();
  if (state_->server) state_->server->stop();
}

std::vector<std::string> Web::addresses() const {
  std::lock_guard lock(state_->mutex);
  return state_->server ? state_->server->addresses() : std::vector<std::string>();
}

}  // namespace arch::daemon
