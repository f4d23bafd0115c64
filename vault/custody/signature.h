// Public keys and signatures of custodians and of the vault.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vault/core/crypto.h"
#include "vault/seal/openssl_owned.h"

namespace cardvault::custody {

// 64 bytes: r ‖ s of ES256 (FIPS 186-5, RFC 7518 3.4), or Ed25519 (RFC 8032).
using Signature = std::vector<std::uint8_t>;

// "p256:" and the compressed point (SEC 1 2.3.3), "ed25519:" and the 32 bytes; in hex. REQUIRES: a
// point of the form that SigningPublicKey says.
[[nodiscard]] std::string public_key_text(const core::SigningPublicKey& key);
// nullopt when it is none, or the point is not on the curve (SP 800-56A 5.6.2.3.3).
[[nodiscard]] std::optional<core::SigningPublicKey> parse_public_key(std::string_view text);

// OpenSSL's form; null when the point is none.
[[nodiscard]] seal::PkeyPtr openssl_key(const core::SigningPublicKey& key);
// 65 bytes 04 ‖ x ‖ y of an EC P-256 key; empty for any other.
[[nodiscard]] std::vector<std::uint8_t> p256_point(const EVP_PKEY* key);

// ES256 with an OpenSSL key on P-256.
[[nodiscard]] base::Result<Signature> sign_es256(EVP_PKEY* key, std::string_view message);

[[nodiscard]] bool verify(const core::SigningPublicKey& key, std::string_view message,
                          std::span<const std::uint8_t> signature);

}  // namespace cardvault::custody
