// What a program says of itself, as one table: the parser reads the options from it, and its help text, its manual page and the
// shells' completions are made from it. archctl has a table of commands (tools/archctl/command.h) made of the same pieces.
#pragma once

#include <getopt.h>

#include <string>
#include <string_view>
#include <vector>

namespace arch::tool {

struct Option {
  std::string_view name;   ///< without "--"
  char letter = 0;         ///< 0: none
  std::string_view value;  ///< placeholder; empty: a flag
  std::string_view meaning;
};
struct ExitStatus {
  int code;
  std::string_view meaning;
};
struct Example {
  std::string_view command, meaning;
};

/// A program without commands of archctl's kind.
struct Program {
  struct Word {
    std::string_view name, meaning;
  };

  std::string_view name;
  int section;                ///< of the manual
  std::string_view synopsis;  ///< behind the name
  std::string_view summary;   ///< one line, imperative
  std::vector<Word> words;    ///< of which one is given; empty: none is
  std::string_view about;     ///< paragraphs, parted by an empty line
  std::vector<Option> options;
  std::vector<ExitStatus> statuses;
  std::vector<Example> examples;
  std::string_view see_also;  ///< "archctl(1), archd.toml(5)"
};

/// For getopt_long: option number i of the table is value i + 1. Ends with the empty one that getopt_long wants.
std::vector<::option> long_options(const std::vector<Option>& options);
/// The name of what getopt_long returned, by long name or by letter; empty: none of the table.
std::string_view option_name(const std::vector<Option>& options, int returned);

/// At the end of main(): `status`, or EX_IOERR with a line on stderr when stdout did not take all that was printed.
int finish(const char* program, int status);

// ── help text ──
size_t text_columns();  ///< of stdout, 40 to 100
std::string heading(std::string_view text);
std::vector<std::string_view> paragraphs(std::string_view text);
std::string option_list(const std::vector<Option>& options, size_t columns);
std::string status_list(const std::vector<ExitStatus>& statuses, size_t columns);
std::string example_list(const std::vector<Example>& examples);
std::string help_of(const Program& program);

// ── manual pages (roff, man(7)) ──
std::string roff(std::string_view text);
/// A paragraph each, parted by .PP.
std::string roff_paragraphs(std::string_view text);
std::string roff_options(const std::vector<Option>& options);
std::string roff_statuses(const std::vector<ExitStatus>& statuses);
std::string roff_examples(const std::vector<Example>& examples);
std::string roff_head(std::string_view title, int section, std::string_view version);
std::string manual_of(const Program& program, std::string_view version);

// ── completions ──
/// `shell` is bash, zsh or fish; for another one the text is empty.
std::string completion_of(const Program& program, std::string_view shell);
/// `text` inside single quotes of a POSIX shell.
std::string shell_quoted(std::string_view text);
/// One argument of zsh's _arguments.
std::string zsh_option(const Option& option);
/// One line of fish's complete, behind "complete -c PROGRAM".
std::string fish_option(const Option& option);

}  // namespace arch::tool
