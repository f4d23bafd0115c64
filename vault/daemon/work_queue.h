// The bounded queue between the links and the workers.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "vault/core/operation.h"

namespace cardvault::daemon {

// Thread-safe; first come, first served.
class WorkQueue {
 public:
  explicit WorkQueue(std::size_t bound) : bound_(bound) {}

  // False when the queue is full or closed; the operation stays with the caller then.
  [[nodiscard]] bool push(std::unique_ptr<core::Operation>& operation) {
    {
      const std::scoped_lock lock(mutex_);
      if (closed_ || queue_.size() >= bound_) return false;
      queue_.push_back(std::move(operation));
    }
    ready_.notify_one();
    return true;
  }
  // A conflict's second try: goes ahead of the bound, for it already had its place.
  [[nodiscard]] bool push_again(std::unique_ptr<core::Operation>& operation) {
    {
      const std::scoped_lock lock(mutex_);
      if (closed_) return false;
      queue_.push_front(std::move(operation));
    }
    ready_.notify_one();
    return true;
  }
  // Waits for work; at most `most` operations, none once the queue is closed and empty.
  [[nodiscard]] std::vector<std::unique_ptr<core::Operation>> take(std::size_t most) {
    std::vector<std::unique_ptr<core::Operation>> out;
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [&] { return closed_ || !queue_.empty(); });
    while (!queue_.empty() && out.size() < most) {
      out.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
    return out;
  }
  // What is queued is still handed out; nothing more is taken in.
  void close() {
    {
      const std::scoped_lock lock(mutex_);
      closed_ = true;
    }
    ready_.notify_all();
  }
  [[nodiscard]] std::size_t size() const {
    const std::scoped_lock lock(mutex_);
    return queue_.size();
  }

 private:
  const std::size_t bound_;
  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::unique_ptr<core::Operation>> queue_;
  bool closed_ = false;
};

}  // namespace cardvault::daemon
