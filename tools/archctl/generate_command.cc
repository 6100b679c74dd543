// archctl generate: what the build writes from the tables: manual pages, completions, the configuration's reference.
#include <sys/stat.h>
#include <sysexits.h>

#include <cerrno>
#include <cstdio>
#include <fstream>

#include "tools/arch-capture/program.h"
#include "tools/archctl/command.h"
#include "tools/archd/program.h"

namespace arch::ctl {
namespace {

int print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  return 0;
}

int write_manual(const std::string& directory) {
  if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) {
    complain(std::move(fail_errno(errno, directory)).value());
    return EX_CANTCREAT;
  }
  auto write = [&](const std::string& name, const std::string& text) {
    std::ofstream out(directory + "/" + name, std::ios::binary);
    out << text;
    out.close();
    if (!out) std::fprintf(stderr, "archctl: cannot write %s/%s\n", directory.c_str(), name.c_str());
    return bool(out);
  };
  bool written = write("archctl.1", manual_of(nullptr)) && write("archd.toml.5", configuration_manual());
  for (const Command& command : commands())
    if (written && !command.group.empty())
      written = write("archctl-" + std::string(command.name) + ".1", manual_of(&command));
  for (const tool::Program* program : other_programs())
    written = written && write(std::string(program->name) + "." + std::to_string(program->section),
                               tool::manual_of(*program, ARCH_VERSION));
  return written ? 0 : EX_CANTCREAT;
}

int print_completion(const std::string& shell, const std::string& name) {
  if (shell != "bash" && shell != "zsh" && shell != "fish")
    return complain(std::move(fail(Code::kUsage, "unknown shell \"" + shell + "\"", "bash, zsh or fish")).value());
  if (name == "archctl") {
    auto text = completion_for(shell);
    return text ? print(*text) : complain(text.error());
  }
  for (const tool::Program* program : other_programs())
    if (program->name == name) return print(tool::completion_of(*program, shell));
  return usage_error("unknown program \"" + name + "\"", "generate");
}

int print_reference(const Invocation& invocation) {
  const std::string form = invocation.value("reference");
  if (form == "toml") return print(commented_configuration(invocation.config));
  if (form == "markdown") return print(configuration_table());
  return usage_error("--reference: \"" + form + "\" is neither toml nor markdown", "generate");
}

}  // namespace

std::vector<const tool::Program*> other_programs() { return {&daemon::program(), &capture::program()}; }

int run_generate(const Invocation& invocation) {
  int status = 0;
  if (invocation.has("completion"))
    status = print_completion(invocation.value("completion"), invocation.value("program", "archctl"));
  if (status == 0 && invocation.has("reference")) status = print_reference(invocation);
  if (status == 0 && invocation.has("man")) status = write_manual(invocation.value("man"));
  if (!invocation.has("man") && !invocation.has("completion") && !invocation.has("reference"))
    return usage_error("generate wants --man, --completion or --reference", "generate");
  return status;
}

}  // namespace arch::ctl
