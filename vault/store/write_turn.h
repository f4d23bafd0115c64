// Whose turn it is to write: the committer's, group after group, or once the checkpointer's.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>

namespace cardvault::store {

// SQLite's own lock is polled: a checkpointer never finds it free between a busy committer's
// groups. Here the committer steps back as soon as the other asks. Thread-safe.
class WriteTurn {
 public:
  // The committer, around one group.
  [[nodiscard]] std::unique_lock<std::mutex> take() {
    std::unique_lock lock(mutex_);
    free_.wait(lock, [this] { return !wanted_; });
    return lock;
  }
  // The checkpointer: runs `work` when the group at hand is done, before the next. One caller.
  template <class Work>
  void precede(const Work& work) {
    wanted_ = true;
    {
      const std::lock_guard lock(mutex_);
      work();
      wanted_ = false;
    }
    free_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable free_;
  std::atomic<bool> wanted_ = false;
};

}  // namespace cardvault::store
