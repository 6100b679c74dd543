// archctl: the archive from the command line. Parses by the command table, finds the archive, calls the command.
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "query/api/api.h"
#include "query/http/access_log.h"
#include "tools/archctl/command.h"
#include "tools/common/memory.h"
#include "tools/common/stop.h"
#include "tools/common/terminal.h"
#include "tools/common/text.h"

namespace arch::ctl {
namespace {

bool errors_in_json = false;

/// With --json a script finds on stdout what went wrong, as error/1; the first error only, which is why the command ends.
void tell_in_json(const Error& error) {
  if (!errors_in_json) return;
  errors_in_json = false;
  const std::string text = api::error_json(error);
  std::fwrite(text.data(), 1, text.size(), stdout);
}

}  // namespace

int exit_status(const Error& error) {
  switch (error.code) {
    case Code::kNotFound:
      return EX_NOINPUT;
    case Code::kExists:
      return EX_CANTCREAT;
    case Code::kInvalid:
    case Code::kTooLarge:
    case Code::kCorrupt:
    case Code::kTooNew:
      return EX_DATAERR;
    case Code::kTryAgain:
      return EX_TEMPFAIL;
    case Code::kFull:
    case Code::kIo:
      return EX_IOERR;
    case Code::kUsage:
      return EX_USAGE;
    case Code::kDenied:
      return EX_NOPERM;
  }
  return EX_SOFTWARE;
}

int complain(const Error& error) {
  tell_in_json(error);
  tool::Terminal terminal = tool::Terminal::of(stderr);
  std::fprintf(stderr, "archctl: %s%s\n",
               tool::paint(terminal, tool::Style::kRed, tool::printable(error.what)).c_str(),
               error.hint.empty() ? "" : (" — " + tool::printable(error.hint)).c_str());
  return exit_status(error);
}

int usage_error(const std::string& what, const std::string& command) {
  const std::string help = "see archctl " + command + (command.empty() ? "" : " ") + "--help";
  tell_in_json(Error{Code::kUsage, what, help});
  std::fprintf(stderr, "archctl: %s — %s\n", tool::printable(what).c_str(), help.c_str());
  return EX_USAGE;
}

Result<uint64_t> Invocation::number(std::string_view name, uint64_t otherwise, uint64_t least, uint64_t most) const {
  if (!has(name)) return otherwise;
  std::string text = value(name);
  bool digits = !text.empty() && text.size() < 19 && text.find_first_not_of("0123456789") == std::string::npos;
  uint64_t number = digits ? std::strtoull(text.c_str(), nullptr, 10) : 0;
  if (!digits || number < least || number > most)
    return fail(Code::kUsage, "--" + std::string(name) + ": \"" + text + "\" is no number from " +
                                  std::to_string(least) + " to " + std::to_string(most));
  return number;
}

namespace {

/// What the words of the command line say, before any of it is acted on.
struct Parsed {
  const Command* command = nullptr;
  Invocation invocation;
};

const Option* find_option(const Command* command, std::string_view name, char letter) {
  auto in = [&](const std::vector<Option>& options) -> const Option* {
    for (const Option& option : options)
      if ((!name.empty() && option.name == name) || (letter != 0 && option.letter == letter)) return &option;
    return nullptr;
  };
  if (command != nullptr)
    if (const Option* option = in(command->options)) return option;
  return in(common_options());
}

std::string near_option(const Command* command, std::string_view name) {
  std::vector<std::string> known;
  if (command != nullptr)
    for (const Option& option : command->options) known.emplace_back(option.name);
  for (const Option& option : common_options()) known.emplace_back(option.name);
  return tool::nearest(name, known);
}

/// GNU style: --name=value, --name value, -n value, -nvalue; "--" ends the options. Before the command only the common
/// ones are known.
Result<Parsed> parse(const std::vector<std::string>& words) {
  Parsed parsed;
  auto bad = [&](const std::string& what, const std::string& hint = {}) {
    return fail(Code::kUsage, what,
                hint.empty()
                    ? "see archctl " + (parsed.command ? std::string(parsed.command->name) + " " : "") + "--help"
                    : hint);
  };
  bool options_ended = false;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (!options_ended && word == "--") {
      options_ended = true;
      continue;
    }
    if (options_ended || word.size() < 2 || word[0] != '-') {
      if (parsed.command != nullptr) {
        parsed.invocation.arguments.push_back(word);
        continue;
      }
      if (word == "help") {  // archctl help [COMMAND]
        parsed.invocation.options["help"];
        continue;
      }
      parsed.command = find_command(word);
      if (parsed.command != nullptr) continue;
      std::vector<std::string> names;
      for (const Command& command : commands()) names.emplace_back(command.name);
      std::string near = tool::nearest(word, names);
      return bad("unknown command \"" + word + "\"",
                 near.empty() ? "archctl --help lists them" : "did you mean " + near + "?");
    }
    std::string name, value;
    bool has_value = false;
    const Option* option = nullptr;
    if (word[1] == '-') {
      size_t equals = word.find('=');
      has_value = equals != std::string::npos;
      name = word.substr(2, has_value ? equals - 2 : equals);
      if (has_value) value = word.substr(equals + 1);
      option = find_option(parsed.command, name, 0);
    } else {
      option = find_option(parsed.command, {}, word[1]);
      has_value = word.size() > 2;
      if (has_value) value = word.substr(2);
    }
    if (option == nullptr) {
      std::string near = name.empty() ? "" : near_option(parsed.command, name);
      std::string hint = near.empty() ? "" : "did you mean --" + near + "?";
      if (near.empty() && parsed.command != nullptr && parsed.command->name == "search")
        hint = "put -- before a query that begins with a minus sign";
      return bad("unknown option " + word.substr(0, word.find('=')), hint);
    }
    if (option->value.empty() && has_value) return bad("--" + std::string(option->name) + " takes no value");
    if (!option->value.empty() && !has_value) {
      if (i + 1 == words.size())
        return bad("--" + std::string(option->name) + " wants " + std::string(option->value));
      value = words[++i];
    }
    parsed.invocation.options[std::string(option->name)] = value;
  }
  return parsed;
}

int print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  return 0;
}

