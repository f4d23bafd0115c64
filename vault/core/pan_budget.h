// A customer's budget of distinct new or refused PANs: used per UTC day, and per 30 days from the
// first charge.
#pragma once

#include <cstdint>

#include "vault/core/settings.h"
#include "vault/core/store.h"

namespace cardvault::core {

inline constexpr std::uint32_t kPanBudgetMonthDays = 30;

[[nodiscard]] std::uint32_t day_of(std::int64_t now_ms) noexcept;  // days since 1970, UTC

// Begins the windows anew that have ended.
void roll_pan_windows(CustomerRow& customer, std::uint32_t today) noexcept;
void charge_pan(CustomerRow& customer) noexcept;

// Seconds until the exhausted budget's window ends; 0 while there is budget. Of rolled windows.
[[nodiscard]] std::uint32_t pan_budget_wait_s(const CustomerRow& customer, const Settings& settings,
                                              std::int64_t now_ms) noexcept;

}  // namespace cardvault::core
