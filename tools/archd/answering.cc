#include "tools/archd/answering.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/io/fs.h"
#include "tools/archctl/reading.h"
#include "tools/archd/log.h"
#include "tools/ask/descriptor.h"
#include "tools/ask/wire.h"

namespace arch::daemon {
namespace {

constexpr size_t kWorkers = 4;
constexpr int kBacklog = 128;
constexpr int kRequestWaitMs = 250;
constexpr int kIdleMs = 10'000;   // an index that is open keeps files that were replaced on disk
constexpr size_t kMostLent = 16;  // files of answers that are still being read

using ask::Descriptor;

bool ready(int fd, short events, int wait_ms) {
  pollfd wanted{fd, events, 0};
  return ::poll(&wanted, 1, wait_ms) > 0;
}

tool::Terminal terminal_of(const ask::Screen& screen) { return {screen.interactive, screen.colour, screen.columns}; }

/// Keeps what a command prints, as long as it is worth sending.
class Kept : public ctl::Console {
 public:
  explicit Kept(const ask::Request& request) {
    out = terminal_of(request.out);
    err = terminal_of(request.err);
  }
  void print(std::string_view text) override { keep(&printed, text); }
  void say(std::string_view text) override { keep(&said, text); }
  // What is wrong with the words, or is not there, is the same wherever it is looked at.
  void failed(const Error& error) override {
    if (error.code != Code::kUsage && error.code != Code::kInvalid && error.code != Code::kNotFound &&
        error.code != Code::kTooLarge)
      unusual = describe(error);
  }

  std::string printed, said;
  std::string unusual;  ///< why the asker had better look itself

 private:
  void keep(std::string* to, std::string_view text) {
    if (printed.size() + said.size() + text.size() > ask::kMaxAnswerBytes) {
      unusual = "more than archd answers";
    } else {
      to->append(text);
    }
  }
};

/// The alias maps, read again when one of their files is another one.
class AliasBook {
 public:
  explicit AliasBook(const std::vector<std::string>& maps) : maps_(maps) {}
  const std::vector<std::string>& maps() const { return maps_; }

  /// Any thread.
  Result<std::shared_ptr<const Aliases>> get() {
    const std::lock_guard lock(mutex_);
    std::vector<Stamp> now = stamps();
    if (!loaded_ || now != stamps_) {
      ARCH_TRY(Aliases fresh, Aliases::load(maps_));
      loaded_ = std::make_shared<const Aliases>(std::move(fresh));
      stamps_ = std::move(now);
    }
    return loaded_;
  }

 private:
  using Stamp = std::array<int64_t, 4>;
  // Of the text, and of the database that postmap makes of it.
  std::vector<Stamp> stamps() const {
    std::vector<Stamp> out;
    for (const std::string& map : maps_) {
      const std::string path = map.substr(map[0] == '/' ? 0 : map.find(':') + 1);
      for (const char* ending : {"", ".db", ".lmdb", ".cdb"}) {
        struct stat info {};
        const bool there = ::stat((path + ending).c_str(), &info) == 0;
        out.push_back(
            there ? Stamp{static_cast<int64_t>(info.st_ino), info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec}
                  : Stamp{-1, 0, 0, 0});
      }
    }
    return out;
  }
  const std::vector<std::string>& maps_;
  std::mutex mutex_;
  std::vector<Stamp> stamps_;
  std::shared_ptr<const Aliases> loaded_;
};

/// A worker's: the archive that is open, and an index kept open from one command to the next.
class Standing : public ctl::Holdings {
 public:
  Standing(const Archive& archive, AliasBook& aliases) : archive_(archive), aliases_(aliases) {}
  Result<const Archive*> archive() override { return &archive_; }
  Result<search::Searcher*> searcher() override {
    if (!searcher_) {
      ARCH_TRY(searcher_, search::Searcher::open(archive_));
    }
    return searcher_.get();
  }
  Result<std::shared_ptr<const Aliases>> aliases() override {
    auto found = aliases_.get();
    if (!found) aliases_failed = true;
    return found;
  }
  void let_go() { searcher_.reset(); }
  bool aliases_failed = false;

