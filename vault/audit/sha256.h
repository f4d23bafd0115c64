// SHA-256 (FIPS 180-4) of bytes as they are.
#pragma once

#include <string_view>

#include "vault/audit/merkle.h"

namespace cardvault::audit {

// Thread-safe.
[[nodiscard]] Hash sha256(std::string_view bytes);

}  // namespace cardvault::audit
