#include "engine/base/background.h"

#include <sched.h>
#include <sys/resource.h>

namespace arch {

void give_way() {
  // On Linux a thread has a priority of its own: setpriority(2), "NOTES". Niceness counts where the idle class is not given.
  const sched_param none{};
  static_cast<void>(::setpriority(PRIO_PROCESS, 0, 19));
  static_cast<void>(::sched_setscheduler(0, SCHED_IDLE, &none));
}

}  // namespace arch
