// arch-capture's options, for its parser, its help text, arch-capture(8) and the shells' completions.
#pragma once

#include "tools/common/program.h"

namespace arch::capture {
const tool::Program& program();
}
