// The parts of archd: `engine` does the work, `capture` becomes arch-capture, `run` watches the processes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "tools/config/config.h"

namespace arch::daemon {

struct Flags {
  std::string archive;                          ///< directory
  std::string config;                           ///< as given, handed on to the engine's process
  std::vector<std::string> lmtp, smtp, milter;  ///< listeners: those of the command line, else the configured ones
  std::vector<std::string> http;                ///< the same for the page
  config::Config configuration;
  /// Reads the configuration anew and fills in what the command line leaves to it. Errors: as config::load.
  std::function<Result<Flags>()> again;
};

/// exit status of sysexits.h for what keeps a daemon from working at all.
int exit_status(const Error& error);

/// Opens the archive and runs the engine's loop until SIGTERM or SIGINT. Prints "ready engine http=ADDRESS …" on stdout when it
/// has the archive. Returns an exit status.
int run_engine(const Flags& flags);

/// Starts `archd engine` and (unless [capture] managed = false) arch-capture as processes of their own, restarts with
/// growing pauses whichever ends, and prints "ready lmtp=ADDRESS …" once mail is taken. SIGTERM and SIGINT end capture
/// first (it finishes what it has begun), then the engine. SIGHUP reads the configuration anew: the engine is started again
/// with it, and arch-capture when something changed for it; a configuration with a mistake is logged and changes nothing.
/// This process opens no file of the archive: no fault of engine
/// or capture can reach it, and an engine that dies does not stop capture.
int run_supervisor(const Flags& flags);

/// Becomes arch-capture with the configured listeners and limits, in this very process: a service manager's unit of its own
/// then reads the same configuration as the managed one. Returns only when it cannot, with an exit status.
int run_capture(const Flags& flags);

}  // namespace arch::daemon
