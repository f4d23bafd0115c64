// core::PasswordHash by libargon2.
#pragma once

#include "vault/core/password_hash.h"

namespace cardvault::seal {

// Stateless. One thread computes all lanes, so that a slow worker is one thread's load. What it
// works in is kept out of core dumps and wiped.
class Argon2id final : public core::PasswordHash {
 public:
  [[nodiscard]] base::Result<base::SecretBuffer> derive(std::span<const std::uint8_t> secret,
                                                        const core::PasswordSalt& salt,
                                                        const core::Argon2Cost& cost) override;
};

}  // namespace cardvault::seal
