// The configuration's keys written out: the commented file, the table of docs/configuration.md, archd.toml(5).
#include "tools/archctl/command.h"
#include "tools/common/text.h"

namespace arch::ctl {
namespace {

constexpr size_t kColumns = 100;

std::string commented(std::string_view text) {
  std::string out, lines = tool::wrap(text, kColumns - 2, 0);
  for (size_t at = 0, end; at < lines.size(); at = end + 1) {
    end = lines.find('\n', at);
    out += "# " + lines.substr(at, end - at) + "\n";
  }
  return out;
}

std::string replaced(std::string text, std::string_view what, std::string_view by) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
  return text;
}

}  // namespace

std::string commented_configuration(const config::Config& config) {
  std::string out =
      commented(
          "The configuration of archd, arch-capture and archctl. Every key stands here with what it means; a line "
          "that "
          "begins with #KEY is the default, which holds without it. Sizes are \"100G\", \"256 MiB\", durations "
          "\"90s\", \"24h\", \"7d\"; where a list is wanted one string stands for a list of one.") +
      "#\n" +
      commented(
          "A key that is not known, or a wrong value, is an error that names its line: try with `archctl config`, "
          "which "
          "prints what is in force. Then: systemctl restart archd. archd.toml(5) says the same.");
  const config::Config defaults;
  std::string_view section;
  for (const config::Key& key : config::keys()) {
    if (key.section != section) out += "\n[" + std::string(key.section) + "]\n";
    section = key.section;
    const std::string name(key.name), value = key.get(config), usual = key.get(defaults);
    out += "\n" + commented(key.meaning) + "#" + name + " = " + usual + "\n";
    if (value != usual) out += name + " = " + value + "\n";
  }
  return out;
}

std::string configuration_table() {
  const config::Config defaults;
  std::string out;
  std::string_view section;
  for (const config::Key& key : config::keys()) {
    if (key.section != section)
      out += std::string(section.empty() ? "" : "\n") + "### [" + std::string(key.section) +
             "]\n\n| key | kind | default | meaning |\n|---|---|---|---|\n";
    section = key.section;
    out += "| `" + std::string(key.name) + "` | " + std::string(key.type) + " | `" + key.get(defaults) + "` | " +
           replaced(std::string(key.meaning), "|", "\\|") + " |\n";
  }
  return out;
}

std::string configuration_manual() {
  std::string out =
      tool::roff_head("archd.toml", 5, ARCH_VERSION) +
      "configuration of the mail archive\n.SH SYNOPSIS\n\\fI/etc/archd/archd.toml\\fR\n.SH DESCRIPTION\n";
  out += tool::roff_paragraphs(
      "Read by archd, archctl and, through `archd capture`, arch-capture: the file that --config names, else "
      "$ARCHD_CONFIG, else /etc/archd/archd.toml if there is one. No file is needed; every key has a default.\n\n"
      "The file is TOML. Sizes are \"100G\" or \"256 MiB\", durations \"90s\", \"15m\", \"24h\", \"7d\"; where a "
      "list is "
      "wanted one string stands for a list of one. A key that is not known, or a wrong value, is an error that names "
      "file "
      "and line; every program then ends with status 78. `archctl config` prints what is in force. archd reads the "
      "file "
      "when it starts.");
  const config::Config defaults;
  std::string_view section;
  for (const config::Key& key : config::keys()) {
    if (key.section != section) out += ".SH [" + tool::roff(key.section) + "]\n";
    section = key.section;
    out += ".TP\n\\fB" + tool::roff(key.name) + "\\fR = " + tool::roff(key.get(defaults)) + "\n" +
           tool::roff(key.meaning) + " (" + tool::roff(key.type) + ")\n";
  }
  return out + ".SH SEE ALSO\n" + tool::roff("archd(8), archctl(1), archctl-config(1)") + "\n";
}

}  // namespace arch::ctl
