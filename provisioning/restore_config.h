// The configuration of a restored vault: the backup's, with the places of the new machine.
#pragma once

#include <string>

#include "provisioning/init_files.h"

namespace cardvault::provisioning {

// vault.toml: every setting as it was, but for where things are, the token, the gates' sockets and
// accounts, and the log's name; comments are lost. Throws StartupError when the text is no TOML.
[[nodiscard]] std::string restored_vault_toml(const std::string& text, const NewVault& vault,
                                              const std::string& token_uri,
                                              const std::string& origin);
// gate-NAME.toml: paths below `old_dir` are below the vault's config_dir now.
[[nodiscard]] std::string restored_gate_toml(const std::string& text, const NewVault& vault,
                                             const std::string& old_dir);

}  // namespace cardvault::provisioning
