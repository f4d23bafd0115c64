// Reads [unseal] of vault.toml.
#pragma once

#include <toml++/toml.h>
#include <string>

#include "vault/daemon/unseal_config.h"

namespace cardvault::daemon {

// Throws StartupError as read_config() does. `token_uris` are those of [hsm], which name a
// pin-source exactly when custodians don't unseal.
[[nodiscard]] UnsealConfig read_unseal(const toml::table& root, const std::string& path,
                                       const std::string& data_dir, const std::string& token_uris);

}  // namespace cardvault::daemon
