// What is to be said about the custodians: of doctor and of the metrics.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "vault/daemon/vault.h"

namespace cardvault::daemon {

// Rows of doctor: severity, what, what to do.
[[nodiscard]] std::vector<std::vector<std::string>> examine_custody(Vault& vault);

// "user-pin anna" and the seconds since this share was last proven good by a drill, or delivered;
// none where there was no ceremony. Reads the transcript: for now and then.
[[nodiscard]] std::vector<std::pair<std::string, double>> share_ages(Vault& vault);

}  // namespace cardvault::daemon
