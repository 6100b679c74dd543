// archd's options and words, for its parser, its help text, archd(8) and the shells' completions.
#pragma once

#include "tools/common/program.h"

namespace arch::daemon {
const tool::Program& program();
}
