// What the vault says of a key under its own signature, for an assessor's file (PCI DSS 3.7.5).
#pragma once

#include <string>

#include "vault/core/crypto.h"
#include "vault/daemon/vault.h"

namespace cardvault::daemon {

// A signed note (c2sp.org/signed-note) by the active audit-sign key, under the name that
// checkpoints have, so that the log's verification key checks it:
//
//   cardvault key statement v1
//   vault: cardvault.local/cardvault
//   statement: 0 rows left on pan-enc/1
//   active: pan-enc/2
//   time: 2026-11-22T12:00:00.000Z
//
// Errors: those of Crypto::sign and public_key.
[[nodiscard]] base::Result<std::string> zero_rows_statement(Vault& vault, core::KeyRef key);

}  // namespace cardvault::daemon
