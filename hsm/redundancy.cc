#include "hsm/redundancy.h"

namespace cardvault::hsm {

Redundancy::Known Redundancy::known() const {
  const std::lock_guard lock(mutex_);
  return known_;
}

bool Redundancy::agree(const Known& known) {
  const std::lock_guard lock(mutex_);
  if (known.version != known_.version) return false;
  // Since then a witness can only have grown.
  if (known.suite == known_.suite && known.witness.size() == known_.witness.size()) return true;
  known_ = known;
  ++known_.version;
  return true;
}

void Redundancy::keep_expected(const std::map<core::KeyRef, std::string>& expected) {
  const std::lock_guard lock(mutex_);
  known_.witness.keep_expected(expected);
  ++known_.version;
}

void Redundancy::changed(HsmState before, HsmState now) noexcept {
  if (now == HsmState::kReady) ++serving_;
  if (now == HsmState::kPinRefused) ++refusing_;
  if (before == HsmState::kReady) --serving_;
  if (before == HsmState::kPinRefused) {
    --refusing_;
    refusal_told_ = false;
  }
}

HsmState Redundancy::together(HsmState now) noexcept {
  if (serving_ != 0) return HsmState::kReady;
  const bool all_refuse = now == HsmState::kPinRefused && refusing_ == tokens_;
  return all_refuse && !refusal_told_.exchange(true) ? HsmState::kPinRefused
                                                     : HsmState::kUnavailable;
}

void Redundancy::settled() {
  const std::lock_guard lock(mutex_);
  --awaited_;
  changed_.notify_all();
}

void Redundancy::await_settled(const std::stop_token& stop, std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, stop, patience, [this] { return awaited_ == 0; });
}

}  // namespace cardvault::hsm
