#include "vault/core/invocations.h"

#include <algorithm>

namespace cardvault::core {

void InvocationMeter::load(KeyRef key, std::uint64_t reserved) {
  const std::lock_guard lock(mutex_);
  State& state = keys_[key];
  // How much of the last block was used before the stop is not known: all of it counts.
  state.used = std::max(state.used, reserved);
  state.reserved = std::max(state.reserved, reserved);
}

base::Result<void> InvocationMeter::use(KeyRef key, std::uint32_t count) {
  const std::lock_guard lock(mutex_);
  State& state = keys_[key];
  if (state.used + count > limit_) {
    return base::fail(base::Code::kKeyExhausted, "InvocationMeter::use");
  }
  if (state.used + count > state.reserved) {
    return base::fail(base::Code::kOverloaded, "InvocationMeter::use");
  }
  state.used += count;
  return {};
}

std::optional<std::uint64_t> InvocationMeter::wants_reservation(KeyRef key) {
  const std::lock_guard lock(mutex_);
  State& state = keys_[key];
  if (state.pending || state.reserved >= limit_) return std::nullopt;
  if (state.reserved - state.used >= kInvocationBlock / 2) return std::nullopt;
  state.pending = true;
  return std::min(state.reserved + kInvocationBlock, limit_);
}

void InvocationMeter::reserved(KeyRef key, std::uint64_t total) {
  const std::lock_guard lock(mutex_);
  State& state = keys_[key];
  state.reserved = std::max(state.reserved, total);
  state.pending = false;
}

void InvocationMeter::reservation_failed(KeyRef key) {
  const std::lock_guard lock(mutex_);
  keys_[key].pending = false;
}

std::uint64_t InvocationMeter::used(KeyRef key) const {
  const std::lock_guard lock(mutex_);
  const auto found = keys_.find(key);
  return found == keys_.end() ? 0 : found->second.used;
}

}  // namespace cardvault::core