 private:
  const Archive& archive_;
  AliasBook& aliases_;
  std::unique_ptr<search::Searcher> searcher_;
};

/// stdout and stderr of a command, in memory that is a file to whoever gets the descriptor. Errors: kIo.
Result<Descriptor> file_of(const Kept& kept) {
  Descriptor file(::memfd_create("archctl", MFD_CLOEXEC));
  if (file.get() < 0) return fail_errno(errno, "memfd_create");
  for (std::string_view text : {std::string_view(kept.printed), std::string_view(kept.said)})
    while (!text.empty()) {
      const ssize_t written = ::write(file.get(), text.data(), text.size());
      if (written <= 0) return fail_errno(errno, "an answer's file");
      text.remove_prefix(static_cast<size_t>(written));
    }
  return file;
}

// One packet, now or never: the asker's side has room for it, or the asker has done something else with its room.
bool send_packet(int fd, const std::string& packet, int passed = -1) {
  iovec part{const_cast<char*>(packet.data()), packet.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  if (passed >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &passed, sizeof passed);
  }
  return ::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == static_cast<ssize_t>(packet.size());
}

}  // namespace

struct Answering::State {
  State(const Archive& given, const config::Config& given_config)
      : archive(given), config(given_config), aliases(given_config.mta_aliases) {}

  const Archive& archive;
  const config::Config& config;
  AliasBook aliases;
  std::string path;  // of the socket; as bind() was given it
  Descriptor directory, listener, stop;
  uid_t owner = 0;  // of the archive
  std::vector<std::thread> workers;
  std::mutex mutex;
  std::list<Descriptor> lent;  // connections of those who read an answer's file, by mutex

