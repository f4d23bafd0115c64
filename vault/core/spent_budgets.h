// Reveal budgets of a vault that doesn't know what was revealed: after a restore.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace cardvault::core {

// A snapshot for RevealBudget::restore() in which these clients have spent this hour and this day,
// whatever their limits; a client without limits has none to spend.
[[nodiscard]] std::vector<std::uint8_t> spent_reveal_budgets(std::span<const std::string> clients,
                                                             std::int64_t now_ms);

}  // namespace cardvault::core
