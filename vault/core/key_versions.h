// Which versions of each key are in use: all that operations know of a key's life.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <span>

#include "vault/base/check.h"
#include "vault/core/crypto.h"

namespace cardvault::core {

// A key's versions that may be asked for: the active one, then earlier ones that rows may still
// stand under, the newest first.
class KeyVersions {
 public:
  static constexpr std::size_t kMaxEarlier = 7;

  KeyVersions() = default;
  // REQUIRES at most kMaxEarlier earlier ones.
  KeyVersions(std::uint32_t active, std::span<const std::uint32_t> earlier)
      : count_(earlier.size()) {
    CARDVAULT_CHECK(count_ <= kMaxEarlier);
    versions_[0] = active;
    std::ranges::copy(earlier, versions_.begin() + 1);
  }
  [[nodiscard]] std::uint32_t active() const noexcept { return versions_[0]; }
  [[nodiscard]] std::span<const std::uint32_t> earlier() const noexcept {
    return std::span(versions_).subspan(1, count_);
  }

 private:
  std::array<std::uint32_t, kMaxEarlier + 1> versions_{};
  std::size_t count_ = 0;
};

// The versions in use. Thread-safe; while a vault runs it is set on the committer's thread alone,
// between two groups. So an operation that notes the generation before it prepares, and finds it
// the same in apply(), has used the keys that are in use: else it is a conflict, and it prepares
// again.
class ActiveKeys {
 public:
  // What new records use.
  [[nodiscard]] KeyRef get(KeyPurpose purpose) const noexcept {
    return {purpose, of(purpose).active.load(std::memory_order_acquire)};
  }
  // What look-ups by an index key have to try.
  [[nodiscard]] KeyVersions usable(KeyPurpose purpose) const noexcept {
    const std::scoped_lock lock(mutex_);
    return of(purpose).usable;
  }
  [[nodiscard]] std::uint64_t generation() const noexcept { return generation_.load(); }

  void set(KeyRef key, std::span<const std::uint32_t> earlier = {}) noexcept {
    const std::scoped_lock lock(mutex_);
    State& state = states_[static_cast<std::size_t>(key.purpose)];
    state.usable = KeyVersions(key.version, earlier);
    state.active.store(key.version, std::memory_order_release);
    generation_.fetch_add(1);
  }

 private:
  struct State {
    std::atomic<std::uint32_t> active{0};
    KeyVersions usable;
  };
  [[nodiscard]] const State& of(KeyPurpose purpose) const noexcept {
    return states_[static_cast<std::size_t>(purpose)];
  }
  mutable std::mutex mutex_;
  std::array<State, kKeyPurposes> states_{};
  std::atomic<std::uint64_t> generation_{0};
};

}  // namespace cardvault::core
