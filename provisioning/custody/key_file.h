// A custodian's key in a file: EC P-256 as encrypted PKCS#8 (RFC 5958) in PEM, under PBES2 (RFC
// 8018) with scrypt (RFC 7914) and AES-256-CBC. `openssl pkey -in FILE` reads it too.
//
// For pilots and rehearsals, and where the file lives on a medium that its custodian alone holds.
#pragma once

#include "provisioning/custody/custodian_key.h"

namespace cardvault::custody {

inline constexpr std::size_t kMinPassphrase = 12;  // characters
inline constexpr std::size_t kMaxPassphrase = 256;

// Makes a key and its file, which must not exist (mode 0600, synced). Throws StartupError with path
// and reason; then no file is there. Returns the public key. REQUIRES: a passphrase of
// kMinPassphrase to kMaxPassphrase bytes.
[[nodiscard]] core::SigningPublicKey create_key_file(const std::string& path,
                                                     const base::SecretText& passphrase);

// As open_custodian_key() for a path.
[[nodiscard]] base::Result<std::unique_ptr<CustodianKey>> open_key_file(
    const std::string& path, const base::SecretText& passphrase);

}  // namespace cardvault::custody
