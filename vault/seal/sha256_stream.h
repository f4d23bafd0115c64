// SHA-256 (FIPS 180-4) of what comes in pieces.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "vault/seal/openssl_owned.h"

namespace cardvault::seal {

// Aborts when OpenSSL has no memory. One thread.
class Sha256Stream {
 public:
  Sha256Stream();
  void add(std::span<const std::uint8_t> bytes);
  // Of all that was added; then it is spent.
  [[nodiscard]] std::array<std::uint8_t, 32> finish();

 private:
  DigestCtxPtr context_;
};

}  // namespace cardvault::seal
