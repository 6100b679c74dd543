// Keeps long reading from taking the disk from those who wait for it.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <thread>

namespace arch {

/// One thread. Sleeps in took() so that no more than `bytes_per_second` are taken on average since it was made; 0: never.
class Throttle {
 public:
  /// `stop` ends a sleep early; it outlives this.
  Throttle(uint64_t bytes_per_second, const std::function<bool()>& stop) : rate_(bytes_per_second), stop_(stop) {}
  void took(uint64_t bytes) {
    if (rate_ == 0) return;
    taken_ += bytes;
    const auto due = begun_ + std::chrono::microseconds(taken_ * 1'000'000 / rate_);
    while (std::chrono::steady_clock::now() < due && !(stop_ && stop_()))
      std::this_thread::sleep_until(std::min(due, std::chrono::steady_clock::now() + kLongestSleep));
  }

 private:
  static constexpr std::chrono::milliseconds kLongestSleep{100};
  const uint64_t rate_;
  const std::function<bool()>& stop_;
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  uint64_t taken_ = 0;
};

}  // namespace arch
