// Which changes of vault.toml a reload takes up, and which need a restart.
#pragma once

#include <string>
#include <vector>

#include "vault/daemon/config.h"

namespace cardvault::daemon {

// What of `wanted` a vault that runs with `running` takes up at its next start alone, as
// vault.toml(5) names it: "[limits] queue", "[hsm]", "[[gate]] web socket". All else is live.
[[nodiscard]] std::vector<std::string> needs_restart(const Config& running, const Config& wanted);
// Takes the rest over.
void take_live(Config& running, const Config& wanted);

}  // namespace cardvault::daemon
