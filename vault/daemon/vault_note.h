// What the vault says under its own signature: signed notes (c2sp.org/signed-note) by an audit-sign
// key under the name that checkpoints have, so that the log's verification key checks them.
#pragma once

#include <string>

#include "vault/audit/verifier_key.h"
#include "vault/core/crypto.h"
#include "vault/daemon/vault.h"

namespace cardvault::daemon {

// Under which the log's checkpoints are checked. Errors of Crypto::public_key.
[[nodiscard]] base::Result<audit::VerifierKey> log_key(Vault& vault, core::KeyRef key);

// The note of these lines:
//
//   TITLE
//   vault: cardvault.local/cardvault
//   BODY
//   time: 2026-11-22T12:00:00.000Z
//
// `title` tells kinds of notes apart: it has a space, which no checkpoint's first line has. `body`
// ends with a newline. Errors: those of Crypto::sign and public_key.
[[nodiscard]] base::Result<std::string> sign_note(Vault& vault, core::KeyRef signer,
                                                  const std::string& title,
                                                  const std::string& body);

}  // namespace cardvault::daemon
