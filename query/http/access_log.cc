#include "query/http/access_log.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/base/digest.h"
#include "engine/io/fs.h"

namespace arch::http {
namespace {

using Json = nlohmann::ordered_json;
constexpr std::string_view kEnding = ".log";
constexpr uint64_t kTailBytes = 64u << 10;
constexpr size_t kObjectBytes = 4096;  // of what a line repeats from a request

std::string hash_of(const std::string& line) { return Sha256::of(as_bytes(line)).hex(); }

Result<std::vector<std::string>> months(const std::string& directory) {
  ARCH_TRY(std::vector<std::string> names, Fs::real().list(directory));
  std::erase_if(names, [](const std::string& name) {
    return name.size() != 11 || name.compare(7, 4, kEnding) != 0 || name[4] != '-';
  });
  return names;  // sorted
}

// The last line of a file, without its line end; `whole` is false when a power cut took the end. Reads from the end.
Result<std::string> last_line(int fd, uint64_t size, bool* whole) {
  std::string tail;
  *whole = true;
  uint64_t from = size;
  while (from > 0) {
    const uint64_t step = std::min<uint64_t>(from, kTailBytes);
    std::string more(static_cast<size_t>(step), '\0');
    const ssize_t got = ::pread(fd, more.data(), more.size(), static_cast<off_t>(from - step));
    if (got != static_cast<ssize_t>(more.size()))
      return fail_errno(got < 0 ? errno : EIO, "cannot read the access log");
    from -= step;
    tail.insert(0, more);
    const size_t end = tail.back() == '\n' ? tail.size() - 1 : tail.size();
    const size_t begin = end == 0 ? std::string::npos : tail.rfind('\n', end - 1);
    if (begin == std::string::npos && from > 0) continue;
    *whole = end < tail.size();
    return tail.substr(begin == std::string::npos ? 0 : begin + 1,
                       end - (begin == std::string::npos ? 0 : begin + 1));
  }
  return tail;
}

/// A lock between processes, for as long as it lives.
class Locked {
 public:
  explicit Locked(int fd) : fd_(fd) {
    while (::flock(fd_, LOCK_EX) != 0 && errno == EINTR) {
    }
  }
  ~Locked() { ::flock(fd_, LOCK_UN); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

 private:
  const int fd_;
};

}  // namespace

AccessLog::~AccessLog() {
  if (fd_ >= 0) ::close(fd_);
  if (lock_ >= 0) ::close(lock_);
}

Result<std::unique_ptr<AccessLog>> AccessLog::open(const std::string& archive_directory) {
  std::unique_ptr<AccessLog> log(new AccessLog(archive_directory + "/state/access"));
  ARCH_TRY_VOID(Fs::real().make_directory(archive_directory + "/state"));
  ARCH_TRY_VOID(Fs::real().make_directory(log->directory_));
  const std::string path = log->directory_ + "/lock";
  log->lock_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0660);
  if (log->lock_ < 0) return fail_errno(errno, "cannot write " + path);
  return log;
}

Result<void> AccessLog::open_month(const std::string& month) {
  if (fd_ >= 0 && month == month_) return {};
  if (fd_ >= 0) ::close(fd_);
  const std::string path = directory_ + "/" + month + std::string(kEnding);
  fd_ = ::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0660);
  if (fd_ < 0) return fail_errno(errno, "cannot write " + path);
  month_ = month;
  size_ = UINT64_MAX;
  return Fs::real().sync_directory(directory_);
}

Result<void> AccessLog::go_on() {
  struct stat info {};
  if (::fstat(fd_, &info) != 0) return fail_errno(errno, "cannot read the access log in " + directory_);
  if (static_cast<uint64_t>(info.st_size) == size_) return {};
  // Somebody else wrote, or this is the first line of ours.
  bool whole = true;
  std::string line;
  if (info.st_size > 0) {
    ARCH_TRY(line, last_line(fd_, static_cast<uint64_t>(info.st_size), &whole));
  } else {
    ARCH_TRY(std::vector<std::string> names, months(directory_));
    std::erase_if(names, [this](const std::string& name) { return name.substr(0, 7) >= month_; });
    if (!names.empty()) {
      ARCH_TRY(std::string before, read_file(Fs::real(), directory_ + "/" + names.back(), UINT64_MAX));
      if (!before.empty() && before.back() == '\n') before.pop_back();
      line = before.substr(before.rfind('\n') + 1);
    }
  }
  if (!whole && ::write(fd_, "\n", 1) != 1) return fail_errno(errno, "cannot write the access log in " + directory_);
  const Json parsed = Json::parse(line, nullptr, false);
  if (parsed.is_object() && parsed.contains("seq") && parsed["seq"].is_number_unsigned()) {
    sequence_ = parsed["seq"];
  }
  previous_ = line.empty() ? std::string() : hash_of(line);
  return {};
}

Result<void> AccessLog::write(UnixNs now, const Access& access) {
  std::lock_guard thread_lock(mutex_);
  const Locked process_lock(lock_);
  const std::string time = format_rfc3339(now, 3);
  ARCH_TRY_VOID(open_month(time.substr(0, 7)));
  ARCH_TRY_VOID(go_on());
  Json entry = {{"seq", sequence_ + 1},
                {"time", time},
                {"who", access.who},
                {"verified", access.verified},
                {"surface", access.surface},
                {"action", access.action},
                {"object", access.object.substr(0, kObjectBytes)},
                {"detail", access.detail.substr(0, kObjectBytes)},
                {"prev", previous_}};
  const std::string line = entry.dump(-1, ' ', false, Json::error_handler_t::replace);
  const std::string bytes = line + "\n";
  // One write: a reader beside it sees whole lines.
  if (::write(fd_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) || ::fdatasync(fd_) != 0) {
    auto error = fail_errno(errno, "cannot write the access log in " + directory_);
    ::close(fd_);
    fd_ = -1;
    return error;
  }
  struct stat info {};
  size_ = ::fstat(fd_, &info) == 0 ? static_cast<uint64_t>(info.st_size) : UINT64_MAX;
  previous_ = hash_of(line);
  ++sequence_;
  return {};
}

Result<void> read_access_log(const std::string& archive_directory,
                             const std::function<bool(const std::string&, bool)>& each) {
  const std::string directory = archive_directory + "/state/access";
  ARCH_TRY(std::vector<std::string> names, months(directory));
  std::string previous;
  bool first = true;
  for (const std::string& name : names) {
    std::ifstream in(directory + "/" + name, std::ios::binary);
    if (!in) return fail(Code::kDenied, "cannot read " + directory + "/" + name);
    for (std::string line; std::getline(in, line);) {
      const Json parsed = Json::parse(line, nullptr, false);
      const bool said = parsed.is_object() && parsed.contains("prev") && parsed["prev"].is_string();
      // The oldest month that is kept begins in the middle of the chain.
      const bool sound = said && (first || parsed["prev"] == previous);
      if (!each(line, sound)) return {};
      previous = hash_of(line);
      first = false;
    }
  }
  return {};
}

}  // namespace arch::http
