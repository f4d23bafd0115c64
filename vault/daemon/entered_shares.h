// Shares of the PIN that custodians have entered, until there are enough or they waited too long.
#pragma once

#include <chrono>
#include <span>
#include <vector>

#include "vault/base/secret.h"
#include "vault/custody/share.h"

namespace cardvault::daemon {

// Not thread-safe. Whatever leaves it, leaves it wiped.
class EnteredShares {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr auto kLife = std::chrono::minutes(10);  // of all of them, after the last one

  void add(custody::Share share, Time now);
  // True when there were some and none came for kLife: they are gone now.
  bool drop_old(Time now);
  void clear() { shares_.clear(); }
  [[nodiscard]] std::span<const custody::Share> all() const noexcept { return shares_; }
  [[nodiscard]] std::size_t size() const noexcept { return shares_.size(); }
  // What they rebuild; afterwards there are none. REQUIRES as many as the secret needs.
  [[nodiscard]] base::SecretBuffer combine();

 private:
  std::vector<custody::Share> shares_;
  Time last_;
};

}  // namespace cardvault::daemon
