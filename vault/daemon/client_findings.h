// What doctor and the metrics say about enrolled clients.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "vault/daemon/vault.h"

namespace cardvault::daemon {

// Per client how long the longest of its certificates still lasts, in seconds; negative when all
// have ended. Clients without one that counts are left out.
[[nodiscard]] std::vector<std::pair<std::string, double>> certificate_lives(
    const ClientCa::Rows& rows, std::int64_t now_ms);

// Severity, what, and what to do: certificates that end, the CA's own, and a list that gates will
// soon believe no more.
[[nodiscard]] std::vector<std::vector<std::string>> examine_clients(Vault& vault);

}  // namespace cardvault::daemon
