// One command as it is carried out, and all of them by name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "tools/archctl/command_line.h"
#include "tools/archctl/console.h"
#include "tools/common/program.h"
#include "tools/config/config.h"

namespace arch::ctl {

class Holdings;

/// The command line, with what it works on.
struct Invocation : Words {
  config::Config config;  ///< loaded already
  std::string archive;    ///< the directory, by --archive, $ARCHIVE or the configuration
  Console* console = &process_console();
  Holdings* holdings = nullptr;  ///< the archive opened, for reading commands (reading.h); never null there
};

// ── help, manual, completions (help.cc) ──
std::string overview();
std::string help_of(const Command& command);
std::string manual_of(const Command* command);  ///< roff; nullptr: archctl(1) itself
Result<std::string> completion_for(std::string_view shell);
/// The daemons, whose manual pages and completions `archctl generate` writes too.
std::vector<const tool::Program*> other_programs();

// ── the configuration's reference, from its table of keys (reference.cc) ──
/// A commented archd.toml: every key with its default behind "#"; those that differ in `config` stand below it and count.
std::string commented_configuration(const config::Config& config);
std::string configuration_table();   ///< Markdown, for docs/configuration.md
std::string configuration_manual();  ///< roff: archd.toml(5)

// ── the commands, one file a family; those that archd carries out too are in reading.h ──
int run_init(const Invocation&);
int run_import(const Invocation&);
int run_deliver(const Invocation&);
int run_pack(const Invocation&);
int run_saved(const Invocation&);
int run_export(const Invocation&);
int run_status(const Invocation&);
int run_health(const Invocation&);
int run_capacity(const Invocation&);
int run_verify(const Invocation&);
int run_salvage(const Invocation&);
int run_reconcile(const Invocation&);
int run_canary(const Invocation&);
int run_backup(const Invocation&);
int run_restore(const Invocation&);
int run_volume(const Invocation&);
int run_rebuild(const Invocation&);
int run_reextract(const Invocation&);
int run_reindex(const Invocation&);
int run_dump(const Invocation&);
int run_config(const Invocation&);
int run_version(const Invocation&);
int run_token(const Invocation&);
int run_access_log(const Invocation&);
int run_mcp(const Invocation&);
int run_generate(const Invocation&);
int run_lmtp_send(const Invocation&);
int run_extract(const Invocation&);

}  // namespace arch::ctl
