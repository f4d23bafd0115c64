// The watchdog: calls that don't return (DESIGN 4.2, trap 10).
#include <algorithm>
#include <string>

#include "hsm/keeper.h"
#include "vault/base/log.h"

namespace cardvault::hsm {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr unsigned kLoginTimeouts = 6;  // a login with its self-test is some dozens of calls

}  // namespace

bool Keeper::may_hang() const {
  const milliseconds limit{config_.call_timeout_ms};
  const bool a_request = pool_.older_than(limit) > (probing_ ? 1U : 0U);
  return !a_request && !stopping_ && others_ &&
         others_->serving() > (state_ == HsmState::kReady ? 1U : 0U);
}

void Keeper::watch(const std::stop_token& stop) {
  const milliseconds limit{config_.call_timeout_ms};
  const milliseconds period = std::clamp(limit / 4, milliseconds(5), milliseconds(100));
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, stop, period, [] { return false; }) && !stop.stop_requested()) {
    lock.unlock();
    milliseconds age = pool_.oldest_call_age().value_or(milliseconds(0));
    const steady_clock::time_point connecting = connecting_since_;
    bool stuck = age > limit;
    if (!stuck && connecting != steady_clock::time_point{}) {
      age = std::chrono::duration_cast<milliseconds>(steady_clock::now() - connecting);
      stuck = age > limit * (stopping_ ? 1 : kLoginTimeouts);
    }
    const bool spared = stuck && may_hang();
    if (stuck && !spared) {
      base::log(base::Level::kError, "a PKCS#11 call is stuck",
                {{"age_ms", std::to_string(age.count())}});
      if (hooks_.on_stuck) hooks_.on_stuck(age);
      return;
    }
    if (spared) lost(kNoAnswer);  // nobody else waits for it
    lock.lock();
    hanging_ = spared;
    if (!spared) continue;
    settled_ = true;
    changed_.notify_all();
    if (std::exchange(reported_, true)) continue;
    cause_ = kNoAnswer;
    lock.unlock();
    report({HsmState::kUnavailable, kNoAnswer, {}});
    lock.lock();
  }
}

}  // namespace cardvault::hsm
