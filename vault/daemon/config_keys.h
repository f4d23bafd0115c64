// Reads [keys] of vault.toml.
#pragma once

#include <toml++/toml.h>
#include <string>

#include "vault/daemon/key_config.h"

namespace cardvault::daemon {

// Throws base::StartupError as read_config() does.
[[nodiscard]] KeyConfig read_keys(const toml::table& root, const std::string& path);

}  // namespace cardvault::daemon
