// The custodians' backup of a key's new version.
#pragma once

#include <memory>
#include <string>

#include "provisioning/backup_custody.h"
#include "provisioning/key_change.h"
#include "vault/daemon/config.h"

namespace cardvault::provisioning {

// Where the custodians have a backup key, K of them enter their shares now, on the terminal: the
// new version is wrapped under it, brought back on a token that is thrown away, and added to
// custody/wrapped-keys. Null for a vault without a backup key, and for a purpose that signs, whose
// keys never leave the token. Throws ToolError or StartupError with what to do, without a terminal
// too.
[[nodiscard]] std::unique_ptr<KeyBackup> open_key_backup(const daemon::Config& config,
                                                         const std::string& purpose);

// K custodians enter their shares of the backup key on the terminal, after `said`, each checked at
// once. Throws as open_key_backup().
[[nodiscard]] base::SecretBuffer enter_backup_key(const Custody& custody, const std::string& said);

// The file of wrapped keys with these put in place of ones of the same label; whole or not at all.
void add_wrapped_keys(const std::string& path, const std::vector<hsm::WrappedKey>& fresh);

}  // namespace cardvault::provisioning
