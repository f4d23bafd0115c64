#include "vault/core/vault_clock.h"

#include <time.h>

#include <algorithm>
#include <utility>

#include "vault/base/check.h"

namespace cardvault::core {
namespace {

constexpr std::int64_t kMaxDriftMs = 5000;
constexpr std::int64_t kGlanceMs = 100;

std::int64_t read_clock_ms(clockid_t id) {
  timespec now{};
  CARDVAULT_CHECK(clock_gettime(id, &now) == 0);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

}  // namespace

VaultClock::Sources VaultClock::system_sources() {
  return {[] { return read_clock_ms(CLOCK_REALTIME); },
          [] { return read_clock_ms(CLOCK_BOOTTIME); }};
}

VaultClock::VaultClock(Sources sources, std::int64_t high_water_ms, std::int64_t max_offline_ms)
    : sources_(std::move(sources)) {
  const auto [wall, boot] = look();
  const bool new_vault = high_water_ms == 0;
  trusted_ =
      new_vault || (wall >= high_water_ms - kMaxDriftMs && wall <= high_water_ms + max_offline_ms);
  last_ms_ = high_water_ms;
  // A wall clock in doubt is not taken over, forward no more than back: there would be no way back.
  set_base_locked(trusted_ ? wall : high_water_ms, boot);
  last_ms_ = std::max(high_water_ms, base_ms_);
}

// Both clocks at one moment. What stops the process or the machine between two looks would pass for
// a jump of the wall clock.
VaultClock::Moment VaultClock::look() const {
  for (;;) {
    const std::int64_t boot = sources_.boot_ms();
    const std::int64_t wall = sources_.wall_ms();
    if (sources_.boot_ms() - boot <= kGlanceMs) return {wall, boot};
  }
}

void VaultClock::set_base_locked(std::int64_t wall_ms, std::int64_t boot_ms) const {
  base_ms_ = wall_ms;
  boot_base_ms_ = boot_ms;
  lead_ms_ = std::max<std::int64_t>(last_ms_ - wall_ms, 0);
}

std::int64_t VaultClock::advance_locked() const {
  const auto [wall, boot] = look();
  if (trusted_) {
    const std::int64_t drift = wall - (base_ms_ + (boot - boot_base_ms_));
    if (drift > kMaxDriftMs || drift < -kMaxDriftMs) {
      trusted_ = false;
    } else if (drift > 0) {
      last_ms_ = vault_time_locked(boot);
      set_base_locked(base_ms_ + (boot - boot_base_ms_) + drift, boot);
    }
  }
  last_ms_ = vault_time_locked(boot);
  return last_ms_;
}

std::int64_t VaultClock::vault_time_locked(std::int64_t boot_ms) const {
  const std::int64_t elapsed = boot_ms - boot_base_ms_;
  // Vault time that is ahead runs at half speed until the clock has caught up: locks and lifetimes
  // still end, and nothing steps back.
  const std::int64_t lead = std::max<std::int64_t>(lead_ms_ - elapsed / 2, 0);
  return std::max(last_ms_, base_ms_ + elapsed + lead);
}

std::int64_t VaultClock::now_ms() const {
  const std::lock_guard lock(mutex_);
  return advance_locked();
}

bool VaultClock::trusted() const {
  const std::lock_guard lock(mutex_);
  advance_locked();
  return trusted_;
}

std::int64_t VaultClock::offset_ms() const {
  const std::lock_guard lock(mutex_);
  const std::int64_t now = advance_locked();
  return sources_.wall_ms() - now;
}

void VaultClock::confirm() {
  const std::lock_guard lock(mutex_);
  advance_locked();
  trusted_ = true;
  const auto [wall, boot] = look();
  set_base_locked(wall, boot);
  advance_locked();
}

}  // namespace cardvault::core
