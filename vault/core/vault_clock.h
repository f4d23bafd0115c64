// Vault time (DESIGN section 8): never steps back; in doubt after a jump, until an operator
// confirms.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>

#include "vault/base/clock.h"

namespace cardvault::core {

// The larger of a persisted high-water mark and the wall clock at start, advanced by the boot
// clock. While running the wall clock may drift by up to 5 s and is followed (forward only); a
// larger difference, or at start a wall clock behind the mark by more than 5 s or ahead of it by
// more than `max_offline`, makes the clock untrusted. From then on the wall clock is left alone,
// and vault time goes on by the boot clock, until an operator confirms. Vault time that is ahead of
// a trusted wall clock runs at half speed until it is met. Thread-safe.
class VaultClock : public base::Clock {
 public:
  struct Sources {
    std::function<std::int64_t()> wall_ms;  // CLOCK_REALTIME
    std::function<std::int64_t()> boot_ms;  // CLOCK_BOOTTIME
  };
  static Sources system_sources();

  // high_water_ms: 0 on a new vault.
  VaultClock(Sources sources, std::int64_t high_water_ms, std::int64_t max_offline_ms);

  [[nodiscard]] std::int64_t now_ms() const override;
  [[nodiscard]] bool trusted() const override;
  // What made the clock untrusted, for the operator: how far the wall clock is from vault time.
  [[nodiscard]] std::int64_t offset_ms() const;
  // An operator vouches for the wall clock: vault time follows it from here, forward at once, and
  // where the wall clock is behind, at half speed (never back).
  void confirm();

 private:
  struct Moment {
    std::int64_t wall_ms, boot_ms;
  };
  [[nodiscard]] Moment look() const;
  std::int64_t advance_locked() const;
  [[nodiscard]] std::int64_t vault_time_locked(std::int64_t boot_ms) const;
  void set_base_locked(std::int64_t wall_ms, std::int64_t boot_ms) const;

  Sources sources_;
  mutable std::mutex mutex_;
  mutable std::int64_t base_ms_ = 0;  // what the wall clock should have shown at boot_base_ms_
  mutable std::int64_t boot_base_ms_ = 0;
  mutable std::int64_t lead_ms_ = 0;  // how far vault time was ahead of it then
  mutable std::int64_t last_ms_ = 0;  // the highest given out
  mutable bool trusted_ = true;
};

}  // namespace cardvault::core
