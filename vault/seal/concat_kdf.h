// The key derivation of ECDH-ES in direct agreement (RFC 7518 4.6.2; the single-step KDF of NIST
// SP 800-56A 5.8.1 with SHA-256).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "vault/base/result.h"
#include "vault/base/secret.h"

namespace cardvault::seal {

// A key of `bits` (a multiple of 8, at most 256, so one round) for the content encryption
// `algorithm`, such as "A256GCM", from the shared secret `z`; `apu` and `apv` as decoded bytes.
// kInternal when OpenSSL fails.
[[nodiscard]] base::Result<base::SecretBuffer> concat_kdf(std::span<const std::uint8_t> z,
                                                          std::string_view algorithm,
                                                          std::span<const std::uint8_t> apu,
                                                          std::span<const std::uint8_t> apv,
                                                          unsigned bits);

}  // namespace cardvault::seal
