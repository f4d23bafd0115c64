// What the vault says of a key under its own signature (vault_note.h), for an assessor's file (PCI
// DSS 3.7.5).
#pragma once

#include <string>

#include "vault/core/crypto.h"
#include "vault/daemon/vault.h"

namespace cardvault::daemon {

// By the active audit-sign:
//
//   cardvault key statement v1
//   vault: cardvault.local/cardvault
//   statement: 0 rows left on pan-enc/1
//   active: pan-enc/2
//   time: 2026-11-22T12:00:00.000Z
//
// Errors: those of Crypto::sign and public_key.
[[nodiscard]] base::Result<std::string> zero_rows_statement(Vault& vault, core::KeyRef key);

// By the active audit-sign, of the one that comes after it: whoever trusts the one can check the
// other, whose verification key stands in it:
//
//   statement: audit-sign/2 signs after audit-sign/1
//   vkey: cardvault.local/cardvault+0123abcd+AQ…
[[nodiscard]] base::Result<std::string> successor_statement(Vault& vault, core::KeyRef next);

}  // namespace cardvault::daemon
