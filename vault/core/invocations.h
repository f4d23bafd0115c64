// GCM invocations of the encryption keys: at most 2^32 with random IVs (NIST SP 800-38D 8.3),
// reserved durably in blocks before use, so that no restart can rewind the count.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

#include "vault/base/result.h"
#include "vault/core/crypto.h"

namespace cardvault::core {

inline constexpr std::uint64_t kInvocationLimit = std::uint64_t{1} << 32;
inline constexpr std::uint64_t kInvocationBlock = 65536;

// Thread-safe.
class InvocationMeter {
 public:
  explicit InvocationMeter(std::uint64_t limit = kInvocationLimit) : limit_(limit) {}
  // At start: what the store says is reserved counts as used.
  void load(KeyRef key, std::uint64_t reserved);
  // One encryption. kKeyExhausted at the limit; kOverloaded when the reserved block is used up and
  // the next is not durable yet (the caller answers 503 with Retry-After).
  [[nodiscard]] base::Result<void> use(KeyRef key, std::uint32_t count = 1);
  // When less than half a block is left and none is being reserved: the new total to make durable
  // now. The caller commits it and then calls reserved() or reservation_failed().
  [[nodiscard]] std::optional<std::uint64_t> wants_reservation(KeyRef key);
  void reserved(KeyRef key, std::uint64_t total);
  void reservation_failed(KeyRef key);
  [[nodiscard]] std::uint64_t used(KeyRef key) const;
  [[nodiscard]] std::uint64_t limit() const noexcept { return limit_; }

 private:
  struct State {
    std::uint64_t used = 0, reserved = 0;
    bool pending = false;
  };
  const std::uint64_t limit_;
  mutable std::mutex mutex_;
  std::map<KeyRef, State> keys_;
};

}  // namespace cardvault::core
