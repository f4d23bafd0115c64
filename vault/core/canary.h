// Canaries: cards that nobody has. Whoever reveals one has gone through tokens that are not theirs.
#pragma once

#include <string_view>

#include "vault/base/result.h"
#include "vault/core/services.h"
#include "vault/core/store.h"

namespace cardvault::core {

// A row for a random number that passes Luhn and begins with `bin` (4 to 11 digits), without a
// customer: nothing in it tells it from a card. kInvalidArgument when `bin` is no such prefix;
// kBinUnknown, kCountryRefused, kCurrencyRefused when the vault would refuse such a card; errors of
// Crypto and seal_card().
[[nodiscard]] base::Result<CardRow> make_canary(Services& services, std::string_view bin,
                                                TokenFormat format);

}  // namespace cardvault::core
