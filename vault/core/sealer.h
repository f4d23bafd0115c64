// The sealing port: signed statements (JWS) and messages that only their recipient reads (JWE).
// Implemented by vault/seal.
#pragma once

#include <string>
#include <string_view>

#include "vault/base/result.h"
#include "vault/base/secret.h"
#include "vault/core/recipient.h"

namespace cardvault::core {

// Thread-safe. Errors: those of Crypto::sign; kRecipientExpired when the certificate to seal to is
// not valid at now_ms; kInternal when OpenSSL fails.
class Sealer {
 public:
  virtual ~Sealer() = default;
  // A JWS compact (RFC 7515, ES256 by the active seal-sign key) over `claims`, the bytes of a JSON
  // object. `type` is its header's "typ", such as "cardvault-receipt+jwt".
  [[nodiscard]] virtual base::Result<std::string> sign(std::string_view type,
                                                       const base::SecretBuffer& claims) = 0;
  // The same JWS inside a JWE compact (RFC 7516, A256GCM, ECDH-ES or RSA-OAEP-256 by the kind of
  // key) to the recipient's current certificate.
  [[nodiscard]] virtual base::Result<std::string> seal(const Recipient& to, std::string_view type,
                                                       const base::SecretBuffer& claims,
                                                       std::int64_t now_ms) = 0;
  // The public halves of seal-sign, active and earlier ones that the token still has, as a JWK set
  // (RFC 7517); each `kid` is the key's RFC 7638 thumbprint.
  [[nodiscard]] virtual base::Result<std::string> jwks() = 0;
};

}  // namespace cardvault::core
