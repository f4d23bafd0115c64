// What doctor finds about the vault's HSMs.
#pragma once

#include <string>
#include <vector>

#include "vault/daemon/vault.h"

namespace cardvault::daemon {

// Severity, what, and what to do, of each token: whether it answers, and with several, why one
// doesn't serve and which signing keys it lacks.
[[nodiscard]] std::vector<std::vector<std::string>> examine_tokens(Vault& vault);

}  // namespace cardvault::daemon
