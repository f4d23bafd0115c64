// Which stored customer an identifier's fingerprint belongs to: saves a look-up per tokenize, for a
// commit empties the readers' page cache (docs/store.md).
#pragma once

#include <array>
#include <cstring>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include "vault/core/store.h"

namespace cardvault::core {

// A hint, never an authority: decisions read the row again in their transaction. Two generations,
// so that it holds the customers of lately and is bounded. Thread-safe.
class CustomerCache {
 public:
  static constexpr std::size_t kGeneration = 50'000;

  struct Known {
    std::int64_t row = 0;
    InternalId id{};
  };

  [[nodiscard]] std::optional<Known> find(const Fingerprint& name_fp) {
    const std::scoped_lock lock(mutex_);
    if (const auto at = young_.find(name_fp); at != young_.end()) return at->second;
    const auto at = old_.find(name_fp);
    if (at == old_.end()) return std::nullopt;
    const Known known = at->second;
    put_locked(name_fp, known);
    return known;
  }
  void put(const Fingerprint& name_fp, const Known& known) {
    const std::scoped_lock lock(mutex_);
    put_locked(name_fp, known);
  }

 private:
  struct Hash {
    std::size_t operator()(const Fingerprint& fp) const noexcept {
      std::size_t h = 0;  // an HMAC's bytes are as good a hash as any
      std::memcpy(&h, fp.data(), sizeof(h));
      return h;
    }
  };
  void put_locked(const Fingerprint& name_fp, const Known& known) {
    if (young_.size() >= kGeneration) {
      old_ = std::exchange(young_, {});
    }
    young_[name_fp] = known;
  }
  std::mutex mutex_;
  std::unordered_map<Fingerprint, Known, Hash> young_, old_;
};

}  // namespace cardvault::core
