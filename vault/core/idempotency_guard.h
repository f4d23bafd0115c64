// Which Idempotency-Keys are being worked on right now: a second request with one gets 409.
#pragma once

#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace cardvault::core {

// Thread-safe.
class IdempotencyGuard {
 public:
  // Held by the one request that runs under a key; gives the key free when destroyed.
  class Hold {
   public:
    Hold() = default;
    Hold(Hold&& other) noexcept
        : guard_(std::exchange(other.guard_, nullptr)), key_(std::move(other.key_)) {}
    Hold& operator=(Hold&& other) noexcept {
      release();
      guard_ = std::exchange(other.guard_, nullptr);
      key_ = std::move(other.key_);
      return *this;
    }
    Hold(const Hold&) = delete;             // one request runs under a key
    Hold& operator=(const Hold&) = delete;  // one request runs under a key
    ~Hold() { release(); }
    [[nodiscard]] explicit operator bool() const noexcept { return guard_ != nullptr; }

   private:
    friend class IdempotencyGuard;
    Hold(IdempotencyGuard* guard, std::pair<std::string, std::string> key)
        : guard_(guard), key_(std::move(key)) {}
    void release() {
      if (guard_ != nullptr) std::exchange(guard_, nullptr)->free(key_);
    }
    IdempotencyGuard* guard_ = nullptr;
    std::pair<std::string, std::string> key_;
  };

  // An empty Hold when another request runs under this client's key.
  [[nodiscard]] Hold take(std::string_view client, std::string_view key) {
    const std::scoped_lock lock(mutex_);
    auto [at, fresh] = running_.emplace(client, key);
    return fresh ? Hold(this, *at) : Hold();
  }

 private:
  void free(const std::pair<std::string, std::string>& key) {
    const std::scoped_lock lock(mutex_);
    running_.erase(key);
  }
  std::mutex mutex_;
  std::set<std::pair<std::string, std::string>> running_;
};

}  // namespace cardvault::core
