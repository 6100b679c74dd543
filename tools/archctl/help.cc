// Help texts, manual pages and completions, all from the command table.
#include <algorithm>

#include "tools/archctl/command.h"
#include "tools/common/text.h"

namespace arch::ctl {
namespace {

using tool::heading;
using tool::option_list;
using tool::paragraphs;
using tool::roff;
using tool::roff_options;
using tool::text_columns;

std::vector<std::string_view> groups() {
  std::vector<std::string_view> names;
  for (const Command& command : commands())
    if (!command.group.empty() && std::find(names.begin(), names.end(), command.group) == names.end())
      names.push_back(command.group);
  return names;
}

constexpr ExitStatus kAll[] = {
    {0, "done"},
    {1, "search, export: nothing was found"},
    {64, "wrong usage"},
    {65, "damaged or unusable data"},
    {66, "no archive, no such message, or a path that is missing or may not be read"},
    {69, "nobody listens at that address"},
    {70, "a fault of the program itself"},
    {73, "something cannot be made, or is there already"},
    {74, "a read or write error, or no space"},
    {75, "try again: an engine holds the archive, or the command was stopped"},
    {77, "the operating system does not permit it"},
    {78, "a mistake in the configuration"},
};

}  // namespace

std::string overview() {
  size_t columns = text_columns();
  std::string out = "Usage: archctl [--archive=DIR] COMMAND [OPTION]... [ARGUMENT]...\n\n";
  out += tool::wrap(
      "Looks after an archive of mail: stores it, finds it, proves that it is unchanged. Works beside a running "
      "archd.",
      columns, 0);
  for (std::string_view group : groups()) {
    out += "\n" + heading(group) + "\n";
    for (const Command& command : commands())
      if (command.group == group) {
        std::string name(command.name);
        name.resize(10, ' ');
        out += "  " + name + "  " + std::string(command.summary) + "\n";
      }
  }
  out += "\n" + heading("Options") + "\n" + option_list(common_options(), columns);
  out += "\n" + heading("Examples") + "\n";
  out += "  archctl init /srv/mail && export ARCHIVE=/srv/mail\n";
  out += "  archctl import ~/Maildir\n";
  out += "  archctl search facture from:dupont after:2024\n";
  out += "  archctl show 3f2a9c0d\n\n";
  out += "`archctl COMMAND --help` says more, exit statuses included.\n";
  return out;
}

std::string help_of(const Command& command) {
  size_t columns = text_columns();
  std::string out = "Usage: archctl " + std::string(command.name);
  if (!command.synopsis.empty()) out += " " + std::string(command.synopsis);
  out += "\n\n" + tool::wrap(std::string(command.summary) + ".", columns, 0);
  for (std::string_view paragraph : paragraphs(command.description)) out += "\n" + tool::wrap(paragraph, columns, 0);
  if (!command.options.empty()) out += "\n" + heading("Options") + "\n" + option_list(command.options, columns);
  out += "\n" + heading("Exit status") + "\n";
  out += tool::status_list(command.statuses, columns);
  if (!command.examples.empty()) out += "\n" + heading("Examples") + "\n" + tool::example_list(command.examples);
  out += "\nCommon options (--archive, --config): archctl --help\n";
  return out;
}

std::string manual_of(const Command* command) {
  std::string title = command == nullptr ? "archctl" : "archctl-" + std::string(command->name);
  std::string out = tool::roff_head(title, 1, ARCH_VERSION);
  if (command == nullptr) {
    out +=
        "look after an archive of mail\n.SH SYNOPSIS\n\\fBarchctl\\fR [\\fB\\-\\-archive\\fR=\\fIDIR\\fR] "
        "\\fICOMMAND\\fR [\\fIOPTION\\fR]... [\\fIARGUMENT\\fR]...\n";
    out += ".SH COMMANDS\n";
    for (const Command& each : commands())
      if (!each.group.empty()) out += ".TP\n\\fB" + roff(each.name) + "\\fR\n" + roff(each.summary) + ".\n";
    out += ".SH OPTIONS\n" + roff_options(common_options());
    out += ".SH EXIT STATUS\nOne table for all commands, after sysexits.h:\n";
    out += tool::roff_statuses({std::begin(kAll), std::end(kAll)});
    std::string asking, last;
    for (const Command& each : commands()) {
      if (!each.asks) continue;
      if (!last.empty()) asking += (asking.empty() ? "" : ", ") + last;
      last = "\\fB" + roff(each.name) + "\\fR";
    }
    asking += " and " + last;
    out +=
        ".SH ASKING ARCHD\n"
        "While \\fBarchd\\fR(8) runs on the archive, " +
        asking +
        " are carried out there, where the archive is open: the same command with the same output, without the time "
        "that opening takes. \\fBarchctl\\fR asks through the socket \\fIstate/archctl.sock\\fR of the archive, "
        "which is "
        "open to the archive\\(aqs owner and to root. Whenever archd does not answer at once (it is not running, is "
        "busy, or of another version, or has another configuration than the one given here; the answer is very "
        "large; "
        "something out of the ordinary was met) \\fBarchctl\\fR opens the archive itself. With "
        "\\fB\\-\\-direct\\fR it does so always.\n"
        ".SH ENVIRONMENT\n.TP\n\\fBARCHIVE\\fR\nthe archive, unless \\-\\-archive is "
        "given\n.TP\n\\fBARCHD_CONFIG\\fR\nthe configuration, "
        "unless \\-\\-config is given\n.TP\n\\fBNO_COLOR\\fR, \\fBCOLUMNS\\fR\nno colours; width of "
        "lines\n.TP\n\\fBARCHCTL_EXPLAIN\\fR\nsay on stderr whether archd answered, and why it did not\n";
    out += ".SH SEE ALSO\n";
    std::string list = "\\fBarchd\\fR(8),\n\\fBarchd.toml\\fR(5)";
    for (const Command& each : commands())
      if (!each.group.empty()) list += (list.empty() ? "" : ",\n") + ("\\fBarchctl\\-" + roff(each.name) + "\\fR(1)");
    return out + list + "\n";
  }
  out += roff(command->summary) + "\n.SH SYNOPSIS\n\\fBarchctl " + roff(command->name) + "\\fR " +
         roff(command->synopsis) + "\n";
  if (!command->description.empty()) out += ".SH DESCRIPTION\n" + tool::roff_paragraphs(command->description);
  if (command->asks)
    out += ".PP\nWhile \\fBarchd\\fR(8) runs on the archive, it is asked: see ASKING ARCHD in \\fBarchctl\\fR(1).\n";
  if (!command->options.empty()) out += ".SH OPTIONS\n" + roff_options(command->options);
  out += ".SH EXIT STATUS\n" + tool::roff_statuses(command->statuses);
  if (!command->examples.empty()) out += ".SH EXAMPLES\n" + tool::roff_examples(command->examples);
  return out + ".SH SEE ALSO\n\\fBarchctl\\fR(1)\n";
}

Result<std::string> completion_for(std::string_view shell) {
  std::string names;
  for (const Command& command : commands())
    if (!command.group.empty()) names += (names.empty() ? "" : " ") + std::string(command.name);
  auto options_of = [](const std::vector<Option>& options) {
    std::string out;
    for (const Option& option : options)
      out += (out.empty() ? "" : " ") + ("--" + std::string(option.name)) + (option.value.empty() ? "" : "=");
    return out;
  };
  if (shell == "bash") {
    std::string out =
        "# bash completion for archctl; generated by: archctl generate --completion bash\n_archctl() {\n"
        "  local cur=${COMP_WORDS[COMP_CWORD]} word command= i\n"
        "  for ((i = 1; i < COMP_CWORD; i++)); do\n    word=${COMP_WORDS[i]}\n"
        "    case $word in\n      --archive|--config) ((i++)) ;;\n      -*|=) ;;\n      *) command=$word; break ;;\n "
        "   esac\n  done\n"
        "  local words=\n  case $command in\n    '') words=\"" +
        names + " " + options_of(common_options()) + "\" ;;\n";
    for (const Command& command : commands())
      if (!command.group.empty())
        out += "    " + std::string(command.name) + ") words=\"" + options_of(command.options) +
               (command.options.empty() ? "" : " ") + "--help\" ;;\n";
    return out +
           "  esac\n  if [[ -n $command && $cur != -* ]]; then\n    compopt -o default\n    COMPREPLY=()\n  else\n"
           "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n    [[ ${COMPREPLY[0]-} == *= ]] && compopt -o "
           "nospace\n  fi\n  return 0\n}\n"
           "complete -F _archctl archctl\n";
  }
  if (shell == "zsh") {
    std::string out =
        "#compdef archctl\n# generated by: archctl generate --completion zsh\n_archctl() {\n  local -a commands=(\n";
    for (const Command& command : commands())
      if (!command.group.empty())
        out += "    '" + std::string(command.name) + ":" + tool::shell_quoted(command.summary) + "'\n";
    out += "  )\n  _arguments -C";
    for (const Option& option : common_options()) out += " \\\n    " + tool::zsh_option(option);
    out +=
        " \\\n    '1:command:->command' '*::argument:->argument'\n  case $state in\n    command) _describe command "
        "commands ;;\n"
        "    argument)\n      case $words[1] in\n";
    for (const Command& command : commands())
      if (!command.group.empty()) {
        out += "        " + std::string(command.name) + ") _arguments";
        for (const Option& option : command.options) out += " " + tool::zsh_option(option);
        out += " '*:file:_files' ;;\n";
      }
    return out + "      esac ;;\n  esac\n}\n_archctl \"$@\"\n";
  }
  if (shell == "fish") {
    std::string out =
        "# fish completion for archctl; generated by: archctl generate --completion fish\n"
        "function __archctl_needs_command\n  not __fish_seen_subcommand_from " +
        names + "\nend\n";
    for (const Option& option : common_options()) out += "complete -c archctl " + tool::fish_option(option) + "\n";
    for (const Command& command : commands()) {
      if (command.group.empty()) continue;
      out += "complete -c archctl -f -n __archctl_needs_command -a " + std::string(command.name) + " -d '" +
             tool::shell_quoted(command.summary) + "'\n";
      for (const Option& option : command.options)
        out += "complete -c archctl -n '__fish_seen_subcommand_from " + std::string(command.name) + "' " +
               tool::fish_option(option) + "\n";
    }
    return out;
  }
  return fail(Code::kUsage, "unknown shell \"" + std::string(shell) + "\"", "bash, zsh or fish");
}

}  // namespace arch::ctl
