// What a request costs, known before anything is done for it.
#pragma once

#include <cstdint>

#include "vault/core/request.h"

namespace cardvault::daemon {

// Calls to the HSM, about; at least 1. The queue shares the HSM out among gates by it.
[[nodiscard]] std::uint32_t hsm_calls(const core::Request& request);

// What a client's rate counts: the request, or each item of a batch. Who asks more of the HSM than
// the tokenizing of a card does counts as several.
[[nodiscard]] std::uint32_t rate_items(const core::Request& request);

}  // namespace cardvault::daemon
