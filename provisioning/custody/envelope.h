// A share under a custodian's public key: JWE compact (RFC 7516), ECDH-ES in direct agreement (RFC
// 7518 4.6) with A256GCM. `jose jwe dec` or any JOSE library opens one without this tool.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "vault/base/secret.h"
#include "vault/core/crypto.h"
#include "vault/seal/openssl_owned.h"

namespace cardvault::custody {

// REQUIRES: a key on P-256. kInternal when OpenSSL fails.
[[nodiscard]] base::Result<std::string> seal_envelope(const core::SigningPublicKey& recipient,
                                                      std::span<const std::uint8_t> content);

// kVerificationFailed when it is not of exactly this form, is for another key, or was changed.
[[nodiscard]] base::Result<base::SecretBuffer> open_envelope(EVP_PKEY* key,
                                                             std::string_view envelope);

}  // namespace cardvault::custody
