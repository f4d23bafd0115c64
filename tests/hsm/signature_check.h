// Verification of the port's signatures with OpenSSL, independently of the module that made them.
#pragma once

#include <cstdint>
#include <span>

namespace cardvault::hsm::testing {

// `point`: 65 bytes (P-256, ES256 over SHA-256 of data) or 32 (Ed25519); `signature`: 64 bytes.
[[nodiscard]] bool verifies(std::span<const std::uint8_t> point, std::span<const std::uint8_t> data,
                            std::span<const std::uint8_t> signature);

}  // namespace cardvault::hsm::testing
