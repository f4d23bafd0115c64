// One-time codes: how they are made, and what their MACs bind (docs/api.md, "Context").
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "vault/base/result.h"
#include "vault/base/secret.h"
#include "vault/core/services.h"
#include "vault/core/store.h"

namespace cardvault::core {

inline constexpr std::uint8_t kMinCodeDigits = 6;
inline constexpr std::uint8_t kMaxCodeDigits = 10;

// `digits` decimal digits, each of the ten equally likely: random bytes of 250 and more are thrown
// away instead of folded (no modulo bias). Leading zeros are as good as any. Errors: those of
// Crypto::random.
[[nodiscard]] base::Result<base::SecretText> make_code(Crypto& crypto, std::uint8_t digits);

// 6 to 10 decimal digits.
[[nodiscard]] bool code_form(std::string_view code) noexcept;

// What a code's MAC is about.
struct CodeBinding {
  InternalId id{};       // of the code
  InternalId subject{};  // the customer's internal id
  std::string_view purpose;
  std::span<const std::uint8_t> context;  // canonical_context()
};

// HMAC by otp-mac/key_version over 0x01 ‖ id ‖ subject ‖ length of purpose (1 byte) ‖ purpose ‖
// context ‖ length of code (1 byte) ‖ code. Errors: those of Crypto::mac.
[[nodiscard]] base::Result<Mac> code_mac(Services& services, std::uint32_t key_version,
                                         const CodeBinding& binding, std::string_view code);

// HMAC by otp-mac/key_version over 0x02 ‖ id ‖ context: a verified code's context can be compared
// without the code.
[[nodiscard]] base::Result<Mac> context_mac(Services& services, std::uint32_t key_version,
                                            const InternalId& id,
                                            std::span<const std::uint8_t> context);

// In a time that doesn't depend on where they differ.
[[nodiscard]] bool equal_macs(const Mac& a, const Mac& b) noexcept;

}  // namespace cardvault::core
