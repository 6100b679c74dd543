// The command table, one place that feeds the parser, every help text, the manual pages and the shells' completions; and the
// parser. Both programs that a person starts as archctl read the command line by it, and archd the words that it is asked to
// carry out. Standard library only.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "tools/common/program.h"

namespace arch::ctl {

using tool::Example;
using tool::ExitStatus;
using tool::Option;

struct Command {
  std::string_view name, group;  ///< group "": not listed in the overview
  std::string_view synopsis;     ///< behind the name
  std::string_view summary;      ///< one line, imperative
  std::string_view description;  ///< paragraphs, parted by an empty line
  std::vector<Option> options;
  std::vector<ExitStatus> statuses;
  std::vector<Example> examples;
  size_t least_arguments = 0, most_arguments = 0;
  bool asks = false;  ///< it only reads, and a running archd carries it out for archctl
};

const std::vector<Command>& commands();
const std::vector<Option>& common_options();
const Command* find_command(std::string_view name);

/// What the words of a command line say, before any of it is acted on: options by name, values as typed.
struct Words {
  const Command* command = nullptr;  ///< null: none was named
  std::map<std::string, std::string, std::less<>> options;
  std::vector<std::string> arguments;

  bool has(std::string_view name) const { return options.find(name) != options.end(); }
  std::string value(std::string_view name, const std::string& otherwise = {}) const {
    auto found = options.find(name);
    return found == options.end() ? otherwise : found->second;
  }
  /// Errors: kUsage (no number, or outside the range).
  Result<uint64_t> number(std::string_view name, uint64_t otherwise, uint64_t least, uint64_t most) const;
};

/// GNU style: --name=value, --name value, -n value, -nvalue; "--" ends the options. Before the command only the common ones
/// are known. How many arguments there are is not looked at. Errors: kUsage.
Result<Words> parse(const std::vector<std::string>& words);

/// The archive's directory: by --archive, `environment` ($ARCHIVE; may be null), or `data_dir` of the configuration.
std::string archive_of(const Words& words, const char* environment, const std::string& data_dir);
/// Whether that depends on the configuration.
bool archive_is_configured(const Words& words, const char* environment);

}  // namespace arch::ctl
