// The recovery thread: the first login, those after an outage or an exchange, the probes between.
#include <algorithm>
#include <string>

#include "hsm/error.h"
#include "hsm/keeper.h"

namespace cardvault::hsm {
namespace {

using base::Code;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr auto kOthersLogin = std::chrono::seconds(5);

// What no waiting mends.
bool is_misconfiguration(Code code) {
  return code == Code::kMechanismMissing || code == Code::kKeyMissing || code == Code::kConflict ||
         code == Code::kInternal;
}

std::string in_words(const base::Error& error) {
  std::string out = std::string("the token cannot be used: ") + error.operation;
  if (error.number != 0) {
    out += std::string(" (") + ckr_name(rv_of(error)) + "): " + ckr_explanation(rv_of(error));
  }
  return out;
}

}  // namespace

void Keeper::begin(const std::stop_token& stop) {
  const auto first = connect(Proof::kNone);
  if (!first && !others_ && is_misconfiguration(first.error().code)) {
    throw base::StartupError(in_words(first.error()));
  }
  HsmEvent event;
  bool reported = false;
  {
    const std::lock_guard lock(mutex_);
    if (first) {
      pool_.open(connection_->channels());
      event.outage = std::chrono::duration_cast<milliseconds>(steady_clock::now() - since_);
    } else {
      const bool pin = first.error().code == Code::kHsmPinRefused;
      cause_ = first.error();
      event.state = pin ? HsmState::kPinRefused : HsmState::kUnavailable;
    }
    event.cause = cause_;
    enter(event.state);
    reported = std::exchange(reported_, !first);  // true: it had hung for long
    settled_ = true;
  }
  changed_.notify_all();
  if (others_) {
    others_->settled();
    // A loss is another one when the others are only yet to come.
    if (!first) others_->await_settled(stop, kOthersLogin);
  }
  if (first.has_value() == reported) report(event);
}

void Keeper::serve_again(HsmEvent& event) {
  pool_.open(connection_->channels());
  event.outage = std::chrono::duration_cast<milliseconds>(steady_clock::now() - since_);
  event.cause = cause_;
  enter(HsmState::kReady);
}

bool Keeper::reconnect() {
  pool_.drain();
  const auto done = connect(Proof::kAllKeys);
  HsmEvent event;
  {
    const std::lock_guard lock(mutex_);
    if (done) {
      serve_again(event);
    } else if (done.error().code == Code::kHsmPinRefused) {
      event.cause = cause_ = done.error();
      event.state = HsmState::kPinRefused;
      enter(event.state);
    } else {
      cause_ = done.error();
      return false;  // still the same outage
    }
  }
  report(event);
  return done.has_value();
}

base::Result<void> Keeper::adopt() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !adopt_wanted_; });  // another adopt() is under way
  if (state_ == HsmState::kPinRefused) {
    return base::fail(Code::kHsmPinRefused, "adopt", cause_.number);
  }
  adopt_wanted_ = true;
  adopted_.reset();
  changed_.notify_all();
  changed_.wait(lock, [&] { return adopted_.has_value() || hanging_; });
  adopt_wanted_ = false;
  changed_.notify_all();
  if (!adopted_) return std::unexpected(kNoAnswer);
  return *adopted_;
}

void Keeper::serve_adopt() {
  bool was_ready = false;
  bool reported = false;
  {
    const std::lock_guard lock(mutex_);
    was_ready = state_ == HsmState::kReady;
    if (was_ready) pool_.pause();
  }
  pool_.drain();
  auto done = connect(Proof::kSameKeys);
  HsmEvent event;
  {
    const std::lock_guard lock(mutex_);
    if (done) {
      serve_again(event);
    } else {
      pool_.shut();
      event.cause = cause_ = done.error();
      event.state = done.error().code == Code::kHsmPinRefused ? HsmState::kPinRefused
                                                              : HsmState::kUnavailable;
      enter(event.state);
      if (was_ready) since_ = steady_clock::now();
    }
    reported = std::exchange(reported_, !done);
    adopted_ = done;
  }
  changed_.notify_all();
  if (reported == done.has_value()) report(event);
}

// The outage that we are in has been reported once its first retry was made.
void Keeper::run(const std::stop_token& stop) {
  const milliseconds interval{config_.probe_interval_ms};
  const milliseconds retry{config_.retry_ms};
  const auto adopting = [&] { return adopt_wanted_ && !adopted_; };
  const auto called = [&] { return adopting() || state_ == HsmState::kUnavailable; };
  if (others_) begin(stop);
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    if (adopting()) {
      lock.unlock();
      serve_adopt();
      lock.lock();
    } else if (state_ == HsmState::kUnavailable) {
      const HsmEvent begun{HsmState::kUnavailable, cause_, {}};
      if (reported_) changed_.wait_for(lock, stop, retry, adopting);
      if (adopting() || stop.stop_requested()) continue;
      const bool reported = std::exchange(reported_, true);
      lock.unlock();
      if (!reported) report(begun);
      const bool ready = reconnect();
      lock.lock();
      reported_ = !ready;
    } else if (state_ == HsmState::kPinRefused || interval.count() == 0) {
      changed_.wait(lock, stop, called);
    } else if (!changed_.wait_for(lock, stop, interval, called) && !stop.stop_requested()) {
      lock.unlock();
      look_after();
      lock.lock();
    }
  }
  settled_ = true;
  if (!adopted_) adopted_ = base::fail(Code::kHsmUnavailable, "shutting down");
  changed_.notify_all();
}

// What it finds is in the state.
void Keeper::look_after() {
  probing_ = true;
  const auto well = probe();
  probing_ = false;
  if (!well || !others_) return;
  // The register may have got a key that this token lacks.
  if (const auto same = compare(catalogue(), Proof::kAllKeys); !same) lost(same.error());
}

}  // namespace cardvault::hsm
