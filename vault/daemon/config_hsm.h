// Reads [hsm] of vault.toml.
#pragma once

#include <toml++/toml.h>
#include <string>
#include <vector>

#include "hsm/token_config.h"

namespace cardvault::daemon {

// The first token, and those that stand by in their order. Throws base::StartupError as
// read_config() does.
[[nodiscard]] std::vector<hsm::TokenConfig> read_hsm(const toml::table& root,
                                                     const std::string& path);

}  // namespace cardvault::daemon
