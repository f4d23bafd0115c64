// One login on one token: sessions, keys, and the proof that they work.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "hsm/cipher.h"
#include "hsm/key_ring.h"
#include "hsm/module.h"
#include "hsm/witness.h"
#include "vault/base/secret.h"

namespace cardvault::hsm {

// Immutable once open; its functions may run on several threads, each with its own Channel.
class Connection {
 public:
  // Logs in (CKR_USER_ALREADY_LOGGED_IN is fine, trap 4), finds and copies the keys, tests them.
  // Keys left out are not looked for. REQUIRES: `module` is initialised and outlives this. Errors:
  // kHsmUnavailable; kHsmPinRefused, by C_Login alone, after which the same PIN must not be tried
  // again;
  // kMechanismMissing, kKeyMissing (suite 2 without its second key), kConflict (a label twice),
  // kInternal (the self-test found the module wrong).
  [[nodiscard]] static base::Result<std::unique_ptr<Connection>> open(
      const Module& module, const TokenUri& uri, const base::SecretText& pin,
      const TokenConfig& config, const std::set<core::KeyRef>& left_out, Witness& witness);

  [[nodiscard]] const KeyRing& keys() const noexcept { return keys_; }
  [[nodiscard]] core::Suite suite() const noexcept { return suite_; }
  [[nodiscard]] CK_SLOT_ID slot() const noexcept { return slot_; }
  // As before the login: SoftHSM on a read-only directory refuses C_GetTokenInfo after it.
  [[nodiscard]] const CK_TOKEN_INFO& token_info() const noexcept { return info_; }
  // One per session, to be lent.
  [[nodiscard]] std::vector<Channel> channels() const;

  enum class On : std::uint8_t { kWorking, kToken };
  [[nodiscard]] base::Result<core::Sealed> encrypt(Channel& channel, const RingKey& key,
                                                   std::span<const std::uint8_t> plaintext,
                                                   std::span<const std::uint8_t> aad) const;
  [[nodiscard]] base::Result<base::SecretBuffer> decrypt(const Channel& channel, const RingKey& key,
                                                         On where, const core::Sealed& sealed,
                                                         std::span<const std::uint8_t> aad) const;
  // ES256 or Ed25519, as the key is.
  [[nodiscard]] static base::Result<std::vector<std::uint8_t>> sign(
      const Channel& channel, const RingKey& key, std::span<const std::uint8_t> data);
  // A real operation (trap 5): decrypts a canary with the token's own key, any of them. Without
  // encryption keys it asks for random bytes.
  [[nodiscard]] base::Result<void> check(const Channel& channel) const;
  // The same kind of work as a call that failed, on the key we work on, with data that cannot be at
  // fault. `key` may be null for kRandom alone.
  enum class Work : std::uint8_t { kEncrypt, kDecrypt, kMac, kSign, kRandom };
  [[nodiscard]] base::Result<void> rehearse(Channel& channel, const RingKey* key, Work work) const;

 private:
  explicit Connection(CK_SLOT_ID slot) : slot_(slot) {}
  [[nodiscard]] base::Result<void> prepare(const Module& module, const TokenConfig& config,
                                           const std::set<core::KeyRef>& left_out,
                                           Witness& witness);
  [[nodiscard]] base::Result<void> open_canary(const Channel& channel, const RingKey& key,
                                               On where) const;

  CK_SLOT_ID slot_;
  CK_TOKEN_INFO info_{};
  std::vector<Session> sessions_;  // the first made the copies and lives longest
  KeyRing keys_;
  core::Suite suite_ = core::Suite::kAes256Gcm;
  Channel first_;  // of the first session
  std::map<core::KeyRef, core::Sealed> canaries_;
};

}  // namespace cardvault::hsm
