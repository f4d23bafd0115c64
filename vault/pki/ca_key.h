// The key of a CA that lives in the HSM.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "vault/core/crypto.h"

namespace cardvault::pki {

struct CaKey {
  core::SigningPublicKey public_key;  // on P-256
  // ES256 over the bytes, r ‖ s; errors of core::Crypto::sign().
  std::function<base::Result<std::vector<std::uint8_t>>(std::span<const std::uint8_t>)> sign;
};

}  // namespace cardvault::pki
