// Who can open a backup: whoever has the custodians' backup key.
#pragma once

#include <string>

#include "vault/base/secret.h"
#include "vault/core/crypto.h"
#include "vault/custody/signature.h"
#include "vault/seal/openssl_owned.h"

namespace cardvault::provisioning {

// A key pair on P-256 made of the split backup key (docs/backup.md): the private number is 48 bytes
// of HKDF-SHA-256 (RFC 5869) with the vault's id as salt, reduced into 1..n-1 ("extra random bits",
// FIPS 186-5 A.2.1). What the backup key wraps (RFC 3394) and what it derives have nothing in
// common. The public half stands in the ceremony's transcript, so that a backup is made while every
// custodian is away. REQUIRES 32 bytes. Aborts when OpenSSL has no memory.
[[nodiscard]] seal::PkeyPtr backup_opener(const base::SecretBuffer& backup_key,
                                          const std::string& vault);
[[nodiscard]] core::SigningPublicKey backup_recipient(const base::SecretBuffer& backup_key,
                                                      const std::string& vault);

}  // namespace cardvault::provisioning
