// A message to one recipient: JWE compact (RFC 7516), by the recipient's kind of key.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "vault/base/result.h"
#include "vault/base/secret.h"
#include "vault/seal/openssl_owned.h"
#include "vault/seal/recipient_certificate.h"

namespace cardvault::seal {

// A recipient's public key, ready to encrypt to. Immutable; thread-safe.
struct RecipientPublicKey {
  PkeyPtr key;
  RecipientKey kind = RecipientKey::kP256;
  std::string kid;  // RFC 7638 thumbprint
};

// Of a certificate's DER. kInternal when it is none, or holds another kind of key.
[[nodiscard]] base::Result<std::shared_ptr<const RecipientPublicKey>> recipient_public_key(
    std::span<const std::uint8_t> der);

// A nested JWT (RFC 7519 5.2: "cty":"JWT"): `signed_token`, a JWS compact, under A256GCM with a key
// of its own, made by ECDH-ES from an ephemeral key (RFC 7518 4.6) or sent by RSA-OAEP-256 (4.3).
// `type` is the "typ" of inner and outer header alike (RFC 8725 3.11). kInternal when OpenSSL
// fails.
[[nodiscard]] base::Result<std::string> encrypt_to(const RecipientPublicKey& recipient,
                                                   std::string_view type,
                                                   const base::SecretBuffer& signed_token);

}  // namespace cardvault::seal
