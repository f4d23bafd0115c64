// A person's smartcard: one EC P-256 key that signs. Not the vault's token.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "vault/base/result.h"
#include "vault/base/secret.h"
#include "vault/core/crypto.h"

namespace cardvault::hsm {

// Loads the module, logs in; logs out and unloads at the end. REQUIRES: no other Module of the same
// file in this process meanwhile. One thread.
class SigningCard {
 public:
  // `uri` (RFC 7512) names the token, the key by object and/or id, and the module by module-path:
  // "pkcs11:token=anna;object=sign?module-path=/usr/lib/…/opensc-pkcs11.so". A pin-value or
  // pin-source is refused: a card's PIN is typed. kHsmPinRefused when the PIN is wrong, which the
  // card counts; it is tried once. Throws StartupError for what another PIN won't mend.
  [[nodiscard]] static base::Result<std::unique_ptr<SigningCard>> open(const std::string& uri,
                                                                       const base::SecretText& pin);
  ~SigningCard();
  SigningCard(const SigningCard&) = delete;             // owns the login
  SigningCard& operator=(const SigningCard&) = delete;  // owns the login

  [[nodiscard]] const core::SigningPublicKey& public_key() const noexcept;
  // ES256: 64 bytes r ‖ s. Keys that ask for the PIN at each use (CKA_ALWAYS_AUTHENTICATE) are
  // given it again.
  [[nodiscard]] base::Result<std::vector<std::uint8_t>> sign(std::span<const std::uint8_t> data);

 private:
  class Impl;
  explicit SigningCard(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cardvault::hsm