  // The archive is ours alone (the engine's lock), so that a socket that lies there is nobody's any more.
  Result<void> listen() {
    const std::string folder = ask::socket_directory(archive.directory()), name(ask::kSocketName);
    ARCH_TRY_VOID(Fs::real().make_directory(folder));
    directory = Descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat info {};
    if (directory.get() < 0 || ::fstat(directory.get(), &info) != 0) return fail_errno(errno, folder);
    owner = info.st_uid;
    if (::fstatat(directory.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) {
      if (!S_ISSOCK(info.st_mode)) return fail(Code::kExists, folder + "/" + name + " is no socket");
      if (::unlinkat(directory.get(), name.c_str(), 0) != 0) return fail_errno(errno, folder + "/" + name);
    }
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path = folder + "/" + name;
    if (path.size() >= sizeof address.sun_path)  // 108 bytes are the system's limit: the directory by a short name
      path = "/proc/self/fd/" + std::to_string(directory.get()) + "/" + name;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    listener = Descriptor(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (listener.get() < 0) return fail_errno(errno, "socket");
    // Until listen() nobody can connect, whatever the mode is.
    if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::chmod(path.c_str(), 0600) != 0 || ::listen(listener.get(), kBacklog) != 0)
      return fail_errno(errno, path);
    stop = Descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (stop.get() < 0) return fail_errno(errno, "eventfd");
    return {};
  }

  void work() {
    Standing standing(archive, aliases);
    std::array<pollfd, 2> fds = {pollfd{stop.get(), POLLIN, 0}, pollfd{listener.get(), POLLIN, 0}};
    for (;;) {
      const int got = ::poll(fds.data(), fds.size(), kIdleMs);
      if (got == 0) standing.let_go();
      if (got <= 0) continue;
      if (fds[0].revents != 0) return;
      Descriptor asker(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (asker.get() < 0) {
        // Another worker has it; or there are no descriptors left, which only time mends.
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) ready(stop.get(), POLLIN, 100);
        continue;
      }
      try {
        serve(std::move(asker), &standing);
      } catch (const std::bad_alloc&) {
        throw;
      } catch (const std::exception& problem) {
        log("error", std::string("a command of archctl could not be carried out: ") + problem.what());
        standing.let_go();
      }
    }
  }

  bool may_ask(int asker) const {
    ucred peer{};
    socklen_t size = sizeof peer;
    return ::getsockopt(asker, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == 0 || peer.uid == ::geteuid() || peer.uid == owner);
  }

  void serve(Descriptor asker, Standing* standing) {
    if (!may_ask(asker.get())) return;
    if (!ready(asker.get(), POLLIN, kRequestWaitMs)) return;
    std::string packet(ask::kMaxRequestBytes + 1, '\0');
    const ssize_t size = ::recv(asker.get(), packet.data(), packet.size(), 0);
    if (size <= 0) return;  // it has gone meanwhile
    packet.resize(static_cast<size_t>(size));
    auto request = ask::parse_request(packet);
    if (!request) {
      send_packet(asker.get(), ask::encode_no(request.error().what));
      return;
    }
    if (!send_packet(asker.get(), ask::encode_taken())) return;
    Kept kept(*request);
    auto status = carry_out(*request, standing, &kept);
    if (!status || !kept.unusual.empty()) {
      standing->let_go();
      send_packet(asker.get(), ask::encode_no(status ? kept.unusual : describe(status.error())));
      return;
    }
    answer(std::move(asker), *status, std::move(kept));
  }

  /// The exit status, everything printed into `kept`. Errors: the asker had better do it itself, says why.
  Result<int> carry_out(const ask::Request& request, Standing* standing, Kept* kept) const {
    if (request.version != ARCH_VERSION) return fail(Code::kTooNew, "archd is another version, " ARCH_VERSION);
    if (archive.rebuilding()) return fail(Code::kTryAgain, "the catalog is being made anew");
    ARCH_TRY(ctl::Words words, ctl::parse(request.words));
    if (words.command == nullptr || !words.command->asks || words.has("help") || words.has("version") ||
        words.arguments.size() < words.command->least_arguments ||
        words.arguments.size() > words.command->most_arguments)
      return fail(Code::kUsage, "not a command that archd carries out");
    ctl::Invocation invocation{std::move(words), {}, archive.directory()};
    // No text from outside is read as a configuration: that of archd is read already, and of none the defaults count.
    if (!request.config.empty()) {
      if (request.config != config.text) return fail(Code::kInvalid, "another configuration than that of archd");
      invocation.config = config;
    }
    if (request.archive_is_configured && invocation.config.data_dir != request.data_dir)
      return fail(Code::kInvalid, "the configuration names another archive");
    // They are files, which may be others where the asker stands; what archd itself is told to read is meant to be the same.
    if (invocation.config.mta_aliases != aliases.maps())
      return fail(Code::kInvalid, "other mta.aliases than those of archd");
    kept->errors_in_json = invocation.has("json");
    invocation.console = kept;
    invocation.holdings = standing;
    standing->aliases_failed = false;
    const int status = ctl::run_reading(invocation);
    if (standing->aliases_failed) return fail(Code::kIo, "archd cannot read mta.aliases");
    return status;
  }

  void answer(Descriptor asker, int status, Kept kept) {
    ask::Answer said;
    said.status = static_cast<uint8_t>(status);
    said.out_bytes = static_cast<uint32_t>(kept.printed.size());
    said.err_bytes = static_cast<uint32_t>(kept.said.size());
    if (kept.printed.size() + kept.said.size() <= ask::kInlineBytes) {
      said.text = std::move(kept.printed) + kept.said;
      send_packet(asker.get(), encode(said));
      return;
    }
    said.in_file = true;
    const std::lock_guard lock(mutex);
    lent.remove_if([](const Descriptor& reading) { return ready(reading.get(), POLLRDHUP, 0); });
    auto file = lent.size() < kMostLent ? file_of(kept) : fail(Code::kTryAgain, "too many answers are being read");
    if (!file) {
      send_packet(asker.get(), ask::encode_no(describe(file.error())));
    } else if (send_packet(asker.get(), encode(said), file->get())) {
      lent.push_back(std::move(asker));
    }
  }
};

Answering::Answering(const Archive& archive, const config::Config& config)
    : state_(std::make_unique<State>(archive, config)) {
  if (auto started = state_->listen(); !started) {
    log("warn", "archctl is not answered, and opens the archive itself: " + describe(started.error()));
    return;
  }
  for (size_t i = 0; i < kWorkers; ++i) state_->workers.emplace_back([this] { state_->work(); });
}

Answering::~Answering() {
  if (state_->workers.empty()) return;
  ::unlink(state_->path.c_str());
  static_cast<void>(::eventfd_write(state_->stop.get(), 1));
  for (std::thread& worker : state_->workers) worker.join();
}

}  // namespace arch::daemon
