// Ledger: what a store was given and what it promised, at which step of a FaultFs. A record is noted `pending` before the
// store sees it and `promised` after the store has said that it is durable. A power cut in between allows either outcome and
// nothing else (the expected state of RocksDB's stress test is built the same way).
//
// Threads   Any.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace arch {

class Ledger {
 public:
  Ledger() = default;
  Ledger(Ledger&& other) noexcept : entries_(std::move(other.entries_)) {}

  void pending(const std::string& key, std::string value) {
    std::lock_guard lock(mutex_);
    entries_[key].value = std::move(value);
  }
  /// `step`: FaultFs::steps() once the promise was made. A cut at that step or later must not lose the record.
  void promised(const std::string& key, size_t step) {
    std::lock_guard lock(mutex_);
    Entry& entry = entries_[key];
    entry.promised = true;
    entry.step = step;
  }

  size_t promises(size_t step) const {
    std::lock_guard lock(mutex_);
    size_t count = 0;
    for (const auto& [key, entry] : entries_) count += entry.promised && entry.step <= step;
    return count;
  }
  std::vector<std::string> promised_but_missing(size_t step, const std::map<std::string, std::string>& found) const {
    std::lock_guard lock(mutex_);
    std::vector<std::string> missing;
    for (const auto& [key, entry] : entries_)
      if (entry.promised && entry.step <= step && found.find(key) == found.end()) missing.push_back(key);
    return missing;
  }
  /// Records that the store gives back although nobody gave it these bytes under this key.
  std::vector<std::string> present_but_altered(const std::map<std::string, std::string>& found) const {
    std::lock_guard lock(mutex_);
    std::vector<std::string> altered;
    for (const auto& [key, value] : found) {
      auto entry = entries_.find(key);
      if (entry == entries_.end() || entry->second.value != value) altered.push_back(key);
    }
    return altered;
  }

 private:
  struct Entry {
    std::string value;
    bool promised = false;
    size_t step = 0;
  };
  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;
};

}  // namespace arch
