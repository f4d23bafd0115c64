// What a custodian signs with: a key file, or a smartcard.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "vault/base/secret.h"
#include "vault/custody/signature.h"

namespace cardvault::custody {

// An opened key. One thread.
class CustodianKey {
 public:
  virtual ~CustodianKey() = default;
  [[nodiscard]] virtual const core::SigningPublicKey& public_key() const = 0;  // on P-256
  // ES256.
  [[nodiscard]] virtual base::Result<Signature> sign(std::string_view message) = 0;
  // Opens what was sealed to this key (envelope.h). kNotAllowed from a card, which signs only;
  // kVerificationFailed when it is not for this key, or was changed.
  [[nodiscard]] virtual base::Result<base::SecretBuffer> open(std::string_view sealed) = 0;
};

// Whether a place of a key names a smartcard (RFC 7512) rather than a file.
[[nodiscard]] bool is_card(std::string_view place) noexcept;

// Opens the key at a place: the path of a key file, or "pkcs11:token=…;object=…?module-path=…".
// `passphrase` is the file's passphrase or the card's PIN; it is not kept. kHsmPinRefused when it
// is wrong: on a card each wrong try counts. Throws StartupError for what another passphrase won't
// mend.
[[nodiscard]] base::Result<std::unique_ptr<CustodianKey>> open_custodian_key(
    const std::string& place, const base::SecretText& passphrase);

}  // namespace cardvault::custody
