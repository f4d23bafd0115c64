// base64url without padding (RFC 4648 section 5, RFC 7515 appendix C).
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "vault/base/secret.h"

namespace cardvault::seal {

[[nodiscard]] std::string base64url(std::span<const std::uint8_t> bytes);
// Behind what `out` holds; neither its old nor its new block keeps anything when it goes.
void append_base64url(base::SecretBuffer& out, std::span<const std::uint8_t> bytes);

}  // namespace cardvault::seal
