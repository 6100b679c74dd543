// Help texts, manual pages and completions, all from the command table.
#include <algorithm>

#include "tools/archctl/command.h"
#include "tools/common/terminal.h"
#include "tools/common/text.h"

namespace arch::ctl {
namespace {

using tool::Style;

size_t text_columns() { return std::min<size_t>(std::max<size_t>(tool::Terminal::of(stdout).columns, 40), 100); }
std::string heading(std::string_view text) { return tool::paint(tool::Terminal::of(stdout), Style::kBold, text); }

std::vector<std::string_view> paragraphs(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    size_t end = text.find("\n\n");
    out.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
  }
  return out;
}

std::string option_text(const Option& option) {
  std::string out = option.letter != 0 ? std::string("-") + option.letter + ", " : "    ";
  out += "--" + std::string(option.name);
  if (!option.value.empty()) out += "=" + std::string(option.value);
  return out;
}

std::string option_list(const std::vector<Option>& options, size_t columns) {
  size_t widest = 0;
  for (const Option& option : options) widest = std::max(widest, option_text(option).size());
  std::string out;
  for (const Option& option : options) {
    std::string lines = tool::wrap(option.meaning, columns, widest + 4);
    std::string head = "  " + option_text(option);
    head.resize(widest + 4, ' ');
    out += head + (lines.size() > widest + 4 ? lines.substr(widest + 4) : "\n");
  }
  return out;
}

std::vector<std::string_view> groups() {
  std::vector<std::string_view> names;
  for (const Command& command : commands())
    if (!command.group.empty() && std::find(names.begin(), names.end(), command.group) == names.end())
      names.push_back(command.group);
  return names;
}

// ── roff ──
std::string roff(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  if (!out.empty() && (out[0] == '.' || out[0] == '\'')) out.insert(0, "\\&");
  return out;
}
std::string roff_options(const std::vector<Option>& options) {
  std::string out;
  for (const Option& option : options) {
    out += ".TP\n";
    if (option.letter != 0) out += "\\fB\\-" + std::string(1, option.letter) + "\\fR, ";
    out += "\\fB" + roff("--" + std::string(option.name)) + "\\fR";
    if (!option.value.empty()) out += "=\\fI" + roff(option.value) + "\\fR";
    out += "\n" + roff(option.meaning) + "\n";
  }
  return out;
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
  for (const ExitStatus& status : command.statuses) {
    std::string number = std::to_string(status.code);
    number.insert(0, 4 - number.size(), ' ');
    out += number + "  " + tool::wrap(status.meaning, columns, 6).substr(6);
  }
  if (!command.examples.empty()) out += "\n" + heading("Examples") + "\n";
  for (const Example& example : command.examples) {
    out += "  " + std::string(example.command);
    if (!example.meaning.empty()) out += "    # " + std::string(example.meaning);
    out += "\n";
  }
  out += "\nCommon options (--archive, --config): archctl --help\n";
  return out;
}

std::string manual_of(const Command* command) {
  std::string title = command == nullptr ? "archctl" : "archctl-" + std::string(command->name);
  std::string upper = title;
  for (char& c : upper)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  std::string out =
      ".TH " + roff(upper) + " 1 \"\" \"arch " ARCH_VERSION "\" \"Mail archive\"\n.SH NAME\n" + roff(title) + " \\- ";
  if (command == nullptr) {
    out +=
        "look after an archive of mail\n.SH SYNOPSIS\n\\fBarchctl\\fR [\\fB\\-\\-archive\\fR=\\fIDIR\\fR] "
        "\\fICOMMAND\\fR [\\fIOPTION\\fR]... [\\fIARGUMENT\\fR]...\n";
    out += ".SH COMMANDS\n";
    for (const Command& each : commands())
      if (!each.group.empty()) out += ".TP\n\\fB" + roff(each.name) + "\\fR\n" + roff(each.summary) + ".\n";
    out += ".SH OPTIONS\n" + roff_options(common_options());
    out += ".SH EXIT STATUS\nOne table for all commands, after sysexits.h:\n";
    for (const ExitStatus& status : kAll)
      out += ".TP\n" + std::to_string(status.code) + "\n" + roff(status.meaning) + "\n";
    out +=
        ".SH ENVIRONMENT\n.TP\n\\fBARCHIVE\\fR\nthe archive, unless \\-\\-archive is "
        "given\n.TP\n\\fBARCHD_CONFIG\\fR\nthe configuration, "
        "unless \\-\\-config is given\n.TP\n\\fBNO_COLOR\\fR, \\fBCOLUMNS\\fR\nno colours; width of lines\n";
    out += ".SH SEE ALSO\n";
    std::string list;
    for (const Command& each : commands())
      if (!each.group.empty()) list += (list.empty() ? "" : ",\n") + ("\\fBarchctl\\-" + roff(each.name) + "\\fR(1)");
    return out + list + "\n";
  }
  out += roff(command->summary) + "\n.SH SYNOPSIS\n\\fBarchctl " + roff(command->name) + "\\fR " +
         roff(command->synopsis) + "\n";
  auto text = paragraphs(command->description);
  if (!text.empty()) out += ".SH DESCRIPTION\n";
  for (size_t i = 0; i < text.size(); ++i) out += (i == 0 ? "" : ".PP\n") + roff(text[i]) + "\n";
  if (!command->options.empty()) out += ".SH OPTIONS\n" + roff_options(command->options);
  out += ".SH EXIT STATUS\n";
  for (const ExitStatus& status : command->statuses)
    out += ".TP\n" + std::to_string(status.code) + "\n" + roff(status.meaning) + "\n";
  if (!command->examples.empty()) out += ".SH EXAMPLES\n";
  for (const Example& example : command->examples) {
    out += ".TP\n\\fB" + roff(example.command) + "\\fR\n" +
           (example.meaning.empty() ? std::string("\\&") : roff(example.meaning)) + "\n";
  }
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
  auto quote = [](std::string_view text) {
    std::string out;
    for (char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out;
  };
  if (shell == "zsh") {
    auto spec = [&](const Option& option) {
      std::string meaning = quote(option.meaning);
      for (size_t at = 0; (at = meaning.find_first_of("[]:", at)) != std::string::npos; at += 2)
        meaning.insert(at, "\\");
      return "'--" + std::string(option.name) + (option.value.empty() ? "" : "=") + "[" + meaning + "]" +
             (option.value.empty() ? "" : ":" + std::string(option.value) + ":_files") + "'";
    };
    std::string out =
        "#compdef archctl\n# generated by: archctl generate --completion zsh\n_archctl() {\n  local -a commands=(\n";
    for (const Command& command : commands())
      if (!command.group.empty()) out += "    '" + std::string(command.name) + ":" + quote(command.summary) + "'\n";
    out += "  )\n  _arguments -C";
    for (const Option& option : common_options()) out += " \\\n    " + spec(option);
    out +=
        " \\\n    '1:command:->command' '*::argument:->argument'\n  case $state in\n    command) _describe command "
        "commands ;;\n"
        "    argument)\n      case $words[1] in\n";
    for (const Command& command : commands())
      if (!command.group.empty()) {
        out += "        " + std::string(command.name) + ") _arguments";
        for (const Option& option : command.options) out += " " + spec(option);
        out += " '*:file:_files' ;;\n";
      }
    return out + "      esac ;;\n  esac\n}\n_archctl \"$@\"\n";
  }
  if (shell == "fish") {
    std::string out =
        "# fish completion for archctl; generated by: archctl generate --completion fish\n"
        "function __archctl_needs_command\n  not __fish_seen_subcommand_from " +
        names + "\nend\n";
    for (const Option& option : common_options())
      out += "complete -c archctl -l " + std::string(option.name) + (option.value.empty() ? "" : " -r") + " -d '" +
             quote(option.meaning) + "'\n";
    for (const Command& command : commands()) {
      if (command.group.empty()) continue;
      out += "complete -c archctl -f -n __archctl_needs_command -a " + std::string(command.name) + " -d '" +
             quote(command.summary) + "'\n";
      for (const Option& option : command.options)
        out += "complete -c archctl -n '__fish_seen_subcommand_from " + std::string(command.name) + "' -l " +
               std::string(option.name) + (option.letter != 0 ? " -s " + std::string(1, option.letter) : "") +
               (option.value.empty() ? "" : " -r") + " -d '" + quote(option.meaning) + "'\n";
    }
    return out;
  }
  return fail(Code::kUsage, "unknown shell \"" + std::string(shell) + "\"", "bash, zsh or fish");
}

}  // namespace arch::ctl
