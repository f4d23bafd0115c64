// Public keys as JWK: the canonical members of RFC 7638, whose hash names a key.
#pragma once

#include <openssl/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "vault/base/result.h"

namespace cardvault::seal {

// {"crv":…,"kty":"EC","x":…,"y":…}: required members in order, no white space (RFC 7638 3.2).
// `x` and `y` have the full length of a coordinate (RFC 7518 6.2.1.2).
[[nodiscard]] std::string ec_jwk(std::string_view curve, std::span<const std::uint8_t> x,
                                 std::span<const std::uint8_t> y);
// {"e":…,"kty":"RSA","n":…}: big-endian, without leading zeros (RFC 7518 6.3.1).
[[nodiscard]] std::string rsa_jwk(std::span<const std::uint8_t> n, std::span<const std::uint8_t> e);

// Of a key on P-256 or P-384, or of RSA. kInternal when it is none of these.
[[nodiscard]] base::Result<std::string> public_jwk(const EVP_PKEY* key);

// base64url(SHA-256(canonical JWK)): RFC 7638 section 3.
[[nodiscard]] std::string jwk_thumbprint(std::string_view canonical);

}  // namespace cardvault::seal
