// The command table: one place that feeds the parser, every help text, the manual pages and the shells' completions.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "tools/common/program.h"
#include "tools/config/config.h"

namespace arch::ctl {

using tool::Example;
using tool::ExitStatus;
using tool::Option;

/// What the command line said, options by name. Values are as typed.
struct Invocation {
  std::map<std::string, std::string, std::less<>> options;
  std::vector<std::string> arguments;
  config::Config config;  ///< loaded already
  std::string archive;    ///< the directory, by --archive, $ARCHIVE or the configuration

  bool has(std::string_view name) const { return options.find(name) != options.end(); }
  std::string value(std::string_view name, std::string otherwise = {}) const {
    auto found = options.find(name);
    return found == options.end() ? otherwise : found->second;
  }
  /// Errors: kUsage (no number, or outside the range).
  Result<uint64_t> number(std::string_view name, uint64_t otherwise, uint64_t least, uint64_t most) const;
};

struct Command {
  std::string_view name, group;  ///< group "": not listed in the overview
  std::string_view synopsis;     ///< behind the name
  std::string_view summary;      ///< one line, imperative
  std::string_view description;  ///< paragraphs, parted by an empty line
  std::vector<Option> options;
  std::vector<ExitStatus> statuses;
  std::vector<Example> examples;
  size_t least_arguments = 0, most_arguments = 0;
  int (*run)(const Invocation&);
};

const std::vector<Command>& commands();
const std::vector<Option>& common_options();
const Command* find_command(std::string_view name);

// ── exit statuses (sysexits.h) ──
int exit_status(const Error& error);
/// "archctl: WHAT — HINT" on stderr; returns exit_status().
int complain(const Error& error);
/// A complaint about the command line; returns 64.
int usage_error(const std::string& what, const std::string& command = {});

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

// ── the commands, one file a family ──
int run_init(const Invocation&);
int run_import(const Invocation&);
int run_deliver(const Invocation&);
int run_pack(const Invocation&);
int run_search(const Invocation&);
int run_count(const Invocation&);
int run_saved(const Invocation&);
int run_thread(const Invocation&);
int run_show(const Invocation&);
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
