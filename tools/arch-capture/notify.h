// Tells the service manager how we are: the plain datagram protocol of sd_notify(3), no library.
#pragma once

#include <chrono>
#include <string>

namespace arch::capture {

/// Connected at construction, since later the sandbox allows no new socket. Without $NOTIFY_SOCKET every call does nothing.
class ServiceManager {
 public:
  ServiceManager();
  ~ServiceManager();
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;

  void say(const std::string& state);  ///< "READY=1", "STOPPING=1", lines separated by \n. Lost when nobody listens
  void alive();                        ///< says WATCHDOG=1 when half of $WATCHDOG_USEC has passed since the last time

 private:
  int socket_ = -1;
  std::chrono::microseconds watchdog_{0};
  std::chrono::steady_clock::time_point last_;
};

}  // namespace arch::capture