// What changes an archive, or makes one: it goes into the access log beside who looked at what. Empty: nothing does; else the
// archive that is changed.
std::string archive_changed(const Command& command, const Invocation& invocation) {
  const auto& words = invocation.arguments;
  if (command.name == "init") return words[0];
  if (command.name == "restore") return words[1];
  for (const std::string_view name : {"import", "pack", "rebuild", "reindex", "reextract", "salvage", "backup"})
    if (command.name == name) return invocation.archive;
  for (const std::string_view name : {"token", "saved", "volume"})
    if (command.name == name && !words.empty() && words[0] != "list" && words[0] != "run") return invocation.archive;
  return {};
}

std::string person() {
  if (const char* sudo = std::getenv("SUDO_USER"); sudo != nullptr && *sudo != '\0') return sudo;
  if (const passwd* user = ::getpwuid(::getuid()); user != nullptr) return user->pw_name;
  return "uid " + std::to_string(::getuid());
}

// What root leaves in an archive of another user that user's archd could not read: as root on such an archive a command becomes
// its owner, for good, or (`for_good` false) until the returned guard goes.
class Owner {
 public:
  Owner(const std::string& archive, bool for_good) {
    struct stat info {};
    if (::geteuid() != 0 || ::stat((archive + "/archive.toml").c_str(), &info) != 0 || info.st_uid == 0) return;
    if (for_good) {
      // Reading stays what root may (an import from somebody's home, Postfix's log); writing is the owner's.
      ::prctl(PR_SET_KEEPCAPS, 1);
      if (::setgroups(0, nullptr) != 0 || ::setgid(info.st_gid) != 0 || ::setuid(info.st_uid) != 0) {
        failed_ = errno;
        return;
      }
      __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
      __user_cap_data_struct data[2] = {};
      data[0].effective = data[0].permitted = 1u << CAP_DAC_READ_SEARCH;
      static_cast<void>(::syscall(SYS_capset, &header, data));  // without it: what the owner may read
    } else {
      if (::setegid(info.st_gid) != 0 || ::seteuid(info.st_uid) != 0) failed_ = errno;
      back_ = true;
    }
  }
  ~Owner() {
    if (back_ && (::seteuid(0) != 0 || ::setegid(0) != 0))
      std::abort();  // neither root nor the owner: not to be gone on with
  }
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;
  int failed() const { return failed_; }  ///< errno; 0: it went well, or nothing was to be done

