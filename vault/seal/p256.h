// Public keys and signatures on P-256, between our forms and OpenSSL's.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "vault/seal/openssl_owned.h"

namespace cardvault::seal {

// Of a point, 04 ‖ x ‖ y or compressed (SEC 1, 2.3.3). Null when it is none.
[[nodiscard]] PkeyPtr p256_key(std::span<const std::uint8_t> point);

// r ‖ s, 64 bytes, as ECDSA-Sig-Value (RFC 3279 2.2.3). REQUIRES: that size.
[[nodiscard]] std::vector<std::uint8_t> ecdsa_der(std::span<const std::uint8_t> raw);

}  // namespace cardvault::seal
