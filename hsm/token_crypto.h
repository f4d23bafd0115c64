// The core's crypto port on a PKCS#11 token, which it finds again by itself when it was away.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "hsm/mechanisms.h"
#include "hsm/token_config.h"
#include "vault/core/crypto.h"

namespace cardvault::hsm {

class Module;
class Redundancy;

enum class HsmState : std::uint8_t {
  kReady,
  kUnavailable,  // calls answer kHsmUnavailable at once; tried again every retry_ms
  kPinRefused,   // calls answer kHsmPinRefused; never tried again by this process
};

// One per change of state: raise one alarm per outage from it.
struct HsmEvent {
  HsmState state = HsmState::kReady;
  base::Error cause;                    // of the outage that begins or ends; number is the CK_RV
  std::chrono::milliseconds outage{0};  // how long it lasted, when state is kReady
};

struct HsmHooks {
  // On a thread of this class, no lock held. Must not call adopt() or destroy the object.
  std::function<void(const HsmEvent&)> on_change;
  // A call (or a login) has passed its deadline with the age given. It cannot be cancelled: record
  // an alarm and _exit (trap 10). Called once, on the watchdog's thread.
  std::function<void(std::chrono::milliseconds)> on_stuck;
  // The check values (KeyReport::kcv) that the keys must have. A token that comes back without one
  // of these keys, or with another value, stays unavailable, also one that was away when open() was
  // called; whose own login doesn't compare: its caller can say more. Keys with an empty value, and
  // those left out, are not looked at. On a thread of this class, no lock held.
  std::function<std::map<core::KeyRef, std::string>()> expected_kcvs;
};

struct TokenDescription {
  std::string label, manufacturer, model, serial, firmware;
  bool hardware = false;  // CKF_HW_SLOT, and no known software token: else "not a secure
                          // cryptographic device" (doctor, readiness)
  core::Suite suite = core::Suite::kAes256Gcm;
  bool session_copies = false;  // of every encryption and MAC key
  std::vector<MechanismFinding> mechanisms;
};

// Thread-safe; calls beyond TokenConfig::sessions wait for a session. Besides the errors of the
// port, every call may return kHsmPinRefused.
class TokenCrypto final : public core::Crypto {
 public:
  // Loads the module and tries once to log in. A token that is away, or a refused PIN, is a state,
  // not an exception: so that a supervisor's restarts do not try a wrong PIN again and again.
  // Throws StartupError for what waiting cannot mend: configuration, an unreadable pin-source, a
  // module that cannot be loaded, lacks a mechanism (named in words), fails the self-test, or a
  // label that two keys have. Set signal masks before: it starts two threads. `left_out` as of
  // leave_out().
  [[nodiscard]] static std::unique_ptr<TokenCrypto> open(const TokenConfig& config,
                                                         HsmHooks hooks = {},
                                                         std::set<core::KeyRef> left_out = {});
  // One of several tokens that stand in for one another (token_group.h): doesn't wait for its first
  // login, nor throw for what is wrong with the token, which is a state too. `expected_kcvs` is
  // asked at every login and probe; signing keys alone may be missing. `module` may be shared. A
  // login or probe that hangs is no reason for on_stuck while others serve.
  [[nodiscard]] static std::unique_ptr<TokenCrypto> open_beside(const TokenConfig& config,
                                                                HsmHooks hooks,
                                                                std::set<core::KeyRef> left_out,
                                                                std::shared_ptr<Module> module,
                                                                std::shared_ptr<Redundancy> others);
  // Stops the threads, waits for calls in flight, finalises the module (trap 9).
  ~TokenCrypto() override;
  TokenCrypto(const TokenCrypto&) = delete;             // owns the login
  TokenCrypto& operator=(const TokenCrypto&) = delete;  // owns the login

  // As of the last login: the token's, for all keys.
  [[nodiscard]] core::Suite suite(core::KeyRef key) const override;
  [[nodiscard]] base::Result<core::Mac> mac(core::KeyRef key,
                                            std::span<const std::uint8_t> data) override;
  [[nodiscard]] base::Result<core::Sealed> encrypt(core::KeyRef key,
                                                   std::span<const std::uint8_t> plaintext,
                                                   std::span<const std::uint8_t> aad) override;
  [[nodiscard]] base::Result<base::SecretBuffer> decrypt(
      core::KeyRef key, const core::Sealed& sealed, std::span<const std::uint8_t> aad) override;
  [[nodiscard]] base::Result<void> random(std::span<std::uint8_t> out) override;
  [[nodiscard]] base::Result<std::vector<std::uint8_t>> sign(
      core::KeyRef key, std::span<const std::uint8_t> data) override;

  // A real operation with the token's own key, not a session copy: a removed token is noticed. Runs
  // by itself every TokenConfig::probe_interval_ms.
  [[nodiscard]] base::Result<void> probe();
  // The token was exchanged under us (trap 2): waits for calls in flight while new ones wait,
  // finalises, initialises, finds the keys again and compares them with what they were. A pause of
  // milliseconds, not an error. On failure the token is unavailable and recovery goes on.
  [[nodiscard]] base::Result<void> adopt();
  // Keys that are about to be destroyed: from the next adopt() or login on they are not looked for,
  // so that no copy of them is left in any session (trap 2). Replaces the set given before.
  void leave_out(std::set<core::KeyRef> keys);

  [[nodiscard]] HsmState state() const noexcept;
  // Why the state is not kReady; code kInternal and no operation while it is.
  [[nodiscard]] base::Error cause() const;
  // The key that is missing or another one, as far as that is why it isn't ready.
  [[nodiscard]] std::optional<core::KeyRef> misfit() const;
  // Whether its first login has succeeded or failed by `deadline`.
  [[nodiscard]] bool settled(std::chrono::steady_clock::time_point deadline) const;
  [[nodiscard]] std::optional<std::chrono::milliseconds> oldest_call_age() const;

  // As of the last login; empty before the first.
  [[nodiscard]] std::vector<core::KeyRef> keys() const;
  [[nodiscard]] std::optional<std::uint32_t> newest(core::KeyPurpose purpose) const;
  [[nodiscard]] base::Result<core::SigningPublicKey> public_key(core::KeyRef key) const override;
  // The key check value, 10 hex digits, as KeyReport::kcv; empty for a key that is not there and
  // where the module can't compute it.
  [[nodiscard]] std::string kcv(core::KeyRef key) const;
  [[nodiscard]] TokenDescription description() const;

 private:
  class Impl;
  explicit TokenCrypto(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cardvault::hsm
