// arch-capture: takes mail over LMTP, SMTP or the milter protocol and makes it durable in the archive's journal. Knows no catalog, no index and
// no MIME; what it wrote, the engine picks up when it runs.
//
// STANDARDS  RFC 2033 (LMTP), 5321 (SMTP), 1870 (SIZE), 2920 (PIPELINING), 3461 (DSN parameters), 6152 (8BITMIME),
//            6531 (SMTPUTF8), 2034 (ENHANCEDSTATUSCODES); XFORWARD and milter protocol 6 as Postfix speaks them.
// SECURITY   Reads hostile bytes from the network. Once it listens, it can reach no file outside ARCHIVE/journal, open no
//            socket and start no program (sandbox.h).
#include <signal.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "engine/journal/archive_file.h"
#include "engine/journal/group_commit.h"
#include "ingest/milter/session.h"
#include "ingest/server/server.h"
#include "ingest/smtp/session.h"
#include "tools/arch-capture/log.h"
#include "tools/arch-capture/notify.h"
#include "tools/arch-capture/options.h"
#include "tools/arch-capture/sandbox.h"

namespace arch::capture {
namespace {

int complain(const Error& error, int status) {
  std::fprintf(stderr, "arch-capture: %s\n", describe(error).c_str());
  return status;
}

int status_of(const Error& error, int otherwise) {
  switch (error.code) {
    case Code::kNotFound:
      return EX_NOINPUT;
    case Code::kUsage:
      return EX_USAGE;
    case Code::kDenied:
      return EX_NOPERM;
    case Code::kInvalid:
    case Code::kCorrupt:
    case Code::kTooNew:
      return EX_CONFIG;
    default:
      return otherwise;
  }
}

ingest::Server* running = nullptr;  // for the signal handler
void on_stop_signal(int) { running->request_drain(); }

int run(const Flags& flags) {
  Fs& fs = Fs::real();
  auto archive = read_archive_file(fs, flags.archive);
  if (!archive) return complain(archive.error(), status_of(archive.error(), EX_IOERR));
  if (auto mine = check_no_backup(fs, flags.archive); !mine) return complain(mine.error(), EX_CANTCREAT);
  const std::string journal = journal_directory(flags.archive);
  if (access(journal.c_str(), W_OK | X_OK) != 0)
    return complain(std::move(fail_errno(errno, "cannot write into " + journal)).value(), EX_CANTCREAT);

  std::vector<ingest::Endpoint> endpoints;
  std::string ready = "ready";
  auto listen = [&](const ingest::Address& address, std::unique_ptr<ingest::Service> service) -> Result<void> {
    ARCH_TRY(auto listener, ingest::Listener::open(address));
    ready += " " + std::string(service->name()) + "=" + listener.address().text();
    endpoints.push_back({std::move(listener), std::move(service)});
    return {};
  };
  auto listen_all = [&]() -> Result<void> {
    for (const auto& address : flags.lmtp)
      ARCH_TRY_VOID(listen(address, std::make_unique<smtp::Service>(smtp::Protocol::kLmtp, flags.smtp_session)));
    for (const auto& address : flags.smtp)
      ARCH_TRY_VOID(listen(address, std::make_unique<smtp::Service>(smtp::Protocol::kSmtp, flags.smtp_session)));
    for (const auto& address : flags.milter)
      ARCH_TRY_VOID(listen(address, std::make_unique<milter::Service>(flags.milter_session)));
    return {};
  };
  if (auto listening = listen_all(); !listening)
    return complain(listening.error(), status_of(listening.error(), EX_CANTCREAT));
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < flags.server.max_connections + 64) {
    files.rlim_cur = std::min<rlim_t>(files.rlim_max, flags.server.max_connections + 64);
    setrlimit(RLIMIT_NOFILE, &files);  // too few: accept() says so, and the listener waits
  }

  ServiceManager manager;
  const Level least = flags.log_level == "error"  ? Level::kError
                      : flags.log_level == "warn" ? Level::kWarning
                                                  : Level::kInfo;
  Log log(Clock::system(), flags.log_json, least, manager);
  Sha256::of({});  // the library reads its configuration now, while it may
  std::string missing = enter_sandbox(journal);
  if (!missing.empty()) log.line(Level::kWarning, "sandbox", {{"missing", missing}});

  GroupCommit::Options commit_options;
  commit_options.reserve_free_bytes = flags.reserve_bytes;
  commit_options.max_waiting_bytes =
      UINT64_MAX / 2;  // the server bounds what waits, and keeps it when there is no room
  auto commit = GroupCommit::create(fs, Clock::system(), journal, archive->id, commit_options);
  if (!commit) return complain(commit.error(), status_of(commit.error(), EX_IOERR));
  auto server = ingest::Server::create(**commit, Clock::system(), log, std::move(endpoints), flags.server);
  if (!server) return complain(server.error(), EX_OSERR);

  running = server->get();
  struct sigaction action {};
  action.sa_handler = on_stop_signal;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGHUP, SIG_IGN);

  std::printf("%s\n", ready.c_str());
  std::fflush(stdout);
  if (flags.ready_fd >= 0) {
    dprintf(flags.ready_fd, "%s\n", ready.c_str());
    close(flags.ready_fd);
  }
  manager.say("READY=1\nSTATUS=" + ready);
  log.line(Level::kInfo, "listening", {{"on", ready.substr(6)}, {"archive", archive->id.hex()}});

  auto served = (*server)->run();
  manager.say("STOPPING=1");
  auto stopped = (*commit)->stop();
  if (!served) return complain(served.error(), EX_OSERR);
  if (!stopped) return complain(stopped.error(), EX_IOERR);
  log.line(Level::kInfo, "stopped", {{"records", std::to_string((*commit)->stats().records)}});
  return EX_OK;
}

}  // namespace
}  // namespace arch::capture

int main(int argc, char** argv) {
  auto flags = arch::capture::parse(argc, argv);
  if (!flags) return arch::capture::complain(flags.error(), EX_USAGE);
  if (!*flags) return EX_OK;
  char host[256] = "localhost";
  gethostname(host, sizeof host - 1);
  (*flags)->smtp_session.hostname = host;
  return arch::capture::run(**flags);
}
