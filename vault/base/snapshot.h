// A shared immutable value that is replaced as a whole: readers keep the one they took.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

namespace cardvault::base {

// Thread-safe. A mutex, not std::atomic<shared_ptr>: libstdc++ 12's is itself a spin lock, and one
// that the thread sanitizer can't follow.
template <class T>
class Snapshot {
 public:
  explicit Snapshot(std::shared_ptr<const T> value) : value_(std::move(value)) {}
  [[nodiscard]] std::shared_ptr<const T> load() const {
    const std::scoped_lock lock(mutex_);
    return value_;
  }
  void store(std::shared_ptr<const T> value) {
    const std::scoped_lock lock(mutex_);
    value_.swap(value);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const T> value_;
};

}  // namespace cardvault::base
