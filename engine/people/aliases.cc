#include "engine/people/aliases.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>

#include "engine/base/ascii.h"
#include "engine/io/fs.h"

extern char** environ;

namespace arch {

namespace {

constexpr uint64_t kMaxFileBytes = 64ull << 20;
constexpr std::string_view kBlanks = " \t\r";

std::string_view trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

// Maps that postmap makes from a text file of the same name, or reads as text.
bool has_text(std::string_view type) {
  for (std::string_view known : {"texthash", "hash", "btree", "lmdb", "dbm", "sdbm", "cdb"})
    if (type == known) return true;
  return false;
}

// What `postmap -s` prints of a map: one "key<tab>value" a line.
Result<std::string> ask_postmap(const std::string& map) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno(errno, "postmap");
  std::vector<std::string> words = {"postmap", "-s", map};
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  pid_t child = 0;
  const int error_number = ::posix_spawnp(&child, "postmap", &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (error_number != 0) {
    ::close(ends[0]);
    auto error = fail_errno(error_number, "postmap, asked for alias map " + map);
    error.value().hint = "name the map's text file";
    return error;
  }
  std::string text;
  std::array<char, 64u << 10> buffer;
  bool whole = false;
  for (;;) {
    const ssize_t got = ::read(ends[0], buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    whole = got == 0;
    if (got <= 0) break;
    text.append(buffer.data(), static_cast<size_t>(got));
    if (text.size() > kMaxFileBytes) break;  // its next write ends it
  }
  ::close(ends[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (text.size() > kMaxFileBytes) return fail(Code::kTooLarge, "alias map " + map + " has no end: no alias map");
  if (!whole || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return fail(Code::kUsage, "postmap cannot list alias map " + map, "write its content into a file and name that");
  return text;
}

}  // namespace

void Aliases::add(std::string_view text) {
  // A line that begins with a blank goes on with the one before (postmap(1)).
  std::string logical;
  auto take = [this](std::string_view line) {
    line = trim(line);
    if (line.empty() || entries_ >= kMaxEntries) return;
    std::string_view name;
    if (line.front() == '"') {  // a quoted local part may hold blanks and colons
      const size_t close = line.find('"', 1);
      if (close == std::string_view::npos) return;
      const size_t end = std::min(line.find_first_of(" \t:", close), line.size());
      name = line.substr(0, end);
      line.remove_prefix(end);
    } else {
      const size_t end = std::min(line.find_first_of(" \t:"), line.size());
      name = line.substr(0, end);
      line.remove_prefix(end);
    }
    line = trim(line);
    if (!line.empty() && line.front() == ':') line = trim(line.substr(1));
    while (!line.empty()) {
      const size_t comma = line.find(',');
      std::string_view target = trim(line.substr(0, comma));
      line = comma == std::string_view::npos ? std::string_view() : line.substr(comma + 1);
      if (target.empty() || target.front() == '|' || target.front() == '/' || target.front() == ':' ||
          target.find_first_of(" \t\"") != std::string_view::npos)
        continue;
      leads_to_[ascii_lower(target)].push_back(ascii_lower(name));
      ++entries_;
    }
  };
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    const bool continued = !line.empty() && kBlanks.find(line.front()) != std::string_view::npos;
    if (trim(line).empty() || trim(line).front() == '#') continue;
    if (!continued) {
      take(logical);
      logical.clear();
    }
    logical += line;
    logical += ' ';
  }
  take(logical);
}

Result<Aliases> Aliases::load(const std::vector<std::string>& maps) {
  Aliases aliases;
  for (const std::string& map : maps) {
    std::string path = map;
    const size_t colon = map.find(':');
    const bool typed = colon != std::string::npos && map.front() != '/';
    if (typed) path = map.substr(colon + 1);
    const bool textual = !typed || has_text(std::string_view(map).substr(0, colon));
    if (typed && (!textual || ::access(path.c_str(), F_OK) != 0)) {
      ARCH_TRY(std::string content, ask_postmap(map));
      aliases.add(content);
      continue;
    }
    ARCH_TRY(auto file, Fs::real().open_read(path));
    ARCH_TRY(uint64_t size, file->size());
    if (size > kMaxFileBytes)
      return fail(Code::kTooLarge, path + " has " + std::to_string(size) + " bytes: no alias map",
                  "name the text file");
    std::string text(size, '\0');
    ARCH_TRY(size_t got, file->pread(0, text.data(), text.size()));
    text.resize(got);
    aliases.add(text);
  }
  return aliases;
}

void Aliases::collect(const std::string& mailbox, std::vector<std::string>* out) const {
  std::set<std::string> seen{mailbox};
  std::vector<std::string> open{mailbox};
  while (!open.empty() && seen.size() <= kMaxAnswers) {
    const std::string target = std::move(open.back());
    open.pop_back();
    // Within one domain a local alias names its target without it.
    std::vector<std::string> names{target};
    if (const size_t at = target.find('@'); at != std::string::npos && at > 0) names.push_back(target.substr(0, at));
    for (const std::string& name : names) {
      auto found = leads_to_.find(name);
      if (found == leads_to_.end()) continue;
      for (const std::string& alias : found->second) {
        if (seen.size() > kMaxAnswers || !seen.insert(alias).second) continue;
        out->push_back(alias);
        open.push_back(alias);
      }
    }
  }
}

std::vector<std::string> Aliases::of(std::string_view mailbox) const {
  std::vector<std::string> out;
  collect(ascii_lower(mailbox), &out);
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<std::string> Aliases::of_name(std::string_view name) const {
  std::vector<std::string> out;
  const std::string prefix = ascii_lower(name) + "@";
  for (auto each = leads_to_.lower_bound(prefix);
       each != leads_to_.end() && each->first.compare(0, prefix.size(), prefix) == 0 && out.size() <= kMaxAnswers;
       ++each)
    collect(each->first, &out);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  if (out.size() > kMaxAnswers) out.resize(kMaxAnswers);
  return out;
}

}  // namespace arch
