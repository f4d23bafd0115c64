// Encryption of rows whose associated data names the suite that they are encrypted with.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "vault/base/result.h"
#include "vault/core/crypto.h"
#include "vault/core/services.h"

namespace cardvault::core {

// `aad` makes the associated data for the suite that it is given; it may be called more than once,
// the last time with the suite of what is returned: a token with another suite may take over in the
// middle, and what it made under the first one's name would never decrypt. Counts each encryption.
// Errors of Crypto; kKeyExhausted and kOverloaded of the invocation meter.
[[nodiscard]] base::Result<Sealed> encrypt_bound(
    Services& services, KeyRef key, std::span<const std::uint8_t> plaintext,
    const std::function<std::vector<std::uint8_t>(Suite)>& aad);

}  // namespace cardvault::core
