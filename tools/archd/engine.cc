#include <sysexits.h>
#include <unistd.h>

#include <cstdio>

#include "engine/archive.h"
#include "engine/notice/alerts.h"
#include "query/api/engine_loop.h"
#include "tools/arch-capture/notify.h"
#include "tools/archd/answering.h"
#include "tools/archd/daemon.h"
#include "tools/archd/jobs.h"
#include "tools/archd/log.h"
#include "tools/archd/schedule.h"
#include "tools/archd/scrub.h"
#include "tools/archd/web.h"
#include "tools/common/stop.h"
#include "tools/config/documents.h"

namespace arch::daemon {

constexpr unsigned kLongestStopSeconds = 60;  // as long as the supervisor waits, if there still is one

int run_engine(const Flags& flags) {
  tool::catch_stop_signals();
  if (auto room = api::check_space_to_open(flags.archive); !room) {
    log("error", describe(room.error()));
    return exit_status(room.error());
  }
  auto archive = Archive::open(Fs::real(), Clock::system(), flags.archive, Archive::Mode::kEngine,
                               {flags.configuration.own_domains()});
  if (!archive) {
    log("error", describe(archive.error()));
    return exit_status(archive.error());
  }
  api::EngineOptions options;
  options.pack_bytes = flags.configuration.pack_bytes;
  options.pack_age = flags.configuration.pack_age;
  options.index.shard_messages = flags.configuration.index_shard_messages;
  options.index.headers = flags.configuration.index_headers;
  config::read_documents(flags.configuration, {}, &options);  // the loop says when they cannot be read
  if (options.ocr)
    if (const std::string problem = config::ocr_problem(flags.configuration); !problem.empty())
      log("warn", "documents.ocr: " + problem);

  capture::ServiceManager manager;
  if ((*archive)->rebuilding())
    log("warn", "the catalog is missing, unusable or of other own domains and is made anew; mail is taken meanwhile");
  log("info", "engine on " + flags.archive + ", archive " + (*archive)->id().hex());
  Answering answering(**archive, flags.configuration);
  Web web(**archive, flags.configuration, flags.http);
  std::string ready = "ready engine";
  for (const std::string& address : web.addresses()) ready += " http=" + address;
  std::printf("%s\n", ready.c_str());
  std::fflush(stdout);
  manager.say("READY=1\nSTATUS=engine on " + flags.archive);
  auto alerts = AlertBook::open(Fs::real(), Clock::system(), flags.archive);
  if (!alerts) {
    log("error", describe(alerts.error()));
    return exit_status(alerts.error());
  }
  Jobs jobs(**archive, **alerts, flags.configuration);
  Scheduler scheduler(flags.archive);
  jobs.add_to(&scheduler);
  scheduler.start();
  Scrubber scrubber(flags.archive);
  auto result = api::run_engine(
      **archive, options,
      [&manager] {
        manager.alive();
        if (!tool::stop_requested()) return false;
        // A thread in the background may be waited for on a busy machine; a kill loses nothing, and who comes next needs the archive.
        ::alarm(kLongestStopSeconds);
        return true;
      },
      log);
  manager.say("STOPPING=1");
  if (!result) {
    log("error", describe(result.error()));
    return exit_status(result.error());
  }
  log("info", "engine stopped");
  return 0;
}

}  // namespace arch::daemon
