#include "ingest/import/source.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <set>
#include <utility>

#include "engine/base/ascii.h"
#include "engine/base/buffer.h"
#include "engine/base/limits.h"
#include "ingest/import/looks.h"
#include "ingest/import/mbox.h"

namespace arch::import {
namespace {

constexpr size_t kFolderDepth = 200;
constexpr uint64_t kProgressStep = 1u << 20;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

std::string base_name(const std::string& path) {
  size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}
std::string parent(const std::string& path) {
  size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string size_text(uint64_t bytes) {
  if (bytes >= 1u << 20 && bytes % (1u << 20) == 0) return std::to_string(bytes >> 20) + " MiB";
  return std::to_string(bytes) + " bytes";
}

/// What other programs keep beside the mail of a Maildir; never mail.
bool is_maildir_bookkeeping(const std::string& name) {
  constexpr std::array<std::string_view, 6> kNames = {"maildirfolder",    "maildirsize", "subscriptions",
                                                      "courierimapuiddb", "dovecot-acl", "sieve"};
  if (std::find(kNames.begin(), kNames.end(), name) != kNames.end()) return true;
  for (std::string_view prefix : {"dovecot", "courierimap", ".uidvalidity", ".mbsync", ".lock"})
    if (name.compare(0, prefix.size(), prefix) == 0) return true;
  return false;
}

/// A file found by the traversal, or the reason why what was found is not read.
struct Found {
  std::string path;
  uint64_t size = 0;
  bool in_maildir = false;  ///< lies in cur/ or new/ of a Maildir: one message
  std::string refused;      ///< not empty: this is the reason
};

/// Walks the paths in order, folders in name order. No recursion: a stack of folders still to be read.
class Traversal {
 public:
  Traversal(const Options& options, std::function<Result<void>(const Found&)> each)
      : options_(options), each_(std::move(each)) {}

  Result<void> run(const std::vector<std::string>& paths) {
    ARCH_TRY(std::vector<Root> roots, resolve(paths));
    for (size_t i = 0; i < roots.size(); ++i) {
      if (covered(roots, i)) continue;
      if (S_ISDIR(roots[i].st.st_mode)) {
        ARCH_TRY_VOID(folder_tree(roots[i].path, roots[i].st));
      } else {
        ARCH_TRY_VOID(file(roots[i].path, roots[i].st, is_maildir_folder(parent(roots[i].path))));
      }
    }
    return {};
  }

 private:
  struct Folder {
    std::string path;
    size_t depth = 0;
  };
  using Identity = std::pair<uint64_t, uint64_t>;  // device, inode

  struct Root {
    std::string path;
    struct stat st {};
  };

  static Result<std::vector<Root>> resolve(const std::vector<std::string>& paths) {
    std::vector<Root> roots;
    for (const std::string& given : paths) {
      Root root;
      std::array<char, PATH_MAX> real{};
      if (::stat(given.c_str(), &root.st) != 0 || ::realpath(given.c_str(), real.data()) == nullptr) {
        auto error = fail_errno(errno, given);
        error.value().hint = error.value().code == Code::kNotFound ? "check the spelling of the path"
                                                                   : "check the permissions of the folders above it";
        return error;
      }
      root.path = real.data();
      roots.push_back(std::move(root));
    }
    return roots;
  }

  /// Named twice, or inside a folder that is named too: read once.
  static bool covered(const std::vector<Root>& roots, size_t i) {
    const std::string& path = roots[i].path;
    for (size_t j = 0; j < roots.size(); ++j) {
      const std::string& other = roots[j].path;
      if (j < i && other == path) return true;
      bool inside = path.size() > other.size() && path.compare(0, other.size(), other) == 0 &&
                    (other.back() == '/' || path[other.size()] == '/');
      if (inside && S_ISDIR(roots[j].st.st_mode)) return true;
    }
    return false;
  }

  /// cur/ and new/ hold one message a file, whether or not the other one is there.
  static bool is_maildir_folder(const std::string& path) {
    std::string name = base_name(path);
    return name == "cur" || name == "new";
  }

  Result<void> folder_tree(const std::string& root, const struct stat& st) {
    std::vector<Folder> stack;
    if (seen_folders_.insert(Identity{st.st_dev, st.st_ino}).second) stack.push_back(Folder{root, 0});
    while (!stack.empty()) {
      Folder folder = std::move(stack.back());
      stack.pop_back();
      std::vector<Folder> children;
      ARCH_TRY_VOID(folder_entries(folder, &children));
      for (auto child = children.rbegin(); child != children.rend(); ++child) stack.push_back(std::move(*child));
    }
    return {};
  }

  Result<void> folder_entries(const Folder& folder, std::vector<Folder>* children) {
    DIR* directory = ::opendir(folder.path.c_str());
    if (directory == nullptr) return refuse(folder.path, std::string("folder not readable: ") + std::strerror(errno));
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(directory)) {
      std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(std::move(name));
      errno = 0;
    }
    int error_number = errno;
    ::closedir(directory);
    if (error_number != 0)
      ARCH_TRY_VOID(refuse(folder.path, std::string("folder not readable: ") + std::strerror(error_number)));
    std::sort(names.begin(), names.end());

    auto has = [&names](const char* name) { return std::binary_search(names.begin(), names.end(), name); };
    bool maildir = has("cur") || has("new");
    bool maildir_part = is_maildir_folder(folder.path);
    for (const std::string& name : names) {
      std::string path = folder.path == "/" ? "/" + name : folder.path + "/" + name;
      struct stat st {};
      if (::lstat(path.c_str(), &st) != 0) {
        ARCH_TRY_VOID(refuse(path, std::strerror(errno)));
        continue;
      }
      if (S_ISLNK(st.st_mode)) {
        if (!options_.follow_links) {
          ARCH_TRY_VOID(refuse(path, "symbolic link (use --follow-links to read it)"));
          continue;
        }
        if (::stat(path.c_str(), &st) != 0) {
          ARCH_TRY_VOID(refuse(path, std::string("symbolic link: ") + std::strerror(errno)));
          continue;
        }
      }
      if (S_ISDIR(st.st_mode)) {
        if (maildir && name == "tmp") {
          ARCH_TRY_VOID(undelivered(path));
        } else if (folder.depth + 1 > kFolderDepth) {
          ARCH_TRY_VOID(refuse(path, "folders nested deeper than " + std::to_string(kFolderDepth)));
        } else if (seen_folders_.insert(Identity{st.st_dev, st.st_ino}).second) {
          children->push_back(Folder{path, folder.depth + 1});
        }
      } else if (!((maildir || maildir_part) && is_maildir_bookkeeping(name))) {
        ARCH_TRY_VOID(file(path, st, maildir_part));
      }
    }
    return {};
  }

  /// A Maildir's tmp/ holds what a delivery agent was still writing, or left behind.
  Result<void> undelivered(const std::string& path) {
    DIR* directory = ::opendir(path.c_str());
    if (directory == nullptr) return refuse(path, std::string("folder not readable: ") + std::strerror(errno));
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(directory))
      if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
    ::closedir(directory);
    std::sort(names.begin(), names.end());
    for (const std::string& name : names)
      ARCH_TRY_VOID(refuse(path + "/" + name, "in a Maildir's tmp/: never delivered"));
    return {};
  }

