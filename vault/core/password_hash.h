// The password hashing port. Implemented by vault/seal with libargon2.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "vault/base/result.h"
#include "vault/base/secret.h"

namespace cardvault::core {

// What one guess costs (RFC 9106 section 3.1).
struct Argon2Cost {
  std::uint32_t memory_kib = 0, passes = 0, lanes = 0;
  friend bool operator==(const Argon2Cost&, const Argon2Cost&) = default;
};
using PasswordSalt = std::array<std::uint8_t, 16>;

// Thread-safe; takes tens of milliseconds and cost.memory_kib of memory: a slow worker's call.
class PasswordHash {
 public:
  virtual ~PasswordHash() = default;
  // Argon2id version 1.3 of `secret`: 32 bytes. kOverloaded when there is no memory for it now,
  // kInternal when the library refuses the parameters.
  [[nodiscard]] virtual base::Result<base::SecretBuffer> derive(
      std::span<const std::uint8_t> secret, const PasswordSalt& salt, const Argon2Cost& cost) = 0;
};

}  // namespace cardvault::core
