// Sessions lent to one call at a time, and the gate that shuts while the token is away.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "hsm/cipher.h"

namespace cardvault::hsm {

// Thread-safe. Its lock is never held during a PKCS#11 call.
class SessionPool {
 public:
  struct Slot {
    Channel channel;
    std::atomic<std::int64_t> since_ns{0};  // steady clock; 0: idle
  };

  class Lease {
   public:
    Lease() noexcept = default;
    Lease(SessionPool* pool, Slot* slot) noexcept : pool_(pool), slot_(slot) {}
    Lease(Lease&& other) noexcept
        : pool_(other.pool_), slot_(std::exchange(other.slot_, nullptr)) {}
    Lease& operator=(Lease&&) = delete;  // a lease ends where it began
    Lease(const Lease&) = delete;        // one call, one session
    ~Lease() {
      if (slot_ != nullptr) pool_->give_back(slot_);
    }
    explicit operator bool() const noexcept { return slot_ != nullptr; }
    [[nodiscard]] Channel& channel() const noexcept { return slot_->channel; }

   private:
    SessionPool* pool_ = nullptr;
    Slot* slot_ = nullptr;
  };

  // A free session; waits for one, and while the pool is paused. Empty once the pool is shut.
  [[nodiscard]] Lease acquire();
  // Puts these channels up for lending. REQUIRES: drained.
  void open(const std::vector<Channel>& channels);
  // Waiters and newcomers get nothing (shut) or wait (pause) until the next open().
  void shut();
  void pause();
  // Waits until every lease is back. REQUIRES: shut or paused.
  void drain();
  [[nodiscard]] bool is_open() const noexcept {
    return phase_.load(std::memory_order_relaxed) == Phase::kOpen;
  }
  // How long the oldest call in flight has been inside the module.
  [[nodiscard]] std::optional<std::chrono::milliseconds> oldest_call_age() const;
  // How many calls have been there for longer.
  [[nodiscard]] unsigned older_than(std::chrono::milliseconds age) const;

 private:
  enum class Phase : std::uint8_t { kShut, kPaused, kOpen };
  void give_back(Slot* slot) noexcept;

  mutable std::mutex mutex_;
  std::condition_variable free_or_shut_;
  std::condition_variable drained_;
  std::atomic<Phase> phase_{Phase::kShut};  // written under mutex_
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<Slot*> free_;
  std::size_t in_use_ = 0;
  std::size_t waiting_ = 0;
};

}  // namespace cardvault::hsm