  Result<void> file(const std::string& path, const struct stat& st, bool maildir) {
    if (S_ISREG(st.st_mode)) return each_(Found{path, static_cast<uint64_t>(st.st_size), maildir, {}});
    const char* kind = S_ISFIFO(st.st_mode)                         ? "a pipe, not a file"
                       : S_ISSOCK(st.st_mode)                       ? "a socket, not a file"
                       : S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode) ? "a device, not a file"
                                                                    : "not a regular file";
    return refuse(path, kind);
  }

  Result<void> refuse(const std::string& path, std::string reason) {
    Found found;
    found.path = path;
    found.refused = std::move(reason);
    return each_(found);
  }

  const Options& options_;
  std::function<Result<void>(const Found&)> each_;
  std::set<Identity> seen_folders_;
};

/// A Maildir file is renamed when it is read or flagged; its mail stays the same one.
std::string origin_of(const Found& found) {
  if (!found.in_maildir) return found.path;
  std::string name = base_name(found.path);
  size_t info = name.rfind(":2,");
  if (info != std::string::npos) name.resize(info);
  return parent(parent(found.path)) + "/cur/" + name;
}

/// Reads one file and hands its messages to the visitor.
class FileReader {
 public:
  FileReader(const Options& options, Visitor& visitor)
      : options_(options),
        limit_(options.message_bytes != 0 ? std::min(options.message_bytes, limits::kMessageBytes)
                                          : limits::kMessageBytes),
        visitor_(visitor) {}

  Result<void> read(const Found& found) {
    if (!found.refused.empty()) return refuse(found.path, found.refused);
    ARCH_TRY_VOID(read_file(found));
    done_ += found.size;
    visitor_.progress(done_);
    return {};
  }