 private:
  int failed_ = 0;
  bool back_ = false;
};

// They write elsewhere too, where only root may.
bool stays_root(const Command& command) {
  for (const std::string_view name : {"init", "backup", "restore", "salvage"})
    if (command.name == name) return true;
  return false;
}

void note_act(const Command& command, const Invocation& invocation, int status) {
  const std::string archive = archive_changed(command, invocation);
  std::error_code error;
  if (archive.empty() || !std::filesystem::exists(archive + "/archive.toml", error)) return;
  std::string object;
  for (const std::string& word : invocation.arguments) {
    if (object.size() > 1'000) {
      object += " …";
      break;
    }
    object += (object.empty() ? "" : " ") + word;
  }
  for (const auto& [name, value] : invocation.options)
    if (name != "archive" && name != "config") object += " --" + name + (value.empty() ? "" : "=" + value);
  const Owner owner(archive, false);
  auto log = http::AccessLog::open(archive);
  auto written = log ? (*log)->write(Clock::system().now(), {person(), true, "archctl", std::string(command.name),
                                                             object, "exit status " + std::to_string(status)})
                     : Result<void>(tl::unexpected<Error>(log.error()));
  if (!written)
    std::fprintf(stderr, "archctl: this was done, and could not be written into the access log: %s\n",
                 describe(written.error()).c_str());
}

int run(const std::vector<std::string>& words) {
  // Before the words are understood, which may be what fails.
  const auto options_end = std::find(words.begin(), words.end(), "--");
  errors_in_json = std::find(words.begin(), options_end, "--json") != options_end;
  auto parsed = parse(words);
  if (!parsed) return complain(parsed.error());
  const Command* command = parsed->command;
  Invocation& invocation = parsed->invocation;
  if (invocation.has("help")) return print(command == nullptr ? overview() : help_of(*command));
  if (invocation.has("version")) return run_version(invocation);
  if (command == nullptr) {
    std::fputs(overview().c_str(), stderr);
    return EX_USAGE;
  }
  if (invocation.arguments.size() < command->least_arguments)
    return usage_error(std::string(command->name) + " wants " + std::string(command->synopsis),
                       std::string(command->name));
  if (invocation.arguments.size() > command->most_arguments)
    return usage_error("too many arguments: \"" + invocation.arguments[command->most_arguments] + "\"",
                       std::string(command->name));

  auto config = config::load(invocation.value("config"));
  if (!config) {
    complain(config.error());
    return EX_CONFIG;
  }
  invocation.config = *config;
  const char* environment = std::getenv("ARCHIVE");
  invocation.archive = invocation.has("archive")                        ? invocation.value("archive")
                       : environment != nullptr && *environment != '\0' ? environment
                                                                        : config->data_dir;
  if (invocation.archive.empty()) return usage_error("--archive is empty");
  tool::catch_stop_signals();
  std::optional<Owner> owner;
  if (!stays_root(*command)) {
    owner.emplace(invocation.archive, true);
    if (owner->failed() != 0)
      return complain(fail_errno(owner->failed(), "cannot become the user to whom the archive belongs").value());
  }
  const int status = command->run(invocation);
  note_act(*command, invocation, status);
  return status;
}

}  // namespace
}  // namespace arch::ctl

int main(int argc, char** argv) {
  arch::tool::return_memory_when_freed();
  int status = arch::ctl::run(std::vector<std::string>(argv + 1, argv + argc));
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    std::perror("archctl: stdout");
    return status == 0 ? EX_IOERR : status;
  }
  return status;
}
