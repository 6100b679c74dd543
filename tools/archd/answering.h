// archctl's questions, answered: the reading commands, carried out on the archive that is open here (tools/ask/wire.h says how it
// is asked).
//
// Who     The user archd runs as, the archive's owner, root; of anybody else nothing is read. The socket's mode says the same.
// Bounds  A request is one packet; kWorkers commands at once; whoever is not served within a moment does the work itself. An
//         answer leaves in one step, whole, or as a file that the asker reads at its leisure: nobody who does not read keeps
//         anything here waiting. A command that meets anything out of the ordinary is not answered, so that the
//         asker sees it with its own eyes; it cannot do harm to anything here.
// Log     As with archctl on the archive itself: nothing, since reading by its owner is no access from outside.
#pragma once

#include <memory>

#include "engine/archive.h"
#include "tools/config/config.h"

namespace arch::daemon {

class Answering {
 public:
  /// Both outlive it. A socket that cannot be made is logged: archctl then opens the archive itself.
  Answering(const Archive& archive, const config::Config& config);
  ~Answering();  ///< lets what is being carried out end
  Answering(const Answering&) = delete;
  Answering& operator=(const Answering&) = delete;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace arch::daemon
