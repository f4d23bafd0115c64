// What doctor finds about the vault's keys.
#pragma once

#include <string>
#include <vector>

#include "vault/daemon/rewrapper.h"
#include "vault/daemon/vault.h"

namespace cardvault::daemon {

// So long before the end of a cryptoperiod doctor and metrics' readers are warned.
inline constexpr std::int64_t kPeriodWarning_ms = 30LL * 86'400 * 1000;

// Severity, what, and what to do: cryptoperiods, versions on the way out, destructions, keys on the
// token that the register doesn't know or knows otherwise, and a rewrap that waits.
[[nodiscard]] std::vector<std::vector<std::string>> examine_keys(Vault& vault,
                                                                 const Rewrapper::Status& rewrap);

}  // namespace cardvault::daemon
