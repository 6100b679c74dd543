#include "tools/ask/client.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace arch::ask {
namespace {

constexpr int kTakenWaitMs = 250;  // longer, and the full program is quicker

Result<void> connect_to(const std::string& archive, int fd) {
  const std::string directory = socket_directory(archive);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::string path = directory + "/" + std::string(kSocketName);
  Descriptor opened;
  if (path.size() >= sizeof name.sun_path) {  // 108 bytes are the system's limit: the directory by a short name
    opened.reset(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (opened.get() < 0) return fail_errno(errno, directory);
    path = "/proc/self/fd/" + std::to_string(opened.get()) + "/" + std::string(kSocketName);
  }
  std::memcpy(name.sun_path, path.c_str(), path.size() + 1);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0) return {};
  if (errno == EAGAIN) return fail(Code::kTryAgain, "archd has too many to answer");
  if (errno == ECONNREFUSED || errno == ENOENT) return fail(Code::kNotFound, "no archd is running");
  return fail_errno(errno, directory);
}

// What anybody else prints might be anything, control characters of a terminal too.
Result<void> check_peer(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return fail_errno(errno, "SO_PEERCRED");
  if (peer.uid == ::geteuid() || peer.uid == 0 || ::geteuid() == 0) return {};
  return fail(Code::kDenied, "archd is that of another user");
}

Result<Said> receive(int fd, int wait_ms, Descriptor* file) {
  pollfd ready{fd, POLLIN, 0};
  int got = 0;
  while ((got = ::poll(&ready, 1, wait_ms)) < 0 && errno == EINTR) {
  }
  if (got == 0) return fail(Code::kTryAgain, "archd is busy");
  std::string packet(kInlineBytes + 64, '\0');
  iovec part{packet.data(), packet.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t size = 0;
  while ((size = ::recvmsg(fd, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
  }
  if (size <= 0 || (message.msg_flags & MSG_TRUNC) != 0) return fail(Code::kTryAgain, "archd ended meanwhile");
  if (const cmsghdr* header = CMSG_FIRSTHDR(&message);
      header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
    int passed = -1;
    std::memcpy(&passed, CMSG_DATA(header), sizeof passed);
    file->reset(passed);
  }
  packet.resize(static_cast<size_t>(size));
  return parse_reply(packet);
}

}  // namespace

Result<void> Printed::write() const {
  const std::string_view text = answer.text;
  if (!answer.in_file) {
    const std::string_view err = text.substr(answer.out_bytes);
    std::fwrite(err.data(), 1, err.size(), stderr);
    std::fwrite(text.data(), 1, answer.out_bytes, stdout);
    return {};
  }
  std::string buffer(1u << 18, '\0');
  const auto copy = [&](uint64_t offset, uint64_t bytes, std::FILE* to) -> Result<void> {
    while (bytes > 0 && std::ferror(to) == 0) {
      const ssize_t got =
          ::pread(file.get(), buffer.data(), std::min<uint64_t>(bytes, buffer.size()), static_cast<off_t>(offset));
      if (got <= 0) return fail(Code::kIo, "the answer of archd ends too early");
      std::fwrite(buffer.data(), 1, static_cast<size_t>(got), to);
      offset += static_cast<uint64_t>(got);
      bytes -= static_cast<uint64_t>(got);
    }
    return {};
  };
  ARCH_TRY_VOID(copy(answer.out_bytes, answer.err_bytes, stderr));
  return copy(0, answer.out_bytes, stdout);
}

Result<Printed> ask(const std::string& archive, const Request& request) {
  const std::string packet = encode(request);
  if (packet.size() > kMaxRequestBytes) return fail(Code::kTooLarge, "more than archd is asked");
  Descriptor fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return fail_errno(errno, "socket");
  ARCH_TRY_VOID(connect_to(archive, fd.get()));
  ARCH_TRY_VOID(check_peer(fd.get()));
  if (::send(fd.get(), packet.data(), packet.size(), MSG_NOSIGNAL) < 0) return fail_errno(errno, "archd");
  Descriptor file;
  ARCH_TRY(Said said, receive(fd.get(), kTakenWaitMs, &file));
  if (said.reply == Reply::kTaken) {
    ARCH_TRY(said, receive(fd.get(), -1, &file));
  }
  if (said.reply != Reply::kAnswer) return fail(Code::kInvalid, said.why);
  Printed printed;
  if (said.answer.in_file) {
    struct stat info {};
    if (file.get() < 0 || ::fstat(file.get(), &info) != 0 ||
        static_cast<uint64_t>(info.st_size) != uint64_t{said.answer.out_bytes} + said.answer.err_bytes)
      return fail(Code::kIo, "the answer of archd is not whole");
    printed.file = std::move(file);
    printed.connection = std::move(fd);
  }
  printed.answer = std::move(said.answer);
  return printed;
}

}  // namespace arch::ask
