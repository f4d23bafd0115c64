// Reveal budgets of a vault that doesn't know what was revealed: after a restore.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vault/core/reveal_budget.h"

namespace cardvault::core {

// A snapshot for RevealBudget::restore() in which these clients have spent this hour and this day,
// whatever their limits; a client without limits has none to spend.
[[nodiscard]] std::vector<std::uint8_t> spent_reveal_budgets(std::span<const std::string> clients,
                                                             std::int64_t now_ms);
// Whether this hour or day of the client is spent by such a snapshot, and not by reveals.
[[nodiscard]] bool spent_by_restore(const RevealBudget& budget, std::string_view client,
                                    std::int64_t now_ms);

}  // namespace cardvault::core
