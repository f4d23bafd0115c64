#include "hsm/keeper.h"

#include <algorithm>
#include <string>

#include "hsm/error.h"
#include "hsm/kcv.h"
#include "hsm/mechanism_probe.h"
#include "hsm/self_test.h"
#include "vault/base/log.h"

namespace cardvault::hsm {
namespace {

using base::Code;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr base::Error kNoAnswer{Code::kHsmUnavailable, "no answer", 0};
constexpr unsigned kLoginTimeouts = 6;  // a login with its self-test is some dozens of calls

std::int64_t now_ms() {
  return std::chrono::duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

template <std::size_t kSize>
std::string text_of(const CK_UTF8CHAR (&field)[kSize]) {
  return {reinterpret_cast<const char*>(field), p11_kit_space_strlen(field, kSize)};
}

// What no waiting mends.
bool is_misconfiguration(Code code) {
  return code == Code::kMechanismMissing || code == Code::kKeyMissing || code == Code::kConflict ||
         code == Code::kInternal;
}

KeyKind kind_of(const RingKey& key) {
  if (key.sign == SignKind::kEd25519) return KeyKind::kEd25519;
  if (key.sign == SignKind::kEs256) return KeyKind::kP256;
  return is_encryption(key.ref.purpose) ? KeyKind::kAes : KeyKind::kHmac;
}

std::string in_words(const base::Error& error) {
  std::string out = std::string("the token cannot be used: ") + error.operation;
  if (error.number != 0) {
    out += std::string(" (") + ckr_name(rv_of(error)) + "): " + ckr_explanation(rv_of(error));
  }
  return out;
}

}  // namespace

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

void Keeper::begin() {
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
  if (first.has_value() == reported) report(event);
}

base::Result<void> Keeper::connect(Proof proof) {
  connecting_since_ms_ = now_ms();
  connection_.reset();
  if (std::exchange(inside_, false)) module_->leave();
  auto done = module_->enter();
  inside_ = done.has_value();
  done = done ? log_in(proof) : std::unexpected(outside_login(done.error()));
  if (!done && inside_) {
    connection_.reset();
    module_->leave();
    inside_ = false;
  }
  connecting_since_ms_ = 0;
  return done;
}

base::Result<void> Keeper::log_in(Proof proof) {
  std::set<core::KeyRef> left_out;
  {
    const std::lock_guard lock(mutex_);
    left_out = left_out_;
  }
  if (others_) witness_ = {};  // what is known of the keys is known of all tokens: join()
  auto opened = Connection::open(*module_, uri_, pin_, config_, left_out, witness_);
  if (!opened) {
    const std::lock_guard lock(mutex_);
    misfit_.reset();
    return std::unexpected(opened.error());
  }
  connection_ = std::move(*opened);
  Catalogue found = describe();
  if (auto same = compare(found, proof); !same) return same;
  if (others_) {
    if (auto joined = join(); !joined) return joined;
  }
  const std::lock_guard lock(mutex_);
  catalogue_ = std::move(found);
  suite_ = catalogue_.description.suite;
  return {};
}

base::Result<void> Keeper::join() {
  Channel channel = connection_->channels().front();
  const core::Suite suite = connection_->suite();
  Redundancy::Known known;
  do {
    known = others_->known();
    if (auto same = self_test(*connection_, channel, known.witness); !same) {
      if (ckr_is_loss(rv_of(same.error()))) return std::unexpected(outside_login(same.error()));
      return base::fail(Code::kHsmUnavailable, "a key is not the one that the others have");
    }
    if (known.suite.value_or(suite) != suite) {
      // Records bind their suite: it can't change between two calls of one operation.
      return base::fail(Code::kHsmUnavailable, "it encrypts by another suite than the others");
    }
    known.suite = suite;
  } while (!others_->agree(known));
  return {};
}

base::Result<void> Keeper::compare(const Catalogue& found, Proof proof) {
  if (others_) proof = Proof::kAllKeys;
  if (proof == Proof::kNone || !hooks_.expected_kcvs) return {};
  const auto expected = hooks_.expected_kcvs();
  const std::lock_guard lock(mutex_);
  misfit_.reset();
  for (const auto& [key, kcv] : expected) {
    if (kcv.empty() || left_out_.contains(key)) continue;
    const auto now = found.kcvs.find(key);
    if (now == found.kcvs.end()) {
      if (proof == Proof::kSameKeys || (others_ && is_signature(key.purpose))) continue;
      misfit_ = key;
      return base::fail(Code::kHsmUnavailable, "a key is missing");
    }
    if (now->second != kcv) {
      misfit_ = key;
      return base::fail(Code::kHsmUnavailable, "a key has another check value, or none");
    }
  }
  return {};
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
  if (others_ && state != state_) {
    if (state == HsmState::kReady) others_->begins_to_serve();
    if (state_ == HsmState::kReady) others_->serves_no_more();
  }
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

bool Keeper::reconnect() {
  pool_.drain();
  const auto done = connect(Proof::kAllKeys);
  HsmEvent event;
  {
    const std::lock_guard lock(mutex_);
    if (done) {
      pool_.open(connection_->channels());
      event.outage = std::chrono::duration_cast<milliseconds>(steady_clock::now() - since_);
      event.cause = cause_;
      enter(HsmState::kReady);
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
      pool_.open(connection_->channels());
      event.outage = std::chrono::duration_cast<milliseconds>(steady_clock::now() - since_);
      event.cause = cause_;
      enter(HsmState::kReady);
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
  if (others_) begin();
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
    const std::int64_t connecting = connecting_since_ms_;
    bool stuck = age > limit;
    if (!stuck && connecting != 0) {
      age = milliseconds(now_ms() - connecting);
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

Keeper::Catalogue Keeper::catalogue() const {
  const std::lock_guard lock(mutex_);
  return catalogue_;
}

Keeper::Catalogue Keeper::describe() const {
  Catalogue out;
  const KeyRing& keys = connection_->keys();
  const Channel channel = connection_->channels().front();
  bool copied = true;
  for (const core::KeyPurpose purpose : core::kAllKeyPurposes) {
    for (const RingKey& key : keys.of(purpose)) {
      out.keys[key.ref] = {key.sign == SignKind::kEd25519, key.public_key};
      out.kcvs[key.ref] =
          compute_kcv(channel, key.on_token, kind_of(key), core::key_label(key.ref)).hex;
      copied = copied && (is_signature(purpose) || key.working != key.on_token);
    }
  }
  const CK_TOKEN_INFO& info = connection_->token_info();
  TokenDescription& token = out.description;
  token.session_copies = copied && !out.keys.empty();
  token.suite = connection_->suite();
  token.mechanisms = probe_mechanisms(*module_, connection_->slot(), info, config_.cbc_hmac);
  token.label = text_of(info.label);
  token.manufacturer = text_of(info.manufacturerID);
  token.model = text_of(info.model);
  token.serial = text_of(info.serialNumber);
  token.firmware =
      std::to_string(info.firmwareVersion.major) + "." + std::to_string(info.firmwareVersion.minor);
  CK_SLOT_INFO slot{};
  if (module_->fn()->C_GetSlotInfo(connection_->slot(), &slot) == CKR_OK) {
    token.hardware =
        (slot.flags & CKF_HW_SLOT) != 0 && !token.manufacturer.starts_with("SoftHSM") &&
        !token.manufacturer.starts_with("Mozilla") && token.model.find("Soft") == std::string::npos;
  }
  return out;
}

}  // namespace cardvault::hsm
