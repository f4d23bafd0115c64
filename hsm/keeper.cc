#include "hsm/keeper.h"

#include <string>

#include "hsm/error.h"
#include "vault/base/log.h"

namespace cardvault::hsm {

using base::Code;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

Keeper::Keeper(const TokenConfig& config, HsmHooks hooks, std::set<core::KeyRef> left_out,
               std::shared_ptr<Module> module, std::shared_ptr<Redundancy> others)
    : config_(config),
      hooks_(std::move(hooks)),
      uri_(parse_token_uri(config.token_uri)),
      pin_(read_pin(uri_)),
      module_(std::move(module)),
      others_(std::move(others)),
      left_out_(std::move(left_out)),
      // Before the first login: a module may hang in that one too.
      watchdog_([this](const std::stop_token& stop) { watch(stop); }) {
  // One of several doesn't keep the others waiting, nor the vault from starting.
  if (!others_) begin();
  recovery_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

Keeper::~Keeper() {
  stopping_ = true;
  recovery_.request_stop();
  recovery_.join();
  pool_.shut();
  pool_.drain();
  watchdog_.request_stop();  // only now: a stuck call would hold up the drain for ever
  watchdog_.join();
  connection_.reset();
  if (inside_) module_->leave();
}

base::Error Keeper::refusal() const {
  const std::lock_guard lock(mutex_);
  const bool pin = state_ == HsmState::kPinRefused;
  return {pin ? Code::kHsmPinRefused : Code::kHsmUnavailable, "token", cause_.number};
}

base::Error Keeper::cause() const {
  const std::lock_guard lock(mutex_);
  return state_ == HsmState::kReady ? base::Error{} : cause_;
}

base::Error Keeper::judge(Channel& channel, const RingKey* key, Connection::Work work,
                          const base::Error& error) {
  if (error.number == 0 && error.code != Code::kInternal) return error;  // our own finding
  const bool damaged = work == Connection::Work::kDecrypt && error.number != 0;
  if (!ckr_is_loss(rv_of(error)) && connection_->rehearse(channel, key, work)) {
    return {damaged ? Code::kRecordDamaged : Code::kInternal, error.operation, error.number};
  }
  lost(error);
  return {Code::kHsmUnavailable, error.operation, error.number};
}

void Keeper::enter(HsmState state) {
  if (others_ && state != state_) others_->changed(state_, state);
  state_ = state;
}

std::optional<core::KeyRef> Keeper::misfit() const {
  const std::lock_guard lock(mutex_);
  return state_ == HsmState::kReady ? std::nullopt : misfit_;
}

bool Keeper::settled(steady_clock::time_point deadline) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, deadline, [&] { return settled_; });
}

void Keeper::lost(const base::Error& error) {
  {
    const std::lock_guard lock(mutex_);
    if (state_ != HsmState::kReady) return;
    enter(HsmState::kUnavailable);
    cause_ = error;
    since_ = steady_clock::now();
    pool_.shut();
  }
  changed_.notify_all();
}

base::Result<void> Keeper::probe() {
  const auto lease = pool_.acquire();
  if (!lease) return std::unexpected(refusal());
  auto well = connection_->check(lease.channel());
  if (!well && may_pass(well.error())) well = connection_->check(lease.channel());
  if (!well) lost(well.error());
  return well;
}

std::optional<milliseconds> Keeper::oldest_call_age() const { return pool_.oldest_call_age(); }

void Keeper::report(const HsmEvent& event) const {
  switch (event.state) {
    case HsmState::kReady:
      base::log(base::Level::kNotice, "the token is back",
                {{"outage_ms", std::to_string(event.outage.count())}});
      break;
    case HsmState::kUnavailable:
      base::log(base::Level::kError, "the token is unavailable",
                {{"operation", event.cause.operation}, {"rv", ckr_name(rv_of(event.cause))}});
      break;
    case HsmState::kPinRefused:
      base::log(base::Level::kError, "the PIN was refused; it is not tried again before a restart",
                {{"operation", event.cause.operation}, {"rv", ckr_name(rv_of(event.cause))}});
      break;
  }
  if (hooks_.on_change) hooks_.on_change(event);
}

void Keeper::leave_out(std::set<core::KeyRef> keys) {
  const std::lock_guard lock(mutex_);
  left_out_ = std::move(keys);
}

Catalogue Keeper::catalogue() const {
  const std::lock_guard lock(mutex_);
  return catalogue_;
}

}  // namespace cardvault::hsm
