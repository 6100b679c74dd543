// archctl-full: every command of archctl, each on the archive opened here. What a person starts is tools/ask, which becomes this
// program unless a running archd gives the answer.
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "query/http/access_log.h"
#include "tools/archctl/reading.h"
#include "tools/common/memory.h"
#include "tools/common/stop.h"
#include "tools/common/terminal.h"
#include "tools/common/text.h"

namespace arch::ctl {
namespace {

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
    if (name != "archive" && name != "config" && name != "direct")
      object += " --" + name + (value.empty() ? "" : "=" + value);
  const Owner owner(archive, false);
  auto log = http::AccessLog::open(archive);
  auto written = log ? (*log)->write(Clock::system().now(), {person(), true, "archctl", std::string(command.name),
                                                             object, "exit status " + std::to_string(status)})
                     : Result<void>(tl::unexpected<Error>(log.error()));
  if (!written)
    std::fprintf(stderr, "archctl: this was done, and could not be written into the access log: %s\n",
                 describe(written.error()).c_str());
}

/// What carries a command out; every one of the table has it.
int carry_out(const Invocation& invocation) {
  struct Row {
    std::string_view name;
    int (*run)(const Invocation&);
  };
  static constexpr std::array<Row, 28> kRows = {
      Row{"init", run_init},    {"import", run_import},     {"deliver", run_deliver},
      {"pack", run_pack},       {"saved", run_saved},       {"export", run_export},
      {"status", run_status},   {"health", run_health},     {"capacity", run_capacity},
      {"verify", run_verify},   {"salvage", run_salvage},   {"reconcile", run_reconcile},
      {"canary", run_canary},   {"backup", run_backup},     {"restore", run_restore},
      {"volume", run_volume},   {"rebuild", run_rebuild},   {"reextract", run_reextract},
      {"reindex", run_reindex}, {"dump", run_dump},         {"config", run_config},
      {"version", run_version}, {"token", run_token},       {"access-log", run_access_log},
      {"mcp", run_mcp},         {"generate", run_generate}, {"lmtp-send", run_lmtp_send},
      {"extract", run_extract}};
  if (invocation.command->asks) return run_reading(invocation);
  const auto row = std::find_if(kRows.begin(), kRows.end(),
                                [&](const Row& each) { return each.name == invocation.command->name; });
  ARCH_CHECK(row != kRows.end());
  return row->run(invocation);
}

int run(const std::vector<std::string>& words) {
  // Before the words are understood, which may be what fails.
  const auto options_end = std::find(words.begin(), words.end(), "--");
  process_console().errors_in_json = std::find(words.begin(), options_end, "--json") != options_end;
  auto parsed = parse(words);
  if (!parsed) return complain(parsed.error());
  Invocation invocation{std::move(*parsed), {}, {}};
  const Command* command = invocation.command;
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
  invocation.archive = archive_of(invocation, std::getenv("ARCHIVE"), config->data_dir);
  if (invocation.archive.empty()) return usage_error("--archive is empty");
  tool::catch_stop_signals();
  std::optional<Owner> owner;
  if (!stays_root(*command)) {
    owner.emplace(invocation.archive, true);
    if (owner->failed() != 0)
      return complain(fail_errno(owner->failed(), "cannot become the user to whom the archive belongs").value());
  }
  OpenedHere opened(invocation);
  invocation.holdings = &opened;
  const int status = carry_out(invocation);
  note_act(*command, invocation, status);
  return status;
}

}  // namespace
}  // namespace arch::ctl

int main(int argc, char** argv) {
  arch::tool::return_memory_when_freed();
  return arch::tool::finish("archctl", arch::ctl::run(std::vector<std::string>(argv + 1, argv + argc)));
}
