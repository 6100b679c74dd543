#include "ingest/reconcile/log_source.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "ingest/reconcile/postfix_line.h"

extern char** environ;

namespace arch::reconcile {
namespace {

constexpr unsigned kBuffer = 256u << 10;

// zlib reads what is not compressed as it stands.
class GzFile : public LogSource {
 public:
  GzFile(std::string name, gzFile file) : name_(std::move(name)), file_(file) { ::gzbuffer(file_, kBuffer); }
  ~GzFile() override { ::gzclose(file_); }
  GzFile(const GzFile&) = delete;
  GzFile& operator=(const GzFile&) = delete;

  Result<bool> next(std::string* line) override {
    line->clear();
    std::array<char, 4096> piece;
    bool any = false;
    while (::gzgets(file_, piece.data(), static_cast<int>(piece.size())) != nullptr) {
      any = true;
      // gzgets ends at the first NUL as far as strlen can tell; a log has none, and what has is no line of Postfix.
      const size_t size = std::strlen(piece.data());
      const bool end = size > 0 && piece[size - 1] == '\n';
      if (line->size() < kLineBytes)
        line->append(piece.data(), std::min(size - (end ? 1 : 0), kLineBytes - line->size()));
      if (end) return true;
    }
    int error_number = Z_OK;
    const char* message = ::gzerror(file_, &error_number);
    if (error_number == Z_ERRNO) return fail_errno(errno, name_);
    if (error_number != Z_OK)
      return fail(Code::kCorrupt, name_ + ": " + message,
                  "the compressed log is damaged; what came before it was read");
    return any;
  }

 private:
  std::string name_;
  gzFile file_;
};

class Journal : public LogSource {
 public:
  static Result<std::unique_ptr<LogSource>> start(const std::string& unit, UnixNs since) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno(errno, "journalctl");
    std::vector<std::string> words = {"journalctl", "--quiet", "--no-pager", "--output=short-iso-precise"};
    if (since > 0) words.push_back("--since=@" + std::to_string(since / kNsPerSecond));
    words.push_back(unit.empty() ? "SYSLOG_FACILITY=2" : "--unit=" + unit);
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    pid_t child = 0;
    const int error_number = ::posix_spawnp(&child, "journalctl", &actions, nullptr, argv.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    gzFile file = error_number == 0 ? ::gzdopen(ends[0], "rb") : nullptr;
    if (file == nullptr) {
      ::close(ends[0]);
      auto error = fail_errno(error_number != 0 ? error_number : ENOMEM, "journalctl");
      error.value().hint = "is systemd's journal on this machine? In a container, name a log file";
      return error;
    }
    return std::unique_ptr<LogSource>(new Journal(child, file));
  }

  ~Journal() override { reap(); }

  Result<bool> next(std::string* line) override {
    if (lines_ == nullptr) return false;
    ARCH_TRY(bool got, lines_->next(line));
    if (got) return true;
    const int status = reap();
    if (status != 0)
      return fail(Code::kIo, "journalctl ended with status " + std::to_string(status),
                  "see what it says; the user needs the group systemd-journal");
    return false;
  }

 private:
  Journal(pid_t child, gzFile file) : child_(child), lines_(std::make_unique<GzFile>("journalctl", file)) {}

  int reap() {
    lines_.reset();  // a writer that is still there gets SIGPIPE
    if (child_ <= 0) return 0;
    int status = 0;
    while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) {
    }
    child_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  }

  pid_t child_;
  std::unique_ptr<GzFile> lines_;
};

Result<std::unique_ptr<GzFile>> open_file(const std::string& name) {
  errno = 0;
  const int descriptor = name == "-" ? ::dup(STDIN_FILENO) : ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return fail_errno(errno, name);
  struct stat info {};
  if (::fstat(descriptor, &info) == 0 && S_ISDIR(info.st_mode)) {
    ::close(descriptor);
    return fail(Code::kUsage, name + " is a directory", "name the log files in it");
  }
  gzFile file = ::gzdopen(descriptor, "rb");
  if (file == nullptr) {
    ::close(descriptor);
    return fail(Code::kIo, name + ": no memory to read it");
  }
  return std::make_unique<GzFile>(name, file);
}

class Files : public LogSource {
 public:
  explicit Files(std::vector<std::string> names) : names_(std::move(names)) {}

  Result<bool> next(std::string* line) override {
    for (;;) {
      if (current_ == nullptr) {
        if (at_ == names_.size()) return false;
        ARCH_TRY(current_, open_file(names_[at_++]));
      }
      ARCH_TRY(bool got, current_->next(line));
      if (got) return true;
      current_.reset();
    }
  }

 private:
  std::vector<std::string> names_;
  size_t at_ = 0;
  std::unique_ptr<GzFile> current_;
};

// The first time stamp within the first lines; 0 when there is none.
Result<UnixNs> begins(const std::string& name, UnixNs now) {
  ARCH_TRY(std::unique_ptr<GzFile> file, open_file(name));
  LineParser parser(now);
  std::string line;
  for (int i = 0; i < 1000; ++i) {
    ARCH_TRY(bool got, file->next(&line));
    if (!got) break;
    if (auto time = parser.time_of(line)) return *time;
  }
  return 0;
}

bool is_journal(const std::string& name) { return name == "journal" || name.rfind("journal:", 0) == 0; }

}  // namespace

Result<std::unique_ptr<LogSource>> open_log(const std::vector<std::string>& names, UnixNs since, UnixNs now) {
  for (const std::string& name : names) {
    if (!is_journal(name) && name != "-") continue;
    if (names.size() != 1) return fail(Code::kUsage, name + " goes with no other log", "name it alone");
    if (is_journal(name)) return Journal::start(name == "journal" ? "" : name.substr(8), since);
    return std::unique_ptr<LogSource>(new Files(names));
  }
  std::vector<std::pair<UnixNs, std::string>> ordered;
  for (const std::string& name : names) {
    ARCH_TRY(UnixNs first, begins(name, now));
    ordered.emplace_back(first, name);
  }
  std::stable_sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> sorted;
  for (auto& [first, name] : ordered) sorted.push_back(std::move(name));
  return std::unique_ptr<LogSource>(new Files(std::move(sorted)));
}

Result<std::vector<std::string>> with_rotated(const std::string& name, UnixNs since) {
  if (is_journal(name) || name == "-") return std::vector<std::string>{name};
  const std::filesystem::path path(name);
  const std::string base = path.filename().string();
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  std::vector<std::string> found;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string other = it->path().filename().string();
    if (other.rfind(base, 0) != 0) continue;
    std::string rest = other.substr(base.size());
    if (rest.size() > 3 && rest.compare(rest.size() - 3, 3, ".gz") == 0) rest.resize(rest.size() - 3);
    const bool rotated = rest.size() > 1 && (rest[0] == '.' || rest[0] == '-') &&
                         rest.find_first_not_of("0123456789-", 1) == std::string::npos;
    struct stat info {};
    if (!rotated || ::stat(it->path().c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    if (static_cast<UnixNs>(info.st_mtim.tv_sec + 1) * kNsPerSecond >= since) found.push_back(it->path().string());
  }
  if (error) return fail_errno(error.value(), folder.string());
  found.push_back(name);
  return found;
}

}  // namespace arch::reconcile
