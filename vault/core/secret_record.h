// How a password's or quick code's Argon2id output is encrypted (docs/store.md): whoever has the
// database alone can't even begin to guess.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "vault/base/result.h"
#include "vault/core/services.h"
#include "vault/core/store.h"

namespace cardvault::core {

// Associated data: format version 1 ‖ suite ‖ internal customer id ‖ kind (1 byte) ‖ key version ‖
// salt ‖ memory in KiB ‖ passes ‖ lanes; numbers of 4 bytes big-endian. A row that was moved,
// swapped or made cheaper doesn't decrypt.
[[nodiscard]] std::vector<std::uint8_t> secret_aad(const SecretRow& row,
                                                   const InternalId& customer);

[[nodiscard]] Argon2Cost cost_of(const SecretSettings& settings) noexcept;
[[nodiscard]] Argon2Cost cost_of(const SecretRow& row) noexcept;

// A row of this kind and customer with a fresh salt and the settings' cost, its output encrypted
// under the active secret-enc key; subject and times are the caller's to fill in. A slow worker's
// call. Errors of Crypto, PasswordHash and the invocation meter.
[[nodiscard]] base::Result<SecretRow> make_secret(Services& services,
                                                  const SecretSettings& settings, SecretKind kind,
                                                  const InternalId& customer,
                                                  std::string_view secret);

// The output that is kept. kRecordDamaged when row or owner are not what was encrypted.
[[nodiscard]] base::Result<base::SecretBuffer> open_secret(Services& services, const SecretRow& row,
                                                           const InternalId& customer);

// The same secret under the active secret-enc key, nothing else changed. Errors of Crypto and of
// the invocation meter; kRecordDamaged as open_secret().
[[nodiscard]] base::Result<SecretRow> reseal_secret(Services& services, const SecretRow& row,
                                                    const InternalId& customer);

// In a time that doesn't depend on where they differ.
[[nodiscard]] bool same_output(const base::SecretBuffer& a, const base::SecretBuffer& b) noexcept;

}  // namespace cardvault::core
