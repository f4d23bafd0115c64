// What a payment's code and a sealed card are bound to: amount, currency, payee.
#pragma once

#include <optional>
#include <vector>

#include "vault/base/result.h"
#include "vault/core/request.h"

namespace cardvault::core {

inline constexpr std::uint64_t kMaxAmount = 1'000'000'000'000'000;  // 10^15 minor units
inline constexpr std::size_t kMaxPayeeBytes = 128;

// kInvalidContext: an amount outside 1..kMaxAmount, a currency that is not three of A-Z, a payee
// that is not 1..kMaxPayeeBytes of printable UTF-8. kPanInField: a payee that holds a card number.
[[nodiscard]] base::Result<void> check_context(const PaymentContext& context);

// One encoding per context, what MACs are made over: 0x00 without one, else 0x01 ‖ amount (8 bytes)
// ‖ currency (3 bytes) ‖ length of payee (2 bytes) ‖ payee; numbers big-endian (docs/api.md,
// "Context").
[[nodiscard]] std::vector<std::uint8_t> canonical_context(
    const std::optional<PaymentContext>& context);

}  // namespace cardvault::core
