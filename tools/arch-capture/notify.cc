#include "tools/arch-capture/notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace arch::capture {

ServiceManager::ServiceManager() {
  const char* path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  if (path == nullptr || (path[0] != '/' && path[0] != '@') || std::strlen(path) >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  size_t length = std::strlen(path);
  std::memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = '\0';  // a name without a file
  socket_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length + (path[0] == '@' ? 0 : 1));
  if (socket_ >= 0 && connect(socket_, reinterpret_cast<sockaddr*>(&address), size) != 0) {
    close(socket_);
    socket_ = -1;
  }
  const char* period = std::getenv("WATCHDOG_USEC");
  if (period != nullptr) watchdog_ = std::chrono::microseconds(std::strtoull(period, nullptr, 10));
}

ServiceManager::~ServiceManager() {
  if (socket_ >= 0) close(socket_);
}

void ServiceManager::say(const std::string& state) {
  // A manager that does not read is no reason to stop taking mail.
  if (socket_ >= 0) static_cast<void>(send(socket_, state.data(), state.size(), MSG_NOSIGNAL));
}

void ServiceManager::alive() {
  auto now = std::chrono::steady_clock::now();
  if (watchdog_.count() == 0 || now - last_ < watchdog_ / 2) return;
  last_ = now;
  say("WATCHDOG=1");
}

}  // namespace arch::capture