 private:
  Result<void> read_file(const Found& found) {
    // O_NONBLOCK: a pipe that took the file's place since it was looked at must not hang the import.
    Descriptor file(::open(found.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (file.get() < 0) return refuse(found.path, reason_of(errno));
    struct stat st {};
    if (::fstat(file.get(), &st) != 0) return refuse(found.path, reason_of(errno));
    if (!S_ISREG(st.st_mode)) return refuse(found.path, "not a regular file");

    auto got = read_up_to(file.get(), beginning_.data(), beginning_.size());
    if (!got) return refuse(found.path, got.error().what);
    const std::string_view beginning = beginning_.view().substr(0, *got);
    if (beginning.empty()) return refuse(found.path, "empty file");

    bool one_message = found.in_maildir || ends_with(ascii_lower(found.path), ".eml");
    if (!one_message) {
      if (beginning.compare(0, 5, "From ") == 0 && begins_mbox(beginning)) return mbox(found, file.get(), beginning);
      if (!looks_like_mail(beginning))
        return refuse(found.path, "not mail: no header field of a mail at its beginning");
    }
    return single(found, file.get(), beginning, static_cast<uint64_t>(st.st_size));
  }

  /// "From " with a date, or anything behind which a header begins.
  static bool begins_mbox(std::string_view beginning) {
    size_t end = beginning.find('\n');
    if (classify_from_line(beginning.substr(0, end)) == FromLine::kSeparator) return true;
    return end != std::string_view::npos && looks_like_mail(beginning.substr(end + 1)) &&
           is_header_field(beginning.substr(end + 1, beginning.find('\n', end + 1) - end - 1));
  }

  Result<void> single(const Found& found, int fd, std::string_view beginning, uint64_t size) {
    if (size > limit_) return refuse(found.path, too_large(size));
    // Thousands of messages wait for one sync: each takes the room of its own bytes, and whether a file has more than its size said
    // is found out beside it.
    std::string message;
    const size_t begun = beginning.size(), expected = std::max<size_t>(size, begun);
    message.reserve(expected);
    message.assign(beginning);
    message.resize(expected);
    auto got = read_up_to(fd, message.data() + begun, expected - begun);
    if (!got) return refuse(found.path, got.error().what);
    message.resize(begun + *got);
    while (message.size() <= limit_) {
      got = read_up_to(fd, beginning_.data(), beginning_.size());
      if (!got) return refuse(found.path, got.error().what);
      if (*got == 0) break;
      message.append(beginning_.data(), *got);
    }
    if (message.size() > limit_) return refuse(found.path, too_large(message.size()));
    return visitor_.message(Item{std::move(message), origin_of(found), {}});
  }

  Result<void> mbox(const Found& found, int fd, std::string_view beginning) {
    size_t given = 0;
    std::string read_error;
    ReadSome read = [&](char* buffer, size_t size) -> Result<size_t> {
      if (given < beginning.size()) {
        size_t n = std::min(size, beginning.size() - given);
        std::memcpy(buffer, beginning.data() + given, n);
        given += n;
        return n;
      }
      auto got = read_up_to(fd, buffer, size);
      if (got) return *got;
      read_error = got.error().what;
      return size_t{0};  // what came before is kept; the rest is reported
    };
    MboxOptions options;
    options.mboxrd = options_.mboxrd;
    options.message_bytes = limit_;
    const uint64_t before = done_;
    uint64_t shown = 0;
    auto each = [&](MboxMessage m) -> Result<void> {
      std::string origin = found.path + "#" + std::to_string(m.offset);
      if (m.size > limit_) return refuse(origin, too_large(m.size));
      if (m.size == 0) return refuse(origin, "empty message");
      return visitor_.message(Item{std::move(m.message), std::move(origin), std::move(m.separator)});
    };
    auto progress = [&](uint64_t bytes) {
      if (bytes < shown + kProgressStep) return;
      shown = bytes;
      visitor_.progress(before + bytes);
    };
    ARCH_TRY_VOID(read_mbox(read, options, each, progress));
    if (!read_error.empty()) return refuse(found.path, "rest of the file not read: " + read_error);
    return {};
  }

  static Result<size_t> read_up_to(int fd, char* buffer, size_t size) {
    size_t have = 0;
    while (have < size) {
      ssize_t got = ::read(fd, buffer + have, size - have);
      if (got < 0) {
        if (errno == EINTR) continue;
        return fail(Code::kIo, reason_of(errno));
      }
      if (got == 0) break;
      have += static_cast<size_t>(got);
    }
    return have;
  }

  static std::string reason_of(int error_number) {
    if (error_number == EACCES || error_number == EPERM) return "permission denied";
    if (error_number == ENOENT) return "gone before it could be read";
    return std::string("not readable: ") + std::strerror(error_number);
  }

  std::string too_large(uint64_t size) const {
    return "message of " + std::to_string(size) + " bytes is over the limit of " + size_text(limit_);
  }

  Result<void> refuse(std::string origin, std::string reason) {
    visitor_.refused(Refused{std::move(origin), std::move(reason)});
    return {};
  }

  const Options& options_;
  const uint64_t limit_;
  Visitor& visitor_;
  Buffer beginning_{kBeginningBytes};  ///< of the file that is being read
  uint64_t done_ = 0;
};

}  // namespace

Result<Totals> scan(const std::vector<std::string>& paths, const Options& options) {
  Totals totals;
  Traversal traversal(options, [&totals](const Found& found) -> Result<void> {
    if (found.refused.empty()) {
      ++totals.files;
      totals.bytes += found.size;
    }
    return {};
  });
  ARCH_TRY_VOID(traversal.run(paths));
  return totals;
}

Result<void> walk(const std::vector<std::string>& paths, const Options& options, Visitor& visitor) {
  FileReader reader(options, visitor);
  Traversal traversal(options, [&reader](const Found& found) { return reader.read(found); });
  return traversal.run(paths);
}

}  // namespace arch::import
