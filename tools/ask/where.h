// Which archive and which configuration a command line means, found out without the configuration's loader (tools/config), which
// would cost the start of a program more than all the rest. Where it is not plain, nothing is said, and the full program looks.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tools/archctl/command_line.h"

namespace arch::ask {

/// archive.data_dir of a configuration, as config::parse() would read it, where it is written plainly or not at all.
std::optional<std::string> plain_data_dir(std::string_view toml);

/// The text of the configuration's file, which is the one that config::load() would find; empty when there is none. Nothing: the
/// full program has to look.
std::optional<std::string> config_text(const ctl::Words& words);

}  // namespace arch::ask
