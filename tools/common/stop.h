// SIGINT and SIGTERM as a flag, so that a command ends between two steps. A second signal ends the process at once.
#pragma once

namespace arch::tool {

/// Installs the handlers; call once, before threads start. SIGPIPE is left alone (a closed pipe ends the command).
void catch_stop_signals();
/// Any thread.
bool stop_requested();
/// The signal, 0 when none came: a command stopped by it exits with 128 + signal.
int stop_signal();

}  // namespace arch::tool
